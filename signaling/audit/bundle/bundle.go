// Package bundle is the log in a folder that an auditor takes home, and its
// proof without the server.
//
// The folder is a C2SP tlog-tiles log with what makes it readable beside it:
//
//	checkpoint            C2SP tlog-checkpoint: origin, size, root, signature
//	tile/L/N              hashes of the tree, 256 a tile
//	tile/entries/N        the leaves, 256 a bundle, each after its 16-bit length
//	events.jsonl          a line for each leaf: {"leaf":…,"personal":…,"salt":…,"state":…}
//	keys/log.vkey         verifier keys, from the first to the one in force
//	keys/checkpoint.pem   the one in force, for openssl
//	event.v1.json         JSON Schema of a leaf and of a line
//	checkpoint.tsr        RFC 3161 timestamp on the checkpoint, if one was asked for
//	HOWTO.en.md, .fr.md   how to check all this without a program of ours
//	manifest              the SHA-256 of each file outside tile/, signed
//
// [Write] makes one from a log. [Verify] reads it back: tiles are held to the
// root in the checkpoint, events.jsonl to the tiles, personal parts to the
// commitments in the leaves, everything else to the manifest. It names the first
// record or file that is not what was signed. It says who signed only to
// somebody who brings something that the folder does not hold: a key, or the
// root from a ticket.
package bundle

import (
	"embed"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Names in the folder.
const (
	checkpointFile = "checkpoint"
	eventsFile     = "events.jsonl"
	keysFile       = "keys/log.vkey"
	pemFile        = "keys/checkpoint.pem"
	schemaFile     = "event.v1.json"
	manifestFile   = "manifest"
)

//go:embed locales/HOWTO.*.md
var howto embed.FS

var howtoFiles = []string{"HOWTO.en.md", "HOWTO.fr.md"}

// listed are the files that the manifest names, in its order.
var listed = []string{howtoFiles[0], howtoFiles[1], checkpointFile, schemaFile, eventsFile, pemFile, keysFile}

// Bounds of what is read back.
const (
	tileSize  = 256
	maxLine   = 64 << 10 // of events.jsonl; a leaf is under 8 KiB, a personal part under 64
	maxLeaf   = 1<<16 - 1
	maxSmall  = 1 << 20 // every other file
	maxLevels = 8       // 256^8 leaves
)

// number writes a tile's number as C2SP tlog-tiles has it: 1234067 is
// x001/x234/067.
func number(n int64) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	return s
}

// tilePath is the path of a tile (level ≥ 0) or of a bundle of entries (level -1)
// that holds width hashes or leaves.
func tilePath(level int, n int64, width int) string {
	kind := "entries"
	if level >= 0 {
		kind = fmt.Sprint(level)
	}
	p := "tile/" + kind + "/" + number(n)
	if width < tileSize {
		p += fmt.Sprintf(".p/%d", width)
	}
	return p
}

// tree grows by leaf hashes. Values of tiles are complete when they are handed
// out.
type tree struct {
	size  int64
	edge  []tlog.Hash                // of full subtrees, left to right, one for each bit of size
	tiles [maxLevels + 1][]tlog.Hash // the tile that is being filled, for each level
	// full takes a tile when it holds 256 hashes, and at the end what is left.
	full func(level int, n int64, hashes []tlog.Hash) error
}

// push adds a leaf hash.
func (t *tree) push(h tlog.Hash) error {
	at := t.size
	t.size++
	if err := t.put(0, at, h); err != nil {
		return err
	}
	for level := 0; at>>level&1 == 1; level++ {
		h = tlog.NodeHash(t.edge[len(t.edge)-1], h)
		t.edge = t.edge[:len(t.edge)-1]
		if (level+1)%8 == 0 {
			if err := t.put((level+1)/8, at>>(level+1), h); err != nil {
				return err
			}
		}
	}
	t.edge = append(t.edge, h)
	return nil
}

func (t *tree) put(level int, at int64, h tlog.Hash) error {
	t.tiles[level] = append(t.tiles[level], h)
	if len(t.tiles[level]) < tileSize {
		return nil
	}
	hashes := t.tiles[level]
	t.tiles[level] = hashes[:0]
	return t.full(level, at/tileSize, hashes)
}

// end hands out the tiles that are not full.
func (t *tree) end() error {
	for level, hashes := range t.tiles {
		if len(hashes) == 0 {
			continue
		}
		if err := t.full(level, t.size>>(8*level)/tileSize, hashes); err != nil {
			return err
		}
	}
	return nil
}

// root is the tree's hash, RFC 6962 §2.1.
func (t *tree) root() tlog.Hash {
	if len(t.edge) == 0 {
		r, _ := tlog.TreeHash(0, nil) // the constant of an empty tree: reads nothing
		return r
	}
	r := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		r = tlog.NodeHash(t.edge[i], r)
	}
	return r
}

// derPrefix is what stands before the 32 bytes of an Ed25519 key in a
// SubjectPublicKeyInfo, RFC 8410 §4.
const derPrefix = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"

// toPEM turns a verifier key into what openssl reads.
func toPEM(vkey string) ([]byte, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) == 3 {
		if b, err := base64.StdEncoding.DecodeString(parts[2]); err == nil && len(b) == 33 && b[0] == 1 {
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: append([]byte(derPrefix), b[1:]...)}), nil
		}
	}
	return nil, fmt.Errorf("bundle: %q is not an Ed25519 verifier key", vkey)
}
