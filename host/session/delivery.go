package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/files"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	// fileWindow is how many bytes may be on their way that the receiver has not written.
	fileWindow = 4 << 20
	// offerPart is how many bytes of names go into one part of an offer, at most.
	offerPart = 12 << 10
)

// delivery is a transfer from the person to the technician. It belongs to its
// courier's mu.
type delivery struct {
	id      uint64
	sources []files.Source
	name    string
	size    int64
	starts  []int64 // how many bytes stand before each file

	offered  bool
	resumed  bool // the receiver was asked where it stands, and may say once that it knows of nothing
	accepted bool // once
	ready    bool // on this connection
	ended    bool

	file   int // the next byte to be sent
	offset int64
	turn   int // counts rewinds: what was read before one is not sent after it
	sum    hash.Hash
	marks  []place  // where the receiver may stand, oldest first
	sums   [][]byte // of the files that were sent whole
	whole  int      // files that the receiver has
	acked  int64    // bytes that the receiver has
	shown  time.Time
}

// place is one in the transfer, with the hash of the file up to there.
type place struct {
	file   int
	offset int64
	sum    hash.Hash
}

func (d *delivery) entries() []files.Entry {
	list := make([]files.Entry, len(d.sources))
	for i, s := range d.sources {
		list[i] = s.Entry
	}
	return list
}

// give is the person's choice of files for a technician. C57: the one way by which
// anything is read.
func (f *fileTool) give(m ui.Command) {
	p := f.taker(m.Participant)
	if p == nil || len(m.Paths) == 0 || len(m.Paths) > files.MaxFiles { // C57
		f.l.h.log.Info("files were given to nobody who may have them")
		return
	}
	h, before, done := f.l.h, f.given, make(chan struct{})
	f.given = done
	h.spawn(func() { // a folder may be large, or far away
		defer close(done)
		var list []files.Source
		var err error
		if !h.onDisk(nil, func() {
			h.touch("list")
			list, err = files.Collect(h.ctx, m.Paths)
		}) {
			return
		}
		if before != nil {
			<-before // what was given first goes first
		}
		h.post(nil, func() {
			if f.l.over || p.out || !p.allowed(grantFileOut) {
				return
			}
			f.courier(p).locked(func() { f.courier(p).give(list, err, m.Paths[0]) })
		})
	})
}

// taker is who gets what the person gives: the one named, or the first who may.
func (f *fileTool) taker(id string) *participant {
	for _, p := range f.l.participants {
		if (id == "" || p.id == id) && p.allowed(grantFileOut) {
			return p
		}
	}
	return nil
}

func (c *courier) give(list []files.Source, err error, first string) {
	if c.over {
		return
	}
	c.lastOut += 2
	if err == nil && (len(c.queue) >= maxGiven || !c.f.count(len(list))) {
		err = files.ErrBounds
	}
	if err != nil {
		c.p.h.log.Info("files could not be given", "error", err)
		c.show(&ui.File{ID: c.ref(c.lastOut), Name: wire.Clean(first), Way: "out", State: "failed", Text: c.why("out", fileReason(err))})
		return
	}
	d := &delivery{id: c.lastOut, sources: list, sums: make([][]byte, len(list)), starts: make([]int64, len(list)+1)}
	for i, s := range list {
		d.starts[i+1] = d.starts[i] + s.Size
	}
	d.size, d.name = d.starts[len(list)], c.label(d.entries())
	c.queue = append(c.queue, d)
	c.show(c.eventOut(d, "waiting"))
	c.nextOut()
}

// nextOut begins the next transfer, unless one is under way.
func (c *courier) nextOut() {
	if c.over || c.out != nil || len(c.queue) == 0 {
		return
	}
	d := c.queue[0]
	c.queue = c.queue[1:]
	c.out = d
	c.note("file.offered", "ok", "out", d.id, map[string]any{"files": len(d.sources), "size": d.size}, d.name)
	c.offer(d)
	c.p.h.spawn(func() { c.carry(d) })
}

// offer sends the list, in parts.
func (c *courier) offer(d *delivery) {
	if c.k == nil {
		return
	}
	d.offered = true
	part, size := &mfpb.FileOffer{Id: d.id}, 0
	for i, s := range d.sources {
		e := &mfpb.FileEntry{Path: s.Entry.Path, Size: uint64(s.Size), Modified: max(s.Modified.UnixMilli(), 0)}
		part.Files = append(part.Files, e)
		for _, name := range s.Entry.Path {
			size += len(name) + 8
		}
		size += 24
		if last := i == len(d.sources)-1; last || size > offerPart {
			part.More = !last
			c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Offer{Offer: part}})
			part, size = &mfpb.FileOffer{Id: d.id}, 0
		}
	}
}

// answered is the receiver's yes or no, and where it stands.
func (c *courier) answered(m *mfpb.FileAnswer) error {
	d := c.out
	if d == nil || d.id != m.GetId() {
		return nil
	}
	if m.GetRefused() == mfpb.FileReason_FILE_REASON_UNKNOWN && !d.accepted {
		if d.resumed { // once a question: a list is long, and this word is short
			d.resumed = false
			c.offer(d) // it was lost with a connection
		}
		return nil
	}
	if why := m.GetRefused(); why != 0 {
		if why != mfpb.FileReason_FILE_REASON_NO_ROOM && why != mfpb.FileReason_FILE_REASON_FOLDER && why != mfpb.FileReason_FILE_REASON_TOO_MANY {
			why = mfpb.FileReason_FILE_REASON_CANCELLED
		}
		c.endOut(why, false)
		return nil
	}
	if d.ready || !d.offered {
		return errProtocol
	}
	if err := c.rewind(d, m.GetFile(), m.GetOffset()); err != nil {
		return err
	}
	d.accepted, d.ready = true, true
	if c.out == d {
		c.showOut("running", true)
	}
	c.rouse()
	return nil
}

// rewind goes back to where the receiver stands.
func (c *courier) rewind(d *delivery, file uint32, offset uint64) error {
	if !d.accepted {
		d.marks = []place{{0, 0, sha256.New()}}
	}
	i := slices.IndexFunc(d.marks, func(m place) bool { return uint32(m.file) == file && uint64(m.offset) == offset })
	if i < 0 {
		return errProtocol
	}
	m := d.marks[i]
	for d.whole < m.file { // what it has, it has with the right hash
		c.has(d)
	}
	if c.out != d {
		return nil
	}
	d.marks = []place{m} // has may have dropped those before it
	d.turn++
	d.file, d.offset, d.sum = m.file, m.offset, clone(m.sum)
	d.acked = d.starts[m.file] + m.offset
	return nil
}

func clone(h hash.Hash) hash.Hash {
	c, err := h.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // SHA-256 can be cloned
	}
	return c.(hash.Hash)
}

// progress is how far the receiver has written.
func (c *courier) progress(m *mfpb.FileProgress) error {
	d := c.out
	if d == nil || d.id != m.GetId() {
		return nil
	}
	i := slices.IndexFunc(d.marks, func(k place) bool { return uint32(k.file) == m.GetFile() && uint64(k.offset) == m.GetOffset() })
	if i < 0 || !d.ready {
		return errProtocol
	}
	d.marks = d.marks[i:]
	d.acked = d.starts[d.marks[0].file] + d.marks[0].offset
	c.showOut("running", false)
	c.rouse()
	return nil
}

// confirmed is the receiver's word that a file stands there, whole.
func (c *courier) confirmed(m *mfpb.FileDone) error {
	d := c.out
	if d == nil || d.id != m.GetId() {
		return nil
	}
	if !d.ready || int(m.GetFile()) != d.whole || d.whole >= d.file {
		return errProtocol
	}
	if !bytes.Equal(m.GetSha256(), d.sums[d.whole]) { // C58
		c.endOut(mfpb.FileReason_FILE_REASON_HASH, true)
		return nil
	}
	c.has(d)
	return nil
}

// has: the receiver has one more file.
func (c *courier) has(d *delivery) {
	s := d.sources[d.whole]
	c.note("file.sent", "ok", "out", d.id, map[string]any{"size": s.Size, "sha256": hexOf(d.sums[d.whole])}, fullName(s.Entry))
	d.whole++
	d.acked = max(d.acked, d.starts[d.whole])
	if i := slices.IndexFunc(d.marks, func(m place) bool { return m.file >= d.whole }); i > 0 {
		d.marks = d.marks[i:]
	}
	if d.whole < len(d.sources) {
		c.showOut("running", false)
		c.rouse()
		return
	}
	c.showOut("done", true)
	c.out, d.ended = nil, true
	c.rouse()
	c.nextOut()
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// rouse wakes whoever carries the present delivery; it never waits.
func (c *courier) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// carry sends a delivery, and ends with it.
func (c *courier) carry(d *delivery) {
	h, r := c.p.h, &reader{file: -1}
	for {
		c.mu.Lock()
		at, more := c.next(d)
		ended := d.ended || c.over
		c.mu.Unlock()
		if ended {
			h.onDisk(nil, r.close)
			c.rouse() // the word may have been meant for the next
			return
		}
		if !more {
			<-c.wake
			continue
		}
		var content []byte
		var err error
		// Without mu: it takes as long as the disk does, and nobody who takes the grant
		// away or stops the session waits for that.
		if !h.onDisk(nil, func() {
			h.touch("read")
			content, err = r.read(&d.sources[at.file], at)
		}) {
			return // the host ends; the file is closed with it
		}
		c.mu.Lock()
		if c.stillOut(d) && d.turn == at.turn { // C57, C59: else nothing of it is sent
			c.send(d, content, err)
		}
		c.unlock()
	}
}

// spot is where a delivery goes on.
type spot struct {
	file   int
	offset int64
	turn   int
	most   int // bytes to be read
}

// stillOut tells whether the receiver may have more of a delivery.
func (c *courier) stillOut(d *delivery) bool {
	return !d.ended && !c.over && c.out == d && d.ready && c.k != nil && c.p.may(grantFileOut) // C57
}

// next is what is read next; false: not now.
func (c *courier) next(d *delivery) (spot, bool) {
	if !c.stillOut(d) || d.file >= len(d.sources) {
		return spot{}, false
	}
	// A mark for each chunk and file that is not confirmed: their number bounds the
	// window for files that are small or empty.
	if d.starts[d.file]+d.offset-d.acked >= fileWindow || len(d.marks) > fileWindow/wire.MaxFileChunk {
		return spot{}, false
	}
	if !c.room() {
		return spot{}, false
	}
	return spot{d.file, d.offset, d.turn, c.flow.piece(wire.MaxFileChunk)}, true
}

// room tells whether the line takes more without a queue. All channels share one in
// pion's SCTP: the picture waits behind a file.
func (c *courier) room() bool {
	dc := c.k.bulk[wire.ChannelFiles]
	if dc == nil {
		return false
	}
	// Other words on the channel count as if they were of the file: few, and soon gone.
	c.flow.hears(time.Now(), c.flow.sent-int64(dc.BufferedAmount()))
	dc.SetBufferedAmountLowThreshold(uint64(c.flow.window) - 1) // before it is looked at again
	c.flow.hears(time.Now(), c.flow.sent-int64(dc.BufferedAmount()))
	return c.flow.room()
}

// send sends what was read, or the word that a file is whole.
func (c *courier) send(d *delivery, content []byte, err error) {
	switch {
	case err != nil:
		c.p.h.log.Info("a file could not be read", "error", err)
		c.endOut(fileReason(err), true)
	case len(content) > 0:
		m := &mfpb.FileMessage{Body: &mfpb.FileMessage_Chunk{Chunk: &mfpb.FileChunk{Id: d.id, File: uint32(d.file), Offset: uint64(d.offset), Content: content}}}
		c.flow.sends(time.Now(), proto.Size(m))
		c.say(m)
		d.sum.Write(content)
		d.offset += int64(len(content))
		d.marks = append(d.marks, place{d.file, d.offset, clone(d.sum)})
	default:
		sum := d.sum.Sum(nil)
		d.sums[d.file] = sum
		c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: d.id, File: uint32(d.file), Sha256: sum}}})
		d.file, d.offset, d.sum = d.file+1, 0, sha256.New()
		d.marks = append(d.marks, place{d.file, 0, clone(d.sum)})
	}
}

// reader reads a delivery's files, one after the other. It is for one goroutine at
// a time, and may wait for the disk.
type reader struct {
	file int
	f    *os.File // file's, once it is open
	buf  [wire.MaxFileChunk]byte
}

// read is the next bytes at a place, valid until the next call; none: the file is
// whole, and still the one that was listed.
func (r *reader) read(s *files.Source, at spot) ([]byte, error) {
	if r.f == nil || r.file != at.file {
		r.close()
		f, err := s.Open()
		if err != nil {
			return nil, err
		}
		r.f, r.file = f, at.file
	}
	if n := min(s.Size-at.offset, int64(at.most)); n > 0 {
		if _, err := r.f.ReadAt(r.buf[:n], at.offset); errors.Is(err, io.EOF) {
			return nil, files.ErrChanged
		} else if err != nil {
			return nil, files.ErrGone
		}
		return r.buf[:n], nil
	}
	err := s.Same(r.f)
	r.close()
	return nil, err
}

func (r *reader) close() {
	if r.f != nil {
		_ = r.f.Close() // it was only read
		r.f = nil
	}
}

// endOut ends the transfer that goes out, if there is one, and begins the next.
func (c *courier) endOut(why mfpb.FileReason, tell bool) {
	d := c.out
	if d == nil {
		return
	}
	c.out, d.ended = nil, true // C59
	if tell {
		c.sayCancel(d.id, why)
	}
	c.note("file.cancelled", "ok", "out", d.id, map[string]any{"reason": reasonOf(why), "size": d.acked}, d.name)
	file := c.eventOut(d, "cancelled")
	if why != mfpb.FileReason_FILE_REASON_CANCELLED && why != mfpb.FileReason_FILE_REASON_NOT_ALLOWED {
		file.State, file.Text = "failed", c.why("out", why)
	}
	c.show(file)
	c.rouse()
	c.nextOut()
}

// endQueue ends the transfer that goes out, and those that wait behind it.
func (c *courier) endQueue(why mfpb.FileReason) {
	for _, d := range c.queue {
		c.show(c.eventOut(d, "cancelled"))
	}
	c.queue = nil
	c.endOut(why, true)
}

func (c *courier) showOut(state string, always bool) {
	if now := time.Now(); always || now.Sub(c.out.shown) >= fileNews {
		c.out.shown = now
		c.show(c.eventOut(c.out, state))
	}
}

func (c *courier) eventOut(d *delivery, state string) *ui.File {
	return &ui.File{ID: c.ref(d.id), Name: d.name, Size: d.size, Done: d.acked, Way: "out", State: state, Path: d.sources[0].Path()}
}
