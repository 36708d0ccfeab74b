package sysinfo

import (
	"bufio"
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

type linux struct{ root string } // "" but in tests: the files of another system

var system = linux{}

func (l linux) file(name string) ([]byte, error) { return os.ReadFile(l.root + name) }

// values reads lines of the form NAME=value or NAME: value.
func values(b []byte, sep string) map[string]string {
	m := map[string]string{}
	sc := bufio.NewScanner(bytes.NewReader(b))
	for sc.Scan() {
		k, v, ok := strings.Cut(sc.Text(), sep)
		k = strings.TrimSpace(k)
		if _, had := m[k]; ok && !had {
			m[k] = strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return m
}

func (l linux) os() ([]Row, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, err
	}
	texts := []string{"Linux"}
	if b, err := l.file("/etc/os-release"); err == nil {
		if m := values(b, "="); m["PRETTY_NAME"] != "" {
			texts[0] = m["PRETTY_NAME"]
		}
	}
	return []Row{{Text: append(texts, "Linux "+unix.ByteSliceToString(u.Release[:]))}}, nil
}

func (l linux) uptime() ([]Row, error) {
	b, err := l.file("/proc/uptime")
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	s, err := strconv.ParseFloat(first, 64)
	return []Row{{Seconds: int64(s)}}, err
}

func (l linux) cpu() ([]Row, error) {
	b, err := l.file("/proc/cpuinfo")
	if err != nil {
		return nil, err
	}
	m := values(b, ":")
	name := m["model name"]
	if name == "" {
		name = m["Model"] // boards with ARM
	}
	return []Row{{Text: []string{name}, Count: max(1, strings.Count("\n"+string(b), "\nprocessor"))}}, nil
}

func (l linux) memory() ([]Row, error) {
	b, err := l.file("/proc/meminfo")
	if err != nil {
		return nil, err
	}
	m := values(b, ":")
	kB := func(name string) uint64 {
		n, _ := strconv.ParseUint(strings.TrimSuffix(m[name], " kB"), 10, 64)
		return n << 10
	}
	if kB("MemTotal") == 0 {
		return nil, ErrUnsupported
	}
	return []Row{{Size: kB("MemTotal"), Free: kB("MemAvailable")}}, nil
}

// local are file systems on disks of this computer: asking others may wait for a
// network.
var local = map[string]bool{
	"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "zfs": true, "f2fs": true, "vfat": true,
	"exfat": true, "ntfs": true, "ntfs3": true, "jfs": true, "reiserfs": true, "bcachefs": true, "overlay": true,
}

// ours are places that every system has; others may be named after a person.
var ours = map[string]bool{"/": true, "/home": true, "/boot": true, "/boot/efi": true, "/var": true, "/usr": true, "/tmp": true, "/opt": true, "/srv": true}

func (l linux) disks() ([]Row, error) {
	b, err := l.file("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var rows []Row
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 2 || !local[g[0]] || seen[f[2]] {
			continue
		}
		seen[f[2]] = true // major:minor: one disk may be mounted often
		place := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(f[4])
		var s unix.Statfs_t
		if unix.Statfs(place, &s) != nil {
			continue
		}
		name := place
		if !ours[place] {
			name = path.Base(g[1])
		}
		size := uint64(s.Bsize)
		rows = append(rows, Row{Name: name, Text: []string{g[0]}, Size: s.Blocks * size, Free: s.Bavail * size})
	}
	return rows, nil
}

func (linux) locale() ([]Row, error) {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			return []Row{{Text: []string{v}}}, nil
		}
	}
	return nil, ErrUnsupported
}

// updates are when packages were changed last: which ones is not for a ticket.
func (l linux) updates() ([]Row, error) {
	var rows []Row
	for _, u := range []struct{ name, file string }{
		{"dpkg", "/var/lib/dpkg/status"}, {"apt", "/var/lib/apt/periodic/update-success-stamp"},
		{"rpm", "/var/lib/rpm/rpmdb.sqlite"}, {"rpm", "/var/lib/rpm/Packages"}, {"rpm", "/usr/lib/sysimage/rpm/rpmdb.sqlite"},
		{"pacman", "/var/lib/pacman/local"}, {"apk", "/lib/apk/db/installed"},
	} {
		if info, err := os.Stat(l.root + u.file); err == nil {
			rows = append(rows, Row{Name: u.name, Text: []string{info.ModTime().UTC().Format("2006-01-02")}})
		}
	}
	return rows, nil
}
