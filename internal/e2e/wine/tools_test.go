package wine

import (
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/input"

	"github.com/mainforte/mainforte/host/overlay"
	"github.com/mainforte/mainforte/host/raise"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// chooseFile makes the page choose one file of n letters.
const chooseFile = `((name, n) => { const data = new DataTransfer(); data.items.add(new File(['x'.repeat(n)], name));
 const input = document.querySelector('remote-session').shadowRoot.querySelector('#files-input'); input.files = data.files; input.dispatchEvent(new Event('change')); return true })`

// again asks once more for a grant that the person took back, and is refused.
func (s *scene) again(button string) {
	s.t.Helper()
	s.must(s.browser.Click(button))
	s.press("ask.deny")
}

// clip copies and pastes with notepad, which stands at a place and holds a text.
func (s *scene) clip(at image.Point, text string) {
	s.t.Helper()
	asks := []string{"#ask-clipboard_in", "#ask-clipboard_out"}
	s.must(s.browser.Click("#show-clip"))
	for _, ask := range asks {
		s.must(s.browser.Click(ask))
		s.press("ask.allow")
	}
	_, err := stage.Eval[bool](s.browser, `(write => { navigator.clipboard.writeText = t => { window.__copied = t; return write(t) }; return true })(navigator.clipboard.writeText.bind(navigator.clipboard))`)
	s.must(err)
	s.click(at)
	s.before("Notepad")
	s.x.Command(s.t, "xdotool", "key", "ctrl+a", "ctrl+c") // the person's own
	s.must(s.browser.Click("#clip-copy"))
	s.must(s.browser.Wait(10*time.Second, fmt.Sprintf("window.__copied?.trim() === %q", text)))
	s.must(s.browser.Click("#close-clip"))
	s.rest()
	_, err = stage.Eval[bool](s.browser, `navigator.clipboard.writeText('collé : é ß €').then(() => true)`)
	s.must(err)
	s.must(s.browser.ClickAt(s.on(at)))
	s.must(s.browser.Paste())
	read := func() string { return s.control("notepad's text", isClass("Edit")).Text }
	s.until("notepad has what the technician pasted", func() bool { return strings.Contains(read(), "collé : é ß €") }, read)
	s.raise()
	s.must(s.browser.Click("#show-clip"))
	for i, grant := range []string{"clipboard_in", "clipboard_out"} {
		s.take(grant)
		s.again(asks[i])
	}
	s.shot("clip")
	s.must(s.browser.Click("#close-clip"))
}

// marks draws a box over the desktop, where nothing else stands.
func (s *scene) marks() {
	s.t.Helper()
	s.must(s.browser.Click("#show-marks"))
	s.must(s.browser.Click("#ask-annotate"))
	s.press("ask.allow")
	s.must(s.browser.Click("#mark-box"))
	from, to := image.Pt(720, 60), image.Pt(960, 160)
	s.must(s.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, s.on(from), false))
	s.must(s.browser.Mouse(input.DispatchMouseEventTypeMousePressed, s.on(from), true))
	s.must(s.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, s.on(to), true))
	s.must(s.browser.Mouse(input.DispatchMouseEventTypeMouseReleased, s.on(to), true))
	ink := func() bool {
		c := s.xwd().RGBAAt(from.X, (from.Y+to.Y)/2)
		return uint32(c.R)<<16|uint32(c.G)<<8|uint32(c.B) == overlay.Colours[0]
	}
	s.until("the box is on the person's screen", ink)
	s.until("the desktop is seen beside it", func() bool {
		c := s.xwd().RGBAAt(900, 400)
		return c.R == 58 && c.G == 110 && c.B == 165 // see settings
	})
	s.desktopShot("marks")
	s.take("annotate")
	s.until("it went with the grant", func() bool { return !ink() })
	s.again("#ask-annotate")
	s.must(s.browser.Click("#close-marks"))
}

// computer walks what concerns the computer as a whole: that the session goes on once
// after a restart, and hands with an administrator's rights, which type into notepad.
// Wine starts them without a question of its own.
func (s *scene) computer() {
	s.t.Helper()
	s.must(s.browser.Click("#show-computer"))
	s.must(s.browser.Click("#ask-reconnect"))
	s.press("ask.allow")
	s.must(s.browser.WaitFor(10*time.Second, "#give-reconnect"))
	s.take("reconnect")
	s.again("#ask-reconnect")

	s.must(s.browser.Click("#ask-elevate"))
	s.press("ask.allow")
	s.must(s.browser.WaitFor(15*time.Second, "#give-elevate"))
	s.desktopShot("raised")
	if !s.raised() {
		s.t.Error("the hands are no process of their own")
	}
	at := s.free(s.control("notepad's text", isClass("Edit")).Bounds, hostClass)
	s.rest()
	read := func() string { return s.control("notepad's text", isClass("Edit")).Text }
	s.until("notepad has what the raised hands typed", func() bool {
		s.must(s.browser.ClickAt(s.on(at)))
		time.Sleep(300 * time.Millisecond) // it comes to the front
		s.must(s.browser.Keys("k"))
		return strings.Contains(read(), "k")
	}, read)
	s.take("elevate")
	s.until("the raised hands are gone", func() bool { return !s.raised() })
	s.again("#ask-elevate")
	s.must(s.browser.Wait(10*time.Second, fmt.Sprintf("%s?.textContent === %q", stage.Element("#elevate-state"), s.page("elevate.denied"))))
	s.must(s.browser.Click("#close-computer"))
}

// raised tells whether hands are there that are another process.
func (s *scene) raised() bool {
	s.t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	s.must(err)
	return slices.ContainsFunc(processes, func(p string) bool { // it may have ended meanwhile
		env, _ := os.ReadFile(filepath.Join(p, "environ"))
		line, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		return strings.Contains(string(env), "WINEPREFIX="+s.desktop.prefix.dir+"\x00") && strings.Contains(string(line), "\x00"+raise.Argument+"\x00")
	})
}

// tools walks what is not picture and hands: each is allowed by the person's click
// in the native window, used, taken back there, and refused when it is asked for
// once more.
func (s *scene) tools() {
	t := s.t
	gone := func(selector string) { s.must(s.browser.Wait(10*time.Second, stage.Element(selector)+" === null")) }
	reads := func(selector, text string) {
		t.Helper()
		s.must(s.browser.Wait(15*time.Second, fmt.Sprintf("%s?.textContent.includes(%q)", stage.Element(selector), text)))
	}

	// Words, both ways: they need no grant.
	s.must(s.browser.Click("#show-talk"))
	s.must(s.browser.Fill("#talk-text", "Voyez-vous l’icône ?"))
	s.must(s.browser.Click("#talk-send"))
	s.control("what the technician wrote", says("Voyez-vous l’icône ?"))
	s.tab("tab.talk", "talk.label")
	s.keyboard("Oui, je la vois", "Return")
	reads("#talk-lines", "Oui, je la vois")

	// What the computer is, and a picture of the screen.
	s.must(s.browser.Click("#talk-ask-system"))
	s.control("what would be read", says(s.texts.T("ask.sysinfo", "name", technician)))
	s.press("ask.allow")
	reads("#talk-sheet", "Windows")
	s.must(s.browser.Click("#talk-attach-system"))
	reads("#talk-status", s.page("talk.attached"))
	s.must(s.browser.Click("#talk-ask-picture"))
	s.press("ask.allow")
	s.must(s.browser.Wait(15*time.Second, stage.Element("#talk-review")+"?.open === true"))
	s.must(s.browser.Click("#talk-attach"))
	gone("#talk-review")
	s.tab("tab.rights", "private.open", "session.revoke.view")
	s.desktopShot("rights")
	s.take("sysinfo")
	s.take("screenshot")
	for _, ask := range []string{"#talk-ask-system", "#talk-ask-picture"} {
		s.again(ask)
		reads("#talk-status", s.page("talk.trouble.denied"))
	}

	// A file to the person's folder, and one from them.
	downloads, err := filepath.Glob(filepath.Join(s.desktop.prefix.dir, "drive_c", "users", "*", "Downloads"))
	if err != nil || len(downloads) != 1 {
		t.Fatalf("the folder for files: %v %v", downloads, err)
	}
	landed := filepath.Join(downloads[0], "Relevé 1.txt")
	t.Cleanup(func() {
		_ = os.Remove(landed)
		_ = os.Remove(landed + ".part:Zone.Identifier") // see winesOwn
	})
	s.must(s.browser.Click("#show-files"))
	choose := func(name string) {
		_, err := stage.Eval[bool](s.browser, chooseFile+fmt.Sprintf("(%q, 50000)", name))
		s.must(err)
	}
	choose("Relevé 1.txt")
	s.control("where it would land", says(`\Downloads`))
	s.press("ask.allow")
	s.transfer("done", 1)
	if b, err := os.ReadFile(landed); err != nil || len(b) != 50000 {
		t.Errorf("there landed %d bytes, %v", len(b), err)
	}
	s.must(s.browser.Click("#ask-file"))
	s.press("ask.allow")
	s.take("file_in")
	choose("Relevé 2.txt")
	s.press("ask.deny")
	s.transfer("failed", 1)

	given := filepath.Join(t.TempDir(), "given.txt")
	s.must(os.WriteFile(given, []byte("from the person"), 0o644))
	_, err = stage.Eval[bool](s.browser, `delete window.showSaveFilePicker, delete window.showDirectoryPicker`)
	s.must(err)
	s.tab("tab.files", "files.give")
	s.desktopShot("files")
	s.dialog("files.give", given)
	s.must(s.browser.Wait(15*time.Second, stage.Element(`[id^="accept-in-"]`)+" !== null"))
	s.must(s.browser.Click(`[id^="accept-in-"]`))
	s.transfer("done", 2)
	s.shot("files")
	s.tab("tab.rights", "private.open", "session.revoke.view")
	s.take("file_out")
	s.again("#ask-file")
	reads("#files-asked", s.page("files.deniedHint"))
}

// goodbye keeps the receipt, answers the one question and closes the window.
func (s *scene) goodbye() {
	s.t.Helper()
	receipt := filepath.Join(s.t.TempDir(), "receipt.txt")
	s.dialog("goodbye.keep", receipt)
	s.until("the receipt is kept", func() bool {
		b, _ := os.ReadFile(receipt)
		return strings.Contains(string(b), technician) && strings.Contains(string(b), "Relevé 1.txt")
	})
	s.clicks("the mark 4", func(c Control) bool { return c.Class == "Button" && Plain(c.Text) == "4" },
		func(c Control) bool { return Plain(c.Text) == s.texts.T("goodbye.send") })
	s.press("goodbye.send")
	s.control("that the answer arrived", says(s.texts.T("rate.thanks")))
	s.desktopShot("rated")
	s.press("ended.close")
}

// tab opens a part of the session's window, and waits for a control of that part.
func (s *scene) tab(key string, shows ...string) {
	s.t.Helper()
	text := s.texts.T(key)
	s.clicks("the tab "+text, func(c Control) bool { // with how much is new
		return c.Class == "Button" && (Plain(c.Text) == text || strings.HasPrefix(Plain(c.Text), text+" ("))
	}, func(c Control) bool {
		return slices.ContainsFunc(shows, func(key string) bool { return Plain(c.Text) == s.texts.T(key) })
	})
}

// take takes a grant back by the button in its row.
func (s *scene) take(grant string) {
	s.t.Helper()
	name := s.texts.Grant(grant)
	var row image.Rectangle // of the list as it is just being looked through, in which the name comes first
	s.clicks("the button that takes back "+name, func(c Control) bool {
		if c.Class == "Static" && c.Text == name {
			row = image.Rect(c.Bounds.Max.X, c.Bounds.Min.Y, Width, c.Bounds.Max.Y)
		}
		return c.Class == "Button" && c.Bounds.Overlaps(row)
	}, says(name+s.texts.T("colon")+s.texts.T("state.revoked")))
}

// dialog presses a button that opens one of the system's dialogs for files, and
// types a path there.
func (s *scene) dialog(key, path string) {
	s.t.Helper()
	s.clicks(s.texts.T(key), func(c Control) bool { return c.Class == "Button" && Plain(c.Text) == s.texts.T(key) },
		func(c Control) bool { return c.Class == "#32770" && c.Foreground })
	time.Sleep(300 * time.Millisecond) // the control within it follows
	s.x.Command(s.t, "xdotool", "key", "ctrl+a")
	s.keyboard(windowsPath(path), "Return")
}

// clicks clicks on something until what that does is to be seen: the window may have
// made room for a new line just then, and what stood there stands elsewhere.
func (s *scene) clicks(what string, on, until func(Control) bool) {
	s.t.Helper()
	var clicked time.Time
	s.until(what+" does its work", func() bool {
		all, err := s.desktop.Windows(s.ctx)
		s.must(err)
		if _, done := Find(all, until); done {
			return true
		}
		if at, there := Find(all, on); there && time.Since(clicked) > 2*time.Second {
			clicked = time.Now()
			s.click(middle(at.Bounds))
		}
		return false
	}, func() string { all, _ := s.desktop.Windows(s.ctx); return fmt.Sprintf("there is %+v", all) })
}

// keyboard types on the person's own keyboard.
func (s *scene) keyboard(text string, keys ...string) {
	s.t.Helper()
	s.x.Command(s.t, "xdotool", "type", "--delay", "4", text)
	s.x.Command(s.t, "xdotool", append([]string{"key"}, keys...)...)
}

// transfer waits until n transfers on the page are in a state.
func (s *scene) transfer(state string, n int) {
	s.t.Helper()
	s.must(s.browser.Wait(20*time.Second, fmt.Sprintf(`document.querySelector('remote-session').shadowRoot.querySelectorAll('#files-list > [data-state=%q]').length === %d`, state, n)))
}

// page is what the technician's page calls something.
func (s *scene) page(key string) string {
	s.t.Helper()
	file, err := os.ReadFile(filepath.Join(root, "viewer", "locales", s.lang+".json"))
	s.must(err)
	var texts map[string]string
	s.must(json.Unmarshal(file, &texts))
	return texts[key]
}
