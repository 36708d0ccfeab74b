package bundle

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// Trust is what somebody brings who does not take the folder's word for it.
type Trust struct {
	Key    string     // a verifier key of the log, of now or of before a rotation
	Ticket [][32]byte // roots from ticket notes
	// Authorities vouch for timestamp authorities; with them there must be a
	// timestamp. nil: none is asked for.
	Authorities *x509.CertPool
}

// ReadTicket finds the roots in the text of a ticket note, or in a root alone:
// 32 bytes in base64 that stand free.
func ReadTicket(text string) [][32]byte {
	var roots [][32]byte
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r > 'z' || !wordBytes[r] }) {
		if h, err := tlog.ParseHash(word); err == nil && len(word) == 44 && !slices.Contains(roots, [32]byte(h)) {
			roots = append(roots, h)
		}
	}
	return roots
}

// wordBytes are what a root and what it could be a part of consist of.
var wordBytes = func() (set ['z' + 1]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:" {
		set[c] = true
	}
	return set
}()

// Problem is one thing that is not what was signed.
type Problem struct {
	Name   string // the file, or "record 17" of it
	Detail string // for a person, in English
}

func (p Problem) String() string { return p.Name + ": " + p.Detail }

// Report is what Verify saw.
type Report struct {
	Origin  string
	Size    int64
	Root    [32]byte
	Created time.Time // of the export, by its own word
	// Signer tells whether the key in Trust vouches for all of it.
	Signer bool
	// Stamped is when a timestamp authority saw the checkpoint, by its own word;
	// StampProven tells that the Authorities in Trust vouch for it.
	Stamped     time.Time
	StampedBy   string
	StampProven bool
	// Ticket is how many records the roots in Trust vouch for; 0: none.
	Ticket                          int64
	Present, Withheld, Purged, None int64
	Policies                        map[string]int64 // purged personal parts by policy
	Rotations                       int
	Extra                           []string  // files that nobody signed; at most 10
	Problems                        []Problem // the first is the first; at most 20
	More                            bool
}

// OK tells whether nothing is wrong; Proven, that somebody outside vouches for it.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Proven tells whether what was brought vouches for it.
func (r *Report) Proven() bool { return r.OK() && (r.Signer || r.Ticket > 0) }

const (
	maxProblems = 20
	maxExtra    = 10
	maxWaiting  = 1 << 24 // purged sessions, and purged parts outside sessions, whose purge must still come
	maxPolicies = 256
)

// Verify holds the folder to its signature, and its signature to what is trusted.
// It reads everything once, in memory that grows only by a word for each session
// whose purge comes later in the log, and a hash for each. The error is about not being able to
// look; what is wrong stands in the Report.
func Verify(dir string, trust Trust) (Report, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Report{}, fmt.Errorf("bundle: %w", err)
	}
	defer func() { _ = root.Close() }()
	if trust.Key != "" {
		if _, err := note.NewVerifier(trust.Key); err != nil {
			return Report{}, fmt.Errorf("bundle: the key to trust: %w", err)
		}
	}
	v := &verifier{root: root, trust: trust, report: Report{Policies: map[string]int64{}}, want: map[[32]byte]bool{},
		sessions: map[string]*waiting{}}
	for _, t := range trust.Ticket {
		v.want[t] = true
	}
	if err := v.run(); err != nil {
		return Report{}, err
	}
	return v.report, nil
}

// errStop: no more can be said.
var errStop = errors.New("bundle: stopped")

type verifier struct {
	root   *os.Root
	trust  Trust
	report Report

	manifest manifest
	listed   bool // the manifest holds
	keys     []string
	key      string // that signed
	tree     tree
	point    audit.Tree // what the checkpoint vouches for

	chain    []string // keys as the leaves tell them
	want     map[[32]byte]bool
	sessions map[string]*waiting // purged parts whose purge has not come yet
	outside  []int64             // the same, outside sessions
}

type waiting struct{ first, n int64 }

// record is how a problem names one.
func record(index int64) string { return fmt.Sprintf("record %d", index) }

func (v *verifier) problem(name, format string, args ...any) {
	if len(v.report.Problems) >= maxProblems {
		v.report.More = true
		return
	}
	v.report.Problems = append(v.report.Problems, Problem{name, fmt.Sprintf(format, args...)})
}

func (v *verifier) run() error {
	err := v.frame()
	if err == nil {
		err = v.records()
	}
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	if err == nil {
		v.close()
	}
	return v.extra()
}

// close says what can be said once everything was read.
func (v *verifier) close() {
	if v.tree.root() != tlog.Hash(v.point.Root) && v.report.OK() {
		v.problem(checkpointFile, "the %d records are consistent with each other and are not those that were signed", v.tree.size)
	}
	first := int64(-1)
	least := func(at int64) {
		if first < 0 || at < first {
			first = at
		}
	}
	for _, w := range v.sessions {
		least(w.first)
	}
	for _, w := range v.outside {
		least(w)
	}
	if first >= 0 {
		v.problem(record(first), "its personal part is said to be purged, and no later purge says so: MISSING")
	}
	if len(v.chain) == 0 {
		v.chain = []string{v.key}
	}
	if !slices.Equal(v.chain, v.keys) && v.report.OK() {
		v.problem(keysFile, "does not list the keys that the log itself names")
	}
	if v.trust.Key != "" {
		v.report.Signer = slices.Contains(v.chain, v.trust.Key) && v.chain[len(v.chain)-1] == v.key
		if !v.report.Signer {
			v.problem(checkpointFile, "is not signed by the key you gave, nor by one that it vouched for")
		}
	}
	for _, t := range v.trust.Ticket {
		if v.want[t] {
			v.problem("ticket", "no session of this log ended with the root %s", base64.StdEncoding.EncodeToString(t[:]))
		}
	}
}
