package tickets

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Setup is what the admin says of desks: the file of [ReadDesks].
type Setup struct {
	Desks  []DeskSetup
	Policy Policy
}

// DeskSetup is one desk of another system.
type DeskSetup struct {
	// Name stands before the ids of its tickets, in the log too: it never changes.
	// 1 to 32 of a-z, 0-9 and "-"; not "local".
	Name      string
	PerMinute int // calls that it gets at most; 0: 120
	Config    Config
}

func (d DeskSetup) perMinute() int {
	if d.PerMinute == 0 {
		return 120
	}
	return d.PerMinute
}

// Policy is what the admin wants of sessions and their tickets.
type Policy struct {
	Desk    string // the desk that the console begins with; "local" if empty
	Ticket  string // of a session: TicketRequired, ...
	Note    string // NotePrivate or NotePublic
	Chat    Chat   // where what is said in a session's chat stays: ChatCounted, ...
	Offline string // of a claim while the ticket's desk is away: OfflineRefuse, ...
}

// Chat is where what is said in a session's chat stays.
type Chat string

// Values of a Chat.
const (
	ChatCounted Chat = "none" // how many lines there were, and no more
	ChatLogged  Chat = "log"  // in the sealed part of the session's log
	ChatNoted   Chat = "note" // there, and in the note
)

// UnmarshalJSON also reads the truth value that older files have.
func (c *Chat) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		*c = ChatNoted
	case "false":
		*c = ChatCounted
	default:
		return json.Unmarshal(b, (*string)(c))
	}
	return nil
}

// Values of a Policy; the first of each is what an empty field means.
const (
	TicketRequired = "required" // no session without a ticket
	TicketAllowed  = "allowed"  // a session may go without; then there is no note
	TicketCreated  = "created"  // one without gets a ticket of the embedded desk

	NotePrivate = "private" // the requester does not read it
	NotePublic  = "public"  // a reply to the requester, where the desk knows such a thing

	OfflineRefuse = "refuse"
	OfflineAllow  = "allow" // on a ticket that is remembered
)

// filled is the policy without empty fields.
func (p Policy) filled() Policy {
	for _, f := range []struct {
		at    *string
		value string
	}{{&p.Desk, LocalName}, {&p.Ticket, TicketRequired}, {&p.Note, NotePrivate}, {&p.Offline, OfflineRefuse}} {
		if *f.at == "" {
			*f.at = f.value
		}
	}
	if p.Chat == "" {
		p.Chat = ChatCounted
	}
	return p
}

// check returns an ErrConfig that names the field.
func (p Policy) check(has func(string) bool) error {
	for _, f := range []struct {
		name, value string
		of          []string
	}{
		{"ticket", p.Ticket, []string{TicketRequired, TicketAllowed, TicketCreated}},
		{"note", p.Note, []string{NotePrivate, NotePublic}},
		{"chat", string(p.Chat), []string{string(ChatCounted), string(ChatLogged), string(ChatNoted)}},
		{"offline", p.Offline, []string{OfflineRefuse, OfflineAllow}},
	} {
		known := false
		for _, v := range f.of {
			known = known || v == f.value
		}
		if !known {
			return fmt.Errorf("%w: policy: %s is one of %s, not %.40q", ErrConfig, f.name, strings.Join(f.of, ", "), f.value)
		}
	}
	if !has(p.Desk) {
		return fmt.Errorf("%w: policy: desk names %.40q, and there is no desk of that name", ErrConfig, p.Desk)
	}
	return nil
}

var deskName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

func checkName(name string) error {
	switch {
	case !deskName.MatchString(name):
		return fmt.Errorf("%w: the name of a desk is 1 to 32 of a-z, 0-9 and -, not %.40q", ErrConfig, name)
	case name == LocalName:
		return fmt.Errorf("%w: %q is the embedded desk; another name is needed", ErrConfig, name)
	}
	return nil
}

// Bounds of a desks file.
const (
	maxSetup  = 256 << 10 // bytes
	maxSecret = 16 << 10  // bytes of a file with a secret
	maxRoots  = 1 << 20   // bytes of a file with certificates
	maxDesks  = 32
)

// ReadDesks reads a desks file:
//
//	{"desks": [{"name": "rt", "system": "rt", "url": "https://rt.example.org",
//	            "token": {"file": "rt.token"}}],
//	 "policy": {"desk": "rt"}}
//
// A secret is a text, or the path of a file that holds nothing else, from the
// folder of the desks file. Neither such a file nor a desks file with a secret in
// it may be readable by everybody. What it does not know is refused. No desk is
// called. The error is an ErrConfig that names file, desk and field, and shows no
// secret.
func ReadDesks(path string) (Setup, error) {
	b, open, err := readFile(path, maxSetup)
	in := reader{file: func(p string, limit int64) ([]byte, bool, error) {
		if !filepath.IsAbs(p) {
			p = filepath.Join(filepath.Dir(path), p)
		}
		return readFile(p, limit)
	}}
	var s Setup
	if err == nil {
		s, err = in.setup(b)
	}
	if err == nil && in.inline && open {
		err = fmt.Errorf("it holds a secret and everybody may read it: chmod 600 %s, or give secrets as {\"file\": \"path\"}", path)
	}
	if err == nil {
		_, err = NewDesks(nil, s)
	}
	if err != nil {
		// That it is the configuration is clear here.
		text := strings.ReplaceAll(err.Error(), ErrConfig.Error()+": ", "")
		return Setup{}, &fault{text: fmt.Sprintf("the desks file %s: %s", path, text), kinds: []error{ErrConfig}}
	}
	return s, nil
}

// readFile reads a regular file of at most limit bytes. open tells that others
// than its owner and group may read it, or others than its owner change it.
func readFile(path string, limit int64) (b []byte, open bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err // the path is told already
		}
		return nil, false, fmt.Errorf("it cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, false, err
	case !info.Mode().IsRegular():
		return nil, false, errors.New("it is not a file")
	}
	if b, err = io.ReadAll(io.LimitReader(f, limit+1)); err != nil {
		return nil, false, err
	}
	if int64(len(b)) > limit {
		return nil, false, fmt.Errorf("it is larger than %d bytes", limit)
	}
	// Windows has no such bits; its folders are not everybody's by themselves.
	return b, runtime.GOOS != "windows" && info.Mode().Perm()&0o027 != 0, nil
}

// deskFile is one desk as it is written.
type deskFile struct {
	Name         string          `json:"name"`
	System       string          `json:"system"`
	URL          string          `json:"url"`
	User         string          `json:"user"`
	Password     json.RawMessage `json:"password"`
	Token        json.RawMessage `json:"token"`
	AppToken     json.RawMessage `json:"app_token"`
	ClientID     string          `json:"client_id"`
	ClientSecret json.RawMessage `json:"client_secret"`
	HookSecret   json.RawMessage `json:"hook_secret"`
	From         string          `json:"from"`
	To           string          `json:"to"`
	Subject      string          `json:"subject"`
	Lang         string          `json:"lang"`
	Table        string          `json:"table"`
	Format       string          `json:"format"`

	Allow     []string `json:"allow"`
	PlainHTTP bool     `json:"plain_http"`
	Roots     string   `json:"ca_file"`
	Timeout   string   `json:"timeout"`
	PerMinute int      `json:"per_minute"`
}

type policyFile struct {
	Desk    string `json:"desk"`
	Ticket  string `json:"ticket"`
	Note    string `json:"note"`
	Chat    Chat   `json:"chat"`
	Offline string `json:"offline"`
}

// strictly decodes one value without unknown fields and nothing behind it.
func strictly(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return plainJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end")
	}
	return nil
}

// plainJSON is an error of encoding/json for somebody who does not know Go.
func plainJSON(err error) error {
	var kind *json.UnmarshalTypeError
	var place *json.SyntaxError
	switch {
	case errors.As(err, &kind):
		if kind.Field == "" {
			return fmt.Errorf("a JSON %s does not belong here", kind.Value)
		}
		return fmt.Errorf("%s: a JSON %s does not belong here", kind.Field, kind.Value)
	case errors.As(err, &place):
		return fmt.Errorf("it is not JSON: %w, at byte %d", err, place.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends too early")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

// reader reads a desks file and the files that it names.
type reader struct {
	file   func(path string, limit int64) (b []byte, open bool, err error)
	inline bool // a secret stood in the file itself
}

func (r *reader) setup(b []byte) (Setup, error) {
	var in struct {
		Desks  []json.RawMessage `json:"desks"`
		Policy json.RawMessage   `json:"policy"`
	}
	if err := strictly(b, &in); err != nil {
		return Setup{}, err
	}
	if len(in.Desks) > maxDesks {
		return Setup{}, fmt.Errorf("there are more than %d desks", maxDesks)
	}
	var s Setup
	for i, raw := range in.Desks {
		// The name first, so that what is wrong with the rest can tell it.
		var who struct {
			Name string `json:"name"`
		}
		_ = json.Unmarshal(raw, &who)
		desk, err := r.desk(raw)
		if err == nil {
			err = checkName(desk.Name)
		}
		if err != nil && who.Name != "" {
			return Setup{}, fmt.Errorf("desk %.40q: %w", who.Name, err)
		}
		if err != nil {
			return Setup{}, fmt.Errorf("the desk at place %d: %w", i+1, err)
		}
		s.Desks = append(s.Desks, desk)
	}
	if in.Policy != nil {
		var p policyFile
		if err := strictly(in.Policy, &p); err != nil {
			return Setup{}, fmt.Errorf("policy: %w", err)
		}
		s.Policy = Policy(p)
	}
	return s, nil
}

// ParseRange reads a range of addresses, or one.
func ParseRange(text string) (p netip.Prefix, ok bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func (r *reader) desk(raw []byte) (DeskSetup, error) {
	var f deskFile
	if err := strictly(raw, &f); err != nil {
		return DeskSetup{}, err
	}
	c := Config{
		System: f.System, URL: f.URL, User: f.User, ClientID: f.ClientID, From: f.From, To: f.To, Subject: f.Subject,
		Lang: f.Lang, Table: f.Table, Format: f.Format, PlainHTTP: f.PlainHTTP,
	}
	for _, k := range []struct {
		name string
		from json.RawMessage
		to   *string
	}{
		{"password", f.Password, &c.Password}, {"token", f.Token, &c.Token}, {"app_token", f.AppToken, &c.AppToken},
		{"client_secret", f.ClientSecret, &c.ClientSecret}, {"hook_secret", f.HookSecret, &c.HookSecret},
	} {
		var err error
		if *k.to, err = r.secret(k.from); err != nil {
			return DeskSetup{}, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	for _, a := range f.Allow {
		p, ok := ParseRange(a)
		if !ok {
			return DeskSetup{}, fmt.Errorf("allow: %.60q is neither an address nor a range like 127.0.0.0/8", a)
		}
		c.Allow = append(c.Allow, p)
	}
	if f.Timeout != "" {
		d, err := time.ParseDuration(f.Timeout)
		if err != nil || d < time.Second || d > time.Minute {
			return DeskSetup{}, fmt.Errorf("timeout: %.40q is not between 1s and 1m", f.Timeout)
		}
		c.Timeout = d
	}
	if f.PerMinute < 0 || f.PerMinute > 60_000 {
		return DeskSetup{}, fmt.Errorf("per_minute: %d is not between 1 and 60,000", f.PerMinute)
	}
	if f.Roots != "" {
		b, _, err := r.file(f.Roots, maxRoots)
		if err != nil {
			return DeskSetup{}, fmt.Errorf("ca_file %s: %w", f.Roots, err)
		}
		c.Roots = x509.NewCertPool()
		if !c.Roots.AppendCertsFromPEM(b) {
			return DeskSetup{}, fmt.Errorf("ca_file %s: there is no certificate in it", f.Roots)
		}
	}
	return DeskSetup{Name: f.Name, PerMinute: f.PerMinute, Config: c}, nil
}

// secret is the text of a secret: a text, or where one is.
func (r *reader) secret(raw []byte) (text string, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if json.Unmarshal(raw, &text) == nil {
		r.inline = r.inline || text != ""
		return text, nil
	}
	var at struct {
		File string `json:"file"`
	}
	if strictly(raw, &at) != nil || at.File == "" {
		return "", errors.New(`a secret is a text, or {"file": "path"}`) // which does not repeat it
	}
	b, open, err := r.file(at.File, maxSecret)
	if err != nil {
		return "", fmt.Errorf("file %s: %w", at.File, err)
	}
	if open {
		return "", fmt.Errorf("file %s: everybody may read it, or somebody else change it: chmod 600 it", at.File)
	}
	text = strings.TrimSpace(string(b))
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", fmt.Errorf("file %s: it does not hold one line of text", at.File)
	}
	return text, nil
}
