package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrChanged: a file is no longer what it was when the transfer began.
var ErrChanged = errors.New("files: the file changed meanwhile")

// ErrGone: a file cannot be read.
var ErrGone = errors.New("files: the file cannot be read")

// Source is one file that the person gives.
type Source struct {
	Entry
	dir  string // opened as a root
	name string // in it
}

// Collect lists the files that the person named: each regular file, and all regular
// files of each folder. Links in a folder are left out, and so is what is neither
// file nor folder. It may take long, and stops when ctx does. ErrGone, ErrBounds.
func Collect(ctx context.Context, paths []string) ([]Source, error) {
	var list []Source
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !filepath.IsAbs(p) {
			return nil, fmt.Errorf("%w: %q is no full path", ErrGone, p)
		}
		p = filepath.Clean(p)
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGone, err)
		}
		top := filepath.Base(p)
		switch {
		case info.Mode().IsRegular():
			list = append(list, Source{Entry{[]string{top}, info.Size(), info.ModTime()}, filepath.Dir(p), top})
		case info.IsDir():
			if list, err = walk(ctx, list, p, top); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%w: %q is neither file nor folder", ErrGone, p)
		}
		if len(list) > MaxFiles {
			return nil, fmt.Errorf("%w: more than %d files", ErrBounds, MaxFiles)
		}
	}
	entries := make([]Entry, len(list))
	for i, s := range list {
		entries[i] = s.Entry
	}
	return list, Check(entries)
}

func walk(ctx context.Context, list []Source, dir, top string) ([]Source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(at string, d fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrGone, err)
		}
		if !d.Type().IsRegular() {
			if d.IsDir() && strings.Count(at, "/") >= MaxDepth {
				return ErrBounds
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrGone, err)
		}
		if len(list) >= MaxFiles {
			return fmt.Errorf("%w: more than %d files", ErrBounds, MaxFiles)
		}
		path := append([]string{top}, strings.Split(at, "/")...)
		list = append(list, Source{Entry{path, info.Size(), info.ModTime()}, dir, at})
		return nil
	})
	return list, err
}

// Path is where the file stands.
func (s *Source) Path() string { return filepath.Join(s.dir, filepath.FromSlash(s.name)) }

// Open opens the file, if it is still the one that was listed.
func (s *Source) Open() (*os.File, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	defer root.Close()
	// A pipe that took the file's place would never open.
	if info, err := root.Stat(filepath.FromSlash(s.name)); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	f, err := root.Open(filepath.FromSlash(s.name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err := s.Same(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Same tells whether the open file has the size and time that it was listed with: ErrChanged.
func (s *Source) Same(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if !info.Mode().IsRegular() || info.Size() != s.Size || !info.ModTime().Equal(s.Modified) {
		return ErrChanged
	}
	return nil
}

// Modified is a time as it travels, ms since 1970; what is no file's time is none.
func Modified(ms int64) time.Time {
	if ms <= 0 || ms > 1<<42 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
