package proof

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// Withheld is the state of a personal part that a proof leaves out.
const Withheld = "withheld"

// Options of a proof.
type Options struct {
	Personal bool // with the personal parts that can still be opened
	// Types, if there are any, are the only ones that it takes: a receipt. Nothing
	// is between them then, and only what stands up to the session's end.
	Types []string
}

const (
	startType  = "session.requested"
	pairedType = "session.paired"
	endType    = "session.ended"
	closeType  = "host.closed"
	gapType    = "log.gap"
	purgeType  = "retention.purged"
	rotateType = "log.key_rotated"
)

// Make proves a session against a checkpoint of the log. ErrTooLong: it has too
// many lines. audit.ErrNoSession: it has none.
func Make(ctx context.Context, log *audit.Log, session string, point audit.Checkpoint, o Options) (*Proof, error) {
	p := &Proof{Format: Format, Session: session, Checkpoint: point.Note, Rotations: []Line{}, Lines: []Line{}, Between: []string{}, Nodes: Nodes{}}
	m := maker{size: point.Size, proof: p, need: map[span]bool{}}
	ended := false
	err := log.ReadSession(ctx, session, point.Size, func(n audit.Line) error {
		r, err := n.Record()
		if err != nil {
			return err
		}
		if len(o.Types) > 0 && (ended || !slices.Contains(o.Types, r.Type)) {
			return nil
		}
		if len(p.Lines) == MaxLines {
			return ErrTooLong
		}
		if r.Type == endType {
			ended = true
			m.earlier(n.Index + 1) // what the ticket's root speaks of
			m.end = n.Index + 1
		}
		if m.first < 0 || len(p.Lines) == 0 {
			m.first = n.Index
		}
		m.beside(span{n.Index, n.Index + 1})
		l := lineOf(n, o.Personal)
		if len(o.Types) > 0 && n.State != audit.None {
			l = Line{Leaf: l.Leaf, State: Withheld} // also what a later line says is purged
		}
		p.Lines = append(p.Lines, l)
		m.at = append(m.at, n.Index)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(p.Lines) == 0 {
		return nil, fmt.Errorf("%w: %s", audit.ErrNoSession, session)
	}
	if len(o.Types) == 0 {
		if err := m.between(ctx, log); err != nil {
			return nil, err
		}
	}
	if err := m.keys(ctx, log); err != nil {
		return nil, err
	}
	if err := m.hashes(ctx, log); err != nil {
		return nil, err
	}
	return p, nil
}

func lineOf(n audit.Line, personal bool) Line {
	l := Line{Leaf: string(n.Leaf), State: string(n.State)}
	switch {
	case n.State == audit.Present && personal:
		l.Personal, l.Salt = string(n.Personal), base64.StdEncoding.EncodeToString(n.Salt)
	case n.State == audit.Present:
		l.State = Withheld
	}
	return l
}

// maker gathers which nodes a proof needs.
type maker struct {
	proof *Proof
	size  int64
	first int64   // line of the session
	end   int64   // after the line of its end; 0: it is open
	at    []int64 // indexes of its lines
	need  map[span]bool
}

// beside needs what stands beside the way up.
func (m *maker) beside(s span) {
	up, _ := s.way(m.size) // our own spans are within the tree
	for _, b := range up {
		m.need[b.span] = true
	}
}

// earlier needs what proves the tree of n leaves.
func (m *maker) earlier(n int64) {
	if n == m.size {
		return
	}
	for _, s := range full(n) {
		m.need[s] = true
		m.beside(s)
	}
}

// until is where the lines of others must reach to, for a session from first on:
// to the end of the log, to the session's end, or nowhere (first).
func until(first, end, size int64) int64 {
	switch {
	case size-first <= MaxSpan:
		return size
	case end > 0 && end-first <= MaxSpan:
		return end
	}
	return first
}

func (m *maker) between(ctx context.Context, log *audit.Log) error {
	to := until(m.first, m.end, m.size)
	own := 0
	return log.Read(ctx, m.first, to, func(n audit.Line) error {
		for own < len(m.at) && m.at[own] < n.Index {
			own++
		}
		if own < len(m.at) && m.at[own] == n.Index {
			return nil
		}
		m.beside(span{n.Index, n.Index + 1})
		m.proof.Between = append(m.proof.Between, string(n.Leaf))
		return nil
	})
}

// keys is the chain of keys to the one that signed the checkpoint.
func (m *maker) keys(ctx context.Context, log *audit.Log) error {
	err := log.ReadRotations(ctx, m.size, func(n audit.Line) error {
		m.proof.Rotations = append(m.proof.Rotations, lineOf(n, false))
		m.beside(span{n.Index, n.Index + 1})
		m.earlier(n.Index)
		return nil
	})
	if err != nil {
		return err
	}
	keys, err := log.Keys(ctx)
	if err != nil {
		return err
	}
	// One that was put in force after the checkpoint has no part in it.
	if n := len(m.proof.Rotations) + 1; n <= len(keys) {
		m.proof.Keys = keys[:n]
		return nil
	}
	return fmt.Errorf("proof: %w: the log has fewer keys than changes of the key", audit.ErrDamaged)
}

// hashes reads the nodes that are needed.
func (m *maker) hashes(ctx context.Context, log *audit.Log) error {
	return log.Hashes(ctx, func(r tlog.HashReader) error {
		for s := range m.need {
			h, err := hashOf(s, r)
			if err != nil {
				return err
			}
			m.proof.Nodes[s] = h
		}
		return nil
	})
}

// hashOf is the hash over a span: a full one is stored, another is put together.
func hashOf(s span, r tlog.HashReader) (tlog.Hash, error) {
	if w := s.hi - s.lo; w&(w-1) == 0 {
		level := bits.Len64(uint64(w)) - 1
		h, err := r.ReadHashes([]int64{tlog.StoredHashIndex(level, s.lo>>level)})
		if err != nil {
			return tlog.Hash{}, err
		}
		return h[0], nil
	}
	mid := s.split()
	a, err := hashOf(span{s.lo, mid}, r)
	if err != nil {
		return tlog.Hash{}, err
	}
	b, err := hashOf(span{mid, s.hi}, r)
	return tlog.NodeHash(a, b), err
}
