package hostile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// victim is the technician's side: somebody types the code into it.
type victim interface {
	// claim types the code and sends it.
	claim(code string)
	// hears waits until the technician is told this: "code WRONG_CODE" above the
	// field for the code, "ended TAMPERED", "live". A bar parts two words that may
	// race each other.
	hears(what string)
	// blind: no picture was seen.
	blind()
	// silent: no data channel carried more than the proof.
	silent()
	// unconnected: no connection was so much as tried.
	unconnected()
}

// page is the real viewer in Chromium.
type page struct {
	t *testing.T
	b *stage.Browser
	d time.Duration
}

// watch keeps what the page says and does. __patience shortens the page's timers
// of more than 10 s, ms.
const watch = `(() => {
  const w = window.__watch = { states: [], peers: 0, messages: [] };
  document.addEventListener('mf-state', e => w.states.push(e.detail));
  const Peer = RTCPeerConnection, open = Peer.prototype.createDataChannel;
  window.RTCPeerConnection = class extends Peer { constructor(...a) { super(...a); w.peers++ } };
  Peer.prototype.createDataChannel = function (label, init) {
    const c = open.call(this, label, init);
    if (label !== 'tiles') c.addEventListener('message', () => w.messages.push(label));
    return c;
  };
  const after = window.setTimeout;
  window.setTimeout = (f, ms, ...a) => after(f, ms > 10000 ? Math.min(ms, window.__patience) : ms, ...a);
  window.__patience = Infinity;
  return true;
})()`

// openPage loads the server's page.
func openPage(t *testing.T, s *scene) *page {
	t.Helper()
	p := &page{t: t, b: chromium, d: patience}
	p.must(p.b.Goto(s.server.URL + "/"))
	_, err := stage.Eval[bool](p.b, watch)
	p.must(err)
	return p
}

func (p *page) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) claim(code string) {
	p.t.Helper()
	_, err := stage.Eval[bool](p.b, fmt.Sprintf(`(root => {
  const field = root.querySelector('#code');
  field.value = %q;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  root.querySelector('#code-form').requestSubmit();
  return true;
})(document.querySelector('remote-session').shadowRoot)`, code))
	p.must(err)
}

// hurry makes the page wait no more than 3 s for what takes it 20 and more.
func (p *page) hurry() {
	p.t.Helper()
	_, err := stage.Eval[float64](p.b, "window.__patience = 3000")
	p.must(err)
}

// said is what the page said last, and the words that the technician reads.
type said struct {
	State, Reason, Text string
	Painted             bool
	Peers               int
	Messages            []string
	States              []string
}

func (p *page) said() said {
	p.t.Helper()
	v, err := stage.Eval[said](p.b, fmt.Sprintf(`(() => {
  const w = window.__watch, last = w.states.at(-1) ?? {}, root = document.querySelector('remote-session').shadowRoot;
  const from = root.querySelector('#picture canvas'), to = document.createElement('canvas');
  to.width = to.height = 8;
  const c = to.getContext('2d'); if (from) c.drawImage(from, 0, 0); // the room may not be there yet
  const [r, g, b] = c.getImageData(4, 4, 1, 1).data;
  const text = root.querySelector(last.state === 'ended' ? '#reason' : '#code-error');
  return { State: last.state ?? '', Reason: last.reason ?? '', Text: text && text.getClientRects().length ? text.textContent : '',
    Painted: (r << 16 | g << 8 | b) === %d, Peers: w.peers, Messages: w.messages, States: w.states.map(s => s.state) };
})()`, colour))
	p.must(err)
	return v
}

func (p *page) hears(what string) {
	p.t.Helper()
	var v said
	for until := time.Now().Add(p.d); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		v = p.said()
		now := strings.TrimSpace(v.State + " " + v.Reason)
		if slices.Contains(strings.Split(what, "|"), now) && (what != "live" || v.Painted) {
			if v.Reason != "" && !strings.Contains(v.Text, sentence(p.t, v.Reason)) {
				p.t.Errorf("the technician is told %s in these words: %q", v.Reason, v.Text)
			}
			return
		}
		if v.Reason != "" {
			break // it is over, with another word
		}
	}
	p.t.Errorf("the technician is told %+v, want %q", v, what)
}

// sentence is how the viewer says a reason in English.
func sentence(t *testing.T, reason string) string {
	t.Helper()
	b, err := os.ReadFile("../../../viewer/locales/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(b, &texts); err != nil {
		t.Fatal(err)
	}
	s := texts["reason."+reason]
	if s == "" {
		t.Errorf("there is no sentence for %s", reason)
	}
	return s
}

func (p *page) blind() {
	p.t.Helper()
	v := p.said()
	if v.Painted {
		p.t.Error("the person's screen is on the canvas")
	}
	for _, s := range v.States {
		if s == "live" || s == "connecting" {
			p.t.Errorf("the page said %q", s)
		}
	}
}

func (p *page) silent() {
	p.t.Helper()
	if v := p.said(); len(v.Messages) > 1 {
		p.t.Errorf("the data channels carried %v", v.Messages)
	}
}

func (p *page) unconnected() {
	p.t.Helper()
	if v := p.said(); v.Peers > 0 {
		p.t.Errorf("the page tried %d connections", v.Peers)
	}
}

// peer is the viewer in Go.
type peer struct {
	t   *testing.T
	ctx context.Context
	url string
	opt gopeer.Options

	viewer *gopeer.Viewer
	told   string
}

func openPeer(t *testing.T, s *scene) *peer {
	return &peer{t: t, ctx: s.ctx, url: s.server.URL}
}

func (p *peer) claim(code string) {
	p.t.Helper()
	line, err := gopeer.Dial(p.ctx, strings.Replace(p.url, "http", "ws", 1)+"/ws/viewer", http.Header{"Origin": {p.url}}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.opt.Line, p.opt.Code, p.opt.Ticket = line, code, "t1"
	p.viewer, err = gopeer.Pair(p.ctx, p.opt)
	if err != nil {
		line.Close()
		p.told = "code " + reason(p.t, err)
		return
	}
	p.t.Cleanup(func() { p.viewer.Close() })
	if err = p.viewer.Attach(p.ctx); err == nil {
		if err = p.viewer.WaitGrant(p.ctx, "view", gopeer.Allowed); err == nil {
			_, err = p.viewer.WaitUpdate(p.ctx, 0)
		}
	}
	if err == nil {
		p.told = "live"
		return
	}
	p.told = "ended " + reason(p.t, err)
	// A viewer that finds something says so, as the real one does.
	_ = line.Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_End{End: &mfpb.End{Reason: wire.Reason(err)}}})
}

func reason(t *testing.T, err error) string {
	t.Helper()
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing more was said: %v", err)
	}
	return wire.Name(wire.Reason(err))
}

func (p *peer) hears(what string) {
	p.t.Helper()
	if !slices.Contains(strings.Split(what, "|"), p.told) {
		p.t.Errorf("the technician is told %q, want %q", p.told, what)
	}
}

func (p *peer) blind() {
	p.t.Helper()
	if p.viewer == nil {
		return
	}
	if w, h, _ := p.viewer.Pixels(); w*h > 0 {
		p.t.Errorf("a picture of %d × %d", w, h)
	}
}

func (p *peer) silent() {
	p.t.Helper()
	if p.viewer == nil {
		return
	}
	for _, c := range wire.Channels() {
		if n, _ := p.viewer.Received(c.ID); n > 1 || n == 1 && c.ID != wire.ChannelControl {
			p.t.Errorf("%d messages on %s", n, c.Label)
		}
	}
}

func (p *peer) unconnected() {
	p.t.Helper()
	if p.viewer != nil {
		p.t.Error("it paired")
	}
}
