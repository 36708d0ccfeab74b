package proof

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// Trust is what somebody brings who does not take the proof's word for it.
type Trust struct {
	Key    string     // a verifier key of the log, of now or of before a rotation
	Ticket [][32]byte // roots from ticket notes
}

// Problem is one thing that is not what was signed.
type Problem struct {
	Code   string // for programs; web/src/audit/proof knows the same
	Index  int64  // of the line; -1: it is not about one
	Detail string // for a person, in English
}

func (p Problem) String() string {
	if p.Index < 0 {
		return p.Detail
	}
	return fmt.Sprintf("record %d: %s", p.Index, p.Detail)
}

// Report is what Verify saw.
type Report struct {
	Origin string
	Size   int64
	Root   [32]byte
	// Signer tells whether the key in Trust vouches for all of it.
	Signer bool
	// Ticket is how many records of the log the root in Trust vouches for; 0: none.
	Ticket                                 int64
	Lines, Present, Withheld, Purged, None int
	Policies                               map[string]int // purged parts by policy
	Rotations                              int
	Complete                               bool // that no line up to the end is left out, too
	Ended                                  bool
	Closed                                 bool  // the host signed its own end
	Counted                                int64 // events, by the signed count of the host
	// Missing is how many of them never reached the log, as it says itself; below 0:
	// the host signed fewer than it sent.
	Missing  int64
	HostKey  string
	EndSize  int64    // of the log when the session ended; 0: it has not
	EndRoot  [32]byte // the root of then, as its ticket has it
	Problems []Problem
	More     bool
	Events   []Leaf // the lines that were proven, in order
}

// OK tells whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Proven tells whether what was brought vouches for it.
func (r *Report) Proven() bool { return r.OK() && (r.Signer || r.Ticket > 0) }

// maxProblems bounds what a report lists.
const maxProblems = 20

// Verify holds every line of a proof to the root, the root to its signature, and
// the signature to what is trusted. whole: it must be a whole session, not a
// receipt. What is wrong stands in the report, the first first.
func Verify(p *Proof, whole bool, trust Trust) Report {
	v := &verifier{proof: p, whole: whole, report: Report{Policies: map[string]int{}}}
	if !v.signed() {
		return v.report
	}
	v.rotations()
	v.lines()
	if whole {
		v.gaps()
	}
	v.course()
	v.ending()
	if v.report.OK() && !v.tree.spent() {
		v.problem("nodes", -1, "it holds hashes that prove nothing")
	}
	v.trust(trust)
	return v.report
}

type verifier struct {
	proof  *Proof
	whole  bool
	tree   *tree
	report Report
	leaves []Leaf   // of lines that were proven
	states []string // of their personal parts
}

func (v *verifier) problem(code string, index int64, format string, args ...any) {
	if len(v.report.Problems) >= maxProblems {
		v.report.More = true
		return
	}
	v.report.Problems = append(v.report.Problems, Problem{code, index, fmt.Sprintf(format, args...)})
}

// signed checks the checkpoint; without one nothing can be said.
func (v *verifier) signed() bool {
	name := ""
	for _, k := range v.proof.Keys {
		ver, err := note.NewVerifier(k)
		if err != nil || name != "" && ver.Name() != name || !strictKey(k) {
			v.problem("keys", -1, "one of its keys is no verifier key of this log")
			return false
		}
		name = ver.Name()
	}
	key := v.proof.Keys[len(v.proof.Keys)-1]
	point, err := audit.OpenCheckpoint(v.proof.Checkpoint, key)
	if err == nil {
		want := fmt.Sprintf("%s\n%d\n%s\n", name, point.Size, base64.StdEncoding.EncodeToString(point.Root[:]))
		err = Exactly(v.proof.Checkpoint, want, name)
	}
	if err != nil || point.Size < 1 {
		v.problem("checkpoint", -1, "the checkpoint is not signed by the last of its keys")
		return false
	}
	v.report.Origin, v.report.Size, v.report.Root = name, point.Size, point.Root
	v.tree = newTree(point.Size, point.Root, v.proof.Nodes)
	return true
}

// strictKey: the one way to write a key. note reads the base64 in more than one.
func strictKey(k string) bool {
	parts := strings.SplitN(k, "+", 3)
	if len(parts) != 3 {
		return false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	return err == nil && base64.StdEncoding.EncodeToString(b) == parts[2]
}

// Exactly holds a signed note to its one form: this text and one signature, to
// the last bit of its base64.
func Exactly(signed, text, name string) error {
	sig, ok := strings.CutPrefix(signed, text+"\n— "+name+" ")
	sig, ok2 := strings.CutSuffix(sig, "\n")
	b, err := base64.StdEncoding.Strict().DecodeString(sig)
	if !ok || !ok2 || err != nil || base64.StdEncoding.EncodeToString(b) != sig {
		return errors.New("a note of another form")
	}
	return nil
}

// Leaf is the public half of a line. Package audit reads what it wrote itself; this
// comes from anybody, so it is read strictly ([Strict]), its commitment too.
type Leaf struct {
	Actor struct {
		Kind string `json:"kind"`
		Ref  string `json:"ref"`
	} `json:"actor"`
	Commit  string          `json:"commit"`
	Data    json.RawMessage `json:"data"`
	ID      string          `json:"id"`
	Index   int64           `json:"index"`
	MonoMS  int64           `json:"mono_ms"`
	Origin  string          `json:"origin"`
	Outcome string          `json:"outcome"`
	Session string          `json:"session"`
	T       string          `json:"t"`
	Ticket  string          `json:"ticket"`
	Type    string          `json:"type"`
	V       int             `json:"v"`
}

// data is what is read of a leaf's data here.
type data struct {
	HostKey    string  `json:"host_key"`
	Reason     string  `json:"reason"`
	Events     *uint64 `json:"events"`
	HostEvents *int64  `json:"host_events"`
	DurationMS int64   `json:"duration_ms"`
	Signature  string  `json:"signature"`
	After      *int64  `json:"after"`
	Next       *int64  `json:"next"`
	Why        string  `json:"why"`
}

func (l Leaf) data() (d data) {
	_ = json.Unmarshal(l.Data, &d) // of another type: its members are as if not there
	return d
}

// readLeaf reads a leaf.
func readLeaf(text string) (l Leaf, ok bool) {
	if len(text) > maxLeaf || Strict([]byte(text), &l) != nil || l.V != 1 || l.Index < 0 || len(l.Data) == 0 {
		return Leaf{}, false
	}
	return l, true
}

// leaf reads one and proves that it stands where it says.
func (v *verifier) leaf(text string, n int, after int64) (l Leaf, ok bool) {
	l, ok = readLeaf(text)
	if !ok {
		v.problem("form", after+1, "the line in place %d is no line of a log", n+1)
		return l, false
	}
	switch v.tree.prove(span{l.Index, l.Index + 1}, tlog.RecordHash([]byte(text))) {
	case codePath:
		v.problem("path", l.Index, "the hashes that lead from it to the root are not there")
		return l, false
	case codeTree:
		v.problem("changed", l.Index, "it was changed, or did not stand there")
		return l, false
	}
	return l, true
}

// rotations follows the chain of keys.
func (v *verifier) rotations() {
	for i, line := range v.proof.Rotations {
		l, ok := v.leaf(line.Leaf, i, -1)
		if !ok {
			continue
		}
		r, err := audit.ReadRotation(l.Data)
		root, code := v.tree.earlier(l.Index)
		switch {
		case l.Type != rotateType || err != nil || line.State != string(audit.None) || line.Personal != "" || line.Salt != "":
			v.problem("rotation", l.Index, "it does not change the key as the old key signed")
		case r.Old != v.proof.Keys[i] || r.New != v.proof.Keys[i+1]:
			v.problem("rotation", l.Index, "it changes another key than the list of keys says")
		case code != "" || r.Size != l.Index || tlog.Hash(r.Root) != root:
			v.problem("rotation", l.Index, "the old key signed for another log than this one")
		default:
			v.report.Rotations++
		}
	}
}

// lines proves each line of the session.
func (v *verifier) lines() {
	last := int64(-1)
	for i, line := range v.proof.Lines {
		l, ok := v.leaf(line.Leaf, i, last)
		if !ok {
			continue
		}
		switch {
		case l.Session != v.proof.Session:
			v.problem("session", l.Index, "it is a line of another session")
			continue
		case l.Index <= last:
			v.problem("order", l.Index, "it stands in the wrong place")
			continue
		}
		last = l.Index
		v.personal(line, l)
		v.leaves, v.states = append(v.leaves, l), append(v.states, line.State)
	}
	v.report.Lines, v.report.Events = len(v.leaves), v.leaves
}

// personal holds a personal part to what its leaf committed to.
func (v *verifier) personal(line Line, l Leaf) {
	there := line.Personal != "" || line.Salt != ""
	switch line.State {
	case string(audit.Present):
		salt, err := base64.StdEncoding.Strict().DecodeString(line.Salt)
		commit, err2 := base64.StdEncoding.Strict().DecodeString(l.Commit)
		if err != nil || err2 != nil || len(salt) != 32 || len(line.Salt) != 44 || !bytes.Equal(audit.Commitment(salt, []byte(line.Personal)), commit) {
			v.problem("personal", l.Index, "its personal part is not the one that it committed to")
			return
		}
		v.report.Present++
		return
	case string(audit.None):
		if !there && l.Commit == "" {
			v.report.None++
			return
		}
	case Withheld, string(audit.Purged):
		if !there && l.Commit != "" {
			if line.State == Withheld {
				v.report.Withheld++
			} else {
				v.report.Purged++
			}
			return
		}
	case string(audit.Missing):
		v.problem("missing", l.Index, "its personal part is MISSING, and no purge says so")
		return
	}
	v.problem("state", l.Index, "its personal part is said to be %.20q, which it is not", line.State)
}

// gaps proves that no line of the session is left out.
func (v *verifier) gaps() {
	if len(v.leaves) == 0 {
		return
	}
	first, end := v.leaves[0].Index, int64(0)
	own := map[int64]bool{}
	for _, l := range v.leaves {
		own[l.Index] = true
		if l.Type == endType && end == 0 {
			end = l.Index + 1
		}
	}
	next, to := first, until(first, end, v.report.Size)
	skip := func() {
		for own[next] && next < to {
			next++
		}
	}
	skip()
	for i, text := range v.proof.Between {
		l, ok := v.leaf(text, i, next-1)
		switch {
		case !ok:
			if next < to { // what follows can still be looked at
				next++
				skip()
			}
			continue
		case l.Index != next:
			v.problem("gap", next, "the line that stands there was left out")
			return
		case l.Session == v.proof.Session:
			v.problem("hidden", l.Index, "it is of this session and was put among the lines of others")
			return
		}
		next++
		skip()
	}
	if next < to {
		v.problem("gap", next, "the line that stands there was left out")
		return
	}
	v.report.Complete = to > first && to >= end && v.report.OK()
}

// course holds what the lines say to each other: who opened, who counted, who
// closed, what was purged.
func (v *verifier) course() {
	c := course{}
	purged := int64(-1)
	why := ""
	for _, l := range v.leaves {
		c.line(v, l)
		if l.Type == purgeType {
			purged, why = l.Index, l.data().Why
		}
	}
	if len(v.leaves) > 0 && v.whole && v.leaves[0].Type != startType {
		v.problem("start", v.leaves[0].Index, "the line that opens the session does not stand before it")
	}
	v.purges(purged, why)
	c.end(v)
}

// purges: a purge takes the personal parts of all lines before it, and what is
// gone without one is missing.
func (v *verifier) purges(at int64, why string) {
	n := 0
	for i, l := range v.leaves {
		gone := v.states[i] == string(audit.Purged)
		switch {
		case l.Commit == "":
		case gone && l.Index > at:
			v.problem("missing", l.Index, "its personal part is said to be purged, and no purge says so: MISSING")
		case gone:
			n++
		case l.Index < at:
			v.problem("state", l.Index, "a purge destroyed its personal part, and it is said to be %s", v.states[i])
		}
	}
	if n > 0 && at >= 0 {
		v.report.Policies[why] = n
	}
}

// ending proves the tree in which the session ended, whose root its ticket holds.
func (v *verifier) ending() {
	for _, l := range v.leaves {
		if l.Type != endType {
			continue
		}
		root, code := v.tree.earlier(l.Index + 1)
		if code != "" {
			v.problem("ending", l.Index, "the tree in which the session ended is not proven")
			return
		}
		v.report.EndRoot, v.report.EndSize = root, l.Index+1
		return
	}
}

// trust holds the signature to what was brought.
func (v *verifier) trust(t Trust) {
	if t.Key != "" {
		if v.report.Signer = slices.Contains(v.proof.Keys, t.Key); !v.report.Signer {
			v.problem("stranger", -1, "it is signed neither by the key you gave nor by one that it vouched for")
		}
	}
	if len(t.Ticket) == 0 {
		return
	}
	if v.report.EndSize == 0 || !slices.Contains(t.Ticket, v.report.EndRoot) {
		v.problem("ticket", -1, "the session did not end with a root that stands in the ticket")
		return
	}
	v.report.Ticket = v.report.EndSize
}

// ReadKey takes the verifier key out of what somebody pasted: the last one, which
// is that in force where there is a list.
func ReadKey(text string) (key string, ok bool) {
	for _, word := range strings.Fields(text) {
		if _, err := note.NewVerifier(word); err == nil {
			key, ok = word, true
		}
	}
	return key, ok
}
