// Package receipt is what the person keeps of a session: a small file that says
// who helped, what was allowed and when, and that proves it, also to somebody who
// trusts neither the server nor its operator.
//
// A receipt is JSON:
//
//	format      "mainforte receipt v1"
//	statement   a note signed by the key of the log, see below
//	proof       a proof (package proof) of the lines that concern the person,
//	            without their personal parts
//
// The statement is the server's word: which server, and the names of those whom
// the lines know by an id only. It binds the list of lines, so that none can be
// taken out of a receipt:
//
//	mainforte receipt v1
//	ORIGIN of the log
//	session ID
//	server NAME that the host dialled
//	organisation TEXT
//	technician ID NAME              one for each
//	lines COUNT SHA-256
//
// Everything else, the times, the grants, the host's key and its own signed end,
// stands in the lines.
package receipt

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/proof"
)

// Format is the first member of a receipt.
const Format = "mainforte receipt v1"

// MaxSize of its JSON, bytes.
const MaxSize = 8 << 20

// maxNames bounds the technicians of a session.
const maxNames = 100

var (
	// ErrOpen: the session has not ended, so there is nothing to give a receipt for.
	ErrOpen = errors.New("receipt: the session has not ended yet")
	// ErrForm: these bytes are no receipt.
	ErrForm = errors.New("receipt: this is not a receipt")
)

// Receipt as it is sent.
type Receipt struct {
	Format    string       `json:"format"`
	Statement string       `json:"statement"`
	Proof     *proof.Proof `json:"proof"`
}

// Types are the lines that concern the person.
func Types() []string {
	return []string{
		"session.paired", "participant.joined", "participant.left", "participant.stopped",
		"consent.granted", "consent.denied", "consent.revoked", "consent.given_back", "control.handed_over",
		"host.closed", "log.gap", "session.ended",
	}
}

// Statement is what the server says beside what the lines prove.
type Statement struct {
	Server       string // the name that the host dialled
	Organisation string // may be empty
	Technicians  []Technician
}

// Technician is somebody whom lines name by an id.
type Technician struct{ Ref, Name string }

// Make writes the receipt of a session. It writes nothing into the log.
// ErrOpen, audit.ErrNoSession, proof.ErrTooLong.
func Make(ctx context.Context, log *audit.Log, session string, s Statement) (*Receipt, error) {
	point, err := log.Latest(ctx)
	if err != nil {
		return nil, err
	}
	if point.Size == 0 {
		return nil, ErrOpen // the end of a session is signed with it
	}
	p, err := proof.Make(ctx, log, session, point, proof.Options{Types: Types()})
	if err != nil {
		return nil, err
	}
	if r := proof.Verify(p, false, proof.Trust{}); !r.OK() {
		return nil, fmt.Errorf("receipt: %w: %s", audit.ErrDamaged, r.Problems[0])
	} else if !r.Ended {
		return nil, ErrOpen
	}
	origin, _, _ := strings.Cut(point.Note, "\n")
	signed, err := log.SignReceipt(ctx, s.text(origin, p))
	if err != nil {
		return nil, err
	}
	return &Receipt{Format, signed, p}, nil
}

func (s Statement) text(origin string, p *proof.Proof) string {
	var b strings.Builder
	b.WriteString(audit.ReceiptHead)
	fmt.Fprintf(&b, "%s\nsession %s\nserver %s\norganisation %s\n", origin, p.Session, wire.Clean(s.Server), wire.Clean(s.Organisation))
	for _, t := range s.Technicians {
		if audit.IsToken(t.Ref) && len(t.Ref) > 0 {
			fmt.Fprintf(&b, "technician %s %s\n", t.Ref, wire.Clean(t.Name))
		}
	}
	b.WriteString(linesRow(p))
	return b.String()
}

// linesRow binds the list of lines.
func linesRow(p *proof.Proof) string {
	h := sha256.New()
	for _, l := range p.Lines {
		h.Write([]byte(l.Leaf)) // never fails: hash.Hash
		h.Write([]byte{'\n'})
	}
	return fmt.Sprintf("lines %d %s\n", len(p.Lines), base64.StdEncoding.EncodeToString(h.Sum(nil)))
}

// Parse reads a receipt. An error wraps ErrForm or proof.ErrForm.
func Parse(b []byte) (*Receipt, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: it is longer than %d MiB", ErrForm, MaxSize>>20)
	}
	var raw struct {
		Format    string          `json:"format"`
		Statement string          `json:"statement"`
		Proof     json.RawMessage `json:"proof"`
	}
	if err := proof.Strict(b, &raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if raw.Format != Format {
		return nil, fmt.Errorf("%w: its format is %.40q", ErrForm, raw.Format)
	}
	p, err := proof.Parse(raw.Proof)
	if err != nil {
		return nil, err
	}
	return &Receipt{raw.Format, raw.Statement, p}, nil
}

// Verify holds the lines to the root and to the statement, and both to the key.
// Of a problem with the statement the code is "statement"; "no_end" means that
// the end of the session is not in it.
func Verify(r *Receipt, trust proof.Trust) (proof.Report, Statement) {
	report := proof.Verify(r.Proof, false, trust)
	if report.Origin == "" {
		return report, Statement{} // without a key nothing can be said
	}
	s, err := r.open(report.Origin)
	if err != nil {
		report.Problems = append(report.Problems, proof.Problem{Code: "statement", Index: -1, Detail: err.Error()})
	}
	if report.OK() && !report.Ended {
		report.Problems = append(report.Problems, proof.Problem{Code: "no_end", Index: -1, Detail: "the end of the session is not in it"})
	}
	return report, s
}

var errStatement = errors.New("the server's statement is not the one that was signed for these lines")

// open checks the signature of the statement and reads it.
func (r *Receipt) open(origin string) (Statement, error) {
	v, err := note.NewVerifier(r.Proof.Keys[len(r.Proof.Keys)-1])
	if err != nil {
		return Statement{}, errStatement
	}
	n, err := note.Open([]byte(r.Statement), note.VerifierList(v))
	if err != nil {
		return Statement{}, errStatement
	}
	if err := proof.Exactly(r.Statement, n.Text, v.Name()); err != nil {
		return Statement{}, errStatement
	}
	rest, ok := strings.CutPrefix(n.Text, audit.ReceiptHead+origin+"\nsession "+r.Proof.Session+"\n")
	rest, ok2 := strings.CutSuffix(rest, linesRow(r.Proof))
	rows := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	if !ok || !ok2 || len(rows) < 2 || len(rows) > 2+maxNames {
		return Statement{}, errStatement
	}
	var s Statement
	s.Server, ok = strings.CutPrefix(rows[0], "server ")
	s.Organisation, ok2 = strings.CutPrefix(rows[1], "organisation ")
	if !ok || !ok2 {
		return Statement{}, errStatement
	}
	for _, row := range rows[2:] {
		rest, ok := strings.CutPrefix(row, "technician ")
		ref, name, ok2 := strings.Cut(rest, " ")
		if !ok || !ok2 {
			return Statement{}, errStatement
		}
		s.Technicians = append(s.Technicians, Technician{ref, name})
	}
	return s, nil
}

// LinkLife is how long a link to a receipt is good. The file itself is for ever.
const LinkLife = 30 * 24 * time.Hour

// Uses of a link's token.
const (
	forReading = "receipt"
	forPerson  = "person"
)

// Link is the token of a link to the receipt of a session, good until a time.
func Link(log *audit.Log, session string, until time.Time) string {
	return seal(log, forReading, session, until)
}

// PersonLink is the token that only the host is given, for the person: besides what
// a [Link] is good for, its holder speaks as the person.
func PersonLink(log *audit.Log, session string, until time.Time) string {
	return seal(log, forPerson, session, until)
}

func seal(log *audit.Log, use, session string, until time.Time) string {
	return log.SealLink(use, session+" "+strconv.FormatInt(until.Unix(), 10))
}

// Linked is the session of a token, and whether it is the person's; ok is false if
// it is none, or too old.
func Linked(log *audit.Log, token string, now time.Time) (session string, person, ok bool) {
	text, ok := log.OpenLink(forReading, token)
	if !ok {
		text, ok = log.OpenLink(forPerson, token)
		person = ok
	}
	session, at, _ := strings.Cut(text, " ")
	until, err := strconv.ParseInt(at, 10, 64)
	return session, person, ok && err == nil && now.Unix() < until
}
