package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// chooseFiles makes the page choose one made file of n bytes, and returns its hash.
const chooseFiles = `(async (name, n, seed) => {
 const bytes = new Uint8Array(n); let x = seed; for (let i = 0; i < n; i++) { x = (x * 1103515245 + 12345) & 0x7fffffff; bytes[i] = x >> 16 }
 const data = new DataTransfer(); data.items.add(new File([bytes], name));
 const input = document.querySelector('remote-session').shadowRoot.querySelector('#files-input'); input.files = data.files; input.dispatchEvent(new Event('change'));
 return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), b => b.toString(16).padStart(2, '0')).join('') })`

// TestFilesGoBothWays walks the whole feature: a file to the person after their yes,
// one that they cancel, a folder that they give, what both see, and the log.
func TestFilesGoBothWays(t *testing.T) {
	w := newWorld(t, "fr")
	chosen, from := t.TempDir(), t.TempDir()
	w.live("Fichiers")

	// To the person: it waits for the yes, and lands where the person says.
	w.must(w.browser.Click("#show-files"))
	w.shot("files-empty")
	sum, err := stage.Eval[string](w.browser, chooseFiles+`('Relevé <1>.bin', 3000000, 7)`)
	w.must(err)
	q := w.hearAbout("file_in")
	if q.Folder == "" {
		t.Error("the person is not told where files land")
	}
	w.must(w.host.Say(ui.Command{ID: q.ID, Answer: "allow", Folder: chosen}))
	w.fileState("in", "done")
	w.filesShow("done", 1)
	content, err := os.ReadFile(filepath.Join(chosen, "Relevé _1_.bin"))
	w.must(err)
	if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum || len(content) != 3_000_000 {
		t.Errorf("another file has landed: %d bytes, %x, want %s", len(content), got, sum)
	}

	// From the person, a folder: nothing before their yes, then what they name.
	w.must(os.MkdirAll(filepath.Join(from, "Données", "2026"), 0o755))
	given := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	w.must(os.WriteFile(filepath.Join(from, "Données", "2026", "grand.txt"), given, 0o644))
	w.must(os.WriteFile(filepath.Join(from, "Données", "vide.txt"), nil, 0o644))
	w.must(os.WriteFile(filepath.Join(from, "seul.txt"), given[:1000], 0o644))
	// The pickers of files cannot be operated by a test.
	_, err = stage.Eval[bool](w.browser, `delete window.showSaveFilePicker, delete window.showDirectoryPicker`)
	w.must(err)
	w.must(w.browser.Click("#ask-file"))
	w.answer("file_out", "allow")
	w.must(w.host.Say(ui.Command{Do: "give", Paths: []string{filepath.Join(from, "Données")}}))
	w.must(w.host.Say(ui.Command{Do: "give", Paths: []string{filepath.Join(from, "seul.txt")}}))
	w.must(w.browser.WaitFor(10e9, "#accept-in-2"))
	w.shot("files-offered")
	w.must(w.browser.Click("#accept-in-2"))
	w.fileState("out", "done")
	w.must(w.browser.WaitFor(10e9, "#accept-in-4"))
	w.filesShow("done", 2)
	kept, err := stage.Eval[string](w.browser, `(async () => { const sums = []; for await (const dir of (await navigator.storage.getDirectory()).values()) for await (const f of dir.values())
 sums.push(Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', await (await f.getFile()).arrayBuffer())), b => b.toString(16).padStart(2, '0')).join('')); return sums.join() })()`)
	w.must(err)
	out := sha256.Sum256(given)
	if !strings.Contains(kept, hex.EncodeToString(out[:])) {
		t.Errorf("the browser has %s", kept)
	}
	w.must(w.browser.Click("#cancel-in-4")) // the technician does not want it
	w.fileState("out", "cancelled")
	w.shot("files-done")

	// One that the person cancels: nothing of it stays.
	_, err = stage.Eval[string](w.browser, chooseFiles+`('gros.bin', 60000000, 9)`)
	w.must(err)
	f := w.fileState("in", "running")
	w.must(w.host.Say(ui.Command{Do: "cancel_file", ID: f.ID}))
	w.fileState("in", "cancelled")
	w.until("the technician sees that it was stopped", func() bool { return w.rows("cancelled")+w.rows("failed") == 2 })
	w.shot("files-cancelled")
	if left, err := os.ReadDir(chosen); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}

	w.must(w.host.Say(ui.Command{Do: "stop"}))
	w.hear("ended")
	w.state("ended")
	log := w.log()
	for _, want := range []string{sum, hex.EncodeToString(out[:]), "file.cancelled"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	w.noComplaints()
}

// hearAbout waits for the question about a grant.
func (w *world) hearAbout(grant string) ui.Event {
	w.t.Helper()
	for {
		if q := w.hear("ask"); q.Grant == grant {
			return q
		}
	}
}

// fileState waits until the person is shown a transfer in a state.
func (w *world) fileState(way, state string) *ui.File {
	w.t.Helper()
	for {
		if e := w.hear("file"); e.File.Way == way && e.File.State == state {
			return e.File
		}
	}
}

// rows is how many transfers the technician sees in a state.
func (w *world) rows(state string) int {
	n, err := stage.Eval[int](w.browser, fmt.Sprintf(`document.querySelector('remote-session').shadowRoot.querySelectorAll('#files-list > [data-state="%s"]').length`, state))
	w.must(err)
	return n
}

// filesShow waits until the technician sees n transfers in a state.
func (w *world) filesShow(state string, n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%d transfers are %s", n, state), func() bool { return w.rows(state) == n })
}
