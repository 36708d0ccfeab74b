package ui

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resident is how many pages of a mapping are in memory.
func resident(t *testing.T, m []byte) int {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := os.Getpagesize()
	n := 0
	entry := make([]byte, 8)
	for at := 0; at < len(m); at += page {
		if _, err := f.ReadAt(entry, int64(uintptr(unsafe.Pointer(&m[at])))/int64(page)*8); err != nil {
			t.Fatal(err)
		}
		if entry[7]&0x80 != 0 { // bit 63, Documentation/admin-guide/mm/pagemap.rst
			n++
		}
	}
	return n
}

func TestRestGivesBackCleanPagesAndNoOthers(t *testing.T) {
	page := os.Getpagesize()
	file := filepath.Join(t.TempDir(), "libbig.so")
	if err := os.WriteFile(file, bytes.Repeat([]byte{'a'}, 64*page), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped := func(prot int) []byte {
		m, err := unix.Mmap(int(f.Fd()), 0, 64*page, prot, unix.MAP_PRIVATE|unix.MAP_POPULATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Munmap(m) })
		return m
	}
	clean, written, writable := mapped(unix.PROT_READ), mapped(unix.PROT_READ|unix.PROT_WRITE), mapped(unix.PROT_READ|unix.PROT_WRITE)
	// As a loader does: it writes addresses, and shuts.
	written[5*page] = 'b'
	if err := unix.Mprotect(written, unix.PROT_READ); err != nil {
		t.Fatal(err)
	}
	writable[7*page] = 'c'
	Rest("/elsewhere")
	if n := resident(t, clean); n != 64 {
		t.Fatalf("%d of 64 pages are in memory before", n)
	}
	Rest("/libbig")
	if n := resident(t, clean); n != 0 {
		t.Errorf("%d clean pages are still in memory", n)
	}
	if clean[3*page] != 'a' || written[5*page] != 'b' || written[6*page] != 'a' || writable[7*page] != 'c' {
		t.Error("what was mapped is not what it was")
	}
}

func TestMappingsAreRead(t *testing.T) {
	for line, want := range map[string]string{
		"7f3c00000000-7f3c00021000 r-xp 00000000 fe:00 1234       /usr/lib/lib x.so":      "/usr/lib/lib x.so",
		"00400000-01a2b000 r--p 00000000 00:01 5       /memfd:mainforte-window (deleted)": "/memfd:mainforte-window (deleted)",
		"7ffd1000-7ffd2000 rw-p 00000000 00:00 0":                                         "",
	} {
		from, to, perms, path, ok := mapping(line)
		if !ok || from >= to || len(perms) != 4 || path != want {
			t.Errorf("%q: %x-%x %s %q %v", line, from, to, perms, path, ok)
		}
	}
	for _, line := range []string{"", "Rss:                 120 kB", "VmFlags: rd ex mr mw me sd", "x-y r-xp 0 0 0 /a"} {
		if _, _, _, _, ok := mapping(line); ok {
			t.Errorf("%q is taken for a mapping", line)
		}
	}
}
