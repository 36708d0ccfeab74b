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

// zendesk is Zendesk Support, by its version 2 interface, with an API token of an
// agent, or an OAuth token where no user is named. The key is the last line of a
// comment.
type zendesk struct {
	*client
	cfg  Config
	self self
}

func newZendesk(c Config) (System, error) {
	if err := c.need("token", c.Token); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	cl.auth = func(r *http.Request) {
		if c.User == "" {
			r.Header.Set("Authorization", "Bearer "+c.Token)
			return
		}
		r.SetBasicAuth(c.User+"/token", c.Token)
	}
	cl.fault = func(status int, said string) error {
		if status == http.StatusUnprocessableEntity && strings.Contains(said, "closed prevents ticket update") {
			return ErrClosed
		}
		return nil
	}
	return &zendesk{client: cl, cfg: c}, nil
}

// Name implements System.
func (*zendesk) Name() string { return "zendesk" }

// Caps implements System. Zendesk takes files of 50 MB.
func (*zendesk) Caps() Caps {
	return Caps{HTML: true, Files: true, Public: true, Search: true, MaxFile: 50 << 20}
}

func (d *zendesk) whoami(ctx context.Context) (string, error) {
	var got struct{ User struct{ ID int64 } }
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v2/users/me.json", into: &got}); err != nil {
		return "", err
	}
	if got.User.ID <= 0 {
		return "", d.failed(ErrTransient, "the answer does not say who we are")
	}
	return strconv.FormatInt(got.User.ID, 10), nil
}

// Check implements System.
func (d *zendesk) Check(ctx context.Context) error {
	_, err := d.whoami(ctx)
	return err
}

type zendeskTicket struct {
	ID        int64     `json:"id"`
	Subject   string    `json:"subject"`
	Status    string    `json:"status"`
	Requester int64     `json:"requester_id"`
	Created   time.Time `json:"created_at"`
	Updated   time.Time `json:"updated_at"`
}

func (d *zendesk) ticket(t zendeskTicket) Ticket {
	id := strconv.FormatInt(t.ID, 10)
	return Ticket{
		ID: id, Number: id, Subject: line(t.Subject), Lang: d.cfg.Lang,
		Open: t.Status != "solved" && t.Status != "closed", Created: t.Created, Updated: t.Updated,
	}
}

// Get implements System.
func (d *zendesk) Get(ctx context.Context, id string) (Ticket, error) {
	if !number(id) {
		return Ticket{}, fmt.Errorf("%w: zendesk: %.40q", ErrNotFound, id)
	}
	var got struct {
		Ticket zendeskTicket
		Users  []struct {
			ID           int64
			Name, Locale string
		}
	}
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v2/tickets/" + id + ".json", query: url.Values{"include": {"users"}}, into: &got}); err != nil {
		return Ticket{}, err
	}
	t := d.ticket(got.Ticket)
	if t.ID != id {
		return Ticket{}, d.failed(ErrTransient, "the answer is no ticket")
	}
	for _, u := range got.Users {
		if u.ID == got.Ticket.Requester {
			t.Requester, t.Lang = line(u.Name), d.cfg.langOf(u.Locale)
		}
	}
	return t, nil
}

// Search implements System.
func (d *zendesk) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	if one, err := byNumber(ctx, d, words, ErrNotFound); one != nil || err != nil {
		return one, err
	}
	var got struct{ Results []zendeskTicket }
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v2/search.json", query: url.Values{
		"query": {"type:ticket " + strings.Join(words, " ")}, "sort_by": {"updated_at"}, "sort_order": {"desc"}, "per_page": {"100"},
	}, into: &got}); err != nil {
		return nil, err
	}
	var list []Ticket
	for _, r := range got.Results {
		if t := d.ticket(r); r.ID > 0 && matches(t, words) {
			list = append(list, t)
		}
	}
	return list[:min(len(list), bounded(limit))], nil
}

// zendeskPages bounds the pages of a ticket's comments: it can have 5,000.
const zendeskPages = 51

// Find implements System.
func (d *zendesk) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	me, err := d.self.get(func() (string, error) { return d.whoami(ctx) })
	if err != nil {
		return "", false, err
	}
	query := url.Values{"page[size]": {"100"}, "sort": {"-created_at"}}
	for range zendeskPages {
		var got struct {
			Comments []struct {
				ID     int64  `json:"id"`
				Author int64  `json:"author_id"`
				HTML   string `json:"html_body"`
			} `json:"comments"`
			Meta struct {
				More  bool   `json:"has_more"`
				After string `json:"after_cursor"`
			} `json:"meta"`
		}
		if _, err := d.do(ctx, request{method: "GET", path: "/api/v2/tickets/" + ticket + "/comments.json", query: query, into: &got, max: maxHistory}); err != nil {
			return "", false, err
		}
		if got.Comments == nil {
			return "", false, d.failed(ErrTransient, "the answer has no comments")
		}
		for _, c := range got.Comments {
			if strconv.FormatInt(c.Author, 10) == me && endsWith(Text(c.HTML), key) {
				return strconv.FormatInt(c.ID, 10), true, nil
			}
		}
		if !got.Meta.More || got.Meta.After == "" {
			return "", false, nil
		}
		query.Set("page[after]", got.Meta.After)
	}
	return "", false, d.failed(ErrTransient, "the comments of the ticket do not end")
}

// Append implements System. Files that were put down and taken by no comment are
// gone after an hour.
func (d *zendesk) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !number(ticket) {
		return "", fmt.Errorf("%w: zendesk: %.40q", ErrNotFound, ticket)
	}
	comment := map[string]any{"html_body": HTML(n.Document().signed(n.Key)), "public": n.Public}
	var tokens []string
	for _, f := range n.Files {
		var got struct{ Upload struct{ Token string } }
		if _, err := d.do(ctx, request{
			method: "POST", path: "/api/v2/uploads.json", query: url.Values{"filename": {fileName(f.Name)}}, body: f.Data,
			header: http.Header{"Content-Type": {fileType(f)}}, into: &got, status: []int{http.StatusCreated},
		}); err != nil {
			return "", err
		}
		if got.Upload.Token == "" {
			return "", d.failed(ErrTransient, "a file was taken, but its token not told")
		}
		tokens = append(tokens, got.Upload.Token)
	}
	if len(tokens) > 0 {
		comment["uploads"] = tokens
	}
	var got struct {
		Audit struct {
			Events []struct {
				ID   int64
				Type string
			}
		}
	}
	if _, err := d.do(ctx, request{
		method: "PUT", path: "/api/v2/tickets/" + ticket + ".json", json: map[string]any{"ticket": map[string]any{"comment": comment}}, into: &got,
	}); err != nil {
		return "", err
	}
	for _, e := range got.Audit.Events {
		if e.Type == "Comment" && e.ID > 0 {
			return strconv.FormatInt(e.ID, 10), nil
		}
	}
	return "", d.failed(ErrTransient, "the note was taken, but its number not told")
}
