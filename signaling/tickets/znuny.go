package tickets

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// znuny is Znuny 6.5 and 7, and OTRS 6, by the web service that
// GenericTicketConnectorREST.yml describes, with an agent's login and password.
// The key of a note stands in its subject: Znuny makes text of a note's HTML, and
// puts the addresses of links behind its last line.
type znuny struct {
	*client
	cfg     Config
	self    self
	session session
}

func newZnuny(c Config) (System, error) {
	if err := c.need("user", c.User, "password", c.Password); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	d := &znuny{client: cl, cfg: c}
	cl.inside = d.error
	d.session = session{sign: d.sign, put: func(r *request, token string) {
		// Beside what is read it can only stand in the address; beside what is
		// written, it does not have to.
		if body, ok := r.json.(map[string]any); ok {
			body = maps.Clone(body)
			body["SessionID"] = token
			r.json = body
			return
		}
		r.query = maps.Clone(r.query)
		if r.query == nil {
			r.query = url.Values{}
		}
		r.query.Set("SessionID", token)
	}}
	return d, nil
}

// Name implements System.
func (*znuny) Name() string { return "znuny" }

// Caps implements System. The whole request may have 100 MB.
func (*znuny) Caps() Caps {
	return Caps{HTML: true, Files: true, Time: true, Public: true, Search: true, MaxFile: 10 << 20}
}

// error finds the error in a 200.
func (d *znuny) error(body []byte) error {
	var got struct {
		Error struct{ ErrorCode, ErrorMessage string }
	}
	if json.Unmarshal(body, &got) != nil || got.Error.ErrorCode == "" {
		return nil
	}
	kind := ErrTransient
	switch _, what, _ := strings.Cut(got.Error.ErrorCode, "."); what {
	case "AuthFail", "SessionInvalid":
		kind = ErrAuth
	case "AccessDenied":
		kind = ErrForbidden
	case "NotValidTicketID":
		kind = ErrNotFound
	case "MissingParameter", "InvalidParameter", "WrongStructure", "EmptyRequest":
		kind = ErrInvalid
	}
	said := []rune(line(got.Error.ErrorMessage))
	return d.failed(kind, "%.60s: %s", got.Error.ErrorCode, string(said[:min(len(said), maxMessage)]))
}

func (d *znuny) sign(ctx context.Context) (string, error) {
	var got struct{ SessionID string }
	_, err := d.do(ctx, request{method: "POST", path: "/Session", json: map[string]any{"UserLogin": d.cfg.User, "Password": d.cfg.Password}, into: &got})
	return got.SessionID, err
}

func (d *znuny) call(ctx context.Context, r request) error { return d.session.call(ctx, d.client, r) }

// whoami returns the number of the agent: it stands beside each note.
func (d *znuny) whoami(ctx context.Context) (string, error) {
	token, err := d.session.open(ctx, d.client, "")
	if err != nil {
		return "", err
	}
	var got struct {
		SessionData []struct {
			Key   string
			Value any
		}
	}
	err = d.call(ctx, request{method: "GET", path: "/Session/" + url.PathEscape(token), into: &got})
	if isKind(err)(ErrAuth) { // it ended since, and a new one is open
		if token, err = d.session.open(ctx, d.client, ""); err == nil {
			err = d.call(ctx, request{method: "GET", path: "/Session/" + url.PathEscape(token), into: &got})
		}
	}
	if err != nil {
		return "", err
	}
	for _, p := range got.SessionData {
		if id := fmt.Sprint(p.Value); p.Key == "UserID" && number(id) {
			return id, nil
		}
	}
	return "", d.failed(ErrTransient, "the answer does not say who we are")
}

func (d *znuny) me(ctx context.Context) (string, error) {
	return d.self.get(func() (string, error) { return d.whoami(ctx) })
}

// Check implements System.
func (d *znuny) Check(ctx context.Context) error {
	_, err := d.whoami(ctx)
	return err
}

type znunyTicket struct {
	ID       loose `json:"TicketID"`
	Number   loose `json:"TicketNumber"`
	Title    string
	State    string `json:"StateType"`
	Customer string `json:"CustomerUserID"`
	Created  string
	Changed  string
	Article  []struct {
		ID      loose `json:"ArticleID"`
		By      loose `json:"CreateBy"`
		Subject string
	}
}

func (d *znuny) ticket(t znunyTicket) Ticket {
	k := Ticket{
		ID: string(t.ID), Number: line(string(t.Number)), Subject: line(t.Title), Requester: line(t.Customer), Lang: d.cfg.Lang,
		Open: !slices.Contains([]string{"closed", "merged", "removed"}, t.State),
	}
	k.Created, _ = time.Parse(time.DateTime, t.Created) // UTC, unless OTRSTimeZone says otherwise
	k.Updated, _ = time.Parse(time.DateTime, t.Changed)
	return k
}

// read returns tickets by their ids.
func (d *znuny) read(ctx context.Context, ids []string, query url.Values) ([]znunyTicket, error) {
	var got struct{ Ticket []znunyTicket }
	err := d.call(ctx, request{method: "GET", path: "/Ticket/" + strings.Join(ids, ","), query: query, into: &got, max: maxHistory})
	if err != nil {
		return nil, err
	}
	if len(got.Ticket) != len(ids) {
		return nil, d.failed(ErrTransient, "the answer has %d tickets of %d", len(got.Ticket), len(ids))
	}
	for _, t := range got.Ticket {
		if !slices.Contains(ids, string(t.ID)) || t.Number == "" || t.State == "" {
			return nil, d.failed(ErrTransient, "the answer is no ticket")
		}
	}
	return got.Ticket, nil
}

// one returns a ticket. Znuny says the same of a ticket that is not there and of
// one that it does not show.
func (d *znuny) one(ctx context.Context, id string, query url.Values) (znunyTicket, error) {
	if !number(id) {
		return znunyTicket{}, fmt.Errorf("%w: znuny: %.40q", ErrNotFound, id)
	}
	list, err := d.read(ctx, []string{id}, query)
	if isKind(err)(ErrForbidden) && strings.Contains(err.Error(), "AccessDenied") {
		return znunyTicket{}, d.failed(ErrNotFound, "no ticket %s, or none that the account may see", id)
	}
	if err != nil {
		return znunyTicket{}, err
	}
	return list[0], nil
}

// Get implements System. Which language a customer reads is not told: it is that
// of the configuration.
func (d *znuny) Get(ctx context.Context, id string) (Ticket, error) {
	t, err := d.one(ctx, id, nil)
	if err != nil {
		return Ticket{}, err
	}
	return d.ticket(t), nil
}

// Search implements System.
func (d *znuny) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	longest := slices.MaxFunc(words, func(a, b string) int { return len(a) - len(b) })
	queries := []url.Values{{"Title": {"%" + longest + "%"}}}
	if _, err := strconv.ParseUint(words[0], 10, 64); err == nil && len(words) == 1 {
		queries = append([]url.Values{{"TicketNumber": {words[0]}}}, queries...)
	}
	var list []Ticket
	for _, q := range queries {
		q.Set("Limit", "100")
		q.Set("SortBy", "Changed")
		q.Set("OrderBy", "Down")
		var got struct{ TicketID []loose }
		if err := d.call(ctx, request{method: "GET", path: "/Ticket", query: q, into: &got}); err != nil {
			return nil, err
		}
		var ids []string
		for _, id := range got.TicketID[:min(len(got.TicketID), 100)] {
			if !number(string(id)) {
				return nil, d.failed(ErrTransient, "a ticket without a number")
			}
			if !slices.ContainsFunc(list, func(t Ticket) bool { return t.ID == string(id) }) {
				ids = append(ids, string(id))
			}
		}
		if len(ids) == 0 {
			continue
		}
		tickets, err := d.read(ctx, ids, nil)
		if err != nil {
			return nil, err
		}
		for _, t := range tickets {
			if k := d.ticket(t); matches(k, words) {
				list = append(list, k)
			}
		}
	}
	return list[:min(len(list), bounded(limit))], nil
}

// subject of the note with a key; see Find.
func (d *znuny) subject(n Note) string {
	return locales[langOr(n.Lang, d.cfg.Lang)]["title"] + " (" + n.Key + ")"
}

// Find implements System.
func (d *znuny) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	me, err := d.me(ctx)
	if err != nil {
		return "", false, err
	}
	t, err := d.one(ctx, ticket, url.Values{"AllArticles": {"1"}})
	if err != nil {
		return "", false, err
	}
	for _, a := range t.Article {
		if string(a.By) == me && strings.HasSuffix(strings.TrimSpace(a.Subject), " ("+key+")") {
			return string(a.ID), true, nil
		}
	}
	return "", false, nil
}

// Append implements System: text, files and time in one call; closed tickets take
// notes too.
func (d *znuny) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !number(ticket) {
		return "", fmt.Errorf("%w: znuny: %.40q", ErrNotFound, ticket)
	}
	visible := 0
	if n.Public {
		visible = 1
	}
	body := map[string]any{"Article": map[string]any{
		"Subject": d.subject(n), "Body": HTML(n.Document()), "ContentType": "text/html; charset=utf-8", "CommunicationChannel": "Internal",
		"SenderType": "agent", "IsVisibleForCustomer": visible, "HistoryType": "AddNote", "HistoryComment": "Mainforte",
		"TimeUnit": n.Minutes, // some desks want it told, also when it is none
	}}
	var files []map[string]string
	for _, f := range n.Files {
		if len(f.Data) > 0 { // of an empty one, Znuny says that it is missing
			files = append(files, map[string]string{"Filename": fileName(f.Name), "ContentType": fileType(f), "Content": base64.StdEncoding.EncodeToString(f.Data)})
		}
	}
	if len(files) > 0 {
		body["Attachment"] = files
	}
	var got struct {
		TicketID, ArticleID loose
	}
	err := d.call(ctx, request{method: http.MethodPatch, path: "/Ticket/" + ticket, json: body, into: &got, max: maxHistory})
	if isKind(err)(ErrForbidden) {
		if _, why := d.one(ctx, ticket, nil); isKind(why)(ErrNotFound) {
			return "", why
		}
	}
	if err != nil {
		return "", err
	}
	if string(got.TicketID) != ticket || !number(string(got.ArticleID)) {
		return "", d.failed(ErrTransient, "the note was taken, but its number not told")
	}
	return string(got.ArticleID), nil
}

// ParseHook implements Hooks: an invoker of Znuny, Ticket::Generic, with a header
// that brings the secret.
func (d *znuny) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	if err := d.cfg.told(h, body); err != nil {
		return HookEvent{}, err
	}
	var got struct {
		Ticket struct {
			TicketID         loose
			StateType, Owner string
		}
		Event struct{ Event string }
	}
	if err := d.cfg.vendors(body, &got); err != nil {
		return HookEvent{}, err
	}
	ended := slices.Contains([]string{"closed", "merged", "removed"}, got.Ticket.StateType)
	return d.cfg.hookEvent(HookEvent{
		Ticket: string(got.Ticket.TicketID), Delivery: d.cfg.momentary(body, d.now()), Assignee: first(got.Ticket.Owner),
		Kind: kindOf(ended && got.Event.Event == "TicketStateUpdate", got.Event.Event == "TicketCreate", got.Event.Event == "TicketOwnerUpdate"),
	}, d.now(), number)
}
