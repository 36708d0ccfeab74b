package tickets

import (
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Errors of a [Keeper]. All but ErrStale, ErrOfFile and ErrAgain are an [ErrConfig] too.
var (
	ErrStale   = errors.New("tickets: the desks were changed meanwhile")
	ErrOfFile  = errors.New("tickets: this desk is in the server's file")
	ErrAgain   = errors.New("tickets: secrets for another address must be given anew")
	ErrTaken   = wrong("there is a desk of this name")
	ErrUsed    = wrong("tickets of another system have this name before their ids")
	ErrName    = wrong("the name of a desk is 1 to 32 of a-z, 0-9 and -")
	ErrURL     = wrong("this is no address of a desk")
	ErrPlain   = wrong("plain text is not allowed to there")
	ErrInner   = wrong("the address is of this machine, its link or its cloud")
	ErrCA      = wrong("there is no certificate in it")
	ErrHook    = wrong("this is no secret of hooks")
	ErrField   = wrong("a field is missing, too long, or not as the system needs it")
	ErrMany    = wrong("there are too many desks")
	ErrNoValue = wrong("the policy of tickets has no such value")
)

func wrong(text string) error { return &fault{text: "tickets: " + text, kinds: []error{ErrConfig}} }

// Connection is one desk as an admin connects it on a page.
type Connection struct {
	Name      string `json:"name"` // and System: as they are in a desks file; neither ever changes
	System    string `json:"system"`
	URL       string `json:"url"`
	User      string `json:"user,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	From      string `json:"from,omitempty"`
	To        string `json:"to,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Lang      string `json:"lang,omitempty"`
	Table     string `json:"table,omitempty"`
	Format    string `json:"format,omitempty"`
	CA        string `json:"ca,omitempty"` // certificates, PEM
	PerMinute int    `json:"per_minute,omitempty"`

	Secrets Secrets `json:"-"`
}

// Edit is a connection as it is to be: a secret that is empty stays as it was, unless
// Forget names it.
type Edit struct {
	Connection
	Forget []string
}

// Secrets of a desk, as a desks file calls them.
type Secrets struct {
	Password     string `json:"password,omitempty"`
	Token        string `json:"token,omitempty"`
	AppToken     string `json:"app_token,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
	HookSecret   string `json:"hook_secret,omitempty"`
}

func (s *Secrets) each(f func(name string, value *string)) {
	for i, at := range []*string{&s.Password, &s.Token, &s.AppToken, &s.ClientSecret, &s.HookSecret} {
		f(secretNames[i], at)
	}
}

// Names of the secrets that there are, as in a desks file.
func (s Secrets) Names() []string {
	list := []string{}
	s.each(func(name string, v *string) {
		if *v != "" {
			list = append(list, name)
		}
	})
	return list
}

// Connected is a desk of the page as it stands.
type Connected struct {
	Connection          // its secrets are not told
	Has        []string // names of the secrets that it has
	Standing   Standing
}

// Standing is whether a desk of the page is in use, or why not.
type Standing string

// Standings of a desk of the page.
const (
	StandsUsed     Standing = "used"
	StandsShadowed Standing = "shadowed" // the server's file has a desk of this name, which is used instead
	StandsSealed   Standing = "sealed"   // its secrets cannot be read: the key is another one, or somebody changed the row
	StandsRefused  Standing = "refused"  // this server does not allow its address (any more)
)

// row is a desk in the database.
type row struct {
	Connection
	Sealed []byte `json:"secrets"`

	secrets  Secrets
	standing Standing
	other    *other // in use; nil: none
}

// page is what the database holds.
type page struct {
	Desks []row `json:"desks"`
	// Names are the systems of all desks that there ever were: tickets have their names
	// before their ids for good.
	Names  map[string]string `json:"names"`
	Policy *Policy           `json:"policy"` // nil: that of the file

	version int64
}

// KeeperLog is the part of the audit log that a [Keeper] needs.
type KeeperLog interface {
	AppendTx(tx store.Tx, events ...audit.Event) (first int64, err error)
	Seal(what string, secret []byte) []byte
	Unseal(what string, box []byte) ([]byte, error)
}

// Keeper holds the desks that admins connect on a page, and the policy of tickets that
// they set there, beside those of the server's file, and puts them into [Desks]. Secrets
// are sealed in the database. Safe for concurrent use.
type Keeper struct {
	store store.Store
	log   KeeperLog
	desks *Desks
	allow []netip.Prefix
	now   func() time.Time

	setting sync.Mutex // what is in memory follows the database in its order
	page    atomic.Pointer[page]
}

// OpenKeeper reads what there is into desks. allow names inner addresses, and such as
// may be reached by plain text, that a desk of the page may have.
func OpenKeeper(ctx context.Context, st store.Store, log KeeperLog, desks *Desks, allow []netip.Prefix) (*Keeper, error) {
	k := &Keeper{store: st, log: log, desks: desks, allow: allow, now: time.Now}
	var p *page
	err := st.View(ctx, func(tx store.Tx) (err error) {
		p, err = k.read(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tickets: the desks of the page: %w", err)
	}
	k.use(p)
	return k, nil
}

// read is the page as the database has it.
func (k *Keeper) read(tx store.Tx) (*page, error) {
	p := &page{Names: map[string]string{}}
	var text string
	err := tx.QueryRow("select setup, version from desk_setup where id = 1").Scan(&text, &p.version)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), p)
	}
	if err != nil {
		return nil, err
	}
	for i := range p.Desks {
		r := &p.Desks[i]
		b, err := k.log.Unseal(r.place(), r.Sealed)
		if err == nil {
			err = json.Unmarshal(b, &r.secrets)
		}
		if r.standing = StandsUsed; err != nil {
			r.standing = StandsSealed
		}
	}
	return p, nil
}

// place binds the sealed secrets to what they are for: whoever can write to the database
// cannot have them sent elsewhere (C133).
func (r *row) place() string { return fmt.Sprintf("desk %s %s %q", r.Name, r.System, r.URL) }

// use makes p the page of now. A desk whose setup is as it was goes on as it is, with
// the pause that it asked for.
func (k *Keeper) use(p *page) {
	was := map[string]row{}
	if old := k.page.Load(); old != nil {
		for _, r := range old.Desks {
			was[r.Name] = r
		}
	}
	var more []*other
	for i := range p.Desks {
		r := &p.Desks[i]
		before, same := was[r.Name]
		switch same = same && before.other != nil && before.Connection == r.Connection && before.secrets == r.secrets; {
		case k.ofFile(r.Name):
			r.standing = StandsShadowed
		case r.standing == StandsSealed:
		case same:
			r.other = before.other
		default:
			c, err := k.config(r.Connection, r.secrets)
			if err == nil {
				r.other, err = newOther(DeskSetup{Name: r.Name, PerMinute: r.PerMinute, Config: c})
			}
			if err != nil {
				r.standing = StandsRefused
			}
		}
		if r.other != nil {
			more = append(more, r.other)
		}
	}
	k.page.Store(p)
	k.desks.put(more, p.Policy)
}

func (k *Keeper) ofFile(name string) bool {
	return slices.ContainsFunc(k.desks.file.Desks, func(d DeskSetup) bool { return d.Name == name })
}

// OfFile are the desks of the server's file. Their secrets are in them.
func (k *Keeper) OfFile() []DeskSetup { return k.desks.file.Desks }

// Allow are the addresses that a desk of the page may have although they are inner ones.
func (k *Keeper) Allow() []netip.Prefix { return k.allow }

// Connected are the desks of the page by name, and the number of this state of them; 0:
// nobody changed anything yet.
func (k *Keeper) Connected() ([]Connected, int64) {
	p := k.page.Load()
	list := make([]Connected, len(p.Desks))
	for i, r := range p.Desks {
		list[i] = Connected{r.Connection, r.secrets.Names(), r.standing}
	}
	return list, p.version
}

// Policy is the one that counts, and where it comes from: "page", "file", or "" where
// nobody said anything.
func (k *Keeper) Policy() (p Policy, from string) {
	switch p = k.desks.Policy(); {
	case k.page.Load().Policy != nil:
		from = "page"
	case k.desks.file.Policy != Policy{}:
		from = "file"
	}
	return p, from
}

// config is what a connection of the page comes to. Errors: those above.
func (k *Keeper) config(c Connection, s Secrets) (Config, error) {
	out := Config{
		System: c.System, URL: c.URL, User: c.User, ClientID: c.ClientID, From: c.From, To: c.To, Subject: c.Subject,
		Lang: c.Lang, Table: c.Table, Format: c.Format,
		Password: s.Password, Token: s.Token, AppToken: s.AppToken, ClientSecret: s.ClientSecret, HookSecret: s.HookSecret,
		OfPage: true, Allow: k.allow, Timeout: pageTimeout, // C131
	}
	if c.CA != "" {
		out.Roots = x509.NewCertPool()
		if !out.Roots.AppendCertsFromPEM([]byte(c.CA)) {
			return Config{}, ErrCA
		}
	}
	if out.checkHooks() != nil {
		return Config{}, ErrHook
	}
	_, err := NewSystem(out)
	switch {
	case errors.Is(err, errForbiddenAddress):
		return Config{}, ErrInner
	case errors.Is(err, errPlain):
		u, e := url.Parse(c.URL)
		if e != nil || u.Scheme != "http" {
			return Config{}, ErrURL
		}
		return Config{}, ErrPlain
	case err != nil:
		if u, e := url.Parse(c.URL); e != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (c.System == "email") != strings.HasPrefix(u.Scheme, "smtp") {
			return Config{}, ErrURL
		}
		return Config{}, fmt.Errorf("%w: %v", ErrField, err)
	}
	return out, nil
}

// pageTimeout of one request to a desk of the page.
const pageTimeout = 10 * time.Second

// Bounds of a connection, in bytes.
const (
	maxField = 512
	maxCA    = 32 << 10
)

// tidy is a connection as it is kept: without what its system does not know.
func (c Connection) tidy() (Connection, error) {
	fields := Fields(c.System)
	if fields == nil {
		return Connection{}, ErrField
	}
	if !deskName.MatchString(c.Name) || c.Name == LocalName {
		return Connection{}, ErrName
	}
	knows := map[string]bool{}
	for _, f := range fields {
		knows[f.Name] = true
	}
	for name, at := range map[string]*string{
		"url": &c.URL, "user": &c.User, "client_id": &c.ClientID, "from": &c.From, "to": &c.To, "subject": &c.Subject,
		"lang": &c.Lang, "table": &c.Table, "format": &c.Format,
	} {
		*at = strings.TrimSpace(*at)
		if !knows[name] {
			*at = ""
		}
		if len(*at) > maxField || wire.CleanLine(*at, maxField) != *at {
			return Connection{}, ErrField
		}
	}
	c.URL = strings.TrimRight(c.URL, "/")
	if c.CA = strings.TrimSpace(c.CA); len(c.CA) > maxCA || !utf8.ValidString(c.CA) || strings.ContainsRune(c.CA, 0) {
		return Connection{}, ErrCA
	}
	if c.PerMinute < 0 || c.PerMinute > 60_000 {
		return Connection{}, ErrField
	}
	var err error
	c.Secrets.each(func(name string, v *string) {
		*v = strings.TrimSpace(*v)
		if !knows[name] {
			*v = ""
		}
		if len(*v) > maxSecret || !utf8.ValidString(*v) || strings.ContainsFunc(*v, unicode.IsControl) {
			err = ErrField
		}
	})
	return c, err
}

// origin is where an address leads: to whom a secret is told.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// filled puts the secrets of before where c has none. They stay where they were: told to
// another address, whoever may change a desk would read them there (C132). What the desk
// signs with is told to nobody.
func (e Edit) filled(was Connection, had Secrets) (Connection, error) {
	c := e.Connection
	moved := origin(c.URL) != origin(was.URL)
	var err error
	old := map[string]string{}
	had.each(func(name string, v *string) { old[name] = *v })
	c.Secrets.each(func(name string, v *string) {
		if *v != "" || old[name] == "" || slices.Contains(e.Forget, name) {
			return
		}
		if moved && name != "hook_secret" { // C132
			err = ErrAgain
			return
		}
		*v = old[name]
	})
	return c, err
}

// change does one change of the page: in one transaction with its event.
func (k *Keeper) change(ctx context.Context, version int64, may func(store.Tx) error, what func(*page) (audit.Event, error)) error {
	k.setting.Lock()
	defer k.setting.Unlock()
	var p *page
	err := k.store.Update(ctx, func(tx store.Tx) (err error) {
		if err := may(tx); err != nil { // C134
			return err
		}
		if p, err = k.read(tx); err != nil {
			return err
		}
		if p.version != version {
			return ErrStale
		}
		e, err := what(p)
		if err != nil {
			return err
		}
		p.version++
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`insert into desk_setup (id, setup, version, created) values (1, ?, ?, ?)
			on conflict (id) do update set setup = excluded.setup, version = excluded.version, created = excluded.created`,
			string(text), p.version, store.FormatTime(k.now())); err != nil {
			return err
		}
		_, err = k.log.AppendTx(tx, e) // C134
		return err
	})
	if err != nil {
		return err
	}
	k.use(p)
	return nil
}

func (p *page) find(name string) *row {
	for i := range p.Desks {
		if p.Desks[i].Name == name {
			return &p.Desks[i]
		}
	}
	return nil
}

// seal closes the secrets of a row as they are.
func (k *Keeper) seal(r *row) error {
	b, err := json.Marshal(r.secrets)
	if err != nil {
		return err
	}
	r.Sealed, r.standing = k.log.Seal(r.place(), b), StandsUsed
	return nil
}

func deskEvent(typ string, by audit.Actor, c Connection) audit.Event {
	return audit.Event{
		Type: typ, Outcome: "ok", Actor: by, Origin: "server",
		Data: map[string]any{"desk": c.Name, "system": c.System}, Personal: map[string]any{"address": c.URL},
	}
}

// Add connects one more desk, from now on. version is that of [Keeper.Connected]; may is
// asked in the same transaction whether the actor may. Errors: those above, that of may,
// or one of the store.
func (k *Keeper) Add(ctx context.Context, by audit.Actor, version int64, c Connection, may func(store.Tx) error) error {
	c, err := c.tidy()
	if err == nil {
		_, err = k.config(c, c.Secrets)
	}
	if err != nil {
		return err
	}
	return k.change(ctx, version, may, func(p *page) (audit.Event, error) {
		switch of := p.Names[c.Name]; {
		case k.ofFile(c.Name), p.find(c.Name) != nil:
			return audit.Event{}, ErrTaken
		case of != "" && of != c.System:
			return audit.Event{}, ErrUsed
		case len(p.Desks) >= maxDesks:
			return audit.Event{}, ErrMany
		}
		r := row{Connection: c, secrets: c.Secrets}
		r.Connection.Secrets = Secrets{}
		if err := k.seal(&r); err != nil {
			return audit.Event{}, err
		}
		p.Names[c.Name] = c.System
		p.Desks = append(p.Desks, r)
		slices.SortFunc(p.Desks, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
		return deskEvent("desk.added", by, c), nil
	})
}

// Change is Add of a desk that is there: all of it anew, but for secrets that are empty,
// which stay. Errors also: ErrNoDesk, ErrOfFile, ErrAgain.
func (k *Keeper) Change(ctx context.Context, by audit.Actor, version int64, to Edit, may func(store.Tx) error) error {
	c, err := to.tidy()
	if err != nil {
		return err
	}
	return k.change(ctx, version, may, func(p *page) (audit.Event, error) {
		r := p.find(c.Name)
		switch {
		case r == nil && k.ofFile(c.Name):
			return audit.Event{}, ErrOfFile
		case r == nil:
			return audit.Event{}, fmt.Errorf("%w: %.40q", ErrNoDesk, c.Name)
		case r.System != c.System:
			return audit.Event{}, ErrUsed
		}
		given := c.Secrets.Names()
		full, err := Edit{c, to.Forget}.filled(r.Connection, r.secrets)
		if err == nil {
			_, err = k.config(full, full.Secrets)
		}
		if err != nil {
			return audit.Event{}, err
		}
		e := deskEvent("desk.changed", by, full)
		e.Personal["was"] = r.URL
		e.Data["secrets"] = strings.Join(given, "+") // which, never what
		r.Connection, r.secrets = full, full.Secrets
		r.Connection.Secrets = Secrets{}
		return e, k.seal(r)
	})
}

// Remove takes a desk away. Calls that have begun end there; notes for its tickets wait
// until it is back. Where it was what the console begins with, that is the one of before.
func (k *Keeper) Remove(ctx context.Context, by audit.Actor, version int64, name string, may func(store.Tx) error) error {
	return k.change(ctx, version, may, func(p *page) (audit.Event, error) {
		r := p.find(name)
		switch {
		case r == nil && k.ofFile(name):
			return audit.Event{}, ErrOfFile
		case r == nil:
			return audit.Event{}, fmt.Errorf("%w: %.40q", ErrNoDesk, name)
		}
		e := deskEvent("desk.removed", by, r.Connection)
		p.Desks = slices.DeleteFunc(p.Desks, func(d row) bool { return d.Name == name })
		return e, nil
	})
}

// SetPolicy makes p the policy of tickets; nil is that of the file again.
func (k *Keeper) SetPolicy(ctx context.Context, by audit.Actor, version int64, p *Policy, may func(store.Tx) error) error {
	was := k.desks.Policy()
	next := k.desks.file.Policy.filled()
	if p != nil {
		next = p.filled()
	}
	return k.change(ctx, version, may, func(to *page) (audit.Event, error) {
		has := func(name string) bool { return name == LocalName || k.ofFile(name) || to.find(name) != nil }
		if next.check(has) != nil {
			return audit.Event{}, ErrNoValue
		}
		if to.Policy = nil; p != nil {
			to.Policy = &next
		}
		data := map[string]any{}
		for prefix, of := range map[string]Policy{"": next, "was_": was} {
			maps.Copy(data, map[string]any{
				prefix + "desk": of.Desk, prefix + "ticket": of.Ticket, prefix + "note": of.Note, prefix + "chat": string(of.Chat), prefix + "offline": of.Offline,
			})
		}
		return audit.Event{Type: "desk.policy_set", Outcome: "ok", Actor: by, Origin: "server", Data: data}, nil
	})
}

// Try is a desk as it would be, not kept, for its Check. Errors: those of Add and Change.
func (k *Keeper) Try(as Edit) (System, error) {
	c, err := as.tidy()
	if err != nil {
		return nil, err
	}
	if r := k.page.Load().find(c.Name); r != nil {
		if r.System != c.System {
			return nil, ErrUsed
		}
		if c, err = (Edit{c, as.Forget}).filled(r.Connection, r.secrets); err != nil {
			return nil, err
		}
	}
	cfg, err := k.config(c, c.Secrets)
	if err != nil {
		return nil, err
	}
	return NewSystem(cfg)
}

// Tried writes down that somebody had a desk called, and where.
func (k *Keeper) Tried(ctx context.Context, by audit.Actor, name, system, address string, is Trouble) error {
	e := deskEvent("desk.checked", by, Connection{Name: name, System: system, URL: address})
	if is != TroubleNone {
		e.Outcome, e.Data["trouble"] = "fail", string(is)
	}
	return k.store.Update(ctx, func(tx store.Tx) error {
		_, err := k.log.AppendTx(tx, e)
		return err
	})
}
