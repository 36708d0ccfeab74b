package policy

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/retention"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func TestPresetsAreProper(t *testing.T) {
	names := []string{}
	for _, p := range Presets() {
		names = append(names, p.Name)
		if _, ok := retention.Preset(p.Retention); !ok {
			t.Errorf("%s keeps names as %q, which is no preset", p.Name, p.Retention)
		}
		if p.Called() != p.Name {
			t.Errorf("%s is called %q: two presets are the same", p.Name, p.Called())
		}
		if p.Minutes == 0 || len(p.Factor) == 0 || len(p.RuledOut) == 0 {
			t.Errorf("%s rules nothing", p.Name)
		}
	}
	if want := []string{"bank", "government", "hospital", "school", "telecom"}; !slices.Equal(names, want) {
		t.Errorf("presets %v, want %v", names, want)
	}
}

// A grant that the host learns can be ruled out, too: each has its words there.
func TestEveryGrantOfTheHostCanBeRuledOut(t *testing.T) {
	raw, err := os.ReadFile("../../host/ui/locales/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		t.Fatal(err)
	}
	known := 0
	for key := range texts {
		name, ok := strings.CutPrefix(key, "grant.")
		if !ok || name == "view" {
			continue
		}
		known++
		if !slices.Contains(Grants(), name) {
			t.Errorf("%s cannot be ruled out", name)
		}
	}
	if known != len(Grants()) {
		t.Errorf("the host has %d grants besides view, the policy knows %d", known, len(Grants()))
	}
}

func TestWhatIsNoPolicy(t *testing.T) {
	for name, p := range map[string]Policy{
		"without view":   {RuledOut: []string{"view"}},
		"an odd grant":   {RuledOut: []string{"control", "Control"}},
		"a blank":        {RuledOut: []string{"file_in file_out"}},
		"a short one":    {Minutes: 4},
		"a negative one": {Minutes: -60},
		"a long one":     {Minutes: 24*60 + 1},
		"an odd role":    {Factor: []identity.Role{"root"}},
	} {
		if _, err := p.tidy(); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := Policy{RuledOut: []string{"file_out", "control", "control"}, Factor: []identity.Role{identity.Admin, identity.Technician, identity.Admin}}.tidy()
	if err != nil || joined(p.RuledOut) != "control+file_out" || joined(p.Factor) != "technician+admin" {
		t.Errorf("%+v %v", p, err)
	}
	for _, bad := range []string{`{"name":"x","minutes":1}`, `{"name":"x","unattended":true}`, `{"name":"x"} {}`, ``} {
		if _, err := parsePreset([]byte(bad)); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// C125: what was and what is stand in the log, in the transaction that asked whether
// the actor may; who is too late changes nothing.
func TestAPolicyIsSetOnceAndWrittenDown(t *testing.T) {
	st := storetest.Open(t, t.TempDir())
	log, err := audit.Open(t.Context(), st, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open(t.Context(), st, log)
	if err != nil {
		t.Fatal(err)
	}
	if p, v := k.InForce(); v != 0 || len(p.RuledOut) != 0 || p.Life() != 0 || p.Requires(identity.Admin) {
		t.Fatalf("at first: %+v %d", p, v)
	}
	admin, yes := audit.Actor{Kind: "admin", Ref: "01ADMIN"}, func(store.Tx) error { return nil }
	first := Policy{RuledOut: []string{"file_out", "control"}, Minutes: 60, Factor: []identity.Role{identity.Admin}}
	no := errors.New("no")
	for name, set := range map[string]func() error{
		"who may not":        func() error { return k.Set(t.Context(), admin, 0, first, func(store.Tx) error { return no }, yes) },
		"what else fails":    func() error { return k.Set(t.Context(), admin, 0, first, yes, func(store.Tx) error { return no }) },
		"another version":    func() error { return k.Set(t.Context(), admin, 1, first, yes, yes) },
		"what is none":       func() error { return k.Set(t.Context(), admin, 0, Policy{Minutes: 1}, yes, yes) },
		"who does not wait":  func() error { return k.Set(ended(), admin, 0, first, yes, yes) },
		"a negative version": func() error { return k.Set(t.Context(), admin, -1, first, yes, yes) },
	} {
		if err := set(); err == nil {
			t.Errorf("%s: it is set", name)
		}
	}
	if _, v := k.InForce(); v != 0 {
		t.Fatal("a refused policy is in force")
	}
	if err := k.Set(t.Context(), admin, 0, first, yes, yes); err != nil {
		t.Fatal(err)
	}
	if err := k.Set(t.Context(), admin, 0, Policy{}, yes, yes); !errors.Is(err, ErrChanged) {
		t.Errorf("made from an older one: %v", err)
	}
	if err := k.Set(t.Context(), admin, 1, first, yes, yes); err != nil { // nothing new
		t.Error(err)
	}
	if err := k.Set(t.Context(), admin, 1, Policy{Minutes: 30}, yes, yes); err != nil {
		t.Error(err)
	}
	// The next server goes on with it.
	if k, err = Open(t.Context(), st, log); err != nil {
		t.Fatal(err)
	}
	if p, v := k.InForce(); v != 2 || p.Minutes != 30 || len(p.RuledOut) != 0 {
		t.Errorf("after a restart: %+v %d", p, v)
	}
	events, err := log.Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		if e.Type == "policy.set" {
			got = append(got, strings.Join([]string{e.Actor.Ref, e.Data["was_ruled_out"].(string), e.Data["ruled_out"].(string), e.Data["was_factor"].(string), e.Data["factor"].(string)}, "|"))
		}
	}
	if want := "01ADMIN||control+file_out||admin, 01ADMIN|control+file_out||admin|"; strings.Join(got, ", ") != want {
		t.Errorf("the log holds %q, want %q", strings.Join(got, ", "), want)
	}
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
