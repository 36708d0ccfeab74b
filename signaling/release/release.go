// Package release says which files a release serves to browsers, and holds a
// server to it.
//
// A [Manifest] lists every page, script and style with its address, size and
// SHA-256, and the policies that a browser is told with it. The build makes it
// from the files that are in the program, so two people who build the same source
// have the same manifest, and each can [Check] what a server really sends: plain, and
// packed as browsers are sent it, for a packed copy is another file on the way.
//
// A server that lies to one browser only, or only to those who have signed in,
// is found only if the one who checks is that one: pages behind a sign-in are
// looked at with the cookie of one.
package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
)

// Format is the first member of a manifest.
const Format = "mainforte release manifest v1"

// Manifest of a release.
type Manifest struct {
	Format  string            `json:"format"`
	Version string            `json:"version"`
	Headers map[string]string `json:"headers"` // that every answer has
	Files   []File            `json:"files"`   // by path
}

// File that a server of the release sends.
type File struct {
	Path   string `json:"path"` // as it is asked for: "/viewer/viewer.js", "/console"
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	Type   string `json:"type"`             // Content-Type
	Policy string `json:"policy"`           // Content-Security-Policy
	SignIn bool   `json:"signin,omitempty"` // sent only to somebody who has signed in
}

// Of makes the entry of a file.
func Of(path string, b []byte, kind, policy string, signIn bool) File {
	sum := sha256.Sum256(b)
	return File{path, int64(len(b)), hex.EncodeToString(sum[:]), kind, policy, signIn}
}

// Bounds of a manifest and of what a server sends.
const (
	maxManifest = 4 << 20
	maxFiles    = 10_000
	maxFile     = 64 << 20
	maxPage     = 1 << 20 // a page of no fixed size
)

// ErrManifest: this is no manifest.
var ErrManifest = errors.New("release: this is not a manifest of a release")

// Read reads a manifest.
func Read(r io.Reader) (Manifest, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return Manifest{}, err
	}
	if len(b) > maxManifest {
		return Manifest{}, fmt.Errorf("%w: it is longer than %d MiB", ErrManifest, maxManifest>>20)
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if m.Format != Format || len(m.Files) == 0 || len(m.Files) > maxFiles {
		return Manifest{}, ErrManifest
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		sum, err := hex.DecodeString(f.SHA256)
		if err != nil || len(sum) != sha256.Size || f.Size < 0 || f.Size > maxFile || !pathForm.MatchString(f.Path) || seen[f.Path] {
			return Manifest{}, fmt.Errorf("%w: %.80q", ErrManifest, f.Path)
		}
		seen[f.Path] = true
	}
	return m, nil
}

var pathForm = regexp.MustCompile(`^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$`)

// Problem is one thing that is not of the release.
type Problem struct {
	Path   string
	Detail string // for a person, in English
}

func (p Problem) String() string { return p.Path + ": " + p.Detail }

// Report is what Check saw.
type Report struct {
	Files    int      // that are those of the release
	Unseen   []string // pages that need a sign-in, and were not looked at
	Problems []Problem
}

// Check asks a server for every file of the manifest, and for the pages that it fills in.
// base is its address; cookie, if not empty, is that of a sign-in, as a browser
// sends it. The error is about not being able to look; what differs stands in the
// report.
func Check(ctx context.Context, client *http.Client, base *url.URL, m Manifest, cookie string) (Report, error) {
	c := checker{client: *client, base: base, manifest: m, cookie: cookie, known: map[string]bool{}, brand: map[string]bool{}}
	c.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, f := range m.Files {
		c.known[f.Path] = true
	}
	for _, f := range m.Files {
		if err := c.file(ctx, f); err != nil {
			return Report{}, err
		}
	}
	for _, path := range filled {
		if err := c.fill(ctx, path); err != nil {
			return Report{}, err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(c.brand)) {
		if err := c.branded(ctx, path); err != nil {
			return Report{}, err
		}
	}
	return c.report, nil
}

type checker struct {
	client   http.Client
	base     *url.URL
	manifest Manifest
	cookie   string
	known    map[string]bool
	brand    map[string]bool // files of the help desk that pages ask for
	report   Report
}

func (c *checker) problem(path, format string, args ...any) {
	p := Problem{path, fmt.Sprintf(format, args...)}
	if !slices.Contains(c.report.Problems, p) {
		c.report.Problems = append(c.report.Problems, p)
	}
}

// asked are the codings that a file is asked for with: plain, and as browsers ask,
// who may be sent a packed copy.
var asked = []string{"identity", "gzip, deflate, br, zstd"}

// errPacked: what was sent is not what a release sends packed.
var errPacked = errors.New("is sent packed as no release is")

// get asks for a path; the body is at most limit bytes and one, unpacked. With
// errPacked comes what could be read.
func (c *checker) get(ctx context.Context, path, coding string, limit int64) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath(path).String(), nil)
	if err != nil {
		return nil, nil, err
	}
	if c.cookie != "" {
		req.Header.Set("Cookie", c.cookie)
	}
	req.Header.Set("Accept-Encoding", coding)
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, nil, err
	}
	switch packed := resp.Header.Values("Content-Encoding"); {
	case len(packed) == 0:
		return resp, b, nil
	case coding == asked[0] || len(packed) > 1 || packed[0] != "br":
		return resp, b, fmt.Errorf("%w: %.80q", errPacked, strings.Join(packed, ", "))
	}
	whole, err := io.ReadAll(io.LimitReader(brotli.NewReader(bytes.NewReader(b)), limit+1)) // few bytes may be very many
	if err != nil {
		return resp, whole, fmt.Errorf("%w: %w", errPacked, err)
	}
	return resp, whole, nil
}

// file holds one file to its entry, however it is sent.
func (c *checker) file(ctx context.Context, f File) error {
	before := len(c.report.Problems)
	for _, coding := range asked {
		if seen, err := c.sent(ctx, f, coding); err != nil || !seen {
			return err
		}
	}
	if len(c.report.Problems) == before {
		c.report.Files++
	}
	return nil
}

// sent holds one file, as it is sent to who asks for a coding, to its entry. It is
// not seen by who has not signed in.
func (c *checker) sent(ctx context.Context, f File, coding string) (seen bool, err error) {
	resp, b, err := c.get(ctx, f.Path, coding, max(f.Size, maxPage))
	if errors.Is(err, errPacked) {
		c.problem(f.Path, "%v", err)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	switch {
	case f.SignIn && (resp.StatusCode == http.StatusSeeOther || resp.StatusCode == http.StatusForbidden):
		if !slices.Contains(c.report.Unseen, f.Path) {
			c.report.Unseen = append(c.report.Unseen, f.Path)
		}
		return false, nil
	case resp.StatusCode == http.StatusNotFound:
		c.problem(f.Path, "is missing")
		return true, nil
	case resp.StatusCode != http.StatusOK:
		c.problem(f.Path, "is not sent: the server answers %d", resp.StatusCode)
		return true, nil
	}
	c.headers(f.Path, resp.Header, f.Policy)
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || !strings.HasPrefix(f.Type, kind) {
		c.problem(f.Path, "is sent as %.80q", resp.Header.Get("Content-Type"))
	}
	if strings.HasPrefix(f.Type, "text/html") {
		b = c.unbranded(b)
	}
	if got := Of(f.Path, b, f.Type, f.Policy, f.SignIn); got.SHA256 != f.SHA256 {
		if got.Size != f.Size {
			c.problem(f.Path, "differs from the release: it has another length than %d bytes", f.Size)
		} else {
			c.problem(f.Path, "differs from the release: SHA-256 %s, not %s", got.SHA256, f.SHA256)
		}
		c.references(f.Path, b)
	}
	return true, nil
}

// headers holds what a browser is told with a file to the release.
func (c *checker) headers(path string, h http.Header, policy string) {
	for name, want := range c.manifest.Headers {
		if got := h.Values(name); !slices.Contains(got, want) {
			c.problem(path, "%s is %.120q, not %q", name, strings.Join(got, ", "), want)
		}
	}
	const name = "Content-Security-Policy"
	if got := h.Values(name); !slices.Contains(got, policy) {
		c.problem(path, "%s is %.300q, not %q", name, strings.Join(got, ", "), policy)
	}
}

var (
	attribute = regexp.MustCompile(`(?i)\b(?:src|href|action|data|srcset|poster|formaction)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))`)
	inScript  = regexp.MustCompile("[\"'`](\\.{0,2}/[^\"'`\\s?#]*\\.(?:js|mjs|css|wasm|html))")
	active    = regexp.MustCompile(`(?i)<\s*(script|iframe|object|embed|base|meta\s[^>]*http-equiv|svg\s[^>]*onload)|\son[a-z]+\s*=|javascript:`)
)

// references names what a file asks for and the release does not have.
func (c *checker) references(path string, b []byte) {
	var all []string
	for _, m := range attribute.FindAllSubmatch(b, -1) {
		all = append(all, string(m[1])+string(m[2])+string(m[3]))
	}
	for _, m := range inScript.FindAllSubmatch(b, -1) {
		all = append(all, string(m[1]))
	}
	for _, ref := range all {
		u, err := url.Parse(ref)
		switch {
		case err != nil:
			c.problem(path, "asks for %.80q", ref)
			continue
		case u.Host != "" && u.Host != c.base.Host:
			c.problem(path, "asks for %.120q, which is another server's", ref)
			continue
		case u.Path == "":
			continue // a place in the page, or its language
		}
		at := (&url.URL{Path: path}).ResolveReference(&url.URL{Path: u.Path}).Path
		if brandPath.MatchString(at) {
			c.brand[at] = true
			continue
		}
		if !c.known[at] && !pages[at] && !strings.HasPrefix(at, "/download/") {
			c.problem(at, "is extra: %s asks for it, and the release has no such file", path)
		}
	}
}

// What a help desk may add to the pages of a release: its name, a picture, and a
// stylesheet that gives three properties a colour. Everything else is a difference.
var (
	brandPath = regexp.MustCompile(`^/brand/([0-9a-f]{64})(\.css|\.png)$`)
	brandHead = regexp.MustCompile(`(?:<link rel="stylesheet" href="(/brand/[0-9a-f]{64}\.css)">)?` +
		`(?:<meta name="mf-brand" content="[^"<>]*"(?: data-logo="(/brand/[0-9a-f]{64}\.png)" data-width="[0-9]{1,3}" data-height="[0-9]{1,3}" data-plate="(?:light|dark)?")?>)?</head>`)
	brandSheet = regexp.MustCompile(`^(?:@media screen and \(prefers-contrast: no-preference\)(?: and \(prefers-color-scheme: dark\))?` +
		`\{:root\{--mf-accent:#[0-9a-f]{6};--accent-hover:#[0-9a-f]{6};--accent-soft:#[0-9a-f]{6}\}\}\n){2}$`)
)

// maxBrand bounds a file of a help desk.
const maxBrand = 1 << 20

// unbranded is a page without what its help desk added, whose files are looked at later.
func (c *checker) unbranded(b []byte) []byte {
	m := brandHead.FindSubmatchIndex(b)
	if m == nil {
		return b
	}
	for _, group := range []int{2, 4} {
		if m[group] >= 0 {
			c.brand[string(b[m[group]:m[group+1]])] = true
		}
	}
	return slices.Concat(b[:m[0]], []byte("</head>"), b[m[1]:])
}

// branded holds a file of a help desk to its name, which is its hash, and a stylesheet to
// its form.
func (c *checker) branded(ctx context.Context, path string) error {
	resp, b, err := c.get(ctx, path, asked[0], maxBrand)
	if errors.Is(err, errPacked) {
		c.problem(path, "%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	name := brandPath.FindStringSubmatch(path)
	sum := sha256.Sum256(b)
	kind := map[string]string{".css": "text/css", ".png": "image/png"}[name[2]]
	got, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // what cannot be read is no type
	switch {
	case resp.StatusCode != http.StatusOK:
		c.problem(path, "is not sent: the server answers %d", resp.StatusCode)
		return nil
	case got != kind:
		c.problem(path, "is sent as %.80q", resp.Header.Get("Content-Type"))
	case hex.EncodeToString(sum[:]) != name[1]:
		c.problem(path, "is not what its name says")
	case kind == "text/css" && !brandSheet.Match(b):
		c.problem(path, "holds more than the colour of a help desk")
	}
	for header, want := range c.manifest.Headers {
		if !slices.Contains(resp.Header.Values(header), want) {
			c.problem(path, "%s is %.120q, not %q", header, resp.Header.Get(header), want)
		}
	}
	return nil
}

// pages are addresses that may be linked to and are no files.
var pages = map[string]bool{"/": true, "/signin": true, "/console": true, "/audit": true, "/receipt": true, "/admin": true, "/account": true, "/supervise": true, "/wait": true, "/words": true}

// filled are the pages for the person who needs help. The server fills them in, so they
// have no hash; but they need no script, and ask for files of the release only.
var filled = []string{"/", "/wait"}

// fill holds one of them to that, in every coding.
func (c *checker) fill(ctx context.Context, path string) error {
	for _, coding := range asked {
		if err := c.door(ctx, path, coding); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) door(ctx context.Context, path, coding string) error {
	resp, b, err := c.get(ctx, path, coding, maxPage)
	if errors.Is(err, errPacked) {
		c.problem(path, "%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || len(b) > maxPage {
		c.problem(path, "is not sent: the server answers %d", resp.StatusCode)
		return nil
	}
	if len(c.manifest.Files) > 0 {
		c.headers(path, resp.Header, c.policy())
	}
	if m := active.Find(b); m != nil {
		c.problem(path, "holds %.40q: this page of a release has no script and no frame", m)
	}
	c.references(path, b)
	return nil
}

// policy of pages: that of the first page in the list.
func (c *checker) policy() string {
	for _, f := range c.manifest.Files {
		if strings.HasPrefix(f.Type, "text/html") {
			return f.Policy
		}
	}
	return c.manifest.Files[0].Policy
}
