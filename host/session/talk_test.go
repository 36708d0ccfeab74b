package session_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/sysinfo"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// ear is what a viewer hears on the channel talk.
type ear struct {
	t  *testing.T
	mu sync.Mutex
	// got holds all messages; changed is closed and replaced at each.
	got     []*mfpb.TalkMessage
	changed chan struct{}
}

func newEar(t *testing.T) *ear { return &ear{t: t, changed: make(chan struct{})} }

func (e *ear) listens(o *gopeer.Options) {
	o.Tool = func(channel uint16, b []byte) {
		if channel != wire.ChannelTalk {
			return
		}
		m := new(mfpb.TalkMessage)
		if wire.Decode(b, wire.MaxTool, m) != nil || wire.Unknown(m) != nil {
			e.t.Errorf("the host sent %x on channel %d", b, channel)
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.got = append(e.got, m)
		close(e.changed)
		e.changed = make(chan struct{})
	}
}

// until waits until ok says so of all that was heard.
func (e *ear) until(what string, ok func([]*mfpb.TalkMessage) bool) {
	e.t.Helper()
	late := time.After(patience)
	for {
		e.mu.Lock()
		done, changed := ok(e.got), e.changed
		e.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-late:
			e.t.Fatalf("the viewer did not hear %s: %v", what, e.got)
		}
	}
}

func (e *ear) lines() (list []*mfpb.TalkLine) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.got {
		if l := m.GetLine(); l != nil {
			list = append(list, l)
		}
	}
	return list
}

// line waits for the nth line, from 1.
func (e *ear) line(n int) *mfpb.TalkLine {
	e.t.Helper()
	var l *mfpb.TalkLine
	e.until(fmt.Sprintf("line %d", n), func(got []*mfpb.TalkMessage) bool {
		seen := 0
		for _, m := range got {
			if m.GetLine() != nil {
				if seen++; seen == n {
					l = m.GetLine()
					return true
				}
			}
		}
		return false
	})
	return l
}

// thing waits for the answer to an ask and puts its parts together.
func (e *ear) thing(id uint32) (head *mfpb.TalkThing, data []byte) {
	e.t.Helper()
	e.until("a thing", func(got []*mfpb.TalkMessage) bool {
		head, data = nil, nil
		for _, m := range got {
			switch {
			case m.GetThing().GetId() == id && m.GetThing() != nil:
				head = m.GetThing()
			case m.GetPart().GetId() == id && m.GetPart() != nil:
				data = append(data, m.GetPart().GetData()...)
			}
		}
		return head != nil && (head.Trouble != 0 || len(data) == int(head.Size))
	})
	return head, data
}

func say(t *testing.T, v *gopeer.Viewer, body *mfpb.TalkMessage) {
	t.Helper()
	b, err := wire.Encode(body, wire.MaxTool)
	if err == nil {
		err = v.SendRaw(wire.ChannelTalk, b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func saysLine(t *testing.T, v *gopeer.Viewer, id uint64, text string) {
	t.Helper()
	say(t, v, &mfpb.TalkMessage{Body: &mfpb.TalkMessage_Line{Line: &mfpb.TalkLine{Id: id, Text: text, From: "9", Name: "Somebody else", At: 1}}})
}

func takes(t *testing.T, v *gopeer.Viewer, id uint64) {
	t.Helper()
	say(t, v, &mfpb.TalkMessage{Body: &mfpb.TalkMessage_Taken{Taken: &mfpb.TalkTaken{Id: id}}})
}

func asksThing(t *testing.T, v *gopeer.Viewer, id uint32, kind mfpb.TalkKind) {
	t.Helper()
	say(t, v, &mfpb.TalkMessage{Body: &mfpb.TalkMessage_Ask{Ask: &mfpb.TalkAsk{Id: id, Kind: kind}}})
}

func withChat(chat string) func(*rig, *session.Config) {
	return func(r *rig, _ *session.Config) { r.chat = chat }
}

func TestChatGoesBothWays(t *testing.T) {
	r := start(t, withChat("log"))
	e := newEar(t)
	v, s := r.live(e.listens)
	e.until("where it is kept", func(got []*mfpb.TalkMessage) bool {
		return len(got) > 0 && got[0].GetKept().GetRecord() == mfpb.TalkRecord_TALK_RECORD_LOG
	})

	saysLine(t, v, 1, " Bonjour\u202e\r\n\r\n\r\nca\u200bva\x1b[31m? ")
	if st := r.window.WaitFor(t, "where it is kept", func(e ui.Event) bool {
		return e.Name == "status" && strings.Contains(e.Text, "kept")
	}); !strings.Contains(st.Text, "record of this session.") {
		t.Errorf("the person was told %q", st.Text)
	}
	c := r.window.Wait(t, "chat").Chat
	if c.Text != "Bonjour\n\ncava[31m?" || c.From != "1" || c.Name != "Ana Tremblay" {
		t.Errorf("the person reads %+v", c) // C69: names from the host's own list
	}
	l := e.line(1)
	if l.Text != "Bonjour\n\ncava[31m?" || l.From != "1" || l.Name != "Ana Tremblay" || l.Yours != 1 || l.Id != 1 || l.At < 1e12 {
		t.Errorf("the technician reads %v", l)
	}
	r.window.Say(ui.Command{Do: "say", Text: "Je ne\nvois rien."})
	if l := e.line(2); l.Text != "Je ne\nvois rien." || l.From != "" || l.Name != "" || l.Yours != 0 {
		t.Errorf("the person's line came as %v", l)
	}
	first := s.event("chat.line")
	var data, personal map[string]any
	if json.Unmarshal(first.Data, &data) != nil || json.Unmarshal(first.Personal, &personal) != nil ||
		data["participant"] != "1" || personal["text"] != "Bonjour\n\ncava[31m?" || strings.Contains(string(first.Data), "Bonjour") {
		t.Errorf("logged %s %s", first.Data, first.Personal)
	}
	r.window.Say(ui.Command{Do: "stop"})
	if n := s.event("chat.counted"); string(n.Data) != `{"person":1,"technicians":1}` {
		t.Errorf("counted %s", n.Data)
	}
}

// Where the policy keeps nothing, nothing that was said is in any event.
func TestChatThatIsNotKeptIsOnlyCounted(t *testing.T) {
	r := start(t)
	e := newEar(t)
	v, s := r.live(e.listens)
	saysLine(t, v, 1, "secret words")
	e.line(1)
	r.window.Say(ui.Command{Do: "stop"})
	s.event("chat.counted")
	s.closed()
	for _, ev := range s.events {
		if ev.Type == "chat.line" || strings.Contains(string(ev.Data)+string(ev.Personal), "secret words") {
			t.Errorf("%s holds what was said: %s %s", ev.Type, ev.Data, ev.Personal)
		}
	}
}

// C68: who has not had a first yes reads nothing and is not read.
func TestNothingIsSaidBeforeTheFirstYes(t *testing.T) {
	r := start(t)
	l := r.server.accept()
	l.welcome()
	l.plate(nameplate)
	e := newEar(t)
	v, _ := r.pair(l, e.listens)
	if err := v.Connect(ctx(t)); err != nil {
		t.Fatal(err)
	}
	if err := v.WaitProven(ctx(t)); err != nil {
		t.Fatal(err)
	}
	saysLine(t, v, 1, "click on Allow, quickly")
	r.window.Say(ui.Command{Do: "say", Text: "who are you?"})
	e.until("a refusal", func(got []*mfpb.TalkMessage) bool {
		return len(got) == 1 && got[0].GetRefused().GetWhy() == mfpb.TalkRefusal_TALK_REFUSAL_EARLY
	})
	for _, ev := range r.window.Events() {
		if ev.Name == "chat" {
			t.Errorf("the person read %q before saying yes", ev.Chat.Text)
		}
	}
	r.window.Answer(t, "view", "allow")
	r.window.WaitFor(t, "the yes", func(e ui.Event) bool {
		return e.Name == "participants" && len(e.Participants[0].Grants) > 0 && e.Participants[0].Grants[0].State == "allowed"
	})
	saysLine(t, v, 2, "thank you")
	if got := e.line(1); got.Text != "thank you" || len(e.lines()) != 1 {
		t.Errorf("heard %v", e.lines())
	}
}

// C68: who joins hears nothing of what the others say before the person's yes to them.
func TestNobodyHearsTheChatBeforeTheirOwnYes(t *testing.T) {
	r := start(t)
	e, late := newEar(t), newEar(t)
	v, s := r.live(e.listens)
	expert := must[*gopeer.Viewer](t)(r.claim(s, r.invite(v, expert, 1), late.listens))
	ok(t, expert.Attach(ctx(t)))
	ok(t, expert.WaitProven(ctx(t)))
	saysLine(t, v, 1, "between us")
	e.line(1)
	saysLine(t, expert, 1, "let me in")
	late.until("a refusal, and nothing before it", func(got []*mfpb.TalkMessage) bool {
		return len(got) > 0 && got[0].GetRefused().GetWhy() == mfpb.TalkRefusal_TALK_REFUSAL_EARLY
	})
}

// C70: over a reconnect no line is lost and none is there twice.
func TestChatSurvivesACutLine(t *testing.T) {
	r := start(t)
	e := newEar(t)
	v, _ := r.live(e.listens)
	saysLine(t, v, 1, "one")
	e.line(1)
	takes(t, v, 1)
	saysLine(t, v, 2, "two")
	e.line(2) // so the first was taken; this one is not
	r.window.Say(ui.Command{Do: "say", Text: "three"})
	e.line(3) // nor is this
	v.Cut()
	r.window.WaitFor(t, "that the line is lost", func(e ui.Event) bool {
		return e.Name == "participants" && !e.Participants[0].Connected
	})
	r.window.Say(ui.Command{Do: "say", Text: "four"})
	if err := v.Connect(ctx(t)); err != nil {
		t.Fatal(err)
	}
	if err := v.WaitProven(ctx(t)); err != nil {
		t.Fatal(err)
	}
	saysLine(t, v, 2, "two") // its echo was lost, as far as it knows
	saysLine(t, v, 3, "five")
	e.line(7)
	var said []string
	for _, l := range e.lines() {
		said = append(said, fmt.Sprint(l.Id, " ", l.Text))
	}
	if got := strings.Join(said, ", "); got != "1 one, 2 two, 3 three, 2 two, 3 three, 4 four, 5 five" {
		t.Errorf("heard %s", got)
	}
	n := 0
	for _, ev := range r.window.Events() {
		if ev.Name == "chat" {
			n++
		}
	}
	if n != 5 {
		t.Errorf("the person reads %d lines", n)
	}
}

// C71: a flood is refused and the session goes on.
func TestAFloodOfChatIsRefused(t *testing.T) {
	r := start(t, withClock, withChat("note"))
	e := newEar(t)
	v, s := r.live(e.listens)
	const flood = 10_000
	for i := range uint64(flood) {
		saysLine(t, v, i+1, "é\u0301\u202e flood")
	}
	e.until("every answer", func(got []*mfpb.TalkMessage) bool {
		n := 0
		for _, m := range got {
			if m.GetRefused().GetWhy() == mfpb.TalkRefusal_TALK_REFUSAL_QUICK {
				n++
			}
		}
		return n == flood-20
	})
	s.mu.Lock()
	logged := 0
	for _, ev := range s.events {
		if ev.Type == "chat.line" {
			logged++
		}
	}
	s.mu.Unlock()
	if logged != 20 {
		t.Errorf("%d lines are in the log", logged)
	}
	for i := range uint64(16) { // what has come is said to have come
		takes(t, v, i+1)
	}
	e.line(20)
	r.clock.Advance(time.Second)
	saysLine(t, v, flood+1, strings.Repeat("𝄞", 5000))
	takes(t, v, 20)
	if l := e.line(21); l.Text != strings.Repeat("𝄞", wire.ChatLimit) {
		t.Errorf("a long line came as %d bytes", len(l.Text))
	}
	if v.Grant("view") != gopeer.Allowed {
		t.Error("the session did not go on")
	}
}

// C72: what was not allowed, or is no more, is neither read nor sent.
func TestThingsNeedTheirGrants(t *testing.T) {
	shots := 0
	r := start(t, func(_ *rig, cfg *session.Config) {
		cfg.Shot = func(context.Context) (*image.RGBA, error) {
			shots++
			img := image.NewRGBA(image.Rect(0, 0, 1200, 900))
			for i := range img.Pix { // compresses to nothing
				img.Pix[i] = byte(i * i >> 7 * 31)
			}
			img.SetRGBA(7, 5, color.RGBA{1, 2, 3, 255})
			return img, nil
		}
	})
	e := newEar(t)
	v, s := r.live(e.listens)
	for id, kind := range map[uint32]mfpb.TalkKind{1: mfpb.TalkKind_TALK_KIND_PICTURE, 2: mfpb.TalkKind_TALK_KIND_SYSTEM, 3: 77} {
		asksThing(t, v, id, kind)
		if head, data := e.thing(id); head.Trouble != mfpb.TalkTrouble_TALK_TROUBLE_DENIED || data != nil {
			t.Errorf("without a grant: %v, %d bytes", head, len(data))
		}
	}
	if shots != 0 {
		t.Error("a picture was taken without a grant")
	}

	r.allow(v, "screenshot")
	asksThing(t, v, 4, mfpb.TalkKind_TALK_KIND_PICTURE)
	head, data := e.thing(4)
	sum := sha256.Sum256(data)
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil || !bytes.Equal(head.Sha256, sum[:]) || img.Bounds() != image.Rect(0, 0, 1200, 900) {
		t.Fatalf("the picture: %v, %v", head, err)
	}
	if r, g, b, _ := img.At(7, 5).RGBA(); r>>8 != 1 || g>>8 != 2 || b>>8 != 3 {
		t.Error("the picture is another one")
	}
	r.window.WaitFor(t, "that a picture was taken", func(e ui.Event) bool {
		return e.Name == "status" && strings.Contains(e.Text, "Ana Tremblay took a picture of your screen")
	})
	if ev := s.event("screenshot.taken"); !strings.Contains(string(ev.Data), `"width":1200`) || len(ev.Personal) != 0 {
		t.Errorf("logged %s", ev.Data)
	}

	r.allow(v, "sysinfo")
	asksThing(t, v, 5, mfpb.TalkKind_TALK_KIND_SYSTEM)
	_, data = e.thing(5)
	var sheet sysinfo.Sheet
	if err := json.Unmarshal(data, &sheet); err != nil || len(data) > wire.MaxSystem || len(sheet.Rows) < 5 {
		t.Errorf("what the computer is: %v %s", err, data)
	}
	r.window.Say(ui.Command{Do: "revoke", Grant: "sysinfo"})
	if err := v.WaitGrant(ctx(t), "sysinfo", gopeer.Revoked); err != nil {
		t.Fatal(err)
	}
	asksThing(t, v, 6, mfpb.TalkKind_TALK_KIND_SYSTEM)
	if head, _ := e.thing(6); head.Trouble != mfpb.TalkTrouble_TALK_TROUBLE_DENIED {
		t.Errorf("after taking back: %v", head)
	}
	// Who hides the screen hides it from pictures too.
	r.window.Say(ui.Command{Do: "revoke", Grant: "view"})
	if err := v.WaitGrant(ctx(t), "screenshot", gopeer.Revoked); err != nil {
		t.Fatal(err)
	}
}

// C72: a picture that is on its way ends when the person takes the grant back.
func TestTakingBackStopsAPictureOnItsWay(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	r := start(t, func(_ *rig, cfg *session.Config) {
		cfg.Shot = func(context.Context) (*image.RGBA, error) {
			close(entered)
			<-goOn
			return image.NewRGBA(image.Rect(0, 0, 8, 8)), nil
		}
	})
	e := newEar(t)
	v, s := r.live(e.listens)
	r.allow(v, "screenshot")
	asksThing(t, v, 1, mfpb.TalkKind_TALK_KIND_PICTURE)
	<-entered
	r.window.Say(ui.Command{Do: "revoke", Grant: "screenshot"})
	if err := v.WaitGrant(ctx(t), "screenshot", gopeer.Revoked); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	asksThing(t, v, 2, mfpb.TalkKind_TALK_KIND_PICTURE)
	e.thing(2) // denied; nothing came before it
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.got {
		if m.GetPart() != nil || m.GetThing().GetSize() > 0 {
			t.Errorf("sent after it was taken back: %v", m)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range s.events {
		if ev.Type == "screenshot.taken" {
			t.Error("the log has a picture that nobody got")
		}
	}
}

// What only the host says, and what is out of order, takes the viewer out.
// TestTheEndDoesNotWaitForAPictureOnItsWay: what is made when the session ends goes
// nowhere, and the host ends. More than once, because it is a matter of the moment.
func TestTheEndDoesNotWaitForAPictureOnItsWay(t *testing.T) {
	for range 12 {
		t.Run("", func(t *testing.T) {
			entered, goOn := make(chan struct{}), make(chan struct{})
			r := start(t, func(_ *rig, cfg *session.Config) {
				cfg.Shot = func(context.Context) (*image.RGBA, error) {
					close(entered)
					<-goOn
					return image.NewRGBA(image.Rect(0, 0, 8, 8)), nil
				}
			})
			v, _ := r.live()
			r.allow(v, "screenshot")
			asksThing(t, v, 1, mfpb.TalkKind_TALK_KIND_PICTURE)
			<-entered
			r.window.Say(ui.Command{Do: "stop"})
			r.window.Wait(t, "ended")
			time.AfterFunc(50*time.Millisecond, func() { close(goOn) }) // the loop is over by then, most times
			r.wait()
		})
	}
}

func TestForgedTalkEndsIt(t *testing.T) {
	for name, m := range map[string]*mfpb.TalkMessage{
		"a gap":   {Body: &mfpb.TalkMessage_Line{Line: &mfpb.TalkLine{Id: 2, Text: "x"}}},
		"no id":   {Body: &mfpb.TalkMessage_Line{Line: &mfpb.TalkLine{Text: "x"}}},
		"kept":    {Body: &mfpb.TalkMessage_Kept{Kept: &mfpb.TalkKept{}}},
		"a part":  {Body: &mfpb.TalkMessage_Part{Part: &mfpb.TalkPart{Id: 1}}},
		"unsent":  {Body: &mfpb.TalkMessage_Taken{Taken: &mfpb.TalkTaken{Id: 1}}},
		"nothing": {},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			v, _ := r.live()
			say(t, v, m)
			want := mfpb.Reason_REASON_PROTOCOL
			if name == "nothing" {
				want = mfpb.Reason_REASON_UNKNOWN_MESSAGE
			}
			if got, err := v.WaitEnd(ctx(t)); err != nil || got != want {
				t.Errorf("ended with %v, %v", got, err)
			}
		})
	}
}

// The person keeps a receipt, says how it was, and complains, when the session is
// over and the line closed.
func TestGoodbye(t *testing.T) {
	posts := make(chan string, 8)
	r := start(t, func(r *rig, cfg *session.Config) {
		r.receipt = "/receipt#tok-en_1"
		ws := r.server.http.Config.Handler
		r.server.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.Method != http.MethodPost {
				ws.ServeHTTP(w, q)
				return
			}
			var b bytes.Buffer
			_, _ = b.ReadFrom(q.Body)
			posts <- q.URL.Path + " " + b.String()
			w.WriteHeader(http.StatusNoContent)
		})
	})
	v, s := r.live()
	saysLine(t, v, 1, "hello")
	r.window.Wait(t, "chat")
	r.control(v)
	r.window.Say(ui.Command{Do: "stop"})
	receipt := r.window.Wait(t, "ended").Receipt
	for _, want := range []string{"127.0.0.1", "Aide & Co", "Ana Tremblay, from ", "“See your screen”: allowed", "Lines in the chat: 1", sessionID, "http://127.0.0.1:", "abus@exemple.ca"} {
		if !strings.Contains(receipt.Text, want) {
			t.Errorf("the receipt lacks %q:\n%s", want, receipt.Text)
		}
	}
	if receipt.Report != "mailto:abus@exemple.ca" || !strings.HasSuffix(receipt.Link, "/receipt#tok-en_1") {
		t.Errorf("%+v", receipt)
	}
	s.closed()
	r.wait()
	bye := r.host.Goodbye()
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.txt")
	if err := os.WriteFile(path, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.window.Say(ui.Command{Do: "keep_receipt", Path: path})
	r.window.Say(ui.Command{Do: "keep_receipt", Path: filepath.Join(dir, "no", "such", "place")})
	r.window.Say(ui.Command{Do: "rate", Score: 4, Text: "Merci\u202e !"})
	r.window.Say(ui.Command{Do: "rate", Score: 5})
	r.window.Say(ui.Command{Do: "report", Text: "He was rude."})
	r.window.Say(ui.Command{Do: "again"})
	if c, ok := bye.Wait(ctx(t)); !ok || c.Do != "again" {
		t.Errorf("%+v, %v", c, ok)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "mine (2).txt"))
	if err != nil || string(kept) != receipt.Text {
		t.Errorf("kept %q, %v", kept, err)
	}
	if old, _ := os.ReadFile(path); string(old) != "dear" {
		t.Error("another file was overwritten")
	}
	close(posts)
	var got []string
	for p := range posts {
		got = append(got, p)
	}
	want := []string{`/api/v1/receipts/tok-en_1/feedback {"score":4,"text":"Merci !"}`, `/api/v1/receipts/tok-en_1/abuse {"text":"He was rude."}`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the server heard %q", got)
	}
	for _, text := range []string{"could not be saved there", "Your answer has arrived", "Your report has arrived"} {
		found := false
		for _, ev := range r.window.Events() {
			found = found || strings.Contains(ev.Text, text)
		}
		if !found {
			t.Errorf("the person was not told %q", text)
		}
	}
}
