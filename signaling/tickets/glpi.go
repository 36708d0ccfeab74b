package tickets

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// glpi is GLPI 10, by its REST interface apirest.php; GLPI 11 still has it, as
// "legacy", where an admin switches it on. It needs the remote access key of an
// account and, where the interface asks for one, an application token. The key of
// a note is the last line of a followup.
type glpi struct {
	*client
	cfg     Config
	self    self
	session session
}

func newGLPI(c Config) (System, error) {
	if err := c.need("token", c.Token); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	cl.fault = func(status int, said string) error {
		switch {
		// 401 in old versions, 403 in new ones.
		case strings.Contains(said, "ERROR_RIGHT_MISSING"):
			return ErrForbidden
		case strings.Contains(said, "APP_TOKEN"), strings.Contains(said, "ERROR_NOT_ALLOWED_IP"), strings.Contains(said, "ERROR_LOGIN"):
			return ErrAuth
		}
		return nil
	}
	d := &glpi{client: cl, cfg: c}
	d.session = session{sign: d.sign, put: func(r *request, token string) {
		r.header.Set("Session-Token", token)
		d.app(r.header)
	}}
	return d, nil
}

// app puts the application's token beside the account's.
func (d *glpi) app(h http.Header) {
	if d.cfg.AppToken != "" {
		h.Set("App-Token", d.cfg.AppToken)
	}
}

// Name implements System.
func (*glpi) Name() string { return "glpi" }

// Caps implements System. No files: GLPI attaches them to a ticket in a step of
// its own, where the requester sees them.
func (*glpi) Caps() Caps { return Caps{HTML: true, Public: true, Search: true} }

func (d *glpi) sign(ctx context.Context) (string, error) {
	h := http.Header{"Authorization": {"user_token " + d.cfg.Token}}
	d.app(h)
	var got struct {
		Token string `json:"session_token"`
	}
	_, err := d.do(ctx, request{method: "GET", path: "/apirest.php/initSession", header: h, into: &got})
	return got.Token, err
}

func (d *glpi) call(ctx context.Context, r request) error { return d.session.call(ctx, d.client, r) }

func (d *glpi) whoami(ctx context.Context) (string, error) {
	var got struct {
		Session struct {
			ID json.Number `json:"glpiID"`
		} `json:"session"`
	}
	if err := d.call(ctx, request{method: "GET", path: "/apirest.php/getFullSession", into: &got, max: maxHistory}); err != nil {
		return "", err
	}
	if !number(got.Session.ID.String()) {
		return "", d.failed(ErrTransient, "the answer does not say who we are")
	}
	return got.Session.ID.String(), nil
}

// Check implements System.
func (d *glpi) Check(ctx context.Context) error {
	_, err := d.whoami(ctx)
	return err
}

// The last states of a ticket in GLPI.
const glpiSolved, glpiClosed = 5, 6

// date reads what GLPI writes without a zone.
func (*glpi) date(s string) time.Time {
	t, err := time.Parse(time.DateTime, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// read undoes the entities in which GLPI 10 keeps and sends every text.
func (*glpi) read(s string) string { return line(html.UnescapeString(s)) }

type glpiTicket struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Status  int64  `json:"status"`
	Created string `json:"date_creation"`
	Updated string `json:"date_mod"`
}

func (d *glpi) get(ctx context.Context, id string) (glpiTicket, error) {
	var got glpiTicket
	if !number(id) {
		return got, fmt.Errorf("%w: glpi: %.40q", ErrNotFound, id)
	}
	err := d.call(ctx, request{method: "GET", path: "/apirest.php/Ticket/" + id, into: &got})
	if err == nil && strconv.FormatInt(got.ID, 10) != id {
		err = d.failed(ErrTransient, "the answer is no ticket")
	}
	return got, err
}

// Get implements System.
func (d *glpi) Get(ctx context.Context, id string) (Ticket, error) {
	got, err := d.get(ctx, id)
	if err != nil {
		return Ticket{}, err
	}
	t := Ticket{
		ID: id, Number: id, Subject: d.read(got.Name), Lang: d.cfg.Lang, Open: got.Status < glpiSolved,
		Created: d.date(got.Created), Updated: d.date(got.Updated),
	}
	var people []struct {
		User int64 `json:"users_id"`
		Type int64 `json:"type"`
	}
	if err := d.call(ctx, request{method: "GET", path: "/apirest.php/Ticket/" + id + "/Ticket_User", into: &people, status: []int{200, 206}}); err != nil {
		return Ticket{}, err
	}
	for _, p := range people {
		if p.Type != 1 || p.User <= 0 { // 1: requester
			continue
		}
		var who struct {
			First    string `json:"firstname"`
			Last     string `json:"realname"`
			Login    string `json:"name"`
			Language string `json:"language"`
		}
		err := d.call(ctx, request{method: "GET", path: "/apirest.php/User/" + strconv.FormatInt(p.User, 10), into: &who})
		switch {
		case isKind(err)(ErrForbidden), isKind(err)(ErrNotFound): // who asks may be hidden from us
		case err != nil:
			return Ticket{}, err
		default:
			if t.Requester = d.read(who.First + " " + who.Last); t.Requester == "" {
				t.Requester = d.read(who.Login)
			}
			t.Lang = d.cfg.langOf(who.Language)
		}
		break
	}
	return t, nil
}

// Search implements System. 1, 2, 12, 15 and 19 are GLPI's own numbers of the
// columns title, id, status, opening and last change.
func (d *glpi) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	if one, err := byNumber(ctx, d, words, ErrNotFound, ErrForbidden); one != nil || err != nil {
		return one, err
	}
	q := url.Values{
		"forcedisplay[0]": {"1"}, "forcedisplay[1]": {"2"}, "forcedisplay[2]": {"12"}, "forcedisplay[3]": {"15"}, "forcedisplay[4]": {"19"},
		"range": {"0-99"}, "sort": {"19"}, "order": {"DESC"},
	}
	for i, w := range words {
		at := "criteria[" + strconv.Itoa(i) + "]"
		q.Set(at+"[link]", "AND")
		q.Set(at+"[field]", "1")
		q.Set(at+"[searchtype]", "contains")
		q.Set(at+"[value]", w)
	}
	var got struct {
		Total *int64 `json:"totalcount"`
		Data  []struct {
			Name    string      `json:"1"`
			ID      json.Number `json:"2"`
			Status  json.Number `json:"12"`
			Created string      `json:"15"`
			Updated string      `json:"19"`
		} `json:"data"`
	}
	if err := d.call(ctx, request{method: "GET", path: "/apirest.php/search/Ticket", query: q, into: &got, status: []int{200, 206}}); err != nil {
		return nil, err
	}
	if got.Total == nil {
		return nil, d.failed(ErrTransient, "the answer is no list")
	}
	var list []Ticket
	for _, g := range got.Data {
		status, err := g.Status.Int64()
		if err != nil || !number(g.ID.String()) {
			return nil, d.failed(ErrTransient, "a ticket without number or status")
		}
		t := Ticket{
			ID: g.ID.String(), Number: g.ID.String(), Subject: d.read(g.Name), Lang: d.cfg.Lang, Open: status < glpiSolved,
			Created: d.date(g.Created), Updated: d.date(g.Updated),
		}
		if matches(t, words) {
			list = append(list, t)
		}
	}
	return list[:min(len(list), bounded(limit))], nil
}

// glpiPage is how many followups are read at once, and glpiPages how often.
const glpiPage, glpiPages = 200, 50

// Find implements System.
func (d *glpi) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	me, err := d.self.get(func() (string, error) { return d.whoami(ctx) })
	if err != nil {
		return "", false, err
	}
	for page := range glpiPages {
		var list []struct {
			ID      int64  `json:"id"`
			User    int64  `json:"users_id"`
			Content string `json:"content"`
		}
		err := d.call(ctx, request{
			method: "GET", path: "/apirest.php/Ticket/" + ticket + "/ITILFollowup", into: &list, status: []int{200, 206}, max: maxHistory,
			query: url.Values{"range": {fmt.Sprintf("%d-%d", page*glpiPage, (page+1)*glpiPage-1)}, "order": {"DESC"}},
		})
		if page > 0 && isKind(err)(ErrInvalid) {
			return "", false, nil // beyond the last: ERROR_RANGE_EXCEED_TOTAL
		}
		if err != nil {
			return "", false, err
		}
		for _, f := range list {
			markup := f.Content
			if !strings.Contains(markup, "<") {
				markup = html.UnescapeString(markup)
			}
			if strconv.FormatInt(f.User, 10) == me && endsWith(Text(markup), key) {
				return strconv.FormatInt(f.ID, 10), true, nil
			}
		}
		if len(list) < glpiPage {
			return "", false, nil
		}
	}
	return "", false, d.failed(ErrTransient, "the followups of the ticket do not end")
}

// Append implements System: a followup. GLPI takes none in a closed ticket.
func (d *glpi) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !number(ticket) {
		return "", fmt.Errorf("%w: glpi: %.40q", ErrNotFound, ticket)
	}
	private := 1
	if n.Public {
		private = 0
	}
	id, err := strconv.ParseInt(ticket, 10, 64)
	if err != nil {
		return "", fmt.Errorf("%w: glpi: %.40q", ErrNotFound, ticket)
	}
	var got struct{ ID int64 }
	err = d.call(ctx, request{method: "POST", path: "/apirest.php/ITILFollowup", into: &got, status: []int{http.StatusCreated}, json: map[string]any{
		"input": map[string]any{"itemtype": "Ticket", "items_id": id, "content": HTML(n.Document().signed(n.Key)), "is_private": private},
	}})
	if isKind(err)(ErrForbidden) || isKind(err)(ErrInvalid) {
		// GLPI says no more than that it did not: look why.
		switch t, why := d.get(ctx, ticket); {
		case isKind(why)(ErrNotFound):
			return "", why
		case why == nil && t.Status >= glpiClosed:
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
	return strconv.FormatInt(got.ID, 10), nil
}
