package notes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

var program string // the server's

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "mainforte-notes-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if program, err = stage.BuildServer(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// desk is where notes go.
type desk struct {
	name    string // before the colon of its tickets' ids; empty: the embedded one
	tickets []string
	// markers are the keys of all notes in a ticket, as the desk itself tells.
	markers func(ticket string) []string
	line    *ticketstest.Line // nil: there is none
}

// world is the server under test with its desks and technicians.
type world struct {
	t     *testing.T
	ctx   context.Context
	data  string
	addr  string
	desks []*desk
	args  []string // further ones of serve

	cookies []string // of the technicians

	mu     sync.Mutex
	server *stage.Server

	trouble atomic.Bool // the lines are bad
	lost    atomic.Int64
	paused  atomic.Int64 // requests answered with 429
	kills   atomic.Int64
	again   atomic.Int64 // pairings that had to be tried again
	resumed atomic.Int64 // hosts that came back to their session

	arrived sync.Map // when the real desk had taken the note with a key: time.Time
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// newWorld has no server yet: Open starts it, when its desks are there.
func newWorld(t *testing.T, life time.Duration) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), life)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, data: filepath.Join(t.TempDir(), "data")}
	var err error
	w.addr, err = stage.FreeAddr()
	w.must(err)
	return w
}

// open starts the server and signs technicians in.
func (w *world) open(technicians int) {
	w.t.Helper()
	w.start()
	w.t.Cleanup(func() {
		if w.t.Failed() {
			out := w.server.Out.String()
			w.t.Logf("server:\n%s", out[max(0, len(out)-6000):])
		}
		_ = w.server.Stop()
	})
	for i := range technicians {
		w.cookies = append(w.cookies, w.account("technician", fmt.Sprintf("Anaïs Tremblay %d", i+1)))
	}
}

func (w *world) start() {
	w.t.Helper()
	s, err := stage.StartServer(w.ctx, program, w.addr, w.data, append([]string{"--grace", "10s"}, w.args...)...)
	w.must(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server = s
}

// account makes one from a one-time link and returns its cookie.
func (w *world) account(role, name string) string {
	w.t.Helper()
	link, err := w.server.Link(w.ctx, role)
	w.must(err)
	resp := w.post("/api/v1/signin/link", "", map[string]any{
		"token": link[strings.LastIndexByte(link, '/')+1:], "name": name, "password": "correct horse battery staple",
	}, nil)
	for _, c := range resp.Cookies() {
		if c.Name == "mf" {
			return c.Name + "=" + c.Value
		}
	}
	w.t.Fatalf("no cookie for %s: %s", name, resp.Status)
	return ""
}

func (w *world) post(path, cookie string, in, out any) *http.Response {
	w.t.Helper()
	body, err := json.Marshal(in)
	w.must(err)
	req, err := http.NewRequestWithContext(w.ctx, "POST", "http://"+w.addr+path, bytes.NewReader(body))
	w.must(err)
	req.Header.Set("Content-Type", "application/json")
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		w.t.Fatalf("%s: %s", path, resp.Status)
	}
	if out != nil {
		w.must(json.NewDecoder(resp.Body).Decode(out))
	}
	return resp
}

// embedded makes tickets in the embedded desk of a server that runs.
func (w *world) embedded(n int) *desk {
	d := &desk{}
	for i := range n {
		var made struct{ ID string }
		w.post("/api/v1/tickets", w.cookies[0], map[string]any{"subject": fmt.Sprintf("L'imprimante %d ne répond plus", i+1), "requester": "Zoé Côté", "lang": "fr"}, &made)
		d.tickets = append(d.tickets, made.ID)
	}
	d.markers = func(ticket string) []string {
		return w.texts("select note_key from ticket_notes where ticket_id = ? and note_key is not null", ticket)
	}
	w.desks = append(w.desks, d)
	return d
}

// bad makes a desk's line lose a fifth of all replies, and answer a tenth of all
// requests with a wish for a pause, while w.trouble.
func (w *world) bad(l *ticketstest.Line) {
	var keys sync.Map // of the notes under way, by request
	l.Instead(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == "POST" {
			body, err := io.ReadAll(r.Body) // from memory
			if m := marker.Find(body); err == nil && m != nil {
				keys.Store(r, string(m))
			}
		}
		if !w.trouble.Load() || rand.IntN(10) != 0 {
			return false
		}
		w.paused.Add(1)
		return ticketstest.Say(http.StatusTooManyRequests, "application/json", `{"message":"slow down"}`, "Retry-After", "1")(rw, r)
	})
	l.Lose(func(r *http.Request) bool {
		if key, ok := keys.LoadAndDelete(r); ok {
			w.arrived.LoadOrStore(key, time.Now())
		}
		if !w.trouble.Load() || rand.IntN(5) != 0 {
			return false
		}
		w.lost.Add(1)
		return true
	})
}

// kill ends the server as a power cut would, and starts it again.
func (w *world) kill() {
	w.t.Helper()
	w.server.Kill()
	w.kills.Add(1)
	w.start()
}
