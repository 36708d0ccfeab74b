package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
)

var (
	errBadCursor    = &problem{http.StatusUnprocessableEntity, "BAD_CURSOR"}
	errBadRole      = &problem{http.StatusUnprocessableEntity, "BAD_ROLE"}
	errBadTier      = &problem{http.StatusUnprocessableEntity, "BAD_TIER"}
	errLastAdmin    = &problem{http.StatusConflict, "LAST_ADMIN"}
	errNoTeam       = &problem{http.StatusNotFound, "NO_TEAM"}
	errNoUser       = &problem{http.StatusNotFound, "NO_USER"}
	errProvided     = &problem{http.StatusConflict, "PROVIDED"}
	errTooManyTeams = &problem{http.StatusConflict, "TOO_MANY_TEAMS"}
	errUserClosed   = &problem{http.StatusConflict, "USER_CLOSED"}
)

// peoplePage is how many users, and how many changes, one answer holds.
const peoplePage = 50

type userAnswer struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Role     identity.Role `json:"role"`
	Created  time.Time     `json:"created"`
	Disabled *time.Time    `json:"disabled"`
	SignIns  int           `json:"signins"`
	Seen     *time.Time    `json:"seen"`
	Provider *string       `json:"provider"`
	Teams    []string      `json:"teams"`
	You      bool          `json:"you"`
}

func userOf(c *call, a identity.Account) userAnswer {
	u := userAnswer{a.ID, a.Name, a.Role, a.Created.UTC(), orNull(a.Disabled), a.SignIns, orNull(a.Seen), nil, a.Teams, a.ID == c.in.User.ID}
	if a.Provider != "" {
		u.Provider = &a.Provider
	}
	if u.Teams == nil {
		u.Teams = []string{}
	}
	return u
}

type teamAnswer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Tier    int    `json:"tier"`
	Members int    `json:"members"`
}

func teamOf(t identity.Team) teamAnswer { return teamAnswer{t.ID, t.Name, t.Tier, t.Members} }

// listUsers is GET /api/v1/users: by name, a page at a time.
func (s *Server) listUsers(w http.ResponseWriter, c *call) error {
	q := c.URL.Query()
	f := identity.Find{Query: q.Get("q"), After: q.Get("after"), Limit: peoplePage}
	switch q.Get("state") {
	case "", "open":
	case "closed":
		f.Closed = true
	default:
		return errInvalidState
	}
	list, more, err := s.house.users.Accounts(c.Context(), f)
	if err != nil {
		return err
	}
	out := make([]userAnswer, len(list))
	for i, a := range list {
		out[i] = userOf(c, a)
	}
	answer(w, http.StatusOK, map[string]any{"users": out, "more": more})
	return nil
}

type oneTimeLink struct {
	Path    string        `json:"path"` // under this server's own name; shown this once
	Role    identity.Role `json:"role"`
	Expires time.Time     `json:"expires"`
}

// makeLink answers a one-time link, which nobody can ask for again.
func (s *Server) makeLink(w http.ResponseWriter, c *call, l identity.Link) error {
	l.By = c.actor()
	token, err := s.house.users.Link(c.Context(), l)
	if err != nil {
		return err
	}
	now := time.Now()
	answer(w, http.StatusCreated, oneTimeLink{"/signin/" + token, l.Role, now.Add(identity.LinkLife).UTC().Truncate(time.Second)})
	return nil
}

// inviteUser is POST /api/v1/users: a link with which a new person makes an account.
func (s *Server) inviteUser(w http.ResponseWriter, c *call) error {
	var in struct {
		Name  string   `json:"name"`
		Role  string   `json:"role"`
		Teams []string `json:"teams"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	role, ok := identity.ParseRole(in.Role)
	if !ok {
		return errBadRole
	}
	return s.makeLink(w, c, identity.Link{Name: in.Name, Role: role, Teams: in.Teams})
}

// resetUser is POST /api/v1/users/{id}/link: a link for a new password.
func (s *Server) resetUser(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	a, err := s.house.users.Account(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	return s.makeLink(w, c, identity.Link{For: a.ID, Role: a.Role})
}

func (s *Server) setRole(w http.ResponseWriter, c *call) error {
	var in struct {
		Role string `json:"role"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	role, ok := identity.ParseRole(in.Role)
	if !ok {
		return errBadRole
	}
	a, err := s.house.users.SetRole(c.Context(), c.actor(), c.PathValue("id"), role)
	return s.account(w, c, a, err)
}

func (s *Server) setUserTeams(w http.ResponseWriter, c *call) error {
	var in struct {
		Teams []string `json:"teams"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	a, err := s.house.users.SetTeams(c.Context(), c.actor(), c.PathValue("id"), in.Teams)
	return s.account(w, c, a, err)
}

// account answers what became of one.
func (s *Server) account(w http.ResponseWriter, c *call, a identity.Account, err error) error {
	if err != nil {
		return err
	}
	// Who can take what is handed over may have changed with it.
	s.news.tell(newsItem{Kind: newsWork})
	answer(w, http.StatusOK, userOf(c, a))
	return nil
}

// change is a route that does one thing about an account and needs to be told
// nothing more.
func (s *Server) change(do func(c *call, id string) (identity.Account, error)) route {
	return func(w http.ResponseWriter, c *call) error {
		if err := read(w, c, &struct{}{}); err != nil {
			return err
		}
		a, err := do(c, c.PathValue("id"))
		return s.account(w, c, a, err)
	}
}

func (s *Server) disableUser(c *call, id string) (identity.Account, error) {
	return s.house.users.Disable(c.Context(), c.actor(), id)
}

func (s *Server) enableUser(c *call, id string) (identity.Account, error) {
	return s.house.users.Enable(c.Context(), c.actor(), id)
}

func (s *Server) signOutUser(c *call, id string) (identity.Account, error) {
	return s.house.users.EndSignIns(c.Context(), c.actor(), id)
}

func (s *Server) listTeams(w http.ResponseWriter, c *call) error {
	list, err := s.house.users.Teams(c.Context())
	if err != nil {
		return err
	}
	out := make([]teamAnswer, len(list))
	for i, t := range list {
		out[i] = teamOf(t)
	}
	answer(w, http.StatusOK, map[string]any{"teams": out})
	return nil
}

// readTeam is what a new or changed team is to be.
func readTeam(w http.ResponseWriter, c *call) (identity.Team, error) {
	var in struct {
		Name string `json:"name"`
		Tier int    `json:"tier"`
	}
	err := read(w, c, &in)
	return identity.Team{ID: c.PathValue("id"), Name: in.Name, Tier: in.Tier}, err
}

func (s *Server) makeTeam(w http.ResponseWriter, c *call) error {
	t, err := readTeam(w, c)
	if err != nil {
		return err
	}
	if t, err = s.house.users.NewTeam(c.Context(), c.actor(), t); err != nil {
		return err
	}
	answer(w, http.StatusCreated, teamOf(t))
	return nil
}

func (s *Server) setTeam(w http.ResponseWriter, c *call) error {
	t, err := readTeam(w, c)
	if err == nil {
		err = s.house.users.SetTeam(c.Context(), c.actor(), t)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) removeTeam(w http.ResponseWriter, c *call) error {
	if err := s.house.users.RemoveTeam(c.Context(), c.actor(), c.PathValue("id")); err != nil {
		return err
	}
	s.news.tell(newsItem{Kind: newsWork}) // what waited for it is everybody's
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// adminChanges are the types of events that say what was changed about who may do
// what. An admin reads these and no others: they are about colleagues, not about the
// people who are helped.
var adminChanges = []string{
	"auth.link_created", "auth.link_used", "auth.role_changed", "auth.disabled", "auth.enabled", "auth.signins_ended", "auth.provided",
	"team.created", "team.changed", "team.removed", "team.joined", "team.left",
	"token.created", "token.revoked", "policy.changed", "policy.set", "brand.set", "log.key_rotated",
	"desk.added", "desk.changed", "desk.removed", "desk.checked", "desk.policy_set",
}

type changeAnswer struct {
	Index int64          `json:"index"`
	Time  time.Time      `json:"time"`
	Type  string         `json:"type"`
	Actor actorAnswer    `json:"actor"`
	User  *string        `json:"user"` // name of the one whom it is about
	Team  *string        `json:"team"` // and of the team
	Name  *string        `json:"name"` // of the team or the token, as it was then
	Data  map[string]any `json:"data"`
}

// listChanges is GET /api/v1/changes: what admins changed, the last first.
func (s *Server) listChanges(w http.ResponseWriter, c *call) error {
	before := int64(-1)
	if b := c.URL.Query().Get("before"); b != "" {
		n, err := strconv.ParseInt(b, 10, 64)
		if err != nil || n < 0 {
			return errBadCursor
		}
		before = n
	}
	list, err := s.house.audit.Recent(c.Context(), adminChanges, before, peoplePage+1)
	if err != nil {
		return err
	}
	more := len(list) > peoplePage
	list = list[:min(len(list), peoplePage)]
	names, err := s.namesIn(c, list)
	if err != nil {
		return err
	}
	out := make([]changeAnswer, len(list))
	for i, r := range list {
		a := changeAnswer{Index: r.Index, Time: r.Time.UTC(), Type: r.Type, Actor: actorAnswer{Kind: r.Actor.Kind, Ref: r.Actor.Ref}, Data: r.Data}
		a.Actor.Name, a.User, a.Team = names(r.Actor.Ref), names(r.Data["user"]), names(r.Data["team"])
		if name, ok := r.Personal["name"].(string); ok {
			a.Name = &name
		}
		if at, ok := r.Personal["address"].(string); ok && strings.HasPrefix(r.Type, "desk.") {
			a.Name = &at
		}
		out[i] = a
	}
	answer(w, http.StatusOK, map[string]any{"changes": out, "more": more})
	return nil
}

// namesIn looks up who and which teams the events are about, as they are called
// today; a name that is gone is null.
func (s *Server) namesIn(c *call, list []audit.Record) (func(id any) *string, error) {
	var ids []string
	for _, r := range list {
		ids = append(ids, r.Actor.Ref)
		if id, ok := r.Data["user"].(string); ok {
			ids = append(ids, id)
		}
	}
	users, err := s.house.users.Names(c.Context(), ids)
	if err != nil {
		return nil, err
	}
	teams, err := s.house.users.Teams(c.Context())
	if err != nil {
		return nil, err
	}
	for _, t := range teams {
		users[t.ID] = t.Name
	}
	return func(id any) *string {
		key, _ := id.(string)
		name, ok := users[key]
		if !ok {
			return nil
		}
		return &name
	}, nil
}
