package proof

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// span is the leaves from lo to before hi, and the subtree over them.
type span struct{ lo, hi int64 }

func (s span) String() string { return fmt.Sprintf("%d-%d", s.lo, s.hi) }

// split is where RFC 6962 §2.1 divides a tree: the largest power of two below
// its size, which is at least 2.
func (s span) split() int64 { return s.lo + 1<<(bits.Len64(uint64(s.hi-s.lo-1))-1) }

// step is what stands beside the way up.
type step struct {
	span
	left bool // it stands to the left of the way
}

// way is what stands beside the way from s to the root of size leaves, from below;
// ok is false if that tree has no such subtree.
func (s span) way(size int64) (up []step, ok bool) {
	at := span{0, size}
	if s.lo < 0 || s.lo >= s.hi || s.hi > size {
		return nil, false
	}
	for at != s {
		if at.hi-at.lo < 2 {
			return nil, false
		}
		mid := at.split()
		switch {
		case s.hi <= mid:
			up = append(up, step{span{mid, at.hi}, false})
			at.hi = mid
		case s.lo >= mid:
			up = append(up, step{span{at.lo, mid}, true})
			at.lo = mid
		default:
			return nil, false
		}
	}
	for i, j := 0, len(up)-1; i < j; i, j = i+1, j-1 {
		up[i], up[j] = up[j], up[i]
	}
	return up, true
}

// full are the full subtrees of a tree of n leaves, from the left. Every larger
// tree has them, too: this is what proves that one grew out of the other.
func full(n int64) (list []span) {
	for lo := int64(0); lo < n; {
		w := int64(1) << (bits.Len64(uint64(n-lo)) - 1)
		list = append(list, span{lo, lo + w})
		lo += w
	}
	return list
}

// fold is the root of the tree that consists of these full subtrees.
func fold(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 0 {
		r, _ := tlog.TreeHash(0, nil) // the constant of an empty tree: reads nothing
		return r
	}
	r := hashes[len(hashes)-1]
	for i := len(hashes) - 2; i >= 0; i-- {
		r = tlog.NodeHash(hashes[i], r)
	}
	return r
}

// tree holds what was proven to stand under a root.
type tree struct {
	size   int64
	nodes  Nodes
	proven Nodes
}

func newTree(size int64, root tlog.Hash, nodes Nodes) *tree {
	return &tree{size, nodes, Nodes{{0, size}: root}}
}

// spent tells whether every node that was given proved something, or was proven.
func (t *tree) spent() bool {
	for s, h := range t.nodes {
		if known, ok := t.proven[s]; !ok || known != h {
			return false
		}
	}
	return true
}

// Why a subtree is not proven.
const (
	codePath = "path" // a node beside its way is missing
	codeTree = "tree" // its way does not lead to the root
)

// prove tells whether the subtree over s has this hash: "" if it has.
func (t *tree) prove(s span, hash tlog.Hash) (code string) {
	up, ok := s.way(t.size)
	if !ok {
		return codeTree
	}
	for _, b := range up { // also those that are not needed once more: a proof has one form
		if _, ok := t.nodes[b.span]; !ok {
			return codePath
		}
	}
	found := Nodes{}
	for i := 0; ; i++ {
		if known, ok := t.proven[s]; ok {
			if known != hash {
				return codeTree
			}
			break
		}
		found[s] = hash
		beside := up[i] // before its end there is the root, which is proven
		other := t.nodes[beside.span]
		found[beside.span] = other
		if beside.left {
			s, hash = span{beside.lo, s.hi}, tlog.NodeHash(other, hash)
		} else {
			s, hash = span{s.lo, beside.hi}, tlog.NodeHash(hash, other)
		}
	}
	for s, h := range found {
		t.proven[s] = h
	}
	return ""
}

// earlier is the root that the tree had when it had n leaves.
func (t *tree) earlier(n int64) (root tlog.Hash, code string) {
	if n < 0 || n > t.size {
		return root, codeTree
	}
	if n == t.size {
		return t.proven[span{0, n}], ""
	}
	var parts []tlog.Hash
	for _, s := range full(n) {
		h, ok := t.nodes[s]
		if !ok {
			return root, codePath
		}
		if code := t.prove(s, h); code != "" {
			return root, code
		}
		parts = append(parts, h)
	}
	return fold(parts), ""
}
