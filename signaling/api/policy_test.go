package api

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/policy"
	"github.com/mainforte/mainforte/signaling/store"
)

// An admin begins with a preset and changes a line; the next session goes by it.
func TestAPolicyIsChosen(t *testing.T) {
	s := newSite(t)
	root, ann := s.as(identity.Admin, "Root"), s.as(identity.Technician, "Ann")
	p := root.want(200, "GET", "/api/v1/policy", nil)
	if p["version"] != 0.0 || p["preset"] != "" || len(p["ruled_out"].([]any)) != 0 || p["retention"] != nil {
		t.Errorf("at first: %v", p)
	}
	presets := map[string]map[string]any{}
	for _, e := range p["presets"].([]any) {
		m := e.(map[string]any)
		presets[m["name"].(string)] = m
	}
	set := func(version int, of map[string]any, change map[string]any) map[string]any {
		kept := of["retention"].(map[string]any)
		body := map[string]any{
			"version": version, "ruled_out": of["ruled_out"], "minutes": of["minutes"], "factor": []string{},
			"retention": map[string]any{"sessions_days": kept["sessions_days"], "outside_days": kept["outside_days"]},
		}
		for k, v := range change {
			body[k] = v
		}
		return body
	}
	bank := presets["bank"]
	got := root.want(200, "PUT", "/api/v1/policy", set(0, bank, map[string]any{"factor": bank["factor"]}))
	if got["version"] != 1.0 || got["preset"] != "bank" || got["retention"].(map[string]any)["name"] != "finance" {
		t.Errorf("as the preset: %v", got)
	}
	// Now everybody needs a factor, the admin too: a way on is open, and only that.
	ann.code(403, "FACTOR_NEEDED", "GET", "/api/v1/desks", nil)
	root.code(403, "FACTOR_NEEDED", "GET", "/api/v1/policy", nil)
	root.want(200, "GET", "/api/v1/me/factors", nil)
	yes := func(store.Tx) error { return nil }
	if err := s.policy.Set(t.Context(), audit.Actor{Kind: "system"}, 1, policy.Policy{}, yes, yes); err != nil {
		t.Fatal(err)
	}

	root.code(409, "POLICY_CHANGED", "PUT", "/api/v1/policy", set(1, bank, nil))
	root.code(422, "BAD_POLICY", "PUT", "/api/v1/policy", set(2, bank, map[string]any{"minutes": 1}))
	root.code(422, "BAD_POLICY", "PUT", "/api/v1/policy", set(2, bank, map[string]any{"ruled_out": []string{"view"}}))
	root.code(422, "BAD_POLICY", "PUT", "/api/v1/policy", set(2, bank, map[string]any{"factor": []string{"root"}}))
	root.code(422, "BAD_POLICY", "PUT", "/api/v1/policy", set(2, bank, map[string]any{"retention": map[string]any{"sessions_days": 7, "outside_days": 365}}))
	root.code(400, "BAD_JSON", "PUT", "/api/v1/policy", set(2, bank, map[string]any{"unattended": true}))
	got = root.want(200, "PUT", "/api/v1/policy", set(2, bank, map[string]any{"ruled_out": []string{"file_out", "control"}, "retention": nil}))
	if got["version"] != 3.0 || got["preset"] != "" || got["retention"].(map[string]any)["name"] != "finance" {
		t.Errorf("with a line changed: %v", got)
	}

	ticket := ann.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "x", "lang": "fr"})["id"].(string)
	l := ann.live(ticket)
	if o := l.opened; strings.Join(o.RuledOut, " ") != "control file_out" || o.EndsInS != 3600 {
		t.Errorf("the host is told %v", o)
	}
	changes := root.want(200, "GET", "/api/v1/changes", nil)["changes"].([]any)
	last := changes[0].(map[string]any)
	if data := last["data"].(map[string]any); last["type"] != "policy.set" || data["ruled_out"] != "control+file_out" || data["was_ruled_out"] != "" {
		t.Errorf("the last change: %v", last)
	}
}

// C125: whoever has not just proven who they are changes nothing.
func TestAPolicyNeedsAFreshProof(t *testing.T) {
	var ahead atomic.Int64
	s := newSite(t, func(c *Config) {
		before := c.Identity
		c.Identity = func(ic *identity.Config) {
			before(ic)
			ic.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		}
	})
	root := s.as(identity.Admin, "Root")
	ahead.Store(int64(identity.StepUpLife))
	body := map[string]any{"version": 0, "ruled_out": []string{"control"}, "minutes": 0, "factor": []string{}, "retention": map[string]any{"sessions_days": 30, "outside_days": 30}}
	root.code(403, "STEP_UP", "PUT", "/api/v1/policy", body)
	p := root.want(200, "GET", "/api/v1/policy", nil)
	if p["version"] != 0.0 || p["retention"] != nil {
		t.Errorf("without a proof it is %v", p)
	}
	root.want(204, "POST", "/api/v1/stepup", map[string]any{"password": password})
	root.want(200, "PUT", "/api/v1/policy", body)
}
