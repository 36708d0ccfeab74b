package files

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors that an Inbox's and a Source's errors wrap.
var (
	// ErrBounds: too many files, too deep folders, too long names or sizes.
	ErrBounds = errors.New("files: too many, too deep, or too long")
	// ErrRoom: the disk has no room for it.
	ErrRoom = errors.New("files: the disk has no room")
	// ErrFolder: nothing can be written in the folder.
	ErrFolder = errors.New("files: the folder cannot be written in")
	// ErrOrder: bytes that are not the next ones of their file.
	ErrOrder = errors.New("files: not the next bytes")
	// ErrHash: the file that arrived is not the one that was sent.
	ErrHash = errors.New("files: the hash is another")
	// ErrClosed: the Inbox was closed.
	ErrClosed = errors.New("files: closed")
)

// Entry is one file as its sender announces it.
type Entry struct {
	Path     []string // folders, outermost first, then the file's name; hostile
	Size     int64
	Modified time.Time // zero: not known
}

// Check tells whether a list may be a transfer: ErrBounds.
func Check(entries []Entry) error { // C56
	if len(entries) == 0 || len(entries) > MaxFiles {
		return fmt.Errorf("%w: %d files", ErrBounds, len(entries))
	}
	total := int64(0)
	for _, e := range entries {
		if !Bounded(e.Path) || e.Size < 0 || e.Size > MaxSize-total {
			return ErrBounds
		}
		total += e.Size
	}
	return nil
}

// Bounded tells whether a path may be a file's in a transfer: how deep it is, and how
// long its names are.
func Bounded(path []string) bool { // C56
	return len(path) > 0 && len(path) <= MaxDepth+1 && !slices.ContainsFunc(path, func(part string) bool { return len(part) > MaxAnnounced })
}

// spare is what a transfer leaves free on the disk, in bytes: a computer whose disk
// is full to the last byte does not work any more.
const spare = 64 << 20

// Inbox is one transfer into a folder. It makes files and folders of its own in
// there and nowhere else, whatever a name says, and never changes what is there
// already. What is not whole yet ends in ".part". Its methods are for one goroutine
// at a time, but for Settle.
type Inbox struct {
	folder  string
	root    *os.Root
	entries []Entry
	places  map[string]string // what stands for a sender's folder, as a path in root
	made    []string          // folders that we made, outermost first
	landed  []string          // files that stand under their names, "" before
	next    int               // the file that is being written, or is next
	part    *os.File          // nil between two files
	partAt  string
	at      int64 // bytes of it that are written
	sum     hash.Hash
	closed  bool
}

// Open begins a transfer. It makes nothing yet, but makes sure that there is room.
func Open(folder string, entries []Entry) (*Inbox, error) {
	if err := Check(entries); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(folder) {
		return nil, fmt.Errorf("%w: %q is no full path", ErrFolder, folder)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	total := int64(0)
	for _, e := range entries {
		total += e.Size
	}
	if free, err := room(folder); err == nil && uint64(total)+spare > free { // C56
		_ = root.Close()
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrRoom, free, total)
	}
	return &Inbox{folder: folder, root: root, entries: entries, places: map[string]string{"": "."}, landed: make([]string, len(entries))}, nil
}

// At is where the transfer stands: the present file, and how many of its bytes are
// written. With the number of files everything has arrived.
func (in *Inbox) At() (file int, offset int64) { return in.next, in.at }

// Place is where a file stands: its full path, once it has landed.
func (in *Inbox) Place(file int) string {
	if in.landed[file] == "" {
		return ""
	}
	return filepath.Join(in.folder, filepath.FromSlash(in.landed[file]))
}

// Top is where the transfer is seen: the one file, the folder, or the chosen folder.
func (in *Inbox) Top() string {
	if len(in.entries) == 1 {
		return in.Place(0)
	}
	if first := in.entries[0].Path; len(first) > 1 && in.places[key(first[:1])] != "" {
		return filepath.Join(in.folder, in.places[key(first[:1])])
	}
	return in.folder
}

// Write puts down the next bytes of a file.
func (in *Inbox) Write(file int, offset int64, content []byte) error {
	if in.closed {
		return ErrClosed
	}
	if file != in.next || file >= len(in.entries) || offset != in.at || int64(len(content)) > in.entries[file].Size-in.at { // C54
		return fmt.Errorf("%w: file %d at %d, want file %d at %d", ErrOrder, file, offset, in.next, in.at)
	}
	if err := in.begin(); err != nil {
		return err
	}
	n, err := in.part.Write(content)
	in.at += int64(n)
	in.sum.Write(content[:n])
	if err != nil {
		return diskError(err)
	}
	return nil
}

// begin makes the present file's folders and its ".part".
func (in *Inbox) begin() error {
	if in.part != nil {
		return nil
	}
	e := in.entries[in.next]
	last := len(e.Path) - 1
	dir, err := in.dir(e.Path[:last])
	if err != nil {
		return err
	}
	err = distinct(SafeName(e.Path[last]), func(name string) (err error) {
		in.partAt = path.Join(dir, name+".part")
		in.part, err = in.root.OpenFile(in.partAt, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // C55
		return err
	})
	if err != nil {
		in.part = nil
		return diskError(err)
	}
	in.at, in.sum = 0, sha256.New()
	return nil
}

// dir is the folder in root that stands for a sender's folder; it is made once.
func (in *Inbox) dir(names []string) (string, error) {
	if at, ok := in.places[key(names)]; ok {
		return at, nil
	}
	parent, err := in.dir(names[:len(names)-1])
	if err != nil {
		return "", err
	}
	at := ""
	err = distinct(SafeName(names[len(names)-1]), func(name string) error {
		at = path.Join(parent, name)
		return in.root.Mkdir(at, 0o700)
	})
	if err != nil {
		return "", diskError(err)
	}
	in.places[key(names)] = at
	in.made = append(in.made, at)
	return at, nil
}

func key(names []string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString(strconv.Quote(n))
	}
	return b.String()
}

// Settle makes sure that the present file's bytes are on the disk. It may take
// seconds; what it returns may run while another goroutine closes the Inbox.
func (in *Inbox) Settle() func() error {
	part := in.part
	return func() error {
		if part == nil {
			return nil
		}
		if err := part.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			return diskError(err)
		}
		return nil
	}
}

// Finish gives the present file its name, if it is the file that was sent, and
// returns its hash.
func (in *Inbox) Finish(file int, sum []byte) ([]byte, error) {
	if in.closed {
		return nil, ErrClosed
	}
	if file != in.next || file >= len(in.entries) {
		return nil, ErrOrder
	}
	if err := in.begin(); err != nil { // an empty one has had no bytes
		return nil, err
	}
	e := in.entries[file]
	if in.at != e.Size {
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrOrder, in.at, e.Size)
	}
	ours := in.sum.Sum(nil)
	if subtle.ConstantTimeCompare(ours, sum) != 1 { // C58
		return nil, ErrHash
	}
	if err := in.part.Close(); err != nil {
		return nil, diskError(err)
	}
	mark(filepath.Join(in.folder, filepath.FromSlash(in.partAt)))
	dir, at := path.Dir(in.partAt), ""
	err := distinct(SafeName(e.Path[len(e.Path)-1]), func(name string) error {
		at = path.Join(dir, name)
		f, err := in.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // ours: renaming replaces nothing else
		if err != nil {
			return err
		}
		return f.Close()
	})
	if err != nil {
		return nil, diskError(err)
	}
	if err := patiently(func() error { return in.root.Rename(in.partAt, at) }); err != nil {
		_ = patiently(func() error { return in.root.Remove(at) })
		return nil, diskError(err)
	}
	if !e.Modified.IsZero() {
		_ = in.root.Chtimes(at, time.Now(), e.Modified) // it is no less the file without it
	}
	in.landed[file], in.part, in.partAt, in.at = at, nil, "", 0
	in.next++
	return ours, nil
}

// Forget removes a file that has landed, but may not stay after all.
func (in *Inbox) Forget(file int) error {
	at := in.landed[file]
	if at == "" || in.closed {
		return nil
	}
	in.landed[file] = ""
	return patiently(func() error { return in.root.Remove(at) })
}

// Close ends the transfer. What has landed stays; what has not is removed, and so
// are folders of ours that are empty. It may be called twice.
func (in *Inbox) Close() error {
	if in.closed {
		return nil
	}
	in.closed = true
	var errs []error
	if in.part != nil {
		_ = in.part.Close() // closed already when its rename failed
		errs = append(errs, patiently(func() error { return in.root.Remove(in.partAt) }))
		in.part = nil
	}
	for _, dir := range slices.Backward(in.made) {
		_ = in.root.Remove(dir) // one that holds something stays
	}
	return errors.Join(append(errs, in.root.Close())...)
}

// patiently repeats a step, for a second or so, while another program has the file.
func patiently(step func() error) error {
	err := step()
	for wait := 10 * time.Millisecond; err != nil && held(err) && wait < time.Second; wait *= 2 {
		time.Sleep(wait)
		err = step()
	}
	return err
}

// maxTwins bounds the search for a name that is free.
const maxTwins = 10_000

// distinct tries a name, then "name (2).ext" and so on, until make finds it free.
func distinct(name string, make func(string) error) error {
	ext := filepath.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	for i := 1; ; i++ {
		try := name
		if i > 1 {
			try = name[:len(name)-len(ext)] + " (" + strconv.Itoa(i) + ")" + ext
		}
		err := make(try)
		if !errors.Is(err, fs.ErrExist) || i >= maxTwins {
			return err
		}
	}
}

// diskError says whether it is the room or the folder.
func diskError(err error) error {
	if err == nil || errors.Is(err, ErrFolder) || errors.Is(err, ErrRoom) {
		return err
	}
	if full(err) {
		return fmt.Errorf("%w: %w", ErrRoom, err)
	}
	return fmt.Errorf("%w: %w", ErrFolder, err)
}
