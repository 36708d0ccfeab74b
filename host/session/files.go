package session

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/files"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	grantFileIn  = "file_in"  // the technician's files into the person's folder
	grantFileOut = "file_out" // files that the person chooses, to the technician
)

const (
	// maxOfFiles bounds the files of one session, both ways: each is a line in the log.
	maxOfFiles = 20_000
	// maxGiven bounds the transfers that wait for their turn.
	maxGiven = 32
	// fileNews is the least time between two events about one transfer.
	fileNews = 200 * time.Millisecond
)

// fileTool is the tool of the channel files. Its fields but mu's belong to the loop.
type fileTool struct {
	l      *live
	folder string        // that the person chose; "" is landing's
	given  chan struct{} // closed when what was given last is listed

	mu       sync.Mutex
	couriers map[*participant]*courier
	counted  int // files of the session so far
}

func newFiles(l *live) tool {
	return &fileTool{l: l, couriers: make(map[*participant]*courier)}
}

func (f *fileTool) channel() uint16  { return wire.ChannelFiles }
func (f *fileTool) grants() []string { return []string{grantFileIn, grantFileOut} }

// courier carries one participant's files, one transfer at a time each way.
type courier struct {
	f *fileTool
	p *participant

	// mu is held while a byte of a file is sent, and while the loop ends a transfer:
	// when the loop goes on nothing of it is sent any more, nor begun on the disk. It is
	// never held while a disk is waited for. What is under way there at that moment may
	// end; nothing of it is sent or kept.
	mu     sync.Mutex
	over   bool
	k      *link  // proven and not gone, or nil
	folder string // where the participant's files land

	in     *arrival
	listed *offer // an offer whose list goes on
	lastIn offer  // the newest that was offered; what became of it is in was
	was    *mfpb.FileAnswer

	out     *delivery
	queue   []*delivery
	lastOut uint64
	wake    chan struct{} // the delivery has something to do, perhaps
	flow    scavenger     // of k

	news    []func()          // for the loop, once mu is free
	closing []<-chan struct{} // what is being removed, to be waited for a moment then
}

// offer is a list as it comes in.
type offer struct {
	id      uint64
	entries []files.Entry
	many    bool // more than a list may hold
	denied  bool // the grant does not stand, or did not at each part
}

func (f *fileTool) courier(p *participant) *courier {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.couriers[p]
	if c == nil {
		c = &courier{f: f, p: p, wake: make(chan struct{}, 1)}
		f.couriers[p] = c
	}
	return c
}

// all is every courier, in the order of the participants.
func (f *fileTool) all() []*courier {
	var list []*courier
	for _, p := range f.l.participants {
		list = append(list, f.courier(p))
	}
	return list
}

// count takes n more files into account; false: there were enough.
func (f *fileTool) count(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counted+n > maxOfFiles {
		return false
	}
	f.counted += n
	return true
}

// landing is the folder that the person is shown, and gets unless they say otherwise.
func (l *live) landing() string {
	if f, ok := l.toolFor(grantFileIn).(*fileTool); ok && f.folder != "" {
		return f.folder
	}
	if l.h.cfg.Downloads != nil {
		return l.h.cfg.Downloads()
	}
	return files.Downloads()
}

// land takes the folder that the person chose with their yes, for everything from now on.
func (l *live) land(folder string) {
	if f, ok := l.toolFor(grantFileIn).(*fileTool); ok && folder != "" {
		f.folder = folder
	}
}

// removeTime is how long whoever ends a transfer waits until what was not whole is
// removed: long enough for a disk that works, and no time in which a person who stops
// everything would wait.
const removeTime = 50 * time.Millisecond

// unlock gives mu back and tells the loop what happened.
func (c *courier) unlock() {
	for _, f := range c.free() {
		c.p.h.post(nil, f)
	}
}

// locked runs f under mu on the loop.
func (c *courier) locked(f func()) {
	c.mu.Lock()
	f()
	for _, f := range c.free() {
		f()
	}
}

// free gives mu back, and returns what is to be told of it.
func (c *courier) free() []func() {
	news, closing := c.news, c.closing
	c.news, c.closing = nil, nil
	c.mu.Unlock()
	if len(closing) > 0 {
		late := time.NewTimer(removeTime)
		defer late.Stop()
		for _, done := range closing {
			select {
			case <-done:
			case <-late.C:
				return news
			}
		}
	}
	return news
}

// hear is one message; it runs on the channel's goroutine.
func (f *fileTool) hear(k *link, msg []byte) error {
	m := new(mfpb.FileMessage)
	if err := wire.DecodeEnvelope(msg, wire.MaxTool, m); err != nil {
		return err
	}
	f.mu.Lock()
	c := f.couriers[k.p]
	f.mu.Unlock()
	if c == nil { // its participant is out
		return nil
	}
	switch b := m.Body.(type) { // what waits for a disk
	case *mfpb.FileMessage_Offer:
		return c.offered(k, b.Offer)
	case *mfpb.FileMessage_Chunk:
		return c.chunk(k, b.Chunk)
	case *mfpb.FileMessage_Resume:
		return c.asked(k, b.Resume.GetId())
	case *mfpb.FileMessage_Done:
		if theirs(b.Done.GetId()) {
			return c.finished(k, b.Done)
		}
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.hears(k) {
		return nil
	}
	switch b := m.Body.(type) {
	case *mfpb.FileMessage_Answer:
		return c.answered(b.Answer)
	case *mfpb.FileMessage_Progress:
		return c.progress(b.Progress)
	case *mfpb.FileMessage_Done:
		return c.confirmed(b.Done)
	case *mfpb.FileMessage_Cancel:
		c.cancelled(b.Cancel)
		return nil
	}
	return errProtocol
}

// hears tells whether a link is the one that stands: what an older one brought was
// about where the transfers stood then.
func (c *courier) hears(k *link) bool { return !c.over && c.k == k }

// theirs tells whether a transfer's id is one of the viewer's.
func theirs(id uint64) bool { return id%2 == 1 }

// cancelled is the technician's end of a transfer.
func (c *courier) cancelled(m *mfpb.FileCancel) {
	why := m.GetReason()
	if !theirs(m.GetId()) && why != mfpb.FileReason_FILE_REASON_HASH && why != mfpb.FileReason_FILE_REASON_NO_ROOM && why != mfpb.FileReason_FILE_REASON_FOLDER ||
		theirs(m.GetId()) && why != mfpb.FileReason_FILE_REASON_GONE && why != mfpb.FileReason_FILE_REASON_CHANGED {
		why = mfpb.FileReason_FILE_REASON_CANCELLED // nobody speaks in the person's name
	}
	if c.listed != nil && c.listed.id == m.GetId() {
		c.listed = nil
	}
	if c.in != nil && c.in.id == m.GetId() {
		c.endIn(why, false)
	}
	if c.out != nil && c.out.id == m.GetId() {
		c.endOut(why, false)
	}
}

// connected: what is under way goes on from where the other side stands.
func (f *fileTool) connected(p *participant) {
	c, k := f.courier(p), p.link
	if dc := k.bulk[wire.ChannelFiles]; dc != nil {
		dc.OnBufferedAmountLow(c.rouse)
	}
	c.locked(func() {
		c.k, c.listed, c.flow = k, nil, newScavenger(time.Now())
		if c.out != nil {
			c.out.ready, c.out.resumed = false, true
			c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Resume{Resume: &mfpb.FileResume{Id: c.out.id}}})
		}
	})
	p.h.spawn(func() {
		<-k.gone
		c.mu.Lock()
		defer c.unlock()
		if c.k != k {
			return
		}
		c.k = nil
		if c.in != nil {
			c.showIn("waiting", true)
		}
		if c.out != nil {
			c.out.ready = false
			c.showOut("waiting", true)
		}
	})
}

// settled: what stands on a grant that is taken away ends here.
func (f *fileTool) settled(p *participant, grant string, allowed bool) {
	f.courier(p).locked(func() {
		c := f.courier(p)
		switch {
		case allowed && grant == grantFileIn:
			c.folder = f.l.landing()
		case !allowed && grant == grantFileIn:
			c.endIn(mfpb.FileReason_FILE_REASON_NOT_ALLOWED, true)
		case !allowed && grant == grantFileOut:
			c.endQueue(mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
		}
	})
}

func (f *fileTool) left(p *participant) {
	c := f.courier(p)
	c.locked(c.end)
	f.mu.Lock()
	delete(f.couriers, p)
	f.mu.Unlock()
}

func (f *fileTool) close() {
	f.mu.Lock()
	var list []*courier
	for _, c := range f.couriers {
		list = append(list, c)
	}
	f.mu.Unlock()
	for _, c := range list {
		c.locked(c.end)
	}
}

// end ends everything; the viewer hears of it by the session's end.
func (c *courier) end() {
	c.endIn(mfpb.FileReason_FILE_REASON_CANCELLED, false)
	c.endQueue(mfpb.FileReason_FILE_REASON_CANCELLED)
	c.over, c.k = true, nil
	c.rouse()
}

// command is the person's: give, cancel_file, open_folder.
func (f *fileTool) command(m ui.Command) bool {
	switch m.Do {
	case "give":
		f.give(m)
	case "cancel_file":
		for _, c := range f.all() {
			c.locked(func() { c.cancel(m.ID) })
		}
	case "open_folder":
		for _, c := range f.all() {
			if strings.HasPrefix(m.ID, c.p.id+"-") {
				f.reveal(c)
			}
		}
	default:
		return false
	}
	return true
}

// reveal opens the folder where a participant's files land.
func (f *fileTool) reveal(c *courier) {
	c.mu.Lock()
	folder := c.folder
	c.mu.Unlock()
	if folder == "" {
		folder = f.l.landing()
	}
	if err := files.Reveal(folder); err != nil {
		f.l.h.log.Warn("the folder could not be opened", "error", err)
		f.l.h.status("files.not_opened", "folder", folder)
	}
}

// cancel is the person's end of a transfer, running or waiting.
func (c *courier) cancel(id string) {
	if c.in != nil && id == c.ref(c.in.id) {
		c.endIn(mfpb.FileReason_FILE_REASON_CANCELLED, true)
	}
	if c.out != nil && id == c.ref(c.out.id) {
		c.endOut(mfpb.FileReason_FILE_REASON_CANCELLED, true)
	}
	c.queue = slices.DeleteFunc(c.queue, func(d *delivery) bool {
		if id != c.ref(d.id) {
			return false
		}
		c.show(c.eventOut(d, "cancelled"))
		return true
	})
}

// ref is a transfer's id for the person.
func (c *courier) ref(id uint64) string { return c.p.id + "-" + strconv.FormatUint(id, 10) }

// say sends a message, if there is a connection.
func (c *courier) say(m *mfpb.FileMessage) {
	if c.k != nil {
		_ = c.k.tell(wire.ChannelFiles, m) // a lost one is asked for again on the next connection
	}
}

func (c *courier) sayCancel(id uint64, why mfpb.FileReason) {
	c.say(&mfpb.FileMessage{Body: &mfpb.FileMessage_Cancel{Cancel: &mfpb.FileCancel{Id: id, Reason: why}}})
}

// note leaves an event for the log; name is a personal part.
func (c *courier) note(kind, outcome, way string, id uint64, data map[string]any, name string) {
	data["way"], data["participant"], data["transfer"] = way, c.p.id, id
	c.news = append(c.news, func() { c.f.l.note(kind, outcome, data, map[string]any{"name": name}) })
}

// show leaves an event for the person.
func (c *courier) show(file *ui.File) {
	c.news = append(c.news, func() {
		c.p.h.show(ui.Event{Name: "file", Participant: c.p.id, Technician: c.p.technician, File: file})
	})
}

// why is the reason's sentence for the person.
func (c *courier) why(way string, why mfpb.FileReason) string {
	return c.p.h.texts.T("files." + way + "." + reasonOf(why))
}

func reasonOf(why mfpb.FileReason) string {
	return strings.TrimPrefix(why.String(), "FILE_REASON_")
}

// label names a transfer: its one file, its folder, or the first of several.
func (c *courier) label(entries []files.Entry) string {
	first := wire.Clean(entries[0].Path[0])
	if first == "" {
		first = files.SafeName(entries[0].Path[0])
	}
	others := 0
	for _, e := range entries {
		if e.Path[0] != entries[0].Path[0] {
			others++
		}
	}
	if others == 0 {
		return first
	}
	return c.p.h.texts.T("files.several", "name", first, "n", strconv.Itoa(others))
}

// full is a file's whole name for the log.
func fullName(e files.Entry) string { return wire.Clean(strings.Join(e.Path, "/")) }

func sizeOf(entries []files.Entry) (total int64) {
	for _, e := range entries {
		total += e.Size
	}
	return total
}

// fileReason is why something failed, as it travels.
func fileReason(err error) mfpb.FileReason {
	switch {
	case errors.Is(err, files.ErrBounds):
		return mfpb.FileReason_FILE_REASON_TOO_MANY
	case errors.Is(err, files.ErrRoom):
		return mfpb.FileReason_FILE_REASON_NO_ROOM
	case errors.Is(err, files.ErrFolder):
		return mfpb.FileReason_FILE_REASON_FOLDER
	case errors.Is(err, files.ErrGone):
		return mfpb.FileReason_FILE_REASON_GONE
	case errors.Is(err, files.ErrChanged):
		return mfpb.FileReason_FILE_REASON_CHANGED
	case errors.Is(err, files.ErrHash):
		return mfpb.FileReason_FILE_REASON_HASH
	}
	return mfpb.FileReason_FILE_REASON_CANCELLED
}
