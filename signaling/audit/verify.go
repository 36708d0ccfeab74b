package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/store"
)

// What Verify can find.
const (
	FoundChanged    = "changed"    // a line is not what was hashed
	FoundRemoved    = "removed"    // a line is gone
	FoundMoved      = "moved"      // a line stands in another's place
	FoundTree       = "tree"       // a stored hash of the tree is wrong or gone
	FoundCheckpoint = "checkpoint" // the log is not the one that was signed, or a signature is false
	FoundPersonal   = "personal"   // a personal part is not what its line committed to
	FoundKey        = "key"        // a change of the signing key was not signed by the one before
	FoundMissing    = "missing"    // a personal part is gone, and no purge says so
)

// Finding is one thing that is wrong.
type Finding struct {
	Index   int64  // of the first line it concerns
	ID      string // of that line, if it can be read
	Session string // of that line, if it can be read
	What    string // one of the Found constants
	Detail  string // for a person, in English
}

// Report is what Verify saw.
type Report struct {
	Tree                            // as computed from the lines
	Checkpoints           int       // whose signature and root hold
	Unsigned              int64     // lines after the last of them: only the tables vouch for these
	Present, Purged, None int64     // personal parts
	Findings              []Finding // by index; at most 100
	More                  bool      // there are more findings
}

// OK tells whether nothing is wrong.
func (r Report) OK() bool { return len(r.Findings) == 0 }

const maxFindings = 100

// Verify computes the tree anew from the lines and compares it with every hash
// that was stored and every root that was signed, and opens every personal part.
// The error is about not being able to look; what is wrong with the log stands
// in the Report.
//
// What was written after the last checkpoint is only as safe as the database:
// somebody who can rewrite all tables can rewrite that part of it.
func (l *Log) Verify(ctx context.Context) (Report, error) {
	var r Report
	err := l.st.View(ctx, func(tx store.Tx) error {
		v := verifier{log: l, tx: tx, r: &r, lastBad: -1, open: opener{keys: &l.keys}}
		return v.run()
	})
	if err != nil {
		return Report{}, fmt.Errorf("audit: verifying: %w", err)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return int(min(max(a.Index-b.Index, -1), 1)) })
	return r, nil
}

type verifier struct {
	log  *Log
	tx   store.Tx
	r    *Report
	open opener

	h       head
	lastBad int64   // highest index already reported: the nodes above it are wrong for that reason
	nodes   *cursor // stored nodes
	purges  purges
	signed  []signed // checkpoints still ahead, by size
	key     string   // that signs from here on
	turns   []turn   // rotations still ahead, as the table of keys has them
	good    int64    // size of the last checkpoint that held
}

// turn is a row of the table of keys.
type turn struct {
	idx      int64
	old, new string
}

type signed struct {
	size int64
	note string
}

func (v *verifier) found(index int64, id, session, what, format string, args ...any) {
	switch what {
	case FoundChanged, FoundRemoved, FoundMoved, FoundTree:
		v.lastBad = max(v.lastBad, index)
	}
	if len(v.r.Findings) >= maxFindings {
		v.r.More = true
		return
	}
	v.r.Findings = append(v.r.Findings, Finding{index, id, session, what, fmt.Sprintf(format, args...)})
}

func (v *verifier) run() error {
	if err := v.prepare(); err != nil {
		return err
	}
	if err := v.checkpoints(); err != nil { // of size 0
		return err
	}
	for after, more := int64(math.MinInt64), true; more; {
		page, err := v.page(after)
		if err != nil {
			return err
		}
		for _, row := range page {
			for v.h.size < row.idx {
				v.found(v.h.size, "", "", FoundRemoved, "line %d is gone", v.h.size)
				if err := v.grow(tlog.Hash{}); err != nil {
					return err
				}
			}
			if err := v.line(row); err != nil {
				return err
			}
			after = row.idx
		}
		more = len(page) == pageSize
	}
	return v.end()
}

// page reads the lines after one: whole, because the nodes are read meanwhile.
func (v *verifier) page(after int64) ([]row, error) {
	rows, err := v.tx.Query(stored+" where l.idx > ? order by l.idx limit ?", after, pageSize)
	if err != nil {
		return nil, err
	}
	var page []row
	for rows.Next() {
		var row row
		if err := row.scan(rows); err != nil {
			return nil, err
		}
		page = append(page, row)
	}
	return page, errors.Join(rows.Err(), rows.Close())
}

// prepare reads what the lines are compared with.
func (v *verifier) prepare() error {
	var err error
	if v.purges, err = purgesTx(v.tx, ""); err != nil {
		return err
	}
	rows, err := v.tx.Query("select size, note from audit_checkpoints order by size")
	if err != nil {
		return err
	}
	for rows.Next() {
		var s signed
		if err := rows.Scan(&s.size, &s.note); err != nil {
			return err
		}
		v.signed = append(v.signed, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	v.nodes = &cursor{tx: v.tx}
	return v.signers()
}

// signers reads which key signed from when on. Only the last one lies here; it
// vouches for the leaves, and these for the ones before it.
func (v *verifier) signers() error {
	s, err := v.log.signingTx(v.tx)
	if err != nil {
		return err
	}
	v.key = s.vkey
	rows, err := v.tx.Query("select idx, old, new from audit_signers order by idx")
	if err != nil {
		return err
	}
	for rows.Next() {
		var t turn
		if err := rows.Scan(&t.idx, &t.old, &t.new); err != nil {
			return err
		}
		v.turns = append(v.turns, t)
	}
	if len(v.turns) > 0 {
		v.key = v.turns[0].old
	}
	return rows.Err()
}

// rotated checks a leaf that changes the key.
func (v *verifier) rotated(p parsed, r row) {
	t := turn{idx: -1}
	if len(v.turns) > 0 && v.turns[0].idx <= r.idx {
		t, v.turns = v.turns[0], v.turns[1:]
	}
	k, err := ReadRotation(p.Data)
	switch {
	case err != nil:
		v.found(r.idx, r.id, r.session, FoundKey, "line %d: %v", r.idx, err)
	case t != turn{r.idx, k.Old, k.New} || k.Old != v.key || k.Tree != Tree{v.h.size, v.h.root()}:
		v.found(r.idx, r.id, r.session, FoundKey, "line %d changes the key otherwise than the table of keys, or in another log", r.idx)
	}
	if t.idx >= 0 {
		v.key = t.new
	}
}

// line checks one row and adds it to the tree.
func (v *verifier) line(r row) error {
	hash := tlog.RecordHash(r.leaf)
	var kept tlog.Hash
	copy(kept[:], r.hash)
	p, err := parseLeaf(r.leaf)
	switch {
	case !bytes.Equal(hash[:], r.hash):
		v.found(r.idx, r.id, r.session, FoundChanged, "line %d is not what was hashed", r.idx)
		return v.grow(kept) // what it says about its personal part means nothing
	case err != nil:
		v.found(r.idx, r.id, r.session, FoundChanged, "line %d cannot be read", r.idx)
	case p.Index != r.idx:
		v.found(r.idx, p.ID, p.Session, FoundMoved, "line %d was written as line %d", r.idx, p.Index)
	case p.ID != r.id || p.Session != r.session || p.Type != r.typ:
		v.found(r.idx, p.ID, p.Session, FoundChanged, "line %d is filed under another id, session or type than it says", r.idx)
	}
	if err == nil {
		v.personal(p, r)
		if p.Type == rotateType {
			v.rotated(p, r)
		}
	}
	return v.grow(kept)
}

func (v *verifier) personal(p parsed, r row) {
	state, _, err := v.open.personal(p, r)
	switch {
	case err != nil:
		v.found(r.idx, r.id, r.session, FoundPersonal, "line %d: %v", r.idx, err)
	case state == Present:
		v.r.Present++
	case state == None:
		v.r.None++
	case v.purges.explain(r.session, r.idx):
		v.r.Purged++
	default:
		v.found(r.idx, r.id, r.session, FoundMissing, "line %d: its personal part is gone, and no purge says so", r.idx)
	}
}

// grow adds a leaf hash and compares the subtrees that became full. From a wrong
// one on, the stored hash counts, so that one change is one finding.
func (v *verifier) grow(hash tlog.Hash) error {
	at := v.h.size
	up := hash
	edge := slices.Clone(v.h.edge)
	for level := 0; at>>level&1 == 1; level++ {
		up = tlog.NodeHash(edge[len(edge)-1], up)
		edge = edge[:len(edge)-1]
		idx := tlog.StoredHashIndex(level+1, at>>(level+1))
		kept, ok, err := v.nodes.at(idx)
		if err != nil {
			return err
		}
		first := at >> (level + 1) << (level + 1)
		if ok && kept == up {
			continue
		}
		if v.lastBad < first {
			v.found(first, "", "", FoundTree, "lines %d to %d are not those that were hashed together", first, at)
		}
		if ok {
			up = kept
		}
	}
	v.h = head{at + 1, append(edge, up)}
	return v.checkpoints()
}

// checkpoints compares the tree with what was signed at its present size.
func (v *verifier) checkpoints() error {
	for len(v.signed) > 0 && v.signed[0].size <= v.h.size {
		s := v.signed[0]
		v.signed = v.signed[1:]
		t, err := OpenCheckpoint(s.note, v.key)
		switch {
		case err != nil:
			v.found(max(s.size-1, 0), "", "", FoundCheckpoint, "the checkpoint of %d lines: %v", s.size, err)
		case s.size != v.h.size || t.Size != s.size:
			v.found(max(s.size-1, 0), "", "", FoundCheckpoint, "the checkpoint of %d lines is filed under %d", t.Size, s.size)
		case t.Root != v.h.root() && v.lastBad >= v.good:
			// already said: a line since the last good checkpoint is wrong
		case t.Root != v.h.root():
			v.found(v.good, "", "", FoundCheckpoint, "lines %d to %d are not those that were signed", v.good, s.size-1)
			v.lastBad = max(v.lastBad, s.size-1) // later checkpoints differ for this reason
		default:
			v.r.Checkpoints++
			v.good = s.size
		}
	}
	return nil
}

// end compares the size and edge with what was stored.
func (v *verifier) end() error {
	for _, s := range v.signed {
		v.found(v.h.size, "", "", FoundRemoved, "%d lines were signed, %d are there", s.size, v.h.size)
	}
	for _, t := range v.turns {
		v.found(t.idx, "", "", FoundKey, "the key changed at line %d, and that line does not say so", t.idx)
	}
	v.r.Tree = Tree{v.h.size, v.h.root()}
	v.r.Unsigned = v.h.size - v.good
	h, err := v.log.headTx(v.tx)
	switch {
	case errors.Is(err, ErrDamaged):
		v.found(v.h.size, "", "", FoundRemoved, "%v", err)
	case err != nil:
		return err
	case (h.size != v.h.size || h.root() != v.h.root()) && v.lastBad < 0:
		v.found(max(v.h.size-1, 0), "", "", FoundTree, "the head of the tree is not that of its %d lines", v.h.size)
	}
	return nil
}

// cursor reads stored nodes in the order in which growing needs them, which is
// the order of their numbers.
type cursor struct {
	tx    store.Tx
	page  []node
	after int64
	end   bool
}

const pageSize = 1024

func (c *cursor) at(idx int64) (tlog.Hash, bool, error) {
	for {
		for len(c.page) > 0 && c.page[0].idx < idx {
			c.page = c.page[1:]
		}
		if len(c.page) > 0 {
			return c.page[0].hash, c.page[0].idx == idx, nil
		}
		if c.end {
			return tlog.Hash{}, false, nil
		}
		if err := c.read(); err != nil {
			return tlog.Hash{}, false, err
		}
	}
}

func (c *cursor) read() error {
	rows, err := c.tx.Query("select idx, hash from audit_nodes where idx > ? order by idx limit ?", c.after, pageSize)
	if err != nil {
		return err
	}
	for rows.Next() {
		var n node
		var b []byte
		if err := rows.Scan(&n.idx, &b); err != nil {
			return err
		}
		copy(n.hash[:], b)
		c.page = append(c.page, n)
		c.after = n.idx
	}
	c.end = len(c.page) < pageSize
	return errors.Join(rows.Err(), rows.Close())
}
