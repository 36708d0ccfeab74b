package tickets

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// serviceNow is ServiceNow by its Table API, with a user and his password or an
// OAuth client (client credentials). The id of a ticket is its sys_id; the key is
// the last line of a work note or comment.
type serviceNow struct {
	*client
	cfg     Config
	render  func(Doc) string
	self    self
	session session
}

func newServiceNow(c Config) (System, error) {
	if c.ClientID != "" || c.ClientSecret != "" {
		if err := c.need("client_id", c.ClientID, "client_secret", c.ClientSecret); err != nil {
			return nil, err
		}
	} else if err := c.need("user (or client_id)", c.User, "password (or client_secret)", c.Password); err != nil {
		return nil, err
	}
	if c.Table == "" {
		c.Table = "incident"
	}
	if !serviceNowName.MatchString(c.Table) {
		return nil, fmt.Errorf("%w: table of servicenow is a name like incident, not %q", ErrConfig, c.Table)
	}
	d := &serviceNow{cfg: c}
	switch c.Format {
	case "", "code":
		d.render = ServiceNowCode
	case "plain":
		d.render = Plain
	default:
		return nil, fmt.Errorf("%w: format of servicenow is code, or plain where glide.ui.security.allow_codetag is off, not %q", ErrConfig, c.Format)
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	d.client = cl
	d.session = session{sign: d.sign, put: bearer}
	return d, nil
}

var (
	serviceNowName = regexp.MustCompile(`^[a-z0-9_]{1,80}$`)
	serviceNowID   = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

func (d *serviceNow) sign(ctx context.Context) (string, error) {
	var got struct {
		Token string `json:"access_token"`
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {d.cfg.ClientID}, "client_secret": {d.cfg.ClientSecret}}
	_, err := d.do(ctx, request{
		method: "POST", path: "/oauth_token.do", body: []byte(form.Encode()), header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, into: &got,
	})
	return got.Token, err
}

func (d *serviceNow) call(ctx context.Context, r request) error {
	if d.cfg.ClientID != "" {
		return d.session.call(ctx, d.client, r)
	}
	q := &http.Request{Header: http.Header{}}
	q.SetBasicAuth(d.cfg.User, d.cfg.Password)
	r.header = q.Header
	_, err := d.do(ctx, r)
	return err
}

// Name implements System.
func (*serviceNow) Name() string { return "servicenow" }

// Caps implements System. No files: whoever reads a record reads its attachments,
// also the caller, who does not read work notes.
func (d *serviceNow) Caps() Caps {
	return Caps{HTML: d.cfg.Format != "plain", Public: true, Search: true}
}

// rows reads a table. What an account may not read is missing without a word.
func (d *serviceNow) rows(ctx context.Context, table, query, fields string, limit string) ([]map[string]string, error) {
	var got struct{ Result []map[string]string }
	err := d.call(ctx, request{method: "GET", path: "/api/now/table/" + table, into: &got, max: maxHistory, query: url.Values{
		"sysparm_query": {query}, "sysparm_fields": {fields}, "sysparm_limit": {limit}, "sysparm_exclude_reference_link": {"true"},
	}})
	if err == nil && got.Result == nil {
		err = d.failed(ErrTransient, "%s: the answer is no list", table)
	}
	return got.Result, err
}

func (d *serviceNow) me(ctx context.Context) (string, error) {
	return d.self.get(func() (string, error) {
		rows, err := d.rows(ctx, "sys_user", "sys_id=javascript:gs.getUserID()", "user_name", "2")
		if err != nil {
			return "", err
		}
		if len(rows) != 1 || rows[0]["user_name"] == "" {
			return "", d.failed(ErrForbidden, "the account may not read its own record in sys_user")
		}
		return rows[0]["user_name"], nil
	})
}

// Check implements System: the account may read itself, the table, and journals.
func (d *serviceNow) Check(ctx context.Context) error {
	if _, err := d.me(ctx); err != nil {
		return err
	}
	for _, table := range []string{d.cfg.Table, "sys_journal_field"} {
		rows, err := d.rows(ctx, table, "", "sys_id", "1")
		if err != nil {
			return err
		}
		if len(rows) == 0 && table == "sys_journal_field" {
			return d.troubled(TroubleJournal, "", ErrForbidden, "the account may not read sys_journal_field: without it, notes cannot be looked for, and might be written twice")
		}
	}
	return nil
}

const serviceNowFields = "sys_id,number,short_description,active,caller_id.name,caller_id.preferred_language,sys_created_on,sys_updated_on"

func (d *serviceNow) ticket(r map[string]string) (Ticket, error) {
	if !serviceNowID.MatchString(r["sys_id"]) || r["number"] == "" {
		return Ticket{}, d.failed(ErrTransient, "the answer is no record")
	}
	t := Ticket{
		ID: r["sys_id"], Number: line(r["number"]), Subject: line(r["short_description"]), Requester: line(r["caller_id.name"]),
		Lang: d.cfg.langOf(r["caller_id.preferred_language"]), Open: r["active"] == "true",
	}
	// UTC, without a zone.
	t.Created, _ = time.Parse(time.DateTime, r["sys_created_on"])
	t.Updated, _ = time.Parse(time.DateTime, r["sys_updated_on"])
	return t, nil
}

// Get implements System.
func (d *serviceNow) Get(ctx context.Context, id string) (Ticket, error) {
	if !serviceNowID.MatchString(id) {
		return Ticket{}, fmt.Errorf("%w: servicenow: %.40q", ErrNotFound, id)
	}
	var got struct{ Result map[string]string }
	if err := d.call(ctx, request{method: "GET", path: "/api/now/table/" + d.cfg.Table + "/" + id, into: &got, query: url.Values{
		"sysparm_fields": {serviceNowFields}, "sysparm_exclude_reference_link": {"true"},
	}}); err != nil {
		return Ticket{}, err
	}
	return d.ticket(got.Result)
}

// Search implements System.
func (d *serviceNow) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	var and []string
	for _, w := range words {
		and = append(and, "short_descriptionLIKE"+w)
	}
	q := strings.Join(and, "^")
	if len(words) == 1 {
		q = "number=" + strings.ToUpper(words[0]) + "^ORshort_descriptionLIKE" + words[0]
	}
	rows, err := d.rows(ctx, d.cfg.Table, q+"^ORDERBYDESCsys_updated_on", serviceNowFields, "100")
	if err != nil {
		return nil, err
	}
	// A query that the instance does not understand is dropped by it, and
	// everything found.
	return found(rows, d.ticket, words, limit)
}

// Find implements System.
func (d *serviceNow) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !serviceNowID.MatchString(ticket) {
		return "", false, nil
	}
	me, err := d.me(ctx)
	if err != nil {
		return "", false, err
	}
	rows, err := d.rows(ctx, "sys_journal_field", "element_id="+ticket+"^elementINwork_notes,comments^valueLIKE"+key, "sys_id,element_id,value,sys_created_by", "100")
	if err != nil {
		return "", false, err
	}
	for _, r := range rows {
		text := r["value"]
		if code, ok := strings.CutPrefix(text, "[code]"); ok {
			text = Text(strings.TrimSuffix(strings.TrimSpace(code), "[/code]"))
		}
		if r["element_id"] == ticket && r["sys_created_by"] == me && endsWith(text, key) {
			return r["sys_id"], true, nil
		}
	}
	return "", false, nil
}

// Append implements System.
func (d *serviceNow) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !serviceNowID.MatchString(ticket) {
		return "", fmt.Errorf("%w: servicenow: %.40q", ErrNotFound, ticket)
	}
	field := "work_notes"
	if n.Public {
		field = "comments"
	}
	var got struct{ Result map[string]any }
	err := d.call(ctx, request{
		method: "PATCH", path: "/api/now/table/" + d.cfg.Table + "/" + ticket, json: map[string]string{field: d.render(n.Document().signed(n.Key))}, into: &got, max: maxHistory,
		query: url.Values{"sysparm_display_value": {"true"}, "sysparm_fields": {"sys_id," + field}},
	})
	if isKind(err)(ErrForbidden) {
		// Closed records are closed to most roles.
		if t, why := d.Get(ctx, ticket); why == nil && !t.Open {
			err = d.failed(ErrClosed, "record %s takes no note", ticket)
		}
	}
	if err != nil {
		return "", err
	}
	if got.Result["sys_id"] != ticket {
		return "", d.failed(ErrTransient, "the answer is no record")
	}
	// A field that may not be written is left as it is, with 200.
	if journal, _ := got.Result[field].(string); !strings.Contains(journal, n.Key) {
		return "", d.failed(ErrForbidden, "the account may change the record, but not its %s", field)
	}
	id, ok, err := d.Find(ctx, ticket, n.Key)
	if err != nil {
		return "", err
	}
	if !ok {
		return n.Key, nil // it stands, but its journal may not be read: Check says so
	}
	return id, nil
}
