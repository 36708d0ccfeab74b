package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Grants of the clipboard: to the person's computer, and from it.
const (
	grantClipIn  = "clipboard_in"
	grantClipOut = "clipboard_out"
)

const (
	clipChunk   = 16 << 10
	clipGetTime = 10 * time.Second
	// clipWait is how often a full channel is looked at again.
	clipWait = 5 * time.Millisecond
)

// clips is the clipboard of a session. The person's own is opened with the first
// grant and never read before it. turn is held for every step that a grant allows,
// so that nothing of it happens any more when settled returns.
type clips struct {
	l *live

	turn  sync.Mutex
	board clipboard.Clipboard // nil before the first grant, and after the end
	item  clipboard.Item      // the newest that the person copied
	told  map[*participant]uint64
	over  bool

	incoming map[*link]*clipIn // each of its link's own goroutine; the map under turn
}

// clipIn is what a viewer sends.
type clipIn struct {
	last uint64 // the highest id that it offered
	open bool   // chunks of last are taken
	kind clipboard.Kind
	size int
	data []byte
	sent uint64 // id of the newest offer that went to it
}

var clipKinds = map[mfpb.ClipKind]clipboard.Kind{
	mfpb.ClipKind_CLIP_KIND_TEXT: clipboard.Text, mfpb.ClipKind_CLIP_KIND_PNG: clipboard.PNG,
}

var clipNames = map[clipboard.Kind]string{clipboard.Text: "text", clipboard.PNG: "png"}

func newClips(l *live) tool {
	if l.h.cfg.OpenClipboard == nil {
		return nil
	}
	return &clips{l: l, told: make(map[*participant]uint64), incoming: make(map[*link]*clipIn)}
}

func (c *clips) channel() uint16  { return wire.ChannelClip }
func (c *clips) grants() []string { return []string{grantClipIn, grantClipOut} }

// settled implements tool, on the loop.
func (c *clips) settled(p *participant, grant string, allowed bool) {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.over {
		return
	}
	if allowed && c.board == nil {
		board, err := c.l.h.cfg.OpenClipboard()
		if err != nil {
			c.l.h.log.Warn("the clipboard is not there", "error", err)
			return // what is sent or fetched is refused as unreadable
		}
		c.board = board
		c.l.h.spawn(func() { c.follow(board) })
	}
	if grant != grantClipOut || c.board == nil {
		return
	}
	delete(c.told, p) // C62: what was copied while it did not stand is not theirs
	watched := false
	for _, q := range c.l.participants {
		watched = watched || q.may(grantClipOut)
	}
	if !watched {
		c.item = clipboard.Item{}
	}
	if err := c.board.Watch(watched); err != nil {
		c.l.h.log.Warn("the clipboard is not watched", "error", err)
	}
}

func (c *clips) left(p *participant) {
	for _, name := range c.grants() {
		c.settled(p, name, false)
	}
}

func (c *clips) close() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.over = true
	if c.board != nil {
		if err := c.board.Close(); err != nil {
			c.l.h.log.Info("the clipboard was not closed cleanly", "error", err)
		}
		c.board = nil
	}
}

// follow tells of what the person copies, as long as the clipboard is open.
func (c *clips) follow(board clipboard.Clipboard) {
	for it := range board.News() {
		c.l.h.post(nil, func() { c.copied(it) })
	}
}

// copied tells those who may have it that there is something; nothing of it.
func (c *clips) copied(it clipboard.Item) {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.over {
		return
	}
	c.item = it
	for _, p := range c.l.participants {
		if !p.up() || !p.may(grantClipOut) { // C61
			continue
		}
		c.told[p] = it.Serial
		c.say(p.link, &mfpb.ClipMessage{Body: &mfpb.ClipMessage_News{News: &mfpb.ClipNews{Id: it.Serial, Kind: wireKind(it.Kind)}}})
	}
}

func wireKind(k clipboard.Kind) mfpb.ClipKind {
	if k == clipboard.PNG {
		return mfpb.ClipKind_CLIP_KIND_PNG
	}
	return mfpb.ClipKind_CLIP_KIND_TEXT
}

func (c *clips) say(k *link, m *mfpb.ClipMessage) {
	if err := k.tell(wire.ChannelClip, m); err != nil {
		c.l.h.log.Info("a word about the clipboard was not sent", "error", err)
	}
}

func (c *clips) refuse(k *link, id uint64, why mfpb.ClipWhy) {
	c.say(k, &mfpb.ClipMessage{Body: &mfpb.ClipMessage_Refused{Refused: &mfpb.ClipRefused{Id: id, Why: why}}})
}

// of is what a link sends; it belongs to that link's goroutine.
func (c *clips) of(k *link) *clipIn {
	c.turn.Lock()
	defer c.turn.Unlock()
	in := c.incoming[k]
	if in == nil {
		in = new(clipIn)
		for old := range c.incoming { // of connections that are gone
			select {
			case <-old.gone:
				delete(c.incoming, old)
			default:
			}
		}
		c.incoming[k] = in
	}
	return in
}

// hear implements tool.
func (c *clips) hear(k *link, msg []byte) error {
	m := new(mfpb.ClipMessage)
	if err := wire.DecodeEnvelope(msg, wire.MaxTool, m); err != nil {
		return err
	}
	in := c.of(k)
	switch b := m.Body.(type) {
	case *mfpb.ClipMessage_Offer:
		return c.offered(k, in, b.Offer)
	case *mfpb.ClipMessage_Chunk:
		return c.chunk(k, in, b.Chunk)
	case *mfpb.ClipMessage_Fetch:
		return c.fetched(k, in, b.Fetch.GetId())
	case *mfpb.ClipMessage_Taken, *mfpb.ClipMessage_Refused:
		return nil // what became of it there is the technician's
	}
	return errProtocol // what only the host says
}

// offered: a viewer begins to send something.
func (c *clips) offered(k *link, in *clipIn, o *mfpb.ClipOffer) error {
	kind, known := clipKinds[o.GetKind()]
	if !known || o.GetSize() == 0 || o.GetId() <= in.last {
		return errProtocol
	}
	*in = clipIn{last: o.GetId(), sent: in.sent}
	switch {
	case !k.p.may(grantClipIn): // C60
		c.refuse(k, in.last, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED)
	case uint64(o.GetSize()) > uint64(kind.Max()): // C63
		c.refuse(k, in.last, mfpb.ClipWhy_CLIP_WHY_TOO_LARGE)
	default:
		in.open, in.kind, in.size = true, kind, int(o.GetSize())
	}
	return nil
}

// chunk is the next part of it; the last one puts it on the person's clipboard.
func (c *clips) chunk(k *link, in *clipIn, m *mfpb.ClipChunk) error {
	if n := len(m.GetData()); n == 0 || n > clipChunk || m.GetId() != in.last {
		return errProtocol
	}
	if !in.open {
		return nil // refused already
	}
	if len(in.data)+len(m.Data) > in.size { // C63
		return errProtocol
	}
	in.data = append(in.data, m.Data...)
	if len(in.data) < in.size {
		return nil
	}
	raw := clipboard.Content{Kind: in.kind, Data: in.data}
	id := in.last
	*in = clipIn{last: in.last, sent: in.sent}
	if !k.p.may(grantClipIn) { // C60: nothing is unpacked for who may not
		c.refuse(k, id, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED)
		return nil
	}
	clean, err := clipboard.Clean(raw)
	if err == nil {
		err = c.put(k, clean)
	}
	if err != nil {
		c.refuse(k, id, clipWhy(err))
		return nil
	}
	sum := sha256.Sum256(raw.Data)
	c.logged(k, "in", raw)
	c.say(k, &mfpb.ClipMessage{Body: &mfpb.ClipMessage_Taken{Taken: &mfpb.ClipTaken{Id: id, Sha256: sum[:]}}})
	return nil
}

// errClipDenied: the grant is gone by now.
var errClipDenied = errors.New("session: no grant for the clipboard")

func clipWhy(err error) mfpb.ClipWhy {
	switch {
	case errors.Is(err, errClipDenied):
		return mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED
	case errors.Is(err, clipboard.ErrTooLarge):
		return mfpb.ClipWhy_CLIP_WHY_TOO_LARGE
	case errors.Is(err, clipboard.ErrGone):
		return mfpb.ClipWhy_CLIP_WHY_NOTHING
	}
	return mfpb.ClipWhy_CLIP_WHY_UNREADABLE
}

func (c *clips) put(k *link, content clipboard.Content) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if !k.p.may(grantClipIn) { // C60
		return errClipDenied
	}
	if c.board == nil {
		return clipboard.ErrClosed
	}
	return c.board.Put(content)
}

// fetched: a viewer wants what it was told of. It waits, and nothing but this
// channel with it.
func (c *clips) fetched(k *link, in *clipIn, id uint64) error {
	c.turn.Lock()
	board, it := c.board, c.item
	may := k.p.may(grantClipOut)                              // C61
	theirs := id != 0 && it.Serial == id && c.told[k.p] == id // C62
	c.turn.Unlock()
	switch {
	case !may:
		c.refuse(k, id, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED)
		return nil
	case board == nil || !theirs:
		c.refuse(k, id, mfpb.ClipWhy_CLIP_WHY_NOTHING)
		return nil
	}
	ctx, cancel := context.WithTimeout(c.l.h.ctx, clipGetTime)
	defer cancel()
	content, err := board.Get(ctx, it)
	if err == nil && len(content.Data) == 0 {
		err = clipboard.ErrGone
	}
	if err != nil {
		c.refuse(k, id, clipWhy(err))
		return nil
	}
	in.sent++
	all := len(content.Data)
	err = c.step(k, &mfpb.ClipMessage{Body: &mfpb.ClipMessage_Offer{
		Offer: &mfpb.ClipOffer{Id: in.sent, Kind: wireKind(content.Kind), Size: uint32(all)},
	}})
	for rest := content.Data; err == nil && len(rest) > 0; {
		n := min(len(rest), clipChunk)
		err = c.step(k, &mfpb.ClipMessage{Body: &mfpb.ClipMessage_Chunk{Chunk: &mfpb.ClipChunk{Id: in.sent, Data: rest[:n]}}})
		rest = rest[n:]
	}
	switch {
	case errors.Is(err, errClipDenied):
		c.refuse(k, id, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED)
	case err == nil:
		c.logged(k, "out", content)
	}
	return nil // a channel that is gone has been noticed elsewhere
}

// step sends one message of a content while the grant stands.
func (c *clips) step(k *link, m *mfpb.ClipMessage) error {
	for k.bulk[wire.ChannelClip].BufferedAmount() > maxToolBuffered {
		select {
		case <-k.gone:
			return clipboard.ErrClosed
		case <-time.After(clipWait):
		}
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	if !k.p.may(grantClipOut) { // C61
		return errClipDenied
	}
	return k.tell(wire.ChannelClip, m)
}

// logged writes down that something went, how much of it and never what.
func (c *clips) logged(k *link, way string, content clipboard.Content) {
	kind, size := clipNames[content.Kind], len(content.Data)
	k.post(func() {
		c.l.note("clipboard.sent", "ok", map[string]any{"way": way, "kind": kind, "size": size, "participant": k.p.id}, nil)
	})
}

// connected and command: nothing is owed to a viewer that comes, and the person's
// copying is all that they say.
func (c *clips) connected(*participant) {}

func (c *clips) command(ui.Command) bool { return false }
