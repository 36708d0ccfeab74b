package session_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/clipboard/clipboardtest"
	clipfake "github.com/mainforte/mainforte/host/clipboard/fake"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	clipText = mfpb.ClipKind_CLIP_KIND_TEXT
	clipPNG  = mfpb.ClipKind_CLIP_KIND_PNG
)

// board is the person's clipboard, and how often it was opened.
type board struct {
	*clipfake.Clipboard
	mu    sync.Mutex
	opens int
}

func (b *board) opened() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opens
}

// withBoard gives the host a clipboard.
func withBoard(b *board) func(*rig, *session.Config) {
	b.Clipboard = clipfake.New()
	return func(_ *rig, cfg *session.Config) {
		cfg.OpenClipboard = func() (clipboard.Clipboard, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.opens++
			return b.Clipboard, nil
		}
	}
}

func (r *rig) allow(v *gopeer.Viewer, grants ...string) {
	r.t.Helper()
	for _, g := range grants {
		ok(r.t, v.Ask(g))
		r.window.Answer(r.t, g, "allow")
		ok(r.t, v.WaitGrant(ctx(r.t), g, gopeer.Allowed))
	}
}

func copied(s string) clipboard.Content {
	return clipboard.Content{Kind: clipboard.Text, Data: []byte(s)}
}

func newsOf(t *testing.T, v *gopeer.Viewer, id uint64) {
	t.Helper()
	must[*mfpb.ClipMessage](t)(v.WaitClip(ctx(t), "news", func(m *mfpb.ClipMessage) bool { return m.GetNews().GetId() == id && m.GetNews() != nil }))
}

func TestTheClipboardBothWays(t *testing.T) {
	var b board
	r := start(t, withBoard(&b))
	v, s := r.live()
	if b.opened() != 0 {
		t.Error("the clipboard was opened before anybody was allowed it")
	}
	b.Copy(copied("from before"), false)
	r.allow(v, "clipboard_in", "clipboard_out")
	if b.Reads() != 0 || b.opened() != 1 {
		t.Errorf("%d reads, opened %d times", b.Reads(), b.opened())
	}
	long := strings.Repeat("é € 🦊 ", 80_000) // 1 MB
	for i, c := range []clipboard.Content{
		copied("é € 🦊\nligne"), copied(long), {Kind: clipboard.PNG, Data: clipboardtest.Picture(t, 120, 90)},
	} {
		kind := clipText
		if c.Kind == clipboard.PNG {
			kind = clipPNG
		}
		ok(t, v.SendClip(uint64(i+1), kind, c.Data))
		ok(t, v.WaitClipTaken(ctx(t), uint64(i+1), c.Data))
		if got := b.Paste(); got.Kind != c.Kind || kind == clipText && !bytes.Equal(got.Data, c.Data) {
			t.Errorf("%d: the person pastes kind %d, %d bytes", i, got.Kind, len(got.Data))
		}
	}
	for i, c := range []clipboard.Content{copied("à vous : é € 🦊"), copied(long), {Kind: clipboard.PNG, Data: clipboardtest.Picture(t, 60, 40)}} {
		reads := b.Reads()
		b.Copy(c, false)
		newsOf(t, v, uint64(i+1))
		if b.Reads() != reads {
			t.Error("it was read before anybody asked")
		}
		ok(t, v.FetchClip(uint64(i+1)))
		got := must[[]byte](t)(v.WaitClipContent(ctx(t), uint64(i+1)))
		if c.Kind == clipboard.Text && !bytes.Equal(got, c.Data) {
			t.Errorf("%d: %d bytes came, want %d", i, len(got), len(c.Data))
		}
	}
	s.until("all of it stands in the log, and nothing of what it was", func() bool {
		n := 0
		for _, e := range s.events {
			if e.Type == "clipboard.sent" {
				n++
			}
			if bytes.Contains(e.Data, []byte("€")) || len(e.Personal) > 0 && e.Type == "clipboard.sent" {
				t.Errorf("the log says %s %s", e.Data, e.Personal)
			}
		}
		return n == 6
	})
	if e := s.event("clipboard.sent"); string(e.Data) != `{"kind":"text","participant":"1","size":17,"way":"in"}` {
		t.Errorf("the log says %s", e.Data)
	}
}

func TestNothingGoesToTheClipboardWithoutItsGrant(t *testing.T) { // C60
	var b board
	r := start(t, withBoard(&b))
	v, _ := r.live()
	r.control(v)
	ok(t, v.SendClip(1, clipText, []byte("forged")))
	ok(t, v.WaitClipRefused(ctx(t), 1, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED))
	r.allow(v, "clipboard_out")
	ok(t, v.SendClip(2, clipText, []byte("forged")))
	ok(t, v.WaitClipRefused(ctx(t), 2, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED))
	r.allow(v, "clipboard_in")
	ok(t, v.SendClip(3, clipText, []byte("allowed")))
	ok(t, v.WaitClipTaken(ctx(t), 3, []byte("allowed")))

	// Half of it comes before the person takes it back, half after.
	half := &mfpb.ClipMessage{Body: &mfpb.ClipMessage_Chunk{Chunk: &mfpb.ClipChunk{Id: 4, Data: []byte("for")}}}
	ok(t, v.Clip(&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Offer{Offer: &mfpb.ClipOffer{Id: 4, Kind: clipText, Size: 6}}}))
	ok(t, v.Clip(half))
	ok(t, v.FetchClip(99)) // answered after what came before it on the channel
	ok(t, v.WaitClipRefused(ctx(t), 99, mfpb.ClipWhy_CLIP_WHY_NOTHING))
	r.window.Say(ui.Command{Do: "revoke", Grant: "clipboard_in"})
	ok(t, v.WaitGrant(ctx(t), "clipboard_in", mfpb.GrantState_GRANT_STATE_REVOKED))
	ok(t, v.Clip(half))
	ok(t, v.WaitClipRefused(ctx(t), 4, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED))
	if got := b.Paste(); string(got.Data) != "allowed" {
		t.Errorf("the person pastes %q", got.Data)
	}
}

func TestNothingLeavesTheClipboardWithoutItsGrant(t *testing.T) { // C61, C62
	var b board
	r := start(t, withBoard(&b))
	v, _ := r.live()
	r.allow(v, "clipboard_in")
	b.Copy(copied("before"), false)
	for id := range uint64(4) {
		ok(t, v.FetchClip(id))
		ok(t, v.WaitClipRefused(ctx(t), id, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED))
	}
	r.allow(v, "clipboard_out")
	ok(t, v.FetchClip(5)) // C62
	ok(t, v.WaitClipRefused(ctx(t), 5, mfpb.ClipWhy_CLIP_WHY_NOTHING))
	b.Copy(copied("a password"), true) // C62
	b.Copy(copied("one"), false)
	newsOf(t, v, 1)
	r.window.Say(ui.Command{Do: "revoke", Grant: "clipboard_out"})
	ok(t, v.WaitGrant(ctx(t), "clipboard_out", mfpb.GrantState_GRANT_STATE_REVOKED))
	ok(t, v.FetchClip(6))
	ok(t, v.WaitClipRefused(ctx(t), 6, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED))
	b.Copy(copied("while it does not stand"), false)
	r.allow(v, "clipboard_out")
	b.Copy(copied("two"), false)
	newsOf(t, v, 2)
	if n := len(slices.DeleteFunc(v.Clips(), func(m *mfpb.ClipMessage) bool { return m.GetNews() == nil })); n != 2 {
		t.Errorf("%d things were told of, want 2", n)
	}
	if b.Reads() != 0 {
		t.Errorf("the clipboard was read %d times and nothing was fetched", b.Reads())
	}
	ok(t, v.FetchClip(2))
	if got := must[[]byte](t)(v.WaitClipContent(ctx(t), 1)); string(got) != "two" {
		t.Errorf("fetched %q", got)
	}
}

func TestAnotherParticipantGetsNothingOfIt(t *testing.T) { // C42, C61, C62
	var b board
	r := start(t, withBoard(&b))
	lead, s := r.live()
	r.allow(lead, "clipboard_out")
	v := r.joined(lead, s, expert, 1)
	b.Copy(copied("for the lead"), false)
	newsOf(t, lead, 1)
	ok(t, v.FetchClip(1))
	ok(t, v.WaitClipRefused(ctx(t), 1, mfpb.ClipWhy_CLIP_WHY_NOT_ALLOWED))
	for _, m := range v.Clips() {
		if m.GetNews() != nil {
			t.Error("who has no grant hears that something was copied")
		}
	}
	r.allow(v, "clipboard_out") // from now on
	ok(t, v.FetchClip(1))
	ok(t, v.WaitClipRefused(ctx(t), 1, mfpb.ClipWhy_CLIP_WHY_NOTHING))
	ok(t, lead.FetchClip(1))
	must[[]byte](t)(lead.WaitClipContent(ctx(t), 1))
}

// pngBomb says it has many pixels.
func pngBomb() []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, 16_000), 16_000)
	return append(b, 8, 6, 0, 0, 0, 0xaa, 0xab, 0xac, 0xad)
}

func TestWhatIsTooMuchOrUnreadableIsRefused(t *testing.T) { // C63
	var b board
	r := start(t, withBoard(&b))
	v, _ := r.live()
	r.allow(v, "clipboard_in")
	offer := func(id uint64, kind mfpb.ClipKind, size uint32) {
		ok(t, v.Clip(&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Offer{Offer: &mfpb.ClipOffer{Id: id, Kind: kind, Size: size}}}))
	}
	offer(1, clipText, clipboard.MaxText+1)
	ok(t, v.WaitClipRefused(ctx(t), 1, mfpb.ClipWhy_CLIP_WHY_TOO_LARGE))
	offer(2, clipPNG, 1<<32-1)
	ok(t, v.WaitClipRefused(ctx(t), 2, mfpb.ClipWhy_CLIP_WHY_TOO_LARGE))
	ok(t, v.SendClip(3, clipText, []byte("\xff\xfe")))
	ok(t, v.WaitClipRefused(ctx(t), 3, mfpb.ClipWhy_CLIP_WHY_UNREADABLE))
	ok(t, v.SendClip(4, clipPNG, pngBomb()))
	must[*mfpb.ClipMessage](t)(v.WaitClip(ctx(t), "the bomb is refused", func(m *mfpb.ClipMessage) bool { return m.GetRefused().GetId() == 4 }))
	ok(t, v.SendClip(5, clipPNG, []byte("not a picture at all")))
	ok(t, v.WaitClipRefused(ctx(t), 5, mfpb.ClipWhy_CLIP_WHY_UNREADABLE))
	ok(t, v.SendClip(6, clipText, []byte("and still")))
	ok(t, v.WaitClipTaken(ctx(t), 6, []byte("and still")))
}

func TestABrokenViewerOnTheClipboardIsOut(t *testing.T) {
	offer := func(id uint64, kind mfpb.ClipKind, size uint32) *mfpb.ClipMessage {
		return &mfpb.ClipMessage{Body: &mfpb.ClipMessage_Offer{Offer: &mfpb.ClipOffer{Id: id, Kind: kind, Size: size}}}
	}
	chunk := func(id uint64, n int) *mfpb.ClipMessage {
		return &mfpb.ClipMessage{Body: &mfpb.ClipMessage_Chunk{Chunk: &mfpb.ClipChunk{Id: id, Data: make([]byte, n)}}}
	}
	for name, messages := range map[string][]*mfpb.ClipMessage{
		"more than it said": {offer(1, clipText, 3), chunk(1, 4)},
		"a chunk of none":   {chunk(1, 1)},
		"an empty chunk":    {offer(1, clipText, 3), chunk(1, 0)},
		"a long chunk":      {offer(1, clipText, 1<<20), chunk(1, 16<<10+1)},
		"another's chunk":   {offer(2, clipText, 3), chunk(1, 3)},
		"an old id":         {offer(2, clipText, 3), offer(2, clipText, 3)},
		"an unknown kind":   {offer(1, 77, 3)},
		"nothing":           {offer(1, clipText, 0)},
		"the host's word":   {{Body: &mfpb.ClipMessage_News{News: &mfpb.ClipNews{Id: 1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			var b board
			r := start(t, withBoard(&b))
			v, s := r.live()
			r.allow(v, "clipboard_in")
			for _, m := range messages {
				ok(t, v.Clip(m))
			}
			r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
		})
	}
}

func TestAClipboardThatIsNotThere(t *testing.T) {
	r := start(t, func(_ *rig, cfg *session.Config) {
		cfg.OpenClipboard = func() (clipboard.Clipboard, error) { return nil, errors.New("none") }
	})
	v, _ := r.live()
	r.allow(v, "clipboard_in", "clipboard_out")
	ok(t, v.SendClip(1, clipText, []byte("x")))
	ok(t, v.WaitClipRefused(ctx(t), 1, mfpb.ClipWhy_CLIP_WHY_UNREADABLE))
	ok(t, v.FetchClip(1))
	ok(t, v.WaitClipRefused(ctx(t), 1, mfpb.ClipWhy_CLIP_WHY_NOTHING))
}

func TestWithoutAClipboardNobodyIsAsked(t *testing.T) { // C32
	r := start(t)
	v, _ := r.live()
	ok(t, v.Ask("clipboard_in"))
	ok(t, v.WaitGrant(ctx(t), "clipboard_in", mfpb.GrantState_GRANT_STATE_DENIED))
}
