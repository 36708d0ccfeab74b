//go:build prove

package notes

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

// tracker is a real Request Tracker behind a line, with n tickets; config is more
// of its own.
func (w *world) tracker(n int, config ...string) described {
	w.t.Helper()
	rt, err := ticketstest.StartRT(config...)
	w.must(err)
	w.t.Cleanup(rt.Stop)
	call := func(method, path string, in, out any) {
		w.t.Helper()
		body, err := json.Marshal(in)
		w.must(err)
		req, err := http.NewRequestWithContext(w.ctx, method, rt.URL+"/REST/2.0/"+path, strings.NewReader(string(body)))
		w.must(err)
		req.Header.Set("Authorization", "token "+rt.Worker)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			w.t.Fatalf("%s %s: %s", method, path, resp.Status)
		}
		w.must(json.NewDecoder(resp.Body).Decode(out))
	}
	d := &desk{name: "rt", line: ticketstest.NewLine(w.t, rt.URL)}
	for i := range n {
		var made struct{ ID json.Number }
		call("POST", "ticket", map[string]any{"Queue": "General", "Subject": fmt.Sprintf("L'imprimante %d ne répond plus", i), "Requestor": "zoe@example.test"}, &made)
		d.tickets = append(d.tickets, "rt:"+made.ID.String())
	}
	d.markers = func(ticket string) (list []string) {
		for page := 1; ; page++ {
			var history struct {
				Items []map[string]any
				Pages int
			}
			call("GET", fmt.Sprintf("ticket/%s/history?per_page=100&page=%d&fields=Type,Data", strings.TrimPrefix(ticket, "rt:"), page), nil, &history)
			for _, h := range history.Items {
				if h["Type"] != "Comment" && h["Type"] != "Correspond" {
					continue
				}
				// The subject of a note ends with its key.
				data, _ := h["Data"].(string)
				if m := marker.FindString(data); m != "" {
					list = append(list, m)
				} else {
					w.t.Errorf("%s: a note without a key: %.200q", ticket, data)
				}
			}
			if page >= history.Pages {
				return list
			}
		}
	}
	return described{d, map[string]any{"name": "rt", "system": "rt", "per_minute": 6000, "url": d.line.URL, "token": rt.Worker}}
}

// keep writes a result to docs/measured.
func (w *world) keep(name string, v any) {
	w.t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	w.must(err)
	w.t.Logf("%s", b)
	if w.t.Failed() {
		return
	}
	root, err := stage.Root(w.ctx)
	w.must(err)
	w.must(os.WriteFile(filepath.Join(root, "docs", "measured", name), append(b, '\n'), 0o644))
}

// load is the machine's load average of the last minute.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(b), " ")
	return load
}

// fakes are the vendors whose fakes stand beside the real desk.
var fakes = []string{"jira", "servicenow", "zammad", "zendesk"}

// TestProveNoNoteIsLostOrDoubled holds a thousand sessions, three in ten for a real
// Request Tracker and the others for strict fakes and the embedded desk, while a
// fifth of all replies of the desks is lost, a tenth of all requests is answered
// by a wish for a pause, and the server is killed twenty times.
func TestProveNoNoteIsLostOrDoubled(t *testing.T) {
	const sessions, real, kills = 1000, 300, 20
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := newWorld(t, 28*time.Minute)
	rt := w.tracker(30)
	desks := []described{rt}
	for _, name := range fakes {
		desks = append(desks, w.faked(name, 20))
	}
	w.with(desks...)
	w.open(8)
	w.embedded(20)
	others := w.desks[1:]
	began := time.Now()
	w.trouble.Store(true)
	killed := w.killing(seed, kills, 15*time.Second, 40*time.Second)
	// Request Tracker serves one request after the other: a few technicians at a
	// time work on its tickets.
	var all, slow []*held
	var both sync.WaitGroup
	both.Go(func() { slow = w.run(seed, real, 1, 3, func(int) *desk { return rt.desk }) })
	both.Go(func() {
		all = w.run(seed+1, sessions-real, 1.5, 50, func(i int) *desk { return others[i%len(others)] })
	})
	both.Wait()
	all = append(all, slow...)
	<-killed
	w.drained()
	w.trouble.Store(false)
	took := time.Since(began)
	r := w.check(all)
	each := map[string]int{}
	for _, s := range all {
		name := s.desk.name
		if name == "" {
			name = "local"
		}
		each[name]++
	}
	if r.Sessions != sessions || w.kills.Load() != kills || each["rt"] != real || w.lost.Load() == 0 || w.paused.Load() == 0 {
		t.Errorf("%+v, %d kills, %v", r, w.kills.Load(), each)
	}
	w.keep("notes.json", map[string]any{
		"time": time.Now().UTC().Format(time.RFC3339), "seed": seed, "minutes": took.Minutes(), "sessions_by_desk": each,
		"replies_lost": w.lost.Load(), "requests_answered_429": w.paused.Load(), "kills": w.kills.Load(),
		"pairings_tried_again": w.again.Load(), "hosts_resumed": w.resumed.Load(), "result": r,
	})
}

// TestProveANoteIsInTheRealDeskSoon: without any trouble, 60 sessions, or
// MAINFORTE_NOTES, at 0.3 a second, from the host's end until Request Tracker has
// taken the note.
func TestProveANoteIsInTheRealDeskSoon(t *testing.T) {
	sessions := 60
	if s := os.Getenv("MAINFORTE_NOTES"); s != "" {
		var err error
		if sessions, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := newWorld(t, 10*time.Minute)
	rt := w.tracker(10, "Set($BcryptCost, 12);") // as it comes
	w.with(rt)
	w.open(2)
	before := load()
	all := w.run(seed, sessions, 0.3, 28, func(int) *desk { return rt.desk })
	w.drained()
	r := w.check(all)
	var took []float64
	for _, s := range all {
		at, ok := w.arrived.Load(tickets.Marker(s.id, "end"))
		if !s.closed {
			continue // it ended when its grace did
		}
		if !ok {
			t.Errorf("the note of session %s was not seen on its way", s.id)
			continue
		}
		took = append(took, math.Round(at.(time.Time).Sub(s.ended).Seconds()*1000)/1000)
	}
	slices.Sort(took)
	if len(took) == 0 {
		t.Fatal("nothing was measured")
	}
	at := func(p int) float64 { return took[(len(took)-1)*p/100] }
	w.keep("notes-time.json", map[string]any{
		"time": time.Now().UTC().Format(time.RFC3339), "seed": seed, "sessions": len(all), "per_second": 0.3,
		"load_before": before, "load_after": load(),
		"seconds_p50": at(50), "seconds_p95": at(95), "seconds_max": at(100), "result": r,
	})
}
