package session

import (
	"errors"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/files"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// arrival is a transfer from the technician to the person. But for disk and what it
// guards, it belongs to its courier's mu.
type arrival struct {
	id      uint64
	entries []files.Entry
	name    string
	size    int64

	// disk is held by who reads or writes there, and never taken under mu: whoever
	// ends the transfer does not wait for a disk that does not answer.
	disk  sync.Mutex
	inbox *files.Inbox // nil: it is not open yet

	top    string // where the person finds it
	file   int    // how far it is written
	offset int64
	done   int64 // of size
	shown  time.Time
}

// note takes down, under mu and with the disk, how far it is written.
func (a *arrival) note() {
	a.top = a.inbox.Top()
	a.file, a.offset = a.inbox.At()
	a.done = sizeOf(a.entries[:a.file]) + a.offset
}

// stillIn tells whether a transfer may go on, on a link that stands.
func (c *courier) stillIn(k *link, a *arrival) bool {
	return c.in == a && c.hears(k) && c.p.may(grantFileIn) // C54
}

// wait runs do, which waits for the disk. When it returns do has ended, or the link
// is gone.
func (c *courier) wait(k *link, do func() error) error {
	var err error
	if !c.p.h.onDisk(k.gone, func() { err = do() }) {
		return nil
	}
	return err
}

// turn runs do with the transfer's disk and then, if the transfer may still go on,
// after under mu. What do does may end after the transfer; as endIn's part comes after
// it, nothing of that is kept, and undo takes back what would stay.
func (c *courier) turn(k *link, a *arrival, do func() error, after func(error) error, undo func()) error {
	a.disk.Lock()
	c.mu.Lock()
	still := c.stillIn(k, a)
	c.mu.Unlock()
	if !still { // another link may have been told already how far it is written
		a.disk.Unlock()
		return nil
	}
	err := do()
	c.mu.Lock()
	defer c.unlock()
	defer a.disk.Unlock() // first: endIn's part may wait for it
	if c.in == a && c.p.may(grantFileIn) {
		a.note() // also for the next link, if this one is lost
	} else if undo != nil && err == nil {
		undo()
	}
	if !c.stillIn(k, a) {
		return nil
	}
	return after(err)
}

// offered is a list, or a part of one.
func (c *courier) offered(k *link, m *mfpb.FileOffer) error {
	c.mu.Lock()
	a, err := c.listedNow(k, m)
	if a == nil {
		c.unlock()
		return err
	}
	folder := c.folder
	a.disk.Lock() // nobody has it yet
	c.unlock()
	return c.wait(k, func() error {
		c.p.h.touch("open")
		inbox, err := files.Open(folder, a.entries)
		if err == nil {
			a.inbox = inbox // whoever ended it meanwhile waits to close it
		}
		c.mu.Lock()
		defer c.unlock()
		defer a.disk.Unlock()
		if c.in != a || !c.p.may(grantFileIn) {
			return nil
		}
		if err != nil {
			c.in = nil
			c.p.h.log.Info("an offer of files was refused", "error", err)
			why := fileReason(err)
			c.show(&ui.File{ID: c.ref(a.id), Name: a.name, Size: a.size, Way: "in", State: "failed", Text: c.why("in", why)})
			c.refuse(a.id, a.name, why)
			return nil
		}
		a.note()
		c.note("file.offered", "ok", "in", a.id, map[string]any{"files": len(a.entries), "size": a.size}, a.name)
		if c.hears(k) { // else its sender asks on the next link
			c.tellWhere()
			c.showIn("running", true)
		}
		return nil
	})
}

// listedNow takes one part of a list, under mu; with the last one the transfer
// begins, if it may.
func (c *courier) listedNow(k *link, m *mfpb.FileOffer) (*arrival, error) {
	if !c.hears(k) {
		return nil, nil
	}
	if c.listed == nil {
		if !theirs(m.GetId()) || m.GetId() <= c.lastIn.id {
			return nil, errProtocol
		}
		c.listed = &offer{id: m.GetId()}
		c.lastIn, c.was = offer{id: m.GetId()}, nil
	} else if m.GetId() != c.listed.id {
		return nil, errProtocol
	}
	o := c.listed
	o.denied = o.denied || !c.p.may(grantFileIn) // C53
	for _, e := range m.GetFiles() {
		if len(e.GetPath()) == 0 {
			return nil, errProtocol
		}
		o.many = o.many || len(o.entries) >= files.MaxFiles || !files.Bounded(e.GetPath()) || e.GetSize() > files.MaxSize // C56
		if o.many || o.denied && len(o.entries) > 0 {
			break // what is too much, or not allowed, is not even kept
		}
		o.entries = append(o.entries, files.Entry{Path: e.GetPath(), Size: int64(e.GetSize()), Modified: files.Modified(e.GetModified())})
	}
	if m.GetMore() {
		return nil, nil
	}
	c.listed = nil
	if len(m.GetFiles()) == 0 {
		return nil, errProtocol
	}
	name := ""
	if len(o.entries) > 0 { // else the first is already too much
		name = c.label(o.entries)
	}
	switch {
	case o.denied: // C53
		c.refuse(o.id, name, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
	case c.in != nil:
		c.refuse(o.id, name, mfpb.FileReason_FILE_REASON_BUSY)
	case o.many || !c.f.count(len(o.entries)):
		c.refuse(o.id, name, mfpb.FileReason_FILE_REASON_TOO_MANY)
	default:
		c.in = &arrival{id: o.id, entries: o.entries, name: name, size: sizeOf(o.entries), top: c.folder}
		return c.in, nil
	}
	return nil, nil
}

// refuse is the no to an offer.
func (c *courier) refuse(id uint64, name string, why mfpb.FileReason) {
	c.was = &mfpb.FileAnswer{Id: id, Refused: why}
	c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: c.was}})
	c.note("file.refused", "deny", "in", id, map[string]any{"reason": reasonOf(why)}, name)
}

// asked is the sender's question on a new connection.
func (c *courier) asked(k *link, id uint64) error {
	c.mu.Lock()
	a := c.in
	if a != nil && a.id == id {
		c.unlock()
		// What an older link began is over before it is told how far it is written.
		return c.wait(k, func() error {
			return c.turn(k, a, func() error { return nil }, func(error) error {
				c.tellWhere()
				c.showIn("running", true)
				return nil
			}, nil)
		})
	}
	defer c.unlock()
	switch {
	case !c.hears(k):
	case c.was != nil && c.was.Id == id:
		c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: c.was}})
	default:
		c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: id, Refused: mfpb.FileReason_FILE_REASON_UNKNOWN}}})
		if id == c.lastIn.id && theirs(id) {
			c.lastIn.id = max(id, 2) - 2 // its list was lost with a connection: it may come again
		}
	}
	return nil
}

// tellWhere says from where the transfer goes on.
func (c *courier) tellWhere() {
	c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: c.in.id, File: uint32(c.in.file), Offset: uint64(c.in.offset)}}})
}

// arriving is the transfer of that id that comes in on this link, or nil: messages of
// one that has ended were on their way.
func (c *courier) arriving(k *link, id uint64) *arrival {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.in; a != nil && a.id == id && c.stillIn(k, a) { // C54
		return a
	}
	return nil
}

// chunk is the next bytes.
func (c *courier) chunk(k *link, m *mfpb.FileChunk) error {
	a := c.arriving(k, m.GetId())
	if a == nil {
		return nil
	}
	if n := len(m.GetContent()); n == 0 || n > wire.MaxFileChunk || m.GetOffset() > files.MaxSize {
		return errProtocol
	}
	write := func() error {
		c.p.h.touch("write")
		return a.inbox.Write(int(m.GetFile()), int64(m.GetOffset()), m.GetContent())
	}
	after := func(err error) error {
		if errors.Is(err, files.ErrOrder) {
			return errProtocol
		}
		if err != nil {
			c.p.h.log.Info("a file could not be written", "error", err)
			c.endIn(fileReason(err), true)
			return nil
		}
		// Each time: the sender goes by it how much the line takes.
		c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Progress{Progress: &mfpb.FileProgress{Id: a.id, File: uint32(a.file), Offset: uint64(a.offset)}}})
		c.showIn("running", false)
		return nil
	}
	return c.wait(k, func() error { return c.turn(k, a, write, after, nil) })
}

// finished is the sender's word that a file is whole.
func (c *courier) finished(k *link, m *mfpb.FileDone) error {
	a := c.arriving(k, m.GetId())
	if a == nil {
		return nil
	}
	file := int(m.GetFile())
	var sum []byte
	var err error // of the part that is done before its turn
	finish := func() error {
		if err != nil {
			return err
		}
		c.p.h.touch("finish")
		sum, err = a.inbox.Finish(file, m.GetSha256())
		return err
	}
	after := func(err error) error {
		if errors.Is(err, files.ErrOrder) {
			return errProtocol
		}
		if err != nil {
			c.p.h.log.Info("a file could not be finished", "error", err)
			c.endIn(fileReason(err), true)
			return nil
		}
		e := a.entries[file]
		c.note("file.received", "ok", "in", a.id, map[string]any{"size": e.Size, "sha256": hexOf(sum)}, fullName(e))
		c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: a.id, File: m.GetFile(), Sha256: sum}}})
		if a.file < len(a.entries) {
			c.showIn("running", false)
			return nil
		}
		c.was = &mfpb.FileAnswer{Id: a.id, File: uint32(len(a.entries))}
		c.showIn("done", true)
		c.remove(a)
		return nil
	}
	undo := func() { // C59: it was taken away while the file got its name
		if err := a.inbox.Forget(file); err != nil {
			c.p.h.log.Warn("a file that may not stay could not be removed", "error", err)
		}
	}
	return c.wait(k, func() error {
		a.disk.Lock()
		if a.inbox == nil { // it could not be opened
			a.disk.Unlock()
			return nil
		}
		settle := a.inbox.Settle()
		a.disk.Unlock()
		err = settle() // seconds, perhaps; the file may be closed and removed meanwhile
		return c.turn(k, a, finish, after, undo)
	})
}

// endIn ends the transfer that comes in, if there is one: nothing half remains.
func (c *courier) endIn(why mfpb.FileReason, tell bool) {
	a := c.in
	if a == nil {
		return
	}
	c.remove(a)
	c.was = &mfpb.FileAnswer{Id: a.id, Refused: why}
	if tell {
		c.sayCancel(a.id, why)
	}
	c.note("file.cancelled", "ok", "in", a.id, map[string]any{"reason": reasonOf(why), "size": a.done}, a.name)
	file := c.eventIn(a, "cancelled")
	if why != mfpb.FileReason_FILE_REASON_CANCELLED && why != mfpb.FileReason_FILE_REASON_NOT_ALLOWED {
		file.State, file.Text = "failed", c.why("in", why)
	}
	c.show(file)
}

// remove takes a transfer away, and off the disk what is not whole, after what is
// under way there.
func (c *courier) remove(a *arrival) {
	c.in = nil
	c.closing = append(c.closing, c.p.h.lend(func() {
		a.disk.Lock()
		defer a.disk.Unlock()
		if a.inbox == nil {
			return
		}
		c.p.h.touch("remove")
		if err := a.inbox.Close(); err != nil { // C59
			c.p.h.log.Warn("a file that was not whole could not be removed", "error", err)
		}
	}))
}

// showIn tells the person how the transfer stands; always: not only now and then.
func (c *courier) showIn(state string, always bool) {
	if now := time.Now(); always || now.Sub(c.in.shown) >= fileNews {
		c.in.shown = now
		c.show(c.eventIn(c.in, state))
	}
}

func (c *courier) eventIn(a *arrival, state string) *ui.File {
	return &ui.File{ID: c.ref(a.id), Name: a.name, Size: a.size, Done: a.done, Way: "in", State: state, Path: a.top}
}
