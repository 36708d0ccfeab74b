//go:build prove

package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// version is what stands between the name of a package and its system.
var version = regexp.MustCompile(`[-_][0-9]+\.[0-9]+\.[0-9]+[-_]`)

// TestProveThePackages makes every package twice, unpacks each, and runs the
// program in it. What is in them is all there is: nothing that starts by itself (P6).
func TestProveThePackages(t *testing.T) {
	root := "../.."
	build := func() string {
		out := t.TempDir()
		cmd := exec.Command("go", "run", taskProgram, "build:packages", "OUT="+out)
		cmd.Dir = root
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		return out
	}
	first, second := build(), build()
	files, err := os.ReadDir(first)
	if err != nil || len(files) != 5 {
		t.Fatalf("%d packages, %v", len(files), err)
	}
	want := map[string][]string{
		"mainforte-host": {
			"/usr/bin/mainforte-host", "/usr/share/applications/mainforte.desktop", "/usr/share/doc/mainforte-host/copyright",
			"/usr/share/icons/hicolor/256x256/apps/mainforte.png", "/usr/share/icons/hicolor/scalable/apps/mainforte.svg",
		},
		"mainforte-signaling": {
			"/usr/bin/mainforte-signaling", "/usr/lib/systemd/system/mainforte-signaling.service", "/usr/share/doc/mainforte-signaling/copyright",
		},
		"tarball": {"/mainforte-host/LICENSE", "/mainforte-host/icon.svg", "/mainforte-host/mainforte-host", "/mainforte-host/mainforte.desktop"},
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			path := filepath.Join(first, f.Name())
			a, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(second, f.Name()))
			if err != nil || !bytes.Equal(a, b) {
				t.Errorf("made twice it is two packages: %v", err)
			}
			name := version.FindStringIndex(f.Name())
			if name == nil {
				t.Fatal("its name tells no version")
			}
			kind := f.Name()[:name[0]]
			dir := t.TempDir()
			var unpack, scripts string
			switch {
			case strings.HasSuffix(f.Name(), ".deb"):
				unpack, scripts = `dpkg-deb -x "$0" "$1"`, `dpkg-deb --ctrl-tarfile "$0" | tar -t`
			case strings.HasSuffix(f.Name(), ".rpm"):
				unpack = `rpm2cpio "$0" | (cd "$1" && cpio -id --quiet)`
			default:
				unpack, kind = `tar -xzf "$0" -C "$1"`, "tarball"
			}
			sh := func(script string) string {
				out, err := exec.Command("sh", "-ec", script, path, dir).CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v\n%s", script, err, out)
				}
				return string(out)
			}
			sh(unpack)
			if scripts != "" {
				if out := sh(scripts); regexp.MustCompile(`(?m)(pre|post)(inst|rm)|triggers`).MatchString(out) {
					t.Errorf("it runs something when it is installed:\n%s", out)
				}
			}
			got := strings.Fields(sh(`cd "$1" && find . -type f | cut -c2- | LC_ALL=C sort`))
			if strings.Join(got, " ") != strings.Join(want[kind], " ") {
				t.Errorf("it holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want[kind], "\n"))
			}
			for _, p := range got {
				if !strings.HasSuffix(p, "/mainforte-host") && !strings.HasSuffix(p, ".desktop") {
					continue
				}
				if strings.HasSuffix(p, ".desktop") {
					sh(`desktop-file-validate "$1"` + p)
				} else if out := sh(`"$1"` + p + ` --version`); !strings.HasPrefix(out, "mainforte host") {
					t.Errorf("%s says %q", p, out)
				}
			}
		})
	}
}
