package bundle

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// Options of an export.
type Options struct {
	// Personal puts the personal parts that can still be opened into
	// events.jsonl, in the clear: a later purge of the log does not reach them.
	Personal bool
	By       audit.Actor // who takes it out
	Stamp    Stamper     // nil: no timestamp
}

// Summary tells what was written.
type Summary struct {
	Size int64
	Root [32]byte
	Key  string // the verifier key in force
}

// Write exports the log into dir, which must not exist yet; it stands there
// whole or not at all. The export is itself an event of the log, the last one in
// it. An error that wraps audit.ErrDamaged: the log is not what it says, and
// `signaling verify --data` names the place.
func Write(ctx context.Context, log *audit.Log, dir string, o Options) (sum Summary, err error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return Summary{}, fmt.Errorf("bundle: %s exists already; an export is never written over another", dir)
	}
	before, err := log.Head(ctx)
	if err != nil {
		return Summary{}, err
	}
	if _, err := log.Append(ctx, audit.Event{
		Type: "log.exported", Outcome: "ok", Actor: o.By, Origin: "server",
		Data: map[string]any{"format": "bundle", "size": before.Size, "personal": o.Personal},
	}); err != nil {
		return Summary{}, err
	}
	c, err := log.Checkpoint(ctx)
	if err != nil {
		return Summary{}, err
	}
	keys, err := log.Keys(ctx)
	if err != nil {
		return Summary{}, err
	}
	w, err := create(dir, o.Personal)
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, w.discard()) }()
	if err := log.Read(ctx, 0, c.Size, w.add); err != nil {
		return Summary{}, err
	}
	if w.tree.root() != tlog.Hash(c.Root) {
		return Summary{}, fmt.Errorf("bundle: %w: its lines are not those that were signed", audit.ErrDamaged)
	}
	if o.Stamp != nil {
		if w.stamp, err = o.Stamp(ctx, []byte(c.Note)); err != nil {
			return Summary{}, err
		}
	}
	err = w.finish(c, keys, func(text string) (string, error) { return log.SignExport(ctx, text) })
	if err != nil {
		return Summary{}, err
	}
	return Summary{c.Size, c.Root, keys[len(keys)-1]}, nil
}

// writer fills a folder beside dir and puts it in its place at the end.
type writer struct {
	dir, part string
	personal  bool
	tree      tree
	entries   []byte // of the bundle that is being filled
	file      *os.File
	events    *bufio.Writer
	hash      hash.Hash // of events.jsonl
	line      []byte
	stamp     []byte          // nil: none
	made      map[string]bool // folders
}

func create(dir string, personal bool) (*writer, error) {
	part, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".export-*") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	w := &writer{dir: dir, part: part, personal: personal, hash: sha256.New(), made: map[string]bool{}}
	w.tree.full = w.tile
	if w.file, err = os.OpenFile(filepath.Join(part, eventsFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("bundle: %w", err), os.RemoveAll(part))
	}
	w.events = bufio.NewWriterSize(io.MultiWriter(w.file, w.hash), 1<<20)
	return w, nil
}

// discard takes away what was not finished.
func (w *writer) discard() error {
	return errors.Join(w.closed(), os.RemoveAll(w.part))
}

func (w *writer) closed() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}

// add takes the next line of the log.
func (w *writer) add(n audit.Line) error {
	if len(n.Leaf) > maxLeaf {
		return fmt.Errorf("bundle: %w: line %d is too long", audit.ErrDamaged, n.Index)
	}
	h := tlog.RecordHash(n.Leaf)
	if h != tlog.Hash(n.Hash) {
		return fmt.Errorf("bundle: %w: line %d is not what was hashed", audit.ErrDamaged, n.Index)
	}
	l := line{leaf: n.Leaf, state: string(n.State)}
	switch {
	case n.State == audit.Present && w.personal:
		l.personal = n.Personal
	case n.State == audit.Present:
		l.state = withheld
	}
	w.line = appendLine(w.line[:0], l, n.Salt)
	if _, err := w.events.Write(w.line); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	w.entries = append(binary.BigEndian.AppendUint16(w.entries, uint16(len(n.Leaf))), n.Leaf...)
	return w.tree.push(h)
}

// withheld is the state of a personal part that the export leaves out.
const withheld = "withheld"

// tile writes a tile, and with one of level 0 the entries below it.
func (w *writer) tile(level int, n int64, hashes []tlog.Hash) error {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	if err := w.write(tilePath(level, n, len(hashes)), b); err != nil || level > 0 {
		return err
	}
	err := w.write(tilePath(-1, n, len(hashes)), w.entries)
	w.entries = w.entries[:0]
	return err
}

func (w *writer) write(name string, b []byte) error {
	path := filepath.Join(w.part, filepath.FromSlash(name))
	if dir := filepath.Dir(path); !w.made[dir] {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
		w.made[dir] = true
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

// finish writes what stands beside the tiles and moves the folder into place.
func (w *writer) finish(c audit.Checkpoint, keys []string, sign func(text string) (string, error)) error {
	if err := w.tree.end(); err != nil {
		return err
	}
	if err := errors.Join(w.events.Flush(), w.closed()); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	key := keys[len(keys)-1]
	pem, err := toPEM(key)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		checkpointFile: []byte(c.Note), keysFile: []byte(strings.Join(keys, "\n") + "\n"), pemFile: pem, schemaFile: audit.Schema(),
	}
	for _, name := range howtoFiles {
		text, err := howto.ReadFile("locales/" + name)
		if err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
		files[name] = []byte(strings.ReplaceAll(string(text), "{tile}", tilePath(0, 0, int(min(c.Size, tileSize)))))
	}
	var m strings.Builder
	origin, _, _ := strings.Cut(c.Note, "\n")
	m.WriteString(audit.ExportHead)
	fmt.Fprintf(&m, "%s\n%d\n%s\n%s\npersonal: %s\n", origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]),
		time.Now().UTC().Format(time.RFC3339), map[bool]string{true: "with", false: "without"}[w.personal])
	names := listed
	if w.stamp != nil {
		files[stampFile] = w.stamp
		names = append(slices.Clone(listed), stampFile)
	}
	for _, name := range names {
		sum := w.hash.Sum(nil)
		if name != eventsFile {
			s := sha256.Sum256(files[name])
			sum = s[:]
			if err := w.write(name, files[name]); err != nil {
				return err
			}
		}
		fmt.Fprintf(&m, "%x  %s\n", sum, name)
	}
	signed, err := sign(m.String())
	if err != nil {
		return err
	}
	if _, err := audit.OpenCheckpoint(c.Note, key); err != nil {
		return err
	}
	if _, err := openManifest([]byte(signed), key); err != nil {
		return fmt.Errorf("bundle: the key of the log was changed meanwhile, export again: %w", err)
	}
	if err := w.write(manifestFile, []byte(signed)); err != nil {
		return err
	}
	if err := os.Rename(w.part, w.dir); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}
