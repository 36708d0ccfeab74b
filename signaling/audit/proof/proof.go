// Package proof is the proof of one session: small enough for a browser, which
// verifies it without believing the server that sent it (web/src/audit/proof does
// the same as this package, with the same test vectors).
//
// A proof is JSON:
//
//	format      "mainforte session proof v1"
//	session     its id
//	checkpoint  a signed root, C2SP tlog-checkpoint
//	keys        verifier keys, from the first to the one that signed
//	rotations   the lines that changed the key, one less than there are keys
//	lines       the session's lines: {"leaf":…,"state":…,"personal":…,"salt":…}
//	between     the leaves of others that stand between them
//	nodes       hashes of the tree by the leaves they stand over: {"0-8":…}
//
// leaf and personal are texts, so that what is hashed is what was sent, byte for
// byte. Each line climbs to the root of the checkpoint by the nodes beside its way
// (RFC 6962 §2.1.1); so do the trees of earlier, of which a ticket or an old key
// speaks. between closes the gaps: with it, no line of the session can be left
// out. It reaches to the end of the log, or, where that is more than [MaxSpan]
// lines, to the session's end; where that is more, too, it is empty and the
// report says so.
//
// [Make] makes one from a log, [Parse] and [Verify] read it back. A [Report] says
// who signed only to somebody who brings a key, or the root from a ticket.
package proof

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Format is the first member of a proof.
const Format = "mainforte session proof v1"

// Bounds of a proof.
const (
	// MaxLines of one session. A longer one is proved by a whole export.
	MaxLines = 10_000
	// MaxSpan is how many leaves between closes gaps over.
	MaxSpan = 8192
	// MaxSize of its JSON, bytes.
	MaxSize = 64 << 20

	maxKeys  = 1000
	maxLeaf  = 1<<16 - 1
	maxNodes = 1 << 20
)

// ErrTooLong: the session has more lines than a proof takes.
var ErrTooLong = errors.New("proof: the session is too long for a proof of its own; export the whole log")

// ErrForm: these bytes are no proof.
var ErrForm = errors.New("proof: this is not a proof of a session")

// Proof of one session, as it is sent.
type Proof struct {
	Format     string   `json:"format"`
	Session    string   `json:"session"`
	Checkpoint string   `json:"checkpoint"`
	Keys       []string `json:"keys"`
	Rotations  []Line   `json:"rotations"`
	Lines      []Line   `json:"lines"`
	Between    []string `json:"between"`
	Nodes      Nodes    `json:"nodes"`
}

// Line of the log. Personal and Salt (base64) are there if State is "present".
type Line struct {
	Leaf     string `json:"leaf"`
	State    string `json:"state"`
	Personal string `json:"personal,omitempty"`
	Salt     string `json:"salt,omitempty"`
}

// Nodes are hashes by span.
type Nodes map[span]tlog.Hash

// Parse reads a proof. An error wraps ErrForm.
func Parse(b []byte) (*Proof, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: it is longer than %d MiB", ErrForm, MaxSize>>20)
	}
	var p Proof
	if err := Strict(b, &p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Strict reads one JSON value that has no member that v does not know.
func Strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands after it")
	}
	return nil
}

// check holds a proof to its bounds.
func (p *Proof) check() error {
	switch {
	case p.Format != Format:
		return fmt.Errorf("%w: its format is %.40q", ErrForm, p.Format)
	case len(p.Keys) == 0 || len(p.Keys) > maxKeys || len(p.Rotations) != len(p.Keys)-1:
		return fmt.Errorf("%w: its keys and the changes of the key do not fit", ErrForm)
	case len(p.Lines) == 0:
		return fmt.Errorf("%w: it has no lines", ErrForm)
	case len(p.Lines) > MaxLines || len(p.Between) > MaxSpan || len(p.Nodes) > maxNodes:
		return fmt.Errorf("%w: it is longer than one can be", ErrForm)
	}
	return nil
}

var spanForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,14})-([1-9][0-9]{0,14})$`)

// MarshalText writes a span as it stands in nodes: "0-8".
func (s span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a span, in its one form only.
func (s *span) UnmarshalText(b []byte) error {
	m := spanForm.FindSubmatch(b)
	if m == nil {
		return fmt.Errorf("%.40q is no span of leaves", b)
	}
	s.lo, _ = strconv.ParseInt(string(m[1]), 10, 64) // digits by the form
	s.hi, _ = strconv.ParseInt(string(m[2]), 10, 64)
	return nil
}

// MarshalJSON writes the hashes as strict base64.
func (n Nodes) MarshalJSON() ([]byte, error) {
	m := make(map[string]string, len(n))
	for s, h := range n {
		m[s.String()] = base64.StdEncoding.EncodeToString(h[:])
	}
	return json.Marshal(m)
}

// UnmarshalJSON reads them; tlog's own reader would take more than one form.
func (n *Nodes) UnmarshalJSON(b []byte) error {
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*n = make(Nodes, len(m))
	for k, v := range m {
		var s span
		if err := s.UnmarshalText([]byte(k)); err != nil {
			return err
		}
		h, err := base64.StdEncoding.Strict().DecodeString(v)
		if err != nil || len(h) != tlog.HashSize || len(v) != 44 {
			return fmt.Errorf("node %s is no hash", k)
		}
		(*n)[s] = tlog.Hash(h)
	}
	return nil
}
