package wine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

var (
	prefix   *Prefix
	root     string // of the module
	programs string // the folder for what is built here
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var err error
	if root, err = stage.Root(ctx); err != nil {
		return fail(err)
	}
	if programs, err = os.MkdirTemp("", "mainforte-wine-"); err != nil {
		return fail(err)
	}
	defer os.RemoveAll(programs)
	if prefix, err = Open(ctx); err != nil {
		return fail(err)
	}
	defer func() {
		if err := prefix.Close(); err != nil {
			code = fail(err)
		}
	}()
	if err := forWindows(ctx, "build", filepath.Join(programs, "eye.exe"), "./internal/e2e/wine/eye"); err != nil {
		return fail(err)
	}
	return m.Run()
}

// forWindows runs a go command whose result is a Windows program.
func forWindows(ctx context.Context, verb, file, pkg string, args ...string) error {
	command := slices.Concat([]string{"go", verb, "-o", file}, args, []string{pkg})
	if withVideo(pkg) {
		command = slices.Insert(command, 0, "sh", filepath.Join("host", "vpx", "windows.sh"))
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s %s for Windows: %w\n%s", verb, pkg, err, out)
	}
	return nil
}

// desktop opens a desktop on an X server of its own; both end with the test.
func desktop(t testing.TB) (*Desktop, *capturetest.Server) {
	t.Helper()
	t.Setenv("MAINFORTE_NEED_XVFB", "1")
	server := capturetest.Start(t, Width, Height)
	d, err := prefix.Desktop(t.Context(), server.Display, filepath.Join(programs, "eye.exe"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, server
}

var result = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+)`)

// withVideo tells which programs have libvpx in them, where it can be had.
func withVideo(pkg string) bool { return pkg == "./host" || pkg == "./host/vpx" }

// tests runs a package's tests as a Windows program. All must pass or say why
// they do not apply, and those that are named must have been among them.
func tests(t *testing.T, pkg string, want ...string) {
	t.Helper()
	some(t, pkg, ".", want...)
}

// some runs those tests whose name fits.
func some(t *testing.T, pkg, names string, want ...string) {
	t.Helper()
	exe := filepath.Join(programs, strings.ReplaceAll(pkg, "/", "-")+".test.exe")
	if err := forWindows(t.Context(), "test", exe, "./"+pkg, "-c"); err != nil {
		t.Fatal(err)
	}
	d, _ := desktop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := d.Command(ctx, exe, "-test.v", "-test.timeout=3m", "-test.run="+names)
	cmd.Dir = filepath.Join(root, pkg)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	passed := make(map[string]bool)
	for _, r := range result.FindAllStringSubmatch(strings.ReplaceAll(out.String(), "\r", ""), -1) {
		if r[1] == "PASS" {
			passed[r[2]] = true
		}
	}
	for _, name := range want {
		if !passed[name] {
			t.Errorf("%s did not pass", name)
		}
	}
	if err != nil {
		t.Errorf("%s: %v", pkg, err)
	}
	if t.Failed() {
		t.Logf("%s", out.String())
	} else {
		t.Logf("%d tests of %s passed", len(passed), pkg)
	}
}

func TestCaptureUnderWine(t *testing.T) {
	tests(t, "host/capture", "TestGDIKeepsThePromises", "TestGDIKeepsThePromises/NoChangeIsEverMissed",
		"TestAChangeThatNobodyCausedIsSeen", "TestANudgeIsFollowedByAWholeLook", "TestGDIFollowsTheScreensSize", "TestAVeiledDesktopIsNotSeen",
		"TestOpenTakesGDIWhereNothingIsDuplicated",
		"TestADuplicatedDesktopIsSeenExactly", "TestWhereNothingIsDuplicatedGDISees", "TestTheDesktopsDuplicationOrWhyNot")
}

// TestVideoUnderWine: libvpx as mingw builds it encodes what its own decoder shows
// right, on planes of every size, with the vector code that the machine has.
func TestVideoUnderWine(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "sh", filepath.Join(root, "host", "vpx", "windows.sh")).CombinedOutput(); err != nil {
		t.Skipf("no libvpx for Windows here, and so no video: %s", out)
	}
	want := []string{"TestPlanesAreWithinTwoLevelsOfTheExactColours", "TestAFilmIsSeenAsItIs", "TestBlocksThatAreNotActiveStay",
		"TestAnEncoderTakesNoMemoryAFrame"}
	some(t, "host/vpx", strings.Join(want, "|"), want...)
}

func TestInputUnderWine(t *testing.T) {
	tests(t, "host/input", "TestSendInputPassesTheSuite", "TestSendInputPassesTheSuite/text_arrives_exactly",
		"TestNoInputReachesTheHostsOwnWindows", "TestAProtectedWindowsWholeProgramIsProtected",
		"TestAWindowThatBelongsToTheHostsIsProtected", "TestHeldModifiersDoNotSpoilText", "TestCloseLetsEverythingGo",
		"TestThePersonsHandsAreToldFromTheTechnicians", "TestThePanicKey", "TestTheWindowInFront", "TestAWindowThatHangsIsDescribed")
}

func TestFilesUnderWine(t *testing.T) {
	some(t, "host/files", "TestWhatAnotherProgram", "TestWhatAnotherProgramHasOpenLandsAllTheSame")
}

// TestTheStubIsNotShipped: what only Wine needs is in no program and no folder
// that leaves this machine.
func TestTheStubIsNotShipped(t *testing.T) {
	source := filepath.Join(t.TempDir(), "stub.c")
	if err := os.WriteFile(source, stub, 0o644); err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(t.TempDir(), "stub.dll")
	if err := compile(t.Context(), source, library); err != nil {
		t.Fatal(err)
	}
	holds := func(file string) bool {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(b, []byte(Marker))
	}
	if !holds(library) {
		t.Fatal("the DLL does not hold its marker: this test would find nothing")
	}
	if holds(host(t)) {
		t.Error("the host for Windows holds the DLL for tests")
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "--", "*.dll", "*.exe").Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) > 0 {
		t.Errorf("in the repository are %s", out)
	}
	built, err := filepath.Glob(filepath.Join(root, "bin", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range built {
		if strings.HasSuffix(file, ".dll") || holds(file) {
			t.Errorf("%s is or holds the DLL for tests", file)
		}
	}
}

// host is the host program for Windows, built once.
func host(t testing.TB) string {
	t.Helper()
	exe := filepath.Join(programs, "mainforte.exe")
	if _, err := os.Stat(exe); err == nil {
		return exe
	}
	if err := forWindows(t.Context(), "build", exe, "./host", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -H windowsgui -buildid= -extldflags=-static"); err != nil {
		t.Fatal(err)
	}
	return exe
}
