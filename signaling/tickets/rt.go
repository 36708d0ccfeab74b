package tickets

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rt is Request Tracker 5, by its REST 2 interface, with an authentication token
// of an account that may see, comment on and reply to tickets.
//
// The key of a note stands in its subject, because RT writes subject and text in
// one step; a custom field would be a second one.
type rt struct {
	*client
	cfg Config
}

func newRT(c Config) (System, error) {
	if err := c.need("token", c.Token); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	cl.auth = func(r *http.Request) { r.Header.Set("Authorization", "token "+c.Token) }
	cl.fault = func(status int, said string) error {
		// A missing right answers 400 in RT 5.0, and names it.
		if status == http.StatusBadRequest && strings.Contains(said, "Permission Denied") {
			return ErrForbidden
		}
		return nil
	}
	return &rt{cl, c}, nil
}

// Name implements System.
func (*rt) Name() string { return "rt" }

// Caps implements System. RT itself has no bound for files; its database may.
func (*rt) Caps() Caps {
	return Caps{HTML: true, Files: true, Time: true, Links: true, Public: true, Search: true, MaxFile: 10 << 20}
}

type rtItems struct {
	Items []struct {
		ID        string `json:"id"`
		Subject   string
		Status    string
		Created   time.Time
		Updated   time.Time `json:"LastUpdated"`
		Data      string
		Priority  loose
		Due       string
		Requestor []struct{ ID, EmailAddress, RealName, Lang string }
	} `json:"items"`
}

// items asks for a list of things.
func (d *rt) items(ctx context.Context, what string, query url.Values, got *rtItems) error {
	_, err := d.do(ctx, request{method: "GET", path: "/REST/2.0/" + what, query: query, into: got})
	if err == nil && got.Items == nil {
		err = d.failed(ErrTransient, "%s: the answer is no list", what)
	}
	return err
}

// Check implements System: the token is valid, sees a queue, and may comment on the
// ticket that was made last, where it sees one.
func (d *rt) Check(ctx context.Context) error {
	var got rtItems
	if err := d.items(ctx, "queues/all", url.Values{"per_page": {"1"}}, &got); err != nil {
		return err
	}
	if len(got.Items) == 0 {
		return d.troubled(TroubleNothing, "", ErrForbidden, "the account of the token sees no queue")
	}
	if err := d.items(ctx, "tickets", url.Values{"query": {"id > 0"}, "per_page": {"1"}, "orderby": {"id"}, "order": {"DESC"}}, &got); err != nil || len(got.Items) == 0 {
		return err
	}
	// RT links what the account may do.
	var one struct {
		Links []struct{ Ref string } `json:"_hyperlinks"`
	}
	if _, err := d.do(ctx, request{method: "GET", path: "/REST/2.0/ticket/" + url.PathEscape(got.Items[0].ID), into: &one}); err != nil {
		return err
	}
	if !slices.ContainsFunc(one.Links, func(l struct{ Ref string }) bool { return l.Ref == "comment" }) {
		return d.troubled(TroubleComment, "", ErrForbidden, "the account of the token may not comment on tickets (CommentOnTicket)")
	}
	return nil
}

// Get implements System.
func (d *rt) Get(ctx context.Context, id string) (Ticket, error) {
	if !number(id) {
		return Ticket{}, fmt.Errorf("%w: rt: %.40q", ErrNotFound, id)
	}
	list, err := d.list(ctx, "id="+id, 1)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: rt: %s", ErrNotFound, id)
	}
	if err != nil {
		return Ticket{}, err
	}
	return list[0], nil
}

// Search implements System: each word in the subject, or the number.
func (d *rt) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	var and []string
	words := strings.Fields(strings.NewReplacer("'", " ", `"`, " ", `\`, " ").Replace(line(query)))
	for _, w := range words[:min(len(words), 8)] {
		and = append(and, "Subject LIKE '"+w+"'")
	}
	if len(and) == 0 {
		return nil, nil
	}
	sql := "(" + strings.Join(and, " AND ") + ")"
	if n := strings.TrimPrefix(words[0], "#"); len(words) == 1 && number(n) {
		sql = "(" + sql + " OR id=" + n + ")"
	}
	return d.list(ctx, sql, limit)
}

// list returns tickets by a TicketSQL query; which of them are open is a second
// query, because each queue may have its own words for it.
func (d *rt) list(ctx context.Context, sql string, limit int) ([]Ticket, error) {
	limit = bounded(limit)
	per := strconv.Itoa(min(limit, 100))
	var got, open rtItems
	if err := d.items(ctx, "tickets", url.Values{
		"query": {sql}, "per_page": {per}, "orderby": {"LastUpdated"}, "order": {"DESC"},
		"fields": {"Subject,Status,Priority,Due,Requestor,Created,LastUpdated"}, "fields[Requestor]": {"EmailAddress,RealName,Lang"},
	}, &got); err != nil || len(got.Items) == 0 {
		return nil, err
	}
	ids := make([]string, len(got.Items))
	for i, t := range got.Items {
		if !number(t.ID) {
			return nil, d.failed(ErrTransient, "a ticket without a number")
		}
		ids[i] = "id=" + t.ID
	}
	if err := d.items(ctx, "tickets", url.Values{
		"query": {"(" + strings.Join(ids, " OR ") + ") AND Status='__Active__'"}, "per_page": {per},
	}, &open); err != nil {
		return nil, err
	}
	var list []Ticket
	for _, t := range got.Items {
		k := Ticket{ID: t.ID, Number: t.ID, Subject: line(t.Subject), Lang: d.cfg.Lang, Created: t.Created, Updated: t.Updated}
		k.Priority, k.Due = rtPriority(string(t.Priority)), momentOf(t.Due)
		for _, o := range open.Items {
			k.Open = k.Open || o.ID == t.ID
		}
		if len(t.Requestor) > 0 {
			r := t.Requestor[0]
			k.Lang = d.cfg.langOf(r.Lang)
			for _, name := range []string{r.ID, r.EmailAddress, r.RealName} {
				if name = line(name); name != "" {
					k.Requester = name
				}
			}
		}
		list = append(list, k)
	}
	return list[:min(len(list), limit)], nil
}

// rtPriority reads RT's own scale: 0 is also what nobody said, its words for 50 and
// 100 are medium and high; a desk may count further.
func rtPriority(s string) Priority {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || n <= 0:
		return Unsaid
	case n < 34:
		return Low
	case n < 67:
		return Normal
	case n <= 100:
		return High
	}
	return Urgent
}

// subject of the note with a key; see Find.
func (d *rt) subject(n Note) string {
	return locales[langOr(n.Lang, d.cfg.Lang)]["title"] + " (" + n.Key + ")"
}

// Find implements System.
func (d *rt) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	var got rtItems
	err := d.items(ctx, "transactions", url.Values{
		"query":  {"ObjectType='RT::Ticket' AND TicketId=" + ticket + " AND Creator='__CurrentUser__' AND Data LIKE '" + key + "'"},
		"fields": {"Data"}, "per_page": {"20"},
	}, &got)
	if err != nil {
		return "", false, err
	}
	for _, t := range got.Items {
		if strings.HasSuffix(strings.TrimSpace(t.Data), " ("+key+")") {
			return t.ID, true, nil
		}
	}
	return "", false, nil
}

type rtFile struct{ FileName, FileType, FileContent string }

// Append implements System: text, files and time in one call; RT takes notes in
// closed tickets too.
func (d *rt) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !number(ticket) {
		return "", fmt.Errorf("%w: rt: %.40q", ErrNotFound, ticket)
	}
	if n.Link != "" {
		// Adding the same link again changes nothing; without the right to change
		// tickets there is the one in the text.
		_, err := d.do(ctx, request{method: "PUT", path: "/REST/2.0/ticket/" + ticket, json: map[string]any{"AddRefersTo": []string{n.Link}}})
		if err != nil && !slices.ContainsFunc([]error{ErrForbidden, ErrInvalid, ErrConflict}, isKind(err)) {
			return "", err
		}
	}
	body := map[string]any{"Subject": d.subject(n), "Content": HTML(n.Document()), "ContentType": "text/html"}
	if n.Minutes > 0 {
		body["TimeTaken"] = n.Minutes
	}
	var files []rtFile
	for _, f := range n.Files {
		// RT 5.0 stores a name beyond ASCII broken, or answers 500, unless it is
		// written as in the head of a mail.
		files = append(files, rtFile{mime.BEncoding.Encode("utf-8", fileName(f.Name)), fileType(f), base64.StdEncoding.EncodeToString(f.Data)})
	}
	if len(files) > 0 {
		body["Attachments"] = files
	}
	kind := "comment"
	if n.Public {
		kind = "correspond"
	}
	h, err := d.do(ctx, request{method: "POST", path: "/REST/2.0/ticket/" + ticket + "/" + kind, json: body, status: []int{http.StatusCreated}})
	if errors.Is(err, ErrForbidden) {
		// RT says the same of a ticket that is not there.
		if _, gone := d.Get(ctx, ticket); errors.Is(gone, ErrNotFound) {
			err = gone
		}
	}
	if err != nil {
		return "", err
	}
	id := path.Base(h.Get("Location"))
	if !number(id) {
		return "", d.failed(ErrTransient, "the note was taken, but its number not told")
	}
	return id, nil
}
