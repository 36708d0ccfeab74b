// Command mutate is `task mutate`: it takes out every numbered check of
// PROTOCOL.md, one at a time, and demands that the suite turns red.
//
// A mutation is a patch in internal/e2e/mutations, named after its check
// (C11.patch; C17-viewer.patch where a check stands in more than one place).
// Its first lines say what it does and how it is found out:
//
//	Check: C11
//	Why: a try is counted before the answer leaves the host
//	Test: go test ./host/session -run TestATryIsCountedBeforeTheAnswer
//
// For each patch, in a copy of the tree: the tests pass without it, the patch
// applies, the result still compiles, and the tests then fail. Anything else is
// an error, and so is a numbered check without a patch. Tests that do not end
// are no proof: they are an error too.
//
// Usage: mutate [NAME ...], where a name is that of a patch or of a check
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

type mutation struct {
	name, check, why, test, patch string
	files                         []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only []string) error {
	root, err := stage.Root(ctx)
	if err != nil {
		return err
	}
	all, err := load(filepath.Join(root, "internal/e2e/mutations"))
	if err != nil {
		return err
	}
	if len(only) == 0 {
		if err := complete(root, all); err != nil {
			return err
		}
	} else if all, err = choose(all, only); err != nil {
		return err
	}
	tree, err := os.MkdirTemp("", "mainforte-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	if err := copyTree(ctx, root, tree); err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(m mutation) bool { return m.touches(".ts") }) {
		if out, err := command(ctx, tree, "sh", "-c", typeCheck); err != nil {
			return fmt.Errorf("the viewer does not compile without a patch: %w\n%s", err, out)
		}
	}
	sound := map[string]bool{} // tests that pass without any patch
	var survivors []string
	for i, m := range all {
		start := time.Now()
		if !sound[m.test] {
			if out, err := sh(ctx, tree, m.test); err != nil {
				return fmt.Errorf("%s: its test fails without the patch: %w\n%s", m.name, err, out)
			}
			sound[m.test] = true
		}
		verdict, err := try(ctx, tree, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Printf("%3d/%d  %-22s %-9s %5.1f s  %s\n", i+1, len(all), m.name, verdict, time.Since(start).Seconds(), m.why)
		if verdict != "found" {
			survivors = append(survivors, m.name)
		}
	}
	if len(survivors) > 0 {
		return fmt.Errorf("not found out: %s", strings.Join(survivors, " "))
	}
	fmt.Printf("%d passed, 0 failed\n", len(all))
	return nil
}

// try applies the patch, runs its tests, and takes the patch back.
func try(ctx context.Context, tree string, m mutation) (string, error) {
	if out, err := command(ctx, tree, "git", "apply", "--whitespace=nowarn", m.patch); err != nil {
		return "", fmt.Errorf("does not apply: %w\n%s", err, out)
	}
	defer func() {
		if out, err := command(context.WithoutCancel(ctx), tree, "git", "apply", "--whitespace=nowarn", "-R", m.patch); err != nil {
			fmt.Fprintf(os.Stderr, "mutate: %s cannot be taken back: %v\n%s", m.name, err, out)
			os.Exit(1)
		}
	}()
	build := []string{"go", "build", "-o", os.DevNull} // a program alone would be written where its folder is
	for _, f := range m.files {
		if strings.HasSuffix(f, ".go") {
			build = append(build, "./"+filepath.ToSlash(filepath.Dir(f)))
		}
	}
	if len(build) > 4 {
		if out, err := command(ctx, tree, build[0], build[1:]...); err != nil {
			return "", fmt.Errorf("does not compile: %w\n%s", err, out)
		}
	}
	if m.touches(".ts") {
		if out, err := command(ctx, tree, "sh", "-c", typeCheck); err != nil {
			return "", fmt.Errorf("does not compile: %w\n%s", err, out)
		}
	}
	out, err := sh(ctx, tree, m.test)
	if err == nil {
		return "SURVIVED", nil
	}
	if _, exited := errors.AsType[*exec.ExitError](err); !exited || ctx.Err() != nil {
		return "", fmt.Errorf("its test did not end by itself: %w\n%s", err, out)
	}
	if bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")) {
		return "", fmt.Errorf("its test does not compile:\n%s", out)
	}
	return "found", nil
}

// typeCheck is what compiles the viewer; the tests' own compiler reads no types.
// The file outside the sources makes the next check quick.
const typeCheck = "web/node_modules/.bin/tsc --noEmit --incremental --tsBuildInfoFile viewer/dist/mutate.tsbuildinfo -p viewer/tsconfig.json"

func (m mutation) touches(ext string) bool {
	return slices.ContainsFunc(m.files, func(f string) bool { return strings.HasSuffix(f, ext) })
}

// choose keeps the mutations whose name or check is wanted.
func choose(all []mutation, wanted []string) ([]mutation, error) {
	var chosen []mutation
	for _, name := range wanted {
		before := len(chosen)
		for _, m := range all {
			if m.name == name || m.check == name {
				chosen = append(chosen, m)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("no mutation is called %s", name)
		}
	}
	return chosen, nil
}

var header = regexp.MustCompile(`(?m)^(Check|Why|Test): (.+)$`)
var touched = regexp.MustCompile(`(?m)^\+\+\+ b/(.+)$`)

func load(dir string) ([]mutation, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	var all []mutation
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m := mutation{name: strings.TrimSuffix(filepath.Base(name), ".patch"), patch: name}
		for _, h := range header.FindAllSubmatch(b, -1) {
			switch v := strings.TrimSpace(string(h[2])); string(h[1]) {
			case "Check":
				m.check = v
			case "Why":
				m.why = v
			case "Test":
				m.test = v
			}
		}
		for _, f := range touched.FindAllSubmatch(b, -1) {
			m.files = append(m.files, string(f[1]))
		}
		if m.check == "" || m.why == "" || m.test == "" || len(m.files) == 0 {
			return nil, fmt.Errorf("%s: it wants Check, Why, Test and a patch", name)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b mutation) int {
		return cmp.Or(strings.Compare(fmt.Sprintf("%4s", a.check), fmt.Sprintf("%4s", b.check)), strings.Compare(a.name, b.name))
	})
	return all, nil
}

// complete tells whether every numbered check has a mutation and the other way round.
func complete(root string, all []mutation) error {
	b, err := os.ReadFile(filepath.Join(root, "internal/wire/PROTOCOL.md"))
	if err != nil {
		return err
	}
	numbered := map[string]bool{}
	for _, c := range regexp.MustCompile(`\b[CDR]\d+\b`).FindAllString(string(b), -1) {
		numbered[c] = true
	}
	var missing []string
	for c := range numbered {
		if !slices.ContainsFunc(all, func(m mutation) bool { return m.check == c }) {
			missing = append(missing, c)
		}
	}
	for _, m := range all {
		if !numbered[m.check] {
			return fmt.Errorf("%s: PROTOCOL.md knows no check %s", m.name, m.check)
		}
	}
	if len(missing) > 0 {
		slices.SortFunc(missing, func(a, b string) int { return strings.Compare(fmt.Sprintf("%4s", a), fmt.Sprintf("%4s", b)) })
		return fmt.Errorf("checks without a mutation: %s", strings.Join(missing, " "))
	}
	return nil
}

// copyTree copies what git would commit, and links what was installed or built.
func copyTree(ctx context.Context, from, to string) error {
	out, err := exec.CommandContext(ctx, "git", "-C", from, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		src, dst := filepath.Join(from, name), filepath.Join(to, name)
		info, err := os.Lstat(src)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted and not committed yet
		} else if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(src)
			if err != nil {
				return err
			}
			if err := os.Symlink(target, dst); err != nil {
				return err
			}
			continue
		}
		b, err := os.ReadFile(src)
		if err != nil {
			return err
		}
		if err := os.WriteFile(dst, b, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return os.Symlink(filepath.Join(from, "web/node_modules"), filepath.Join(to, "web/node_modules"))
}

func sh(ctx context.Context, dir, line string) ([]byte, error) {
	return command(ctx, dir, "sh", "-c", line)
}

func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second // for what the command started and left behind
	cmd.Dir = dir
	// What vet says of a mutated file proves nothing, and nobody debugs these binaries.
	flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -vet=off -ldflags=-w")
	cmd.Env = append(os.Environ(), "GOFLAGS="+flags, "GIT_DIR=/nonexistent", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if name == "git" {
		cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err() // not the signal that ended it
	}
	return out, err
}
