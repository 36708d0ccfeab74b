package comeback

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Here is the person's own place.
func Here() (Place, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return Place{}, err
	}
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil {
			return Place{}, err
		}
		state = filepath.Join(home, ".local", "state")
	}
	return Place{
		file:  filepath.Join(state, "mainforte", "return"),
		entry: entry{filepath.Join(config, "autostart", "mainforte-return.desktop")},
		boot:  bootID(),
	}, nil
}

// bootID is what the kernel calls this start of the system (random(4)).
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// entry is a file that the desktop starts a program by when the person signs in
// (XDG Autostart).
type entry struct{ path string }

func (e entry) dirs() []string  { return []string{filepath.Dir(e.path)} }
func (e entry) paths() []string { return []string{e.path} }

func (e entry) write(command []string) error {
	words := make([]string, len(command))
	for i, w := range command {
		if strings.ContainsAny(w, "\n\r") {
			return fmt.Errorf("comeback: a path with a line break: %q", w)
		}
		words[i] = word(w)
	}
	return replace(e.path, []byte("[Desktop Entry]\nType=Application\nName=Mainforte\n"+
		"Comment=Asks once whether a help session goes on after a restart\n"+
		"Exec="+strings.Join(words, " ")+"\nTerminal=false\nNoDisplay=true\n"))
}

// word quotes one word of an Exec line: first for the line, then for the string
// that it is written as (Desktop Entry Specification, "The Exec key").
func word(w string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range w {
		switch r {
		case '"', '`', '$', '\\':
			b.WriteByte('\\')
		case '%':
			b.WriteByte('%')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return strings.ReplaceAll(b.String(), `\`, `\\`)
}

func (e entry) remove() error {
	err := os.Remove(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	_ = os.Remove(e.path + partSuffix)
	settle(filepath.Dir(e.path))
	return err
}

// private tells whether nobody but the person can put anything into a folder.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(s.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: the folder %s", ErrForeign, dir)
	}
	return nil
}

// owned tells whether a file is the person's, and nobody else can read or write it.
func owned(info fs.FileInfo) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || int(s.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 || s.Nlink != 1 {
		return fmt.Errorf("%w: the file %s", ErrForeign, info.Name())
	}
	return nil
}

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// settle puts the names in a folder on the disk.
func settle(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// The file's mode keeps it.
func seal(b []byte) ([]byte, error)   { return b, nil }
func unseal(b []byte) ([]byte, error) { return b, nil }
