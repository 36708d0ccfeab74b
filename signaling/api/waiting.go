package api

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/appointments"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/launch"
	"github.com/mainforte/mainforte/signaling/queue"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/waiting"
	"github.com/mainforte/mainforte/web"
)

// maxForm bounds what a page's form sends.
const maxForm = 16 << 10

// form reads what a page's form sent.
func form(w http.ResponseWriter, c *call) error {
	if kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return errWrongType
	}
	c.Body = http.MaxBytesReader(w, c.Body, maxForm)
	if err := c.ParseForm(); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return errTooLarge
		}
		return errBadJSON
	}
	return nil
}

// waitForm is the page on which a person says that they wait, also behind the link of
// a ticket.
func (s *Server) waitForm(w http.ResponseWriter, c *call) error {
	if isAppointment(c) {
		a, lang, err := s.visit(w, c)
		switch {
		case err != nil:
			return err
		case !a.Open(s.book.Now()):
			return s.notNow(w, c, a, lang)
		}
		return s.waitPage(w, http.StatusOK, web.WaitData{Lang: lang, Ticket: a.Number, Trouble: a.About})
	}
	number, lang, err := s.ticketOfLink(c)
	if err != nil {
		return err
	}
	if l := c.URL.Query().Get("lang"); l == "en" || l == "fr" {
		s.langCookie(w, l)
	}
	return s.waitPage(w, http.StatusOK, web.WaitData{Lang: lang, Ticket: number})
}

func (s *Server) waitPage(w http.ResponseWriter, status int, d web.WaitData) error {
	d.Brand = s.branded()
	var b page
	if err := web.Wait(&b, d); err != nil {
		return err
	}
	b.serve(w, status)
	return nil
}

// ticketOfLink is the number of the ticket whose link the path holds, if it holds one,
// and the language of the page.
func (s *Server) ticketOfLink(c *call) (number, lang string, err error) {
	lang = c.lang
	token := c.PathValue("token")
	if token == "" {
		return "", lang, nil
	}
	l, err := s.links.Read(token, time.Now())
	if err != nil && !errors.Is(err, launch.ErrOld) {
		if errors.Is(err, launch.ErrForged) {
			err = errNotFound
		}
		return "", lang, err
	}
	if q := c.URL.Query().Get("lang"); q != "en" && q != "fr" {
		lang = l.Lang
	}
	if err != nil {
		return "", lang, nil // too old to name its ticket; whoever has it may wait all the same
	}
	return l.Number, lang, nil
}

// come takes the form of somebody who waits. It works without a script.
func (s *Server) come(w http.ResponseWriter, c *call) error {
	var a appointments.Appointment // that they come for, if any
	var number, lang string
	var err error
	if isAppointment(c) {
		a, lang, err = s.visit(w, c)
		number = a.Number
	} else {
		number, lang, err = s.ticketOfLink(c)
	}
	switch {
	case err != nil:
		return err
	case a.ID != "" && !a.Open(s.book.Now()):
		return s.notNow(w, c, a, lang)
	}
	if err := form(w, c); err != nil {
		return err
	}
	said := waiting.Person{
		Name: c.PostForm.Get("name"), Trouble: c.PostForm.Get("trouble"), Phone: c.PostForm.Get("phone"), Lang: lang, Ticket: number, Appointment: a.ID,
	}
	said, err = waiting.Clean(said)
	again := web.WaitData{Lang: lang, Ticket: number, Name: said.Name, Trouble: said.Trouble, Phone: said.Phone}
	switch {
	case errors.Is(err, waiting.ErrPhone):
		again.Problem = web.WaitPhone
		return s.waitPage(w, http.StatusUnprocessableEntity, again)
	case err != nil:
		again.Problem = web.WaitSaid
		return s.waitPage(w, http.StatusUnprocessableEntity, again)
	}
	p, token, queue, err := s.room.Come(from(c.Request), said, time.Now())
	switch {
	case errors.Is(err, waiting.ErrLimited):
		again.Problem = web.WaitLimited
		w.Header().Set("Retry-After", "600")
		return s.waitPage(w, http.StatusTooManyRequests, again)
	case err != nil:
		again.Problem = web.WaitFull
		w.Header().Set("Retry-After", "300")
		return s.waitPage(w, http.StatusServiceUnavailable, again)
	}
	_, err = s.house.audit.Append(c.Context(), audit.Event{
		Type: "waiting.came", Outcome: "ok", Origin: "server", Time: p.Since, Actor: audit.Actor{Kind: "person"}, Data: map[string]any{"waiting": queue},
	})
	if err != nil {
		s.room.Forget(p.ID)
		return err
	}
	s.room.Admit(p.ID)
	s.tellWaiting()
	if a.ID != "" {
		s.tellAppointment(a)
	}
	http.Redirect(w, c.Request, "/wait/"+token, http.StatusSeeOther)
	return nil
}

// wait is the page of somebody who waits: it comes again by itself.
func (s *Server) wait(w http.ResponseWriter, c *call) error {
	token := c.PathValue("token")
	if l := c.URL.Query().Get("lang"); l == "en" || l == "fr" {
		s.langCookie(w, l)
		s.room.Speak(token, l)
	}
	v, ok := s.room.See(token, time.Now())
	if !ok {
		return s.waitPage(w, http.StatusNotFound, web.WaitData{Lang: c.lang, Problem: web.WaitGone})
	}
	var b page
	err := web.Waiting(&b, web.WaitingData{
		Lang: v.Lang, Brand: s.branded(), Token: token, Name: v.Name, Phone: v.Phone, Place: v.Place, Waiting: v.Waiting, By: v.By,
	})
	if err != nil {
		return err
	}
	b.serve(w, http.StatusOK)
	return nil
}

// waitLive tells the page of somebody who waits that it is not as it was.
func (s *Server) waitLive(w http.ResponseWriter, c *call) error {
	if !strings.Contains(c.Header.Get("Accept"), "text/event-stream") {
		return errNotAStream
	}
	token := c.PathValue("token")
	changes, stop, ok := s.room.Listen(token)
	if !ok {
		w.WriteHeader(http.StatusNoContent) // which tells an EventSource not to come back
		return nil
	}
	defer stop()
	stands := func() bool { s.room.See(token, time.Now()); return true }
	return serveEvents(s, w, c, changes, func(_ struct{}, open bool) (text string, more bool) {
		if !open {
			return "over", false
		}
		return "changed", stands()
	}, stands)
}

// leaveWaiting is somebody's own going.
func (s *Server) leaveWaiting(w http.ResponseWriter, c *call) error {
	g, waited := s.room.Leave(c.PathValue("token"), time.Now())
	if waited {
		s.leftWaiting(c.Context(), g, audit.Actor{Kind: "person"})
	}
	return s.waitPage(w, http.StatusOK, web.WaitData{Lang: c.lang, Problem: web.WaitLeft})
}

// leftWaiting writes down that somebody waits no more. If the log does not take it
// they are gone all the same: only a count is missing.
func (s *Server) leftWaiting(ctx context.Context, g waiting.Gone, who audit.Actor) {
	_, err := s.house.audit.Append(ctx, audit.Event{
		Type: "waiting.left", Outcome: "ok", Origin: "server", Time: time.Now(), Actor: who,
		Data: map[string]any{"reason": g.Reason, "waited_ms": g.Waited.Milliseconds()},
	})
	if err != nil {
		s.log.Error("that somebody waits no more could not be written down", "error", err)
	}
	s.tellWaiting()
}

// sweepEvery is how often it is looked who waits no more.
const sweepEvery = 15 * time.Second

func (s *Server) sweepRoom(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			for _, g := range s.room.Sweep(now) {
				s.leftWaiting(ctx, g, audit.Actor{Kind: "system"})
			}
		}
	}
}

// tellWaiting tells the consoles that others wait now.
func (s *Server) tellWaiting() { s.news.tell(newsItem{Kind: newsWaitingRoom}) }

type waitingAnswer struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Trouble string    `json:"trouble"`
	Phone   string    `json:"phone"`
	Lang    string    `json:"lang"`
	Ticket  string    `json:"ticket"` // number of the ticket whose link they came by
	Since   time.Time `json:"since"`

	Appointment *metAnswer `json:"appointment"` // that they came for
}

type metAnswer struct {
	With   string    `json:"with"` // name
	Mine   bool      `json:"mine"`
	Starts time.Time `json:"starts"`
}

func (s *Server) listWaiting(w http.ResponseWriter, c *call) error {
	list := s.room.List()
	out := make([]waitingAnswer, len(list))
	for i, p := range list {
		out[i] = waitingAnswer{p.ID, p.Name, p.Trouble, p.Phone, p.Lang, p.Ticket, p.Since.UTC(), nil}
		if p.Appointment == "" {
			continue
		}
		a, err := s.book.Get(c.Context(), p.Appointment)
		switch {
		case err == nil:
			out[i].Appointment = &metAnswer{a.UserName, a.User == c.in.User.ID, a.Starts.UTC()}
		case !errors.Is(err, appointments.ErrNone):
			return err
		}
	}
	answer(w, http.StatusOK, map[string]any{
		"waiting": out, "target_ms": waitTarget.Milliseconds(), "now": time.Now().UTC(),
	})
	return nil
}

// takeWaiting gives somebody who waits to the technician who asks: their ticket is
// opened, or made. It opens no session: that takes the person's code.
func (s *Server) takeWaiting(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	now := time.Now()
	p, done, err := s.room.Take(c.PathValue("id"), c.in.User.Name, now)
	if errors.Is(err, waiting.ErrGone) {
		return errNotWaiting
	}
	if err != nil {
		return err
	}
	t, known := s.ticketOfWaiting(c.Context(), p)
	err = s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		var events []audit.Event
		if !known {
			if t, err = s.house.local.CreateTx(tx, tickets.New{Subject: p.Trouble, Requester: p.Name, Lang: p.Lang}); err != nil {
				return err
			}
			events = append(events, s.event(c, "ticket.created", t.ID))
		}
		// The room forgets what was said in it: it stands in the ticket, privately.
		note := tickets.Note{Author: "Mainforte", Lang: p.Lang, Text: tickets.Waited(c.lang, p.Name, p.Trouble, p.Phone, p.Ticket)}
		if desk, _ := tickets.Split(t.ID); desk == tickets.LocalName {
			_, err = s.house.local.AddNoteTx(tx, t.ID, note)
		} else {
			note.Key = tickets.WaitedMarker(p.ID)
			err = s.outbox.EnqueueTx(tx, t.ID, note)
		}
		if err != nil {
			return err
		}
		given, err := s.given.GiveTx(tx, t.ID, c.in.User.ID)
		switch {
		case err == nil && given && known:
			events = append(events, s.assigned(c, t.ID))
		case err == nil, errors.Is(err, queue.ErrTaken), errors.Is(err, queue.ErrWaits): // its colleague's it stays
		case err != nil:
			return err
		}
		e := s.event(c, "waiting.taken", t.ID)
		e.Data = map[string]any{"waited_ms": max(0, now.Sub(p.Since)).Milliseconds()}
		_, err = s.house.audit.AppendTx(tx, append(events, e)...)
		return err
	})
	done(err == nil)
	if err != nil {
		return err
	}
	s.outbox.Wake()
	s.tellWaiting()
	s.news.tell(newsItem{Ticket: t.ID, Kind: tickets.HookChanged})
	out, err := s.ticketsOf(c, t)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"ticket": out[0]})
	return nil
}

// ticketOfWaiting is the open ticket whose link somebody came by, where its number is
// that of one ticket; a desk that does not answer has none.
func (s *Server) ticketOfWaiting(ctx context.Context, p waiting.Person) (t tickets.Ticket, known bool) {
	if p.Ticket == "" {
		return t, false
	}
	if p.Appointment != "" {
		if a, err := s.book.Get(ctx, p.Appointment); err == nil {
			t, err := s.recall(ctx, a.Ticket)
			return t, err == nil && t.Open
		}
	}
	ctx, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	names := s.tickets.Names()
	if i := slices.Index(names, tickets.LocalName); i > 0 { // ours first: it answers at once
		names[0], names[i] = names[i], names[0]
	}
	var found []tickets.Ticket
	for _, name := range names {
		if got, err := s.find(ctx, name, p.Ticket); err == nil && got.Open {
			found = append(found, got)
		}
	}
	if len(found) != 1 {
		return t, false // two desks may both have a 17
	}
	return found[0], true
}
