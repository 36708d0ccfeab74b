package e2e

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/clipboard/clipboardtest"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestTheClipboardGoesBothWays walks the whole feature between two X servers, the
// person's and the technician's, on which other programs copy and paste: refused,
// allowed, text and picture each way, by the button and by the keys, and taken back.
func TestTheClipboardGoesBothWays(t *testing.T) {
	t.Parallel() // with the other that is: both wait most of their time
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { bothWays(t, lang) })
	}
}

func bothWays(t *testing.T, lang string) {
	seat, err := stage.StartDesktop(t.Context(), 1600, 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(seat.Stop)
	w := newWorldSeen(t, lang, 4*time.Minute, screenWidth, screenHeight, nil, stage.BrowserOptions{Display: seat.Display})
	typed := filepath.Join(t.TempDir(), "typed.txt")
	_, err = w.desktop.Run(w.ctx, "xterm", "-geometry", "80x20+20+40", "-fa", "DejaVu Sans Mono", "-fs", "11", "-u8", "-T", "Notes",
		"-xrm", "XTerm*selectToClipboard: true", "-e", "sh", "-c", "stty raw -echo; exec cat > "+typed)
	w.must(err)
	there, here := clipboardtest.NewProgram(t, w.desktop.Display), clipboardtest.NewProgram(t, seat.Display)
	text := func(s string) clipboard.Content { return clipboard.Content{Kind: clipboard.Text, Data: []byte(s)} }
	picture := clipboard.Content{Kind: clipboard.PNG, Data: clipboardtest.Picture(t, 300, 200)}
	keys := func(keys ...string) { // on the technician's own keyboard
		_, err := seat.Output(w.ctx, "xdotool", append([]string{"key"}, keys...)...)
		w.must(err)
	}
	answered := func(grant, answer, shown string) {
		w.must(w.browser.Click("#ask-" + grant))
		w.answer(grant, answer)
		w.must(w.browser.Wait(10*time.Second, fmt.Sprintf("%s.closest('.clip-way').innerText.includes(%q)", stage.Element("#ask-"+grant), w.texts(shown))))
	}
	pasted := func(want string) { // there
		t.Helper()
		read := func() string { b, _ := os.ReadFile(typed); return string(b) }
		w.until("the keys paste "+want, func() bool { return strings.HasSuffix(read(), want) }, read)
	}

	w.live("Copier et coller")
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	w.must(w.browser.Click("#show-clip"))
	w.shot("clip-off")

	// From the person: nothing without their yes, nothing from before it, then what they copy.
	there.Copy(text("copié avant l’accord"), false)
	answered("clipboard_out", "deny", "clip.denied")
	answered("clipboard_out", "allow", "clip.outAllowed")
	if w.has("#clip-copy") {
		t.Error("what was copied before the yes is offered")
	}
	there.Copy(text("copié, après : é€"), false)
	w.must(w.browser.WaitFor(10*time.Second, "#clip-copy"))
	w.shot("clip-news")
	w.must(w.browser.Click("#clip-copy"))
	w.until("the text is on the technician's clipboard", func() bool { return string(here.Paste(clipboard.Text)) == "copié, après : é€" })
	there.Copy(picture, false)
	w.must(w.browser.WaitFor(10*time.Second, "#clip-copy"))
	w.must(w.browser.Click("#clip-copy"))
	w.until("the picture is", func() bool { return samePicture(here.Paste(clipboard.PNG), picture.Data) })

	// What the technician copies there comes by itself.
	w.must(w.browser.Click("#close-clip"))
	w.must(w.browser.ClickAt(w.on(200, 350)))
	keys("ctrl+Insert")
	there.Copy(text("marqué"), false) // as a program does that has these keys
	w.until("what was copied there is here", func() bool { return string(here.Paste(clipboard.Text)) == "marqué" })

	// To the person: without their yes the keys paste what is there already, then what is here.
	here.Copy(text("refusé"), false)
	w.must(w.browser.Click("#show-clip"))
	answered("clipboard_in", "deny", "clip.denied")
	w.must(w.browser.ClickAt(w.on(200, 350)))
	keys("shift+Insert")
	pasted("marqué")
	answered("clipboard_in", "allow", "clip.inAllowed")
	here.Copy(text("collé « ici » : ß"), false)
	w.must(w.browser.ClickAt(w.on(200, 350)))
	keys("shift+Insert")
	pasted("collé « ici » : ß")
	here.Copy(picture, false)
	keys("shift+Insert")
	w.until("the picture is on the person's clipboard", func() bool { return samePicture(there.Paste(clipboard.PNG), picture.Data) })
	w.shot("clip-both")

	// The person takes both back.
	w.must(w.host.Say(ui.Command{Do: "revoke", Grant: "clipboard_in"}))
	w.must(w.host.Say(ui.Command{Do: "revoke", Grant: "clipboard_out"}))
	w.until("the technician sees it", func() bool {
		n, err := stage.Eval[int](w.browser, `document.querySelector('remote-session').shadowRoot.querySelectorAll('.clip-way[data-state="no"]').length`)
		return err == nil && n == 2
	})
	there.Copy(text("à la personne"), false)
	here.Copy(text("repris"), false)
	w.must(w.browser.ClickAt(w.on(200, 350)))
	keys("shift+Insert")
	pasted("à la personne")
	if w.has("#clip-copy") || string(here.Paste(clipboard.Text)) != "repris" {
		t.Error("what the person copies is still told of")
	}
	w.shot("clip-revoked")

	w.must(w.host.Say(ui.Command{Do: "stop"}))
	w.hear("ended")
	w.state("ended")
	log := w.log()
	if n := strings.Count(log, "clipboard.sent"); n != 5 {
		t.Errorf("the log knows of %d", n)
	}
	for _, word := range []string{"marqué", "collé", "copié", "refusé"} {
		if strings.Contains(log, word) {
			t.Errorf("the log has %q", word)
		}
	}
	w.noComplaints()
}

// samePicture tells whether two PNGs have the same pixels: a browser writes its own.
func samePicture(a, b []byte) bool {
	one, err := png.Decode(bytes.NewReader(a))
	if err != nil {
		return false
	}
	two, err := png.Decode(bytes.NewReader(b))
	if err != nil || one.Bounds() != two.Bounds() {
		return false
	}
	for y := range one.Bounds().Dy() {
		for x := range one.Bounds().Dx() {
			p, q := image.Pt(x, y).Add(one.Bounds().Min), image.Pt(x, y).Add(two.Bounds().Min)
			r, g, b, a := one.At(p.X, p.Y).RGBA()
			r2, g2, b2, a2 := two.At(q.X, q.Y).RGBA()
			if r>>8 != r2>>8 || g>>8 != g2>>8 || b>>8 != b2>>8 || a>>8 != a2>>8 {
				return false
			}
		}
	}
	return true
}

// has tells whether the page shows something.
func (w *world) has(selector string) bool {
	w.t.Helper()
	yes, err := stage.Eval[bool](w.browser, "Boolean("+stage.Element(selector)+")")
	w.must(err)
	return yes
}
