package session

import (
	"errors"
	"slices"
	"time"

	"github.com/mainforte/mainforte/host/files"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// progressEvery is how many bytes are written between two words about it.
const progressEvery = 128 << 10

// arrival is a transfer from the technician to the person. It belongs to its
// courier's mu.
type arrival struct {
	id      uint64
	entries []files.Entry
	inbox   *files.Inbox
	name    string
	size    int64
	done    int64 // of size
	told    int64 // of done, to the sender
	shown   time.Time
}

// offered is a list, or a part of one.
func (c *courier) offered(m *mfpb.FileOffer) error {
	if c.listed == nil {
		if !theirs(m.GetId()) || m.GetId() <= c.lastIn.id {
			return errProtocol
		}
		c.listed = &offer{id: m.GetId()}
		c.lastIn, c.was = offer{id: m.GetId()}, nil
	} else if m.GetId() != c.listed.id {
		return errProtocol
	}
	o := c.listed
	for _, e := range m.GetFiles() {
		if len(o.entries) > files.MaxFiles || e.GetSize() > files.MaxSize { // C56: what is too much is not even kept
			o.many = true
			break
		}
		o.entries = append(o.entries, files.Entry{Path: e.GetPath(), Size: int64(e.GetSize()), Modified: files.Modified(e.GetModified())})
	}
	if m.GetMore() {
		return nil
	}
	c.listed = nil
	if len(m.GetFiles()) == 0 || slices.ContainsFunc(o.entries, func(e files.Entry) bool { return len(e.Path) == 0 }) {
		return errProtocol
	}
	name, size := "", sizeOf(o.entries)
	if len(o.entries) > 0 { // else the first is already too large
		name = c.label(o.entries)
	}
	refuse := func(why mfpb.FileReason) error {
		c.was = &mfpb.FileAnswer{Id: o.id, Refused: why}
		c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: c.was}})
		c.note("file.refused", "deny", "in", o.id, map[string]any{"reason": reasonOf(why)}, name)
		return nil
	}
	if !c.p.may(grantFileIn) { // C53
		return refuse(mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
	}
	if c.in != nil {
		return refuse(mfpb.FileReason_FILE_REASON_BUSY)
	}
	if o.many || !c.f.count(len(o.entries)) {
		return refuse(mfpb.FileReason_FILE_REASON_TOO_MANY)
	}
	inbox, err := files.Open(c.folder, o.entries)
	if err != nil {
		c.p.h.log.Info("an offer of files was refused", "error", err)
		why := fileReason(err)
		c.show(&ui.File{ID: c.ref(o.id), Name: name, Size: size, Way: "in", State: "failed", Text: c.why("in", why)})
		return refuse(why)
	}
	c.in = &arrival{id: o.id, entries: o.entries, inbox: inbox, name: name, size: size}
	c.note("file.offered", "ok", "in", o.id, map[string]any{"files": len(o.entries), "size": size}, name)
	c.tellWhere()
	c.showIn("running", true)
	return nil
}

// asked is the sender's question on a new connection.
func (c *courier) asked(id uint64) error {
	switch {
	case c.in != nil && c.in.id == id:
		c.tellWhere()
		c.showIn("running", true)
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
	file, offset := c.in.inbox.At()
	c.in.told = c.in.done
	c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: c.in.id, File: uint32(file), Offset: uint64(offset)}}})
}

// chunk is the next bytes. Those of a transfer that has ended were on their way.
func (c *courier) chunk(m *mfpb.FileChunk) error {
	a := c.in
	if a == nil || a.id != m.GetId() || !c.p.may(grantFileIn) { // C54
		return nil
	}
	if n := len(m.GetContent()); n == 0 || n > wire.MaxFileChunk || m.GetOffset() > files.MaxSize {
		return errProtocol
	}
	err := a.inbox.Write(int(m.GetFile()), int64(m.GetOffset()), m.GetContent())
	if errors.Is(err, files.ErrOrder) {
		return errProtocol
	}
	if err != nil {
		c.p.h.log.Info("a file could not be written", "error", err)
		c.endIn(fileReason(err), true)
		return nil
	}
	a.done += int64(len(m.GetContent()))
	if file, offset := a.inbox.At(); a.done-a.told >= progressEvery || offset == a.entries[file].Size {
		a.told = a.done
		c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Progress{Progress: &mfpb.FileProgress{Id: a.id, File: uint32(file), Offset: uint64(offset)}}})
	}
	c.showIn("running", false)
	return nil
}

// finished is the sender's word that a file is whole.
func (c *courier) finished(m *mfpb.FileDone) error {
	c.mu.Lock()
	a := c.in
	if c.over || a == nil || a.id != m.GetId() || !c.p.may(grantFileIn) { // C54
		c.mu.Unlock()
		return nil
	}
	settle := a.inbox.Settle()
	c.mu.Unlock()
	err := settle() // as long as the disk takes; whoever ends the transfer does not wait for it

	c.mu.Lock()
	defer c.unlock()
	if c.in != a || !c.p.may(grantFileIn) {
		return nil
	}
	var sum []byte
	if err == nil {
		sum, err = a.inbox.Finish(int(m.GetFile()), m.GetSha256())
	}
	if errors.Is(err, files.ErrOrder) {
		return errProtocol
	}
	if err != nil {
		c.p.h.log.Info("a file could not be finished", "error", err)
		c.endIn(fileReason(err), true)
		return nil
	}
	e := a.entries[m.GetFile()]
	c.note("file.received", "ok", "in", a.id, map[string]any{"size": e.Size, "sha256": hexOf(sum)}, fullName(e))
	c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: a.id, File: m.GetFile(), Sha256: sum}}})
	if file, _ := a.inbox.At(); file < len(a.entries) {
		c.showIn("running", false)
		return nil
	}
	c.was = &mfpb.FileAnswer{Id: a.id, File: uint32(len(a.entries))}
	c.showIn("done", true)
	c.in = nil
	if err := a.inbox.Close(); err != nil {
		c.p.h.log.Info("a transfer was not closed cleanly", "error", err)
	}
	return nil
}

// endIn ends the transfer that comes in, if there is one: nothing half remains.
func (c *courier) endIn(why mfpb.FileReason, tell bool) {
	a := c.in
	if a == nil {
		return
	}
	c.in = nil
	if err := a.inbox.Close(); err != nil { // C59
		c.p.h.log.Warn("a file that was not whole could not be removed", "error", err)
	}
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

// showIn tells the person how the transfer stands; always: not only now and then.
func (c *courier) showIn(state string, always bool) {
	if now := time.Now(); always || now.Sub(c.in.shown) >= fileNews {
		c.in.shown = now
		c.show(c.eventIn(c.in, state))
	}
}

func (c *courier) eventIn(a *arrival, state string) *ui.File {
	return &ui.File{ID: c.ref(a.id), Name: a.name, Size: a.size, Done: a.done, Way: "in", State: state, Path: a.inbox.Top()}
}
