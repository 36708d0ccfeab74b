//go:build !windows

package files

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// room is how many bytes the person may still write in a folder's file system.
func room(folder string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}

func full(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// mark is for systems that know where a file came from.
func mark(string) {}

// held: nobody's open file is in the way here.
func held(error) bool { return false }

// Downloads is the person's folder for what comes from elsewhere: XDG_DOWNLOAD_DIR
// of user-dirs.dirs, else Downloads in the home folder, else that folder.
func Downloads() string {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return os.TempDir()
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(home, ".config")
	}
	for _, dir := range []string{xdgDownloads(filepath.Join(config, "user-dirs.dirs"), home), filepath.Join(home, "Downloads")} {
		if info, err := os.Stat(dir); dir != "" && err == nil && info.IsDir() {
			return dir
		}
	}
	return home
}

// xdgDownloads reads the one line of xdg-user-dirs: XDG_DOWNLOAD_DIR="$HOME/Téléchargements".
func xdgDownloads(file, home string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "XDG_DOWNLOAD_DIR=")
		if !ok {
			continue
		}
		value = strings.Trim(value, `"`)
		if rest, ok := strings.CutPrefix(value, "$HOME"); ok {
			value = home + rest
		}
		if filepath.IsAbs(value) {
			return filepath.Clean(value)
		}
	}
	return ""
}

// Reveal opens a folder in the person's file manager, and never a file.
func Reveal(folder string) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() || !filepath.IsAbs(folder) {
		return errors.Join(ErrGone, err)
	}
	program := "xdg-open"
	if runtime.GOOS == "darwin" {
		program = "open"
	}
	cmd := exec.Command(program, folder)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // it ends by itself; nobody waits for a file manager
	return nil
}
