package tickets

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// glpi11 is GLPI 11, by its new interface (api.php, version 2), with an OAuth
// client of the password grant and an account's name and password: the client
// alone is nobody there. The key of a note is the last line of a followup.
type glpi11 struct {
	*client
	cfg     Config
	self    self
	session session
}

func newGLPI11(c Config) (System, error) {
	if err := c.need("clientid", c.ClientID, "clientsecret", c.ClientSecret, "user", c.User, "password", c.Password); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	cl.fault = func(status int, said string) error {
		switch {
		case strings.Contains(said, "ERROR_RIGHT_MISSING"):
			return ErrForbidden
		// What OAuth answers to wrong names and passwords is 400 or 401.
		case status == http.StatusBadRequest && (strings.Contains(said, "invalid_grant") || strings.Contains(said, "invalid_client") || strings.Contains(said, "unauthorized_client")):
			return ErrAuth
		}
		return nil
	}
	d := &glpi11{client: cl, cfg: c}
	d.session = session{sign: d.sign, put: bearer}
	return d, nil
}

// Name implements System.
func (*glpi11) Name() string { return "glpi11" }

// Caps implements System. No files: GLPI attaches them to a ticket in a step of
// its own, where the requester sees them.
func (*glpi11) Caps() Caps { return Caps{HTML: true, Public: true, Search: true} }

func (d *glpi11) sign(ctx context.Context) (string, error) {
	var got struct {
		Token string `json:"access_token"`
	}
	form := url.Values{
		"grant_type": {"password"}, "client_id": {d.cfg.ClientID}, "client_secret": {d.cfg.ClientSecret}, "username": {d.cfg.User}, "password": {d.cfg.Password},
		"scope": {"api user"},
	}
	_, err := d.do(ctx, request{
		method: "POST", path: "/api.php/token", body: []byte(form.Encode()), header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, into: &got,
	})
	return got.Token, err
}

func (d *glpi11) call(ctx context.Context, r request) error {
	r.path = "/api.php/v2/" + r.path
	return d.session.call(ctx, d.client, r)
}

func (d *glpi11) whoami(ctx context.Context) (string, error) {
	var got struct{ ID int64 }
	if err := d.call(ctx, request{method: "GET", path: "Administration/User/Me", into: &got}); err != nil {
		return "", err
	}
	if got.ID <= 0 {
		return "", d.failed(ErrTransient, "the answer does not say who we are")
	}
	return strconv.FormatInt(got.ID, 10), nil
}

// Check implements System.
func (d *glpi11) Check(ctx context.Context) error {
	_, err := d.whoami(ctx)
	return err
}

type glpi11Ticket struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Status struct {
		ID int64 `json:"id"`
	} `json:"status"`
	Team []struct {
		Type string `json:"type"`
		Role loose  `json:"role"` // once a number, in the first versions
		Name string `json:"name"`
	} `json:"team"`
	Created string `json:"date_creation"`
	Updated string `json:"date_mod"`
}

func (d *glpi11) ticket(t glpi11Ticket) (Ticket, error) {
	if t.ID <= 0 || t.Status.ID <= 0 {
		return Ticket{}, d.failed(ErrTransient, "the answer is no ticket")
	}
	id := strconv.FormatInt(t.ID, 10)
	k := Ticket{ID: id, Number: id, Subject: line(t.Name), Lang: d.cfg.Lang, Open: t.Status.ID < glpiSolved}
	for _, m := range t.Team {
		if m.Role == "requester" && k.Requester == "" {
			k.Requester = line(m.Name)
		}
	}
	k.Created, _ = time.Parse(time.RFC3339, t.Created)
	k.Updated, _ = time.Parse(time.RFC3339, t.Updated)
	return k, nil
}

// Get implements System. Which language a requester reads is not told: it is that
// of the configuration.
func (d *glpi11) Get(ctx context.Context, id string) (Ticket, error) {
	if !number(id) {
		return Ticket{}, fmt.Errorf("%w: glpi11: %.40q", ErrNotFound, id)
	}
	var got glpi11Ticket
	if err := d.call(ctx, request{method: "GET", path: "Assistance/Ticket/" + id, into: &got}); err != nil {
		return Ticket{}, err
	}
	t, err := d.ticket(got)
	if err == nil && t.ID != id {
		return Ticket{}, d.failed(ErrTransient, "the answer is another ticket")
	}
	return t, err
}

// Search implements System.
func (d *glpi11) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	if one, err := byNumber(ctx, d, words, ErrNotFound, ErrForbidden); one != nil || err != nil {
		return one, err
	}
	var and []string
	for _, w := range words {
		and = append(and, `name=like="*`+w+`*"`) // words have no quotes
	}
	var got []glpi11Ticket
	if err := d.call(ctx, request{method: "GET", path: "Assistance/Ticket", into: &got, status: []int{200, 206}, max: maxHistory, query: url.Values{
		"filter": {strings.Join(and, ";")}, "limit": {"100"}, "sort": {"date_mod:desc"},
	}}); err != nil {
		return nil, err
	}
	return found(got, d.ticket, words, limit)
}

type glpi11Followup struct {
	ID      int64  `json:"id"`
	Content string `json:"content"`
	Private bool   `json:"is_private"`
	// User is who wrote it; versions before 11.0.6 do not tell.
	User *struct {
		ID int64 `json:"id"`
	} `json:"user"`
}

// glpi11Most is how many followups of a ticket GLPI returns.
const glpi11Most = 1000

// Find implements System.
func (d *glpi11) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	me, err := d.self.get(func() (string, error) { return d.whoami(ctx) })
	if err != nil {
		return "", false, err
	}
	var list []struct {
		Item *glpi11Followup `json:"item"` // within an envelope, in most versions
		glpi11Followup
	}
	if err := d.call(ctx, request{method: "GET", path: "Assistance/Ticket/" + ticket + "/Timeline/Followup", into: &list, status: []int{200, 206}, max: maxHistory}); err != nil {
		return "", false, err
	}
	for _, e := range list {
		f := e.glpi11Followup
		if e.Item != nil {
			f = *e.Item
		}
		if f.ID <= 0 {
			return "", false, d.failed(ErrTransient, "the answer has no followups")
		}
		if !endsWith(Text(f.Content), key) {
			continue
		}
		if f.User == nil {
			return "", false, d.failed(ErrConfig, "GLPI does not say who wrote a followup: 11.0.6 is needed")
		}
		if strconv.FormatInt(f.User.ID, 10) == me {
			return strconv.FormatInt(f.ID, 10), true, nil
		}
	}
	if len(list) >= glpi11Most {
		return "", false, d.failed(ErrTransient, "the ticket has more followups than GLPI tells")
	}
	return "", false, nil
}

// Append implements System: a followup. GLPI takes none in a closed ticket.
func (d *glpi11) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !number(ticket) {
		return "", fmt.Errorf("%w: glpi11: %.40q", ErrNotFound, ticket)
	}
	at := "Assistance/Ticket/" + ticket + "/Timeline/Followup"
	var got struct{ ID int64 }
	err := d.call(ctx, request{method: "POST", path: at, into: &got, json: map[string]any{"content": HTML(n.Document().signed(n.Key)), "is_private": !n.Public}})
	if isKind(err)(ErrForbidden) {
		// GLPI says no more than that it did not: look why.
		var t glpi11Ticket
		switch why := d.call(ctx, request{method: "GET", path: "Assistance/Ticket/" + ticket, into: &t}); {
		case isKind(why)(ErrNotFound):
			return "", why
		case why == nil && t.Status.ID >= glpiClosed:
			return "", d.failed(ErrClosed, "ticket %s takes no followup", ticket)
		}
		return "", d.failed(ErrForbidden, "the followup was refused (%v): does the account's profile allow followups?", err)
	}
	if err != nil {
		return "", err
	}
	if got.ID <= 0 {
		return "", d.failed(ErrTransient, "the note was taken, but its number not told")
	}
	id := strconv.FormatInt(got.ID, 10)
	if n.Public {
		return id, nil
	}
	// What the requester is not to read is looked at again, and taken back at once
	// if he could.
	var written glpi11Followup
	err = d.call(ctx, request{method: "GET", path: at + "/" + id, into: &written})
	if err == nil && written.ID == got.ID && !written.Private {
		if err := d.call(ctx, request{method: "DELETE", path: at + "/" + id, query: url.Values{"force": {"true"}}, status: []int{http.StatusOK, http.StatusNoContent}}); err != nil {
			return "", err
		}
		return "", d.failed(ErrForbidden, "the followup did not become private, and was taken back")
	}
	// It stands. Whoever may not see private followups does not see it: then it
	// cannot be looked for, and docs/tickets.md asks for that right.
	return id, nil
}

// ParseHook implements Hooks.
func (d *glpi11) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	return d.cfg.glpiHook(h, body, d.now())
}
