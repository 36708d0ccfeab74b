package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	capturefake "github.com/mainforte/mainforte/host/capture/fake"
	"github.com/mainforte/mainforte/host/input"
	inputfake "github.com/mainforte/mainforte/host/input/fake"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/hostile"
	"github.com/mainforte/mainforte/internal/wire"
)

const (
	// patience bounds every attack: by then both sides must have said why.
	patience = 20 * time.Second
	// colour fills the person's screen.
	colour = 0x2266aa
)

// clock is the host's time. Skip lets it jump.
type clock struct {
	mu      sync.Mutex
	skipped time.Duration
	jumped  chan struct{}
}

func newClock() *clock { return &clock{jumped: make(chan struct{})} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.skipped)
}

// Until may be early: the engine looks at Now again.
func (c *clock) Until(at time.Time) <-chan time.Time {
	c.mu.Lock()
	jumped, wait := c.jumped, time.Until(at)-c.skipped
	c.mu.Unlock()
	out := make(chan time.Time, 1)
	go func() {
		t := time.NewTimer(min(wait, patience)) // no longer than the scene
		defer t.Stop()
		select {
		case <-t.C:
		case <-jumped:
		}
		out <- c.Now()
	}()
	return out
}

func (c *clock) Skip(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skipped += d
	close(c.jumped)
	c.jumped = make(chan struct{})
}

// person says yes to everything at once: the worst that can happen to an attack's
// victim. What they are shown is kept.
type person struct {
	mu       sync.Mutex
	events   []ui.Event
	changed  chan struct{}
	commands chan ui.Command
}

func newPerson() *person {
	return &person{changed: make(chan struct{}), commands: make(chan ui.Command, 256)}
}

func (p *person) Show(e ui.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
	close(p.changed)
	p.changed = make(chan struct{})
	if e.Name == "ask" {
		p.commands <- ui.Command{ID: e.ID, Answer: "allow"}
	}
}

func (p *person) Commands() <-chan ui.Command { return p.commands }
func (p *person) Close() error                { return nil }

func (p *person) seen() []ui.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// word is an event in two words: "ended TAMPERED", "status wrong_code", "ask view".
func word(e ui.Event) string {
	what := e.Reason
	switch e.Name {
	case "ask":
		what = e.Grant
	case "status":
		for _, key := range []string{"waiting", "claim", "wrong_code", "connecting", "reconnecting", "server_away", "server_back", "viewer_away", "viewer_back"} {
			text, _, _ := strings.Cut(ui.Load("en").T("status."+key, "server", hostile.PublicHost, "name", "Anaïs Tremblay"), "{duration}")
			if strings.HasPrefix(e.Text, text) {
				what = key
			}
		}
	}
	return strings.TrimSpace(e.Name + " " + what)
}

func (p *person) words() []string {
	var all []string
	for _, e := range p.seen() {
		all = append(all, word(e))
	}
	return all
}

// await waits until ok accepts an event.
func (p *person) await(ctx context.Context, ok func(ui.Event) bool) (ui.Event, error) {
	for {
		p.mu.Lock()
		events, changed := p.events, p.changed
		p.mu.Unlock()
		if i := slices.IndexFunc(events, ok); i >= 0 {
			return events[i], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ui.Event{}, fmt.Errorf("the person is not told: %w", ctx.Err())
		}
	}
}

// desk is one host with its person and its computer.
type desk struct {
	t      *testing.T
	ctx    context.Context
	person *person
	clock  *clock
	screen *capturefake.Source
	hands  *inputfake.Injector
	over   chan struct{}

	mu     sync.Mutex
	opened int // times that screen and hands were opened
}

// scene is one attack: a hostile server and a real host. Who types the code is
// the victim's matter.
type scene struct {
	*desk
	server *hostile.Server
	held   chan func() // what the server keeps back
}

// newScene starts a server and a host. The attack may speak of the scene.
func newScene(t *testing.T, attack func(*scene) hostile.Attack) *scene {
	t.Helper()
	s := &scene{held: make(chan func(), 16)}
	var a hostile.Attack
	if attack != nil {
		a = attack(s)
	}
	s.server = hostile.Serve(a)
	t.Cleanup(s.server.Close)
	s.desk = newDesk(t, s.server)
	return s
}

func newDesk(t *testing.T, server *hostile.Server) *desk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	d := &desk{
		t: t, ctx: ctx, person: newPerson(), clock: newClock(), over: make(chan struct{}),
		screen: capturefake.New(t, 320, 200), hands: inputfake.New(t),
	}
	d.screen.Fill(image.Rect(0, 0, 320, 200), colour)
	url, err := session.ParseServer(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg := session.Config{
		Server: url, Lang: "en", Window: d.person, Clock: d.clock, Software: "hostile",
		OpenDesktop: func() (capture.Source, input.Injector, input.Guard, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.opened++; d.opened > 1 {
				return nil, nil, nil, errors.New("opened twice")
			}
			return d.screen, d.hands, &inputfake.Guard{}, nil
		},
	}
	if testing.Verbose() {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	go func() {
		defer close(d.over)
		_ = session.New(cfg).Run(ctx) // what it says to the person is what counts here
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-d.over:
		case <-time.After(patience):
			t.Error("the host does not end")
		}
	})
	return d
}

// code waits for the first code that the person can read.
func (d *desk) code() string {
	d.t.Helper()
	e, err := d.person.await(d.ctx, func(e ui.Event) bool { return e.Name == "code" })
	if err != nil {
		d.t.Fatalf("%v; they were told %q", err, d.person.words())
	}
	return e.Code
}

// parts are the nameplate and the secret of the first code.
func (d *desk) parts() (nameplate, secret string) {
	d.t.Helper()
	nameplate, secret, err := wire.ParseCode(d.code())
	if err != nil {
		d.t.Fatal(err)
	}
	return nameplate, secret
}

// secretNow is the secret of the first code.
func (d *desk) secretNow() string {
	_, secret := d.parts()
	return secret
}

// codes are all codes that the person was shown.
func (d *desk) codes() []string {
	var all []string
	for _, e := range d.person.seen() {
		if e.Name == "code" {
			all = append(all, e.Code)
		}
	}
	return all
}

// wrong is another secret than the right one.
func (d *desk) wrong() string {
	_, secret := d.parts()
	if secret[0] == '9' {
		return "0" + secret[1:]
	}
	return string(secret[0]+1) + secret[1:]
}

// hears waits until the person is told this.
func (d *desk) hears(what string) {
	d.t.Helper()
	e, err := d.person.await(d.ctx, func(e ui.Event) bool { return word(e) == what })
	if err != nil {
		d.t.Errorf("%v %q, but %q", err, what, d.person.words())
		return
	}
	if e.Text == "" || strings.Contains(e.Text, "reason.") || strings.Contains(e.Text, "{") {
		d.t.Errorf("the person is told %q in no words: %q", what, e.Text)
	}
}

// untouched: nobody was asked anything, nothing was opened, nothing moved.
func (d *desk) untouched() {
	d.t.Helper()
	for _, w := range d.person.words() {
		if strings.HasPrefix(w, "ask") || strings.HasPrefix(w, "session") || strings.HasPrefix(w, "participants") {
			d.t.Errorf("nobody proved anything, and the person is shown %q", w)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened > 0 {
		d.t.Error("nobody proved anything, and the desktop was opened")
	}
	d.unmoved()
}

// unmoved: no key and no pointer did anything.
func (d *desk) unmoved() {
	d.t.Helper()
	for _, op := range d.hands.Ops() {
		if op != "prepare" && op != "restore" {
			d.t.Errorf("input reached the desktop: %q", op)
		}
	}
}

// keptFromServer: the secret, and whatever tells how to connect, never reached the
// server in the clear (P1).
func (s *scene) keptFromServer() {
	s.t.Helper()
	needles := []string{"a=fingerprint", "a=ice-pwd", "candidate:"}
	for _, e := range s.person.seen() {
		if _, secret, err := wire.ParseCode(e.Code); e.Name == "code" && err == nil {
			needles = append(needles, secret)
		}
	}
	for _, e := range s.server.Record() {
		for _, n := range needles {
			if !e.Told && strings.Contains(string(e.Raw), n) {
				s.t.Errorf("the server was told %q in %v", n, e)
			}
		}
	}
}
