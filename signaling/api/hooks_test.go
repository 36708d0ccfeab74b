package api

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/tickets"
)

var hookKey = bytes.Repeat([]byte("k"), 32)

// deskHooks is a site with a desk "board" whose hooks are signed with hookKey. Its
// tickets cannot be read; any number is one.
func deskHooks(t *testing.T) *site {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	secret := tickets.SecretPrefix + base64.StdEncoding.EncodeToString(hookKey)
	return newSite(t, func(c *Config) {
		c.Desks.Desks = []tickets.DeskSetup{{Name: "board", Config: tickets.Config{System: "webhook", URL: receiver.URL, Token: secret, HookSecret: secret}}}
	})
}

// signed is a hook and its headers.
func signed(id string, at time.Time, key []byte, e tickets.OwnHook) (string, []string) {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "%s.%d.%s", id, at.Unix(), b)
	return string(b), []string{
		"Webhook-Id", id, "Webhook-Timestamp", fmt.Sprint(at.Unix()),
		"Webhook-Signature", "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)),
	}
}

func about(kind, ticket, assignee string) tickets.OwnHook {
	return tickets.OwnHook{Type: "ticket." + kind, Time: time.Now(), Data: tickets.OwnHookData{Ticket: ticket, Assignee: assignee}}
}

// stream is what a console hears.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	resp  *http.Response
}

func (v *visitor) listen() *stream {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), "GET", v.site.srv.URL+"/api/v1/news", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { resp.Body.Close() })
	l := &stream{v.t, bufio.NewScanner(resp.Body), resp}
	if resp.StatusCode == http.StatusOK && !l.lines.Scan() {
		v.t.Fatal("the line does not begin")
	}
	return l
}

// next is the next item that is told.
func (l *stream) next() newsItem {
	l.t.Helper()
	for l.lines.Scan() {
		text, ok := strings.CutPrefix(l.lines.Text(), "data: ")
		if !ok {
			continue
		}
		if err := promised().told("GET /api/v1/news", []byte(text)); err != nil {
			l.t.Errorf("openapi.yaml: %v", err)
		}
		var item newsItem
		if err := json.Unmarshal([]byte(text), &item); err != nil {
			l.t.Fatal(err)
		}
		return item
	}
	l.t.Fatalf("the line ended: %v", l.lines.Err())
	return newsItem{}
}

// ended tells whether nothing more comes.
func (l *stream) ended() bool {
	for l.lines.Scan() {
		if strings.HasPrefix(l.lines.Text(), "data: ") {
			return false
		}
	}
	return true
}

// received are the hooks in the log.
func (s *site) received() (list []string) {
	s.t.Helper()
	events, err := s.Log().Events(s.t.Context(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == "ticket.hook_received" {
			list = append(list, fmt.Sprint(e.Ticket, " ", e.Data["kind"], " ", e.Actor.Kind, " ", e.Actor.Ref))
		}
	}
	return list
}

// A desk gives a ticket to somebody: it is in that technician's list, and the
// console hears of it. Then the desk closes it: the consoles hear, and it is gone.
func TestWhatADeskTellsReachesTheConsole(t *testing.T) {
	s := deskHooks(t)
	chloe, bob := s.as(identity.Technician, "Chloé Martin"), s.as(identity.Technician, "Bob")
	hers, his := chloe.listen(), bob.listen()
	desk := s.visitor()
	tell := func(id string, e tickets.OwnHook) {
		body, headers := signed(id, time.Now(), hookKey, e)
		desk.want(204, "POST", "/hooks/board", body, headers...)
	}
	tell("1", about(tickets.HookAssigned, "B-7", "martin.chloe@desk.test"))
	if got := hers.next(); got.Ticket != "board:B-7" || got.Kind != "assigned" || !got.Mine {
		t.Errorf("she hears %+v", got)
	}
	if got := his.next(); got.Ticket != "board:B-7" || got.Mine {
		t.Errorf("he hears %+v", got)
	}
	if list := chloe.want(200, "GET", "/api/v1/queue", nil)["tickets"].([]any); len(list) != 1 || list[0].(map[string]any)["id"] != "board:B-7" {
		t.Errorf("her list: %v", list)
	}
	if list := bob.want(200, "GET", "/api/v1/queue", nil)["tickets"].([]any); len(list) != 0 {
		t.Errorf("his list: %v", list)
	}

	tell("2", about(tickets.HookAssigned, "B-7", "BOB"))
	hers.next()
	if got := his.next(); !got.Mine {
		t.Errorf("he hears %+v", got)
	}
	tell("3", about(tickets.HookClosed, "B-7", ""))
	if list := bob.want(200, "GET", "/api/v1/queue", nil)["tickets"].([]any); len(list) != 0 {
		t.Errorf("his list after the end: %v", list)
	}

	// Told once: neither the same again, nor of a ticket that nobody here has to do with.
	tell("3", about(tickets.HookClosed, "B-7", ""))
	tell("4", about(tickets.HookClosed, "B-8", ""))
	tell("5", about(tickets.HookAssigned, "B-8", "somebody.else@desk.test"))
	if got, want := s.received(), "board:B-7 assigned integration board|board:B-7 assigned integration board|board:B-7 closed integration board"; strings.Join(got, "|") != want {
		t.Errorf("the log holds %v", got)
	}
}

func TestOnlyTheDeskItselfTells(t *testing.T) {
	s := deskHooks(t)
	s.as(identity.Technician, "Ann")
	e := about(tickets.HookAssigned, "B-7", "ann")
	body, headers := signed("1", time.Now(), hookKey, e)
	v := s.visitor()
	for what, c := range map[string]struct {
		status int
		code   string
		path   string
		body   string
		h      []string
	}{
		"no signature":    {401, "BAD_SIGNATURE", "/hooks/board", body, nil},
		"another body":    {401, "BAD_SIGNATURE", "/hooks/board", body + " ", headers},
		"another desk":    {404, "NOT_FOUND", "/hooks/rt", body, headers},
		"the embedded":    {404, "NOT_FOUND", "/hooks/local", body, headers},
		"nothing at all":  {401, "BAD_SIGNATURE", "/hooks/board", "", nil},
		"far too much":    {413, "TOO_LARGE", "/hooks/board", strings.Repeat("x", tickets.MaxHook+1), headers},
		"a browser's":     {403, "CROSS_ORIGIN", "/hooks/board", body, append([]string{"Sec-Fetch-Site", "cross-site"}, headers...)},
		"a strange event": nonsense(),
		"too old":         old(e),
	} {
		resp, raw := v.do("POST", c.path, c.body, c.h...)
		if resp.StatusCode != c.status || !strings.Contains(string(raw), c.code) {
			t.Errorf("%s: %d %s", what, resp.StatusCode, raw)
		}
	}
	if got := s.received(); len(got) != 0 {
		t.Errorf("the log holds %v", got)
	}
	// P18: guessing ends, and a desk elsewhere is not held up by it.
	for range badHooks.N {
		v.do("POST", "/hooks/board", body)
	}
	if resp, _ := v.do("POST", "/hooks/board", body, headers...); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after %d guesses: %d", badHooks.N, resp.StatusCode)
	}
}

type badHook = struct {
	status int
	code   string
	path   string
	body   string
	h      []string
}

func nonsense() badHook {
	body, h := signed("9", time.Now(), hookKey, tickets.OwnHook{Type: "ticket.burnt", Data: tickets.OwnHookData{Ticket: "7"}})
	return badHook{422, "BAD_HOOK", "/hooks/board", body, h}
}

func old(e tickets.OwnHook) badHook {
	body, h := signed("1", time.Now().Add(-time.Hour), hookKey, e)
	return badHook{401, "BAD_SIGNATURE", "/hooks/board", body, h}
}

// A ticket of the embedded desk that a colleague closes is told too, and the line
// outlives the limits that the server sets for answers.
func TestALineStaysOpen(t *testing.T) {
	s := newSite(t)
	s.beat = 20 * time.Millisecond
	web := s.HTTP()
	web.ReadTimeout, web.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go web.Serve(l) //nolint:errcheck // it ends with Close
	t.Cleanup(func() { web.Close() })
	ann := s.as(identity.Technician, "Ann")
	id, _ := ann.made("x", "en")
	here := s.srv.URL
	s.srv.URL = "http://" + l.Addr().String() // cookies know no ports
	line := ann.listen()
	s.srv.URL = here
	for beats := 0; beats < 10; {
		if !line.lines.Scan() {
			t.Fatalf("the line ended after %d beats: %v", beats, line.lines.Err())
		}
		if line.lines.Text() == ":" {
			beats++
		}
	}
	ann.want(200, "POST", "/api/v1/tickets/"+id+"/close", map[string]any{})
	if got := line.next(); got.Ticket != id || got.Kind != "closed" || got.Mine {
		t.Errorf("heard %+v", got)
	}
}

// Listening is no work: it ends with the sign-in, and does not keep it alive.
func TestAListenerIsSignedIn(t *testing.T) {
	s := newSite(t, func(c *Config) {
		in := c.Identity
		c.Identity = func(i *identity.Config) { in(i); i.Idle = time.Second }
	})
	s.beat = 20 * time.Millisecond
	ann := s.as(identity.Technician, "Ann")
	line := ann.listen()
	if !line.ended() {
		t.Error("something was told")
	}
	if resp := ann.listen().resp; resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after a second without work: %d", resp.StatusCode)
	}
	bob := s.as(identity.Technician, "Bob")
	for i := range newsLines + 1 {
		want := http.StatusOK
		if i == newsLines {
			want = http.StatusNoContent
		}
		if resp := bob.listen().resp; resp.StatusCode != want {
			t.Errorf("line %d: %d", i+1, resp.StatusCode)
		}
	}
	bob.code(406, "NOT_A_STREAM", "GET", "/api/v1/news", nil)
}

// A console that does not read is cut off; it holds up nobody.
func TestASlowListenerIsCutOff(t *testing.T) {
	n := newNews()
	slow, other := n.join("a", "u", identity.Technician), n.join("b", "u", identity.Technician)
	for range newsWaiting + 1 {
		n.tell(newsItem{Ticket: "7", Kind: "closed"})
		<-other.items
	}
	for range newsWaiting {
		<-slow.items
	}
	if _, ok := <-slow.items; ok {
		t.Error("it is not cut off")
	}
	n.leave(slow)
	n.close()
	if _, ok := <-other.items; ok || n.join("c", "u", identity.Technician) != nil {
		t.Error("a line outlives the server")
	}
}
