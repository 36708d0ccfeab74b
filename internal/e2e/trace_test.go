package e2e

import (
	"bytes"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestNothingIsLeftBehind: a session that used everything leaves on the person's
// computer what they chose to receive, and nothing else: no file, no process, no
// socket, and on their X server no window, property, name or key.
func TestNothingIsLeftBehind(t *testing.T) {
	w := newWorld(t, "en")
	word := canaryWord()
	_, err := w.desktop.Run(w.ctx, "xterm", "-geometry", "60x10+20+300", "-u8", "-T", word, "-e", "sh", "-c", "while :; do read -r line; done")
	w.must(err)
	w.until("the terminal stands", func() bool {
		window, err := w.desktop.Output(w.ctx, "xwininfo", "-name", word)
		return err == nil && bytes.Contains(window, []byte("IsViewable"))
	})
	home, chosen := t.TempDir(), t.TempDir()
	for name, dir := range map[string]string{
		"HOME": "", "TMPDIR": "tmp", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data",
		"XDG_STATE_HOME": "state", "XDG_RUNTIME_DIR": "run",
	} {
		w.must(os.MkdirAll(filepath.Join(home, dir), 0o700))
		t.Setenv(name, filepath.Join(home, dir))
	}
	before := w.traces(home)

	w.live("What is left?")
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	w.must(w.browser.ClickAt(w.on(200, 350)))
	w.typeOnDesktop("é€ß") // keys that this keyboard does not have
	w.must(w.browser.Click("#show-marks"))
	w.must(w.browser.Click("#ask-annotate"))
	w.answer("annotate", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#mark-box"))
	w.must(w.browser.Click("#mark-box"))
	w.drag(image.Pt(100, 120), image.Pt(300, 200))
	w.until("the box is on the person's screen", func() bool { return w.ink(image.Pt(100, 160)) })
	w.must(w.browser.Click("#close-marks"))
	w.must(w.browser.Click("#show-talk"))
	w.must(w.browser.Click("#talk-ask-picture"))
	w.answer("screenshot", "allow")
	w.must(w.browser.Wait(15*time.Second, stage.Element("#talk-review")+"?.open === true"))
	w.must(w.browser.Click("#talk-cancel"))
	w.must(w.browser.Click("#talk-ask-system"))
	w.answer("sysinfo", "allow")
	w.must(w.browser.Wait(15*time.Second, stage.Element("#talk-sheet")+"?.textContent.length > 40"))
	w.must(w.browser.Click("#show-computer"))
	w.must(w.browser.Click("#ask-reconnect"))
	w.answer("reconnect", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-reconnect"))
	w.must(w.browser.Click("#close-computer"))
	w.must(w.browser.Click("#show-files"))
	_, err = stage.Eval[string](w.browser, chooseFiles+`('kept.bin', 100000, 7)`)
	w.must(err)
	q := w.hearAbout("file_in")
	w.must(w.host.Say(ui.Command{ID: q.ID, Answer: "allow", Folder: chosen}))
	w.fileState("in", "done")
	_, err = stage.Eval[string](w.browser, chooseFiles+`('half.bin', 60000000, 9)`)
	w.must(err)
	w.fileState("in", "running")
	during := w.traces(home)

	w.must(w.host.Say(ui.Command{Do: "stop"}))
	w.hear("ended")
	select {
	case <-w.host.Exited():
	case <-time.After(20 * time.Second):
		t.Fatal("the app does not leave")
	}
	after := w.traces(home)
	for i, name := range []string{"files", "processes", "windows", "properties and names", "keys"} {
		if after[i] != before[i] {
			t.Errorf("%s before:\n%s\nafter:\n%s", name, before[i], after[i])
		}
	}
	if !strings.Contains(during[0], "/state/mainforte/return\n") || !strings.Contains(during[0], "/config/autostart/mainforte-return.desktop\n") {
		t.Errorf("nothing was kept for a return that was allowed and not needed:\n%s", during[0])
	}
	if slices.Equal(before[1:], during[1:]) {
		t.Error("nothing was seen of the app while it ran")
	}
	if left, err := os.ReadDir(chosen); err != nil || len(left) != 1 || left[0].Name() != "kept.bin" {
		t.Errorf("in the chosen folder: %v, %v", left, err)
	}
}

// volatile is what any program changes on an X server: numbers, and what has the focus.
var volatile = regexp.MustCompile(`0x[0-9a-f]+|_NET_ACTIVE_WINDOW[^\n]*`)

// traces lists what a program may leave: files below a folder; its processes, and so
// its sockets; windows; properties of the root window; the keyboard.
func (w *world) traces(home string) [5]string {
	w.t.Helper()
	var list [5]string
	w.must(filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		list[0] += strings.TrimPrefix(path, home) + "\n"
		return err
	}))
	procs, err := filepath.Glob("/proc/[0-9]*")
	w.must(err)
	for _, p := range procs {
		env, _ := os.ReadFile(filepath.Join(p, "environ"))                                                   // it may have ended meanwhile
		if name, _ := os.ReadFile(filepath.Join(p, "comm")); strings.HasPrefix(string(name), "mainforte") && // or be another test's
			bytes.Contains(env, []byte("DISPLAY="+w.desktop.Display+"\x00")) {
			list[1] += string(name)
		}
	}
	for i, cmd := range [][]string{{"xwininfo", "-root", "-tree"}, {"xprop", "-root"}, {"xmodmap", "-pke"}} {
		out, err := w.desktop.Output(w.ctx, cmd[0], cmd[1:]...)
		w.must(err)
		list[2+i] = volatile.ReplaceAllString(string(out), "")
	}
	return list
}
