package wine

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"
)

// traces is what a program can leave on a Windows computer.
type traces struct {
	files     []string // everything in the prefix, and in the folders that it shares with this machine
	processes []string // that are not Windows' own
	sockets   []string // that any process of the prefix has open to a network
	registry  []string // the person's part of it
}

func (s *scene) traces() (list traces) {
	s.t.Helper()
	dir := s.desktop.prefix.dir
	s.must(filepath.WalkDir(filepath.Join(dir, "drive_c"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		list.files = append(list.files, strings.TrimPrefix(path, dir))
		if d.Type()&fs.ModeSymlink != 0 { // Documents and the like
			shared, err := os.ReadDir(path)
			for _, e := range shared {
				if !strings.HasPrefix(e.Name(), ".") { // what programs of this machine keep there
					list.files = append(list.files, strings.TrimPrefix(path, dir)+"/"+e.Name())
				}
			}
			return err
		}
		return nil
	}))
	nets := map[string]bool{}
	for _, kind := range []string{"tcp", "tcp6", "udp", "udp6"} {
		table, err := os.ReadFile(filepath.Join("/proc/net", kind))
		s.must(err)
		for line := range strings.Lines(string(table)) {
			if f := strings.Fields(line); len(f) > 9 {
				nets["socket:["+f[9]+"]"] = true
			}
		}
	}
	procs, err := filepath.Glob("/proc/[0-9]*")
	s.must(err)
	for _, p := range procs { // each may have ended meanwhile
		env, _ := os.ReadFile(filepath.Join(p, "environ"))
		if !bytes.Contains(env, []byte("WINEPREFIX="+dir+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		command, _, _ := strings.Cut(string(line), "\x00")
		if !strings.HasPrefix(strings.ToLower(command), `c:\windows\`) && !strings.HasSuffix(command, "eye.exe") && !strings.Contains(command, "wineserver") {
			list.processes = append(list.processes, command)
		}
		fds, _ := os.ReadDir(filepath.Join(p, "fd"))
		for _, fd := range fds {
			if to, _ := os.Readlink(filepath.Join(p, "fd", fd.Name())); nets[to] {
				list.sockets = append(list.sockets, command+" "+to)
			}
		}
	}
	file := filepath.Join(s.t.TempDir(), "hkcu.reg")
	s.must(s.desktop.Command(s.ctx, "reg", "export", "HKCU", windowsPath(file), "/y").Run())
	content, err := os.ReadFile(file)
	s.must(err)
	list.registry = registry(content)
	return list
}

// registry is an export as lines that stand alone: each value with its key before it.
func registry(export []byte) (list []string) {
	units := make([]uint16, 0, len(export)/2)
	for ; len(export) > 1; export = export[2:] {
		units = append(units, uint16(export[0])|uint16(export[1])<<8)
	}
	key := ""
	for line := range strings.Lines(strings.ReplaceAll(string(utf16.Decode(units)), "\\\r\n", "")) { // a long value goes on below
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "["):
			key = line
			list = append(list, key)
		case line != "":
			list = append(list, key+" "+line)
		}
	}
	return list
}

// winesOwn tells what Wine 8 leaves of itself: where from a file came is a stream of
// that file on Windows, and a second file here; and reading how the Explorer shows
// files makes the key for it.
func winesOwn(line string) bool {
	return strings.HasSuffix(line, "Relevé 1.txt") || // what the person received
		strings.HasSuffix(line, ".part:Zone.Identifier") ||
		strings.Contains(line, `\Software\Wine\`) || strings.HasSuffix(line, `\Explorer\Advanced]`)
}

// nothingIsLeft: a session that used everything leaves on the person's computer what
// they chose to keep, and nothing else.
func (s *scene) nothingIsLeft(before traces) {
	s.t.Helper()
	after := s.traces()
	for name, pair := range map[string][2][]string{
		"files": {before.files, after.files}, "processes": {before.processes, after.processes},
		"sockets": {before.sockets, after.sockets}, "registry": {before.registry, after.registry},
	} {
		for _, line := range pair[1] {
			if !slices.Contains(pair[0], line) && !winesOwn(line) {
				s.t.Errorf("%s: left is %s", name, line)
			}
		}
		for _, line := range pair[0] {
			if !slices.Contains(pair[1], line) {
				s.t.Errorf("%s: gone is %s", name, line)
			}
		}
	}
}
