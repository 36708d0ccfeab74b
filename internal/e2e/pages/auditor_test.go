package pages

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestAnAuditorFindsASessionAndProvesIt: by what was allowed, by a file's hash and by a
// filter that is kept; the time axis; the verdict in one sentence; the file to take
// away; and the own look stands in the log.
func TestAnAuditorFindsASessionAndProvesIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	program, err := stage.BuildServer(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := newHouse(ctx, t, program, "fr")
	w.cookie = w.join("technician", "Anaïs Tremblay")
	w.goTo("/signin")
	w.enter("Anaïs Tremblay")
	w.wait("#new-ticket")
	made := w.post("/api/v1/tickets", `{"subject":"Imprimante","requester":"Zoé Côté","lang":"fr"}`)
	_, rest, _ := strings.Cut(made, `"id":"`)
	w.ticket, _, _ = strings.Cut(rest, `"`)
	w.aSession()
	w.leave()

	w.as("auditor", "Auditrice", "/audit")
	w.wait("#sessions tbody tr")
	empty := `document.querySelector("#sessions tbody tr") === null && document.querySelector(".empty") !== null`
	choose := func(id, value string) {
		t.Helper()
		if _, err := stage.Eval[bool](w.browser, fmt.Sprintf(`(e => { e.value = %q; e.dispatchEvent(new Event("change", {bubbles: true})); return true })(document.querySelector(%q))`, value, id)); err != nil {
			t.Fatal(err)
		}
	}
	choose("#filter-grant", "control")
	w.must(w.browser.Wait(soon, empty))
	choose("#filter-grant", "view")
	w.wait("#sessions tbody tr")
	w.click("#filter-keep")
	w.must(w.browser.Fill("#filter-name", "Écran vu"))
	w.must(w.browser.Keys("\r"))
	w.wait("#kept li")
	w.click("#filter-clear")
	w.must(w.browser.Fill("#session-search", strings.Repeat("cd", 32)))
	w.must(w.browser.Wait(soon, empty))
	w.must(w.browser.Fill("#session-search", strings.Repeat("ab", 32))) // of the file that went over
	w.wait("#sessions tbody tr")
	w.goTo("/audit")
	w.click("#kept li button") // it is still there
	w.must(w.browser.Wait(soon, `document.querySelector("#filter-grant")?.value === "view"`))
	w.click("#sessions a")
	w.wait("#timeline svg")
	bars, err := stage.Eval[int](w.browser, `document.querySelectorAll("#timeline .grant rect").length`)
	w.must(err)
	if bars != 1 {
		t.Errorf("the axis has %d bars for what was allowed", bars)
	}
	w.must(w.browser.Wait(soon, `document.querySelector("#events tbody tr:last-child")?.dataset.event === "log.viewed"`))
	w.click("#run-proof")
	w.must(w.browser.Wait(2*soon, `document.querySelector("#verdict")?.dataset.verdict === "unproven" && document.querySelector("#verdict strong + *, #verdict p + p") !== null`))
	into := t.TempDir()
	_, err = chromedp.Call(w.browser.Context(), browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: into})
	w.must(err)
	w.click(`[data-format="html"]`)
	var report []byte
	for deadline := time.Now().Add(soon); len(report) == 0; time.Sleep(20 * time.Millisecond) {
		files, _ := filepath.Glob(filepath.Join(into, "*.html"))
		if len(files) == 1 {
			report, err = os.ReadFile(files[0])
			w.must(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no report")
		}
	}
	session, err := stage.Eval[string](w.browser, `new URLSearchParams(location.search).get("session")`)
	w.must(err)
	if session == "" || !strings.Contains(string(report), session) {
		t.Errorf("the report is not that of session %s", session)
	}
}
