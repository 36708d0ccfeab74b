package tickets

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"time"
)

// freshdesk is Freshdesk, by version 2 of its interface, with the API key of an
// agent. The key of a note is its last line.
type freshdesk struct {
	*client
	cfg  Config
	self self
}

func newFreshdesk(c Config) (System, error) {
	if err := c.need("token", c.Token); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	cl.bare = true // a ticket that is not there is a 404 and nothing else
	cl.auth = func(r *http.Request) { r.SetBasicAuth(c.Token, "X") }
	return &freshdesk{client: cl, cfg: c}, nil
}

// Name implements System.
func (*freshdesk) Name() string { return "freshdesk" }

// Caps implements System. All files of a note may have 20 MB together. Its search
// does not know subjects.
func (*freshdesk) Caps() Caps { return Caps{HTML: true, Files: true, Public: true, MaxFile: 15 << 20} }

func (d *freshdesk) whoami(ctx context.Context) (string, error) {
	var got struct{ ID int64 }
	_, err := d.do(ctx, request{method: "GET", path: "/api/v2/agents/me", into: &got})
	if err == nil && got.ID <= 0 {
		err = d.failed(ErrTransient, "the answer does not say who we are")
	}
	return strconv.FormatInt(got.ID, 10), err
}

// Check implements System.
func (d *freshdesk) Check(ctx context.Context) error {
	_, err := d.whoami(ctx)
	return err
}

// The first of the states in which work has ended: 4 resolved, 5 closed. States
// that an admin makes are numbered from 6, and open.
const freshdeskResolved, freshdeskClosed = 4, 5

// Get implements System.
func (d *freshdesk) Get(ctx context.Context, id string) (Ticket, error) {
	if !number(id) {
		return Ticket{}, fmt.Errorf("%w: freshdesk: %.40q", ErrNotFound, id)
	}
	var got struct {
		ID        int64     `json:"id"`
		Subject   string    `json:"subject"`
		Status    int64     `json:"status"`
		Requester int64     `json:"requester_id"`
		Created   time.Time `json:"created_at"`
		Updated   time.Time `json:"updated_at"`
	}
	if _, err := d.do(ctx, request{method: "GET", path: "/api/v2/tickets/" + id, into: &got}); err != nil {
		return Ticket{}, err
	}
	if strconv.FormatInt(got.ID, 10) != id {
		return Ticket{}, d.failed(ErrTransient, "the answer is no ticket")
	}
	t := Ticket{
		ID: id, Number: id, Subject: line(got.Subject), Lang: d.cfg.Lang, Created: got.Created, Updated: got.Updated,
		Open: got.Status != freshdeskResolved && got.Status != freshdeskClosed,
	}
	var who struct{ Name, Language string }
	// An agent who asks is no contact, and contacts may be hidden from us.
	_, err := d.do(ctx, request{method: "GET", path: "/api/v2/contacts/" + strconv.FormatInt(got.Requester, 10), into: &who})
	if err == nil {
		t.Requester, t.Lang = line(who.Name), d.cfg.langOf(who.Language)
	} else if !isKind(err)(ErrForbidden) && !isKind(err)(ErrNotFound) {
		return Ticket{}, err
	}
	return t, nil
}

// Search implements System: by number only.
func (d *freshdesk) Search(ctx context.Context, query string, _ int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) != 1 || !number(words[0]) {
		return nil, nil
	}
	t, err := d.Get(ctx, words[0])
	if isKind(err)(ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []Ticket{t}, nil
}

// freshdeskPage is how many entries are read at once, and freshdeskPages how
// often.
const freshdeskPage, freshdeskPages = 100, 50

// Find implements System.
func (d *freshdesk) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	me, err := d.self.get(func() (string, error) { return d.whoami(ctx) })
	if err != nil {
		return "", false, err
	}
	for page := 1; page <= freshdeskPages; page++ {
		var list []struct {
			ID   int64  `json:"id"`
			User int64  `json:"user_id"`
			Body string `json:"body"`
		}
		if _, err := d.do(ctx, request{method: "GET", path: "/api/v2/tickets/" + ticket + "/conversations", into: &list, max: maxHistory, query: url.Values{
			"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(freshdeskPage)},
		}}); err != nil {
			return "", false, err
		}
		for _, e := range list {
			if strconv.FormatInt(e.User, 10) == me && endsWith(Text(e.Body), key) {
				return strconv.FormatInt(e.ID, 10), true, nil
			}
		}
		if len(list) < freshdeskPage {
			return "", false, nil
		}
	}
	return "", false, d.failed(ErrTransient, "the conversations of the ticket do not end")
}

// Append implements System: a private or a public note, in one call with its
// files. Closed tickets take notes too.
func (d *freshdesk) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !number(ticket) {
		return "", fmt.Errorf("%w: freshdesk: %.40q", ErrNotFound, ticket)
	}
	body, private := HTML(n.Document().signed(n.Key)), !n.Public
	var got struct{ ID int64 }
	r := request{method: "POST", path: "/api/v2/tickets/" + ticket + "/notes", into: &got, status: []int{http.StatusCreated}}
	if len(n.Files) == 0 {
		r.json = map[string]any{"body": body, "private": private}
	} else {
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		err := form.WriteField("body", body)
		if err == nil {
			err = form.WriteField("private", strconv.FormatBool(private))
		}
		for _, f := range n.Files {
			if err != nil {
				break
			}
			part, failed := form.CreatePart(textproto.MIMEHeader{
				// As browsers write it: fileName has no quotes.
				"Content-Disposition": {`form-data; name="attachments[]"; filename="` + fileName(f.Name) + `"`},
				"Content-Type":        {fileType(f)},
			})
			if err = failed; err == nil {
				_, err = part.Write(f.Data)
			}
		}
		if err == nil {
			err = form.Close()
		}
		if err != nil {
			return "", d.failed(ErrInvalid, "%v", err)
		}
		r.body, r.header = b.Bytes(), http.Header{"Content-Type": {form.FormDataContentType()}}
	}
	if _, err := d.do(ctx, r); err != nil {
		return "", err
	}
	if got.ID <= 0 {
		return "", d.failed(ErrTransient, "the note was taken, but its number not told")
	}
	return strconv.FormatInt(got.ID, 10), nil
}
