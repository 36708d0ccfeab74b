package tickets

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// zammad is Zammad, by its REST interface, with an access token of an agent that
// has ticket.agent. The key is the last line of an article.
type zammad struct {
	*client
	cfg  Config
	self self
}

func newZammad(c Config) (System, error) {
	if err := c.need("token", c.Token); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	cl.auth = func(r *http.Request) { r.Header.Set("Authorization", "Token token="+c.Token) }
	return &zammad{client: cl, cfg: c}, nil
}

// self remembers who we are at a desk: only what that account wrote can be a
// note of ours.
type self struct {
	mu sync.Mutex
	id string
}

// get asks once; a failed answer is asked for again.
func (s *self) get(ask func() (string, error)) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != "" {
		return s.id, nil
	}
	id, err := ask()
	if err == nil {
		s.id = id
	}
	return id, err
}

// Name implements System.
func (*zammad) Name() string { return "zammad" }

// Caps implements System.
func (*zammad) Caps() Caps {
	return Caps{HTML: true, Files: true, Time: true, Public: true, Search: true, MaxFile: 10 << 20}
}

func (d *zammad) me(ctx context.Context) (string, error) {
	return d.self.get(func() (string, error) {
		var got struct{ ID int64 }
		if _, err := d.do(ctx, request{method: "GET", path: "/api/v1/users/me", into: &got}); err != nil {
			return "", err
		}
		if got.ID <= 0 {
			return "", d.failed(ErrTransient, "the answer does not say who we are")
		}
		return strconv.FormatInt(got.ID, 10), nil
	})
}

// Check implements System.
func (d *zammad) Check(ctx context.Context) error {
	var got struct{ ID int64 }
	_, err := d.do(ctx, request{method: "GET", path: "/api/v1/users/me", into: &got})
	return err
}

type zammadTicket struct {
	ID         int64     `json:"id"`
	Number     string    `json:"number"`
	Title      string    `json:"title"`
	StateID    int64     `json:"state_id"`
	CustomerID int64     `json:"customer_id"`
	Customer   string    `json:"customer"`
	Created    time.Time `json:"created_at"`
	Updated    time.Time `json:"updated_at"`
}

// closedStates are the ids of the states in which work has ended. An admin may
// name states as he likes, but not their types: 5 closed, 6 merged, 7 removed.
func (d *zammad) closedStates(ctx context.Context) ([]int64, error) {
	var list []struct {
		ID     int64 `json:"id"`
		TypeID int64 `json:"state_type_id"`
	}
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v1/ticket_states", into: &list}); err != nil {
		return nil, err
	}
	var closed []int64
	for _, s := range list {
		if s.TypeID >= 5 {
			closed = append(closed, s.ID)
		}
	}
	if closed == nil {
		return nil, d.failed(ErrTransient, "the answer has no states")
	}
	return closed, nil
}

func (d *zammad) ticket(t zammadTicket, closed []int64) (Ticket, error) {
	if t.ID <= 0 || t.Number == "" {
		return Ticket{}, d.failed(ErrTransient, "the answer is no ticket")
	}
	return Ticket{
		ID: strconv.FormatInt(t.ID, 10), Number: line(t.Number), Subject: line(t.Title), Requester: line(t.Customer), Lang: d.cfg.Lang,
		Open: !slices.Contains(closed, t.StateID), Created: t.Created, Updated: t.Updated,
	}, nil
}

// Get implements System.
func (d *zammad) Get(ctx context.Context, id string) (Ticket, error) {
	if !number(id) {
		return Ticket{}, fmt.Errorf("%w: zammad: %.40q", ErrNotFound, id)
	}
	var got zammadTicket
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v1/tickets/" + id, query: url.Values{"expand": {"true"}}, into: &got}); err != nil {
		return Ticket{}, err
	}
	if got.ID == 0 {
		return Ticket{}, d.failed(ErrTransient, "the answer is no ticket")
	}
	closed, err := d.closedStates(ctx)
	if err != nil {
		return Ticket{}, err
	}
	t, err := d.ticket(got, closed)
	if err != nil {
		return Ticket{}, err
	}
	var who struct {
		First string                  `json:"firstname"`
		Last  string                  `json:"lastname"`
		Prefs struct{ Locale string } `json:"preferences"`
	}
	// Who asks may be hidden from us; the ticket still counts.
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v1/users/" + strconv.FormatInt(got.CustomerID, 10), into: &who}); err == nil {
		t.Lang = d.cfg.langOf(who.Prefs.Locale)
		if name := line(who.First + " " + who.Last); name != "" {
			t.Requester = name
		}
	} else if !isKind(err)(ErrForbidden) && !isKind(err)(ErrNotFound) {
		return Ticket{}, err
	}
	return t, nil
}

// Search implements System. Zammad looks into everything; what is only in a text
// is left out.
func (d *zammad) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	var got []zammadTicket
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v1/tickets/search", query: url.Values{
		"query": {strings.Join(words, " ")}, "limit": {"50"}, "expand": {"true"},
	}, into: &got}); err != nil || len(got) == 0 {
		return nil, err
	}
	closed, err := d.closedStates(ctx)
	if err != nil {
		return nil, err
	}
	return found(got, func(g zammadTicket) (Ticket, error) { return d.ticket(g, closed) }, words, limit)
}

// Find implements System.
func (d *zammad) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	me, err := d.me(ctx)
	if err != nil {
		return "", false, err
	}
	var list []struct {
		ID   int64  `json:"id"`
		By   int64  `json:"created_by_id"`
		Body string `json:"body"`
	}
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v1/ticket_articles/by_ticket/" + ticket, into: &list, max: maxHistory}); err != nil {
		return "", false, err
	}
	for _, a := range list {
		if strconv.FormatInt(a.By, 10) == me && endsWith(Text(a.Body), key) {
			return strconv.FormatInt(a.ID, 10), true, nil
		}
	}
	return "", false, nil
}

type zammadFile struct {
	Name string `json:"filename"`
	Data string `json:"data"`
	Type string `json:"mime-type"`
}

// Append implements System: text, files and time in one call; closed tickets
// take notes too.
func (d *zammad) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	id, err := strconv.ParseInt(ticket, 10, 64)
	if err != nil || !number(ticket) {
		return "", fmt.Errorf("%w: zammad: %.40q", ErrNotFound, ticket)
	}
	body := map[string]any{
		"ticket_id": id, "subject": locales[langOr(n.Lang, d.cfg.Lang)]["title"], "body": HTML(n.Document().signed(n.Key)),
		"content_type": "text/html", "type": "note", "internal": !n.Public, "sender": "Agent",
	}
	if n.Minutes > 0 {
		body["time_unit"] = strconv.Itoa(n.Minutes)
	}
	var files []zammadFile
	for _, f := range n.Files {
		files = append(files, zammadFile{fileName(f.Name), base64.StdEncoding.EncodeToString(f.Data), fileType(f)})
	}
	if len(files) > 0 {
		body["attachments"] = files
	}
	var got struct{ ID int64 }
	if _, err := d.do(ctx, request{method: "POST", path: "/api/v1/ticket_articles", json: body, into: &got, status: []int{http.StatusCreated}}); err != nil {
		return "", err
	}
	if got.ID <= 0 {
		return "", d.failed(ErrTransient, "the note was taken, but its number not told")
	}
	return strconv.FormatInt(got.ID, 10), nil
}
