package audit

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/store"
)

// head is the Merkle tree of size leaves by its right edge: the hashes of its
// full subtrees from left to right, one for each bit of size. It is all that
// growing needs. Values are never changed.
type head struct {
	size int64
	edge []tlog.Hash
}

type headKey struct{}

// node is a hash above the leaves, to be stored under tlog's number.
type node struct {
	idx  int64
	hash tlog.Hash
}

// grow returns the tree with one more leaf, the leaf's hash, and the subtrees
// that became full.
func (h head) grow(leaf []byte) (head, tlog.Hash, []node) {
	hash := tlog.RecordHash(leaf)
	edge := append(make([]tlog.Hash, 0, len(h.edge)+1), h.edge...)
	up := hash
	var nodes []node
	for level := 0; h.size>>level&1 == 1; level++ {
		up = tlog.NodeHash(edge[len(edge)-1], up)
		edge = edge[:len(edge)-1]
		nodes = append(nodes, node{tlog.StoredHashIndex(level+1, h.size>>(level+1)), up})
	}
	return head{h.size + 1, append(edge, up)}, hash, nodes
}

// root is the tree's hash, RFC 6962 §2.1.
func (h head) root() tlog.Hash {
	if h.size == 0 {
		r, _ := tlog.TreeHash(0, nil) // the constant of an empty tree: reads nothing
		return r
	}
	r := h.edge[len(h.edge)-1]
	for i := len(h.edge) - 2; i >= 0; i-- {
		r = tlog.NodeHash(h.edge[i], r)
	}
	return r
}

func (h head) save(tx store.Tx) {
	edge := make([]byte, 0, len(h.edge)*tlog.HashSize)
	for _, e := range h.edge {
		edge = append(edge, e[:]...)
	}
	tx.Later("insert into audit_head (id, size, edge) values (1, ?, ?) on conflict (id) do update set size = excluded.size, edge = excluded.edge", h.size, edge)
	tx.Keep(headKey{}, h)
}

// saveNodes inserts all in one statement.
func saveNodes(tx store.Tx, nodes []node) {
	if len(nodes) == 0 {
		return
	}
	args := make([]any, 0, 2*len(nodes))
	for i := range nodes {
		args = append(args, nodes[i].idx, nodes[i].hash[:])
	}
	tx.Later("insert into audit_nodes (idx, hash) values (?, ?)"+strings.Repeat(", (?, ?)", len(nodes)-1), args...)
}

func readEdge(size int64, b []byte) ([]tlog.Hash, error) {
	if size < 0 || len(b) != bits.OnesCount64(uint64(size))*tlog.HashSize {
		return nil, fmt.Errorf("%w: the edge of the tree does not fit its %d leaves", ErrDamaged, size)
	}
	edge := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range edge {
		copy(edge[i][:], b[i*tlog.HashSize:])
	}
	return edge, nil
}

// Tree is the size and root of the log.
type Tree struct {
	Size int64
	Root [32]byte
}

// Head is the tree as it stands now, not signed.
func (l *Log) Head(ctx context.Context) (t Tree, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		h, err := l.headTx(tx)
		t = Tree{h.size, h.root()}
		return err
	})
	return t, err
}

// Checkpoint is a signed root.
type Checkpoint struct {
	Tree
	Created time.Time
	Note    string // C2SP tlog-checkpoint: text, empty line, Ed25519 signature
}

// RootText is the root in base64, as it stands in checkpoints and ticket notes.
func (c Checkpoint) RootText() string { return base64.StdEncoding.EncodeToString(c.Root[:]) }

// Checkpoint signs the tree as it stands and keeps the note. If it already did
// at this size, that one is returned.
func (l *Log) Checkpoint(ctx context.Context) (c Checkpoint, err error) {
	err = l.st.Update(ctx, func(tx store.Tx) error {
		c, err = l.CheckpointTx(tx)
		return err
	})
	return c, err
}

// CheckpointTx is Checkpoint within a transaction: of what it has appended, too.
func (l *Log) CheckpointTx(tx store.Tx) (Checkpoint, error) {
	s, err := l.signingTx(tx)
	if err != nil {
		return Checkpoint{}, err
	}
	return l.signTx(tx, s)
}

// signTx signs the tree with a key, unless it is signed at this size already.
func (l *Log) signTx(tx store.Tx, s signing) (Checkpoint, error) {
	h, err := l.headTx(tx)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := readCheckpoint(s.vkey, tx.QueryRow("select note, created from audit_checkpoints where size = ?", h.size))
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return c, err
	}
	c = Checkpoint{Tree: Tree{h.size, h.root()}, Created: l.now().UTC()}
	text := fmt.Sprintf("%s\n%d\n%s\n", s.signer.Name(), c.Size, c.RootText())
	signed, err := note.Sign(&note.Note{Text: text}, s.signer)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: signing a checkpoint: %w", err)
	}
	c.Note = string(signed)
	_, err = tx.Exec("insert into audit_checkpoints (size, note, created) values (?, ?, ?)", c.Size, c.Note, store.FormatTime(c.Created))
	return c, err
}

// Latest is the newest checkpoint; without any it is the zero Checkpoint.
func (l *Log) Latest(ctx context.Context) (c Checkpoint, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		s, err := l.signingTx(tx)
		if err != nil {
			return err
		}
		c, err = readCheckpoint(s.vkey, tx.QueryRow("select note, created from audit_checkpoints order by size desc limit 1"))
		if errors.Is(err, sql.ErrNoRows) {
			c, err = Checkpoint{}, nil
		}
		return err
	})
	return c, err
}

// readCheckpoint takes a checkpoint from its row and checks its signature.
func readCheckpoint(vkey string, row *sql.Row) (Checkpoint, error) {
	var text, created string
	if err := row.Scan(&text, &created); err != nil {
		return Checkpoint{}, err
	}
	t, err := OpenCheckpoint(text, vkey)
	if err != nil {
		return Checkpoint{}, err
	}
	at, err := store.ParseTime(created)
	return Checkpoint{Tree: t, Created: at, Note: text}, err
}

// OpenCheckpoint checks the signature of a note against a verifier key and
// returns the tree it vouches for.
func OpenCheckpoint(text, vkey string) (Tree, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return Tree{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return Tree{}, fmt.Errorf("%w: a checkpoint is not signed by %s: %w", ErrKey, v.Name(), err)
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) != 4 || lines[0] != v.Name() {
		return Tree{}, fmt.Errorf("%w: a checkpoint of another log", ErrDamaged)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := tlog.ParseHash(lines[2])
	if err != nil || err2 != nil || size < 0 {
		return Tree{}, fmt.Errorf("%w: a checkpoint that says nothing", ErrDamaged)
	}
	return Tree{size, root}, nil
}

// checkpointEvery bounds how much of the log stands unsigned.
const checkpointEvery = 10 * time.Minute

// Run signs a checkpoint every ten minutes if the log has grown, until ctx ends.
// problem hears what could not be done; it is tried again.
func (l *Log) Run(ctx context.Context, problem func(error)) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := l.Checkpoint(ctx); err != nil && ctx.Err() == nil {
				problem(err)
			}
		}
	}
}
