package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

var (
	errDeskAgain      = &problem{http.StatusUnprocessableEntity, "DESK_SECRETS"}
	errDeskCA         = &problem{http.StatusUnprocessableEntity, "DESK_CA"}
	errDeskField      = &problem{http.StatusUnprocessableEntity, "DESK_FIELD"}
	errDeskHook       = &problem{http.StatusUnprocessableEntity, "DESK_HOOK"}
	errDeskInner      = &problem{http.StatusUnprocessableEntity, "DESK_INNER"}
	errDeskName       = &problem{http.StatusUnprocessableEntity, "DESK_NAME"}
	errDeskOfFile     = &problem{http.StatusConflict, "DESK_OF_FILE"}
	errDeskPlain      = &problem{http.StatusUnprocessableEntity, "DESK_PLAIN"}
	errDeskTaken      = &problem{http.StatusConflict, "DESK_TAKEN"}
	errDeskURL        = &problem{http.StatusUnprocessableEntity, "DESK_URL"}
	errDeskUsed       = &problem{http.StatusConflict, "DESK_USED"}
	errDesksChanged   = &problem{http.StatusConflict, "DESKS_CHANGED"}
	errDesksMany      = &problem{http.StatusUnprocessableEntity, "DESKS_MANY"}
	errTicketPolicy   = &problem{http.StatusUnprocessableEntity, "BAD_TICKET_POLICY"}
	errCheckedTooMuch = &problem{http.StatusTooManyRequests, "CHECKED_TOO_OFTEN"}
)

// deskTroubles are what a check says is missing.
var deskTroubles = map[tickets.Trouble]string{
	tickets.TroubleAddress: "CHECK_ADDRESS", tickets.TroubleName: "CHECK_NAME", tickets.TroubleUnreachable: "CHECK_UNREACHABLE",
	tickets.TroubleNoTLS: "CHECK_NO_TLS", tickets.TroubleCertificate: "CHECK_CERTIFICATE", tickets.TroubleElsewhere: "CHECK_ELSEWHERE",
	tickets.TroubleCredentials: "CHECK_CREDENTIALS", tickets.TroubleRights: "CHECK_RIGHTS", tickets.TroubleNothing: "CHECK_NOTHING",
	tickets.TroubleComment: "CHECK_COMMENT", tickets.TroubleJournal: "CHECK_JOURNAL", tickets.TroubleBusy: "CHECK_BUSY",
	tickets.TroubleFails: "CHECK_FAILS", tickets.TroubleSettings: "CHECK_SETTINGS",
}

const (
	// checkWait is how long a desk has to answer to a check.
	checkWait = 15 * time.Second
	// pageOfDesk says that a desk is kept by the page.
	pageOfDesk = "page"
)

// checksOften is for each admin: a check calls an address that they chose (C135).
var checksOften = limit.Every{N: 30, In: 10 * time.Minute}

// deskCheck is how the last check of a desk went.
type deskCheck struct {
	at      time.Time
	trouble tickets.Trouble
	words   string
}

// deskChecks are the last ones, by desk. They are forgotten when the server ends.
type deskChecks struct {
	often *limit.Keyed

	mu   sync.Mutex
	last map[string]deskCheck
}

func newDeskChecks() *deskChecks {
	return &deskChecks{often: limit.New(checksOften, 256), last: map[string]deskCheck{}}
}

func (k *deskChecks) put(desk string, c deskCheck) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last[desk] = c
}

func (k *deskChecks) forget(desk string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.last, desk)
}

func (k *deskChecks) of(desk string) (deskCheck, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.last[desk]
	return c, ok
}

type checkAnswer struct {
	At      time.Time `json:"at"`
	Problem *said     `json:"problem"` // null: it can be used
	Words   string    `json:"words"`   // the desk's own; hostile
}

func checkOf(c *call, k deskCheck) checkAnswer {
	a := checkAnswer{At: k.at.UTC(), Words: k.words}
	if code := deskTroubles[k.trouble]; code != "" {
		a.Problem = &said{code, sentences[c.lang][code]}
	}
	return a
}

// check has a desk called.
func check(ctx context.Context, desk tickets.System) deskCheck {
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	k := deskCheck{at: time.Now()}
	k.trouble, k.words = tickets.TroubleOf(desk.Check(ctx))
	return k
}

// deskFields are those of a desk that anybody who may change it may see.
type deskFields struct {
	URL       string `json:"url"`
	User      string `json:"user"`
	ClientID  string `json:"client_id"`
	From      string `json:"from"`
	To        string `json:"to"`
	Subject   string `json:"subject"`
	Lang      string `json:"lang"`
	Table     string `json:"table"`
	Format    string `json:"format"`
	CA        string `json:"ca"`
	PerMinute int    `json:"per_minute"`
}

type connectedAnswer struct {
	Name   string `json:"name"`
	System string `json:"system"`
	Kept   string `json:"kept"`  // where: "server" (the embedded one), "file" or "page"
	State  string `json:"state"` // "used", or why not
	deskFields
	Has     []string     `json:"has"` // names of the secrets that it has
	Waiting int          `json:"waiting"`
	Check   *checkAnswer `json:"check"` // the last one; null: none since the server began
}

type fieldAnswer struct {
	Name   string   `json:"name"`
	Need   bool     `json:"need"`
	Secret bool     `json:"secret"`
	Of     []string `json:"of"`
}

type systemAnswer struct {
	Name   string        `json:"name"`
	Fields []fieldAnswer `json:"fields"`
}

type setupAnswer struct {
	Version int64             `json:"version"`
	Desks   []connectedAnswer `json:"desks"`
	Policy  policyAnswer      `json:"policy"`
	From    string            `json:"policy_from"` // "page", "file", or "" where nobody said anything
	Systems []systemAnswer    `json:"systems"`
	Allow   []string          `json:"allow"`
}

// showSetup is GET /api/v1/desks/setup: the desks and where each is kept, the policy of
// tickets and where it comes from, and what can be connected.
func (s *Server) showSetup(w http.ResponseWriter, c *call) error {
	waiting, err := s.outbox.WaitingBy(c.Context())
	if err != nil {
		return err
	}
	desks, version := s.connected.Connected()
	out := setupAnswer{Version: version, Allow: []string{}}
	add := func(a connectedAnswer) {
		if k, ok := s.checks.of(a.Name); ok && a.State == string(tickets.StandsUsed) {
			told := checkOf(c, k)
			a.Check = &told
		}
		a.Waiting = waiting[a.Name]
		if a.Has == nil {
			a.Has = []string{}
		}
		out.Desks = append(out.Desks, a)
	}
	used := string(tickets.StandsUsed)
	add(connectedAnswer{Name: tickets.LocalName, System: tickets.LocalName, Kept: "server", State: used})
	for _, d := range s.connected.OfFile() {
		add(connectedAnswer{Name: d.Name, System: d.Config.System, Kept: "file", State: used, deskFields: deskFields{URL: d.Config.URL, Lang: d.Config.Lang}})
	}
	for _, d := range desks {
		add(connectedAnswer{
			Name: d.Name, System: d.System, Kept: pageOfDesk, State: string(d.Standing), Has: d.Has,
			deskFields: deskFields{d.URL, d.User, d.ClientID, d.From, d.To, d.Subject, d.Lang, d.Table, d.Format, d.CA, d.PerMinute},
		})
	}
	p, from := s.connected.Policy()
	out.Policy, out.From = policyAnswer(p), from
	for _, name := range tickets.Systems() {
		a := systemAnswer{Name: name}
		for _, f := range tickets.Fields(name) {
			of := f.Of
			if of == nil {
				of = []string{}
			}
			a.Fields = append(a.Fields, fieldAnswer{f.Name, f.Need, f.Secret, of})
		}
		out.Systems = append(out.Systems, a)
	}
	for _, p := range s.connected.Allow() {
		out.Allow = append(out.Allow, p.String())
	}
	answer(w, http.StatusOK, out)
	return nil
}

// deskEdit is a desk as an admin filled it in.
type deskEdit struct {
	deskFields
	Secrets tickets.Secrets `json:"secrets"`
	Forget  []string        `json:"forget"`
}

func (e deskEdit) as(name, system string) tickets.Edit {
	return tickets.Edit{Forget: e.Forget, Connection: tickets.Connection{
		Name: name, System: system, URL: e.URL, User: e.User, ClientID: e.ClientID, From: e.From, To: e.To, Subject: e.Subject,
		Lang: e.Lang, Table: e.Table, Format: e.Format, CA: e.CA, PerMinute: e.PerMinute, Secrets: e.Secrets,
	}}
}

// fresh is what a change of the desks asks for, in its transaction: an admin who has
// just proven who they are (C134).
func (s *Server) fresh(c *call) func(store.Tx) error {
	return func(tx store.Tx) error { return s.house.users.FreshTx(tx, *c.in) }
}

// addDesk is POST /api/v1/desks/setup.
func (s *Server) addDesk(w http.ResponseWriter, c *call) error {
	var in struct {
		Version int64  `json:"version"`
		Name    string `json:"name"`
		System  string `json:"system"`
		deskEdit
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if err := s.connected.Add(c.Context(), c.actor(), in.Version, in.as(in.Name, in.System).Connection, s.fresh(c)); err != nil {
		return err
	}
	return s.setupIs(w, c, in.Name)
}

// setDesk is PUT /api/v1/desks/setup/{desk}: all of it, but for secrets that are left
// empty.
func (s *Server) setDesk(w http.ResponseWriter, c *call) error {
	var in struct {
		Version int64  `json:"version"`
		System  string `json:"system"`
		deskEdit
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	name := c.PathValue("desk")
	if err := s.connected.Change(c.Context(), c.actor(), in.Version, in.as(name, in.System), s.fresh(c)); err != nil {
		return err
	}
	return s.setupIs(w, c, name)
}

// removeDesk is DELETE /api/v1/desks/setup/{desk}.
func (s *Server) removeDesk(w http.ResponseWriter, c *call) error {
	version, err := strconv.ParseInt(c.URL.Query().Get("version"), 10, 64)
	if err != nil {
		return errDesksChanged
	}
	name := c.PathValue("desk")
	if err := s.connected.Remove(c.Context(), c.actor(), version, name, s.fresh(c)); err != nil {
		return err
	}
	return s.setupIs(w, c, name)
}

// setupIs answers all of it after a change: what was seen of the desk before counts no
// more, and its notes need not wait any longer.
func (s *Server) setupIs(w http.ResponseWriter, c *call, desk string) error {
	s.checks.forget(desk)
	s.outbox.Wake()
	return s.showSetup(w, c)
}

// setTicketPolicy is PUT /api/v1/desks/policy; null is that of the server's file again.
func (s *Server) setTicketPolicy(w http.ResponseWriter, c *call) error {
	var in struct {
		Version int64         `json:"version"`
		Policy  *policyAnswer `json:"policy"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if err := s.connected.SetPolicy(c.Context(), c.actor(), in.Version, (*tickets.Policy)(in.Policy), s.fresh(c)); err != nil {
		return err
	}
	return s.showSetup(w, c)
}

// mayCheck bounds what an admin can have called, and how often (C135).
func (s *Server) mayCheck(c *call) error {
	if !s.checks.often.Take(c.in.User.ID, time.Now()) {
		return errCheckedTooMuch
	}
	return nil
}

// tryDesk is POST /api/v1/desks/setup/check: a desk that is not connected yet, or not so,
// is called. It takes a fresh proof, as connecting it does, and is written down.
func (s *Server) tryDesk(w http.ResponseWriter, c *call) error {
	var in struct {
		Name   string `json:"name"`
		System string `json:"system"`
		deskEdit
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if err := s.house.store.View(c.Context(), s.fresh(c)); err != nil { // C135
		return err
	}
	desk, err := s.connected.Try(in.as(in.Name, in.System))
	if err == nil {
		err = s.mayCheck(c)
	}
	if err != nil {
		return err
	}
	k := check(c.Context(), desk)
	if err := s.connected.Tried(context.WithoutCancel(c.Context()), c.actor(), in.Name, in.System, in.URL, k.trouble); err != nil { // C135
		return err
	}
	answer(w, http.StatusOK, checkOf(c, k))
	return nil
}

// checkDesk is POST /api/v1/desks/setup/{desk}/check: one that is in use is called as it
// stands.
func (s *Server) checkDesk(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	name := c.PathValue("desk")
	desk, err := s.tickets.Desk(name)
	if err == nil {
		err = s.mayCheck(c)
	}
	if err != nil {
		return err
	}
	k := check(c.Context(), desk)
	if now, err := s.tickets.Desk(name); err == nil && now == desk {
		s.checks.put(name, k)
	}
	answer(w, http.StatusOK, checkOf(c, k))
	return nil
}

// tryDesks says at the start which desks will not do. They may still come: the
// outbox waits for them, and a start never does.
func (s *Server) tryDesks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for _, name := range s.tickets.Names() {
		desk, err := s.tickets.Desk(name)
		if err != nil || name == tickets.LocalName {
			continue
		}
		all.Go(func() {
			err := desk.Check(ctx)
			if err != nil {
				s.log.Warn("a service desk cannot be used just now", "desk", name, "error", err)
			} else {
				s.log.Info("a service desk answers", "desk", name)
			}
			if errors.Is(err, context.Canceled) {
				return // the server ends, and nobody knows
			}
			k := deskCheck{at: time.Now()}
			k.trouble, k.words = tickets.TroubleOf(err)
			if now, e := s.tickets.Desk(name); e == nil && now == desk {
				s.checks.put(name, k)
			}
		})
	}
	all.Wait()
}
