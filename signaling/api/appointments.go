package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/appointments"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/web"
)

type appointmentAnswer struct {
	ID         string              `json:"id"`
	Ticket     sessionTicket       `json:"ticket"`
	Technician string              `json:"technician"` // name
	Mine       bool                `json:"mine"`
	May        bool                `json:"may"` // the one who asks may change it
	Lang       string              `json:"lang"`
	Starts     time.Time           `json:"starts"`
	Ends       time.Time           `json:"ends"`
	Zone       string              `json:"zone"`
	About      string              `json:"about"`
	Items      []appointments.Item `json:"items"`
	State      appointments.State  `json:"state"`
	Phase      appointments.Phase  `json:"phase"`
	Why        string              `json:"why"`
	Sequence   int64               `json:"sequence"`
	Here       string              `json:"here"`   // name of the person, who waits now; empty: they do not
	Letter     *appointmentLetter  `json:"letter"` // to the person; null where there is nothing to be said, or not by the one who asks
}

type appointmentLetter struct {
	URL     string `json:"url"` // of the person's page
	Subject string `json:"subject"`
	Text    string `json:"text"`
	Public  bool   `json:"public"` // it stands in the ticket as a reply to the person
}

// invites bounds how often somebody writes to persons by making and changing
// appointments.
var invites = limit.Every{N: 40, In: time.Hour}

const appointmentPath = "/appointment/"

// told is an appointment as the person is told of it, in a language.
func (s *Server) told(c *call, a appointments.Appointment, lang string) web.AppointmentData {
	d := web.AppointmentData{
		Lang: lang, Brand: s.branded(), Path: appointmentPath + s.book.Token(a.ID), Number: a.Number, By: a.UserName,
		From: a.Starts.In(a.Place()), To: a.Ends.In(a.Place()), About: a.About, State: string(a.State), Why: a.Why,
		Open: a.Open(s.book.Now()), Begun: a.Phase(s.book.Now()) == appointments.Now,
	}
	d.URL = s.base(c) + d.Path
	for _, i := range a.Items {
		d.Items = append(d.Items, web.Item{Key: i.Key, What: i.Text})
	}
	return d
}

// letterOf is what there is to be written to the person.
func letterOf(a appointments.Appointment) (kind string, ok bool) {
	switch {
	case a.State == appointments.Cancelled:
		return web.LetterCancelled, true
	case a.State != appointments.Made:
		return "", false
	case a.Sequence > 0:
		return web.LetterChanged, true
	}
	return web.LetterMade, true
}

func (s *Server) appointmentsOf(c *call, list []appointments.Appointment) ([]appointmentAnswer, error) {
	here := map[string]string{}
	for _, p := range s.room.List() {
		if p.Appointment != "" {
			here[p.Appointment] = p.Name
		}
	}
	out := make([]appointmentAnswer, len(list))
	for i, a := range list {
		t, err := s.recall(c.Context(), a.Ticket)
		if err != nil {
			return nil, err
		}
		may, err := s.book.May(c.Context(), a, c.in.User.ID)
		if err != nil {
			return nil, err
		}
		out[i] = appointmentAnswer{
			ID: a.ID, Ticket: sessionTicket{a.Ticket, t.Number, t.Subject}, Technician: a.UserName, Mine: a.User == c.in.User.ID, May: may,
			Lang: a.Lang, Starts: a.Starts.UTC(), Ends: a.Ends.UTC(), Zone: a.Zone, About: a.About, Items: a.Items,
			State: a.State, Phase: a.Phase(s.book.Now()), Why: a.Why, Sequence: a.Sequence, Here: here[a.ID],
		}
		if kind, ok := letterOf(a); ok && may {
			d := s.told(c, a, a.Lang)
			l := &appointmentLetter{URL: d.URL, Public: s.tickets.Policy().Note == tickets.NotePublic}
			l.Subject, l.Text = d.Letter(kind)
			out[i].Letter = l
		}
	}
	return out, nil
}

func (s *Server) appointmentIs(w http.ResponseWriter, c *call, status int, a appointments.Appointment) error {
	out, err := s.appointmentsOf(c, []appointments.Appointment{a})
	if err != nil {
		return err
	}
	answer(w, status, out[0])
	return nil
}

// lookedBack is how long one that is over and settled is still listed, and unsettled.
const (
	lookedBack  = 12 * time.Hour
	settledLate = 7 * 24 * time.Hour
)

// listAppointments are those of the one who asks, of their teams, or of a ticket.
func (s *Server) listAppointments(w http.ResponseWriter, c *call) error {
	q, now := c.URL.Query(), s.book.Now()
	var list []appointments.Appointment
	var err error
	if ticket := q.Get("ticket"); ticket != "" {
		list, err = s.book.On(c.Context(), ticket)
	} else {
		team := false
		switch q.Get("whose") {
		case "", "mine":
		case "team":
			team = true
		default:
			return errInvalidState
		}
		list, err = s.book.Of(c.Context(), c.in.User.ID, team, now.Add(-settledLate))
		list = slices.DeleteFunc(list, func(a appointments.Appointment) bool {
			return a.State != appointments.Made && a.Ends.Before(now.Add(-lookedBack))
		})
	}
	if err != nil {
		return err
	}
	out, err := s.appointmentsOf(c, list)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"appointments": out, "now": now.UTC()})
	return nil
}

// wanted is an appointment as it is asked for.
type wanted struct {
	Starts  time.Time           `json:"starts"`
	Ends    time.Time           `json:"ends"`
	Zone    string              `json:"zone"`
	Lang    string              `json:"lang"`
	About   string              `json:"about"`
	Items   []appointments.Item `json:"items"`
	Despite bool                `json:"despite"` // others at that time
}

func (in wanted) appointment() (appointments.Appointment, error) {
	if in.Lang != "en" && in.Lang != "fr" {
		return appointments.Appointment{}, errInvalidLang
	}
	return appointments.Appointment{Starts: in.Starts, Ends: in.Ends, Zone: in.Zone, Lang: in.Lang, About: in.About, Items: in.Items}, nil
}

// makeAppointment makes one of the caller's on a ticket. It opens nothing.
func (s *Server) makeAppointment(w http.ResponseWriter, c *call) error {
	var in wanted
	if err := read(w, c, &in); err != nil {
		return err
	}
	want, err := in.appointment()
	if err != nil {
		return err
	}
	id := c.PathValue("id")
	t, err := s.tickets.Get(c.Context(), id)
	if err != nil && asProblem(err).status >= http.StatusInternalServerError {
		if known, e := s.tickets.Recall(c.Context(), id); e == nil {
			t, err = known, nil // its desk is away: the calendar is not
		}
	}
	switch {
	case err != nil:
		return err
	case !t.Open:
		return errTicketClosed
	}
	want.Ticket, want.Number, want.User = t.ID, t.Number, c.in.User.ID
	a, err := s.appoint(c, "appointment.made", func(tx store.Tx) (appointments.Appointment, error) {
		return s.book.MakeTx(tx, want, in.Despite)
	})
	if err != nil {
		return err
	}
	return s.appointmentIs(w, c, http.StatusCreated, a)
}

// changeAppointment gives one another time, purpose, list or language.
func (s *Server) changeAppointment(w http.ResponseWriter, c *call) error {
	var in struct {
		wanted
		Sequence int64 `json:"sequence"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	want, err := in.appointment()
	if err != nil {
		return err
	}
	a, err := s.appoint(c, "appointment.changed", func(tx store.Tx) (appointments.Appointment, error) {
		_, a, err := s.book.ChangeTx(tx, c.PathValue("id"), c.in.User.ID, in.Sequence, want, in.Despite)
		return a, err
	})
	if err != nil {
		return err
	}
	return s.appointmentIs(w, c, http.StatusOK, a)
}

// cancelAppointment calls one off, with a reason that the person reads.
func (s *Server) cancelAppointment(w http.ResponseWriter, c *call) error {
	var in struct {
		Why string `json:"why"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	a, err := s.appoint(c, "appointment.cancelled", func(tx store.Tx) (appointments.Appointment, error) {
		return s.book.CancelTx(tx, c.PathValue("id"), c.in.User.ID, in.Why)
	})
	if err != nil {
		return err
	}
	return s.appointmentIs(w, c, http.StatusOK, a)
}

// appoint does something to an appointment that its person is told of: with the note in
// the ticket and the event in one transaction.
func (s *Server) appoint(c *call, typ string, do func(store.Tx) (appointments.Appointment, error)) (a appointments.Appointment, err error) {
	if !s.invites.Take(c.in.User.ID, s.book.Now()) {
		return a, errRateLimited
	}
	err = s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if a, err = do(tx); err != nil {
			return err
		}
		kind, _ := letterOf(a)
		_, text := s.told(c, a, a.Lang).Letter(kind)
		note := tickets.Note{Author: c.in.User.Name, Lang: a.Lang, Text: text, Public: s.tickets.Policy().Note == tickets.NotePublic}
		if err := s.appointmentNoteTx(tx, a, note); err != nil {
			return err
		}
		e := s.event(c, typ, a.Ticket)
		e.Data = appointmentData(a)
		e.Personal = map[string]any{"text": cmp.Or(a.Why, a.Strings())}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if err != nil {
		s.invites.Refund(c.in.User.ID, s.book.Now())
		return a, err
	}
	s.tellAppointment(a)
	return a, nil
}

// appointmentData is what the public line of an event says of an appointment.
func appointmentData(a appointments.Appointment) map[string]any {
	return map[string]any{"appointment": a.ID, "user": a.User, "starts": a.Starts.UTC().Format(time.RFC3339), "minutes": int64(a.Ends.Sub(a.Starts) / time.Minute)}
}

// appointmentNoteTx writes a note about an appointment into its ticket.
func (s *Server) appointmentNoteTx(tx store.Tx, a appointments.Appointment, n tickets.Note) error {
	n.Key = tickets.AppointedMarker(a.ID, a.Sequence)
	if desk, _ := tickets.Split(a.Ticket); desk == tickets.LocalName {
		_, err := s.house.local.AppendTx(tx, a.Ticket, n)
		return err
	}
	return s.outbox.EnqueueTx(tx, a.Ticket, n)
}

// endAppointment says that one took place, or did not.
func (s *Server) endAppointment(w http.ResponseWriter, c *call) error {
	var in struct {
		Kept *bool `json:"kept"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if in.Kept == nil {
		return errInvalidState
	}
	var a appointments.Appointment
	err := s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if a, err = s.book.EndTx(tx, c.PathValue("id"), c.in.User.ID, *in.Kept); err != nil {
			return err
		}
		e := s.event(c, "appointment.kept", a.Ticket)
		if !*in.Kept {
			e.Type = "appointment.missed"
			note := tickets.Note{Author: "Mainforte", Lang: c.lang, Text: s.told(c, a, c.lang).Aside("missed")}
			if err := s.appointmentNoteTx(tx, a, note); err != nil {
				return err
			}
		}
		e.Data = appointmentData(a)
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return err
	}
	s.tellAppointment(a)
	return s.appointmentIs(w, c, http.StatusOK, a)
}

// tellAppointment tells whom an appointment concerns that it is not as it was.
func (s *Server) tellAppointment(a appointments.Appointment) {
	s.outbox.Wake()
	s.news.tell(newsItem{Kind: newsAppointments, to: a.User})
	s.news.tell(newsItem{Kind: newsAppointments, role: identity.Supervisor})
	s.news.tell(newsItem{Ticket: a.Ticket, Kind: tickets.HookChanged})
}

// remindEvery is how often it is looked whose time comes.
const remindEvery = 5 * time.Second

// remind tells technicians when an appointment of theirs is near, begins and ends, and
// settles those that had their session. It opens nothing: C142.
func (s *Server) remind(ctx context.Context) {
	t := time.NewTicker(remindEvery)
	defer t.Stop()
	last := s.book.Now()
	pruned := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := s.book.Now()
		err := s.remindOf(ctx, last, now)
		if err == nil && now.Sub(pruned) > time.Hour {
			pruned, err = now, s.book.Prune(ctx)
		}
		if err != nil {
			if ctx.Err() == nil {
				s.log.Error("nobody can be reminded of appointments", "error", err)
			}
			continue // last stays: they are told later
		}
		last = now
	}
}

func (s *Server) remindOf(ctx context.Context, last, now time.Time) error {
	list, err := s.book.Turns(ctx, last, now)
	if err != nil {
		return err
	}
	over := slices.ContainsFunc(list, func(a appointments.Appointment) bool { return a.Phase(now) == appointments.Over })
	if over {
		var kept []appointments.Appointment
		err := s.house.store.Update(ctx, func(tx store.Tx) (err error) {
			if kept, err = s.book.KeepTx(tx); err != nil {
				return err
			}
			for _, a := range kept {
				e := audit.Event{Type: "appointment.kept", Outcome: "ok", Origin: "server", Time: now, Actor: audit.Actor{Kind: "system"}, Data: appointmentData(a)}
				if audit.IsToken(a.Ticket) {
					e.Ticket = a.Ticket
				}
				if _, err := s.house.audit.AppendTx(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		list = append(list, kept...)
	}
	for _, a := range list {
		s.tellAppointment(a)
	}
	return nil
}

// visit is the appointment behind the token in the path, and the language of its page.
func (s *Server) visit(w http.ResponseWriter, c *call) (a appointments.Appointment, lang string, err error) {
	a, err = s.book.Find(c.Context(), c.PathValue("token"))
	if errors.Is(err, appointments.ErrNone) {
		err = errNotFound
	}
	lang = a.Lang
	if q := c.URL.Query().Get("lang"); q == "en" || q == "fr" {
		lang = q
		s.langCookie(w, q)
	}
	return a, lang, err
}

// appointmentPage is what the person is shown of an appointment.
func (s *Server) appointmentPage(w http.ResponseWriter, c *call, status int, a appointments.Appointment, lang, problem, said string) error {
	var b page
	over := a.Phase(s.book.Now()) == appointments.Over || a.State == appointments.Kept || a.State == appointments.Missed
	if over {
		if err := web.AppointmentOver(&b, lang, s.branded(), a.Number); err != nil {
			return err
		}
		b.serve(w, http.StatusGone)
		return nil
	}
	d := s.told(c, a, lang)
	d.Problem, d.Said = problem, said
	if err := web.Appointment(&b, d); err != nil {
		return err
	}
	b.serve(w, status)
	return nil
}

func (s *Server) showAppointment(w http.ResponseWriter, c *call) error {
	a, lang, err := s.visit(w, c)
	if err != nil {
		return err
	}
	return s.appointmentPage(w, c, http.StatusOK, a, lang, "", "")
}

// notNow answers a person who may not come: it is too early, or it was called off.
func (s *Server) notNow(w http.ResponseWriter, c *call, a appointments.Appointment, lang string) error {
	problem := ""
	if a.Stands(s.book.Now()) {
		problem = web.AppointmentEarly
	}
	return s.appointmentPage(w, c, http.StatusConflict, a, lang, problem, "")
}

// appointmentApp is the page with the app, as behind the link of a ticket, while the
// person may come.
func (s *Server) appointmentApp(w http.ResponseWriter, c *call) error {
	a, lang, err := s.visit(w, c)
	switch {
	case err != nil:
		return err
	case !a.Open(s.book.Now()):
		return s.notNow(w, c, a, lang)
	}
	return s.landingPage(w, c, lang, a.Number, appointmentPath+c.PathValue("token")+"/wait?lang="+lang)
}

// appointmentCalendar is the file for the person's calendar.
func (s *Server) appointmentCalendar(w http.ResponseWriter, c *call) error {
	a, lang, err := s.visit(w, c)
	if err != nil {
		return err
	}
	if a.Phase(s.book.Now()) == appointments.Over {
		return s.appointmentPage(w, c, http.StatusGone, a, lang, "", "")
	}
	d := s.told(c, a, lang)
	e := appointments.Entry{Appointment: a, Organiser: cmp.Or(d.Brand.Name, d.By), URL: d.URL}
	e.Summary, e.Text, e.Reminder = d.Entry()
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="mainforte.ics"`)
	w.Write(e.Calendar()) //nolint:errcheck // the other side has gone
	return nil
}

// declineAppointment is the person's own calling off.
func (s *Server) declineAppointment(w http.ResponseWriter, c *call) error {
	a, lang, err := s.visit(w, c)
	if err != nil {
		return err
	}
	if err := form(w, c); err != nil {
		return err
	}
	said := c.PostForm.Get("why")
	err = s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if a, err = s.book.DeclineTx(tx, c.PathValue("token"), said); err != nil {
			return err
		}
		note := tickets.Note{Author: "Mainforte", Lang: a.Lang, Text: s.told(c, a, a.Lang).Aside(web.AppointmentDeclined)}
		if err := s.appointmentNoteTx(tx, a, note); err != nil {
			return err
		}
		e := audit.Event{Type: "appointment.declined", Outcome: "ok", Origin: "server", Time: time.Now(), Actor: audit.Actor{Kind: "person"}, Data: appointmentData(a)}
		if audit.IsToken(a.Ticket) {
			e.Ticket = a.Ticket
		}
		if a.Why != "" {
			e.Personal = map[string]any{"text": a.Why}
		}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	switch {
	case errors.Is(err, appointments.ErrWhy):
		return s.appointmentPage(w, c, http.StatusUnprocessableEntity, a, lang, web.AppointmentLong, said)
	case errors.Is(err, appointments.ErrSettled):
		return s.appointmentPage(w, c, http.StatusConflict, a, lang, "", "")
	case err != nil:
		return err
	}
	s.tellAppointment(a)
	http.Redirect(w, c.Request, appointmentPath+c.PathValue("token")+"?lang="+lang, http.StatusSeeOther)
	return nil
}

// isAppointment tells whether a page of the waiting room is that of an appointment.
func isAppointment(c *call) bool { return strings.HasPrefix(c.URL.Path, appointmentPath) }
