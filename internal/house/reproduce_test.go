package house

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"debug/pe"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// taskProgram runs the Taskfile without anything to install.
const taskProgram = "github.com/go-task/task/v3/cmd/task@v3.40.1"

// largestDownload is what a person can be asked to download: bytes that cross the
// network, as the server gives a program out.
const largestDownload = 20_000_000

// videoMark is in every program that holds libvpx's encoder.
const videoMark = "WebM Project VP9 Encoder"

// TestTheWindowsHostIsTheSameBytesInAnyFolder: whoever builds it can compare
// (P16), and it is small enough to be sent for.
func TestTheWindowsHostIsTheSameBytesInAnyFolder(t *testing.T) {
	exe := reproduced(t, "build:windows", "mainforte-host.exe")
	resources(t, exe)
	needs(t, exe, "kernel32.dll", "msvcrt.dll")
	if !bytes.Contains(exe, []byte(videoMark)) {
		t.Log("it has no video: libvpx for Windows could not be made here")
	}
}

// TestWithoutLibvpxTheWindowsHostIsBuiltAllTheSame: and it is said that it has no video.
func TestWithoutLibvpxTheWindowsHostIsBuiltAllTheSame(t *testing.T) {
	path := t.TempDir() // all that the script needs but what builds libvpx
	for _, program := range []string{"sh", "env", "nproc"} {
		file, err := exec.LookPath(program)
		if err == nil {
			err = os.Symlink(file, filepath.Join(path, program))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, video := range []string{"", "required"} {
		cmd := exec.Command("sh", filepath.Join(root(t), "host", "vpx", "windows.sh"), "env")
		cmd.Env = []string{"PATH=" + path, "HOME=" + t.TempDir(), "MAINFORTE_VIDEO=" + video}
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), "is built without video") || (err != nil) != (video != "") ||
			strings.Contains(string(out), "CGO_ENABLED=0") != (video == "") {
			t.Errorf("with MAINFORTE_VIDEO=%s: %v\n%s", video, err, out)
		}
	}
}

// needs fails when a program needs a DLL that Windows does not have.
func needs(t *testing.T, exe []byte, has ...string) {
	t.Helper()
	f, err := pe.NewFile(bytes.NewReader(exe))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.ImportedSymbols()
	if err != nil || len(symbols) == 0 {
		t.Fatalf("%d symbols, %v", len(symbols), err)
	}
	for _, s := range symbols {
		_, library, _ := strings.Cut(s, ":")
		if !slices.Contains(has, strings.ToLower(library)) {
			t.Errorf("it needs %s", s)
		}
	}
}

// TestTheLinuxHostIsTheSameBytesInAnyFolder: and it needs nothing of the system
// that it runs on.
func TestTheLinuxHostIsTheSameBytesInAnyFolder(t *testing.T) {
	program, err := elf.NewFile(bytes.NewReader(reproduced(t, "build:linux", "mainforte-host")))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it is not static: %v", p.Type)
		}
	}
}

// packed is how many bytes a program is on the network.
func packed(t *testing.T, program []byte) int {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(program)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

// reproduced builds in two folders and returns what came out of both.
func reproduced(t *testing.T, task, file string) []byte {
	t.Helper()
	first := build(t, task, file, filepath.Join(t.TempDir(), "a"))
	second := build(t, task, file, filepath.Join(t.TempDir(), "another folder", "deeper", "mainforte"))
	if sha256.Sum256(first) != sha256.Sum256(second) {
		t.Error("two folders, two programs")
	}
	if n := packed(t, first); n > largestDownload {
		t.Errorf("%d bytes, more than %d", n, largestDownload)
	}
	t.Logf("%d bytes, SHA-256 %x", len(first), sha256.Sum256(first))
	return first
}

// build copies the tree to dir and runs a task there that makes bin/file.
func build(t *testing.T, task, file, dir string, env ...string) []byte {
	t.Helper()
	copyTree(t, root(t), dir)
	cmd := exec.Command("go", "run", taskProgram, task)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("task %s: %v\n%s", task, err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "bin", file))
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// copyTree copies the files that belong to the repository.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	list, err := exec.Command("git", "-C", from, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(from, name)); err != nil || !info.Mode().IsRegular() {
			continue // removed and not yet committed, or a link to what is installed
		}
		content, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// resources looks for what Windows must find in the program: that it is a
// windowed one, asks for no rights, scales a monitor at a time, and says in both
// languages what it is.
func resources(t *testing.T, exe []byte) {
	t.Helper()
	f, err := pe.NewFile(bytes.NewReader(exe))
	if err != nil {
		t.Fatal(err)
	}
	if h, ok := f.OptionalHeader.(*pe.OptionalHeader64); !ok || h.Subsystem != pe.IMAGE_SUBSYSTEM_WINDOWS_GUI {
		t.Error("a console flashes up when it is started")
	}
	section := f.Section(".rsrc")
	if section == nil {
		t.Fatal("the program has no resources")
	}
	rsrc, err := io.ReadAll(section.Open())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`level="asInvoker"`, "PerMonitorV2", "Microsoft.Windows.Common-Controls", "longPathAware", ">UTF-8<"} {
		if !bytes.Contains(rsrc, []byte(want)) {
			t.Errorf("the manifest lacks %s", want)
		}
	}
	taskfile, err := os.ReadFile(filepath.Join(root(t), "Taskfile.yml"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^  VERSION: (\S+)$`).FindSubmatch(taskfile)
	if version == nil {
		t.Fatal("the Taskfile has no version")
	}
	if !bytes.Contains(exe, version[1]) {
		t.Errorf("it does not call itself %s", version[1])
	}
	for _, want := range []string{string(version[1]) + ".0", "Mainforte assistance", "Assistance Mainforte", "040904B0", "0C0C04B0"} {
		wide := make([]byte, 0, 2*len(want))
		for _, u := range utf16.Encode([]rune(want)) {
			wide = binary.LittleEndian.AppendUint16(wide, u)
		}
		if !bytes.Contains(rsrc, wide) && !bytes.Contains(bytes.ToUpper(rsrc), bytes.ToUpper(wide)) {
			t.Errorf("the version information lacks %q", want)
		}
	}
}
