package house

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mainforte/mainforte"

type pkg struct {
	ImportPath                         string
	Dir, Doc                           string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

// packages asks `go list`; extra flags may choose tags.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,TestImports,XTestImports,Deps", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

func ours(imports []string) []string {
	var out []string
	for _, i := range imports {
		if s, ok := strings.CutPrefix(i, module+"/"); ok {
			out = append(out, s)
		}
	}
	return out
}

func in(path string, tops ...string) bool {
	for _, t := range tops {
		if path == t || strings.HasPrefix(path, t+"/") {
			return true
		}
	}
	return false
}

// TestArrows: host → internal; signaling → internal/wire, web, viewer, certs;
// nothing imports host but the end-to-end tests, which drive it.
func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range ours(p.Imports) {
			ok := true
			switch {
			case in(p.ImportPath, "host"):
				ok = in(i, "host", "internal/wire", "internal/pake")
			case in(p.ImportPath, "signaling"):
				ok = in(i, "signaling", "internal/wire", "web", "viewer", "certs")
			case in(p.ImportPath, "web", "viewer", "certs"):
				ok = in(i, p.ImportPath)
			case in(p.ImportPath, "internal/wire"):
				ok = in(i, "internal/wire")
			case in(p.ImportPath, "internal/pake"):
				ok = in(i, "internal/pake", "internal/wire")
			}
			if !ok {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// TestServerHasNoCodeThatCouldUseTheSecret: P1 and P2 hold by construction.
// Neither the server nor its tests reach internal/pake or the host.
func TestServerHasNoCodeThatCouldUseTheSecret(t *testing.T) {
	for _, p := range packages(t) {
		if !in(p.ImportPath, "signaling") {
			continue
		}
		for _, i := range ours(slices.Concat(p.Deps, p.TestImports, p.XTestImports)) {
			if in(i, "internal/pake", "host") {
				t.Errorf("%s reaches %s", p.ImportPath, i)
			}
		}
	}
}

// TestHostLinksNoServer: the app a person runs holds no database, no bus, no server.
func TestHostLinksNoServer(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != "host" {
			continue
		}
		for _, d := range p.Deps {
			if strings.Contains(d, "sqlite") || strings.Contains(d, "nats") || in(strings.TrimPrefix(d, module+"/"), "signaling") {
				t.Errorf("host links %s", d)
			}
		}
	}
}

// TestEveryPackageSaysWhatItIsFor: a newcomer reads the comment instead of the code.
func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.Doc) < 20 && !in(p.ImportPath, "internal/wire/mfpb") {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// TestTheTopShowsTheHouse: the folders and files at the top are the ones agreed on.
func TestTheTopShowsTheHouse(t *testing.T) {
	root := root(t)
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"host", "viewer", "signaling", "web", "certs", "go.mod", "go.sum", "Taskfile.yml", "SECURITY.md",
		"internal", "docs", "README.md", "LICENSE", "CHANGELOG.md"}
	for f := range strings.Lines(string(out)) {
		top, _, _ := strings.Cut(strings.TrimSpace(f), "/")
		if !slices.Contains(allowed, top) && !strings.HasPrefix(top, ".") {
			t.Errorf("%s stands at the top", top)
		}
	}
}

// TestNoDrawerForEverything: no package is named after nothing.
func TestNoDrawerForEverything(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains([]string{"utils", "util", "common", "helpers", "helper", "manager", "misc"}, filepath.Base(p.ImportPath)) {
			t.Errorf("%s: what is it for?", p.ImportPath)
		}
	}
}

func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestSecurityNamesRealTests: a promise whose test does not exist is no promise.
func TestSecurityNamesRealTests(t *testing.T) {
	root := root(t)
	page, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("git", "-C", root, "grep", "-hoE", `^func Test[A-Za-z0-9_]+`, "--", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		have[strings.TrimPrefix(strings.TrimSpace(line), "func ")] = true
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 20 {
		t.Fatalf("SECURITY.md names only %d tests", len(named))
	}
	for _, n := range named {
		if !have[n[1]] {
			t.Errorf("SECURITY.md names %s, which does not exist", n[1])
		}
	}
	for _, file := range regexp.MustCompile("`((?:host|internal|viewer)/[a-z/]+(?:\\.[a-z]+)?)`").FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat(filepath.Join(root, file[1])); err != nil {
			t.Errorf("SECURITY.md names %s, which does not exist", file[1])
		}
	}
}
