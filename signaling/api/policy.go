package api

import (
	"net/http"

	"github.com/mainforte/mainforte/signaling/audit/retention"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/policy"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

var (
	errBadPolicy     = &problem{http.StatusUnprocessableEntity, "BAD_POLICY"}
	errPolicyChanged = &problem{http.StatusConflict, "POLICY_CHANGED"}
)

// leastKept is how many days names stay at the least by a policy of the page: what
// destroys evidence sooner is said where the server runs.
const leastKept = 30

type keptAnswer struct {
	Name     string `json:"name"` // of the preset that it is, or "own"
	Sessions int    `json:"sessions_days"`
	Outside  int    `json:"outside_days"`
}

func keptOf(p retention.Policy) keptAnswer { return keptAnswer{p.Name, p.Sessions, p.Outside} }

type presetAnswer struct {
	Name string `json:"name"`
	policy.Policy
	Retention keptAnswer `json:"retention"`
}

type policyInForce struct {
	Version int64  `json:"version"`
	Preset  string `json:"preset"` // that it is, line by line; "" for none
	policy.Policy
	Retention *keptAnswer     `json:"retention"` // null: names stay for ever, as nobody said how long
	Grants    []string        `json:"grants"`
	Fixed     []identity.Role `json:"fixed"` // must have a factor whatever the policy says
	Presets   []presetAnswer  `json:"presets"`
}

func (s *Server) retention() *retention.Keeper {
	return &retention.Keeper{Log: s.house.audit, Also: tickets.ForgetTx}
}

// showPolicy is GET /api/v1/policy: what is in force, and where one may begin.
func (s *Server) showPolicy(w http.ResponseWriter, c *call) error {
	p, version := s.policy.InForce()
	out := policyInForce{Version: version, Preset: p.Called(), Policy: p, Grants: policy.Grants(), Fixed: append([]identity.Role{}, s.cfg.Require...)}
	kept, _, ok, err := s.retention().InForce(c.Context())
	if err != nil {
		return err
	}
	if ok {
		k := keptOf(kept)
		out.Retention = &k
	}
	for _, known := range policy.Presets() {
		kept, ok := retention.Preset(known.Retention)
		if !ok {
			return errInternal // our own file; a test reads them all
		}
		out.Presets = append(out.Presets, presetAnswer{known.Name, known.Policy, keptOf(kept)})
	}
	answer(w, http.StatusOK, out)
	return nil
}

// setPolicy is PUT /api/v1/policy: the whole of it, made from the one of a version, by
// an admin who has just proven who they are. Sessions that are open go on by theirs.
func (s *Server) setPolicy(w http.ResponseWriter, c *call) error {
	var in struct {
		Version int64 `json:"version"`
		policy.Policy
		Retention *struct {
			Sessions int `json:"sessions_days"`
			Outside  int `json:"outside_days"`
		} `json:"retention"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	keep := func(store.Tx) error { return nil }
	if r := in.Retention; r != nil {
		want := retention.Policy{Name: "own", Sessions: r.Sessions, Outside: r.Outside}
		for _, days := range []int{r.Sessions, r.Outside} {
			if days != 0 && days < leastKept {
				return errBadPolicy
			}
		}
		for _, known := range retention.Presets() {
			if known.Sessions == want.Sessions && known.Outside == want.Outside {
				want.Name = known.Name
				break
			}
		}
		k := s.retention()
		now, _, ok, err := k.InForce(c.Context())
		if err != nil {
			return err
		}
		if !ok || now.Sessions != want.Sessions || now.Outside != want.Outside {
			keep = func(tx store.Tx) error { return k.SetTx(tx, want, c.actor()) }
		}
	}
	may := func(tx store.Tx) error { return s.house.users.FreshTx(tx, *c.in) } // C125
	if err := s.policy.Set(c.Context(), c.actor(), in.Version, in.Policy, may, keep); err != nil {
		return err
	}
	return s.showPolicy(w, c)
}
