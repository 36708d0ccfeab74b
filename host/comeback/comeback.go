// Package comeback keeps what a host needs to come back once after its computer
// was restarted: one file that only the person can read, and one start entry that
// runs once. Both exist only while the person's own grant for it stands, for 15
// minutes at most, and both are gone before a host that comes back does anything
// else. It knows nothing of sessions: what it keeps are bytes.
//
//	place, err := comeback.Here()
//	file, err := place.Open([]string{program, "--come-back"}, until)
//	err = file.Write(state)   // at each change: whole and on the disk, or not at all
//	err = file.Remove()       // taken back, or over
//
//	state, err := place.Take(time.Now())   // after the restart: once
//	state, err := place.Look(time.Now())   // what Take would return, which stays
//	state, ok := place.Waiting(time.Now()) // whether that is now, whatever started the host
//
// On Linux the file lies in $XDG_STATE_HOME/mainforte, mode 0600, and the entry is a
// .desktop file in $XDG_CONFIG_HOME/autostart. On Windows the file lies in
// %LOCALAPPDATA%\Mainforte, sealed for the person by DPAPI, and the entry is a value
// of HKCU's RunOnce, which Windows itself takes away before it starts it.
package comeback

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Life is how long what is kept may be used, from the person's yes.
const Life = 15 * time.Minute

// MaxSize bounds what is kept, in bytes.
const MaxSize = 1 << 20

// What Take and Open return. But for ErrNone and ErrTaken nothing is left afterwards,
// as far as it can be removed.
var (
	// ErrNone: nothing is kept, or it was used already.
	ErrNone = errors.New("comeback: nothing is kept")
	// ErrLate: its time is over.
	ErrLate = errors.New("comeback: what was kept is too old")
	// ErrSpoilt: it is not what a host wrote.
	ErrSpoilt = errors.New("comeback: what was kept is damaged")
	// ErrForeign: somebody else could have written or read it.
	ErrForeign = errors.New("comeback: what was kept is not the person's alone")
	// ErrTaken: another host of this person keeps something at this moment.
	ErrTaken = errors.New("comeback: another session is kept already")
	// ErrUnsupported: this system has no place for it.
	ErrUnsupported = errors.New("comeback: not on this system")
)

// Keeper holds what is kept of one session; a test has its own.
type Keeper interface {
	// Write replaces what is kept. When it returns nil it is on the disk.
	Write(state []byte) error
	// Remove takes everything away. It may be called twice.
	Remove() error
}

// Place is where a person's host keeps it.
type Place struct {
	file  string
	entry entry
	boot  string // this start of the system; empty where it has no name
}

// File is what one session keeps.
type File struct {
	place Place
	head  head
}

// head is what stands around the state.
type head struct {
	ID    string   `json:"id"` // of the session's File
	Made  int64    `json:"made"`
	Until int64    `json:"until"` // both in Unix seconds
	Boot  string   `json:"boot,omitempty"`
	Dirs  []string `json:"dirs"` // that were made for it
	State []byte   `json:"state"`
}

// Open begins to keep something, until a time that is at most Life from now: the
// start entry is there when it returns, the file with the first Write. command is
// the program and its arguments.
func (p Place) Open(command []string, until time.Time) (*File, error) {
	now := time.Now()
	if err := p.Sweep(now); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(p.file); err == nil {
		return nil, ErrTaken
	}
	if info, err := os.Stat(command[0]); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("comeback: the program is not where it was: %s", command[0])
	}
	var id [16]byte
	rand.Read(id[:]) // never fails since Go 1.24
	f := &File{place: p, head: head{ID: hex.EncodeToString(id[:]), Made: now.Unix(), Until: until.Unix(), Boot: p.boot}}
	for _, dir := range append([]string{filepath.Dir(p.file)}, p.entry.dirs()...) {
		made, err := makeDirs(dir)
		f.head.Dirs = append(f.head.Dirs, made...)
		if err != nil {
			return nil, errors.Join(err, f.Remove())
		}
	}
	if err := private(filepath.Dir(p.file)); err != nil {
		return nil, errors.Join(err, f.Remove())
	}
	if err := p.entry.write(command); err != nil {
		return nil, errors.Join(err, f.Remove())
	}
	return f, nil
}

// makeDirs makes a folder and those above it, for the person alone; it returns
// those that were not there, the deepest first.
func makeDirs(dir string) (made []string, err error) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || filepath.Dir(d) == d {
			break
		}
		made = append(made, d)
	}
	return made, os.MkdirAll(dir, 0o700)
}

// Write implements Keeper.
func (f *File) Write(state []byte) error {
	if len(state) > MaxSize {
		return fmt.Errorf("comeback: %d bytes are too much", len(state))
	}
	h := f.head
	h.State = state
	b, err := pack(h)
	if err != nil {
		return err
	}
	return replace(f.place.file, b)
}

// Remove implements Keeper.
func (f *File) Remove() error {
	h, err := f.place.read()
	if err == nil && h.ID != f.head.ID {
		return nil // another host's, of a later session
	}
	return f.place.remove(f.head.Dirs)
}

// Take returns what is kept, after everything of it is gone: it can be taken once.
// If it cannot be removed, it is not returned.
func (p Place) Take(now time.Time) ([]byte, error) {
	h, err := p.read()
	if rest := p.remove(h.Dirs); rest != nil {
		return nil, errors.Join(err, fmt.Errorf("comeback: what was kept cannot be removed: %w", rest))
	}
	if err == nil {
		err = h.stands(now)
	}
	if err != nil {
		return nil, err
	}
	return h.State, nil
}

// Look returns what Take would, and takes nothing.
func (p Place) Look(now time.Time) ([]byte, error) {
	h, err := p.read()
	if err == nil {
		err = h.stands(now)
	}
	if err != nil {
		return nil, err
	}
	return h.State, nil
}

// Waiting returns what is kept, without taking it, if the system was restarted since:
// whoever kept it is gone then, and a host that the person starts by hand may come
// back as well as the one of the start entry. What another host keeps now is not
// waiting.
func (p Place) Waiting(now time.Time) (state []byte, ok bool) {
	h, err := p.read()
	if err != nil || h.stands(now) != nil || p.boot == "" || h.Boot == "" || h.Boot == p.boot { // C89
		return nil, false
	}
	return h.State, true
}

// Sweep takes away what nobody can use any more: what a host left that came to no
// end and never came back.
func (p Place) Sweep(now time.Time) error {
	h, err := p.read()
	if errors.Is(err, ErrNone) || err == nil && h.stands(now) == nil {
		return nil
	}
	return p.remove(h.Dirs)
}

// stands tells whether its time is now. A clock that went back makes it no younger.
func (h head) stands(now time.Time) error {
	made, until := time.Unix(h.Made, 0), time.Unix(h.Until, 0)
	switch {
	case until.Before(made) || until.Sub(made) > Life+time.Second:
		return ErrSpoilt
	case now.Before(made.Add(-time.Minute)) || !now.Before(until):
		return ErrLate
	}
	return nil
}

// remove takes the start entry and the file away, and of the folders those that
// were made for it and hold nothing else.
func (p Place) remove(dirs []string) error {
	err := p.entry.remove()
	if e := os.Remove(p.file); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	_ = os.Remove(p.file + partSuffix) // of a Write that was cut off
	settle(filepath.Dir(p.file))
	mine := append([]string{p.file}, p.entry.paths()...)
	for _, dir := range dirs { // the file says which; only those above it and the entry can be meant
		if slices.ContainsFunc(mine, func(path string) bool { return strings.HasPrefix(path, dir+string(filepath.Separator)) }) {
			_ = os.Remove(dir)
		}
	}
	return err
}

const partSuffix = ".part"

// replace puts a file in another one's place, on the disk.
func replace(path string, b []byte) error {
	part := path + partSuffix
	_ = os.Remove(part)
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
		return err
	}
	settle(filepath.Dir(path))
	return nil
}

// read returns what the file holds, whatever its time.
func (p Place) read() (head, error) {
	info, err := os.Lstat(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return head{}, ErrNone
	}
	if err != nil {
		return head{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if err := errors.Join(private(filepath.Dir(p.file)), owned(info)); err != nil {
		return head{}, err
	}
	f, err := open(p.file)
	if err != nil {
		return head{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil || !os.SameFile(info, now) {
		return head{}, errors.Join(ErrForeign, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, 4*MaxSize+1))
	if err != nil || len(b) > 4*MaxSize {
		return head{}, errors.Join(ErrSpoilt, err)
	}
	return unpack(b)
}

const magic = "mainforte return 1\n"

// pack makes the bytes of the file: what unseal gives back is the magic line, a
// SHA-256, and over the rest of it JSON.
func pack(h head) ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return seal(slices.Concat([]byte(magic), sum[:], b))
}

func unpack(b []byte) (head, error) {
	b, err := unseal(b)
	if err != nil {
		return head{}, fmt.Errorf("%w: %w", ErrSpoilt, err)
	}
	b, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok || len(b) < sha256.Size || sha256.Sum256(b[sha256.Size:]) != [sha256.Size]byte(b) {
		return head{}, ErrSpoilt
	}
	var h head
	if err := json.Unmarshal(b[sha256.Size:], &h); err != nil || len(h.Dirs) > 16 || len(h.State) > MaxSize {
		return head{}, ErrSpoilt
	}
	return h, nil
}
