package tickets

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// itop is iTop 2.7 and 3, by version 1.3 of its REST interface, with an account's
// login and its password or token. The key of a note is the last line of an entry
// in the ticket's private or public log.
type itop struct {
	*client
	cfg  Config
	self self

	// write holds one: it keeps our notes from one another, because iTop reads a
	// log, adds to it and writes it back whole.
	write chan struct{}
}

func newITop(c Config) (System, error) {
	if err := c.need("user", c.User, "password (or token)", c.Password+c.Token); err != nil {
		return nil, err
	}
	if c.Table == "" {
		c.Table = "UserRequest"
	}
	if !itopClass.MatchString(c.Table) {
		return nil, fmt.Errorf("%w: table of itop is a class like UserRequest, not %q", ErrConfig, c.Table)
	}
	if c.ClientID != "" && !number(c.ClientID) {
		return nil, fmt.Errorf("%w: clientid of itop is the number of the account, not %.40q", ErrConfig, c.ClientID)
	}
	// Both stand in a query of iTop's.
	if strings.ContainsAny(c.User, "\"'\\\x00") {
		return nil, fmt.Errorf("%w: user of itop is a login without quotes", ErrConfig)
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	d := &itop{client: cl, cfg: c, write: make(chan struct{}, 1)}
	cl.inside = d.error
	if c.Token != "" {
		cl.auth = func(r *http.Request) { r.Header.Set("Auth-Token", c.Token) }
	}
	return d, nil
}

var itopClass = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,80}$`)

// Name implements System.
func (*itop) Name() string { return "itop" }

// Caps implements System. No files: whoever sees a ticket in the portal sees what
// is attached to it, also when it came with a private note.
func (*itop) Caps() Caps { return Caps{HTML: true, Public: true, Search: true} }

// Codes of iTop's answers, which all come with 200.
const (
	itopUnauthorized = 1 // wrong credentials, or a right that is missing
	itopNoUser       = 5
	itopNoPassword   = 6
	itopUnsafe       = 12
	itopInternal     = 100 // anything else: the text tells
)

// error finds the error in a 200.
func (d *itop) error(body []byte) error {
	var got struct {
		Code    *int   `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &got) != nil {
		return nil // do says that it cannot be read
	}
	if got.Code == nil {
		return d.failed(ErrTransient, "the answer has no code")
	}
	said := []rune(line(got.Message))
	text := string(said[:min(len(said), maxMessage)])
	kind := ErrTransient
	switch *got.Code {
	case 0:
		return nil
	case itopUnauthorized:
		kind = ErrAuth
		if strings.Contains(text, "permission") || strings.Contains(text, "not authorized to use") || strings.Contains(text, "not allowed") {
			kind = ErrForbidden
		}
	case itopNoUser, itopNoPassword:
		kind = ErrAuth
	case itopUnsafe:
		kind = ErrForbidden
	case itopInternal:
		switch {
		case strings.Contains(text, "Invalid object") || strings.Contains(text, "No item found"):
			kind = ErrNotFound
		case strings.Contains(text, "is not a valid class") || strings.Contains(text, "invalid attribute code"):
			kind = ErrConfig
		case strings.Contains(text, "Missing parameter") || strings.Contains(text, "Missing mandatory"):
			kind = ErrInvalid
		}
	default: // versions, verbs, JSON: that is how we speak, or what does not speak REST
		kind = ErrConfig
	}
	return d.failed(kind, "code %d: %s", *got.Code, text)
}

type itopObject struct {
	Key    loose `json:"key"`
	Fields struct {
		Ref     string   `json:"ref"`
		Title   string   `json:"title"`
		State   string   `json:"operational_status"`
		Caller  string   `json:"caller_name"`
		Started string   `json:"start_date"`
		Updated string   `json:"last_update"`
		Login   string   `json:"login"`
		Private *itopLog `json:"private_log"`
		Public  *itopLog `json:"public_log"`
	}
}

type itopLog struct {
	Entries []struct {
		User loose  `json:"user_id"`
		Text string `json:"message"`
		HTML string `json:"message_html"`
	} `json:"entries"`
}

const itopTicket = "ref,title,operational_status,caller_name,start_date,last_update"

// call runs an operation and returns the objects it answers with.
func (d *itop) call(ctx context.Context, operation map[string]any) ([]itopObject, error) {
	in, err := json.Marshal(operation)
	if err != nil {
		return nil, d.failed(ErrInvalid, "%v", err)
	}
	form := url.Values{"version": {"1.3"}, "json_data": {string(in)}}
	if d.cfg.Token == "" {
		form.Set("auth_user", d.cfg.User)
		form.Set("auth_pwd", d.cfg.Password)
	}
	// "objects" is an object, null where there is none, and in some versions a list
	// where it is empty.
	var got struct {
		Objects json.RawMessage `json:"objects"`
	}
	if _, err := d.do(ctx, request{
		method: "POST", path: "/webservices/rest.php", body: []byte(form.Encode()), header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		into: &got, max: maxHistory,
	}); err != nil {
		return nil, err
	}
	if text := string(got.Objects); text == "" || text == "null" || text == "[]" {
		return nil, nil
	}
	var objects map[string]itopObject
	if err := json.Unmarshal(got.Objects, &objects); err != nil {
		return nil, d.failed(ErrTransient, "the answer cannot be read: %v", err)
	}
	var list []itopObject
	for _, o := range objects {
		if !number(string(o.Key)) {
			return nil, d.failed(ErrTransient, "an object without a number")
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b itopObject) int { // a map has no order; the newest first
		if c := strings.Compare(b.Fields.Updated, a.Fields.Updated); c != 0 {
			return c
		}
		return strings.Compare(string(b.Key), string(a.Key))
	})
	return list, nil
}

func (d *itop) get(ctx context.Context, class string, key any, fields string) ([]itopObject, error) {
	return d.call(ctx, map[string]any{"operation": "core/get", "class": class, "key": key, "output_fields": fields})
}

// whoami returns the number of the account, which stands beside each entry of a
// log: names there are friendly ones, and anybody may have them.
func (d *itop) whoami(ctx context.Context) (string, error) {
	if d.cfg.ClientID != "" {
		return d.cfg.ClientID, nil
	}
	list, err := d.get(ctx, "User", `SELECT User WHERE login = "`+d.cfg.User+`"`, "login")
	if isKind(err)(ErrForbidden) {
		return "", d.failed(ErrForbidden, "the account may not read the class User, by which it would find itself: let it, or name its number as clientid (%v)", err)
	}
	if err != nil {
		return "", err
	}
	for _, o := range list {
		if o.Fields.Login == d.cfg.User {
			return string(o.Key), nil
		}
	}
	return "", d.failed(ErrTransient, "the answer does not say who we are")
}

// Check implements System: the account knows itself, and may read the class.
func (d *itop) Check(ctx context.Context) error {
	if _, err := d.whoami(ctx); err != nil {
		return err
	}
	_, err := d.get(ctx, d.cfg.Table, 1, itopTicket)
	return err
}

func (d *itop) ticket(o itopObject) (Ticket, error) {
	f := o.Fields
	if f.Ref == "" || f.State == "" {
		return Ticket{}, d.failed(ErrTransient, "the answer is no ticket")
	}
	t := Ticket{
		ID: string(o.Key), Number: line(f.Ref), Subject: line(f.Title), Requester: line(f.Caller), Lang: d.cfg.Lang, Open: f.State == "ongoing",
	}
	t.Created, _ = time.Parse(time.DateTime, f.Started) // in iTop's zone, which it does not tell
	t.Updated, _ = time.Parse(time.DateTime, f.Updated)
	return t, nil
}

// one returns an object of the class by its number.
func (d *itop) one(ctx context.Context, id, fields string) (itopObject, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || !number(id) {
		return itopObject{}, fmt.Errorf("%w: itop: %.40q", ErrNotFound, id)
	}
	list, err := d.get(ctx, d.cfg.Table, n, fields)
	if err != nil {
		return itopObject{}, err
	}
	if len(list) == 0 {
		return itopObject{}, d.failed(ErrNotFound, "no %s %s, or none that the account may see", d.cfg.Table, id)
	}
	if len(list) != 1 || string(list[0].Key) != id {
		return itopObject{}, d.failed(ErrTransient, "the answer is no ticket")
	}
	return list[0], nil
}

// Get implements System. Which language a caller reads is not told: it is that of
// the configuration.
func (d *itop) Get(ctx context.Context, id string) (Ticket, error) {
	o, err := d.one(ctx, id, itopTicket)
	if err != nil {
		return Ticket{}, err
	}
	return d.ticket(o)
}

// Search implements System: by title, or by reference.
func (d *itop) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	var and []string
	for _, w := range words { // words have no quotes
		and = append(and, `title LIKE "%`+w+`%"`)
	}
	oql := "SELECT " + d.cfg.Table + " WHERE " + strings.Join(and, " AND ")
	if len(words) == 1 {
		oql = "SELECT " + d.cfg.Table + ` WHERE ref = "` + strings.ToUpper(words[0]) + `" OR title LIKE "%` + words[0] + `%"`
	}
	objects, err := d.call(ctx, map[string]any{"operation": "core/get", "class": d.cfg.Table, "key": oql, "output_fields": itopTicket, "limit": 100, "page": 1})
	if err != nil {
		return nil, err
	}
	return found(objects, d.ticket, words, limit)
}

// Find implements System. An entry has no number: its key stands for it.
func (d *itop) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	me, err := d.self.get(func() (string, error) { return d.whoami(ctx) })
	if err != nil {
		return "", false, err
	}
	o, err := d.one(ctx, ticket, "private_log,public_log")
	if err != nil {
		return "", false, err
	}
	for _, log := range []*itopLog{o.Fields.Private, o.Fields.Public} {
		if log == nil {
			return "", false, d.failed(ErrTransient, "the answer has no log")
		}
		for _, e := range log.Entries {
			text := e.Text
			if e.HTML != "" {
				text = Text(e.HTML)
			}
			if string(e.User) == me && endsWith(text, key) {
				return key, true, nil
			}
		}
	}
	return "", false, nil
}

// Append implements System: closed tickets take notes too. Where somebody else
// wrote into the log in the same moment, the entry may be lost: so it is looked
// for.
func (d *itop) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if len(n.Key) > 100 {
		return "", fmt.Errorf("%w: the key of a note has %d characters", ErrInvalid, len(n.Key))
	}
	select {
	case d.write <- struct{}{}:
		defer func() { <-d.write }()
	case <-ctx.Done():
		return "", fmt.Errorf("%w: itop: %w", ErrTransient, ctx.Err())
	}
	// Who cannot look for a note shall not write it either.
	if _, err := d.self.get(func() (string, error) { return d.whoami(ctx) }); err != nil {
		return "", err
	}
	if _, err := d.one(ctx, ticket, "ref"); err != nil {
		return "", err
	}
	log := "private_log"
	if n.Public {
		log = "public_log"
	}
	key, err := strconv.ParseInt(ticket, 10, 64)
	if err != nil {
		return "", fmt.Errorf("%w: itop: %.40q", ErrNotFound, ticket)
	}
	if _, err := d.call(ctx, map[string]any{
		"operation": "core/update", "comment": "Mainforte", "class": d.cfg.Table, "key": key, "output_fields": "ref",
		"fields": map[string]any{log: map[string]any{"add_item": map[string]string{"message": HTML(n.Document().signed(n.Key)), "format": "html"}}},
	}); err != nil {
		return "", err
	}
	id, ok, err := d.Find(ctx, ticket, n.Key)
	if err == nil && !ok {
		err = d.failed(ErrTransient, "the note was taken, but is not in the %s", log)
	}
	return id, err
}

// ParseHook implements Hooks: an action of iTop, of kind webhook, that sends our
// template.
func (d *itop) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	return d.cfg.secretly(h, body, d.now(), number)
}
