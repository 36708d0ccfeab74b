package tickets

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Bounds of what goes over the line.
const (
	maxAnswer  = 4 << 20   // bytes of an answer
	maxRetry   = time.Hour // of a Retry-After
	usualCall  = 15 * time.Second
	maxMessage = 200 // characters of a desk's own words in an error
)

// client speaks HTTP with one desk: every request has a time limit, every answer
// a bound and a typed error; redirects to elsewhere are not followed, inner
// addresses not called, and no error shows a secret.
type client struct {
	system  string
	base    *url.URL
	http    *http.Client
	secrets *strings.Replacer
	session atomic.Value // string: a token that the desk gave us, as secret as ours
	// auth puts the credentials on a request.
	auth func(*http.Request)
	// fault gives an answer's error its type where the status does not tell; nil
	// leaves it to the status. said is what the desk wrote.
	fault func(status int, said string) error
	// inside finds the error in an answer that says 200 and means no; nil where a
	// desk does not do that. It is asked before an answer is read.
	inside func(body []byte) error
	// bare: the desk answers errors with a status and nothing else.
	bare bool
	now  func() time.Time
}

func newClient(c Config) (*client, error) {
	base, err := c.base()
	if err != nil {
		return nil, err
	}
	limit := c.Timeout
	if limit <= 0 {
		limit = usualCall
	}
	dialer := &net.Dialer{Timeout: limit, Control: c.guard(base.Hostname(), base.Scheme == "http").control}
	return &client{
		system: c.System, base: base, secrets: hider(c), auth: func(*http.Request) {}, now: time.Now,
		http: &http.Client{
			Timeout: limit,
			// No proxy: it would connect for us to what the guard refuses.
			Transport: &http.Transport{
				DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: limit,
				TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
				MaxIdleConns:    4, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				if first := via[0]; len(via) > 3 || first.Method != http.MethodGet || r.URL.Host != first.URL.Host || r.URL.Scheme != first.URL.Scheme {
					return http.ErrUseLastResponse
				}
				return nil
			},
		},
	}, nil
}

// hider replaces each secret of c, as it stands or encoded, in a text.
func hider(c Config) *strings.Replacer {
	var forms []string
	for _, s := range append(c.hookSecrets(), c.Password, c.Token, c.AppToken, c.ClientSecret) {
		if s == "" {
			continue
		}
		forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s), base64.StdEncoding.EncodeToString([]byte(s)))
		for _, user := range []string{c.User, c.User + "/token", c.ClientID} {
			forms = append(forms, base64.StdEncoding.EncodeToString([]byte(user+":"+s)))
		}
		if q, err := json.Marshal(s); err == nil {
			forms = append(forms, string(q[1:len(q)-1]))
		}
	}
	// The longest first: one secret may begin like another.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, "[secret]")
	}
	return strings.NewReplacer(pairs...)
}

// fault is an error of the line, with its type and, where the caller's context
// ended, that. It keeps no other cause: those name addresses with secrets.
type fault struct {
	text  string
	kinds []error

	trouble Trouble // where the kind does not tell
	words   string  // of the desk, without secrets
}

func (f *fault) Error() string   { return f.text }
func (f *fault) Unwrap() []error { return f.kinds }

// hide makes a token that the desk gave us a secret.
func (c *client) hide(token string) { c.session.Store(token) }

// redacted is a text without secrets.
func (c *client) redacted(text string) string {
	if token, _ := c.session.Load().(string); token != "" {
		text = strings.ReplaceAll(text, token, "[secret]")
	}
	return c.secrets.Replace(text)
}

func (c *client) failed(kind error, format string, args ...any) error {
	text := c.redacted(fmt.Sprintf(format, args...))
	return &fault{text: fmt.Sprintf("%v: %s: %s", kind, c.system, line(text)), kinds: []error{kind}}
}

// troubled is failed with what it means for whoever sets the desk up.
func (c *client) troubled(is Trouble, words string, kind error, format string, args ...any) error {
	err := c.failed(kind, format, args...)
	if f := (*fault)(nil); errors.As(err, &f) {
		f.trouble, f.words = is, line(c.redacted(words))
	}
	return err
}

// request is one call of a desk.
type request struct {
	method string
	path   string // below the base, already escaped
	query  url.Values
	header http.Header
	json   any    // body; or
	body   []byte // raw, of the type in header
	into   any    // where the JSON of the answer goes; nil: it does not matter
	status []int  // that mean success; nil: 200 and 201
	max    int64  // bytes of the answer; 0: maxAnswer
}

// do sends a request. What comes back is in r.into, and the answer's header.
func (c *client) do(ctx context.Context, r request) (http.Header, error) {
	body, kind := r.body, ""
	if r.json != nil {
		var err error
		if body, err = json.Marshal(r.json); err != nil {
			return nil, c.failed(ErrInvalid, "%v", err)
		}
		kind = "application/json"
	}
	u := *c.base
	if err := join(&u, r.path); err != nil {
		return nil, c.failed(ErrInvalid, "%v", err)
	}
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, c.failed(ErrInvalid, "%v", err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Mainforte")
	for k, v := range r.header {
		req.Header[k] = v
	}
	c.auth(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, r, err)
	}
	defer func() { _ = resp.Body.Close() }()
	most := max(r.max, maxAnswer)
	got, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, c.broken(ctx, r, err)
	}
	if int64(len(got)) > most {
		return nil, c.failed(ErrTransient, "%s %s: the answer is longer than %d bytes", r.method, r.path, most)
	}
	if ok := r.status; !slices.Contains(ok, resp.StatusCode) && (ok != nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated) {
		return nil, c.refused(r, resp, got)
	}
	if r.into != nil {
		if !isJSON(resp.Header) {
			return nil, c.troubled(TroubleElsewhere, "", ErrTransient, "%s %s: %d, but with a page instead of an answer", r.method, r.path, resp.StatusCode)
		}
		if string(bytes.TrimSpace(got)) == "null" {
			return nil, c.failed(ErrTransient, "%s %s: %d, but with nothing", r.method, r.path, resp.StatusCode)
		}
		if c.inside != nil {
			if err := c.inside(got); err != nil {
				return nil, err
			}
		}
		if err := json.Unmarshal(got, r.into); err != nil {
			return nil, c.failed(ErrTransient, "%s %s: %d, but the answer cannot be read: %v", r.method, r.path, resp.StatusCode, err)
		}
	}
	return resp.Header, nil
}

// join puts an escaped path below a base.
func join(u *url.URL, path string) error {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return err
	}
	u.RawPath, u.Path = strings.TrimRight(u.EscapedPath(), "/")+path, strings.TrimRight(u.Path, "/")+plain
	return nil
}

// broken is a request without a whole answer.
func (c *client) broken(ctx context.Context, r request, err error) error {
	kinds := []error{ErrTransient}
	if ctx.Err() != nil {
		kinds = append(kinds, ctx.Err())
	}
	// A url.Error would repeat the address with its query.
	if inside := (*url.Error)(nil); errors.As(err, &inside) {
		err = inside.Err
	}
	if errors.Is(err, errForbiddenAddress) {
		kinds = []error{ErrConfig}
	}
	said := err.Error()
	if unknown := (*tls.CertificateVerificationError)(nil); errors.As(err, &unknown) {
		// It may be somebody on the line, and pass; or the desk has another one now,
		// and an admin must say so.
		kinds = append(kinds, ErrConfig)
		said = "the desk shows a certificate that this server does not trust; nothing was sent to it. Has the desk a new one? " + unknown.Unwrap().Error()
	}
	text := fmt.Sprintf("%v: %s: %s %s: %s", kinds[0], c.system, r.method, r.path, said)
	return &fault{text: line(c.redacted(text)), kinds: kinds, trouble: onTheLine(err)}
}

// refused is an answer that says no.
func (c *client) refused(r request, resp *http.Response, body []byte) error {
	said := ""
	if isJSON(resp.Header) {
		said = saying(body)
	}
	kind := c.kind(resp, body, said)
	text := fmt.Sprintf("%s %s: %d %s", r.method, r.path, resp.StatusCode, said)
	if resp.StatusCode/100 == 3 {
		text = fmt.Sprintf("%s %s: the desk sends us to another address (%d); is url right?", r.method, r.path, resp.StatusCode)
	}
	is := TroubleNone
	switch {
	case kind == ErrTransient && !isJSON(resp.Header) && resp.StatusCode < 500:
		is = TroubleElsewhere // a page of somebody
	case kind == ErrNotFound:
		is, said = TroubleElsewhere, ""
	}
	return c.troubled(is, said, kind, "%s", text)
}

func (c *client) kind(resp *http.Response, body []byte, said string) error {
	// A gateway's page is not the desk's word: what it does not find may be there.
	page := !isJSON(resp.Header) && !(c.bare && len(body) == 0)
	if c.fault != nil && !page {
		if err := c.fault(resp.StatusCode, said); err != nil {
			return err
		}
	}
	switch s := resp.StatusCode; s {
	case http.StatusUnauthorized:
		return ErrAuth
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case http.StatusTooManyRequests:
		return ErrRateLimited{After: c.after(resp.Header)}
	case http.StatusServiceUnavailable:
		if after := c.after(resp.Header); after > 0 {
			return ErrRateLimited{After: after}
		}
	case http.StatusNotFound, http.StatusGone:
		if !page {
			return ErrNotFound
		}
	case http.StatusConflict, http.StatusPreconditionFailed:
		return ErrConflict
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusMethodNotAllowed:
		if !page {
			return ErrInvalid
		}
	}
	return ErrTransient
}

// after reads Retry-After: seconds, or a date.
func (c *client) after(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	d := time.Duration(0)
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		d = time.Duration(min(max(n, 0), int64(maxRetry/time.Second))) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(c.now())
	}
	return min(max(d, 0), maxRetry)
}

func isJSON(h http.Header) bool {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (t == "application/json" || strings.HasSuffix(t, "+json"))
}

// saying is what a desk says in an error: the strings of its JSON, which is
// hostile, in a few words.
func saying(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	var list []string
	var walk func(any, int)
	walk = func(v any, depth int) {
		switch v := v.(type) {
		case string:
			list = append(list, v)
		case []any:
			for _, e := range v[:min(len(v), 8)] {
				if depth < 4 {
					walk(e, depth+1)
				}
			}
		case map[string]any:
			keys := make([]string, 0, len(v))
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys[:min(len(keys), 8)] {
				if depth < 4 {
					walk(v[k], depth+1)
				}
			}
		}
	}
	walk(v, 0)
	text := []rune(line(strings.Join(list, "; ")))
	return string(text[:min(len(text), maxMessage)])
}

// number tells whether an id is one of a desk that numbers its tickets; others
// would only reach parts of the desk that nobody meant.
func number(id string) bool {
	n, err := strconv.ParseInt(id, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == id
}

// fits refuses files that the desk would not take, and too long a text, before
// anything is sent.
func fits(n Note, caps Caps) error {
	if n.Key == "" {
		return fmt.Errorf("%w: a note of a session has a key", ErrInvalid)
	}
	if _, err := prose(n.Plain()); err != nil {
		return err
	}
	if caps.Files {
		for _, f := range n.Files {
			if int64(len(f.Data)) > caps.MaxFile {
				return fmt.Errorf("%w: a file has %d bytes, the desk takes %d", ErrTooLarge, len(f.Data), caps.MaxFile)
			}
		}
	}
	return nil
}

// fileName makes a hostile name one that no desk can misunderstand.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("/\\:*?\"<>|\r\n", r) {
			return '_'
		}
		return r
	}, line(s))
	if s = strings.Trim(s, ". "); s == "" {
		return "file"
	}
	return s
}

// fileType is the media type of a file, or the one that nobody opens by itself.
func fileType(f File) string {
	if t, _, err := mime.ParseMediaType(f.Type); err == nil {
		return t
	}
	return "application/octet-stream"
}

// isKind returns a function that tells whether err is of a kind.
func isKind(err error) func(error) bool {
	return func(kind error) bool { return errors.Is(err, kind) }
}
