package capture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

//go:embed all:cast/bin
var castProgram embed.FS

// castFile is the child that reads PipeWire, gzipped, as `task build` leaves it.
const castFile = "cast/bin/cast.gz"

// Bounds of a cast: those that the child has, too.
const (
	castMaxSide    = 16384
	castMaxPixels  = 64 << 20
	castMaxCursor  = 256
	castMaxStreams = 16
)

// CastStream is one monitor of a Wayland desktop, as the ScreenCast portal names it.
type CastStream struct {
	Node uint32 // PipeWire's number of it
	// Position and Size are the monitor's, as the compositor counts; zero where it did not tell.
	Position, Size image.Point
	Placed         bool // Position was told
}

// Cast is a Wayland desktop: PipeWire streams, each read by a child process (see
// cast/cast.c), side by side in one picture as the monitors stand.
type Cast struct {
	streams []*castStream
	dirty   chan struct{} // a stream has told something since this was last emptied
	shaped  chan struct{} // the cursor changed since this was last emptied
	lost    chan struct{} // closed when a stream has ended, or the source was closed
	closing sync.Once

	looking sync.Mutex // held by Next; guards what follows
	pix     []uint32
	bounds  image.Rectangle // of the picture
	laid    bool            // every stream has its place
	changed Areas

	mu       sync.Mutex // guards what follows and the fields of streams said to be
	err      error      // why it is lost
	ended    bool
	displays []Display
	shape    Cursor
	pointing *castStream // where the pointer was seen last, if it was
	at       image.Point // in that stream's picture
}

type castStream struct {
	CastStream
	cmd    *exec.Cmd
	asks   io.WriteCloser
	tells  io.ReadCloser
	memory *os.File
	read   chan struct{} // closed when its records end
	errors bytes.Buffer  // what the child said last; complete once it was waited for

	frame   castFrame // guarded by Cast.mu
	pending bool      // guarded by Cast.mu: frame was not merged yet
	place   image.Rectangle
	mapped  []byte // guarded by Cast.looking
}

// castFrame is what a record says of a frame.
type castFrame struct {
	size   image.Point
	damage image.Rectangle
}

// OpenCast reads the streams by PipeWire connections that connect makes, one
// each, which this takes over. The error wraps ErrUnsupported where the child is
// not built in or cannot run, as without PipeWire's library.
func OpenCast(streams []CastStream, connect func() (*os.File, error)) (*Cast, error) {
	if len(streams) == 0 || len(streams) > castMaxStreams {
		return nil, fmt.Errorf("%w: %d monitors", ErrUnsupported, len(streams))
	}
	program, err := castExecutable()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	defer program.Close()
	c := &Cast{dirty: make(chan struct{}, 1), shaped: make(chan struct{}, 1), lost: make(chan struct{}), shape: arrow()}
	for _, s := range streams {
		cs, err := startCast(program, s, connect)
		if err != nil {
			c.Close()
			return nil, err
		}
		c.streams = append(c.streams, cs)
		go c.hear(cs)
	}
	wake(c.shaped)
	return c, nil
}

func startCast(program *os.File, stream CastStream, connect func() (*os.File, error)) (s *castStream, err error) {
	remote, err := connect()
	if err != nil {
		return nil, err
	}
	defer remote.Close()
	s = &castStream{CastStream: stream, read: make(chan struct{})}
	fd, err := unix.MemfdCreate("mainforte-screen", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("%w: memfd_create: %w", ErrUnsupported, err)
	}
	s.memory = os.NewFile(uintptr(fd), "mainforte-screen")
	// What is mapped here can then never vanish under a reader.
	if _, err := unix.FcntlInt(s.memory.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK); err != nil {
		s.memory.Close()
		return nil, fmt.Errorf("%w: seal memory: %w", ErrUnsupported, err)
	}
	// The kernel's own name of the open file: nothing is left on the disk.
	s.cmd = exec.Command(fmt.Sprintf("/proc/self/fd/%d", program.Fd()))
	s.cmd.Args = []string{"mainforte-cast", strconv.FormatUint(uint64(stream.Node), 10)}
	s.cmd.ExtraFiles = []*os.File{remote, s.memory}
	s.cmd.Stderr = &lastWords{b: &s.errors}
	if s.asks, err = s.cmd.StdinPipe(); err != nil {
		s.memory.Close()
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if s.tells, err = s.cmd.StdoutPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.memory.Close()
		s.asks.Close()
		return nil, fmt.Errorf("%w: start the reader of PipeWire: %w", ErrUnsupported, err)
	}
	return s, nil
}

// lastWords keeps the beginning of what a child complains of.
type lastWords struct{ b *bytes.Buffer }

func (w *lastWords) Write(p []byte) (int, error) {
	const most = 512
	w.b.Write(p[:min(len(p), max(0, most-w.b.Len()))])
	return len(p), nil
}

// CastBuilt tells whether the child is embedded.
func CastBuilt() bool {
	f, err := castProgram.Open(castFile)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// castExecutable is the child as an anonymous file in memory.
func castExecutable() (*os.File, error) {
	z, err := castProgram.Open(castFile)
	if err != nil {
		return nil, fmt.Errorf("the reader of PipeWire is not built in: %w", err)
	}
	defer z.Close()
	r, err := gzip.NewReader(z)
	if err != nil {
		return nil, fmt.Errorf("the built-in reader of PipeWire: %w", err)
	}
	fd, err := unix.MemfdCreate("mainforte-cast", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "mainforte-cast")
	if _, err = io.Copy(f, r); err == nil {
		err = f.Chmod(0o700)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the built-in reader of PipeWire: %w", err)
	}
	return f, nil
}

// Kinds of a record, as in cast/cast.c.
const (
	castRecordFrame   = 1
	castRecordCursor  = 2
	castRecordPointer = 3
	castRecordSize    = 32
)

// hear takes a stream's records until it ends, which ends the source.
func (c *Cast) hear(s *castStream) {
	defer close(s.read)
	_, err := s.asks.Write([]byte{'n'})
	in := bufio.NewReader(s.tells)
	for err == nil {
		err = c.record(s, in)
	}
	if werr := s.cmd.Wait(); s.errors.Len() > 0 {
		err = errors.New(strings.TrimSpace(s.errors.String()))
	} else if werr != nil {
		err = werr
	}
	c.lose(fmt.Errorf("%w: %w", ErrLost, err))
}

// record takes one record. The child is our own, but what it says comes from
// outside: an error is what no such child says.
func (c *Cast) record(s *castStream, in io.Reader) error {
	var raw [castRecordSize]byte
	if _, err := io.ReadFull(in, raw[:]); err != nil {
		return err
	}
	v := func(i int) int { return int(int32(binary.NativeEndian.Uint32(raw[4*i:]))) }
	switch v(0) {
	case castRecordFrame:
		f := castFrame{size: image.Pt(v(1), v(2)), damage: image.Rect(v(3), v(4), v(3)+v(5), v(4)+v(6))}
		all := image.Rectangle{Max: f.size}
		if f.size.X < 1 || f.size.Y < 1 || f.size.X > castMaxSide || f.size.Y > castMaxSide || f.size.X*f.size.Y > castMaxPixels ||
			v(5) < 1 || v(6) < 1 || !f.damage.In(all) {
			return fmt.Errorf("a frame of %v in %v", f.damage, f.size)
		}
		c.mu.Lock()
		if s.pending || f.size != s.frame.size {
			f.damage = all
		}
		s.frame, s.pending = f, true
		c.mu.Unlock()
		wake(c.dirty)
	case castRecordCursor:
		w, h := v(1), v(2)
		if w < 0 || h < 0 || w > castMaxCursor || h > castMaxCursor {
			return fmt.Errorf("a cursor of %d x %d", w, h)
		}
		bits := make([]byte, w*h*4)
		if _, err := io.ReadFull(in, bits); err != nil {
			return err
		}
		argb := make([]uint32, w*h)
		for i := range argb {
			argb[i] = binary.NativeEndian.Uint32(bits[4*i:])
		}
		c.mu.Lock()
		c.shape = cursorFrom(argb, w, h, v(3), v(4))
		c.mu.Unlock()
		wake(c.shaped)
	case castRecordPointer:
		c.mu.Lock()
		if v(3) != 0 {
			c.pointing, c.at = s, image.Pt(v(1), v(2))
		} else if c.pointing == s {
			c.pointing = nil
		}
		c.mu.Unlock()
	default:
		return fmt.Errorf("a record of kind %d", v(0))
	}
	return nil
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (c *Cast) lose(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended, c.err = true, err
		close(c.lost)
	}
}

func (c *Cast) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Next implements Source.
func (c *Cast) Next(ctx context.Context) (Frame, error) {
	c.looking.Lock()
	defer c.looking.Unlock()
	for {
		select {
		case <-c.dirty:
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		case <-c.lost:
			return Frame{}, c.why()
		}
		if err := ctx.Err(); err != nil {
			wake(c.dirty) // what was taken from it is still to be seen
			return Frame{}, err
		}
		began := time.Now()
		if err := c.collect(); err != nil {
			c.lose(err)
			return Frame{}, err
		}
		if parts := c.changed.All(); len(parts) > 0 {
			return Frame{Pix: c.pix, Width: c.bounds.Dx(), Height: c.bounds.Dy(), Damage: c.changed.Bounds(), Parts: parts, Took: time.Since(began)}, nil
		}
	}
}

// collect merges what the streams have to show, and asks them for more.
func (c *Cast) collect() error {
	c.changed.Clear()
	c.mu.Lock()
	resized := !c.laid
	for _, s := range c.streams {
		if s.frame.size == (image.Point{}) {
			c.mu.Unlock()
			return nil // a picture has all monitors, or is none
		}
		resized = resized || s.pending && s.frame.size != s.place.Size()
	}
	if resized {
		if err := c.lay(); err != nil {
			c.mu.Unlock()
			return err
		}
	}
	c.mu.Unlock()
	for _, s := range c.streams {
		c.mu.Lock()
		pending, f := s.pending, s.frame
		c.mu.Unlock()
		switch {
		case resized: // all of each: what was merged before lies elsewhere
			f.damage = image.Rectangle{Max: f.size}
		case !pending:
			continue
		}
		if err := c.merge(s, f); err != nil {
			return err
		}
		if !pending {
			continue
		}
		c.mu.Lock()
		s.pending = false
		c.mu.Unlock()
		if _, err := s.asks.Write([]byte{'n'}); err != nil {
			return fmt.Errorf("%w: %w", ErrLost, err)
		}
	}
	if resized {
		c.changed.Clear()
		c.changed.Add(c.bounds)
	}
	return nil
}

// lay gives every stream its place in a new picture. The caller holds mu.
func (c *Cast) lay() error {
	sizes := make([]image.Point, len(c.streams))
	streams := make([]CastStream, len(c.streams))
	for i, s := range c.streams {
		sizes[i], streams[i] = s.frame.size, s.CastStream
	}
	places, bounds := arrange(streams, sizes)
	if bounds.Dx() > castMaxSide || bounds.Dy() > castMaxSide || bounds.Dx()*bounds.Dy() > castMaxPixels {
		return fmt.Errorf("%w: the monitors are too large together: %v", ErrLost, bounds.Size())
	}
	c.displays = nil
	for i, s := range c.streams {
		s.place = places[i]
		c.displays = append(c.displays, Display{ID: s.Node, Name: fmt.Sprint("monitor ", i+1), Bounds: s.place})
	}
	c.pix, c.bounds, c.laid = make([]uint32, bounds.Dx()*bounds.Dy()), bounds, true
	return nil
}

// arrange places pictures of monitors in one, which begins at 0, 0: as the
// monitors stand where the compositor counts in pixels, else, as where it scales
// one of them, side by side from the left.
func arrange(streams []CastStream, sizes []image.Point) (places []image.Rectangle, bounds image.Rectangle) {
	asTheyStand := true
	for i, s := range streams {
		r := image.Rectangle{Max: sizes[i]}.Add(s.Position)
		asTheyStand = asTheyStand && s.Placed && s.Size == sizes[i]
		for _, o := range places {
			asTheyStand = asTheyStand && !o.Overlaps(r)
		}
		places = append(places, r)
		bounds = bounds.Union(r)
	}
	if asTheyStand && bounds.Dx() <= castMaxSide && bounds.Dy() <= castMaxSide && bounds.Dx()*bounds.Dy() <= castMaxPixels {
		for i := range places {
			places[i] = places[i].Sub(bounds.Min)
		}
		return places, bounds.Sub(bounds.Min)
	}
	order := make([]int, len(streams))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return streams[a].Position.X - streams[b].Position.X })
	bounds = image.Rectangle{}
	for _, i := range order {
		places[i] = image.Rectangle{Max: sizes[i]}.Add(image.Pt(bounds.Max.X, 0))
		bounds = bounds.Union(places[i])
	}
	return places, bounds
}

// merge brings pix up to date with what a frame says has changed.
func (c *Cast) merge(s *castStream, f castFrame) error {
	if need := f.size.X * f.size.Y * 4; need > len(s.mapped) {
		info, err := s.memory.Stat()
		if err != nil || info.Size() < int64(need) {
			return fmt.Errorf("%w: a frame is larger than its memory", ErrLost)
		}
		s.unmap()
		if s.mapped, err = unix.Mmap(int(s.memory.Fd()), 0, need, unix.PROT_READ, unix.MAP_SHARED); err != nil {
			return fmt.Errorf("%w: %w", ErrLost, err)
		}
	}
	changed := image.Rectangle{}
	for y := f.damage.Min.Y; y < f.damage.Max.Y; y++ {
		at := (y*f.size.X + f.damage.Min.X) * 4
		row := unsafe.Slice((*uint32)(unsafe.Pointer(&s.mapped[at])), f.damage.Dx())
		to := (s.place.Min.Y+y)*c.bounds.Dx() + s.place.Min.X + f.damage.Min.X
		if from, end := mergeRow(c.pix[to:to+len(row)], row); from < end {
			x := f.damage.Min.X
			changed = changed.Union(image.Rect(x+from, y, x+end, y+1))
		}
	}
	if !changed.Empty() {
		c.changed.Add(changed.Add(s.place.Min))
	}
	return nil
}

func (s *castStream) unmap() {
	if s.mapped != nil {
		_ = unix.Munmap(s.mapped) // fails for no mapping of ours
		s.mapped = nil
	}
}

// NextCursor implements Source. Until the compositor tells of a shape, and where
// it tells of none, there is an arrow.
func (c *Cast) NextCursor(ctx context.Context) (Cursor, error) {
	select {
	case <-c.shaped:
	case <-ctx.Done():
		return Cursor{}, ctx.Err()
	case <-c.lost:
		return Cursor{}, c.why()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shape, nil
}

// Pointer implements Pointing.
func (c *Cast) Pointer() (image.Point, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pointing == nil || !c.laid {
		return image.Point{}, false
	}
	return c.at.Add(c.pointing.place.Min), true
}

// Displays implements Source.
func (c *Cast) Displays() []Display {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.displays)
}

// Spot tells on which stream a pixel of the picture is, and where in it as the
// compositor counts.
func (c *Cast) Spot(x, y int) (node uint32, sx, sy float64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		if c.laid && image.Pt(x, y).In(s.place) {
			sx, sy = float64(x-s.place.Min.X), float64(y-s.place.Min.Y)
			if s.Size.X > 0 && s.Size.Y > 0 {
				sx *= float64(s.Size.X) / float64(s.place.Dx())
				sy *= float64(s.Size.Y) / float64(s.place.Dy())
			}
			return s.Node, sx, sy, true
		}
	}
	return 0, 0, 0, false
}

// Close implements Source. It ends the children and waits for them.
func (c *Cast) Close() error {
	c.closing.Do(c.close)
	return nil
}

func (c *Cast) close() {
	c.lose(fmt.Errorf("%w: it was closed", ErrLost))
	for _, s := range c.streams {
		_ = s.asks.Close() // the child ends with its input
		timer := time.AfterFunc(closeWait, func() { _ = s.cmd.Process.Kill() })
		<-s.read
		timer.Stop()
	}
	c.looking.Lock()
	defer c.looking.Unlock()
	for _, s := range c.streams {
		s.unmap()
		_ = s.memory.Close() // nothing was written by us
	}
}
