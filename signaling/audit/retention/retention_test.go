package retention

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

var (
	bg    = context.Background()
	admin = audit.Actor{Kind: "admin", Ref: "01A"}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

func opened(t testing.TB) (*Keeper, store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	st := storetest.Open(t, dir)
	l, err := audit.Open(bg, st, filepath.Join(dir, "keys"))
	must(t, err)
	return &Keeper{Log: l}, st, dir
}

// session writes one that ended so long ago; its key is as old.
func (w *world) session(id string, ago time.Duration) {
	w.t.Helper()
	end := time.Now().Add(-ago)
	for _, typ := range []string{"session.paired", "consent.granted", "session.ended"} {
		w.append(audit.Event{Type: typ, Session: id, Time: end, Personal: map[string]any{"name": w.secret(id), "person": w.secret(id)}})
	}
	must(w.t, w.st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("update audit_keys set created = ? where scope = ?", store.FormatTime(end.Add(-time.Minute)), "session:"+id)
		return err
	}))
}

// world is a log with a day's work in it.
type world struct {
	t   testing.TB
	k   *Keeper
	st  store.Store
	dir string
}

func made(t testing.TB) *world {
	k, st, dir := opened(t)
	return &world{t, k, st, dir}
}

func (w *world) append(e audit.Event) {
	w.t.Helper()
	e.Outcome, e.Origin, e.Actor = "ok", "server", audit.Actor{Kind: "technician", Ref: "01T"}
	_, err := w.k.Log.Append(bg, e)
	must(w.t, err)
}

func (w *world) secret(of string) string { return "Zoë Ölçü of " + of + " at 192.0.2.7" }

func (w *world) states(session string) (list []audit.State) {
	w.t.Helper()
	r, err := w.k.Log.Events(bg, session)
	must(w.t, err)
	for _, e := range r {
		if e.Type != "retention.purged" && e.Type != "policy.changed" && !strings.HasPrefix(e.Type, "legal_hold") {
			list = append(list, e.State)
		}
	}
	return list
}

func (w *world) sound() audit.Report {
	w.t.Helper()
	r, err := w.k.Log.Verify(bg)
	must(w.t, err)
	if !r.OK() {
		w.t.Errorf("the log: %+v", r.Findings)
	}
	return r
}

const day = 24 * time.Hour

func TestWhatIsDueIsPurgedAndNothingElse(t *testing.T) {
	w := made(t)
	w.session("OLD", 91*day)
	w.session("HELD", 91*day)
	w.session("NEW", 89*day)
	w.append(audit.Event{Type: "log.viewed", Session: "OLD"}) // looking does not make it younger
	must(t, w.k.Log.Hold(bg, "HELD", "case 12", admin))
	if r, err := w.k.Run(bg, false); err != nil || r != (Result{}) {
		t.Fatalf("without a policy: %+v, %v", r, err)
	}
	must(t, w.k.Set(bg, Policy{"ninety", 90, 0}, admin))
	r, err := w.k.Run(bg, false)
	if err != nil || r.Sessions != 1 || r.Records != 3 || r.Outside != 0 || r.Held != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for id, want := range map[string]audit.State{"OLD": audit.Purged, "HELD": audit.Present, "NEW": audit.Present} {
		if got := w.states(id); got[0] != want {
			t.Errorf("%s is %v", id, got)
		}
	}
	if r := w.sound(); r.Purged != 3 {
		t.Errorf("%+v", r)
	}
	if r, err := w.k.Run(bg, false); err != nil || r.Sessions != 0 {
		t.Errorf("again: %+v, %v", r, err)
	}
	if _, err := w.k.Log.Purge(bg, "HELD", "request", admin); !errors.Is(err, audit.ErrHeld) {
		t.Errorf("a hold is gone around: %v", err)
	}
	must(t, w.k.Log.Lift(bg, "HELD", "", admin))
	if r, err := w.k.Run(bg, false); err != nil || r.Sessions != 1 || r.Held != 0 {
		t.Errorf("lifted: %+v, %v", r, err)
	}
	if err := w.k.Log.Hold(bg, "NONE", "", admin); !errors.Is(err, audit.ErrNoSession) {
		t.Errorf("a session that is none: %v", err)
	}
	w.sound()
	if p, ran, ok, err := w.k.InForce(bg); err != nil || !ok || p.Name != "ninety" || time.Since(ran) > time.Hour {
		t.Errorf("%+v %v %v %v", p, ran, ok, err)
	}
}

func TestWhatIsOutsideSessionsHasItsOwnAge(t *testing.T) {
	w := made(t)
	w.append(audit.Event{Type: "auth.login", Personal: map[string]any{"name": "Ann"}})
	w.append(audit.Event{Type: "auth.failed", Personal: map[string]any{"address": "192.0.2.7"}})
	w.session("S", time.Minute)
	must(t, w.k.Set(bg, Policy{"short", 0, 30}, admin))
	if r, err := w.k.Run(bg, false); err != nil || r.Outside != 0 {
		t.Fatalf("too early: %+v, %v", r, err)
	}
	w.k.Now = func() time.Time { return time.Now().Add(32 * day) }
	if r, err := w.k.Run(bg, true); err != nil || r.Outside != 2 || r.Sessions != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := w.states(""); !slices.Equal(got, []audit.State{audit.Purged, audit.Purged}) {
		t.Errorf("%v", got)
	}
	if got := w.states("S"); got[0] != audit.Present {
		t.Errorf("a session's: %v", got)
	}
	w.append(audit.Event{Type: "auth.login", Personal: map[string]any{"name": "Bob"}})
	if got := w.states(""); got[2] != audit.Present {
		t.Errorf("afterwards: %v", got)
	}
	w.sound()
}

// What is purged is gone: a clock that jumps must not decide.
func TestAClockThatJumpsPurgesNothing(t *testing.T) {
	w := made(t)
	w.session("S", 400*day)
	w.append(audit.Event{Type: "log.viewed"})
	must(t, w.k.Set(bg, Policy{"year", 365, 365}, admin))
	for _, d := range []time.Duration{-4000 * day, -2 * time.Hour, 8 * day, 4000 * day} {
		w.k.Now = func() time.Time { return time.Now().Add(d) }
		if d > 0 { // lines that the same clock wrote tell nothing
			w.append(audit.Event{Type: "log.viewed", Time: w.k.Now()})
		}
		if _, err := w.k.Run(bg, false); !errors.Is(err, ErrClock) {
			t.Errorf("%v: %v", d, err)
		}
		if got := w.states("S"); got[0] != audit.Present {
			t.Fatalf("%v: %v", d, got)
		}
	}
	if r, err := w.k.Run(bg, true); err != nil || r.Sessions != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTheLoopPurgesOnceADay(t *testing.T) {
	w := made(t)
	w.session("S", 100*day)
	must(t, w.k.Set(bg, Policy{"ninety", 90, 90}, admin))
	w.k.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	ctx, stop := context.WithCancel(bg)
	told := make(chan Result)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.k.Loop(ctx, func(r Result, err error) {
			if err != nil {
				t.Error(err)
			}
			told <- r
		})
	}()
	if r := <-told; r.Sessions != 1 || r.Policy.Name != "ninety" {
		t.Errorf("%+v", r)
	}
	stop()
	<-done
}

func TestPolicies(t *testing.T) {
	names := []string{}
	for _, p := range Presets() {
		names = append(names, p.Name)
		if got, ok := Preset(p.Name); !ok || got != p || p.Sessions < 365 || p.Outside < 90 {
			t.Errorf("%+v", p)
		}
	}
	if !slices.Equal(names, []string{"education", "finance", "government", "health", "telecom"}) {
		t.Errorf("%v", names)
	}
	if _, ok := Preset("none"); ok {
		t.Error("a preset that is none")
	}
	for _, text := range []string{
		``, `{}`, `[]`, `{"name":"a","sessions_days":1}`, `{"name":"","sessions_days":1,"outside_days":1}`,
		`{"name":"a b","sessions_days":1,"outside_days":1}`, `{"name":"A","sessions_days":1,"outside_days":1}`,
		`{"name":"a","sessions_days":-1,"outside_days":1}`, `{"name":"a","sessions_days":1,"outside_days":36526}`,
		`{"name":"a","sessions_days":1.5,"outside_days":1}`, `{"name":"a","sessions_days":"1","outside_days":1}`,
		`{"name":"a","sessions_days":1,"outside_days":1,"more":1}`, `{"name":"a","sessions_days":1,"outside_days":1} {}`,
		`{"name":"` + strings.Repeat("a", 33) + `","sessions_days":1,"outside_days":1}`,
	} {
		if p, err := Parse([]byte(text)); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
	w := made(t)
	if err := w.k.Set(bg, Policy{}, admin); !errors.Is(err, ErrPolicy) {
		t.Errorf("%v", err)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"name":"a","sessions_days":1,"outside_days":0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		text, err := json.Marshal(p)
		must(t, err)
		if again, err := Parse(text); err != nil || again != p || !audit.IsToken(p.Name) {
			t.Fatalf("%s: %+v, %v", b, again, err)
		}
	})
}
