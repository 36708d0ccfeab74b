package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/pairing"
	"github.com/mainforte/mainforte/signaling/supervise"
)

// waitTarget is within what time somebody who waits ought to be taken.
const waitTarget = 5 * time.Minute

type liveAnswer struct {
	ID           string          `json:"id"`
	Ticket       sessionTicket   `json:"ticket"`
	Person       string          `json:"person"`
	Host         string          `json:"host"` // how its program calls itself
	Started      time.Time       `json:"started"`
	HostLost     *time.Time      `json:"host_lost"` // since when its line is away
	Participants []presentAnswer `json:"participants"`
	Trouble      []troubleAnswer `json:"trouble"`
	Counted      bool            `json:"counted"` // the standing grants are known
	Watch        *string         `json:"watch"`   // what became of the wish to watch of the one who asks
}

type presentAnswer struct {
	ID         string        `json:"id"`
	Technician string        `json:"technician"`
	Kind       string        `json:"kind"`
	Leads      bool          `json:"leads"`
	Me         bool          `json:"me"`
	Joined     time.Time     `json:"joined"`
	Lost       *time.Time    `json:"lost"`
	Grants     []grantAnswer `json:"grants"`
}

type grantAnswer struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
}

type troubleAnswer struct {
	What        string    `json:"what"`
	Participant string    `json:"participant"`
	Since       time.Time `json:"since"`
}

// unless is a time that may be none.
func unless(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func liveOf(l pairing.Live, user string) liveAnswer {
	a := liveAnswer{
		ID: l.ID, Ticket: sessionTicket{l.TicketID, l.TicketNumber, l.TicketSubject}, Person: l.Person, Host: l.Host,
		Started: l.Started.UTC(), HostLost: unless(l.HostLost), Counted: l.Counted,
		Participants: make([]presentAnswer, len(l.Participants)), Trouble: make([]troubleAnswer, len(l.Trouble)),
	}
	for i, p := range l.Participants {
		q := presentAnswer{
			ID: p.ID, Technician: p.Technician, Kind: p.Kind, Leads: p.Leads, Me: p.TechnicianID == user,
			Joined: p.Joined.UTC(), Lost: unless(p.Lost), Grants: make([]grantAnswer, len(p.Grants)),
		}
		for j, g := range p.Grants {
			q.Grants[j] = grantAnswer{g.Name, g.Since.UTC()}
		}
		a.Participants[i] = q
	}
	for i, t := range l.Trouble {
		a.Trouble[i] = troubleAnswer{t.What, t.Participant, t.Since.UTC()}
	}
	return a
}

// liveSessions is who helps whom now.
func (s *Server) liveSessions(w http.ResponseWriter, c *call) error {
	now := time.Now()
	mine, _ := s.asks.Of(c.in.User.ID, now, s.leads)
	list := s.desk.Live()
	out := make([]liveAnswer, len(list))
	for i, l := range list {
		out[i] = liveOf(l, c.in.User.ID)
		for _, a := range mine {
			if a.Session == l.ID {
				out[i].Watch = (*string)(&a.State)
			}
		}
	}
	answer(w, http.StatusOK, map[string]any{"now": now.UTC(), "sessions": out})
	return nil
}

type figuresAnswer struct {
	Since    time.Time       `json:"since"`
	Hours    []hourAnswer    `json:"hours"`
	Sessions int             `json:"sessions"`
	Open     int             `json:"open"`
	MedianMS int64           `json:"median_ms"`
	Resolved map[string]int  `json:"resolved"`
	Unsaid   int             `json:"unsaid"` // over, without a closing note
	Scores   [5]int          `json:"scores"` // how often 1 to 5 was said
	Recurs   []subjectAnswer `json:"recurs"`
	Waited   waitedAnswer    `json:"waited"`
}

type waitedAnswer struct {
	Came     int   `json:"came"`
	Taken    int   `json:"taken"`
	InTime   int   `json:"in_time"`
	Left     int   `json:"left"`
	MedianMS int64 `json:"median_ms"`
	TargetMS int64 `json:"target_ms"`
}

type hourAnswer struct {
	From     time.Time `json:"from"`
	Sessions int       `json:"sessions"`
}

type subjectAnswer struct {
	Subject  string `json:"subject"`
	Sessions int    `json:"sessions"`
	Tickets  int    `json:"tickets"`
}

var errInvalidSince = &problem{http.StatusUnprocessableEntity, "INVALID_SINCE"}

// figures are those of the day that began at since, in milliseconds since 1970: where
// the day begins only the one who looks knows.
func (s *Server) figures(w http.ResponseWriter, c *call) error {
	ms, err := strconv.ParseInt(c.URL.Query().Get("since"), 10, 64)
	now := time.Now()
	since := time.UnixMilli(ms)
	if err != nil || since.After(now.Add(time.Hour)) || now.Sub(since) > supervise.Longest {
		return errInvalidSince
	}
	f, err := supervise.Today(c.Context(), s.house.store, since, now, waitTarget)
	if err != nil {
		return err
	}
	a := figuresAnswer{
		Since: f.Since.UTC(), Sessions: f.Sessions, Open: f.Open, MedianMS: f.Median.Milliseconds(),
		Hours: make([]hourAnswer, len(f.Hours)), Resolved: f.Resolved, Unsaid: f.Resolved[""], Scores: f.Scores,
		Recurs: make([]subjectAnswer, len(f.Recurs)),
		Waited: waitedAnswer{f.Waited.Came, f.Waited.Taken, f.Waited.InTime, f.Waited.Left, f.Waited.Median.Milliseconds(), waitTarget.Milliseconds()},
	}
	delete(a.Resolved, "")
	for i, h := range f.Hours {
		a.Hours[i] = hourAnswer{h.From.UTC(), h.Sessions}
	}
	for i, r := range f.Recurs {
		a.Recurs[i] = subjectAnswer{r.Text, r.Sessions, r.Tickets}
	}
	answer(w, http.StatusOK, a)
	return nil
}

// Problems of watching.
var (
	errWatchOwn  = &problem{http.StatusConflict, "WATCH_OWN"}
	errWatchDone = &problem{http.StatusConflict, "WATCH_DONE"}
)

// askToWatch tells the technician who leads a session that a supervisor would like to
// watch it. It lets nobody in: the technician makes an invite code or does not, and
// the person is asked.
func (s *Server) askToWatch(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	id := c.PathValue("id")
	_, in, err := s.desk.Lead(id, c.in.User.ID)
	if err != nil {
		return err
	}
	if in {
		return errWatchOwn
	}
	e := s.event(c, "watch.asked", "")
	e.Session = id
	ask := supervise.Ask{Session: id, Supervisor: c.in.User.ID, Name: c.in.User.Name, At: time.Now(), State: supervise.Asked}
	err = s.asks.Put(ask, s.leads, s.logs(c, e))
	if errors.Is(err, supervise.ErrMany) {
		return errBusy
	}
	if err != nil {
		return err
	}
	s.tellWatches()
	s.stir()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// logs writes an event down, when it is called.
func (s *Server) logs(c *call, e audit.Event) func() error {
	return func() error {
		_, err := s.house.audit.Append(c.Context(), e)
		return err
	}
}

// leads is who leads a session now, and whether it is open.
func (s *Server) leads(session string) (user string, open bool) {
	user, _, err := s.desk.Lead(session, "")
	return user, err == nil
}

// tellWatches tells technicians of the wishes to watch that they did not hear of yet:
// who leads a session changes.
func (s *Server) tellWatches() {
	for _, user := range s.asks.Tell(time.Now(), s.leads) {
		s.news.tell(newsItem{Kind: newsWatch, to: user})
	}
}

// answerWatch is what the technician says to it.
func (s *Server) answerWatch(w http.ResponseWriter, c *call) error {
	var in struct {
		Invited bool `json:"invited"` // a code was made; else: not now
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	state, outcome := supervise.Declined, "deny"
	if in.Invited {
		state, outcome = supervise.Invited, "ok"
	}
	e := s.event(c, "watch.answered", "")
	e.Session, e.Outcome = c.PathValue("id"), outcome
	to, err := s.asks.Answer(e.Session, c.in.User.ID, state, time.Now(), s.leads, s.logs(c, e))
	if errors.Is(err, supervise.ErrDone) {
		return errWatchDone
	}
	if err != nil {
		return err
	}
	for _, a := range to {
		s.news.tell(newsItem{Kind: newsSessions, to: a.Supervisor})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type watchAnswer struct {
	Session    string `json:"session"`
	Supervisor string `json:"supervisor"` // name
}

// watches are the wishes that the one who asks has to answer.
func (s *Server) watches(w http.ResponseWriter, c *call) error {
	_, list := s.asks.Of(c.in.User.ID, time.Now(), s.leads)
	out := make([]watchAnswer, len(list))
	for i, a := range list {
		out[i] = watchAnswer{a.Session, a.Name}
	}
	answer(w, http.StatusOK, map[string]any{"watches": out})
	return nil
}

// stirEvery is how often supervisors are told at most that the sessions are not as
// they were: a host may say much.
const stirEvery = 250 * time.Millisecond

// stir wakes tellSupervisors. It never blocks.
func (s *Server) stir() {
	select {
	case s.stirred <- struct{}{}:
	default: // it will look anyway
	}
}

// tellSupervisors tells them once for all that happens in a moment, and who leads
// a session by then what is wished of it.
func (s *Server) tellSupervisors(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.stirred:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(stirEvery):
		}
		// What comes from here on is told the next time.
		select {
		case <-s.stirred:
		default:
		}
		s.news.tell(newsItem{Kind: newsSessions, role: identity.Supervisor})
		s.tellWatches()
	}
}
