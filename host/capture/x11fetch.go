//go:build linux || freebsd || netbsd || openbsd

package capture

import (
	"errors"
	"fmt"
	"image"
	"unsafe"

	sysv "github.com/gen2brain/shm"
	"github.com/jezek/xgb"
	mitshm "github.com/jezek/xgb/shm"
	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/xext"
)

// fetcher reads rectangles of a drawable.
type fetcher interface {
	// fetch calls each for every row of r, from the top, with the pixels of the
	// row. They are valid during the call; their top bytes hold anything.
	fetch(r image.Rectangle, each func(y int, row []uint32)) error
	close()
}

// newFetcher takes shared memory where the server is on this machine, else the
// connection.
func newFetcher(c *xgb.Conn, d xproto.Drawable, w, h int) fetcher {
	if s, err := newSharedFetcher(c, d, w, h); err == nil {
		return s
	}
	return &wireFetcher{c: c, d: d}
}

// sharedFetcher reads through one MIT-SHM segment as large as the screen.
type sharedFetcher struct {
	c       *xgb.Conn
	d       xproto.Drawable
	seg     mitshm.Seg
	segment []byte
}

func newSharedFetcher(c *xgb.Conn, d xproto.Drawable, w, h int) (*sharedFetcher, error) {
	if err := useExtension(c, "MIT-SHM"); err != nil {
		return nil, err
	}
	// 0600: nobody else on this machine may attach the screen.
	id, err := sysv.Get(sysv.IPC_PRIVATE, w*h*4, sysv.IPC_CREAT|0o600)
	if err != nil {
		return nil, fmt.Errorf("make a shared segment: %w", err)
	}
	// Removed once both sides are attached, it goes when they go, however.
	defer sysv.Rm(id)
	segment, err := sysv.At(id, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("attach the shared segment: %w", err)
	}
	s := &sharedFetcher{c: c, d: d, segment: segment}
	s.seg, err = mitshm.NewSegId(c)
	if err == nil {
		err = mitshm.AttachChecked(c, s.seg, uint32(id), false).Check()
	}
	if err != nil {
		_ = sysv.Dt(segment)
		return nil, fmt.Errorf("let the X server attach the segment: %w", err)
	}
	if !s.proven() {
		s.close()
		return nil, fmt.Errorf("%w: the X server shares no memory with us", ErrUnsupported)
	}
	return s, nil
}

// proven says whether the server writes to our segment: one on another machine
// may have a segment with the same number.
func (s *sharedFetcher) proven() bool {
	for _, mark := range []byte{0x5a, 0xa5} {
		s.segment[0] = mark
		if _, err := mitshm.GetImage(s.c, s.d, 0, 0, 1, 1, ^uint32(0), xproto.ImageFormatZPixmap, s.seg, 0).Reply(); err != nil {
			return false
		}
		if s.segment[0] != mark {
			return true
		}
	}
	return false
}

func (s *sharedFetcher) fetch(r image.Rectangle, each func(y int, row []uint32)) error {
	_, err := mitshm.GetImage(s.c, s.d, int16(r.Min.X), int16(r.Min.Y), uint16(r.Dx()), uint16(r.Dy()),
		^uint32(0), xproto.ImageFormatZPixmap, s.seg, 0).Reply()
	if err != nil {
		return err
	}
	rows(s.segment, r, each)
	return nil
}

func (s *sharedFetcher) close() {
	mitshm.Detach(s.c, s.seg)
	_ = sysv.Dt(s.segment)
}

// rows hands out the rows of r that lie one after the other in b.
func rows(b []byte, r image.Rectangle, each func(y int, row []uint32)) {
	w := r.Dx()
	pix := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		i := (y - r.Min.Y) * w
		each(y, pix[i:i+w])
	}
}

// wireFetcher reads over the connection, in bands, since each reply is garbage
// afterwards.
type wireFetcher struct {
	c *xgb.Conn
	d xproto.Drawable
}

const bandPixels = 256 << 10

func (f *wireFetcher) fetch(r image.Rectangle, each func(y int, row []uint32)) error {
	step := max(1, bandPixels/r.Dx())
	for y := r.Min.Y; y < r.Max.Y; y += step {
		band := image.Rect(r.Min.X, y, r.Max.X, min(y+step, r.Max.Y))
		reply, err := xproto.GetImage(f.c, xproto.ImageFormatZPixmap, f.d, int16(band.Min.X), int16(band.Min.Y),
			uint16(band.Dx()), uint16(band.Dy()), ^uint32(0)).Reply()
		if err != nil {
			return err
		}
		if len(reply.Data) < band.Dx()*band.Dy()*4 {
			return fmt.Errorf("the X server sent %d bytes for %d x %d pixels", len(reply.Data), band.Dx(), band.Dy())
		}
		rows(reply.Data, band, each)
	}
	return nil
}

func (f *wireFetcher) close() {}

// useExtension makes an extension known. The error wraps ErrUnsupported when the
// server does not have it, else ErrLost.
func useExtension(c *xgb.Conn, name string) error {
	err := xext.Use(c, name)
	switch {
	case errors.Is(err, xext.ErrLacking):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}
