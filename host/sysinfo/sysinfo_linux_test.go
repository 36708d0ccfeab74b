package sysinfo

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLinuxFiles(t *testing.T) {
	l := linux{root: t.TempDir()}
	for name, text := range map[string]string{
		"/etc/os-release":      "NAME=\"X\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
		"/proc/uptime":         "4711.25 9000.00\n",
		"/proc/cpuinfo":        "processor\t: 0\nmodel name\t: A CPU\n\nprocessor\t: 1\nmodel name\t: A CPU\n",
		"/proc/meminfo":        "MemTotal:        2048 kB\nMemAvailable:    1024 kB\n",
		"/var/lib/dpkg/status": "",
	} {
		if err := os.MkdirAll(filepath.Dir(l.root+name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(l.root+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := l.os(); err != nil || r[0].Text[0] != "Debian GNU/Linux 12 (bookworm)" {
		t.Error(r, err)
	}
	if r, err := l.uptime(); err != nil || r[0].Seconds != 4711 {
		t.Error(r, err)
	}
	if r, err := l.cpu(); err != nil || r[0].Text[0] != "A CPU" || r[0].Count != 2 {
		t.Error(r, err)
	}
	if r, err := l.memory(); err != nil || r[0].Size != 2<<20 || r[0].Free != 1<<20 {
		t.Error(r, err)
	}
	if r, err := l.updates(); err != nil || len(r) != 1 || r[0].Name != "dpkg" {
		t.Error(r, err)
	}
}
