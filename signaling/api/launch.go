package api

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/mainforte/mainforte/signaling/launch"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/web"
)

type personAnswer struct {
	URL     string    `json:"url"`
	Lang    string    `json:"lang"`
	Expires time.Time `json:"expires"`
}

// base is the address of our pages, without a slash at its end.
func (s *Server) base(c *call) string {
	switch {
	case s.cfg.BaseURL != "":
		return s.cfg.BaseURL
	case s.cfg.Secure:
		return "https://" + c.Host
	}
	return "http://" + c.Host
}

// makeLinks makes the links with which a session begins: one for the person, one
// for the technician. It opens nothing: that takes the person's code.
func (s *Server) makeLinks(w http.ResponseWriter, c *call) error {
	var in struct {
		Desk   string `json:"desk"`
		Ticket string `json:"ticket"`
		Lang   string `json:"lang"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if in.Lang != "" && in.Lang != "en" && in.Lang != "fr" {
		return errInvalidLang
	}
	if in.Desk == "" { // a whole id, as our own pages have it
		in.Desk, in.Ticket = tickets.Split(in.Ticket)
	}
	t, err := s.find(c.Context(), in.Desk, in.Ticket)
	switch {
	case errors.Is(err, errBadRef):
		return errNoTicket
	case err != nil:
		return err
	case !t.Open:
		return errTicketClosed
	}
	if in.Lang == "" {
		in.Lang = t.Lang
	}
	err = s.house.store.Update(c.Context(), func(tx store.Tx) error {
		_, err := s.house.audit.AppendTx(tx, s.event(c, "ticket.link_made", t.ID))
		return err
	})
	if err != nil {
		return err
	}
	desk, id := tickets.Split(t.ID)
	until := time.Now().Add(launch.Life).UTC().Truncate(time.Second)
	answer(w, http.StatusCreated, map[string]any{
		"ticket": sessionTicket{t.ID, t.Number, t.Subject},
		"person": personAnswer{s.base(c) + "/help/" + s.links.Make(launch.Link{Number: t.Number, Lang: in.Lang, Expires: until}), in.Lang, until},
		"technician": map[string]string{
			"url": s.base(c) + "/launch?" + url.Values{"system": {desk}, "ticket": {id}}.Encode(),
		},
	})
	return nil
}

// help is the person's page behind such a link, in the language of the link unless
// another is asked for.
func (s *Server) help(w http.ResponseWriter, c *call) error {
	l, err := s.links.Read(c.PathValue("token"), time.Now())
	if errors.Is(err, launch.ErrForged) {
		return errNotFound
	}
	lang := l.Lang
	if q := c.URL.Query().Get("lang"); q == "en" || q == "fr" {
		lang = q
		s.langCookie(w, q)
	}
	var b page
	if errors.Is(err, launch.ErrOld) {
		if err := web.OldLink(&b, lang, s.branded(), l.Number); err != nil {
			return err
		}
		b.serve(w, http.StatusGone)
		return nil
	}
	if err != nil {
		return err
	}
	return s.landingPage(w, c, lang, l.Number, "/help/"+c.PathValue("token")+"/wait")
}

// launchPage is where a technician comes to from a service desk: it shows the
// ticket, and changes nothing.
func (s *Server) launchPage(w http.ResponseWriter, c *call) error {
	d := web.LaunchData{Lang: c.lang, Brand: s.branded(), Again: c.URL.RequestURI()}
	status := s.launchData(c, &d)
	var b page
	if err := web.Launch(&b, d); err != nil {
		return err
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "30")
	}
	b.serve(w, status)
	return nil
}

func (s *Server) launchData(c *call, d *web.LaunchData) (status int) {
	system, ok := once(c.URL.Query(), "system")
	ref, ok2 := once(c.URL.Query(), "ticket")
	if !ok || !ok2 {
		d.Outcome = web.LaunchBad
		return http.StatusBadRequest
	}
	t, err := s.find(c.Context(), system, ref)
	switch {
	case err == nil:
	case errors.Is(err, errBadRef):
		d.Outcome = web.LaunchBad
		return http.StatusBadRequest
	case errors.Is(err, tickets.ErrNoDesk):
		d.Outcome, d.Name = web.LaunchNoDesk, system
		return http.StatusNotFound
	case errors.Is(err, tickets.ErrNotFound):
		d.Outcome, d.Name = web.LaunchNoTicket, ref
		return http.StatusNotFound
	case errors.Is(err, tickets.ErrAuth), errors.Is(err, tickets.ErrForbidden), errors.Is(err, tickets.ErrConfig):
		s.log.Warn("a desk refuses us", "id", c.id, "desk", system, "error", err)
		d.Outcome = web.LaunchRefused
		return http.StatusBadGateway
	default:
		s.log.Warn("a desk does not answer", "id", c.id, "desk", system, "error", err)
		d.Outcome = web.LaunchAway
		return http.StatusServiceUnavailable
	}
	desk, _ := tickets.Split(t.ID)
	if desk == tickets.LocalName {
		desk = "" // it is where the technician is
	}
	d.Ticket = &web.LaunchTicket{
		Desk: desk, Number: t.Number, Subject: t.Subject, Requester: t.Requester, Lang: t.Lang, URL: t.URL, Remembered: t.Remembered,
	}
	d.Open = "/console?" + url.Values{"ticket": {t.ID}}.Encode()
	d.Start = d.Open + "&start=1"
	if !t.Open {
		d.Outcome = web.LaunchClosed
		return http.StatusConflict
	}
	d.Outcome = web.LaunchReady
	return http.StatusOK
}

// once is the value of a parameter that stands there exactly once.
func once(q url.Values, name string) (string, bool) {
	list := q[name]
	if len(list) != 1 {
		return "", false
	}
	return list[0], true
}
