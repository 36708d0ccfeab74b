package bundle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// frame reads what stands beside the records.
func (v *verifier) frame() error {
	files := map[string][]byte{}
	for _, name := range append([]string{manifestFile}, listed...) {
		if name == eventsFile {
			continue
		}
		b, err := v.read(name, maxSmall)
		if err != nil {
			v.problem(name, "%v", err)
			if name == manifestFile || name == checkpointFile || name == keysFile {
				return errStop
			}
			continue
		}
		files[name] = b
	}
	keysErr := v.readKeys(files[keysFile])
	if err := v.signatures(files[checkpointFile], files[manifestFile], keysErr); err != nil {
		return err
	}
	if v.listed {
		for _, name := range listed {
			if b, ok := files[name]; ok && sha256.Sum256(b) != v.manifest.sums[name] {
				v.problem(name, "is not the file that was signed in the manifest")
			}
		}
	}
	v.stamped(files[checkpointFile])
	if b, ok := files[pemFile]; ok {
		want, err := toPEM(v.key)
		if err != nil || !bytes.Equal(b, want) {
			v.problem(pemFile, "is not the key that signed")
		}
	}
	return nil
}

// stamped reads the timestamp, if there is one.
func (v *verifier) stamped(point []byte) {
	want, there := v.manifest.sums[stampFile]
	if !there || !v.listed {
		if v.trust.Authorities != nil {
			v.problem(stampFile, "there is none")
		}
		return
	}
	b, err := v.read(stampFile, maxStamp)
	if err != nil {
		v.problem(stampFile, "%v", err)
		return
	}
	s, err := readStamp(b, point)
	switch {
	case sha256.Sum256(b) != want:
		v.problem(stampFile, "is not the file that was signed in the manifest")
		return
	case err != nil:
		v.problem(stampFile, "%v", err)
		return
	}
	v.report.Stamped, v.report.StampedBy = s.at, s.by
	if v.trust.Authorities == nil {
		return
	}
	if err := s.prove(v.trust.Authorities); err != nil {
		v.problem(stampFile, "is not from an authority that you trust: %v", err)
		return
	}
	v.report.StampProven = true
}

// readKeys takes the list of keys, which must be exactly what was written.
func (v *verifier) readKeys(b []byte) error {
	text, ok := strings.CutSuffix(string(b), "\n")
	if !ok {
		return errors.New("is cut off")
	}
	name := ""
	for _, k := range strings.Split(text, "\n") {
		ver, err := note.NewVerifier(k)
		if err != nil {
			return fmt.Errorf("holds %.40q: %w", k, err)
		}
		if name != "" && ver.Name() != name {
			return errors.New("holds keys of two logs")
		}
		name = ver.Name()
		v.keys = append(v.keys, k)
	}
	return nil
}

// signatures finds the key that signed and what it signed, and says which of the
// three files is wrong if they do not fit.
func (v *verifier) signatures(point, list []byte, keysErr error) error {
	var candidates []string
	if keysErr == nil {
		candidates = slices.Clone(v.keys)
		slices.Reverse(candidates) // the last one is to be the first
	}
	if v.trust.Key != "" && !slices.Contains(candidates, v.trust.Key) {
		candidates = append(candidates, v.trust.Key)
	}
	if keysErr != nil {
		v.problem(keysFile, "%v", keysErr)
	}
	var pointErr, listErr error
	for i, key := range candidates {
		v.point, pointErr = audit.OpenCheckpoint(string(point), key)
		v.manifest, listErr = openManifest(list, key)
		if pointErr != nil && listErr != nil {
			continue
		}
		v.key, v.listed = key, listErr == nil
		if i > 0 && keysErr == nil {
			v.problem(keysFile, "its last key is not the one that signed")
		}
		break
	}
	switch {
	case v.key == "" && keysErr != nil:
		return errStop
	case v.key == "" && v.trust.Key != "" && !slices.Contains(v.keys, v.trust.Key):
		v.problem(checkpointFile, "is signed neither by the key you gave nor by one in %s: %v", keysFile, pointErr)
		return errStop
	case v.key == "":
		v.problem(keysFile, "none of its keys signed the checkpoint or the manifest: %v", pointErr)
		return errStop
	case pointErr != nil:
		v.problem(checkpointFile, "%v", pointErr)
		// The manifest still tells what there was.
		v.point = audit.Tree{Size: v.manifest.size, Root: v.manifest.root}
	case listErr != nil:
		v.problem(manifestFile, "%v", listErr)
	case v.manifest.size != v.point.Size || v.manifest.root != tlog.Hash(v.point.Root):
		v.problem(manifestFile, "lists another export than the checkpoint signs")
	}
	v.report.Origin, _, _ = strings.Cut(string(point), "\n")
	v.report.Size, v.report.Root, v.report.Created = v.point.Size, v.point.Root, v.manifest.created
	return nil
}

// open opens a file, and nothing that only looks like one: opening a pipe waits
// for ever.
func (v *verifier) open(name string) (*os.File, error) {
	name = filepath.FromSlash(name)
	info, err := v.root.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("is missing")
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return nil, errors.New("is no file")
	}
	f, err := v.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return f, nil
}

// read reads a small file whole.
func (v *verifier) read(name string, limit int64) ([]byte, error) {
	f, err := v.open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, errors.New("is longer than it can be")
	}
	return b, nil
}

// extra looks for files that nobody signed. They prove nothing and harm nothing.
func (v *verifier) extra() error {
	_, stamped := v.manifest.sums[stampFile]
	known := map[string]bool{manifestFile: true, stampFile: stamped}
	for _, n := range listed {
		known[n] = true
	}
	err := fs.WalkDir(v.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !known[name] && !isTile(name, v.report.Size) && len(v.report.Extra) < maxExtra {
			v.report.Extra = append(v.report.Extra, name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

// isTile tells whether a path is one of a log of this size.
func isTile(name string, size int64) bool {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(name, "tile/"), "/")
	level := -1
	if kind != "entries" {
		var err error
		if level, err = strconv.Atoi(kind); err != nil || level < 0 || level > maxLevels {
			return false
		}
	}
	digits, _, _ := strings.Cut(rest, ".p/")
	n, err := strconv.ParseInt(strings.NewReplacer("x", "", "/", "").Replace(digits), 10, 64)
	hashes := size >> (8 * max(level, 0))
	if err != nil || n < 0 || n*tileSize >= hashes {
		return false
	}
	return name == tilePath(level, n, int(min(hashes-n*tileSize, tileSize)))
}
