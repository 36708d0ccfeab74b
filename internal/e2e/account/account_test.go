package account

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/web"
)

const (
	soon     = 15 * time.Second
	password = "correct horse battery staple"
)

type visit struct {
	t *testing.T
	*stage.Browser
	axe  string
	url  string
	shot string
}

func (v *visit) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *visit) click(selector string) {
	v.t.Helper()
	v.must(v.WaitFor(soon, selector))
	v.must(v.Click(selector))
}

func (v *visit) fill(selector, text string) {
	v.t.Helper()
	v.must(v.WaitFor(soon, selector))
	v.must(v.Fill(selector, text))
}

func (v *visit) wait(expr string) {
	v.t.Helper()
	v.must(v.Wait(soon, expr))
}

func (v *visit) text(selector string) string {
	v.t.Helper()
	v.must(v.WaitFor(soon, selector))
	s, err := stage.Eval[string](v.Browser, stage.Element(selector)+".innerText")
	v.must(err)
	return s
}

// look holds the page as it stands to axe, and keeps a picture of it.
func (v *visit) look(name string) {
	v.t.Helper()
	found, err := stage.Eval[[]string](v.Browser, v.axe+`;axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => v.id + " " + v.nodes.map(n => n.target).join(" | ")))`)
	v.must(err)
	if len(found) > 0 {
		v.t.Errorf("%s: axe finds %q", name, found)
	}
	wide, err := stage.Eval[bool](v.Browser, "document.documentElement.scrollWidth > innerWidth")
	v.must(err)
	if wide {
		v.t.Errorf("%s is wider than the window", name)
	}
	if v.shot != "" {
		_, png, err := v.Screenshot()
		v.must(err)
		v.must(os.WriteFile(filepath.Join(v.shot, name+".png"), png, 0o644))
	}
}

// asked clicks on what hurts and calls it off; then it is asked again.
func (v *visit) asked(selector, name string) {
	v.t.Helper()
	before := v.text("main")
	v.click(selector)
	v.focusOn("confirm-not")
	v.look(name)
	v.must(v.Keys("\x1b"))
	v.wait(`document.querySelector("dialog") === null && document.activeElement.matches(` + strconv.Quote(selector) + `)`)
	if after := v.text("main"); after != before {
		v.t.Errorf("%s, called off, made of %q: %q", selector, before, after)
	}
	v.must(v.Keys("\r"))
	v.focusOn("confirm-not")
}

func (v *visit) focusOn(id string) {
	v.t.Helper()
	v.wait(`document.activeElement.id === ` + strconv.Quote(id))
}

func (v *visit) signOut() {
	v.t.Helper()
	v.click("#sign-out")
	v.must(v.WaitFor(soon, "#sign-in"))
}

func TestOnesOwnSignIn(t *testing.T) {
	if !web.Built() {
		t.Fatal("the front end is not built; run `task build:web` first")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	v := &visit{t: t, shot: os.Getenv("MAINFORTE_ARTEFACTS")}
	root, err := stage.Root(ctx)
	v.must(err)
	axe, err := os.ReadFile(filepath.Join(root, "web/node_modules/axe-core/axe.min.js"))
	v.must(err)
	v.axe = string(axe)
	file, err := stage.BuildServer(ctx, t.TempDir())
	v.must(err)
	addr, err := stage.FreeAddr()
	v.must(err)
	server, err := stage.StartServer(ctx, file, addr, filepath.Join(t.TempDir(), "data"), "--public-host", "localhost", "--organisation", "Exemple")
	v.must(err)
	defer func() { _ = server.Stop() }()
	v.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	v.Browser, err = stage.StartBrowser(ctx, stage.BrowserOptions{Width: 1100, Height: 1500})
	v.must(err)
	defer v.Close()

	// A device that holds passkeys and knows its owner.
	_, err = chromedp.Call(v.Context(), webauthn.Enable, webauthn.EnableParams{})
	v.must(err)
	_, err = chromedp.Call(v.Context(), webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	v.must(err)

	link, err := server.Link(ctx, "technician")
	v.must(err)
	v.must(v.Goto(strings.Replace(link, "127.0.0.1", "localhost", 1)))
	v.fill("#name", "Chloé")
	v.fill("#password", password)
	v.click("#submit")
	v.click("#account")

	// A passkey, and signing in with nothing else.
	v.must(v.WaitFor(soon, "#key-begin"))
	v.look("account-empty")
	v.click("#key-begin")
	v.fill("#key-name", "Work laptop \u202e<b>")
	v.click("#key-add")
	if got := v.text("#keys"); !strings.Contains(got, "Work laptop <b>") {
		t.Errorf("the keys: %q", got)
	}
	v.signOut()

	// By the password alone a code is not claimed: the page asks, and goes on with
	// what was typed. No host waits under it, which is told after the proof.
	v.fill("#name", "Chloé")
	v.fill("#password", password)
	v.click("#submit")
	v.click("#new-ticket")
	v.fill("#ticket-subject", "Printer")
	v.fill("#ticket-requester", "Paul")
	v.click("#create-ticket")
	v.click("#start-session")
	v.fill("#code", "482 913 706")
	v.must(v.Keys("\r"))
	v.must(v.WaitFor(soon, "#stepup-key"))
	v.look("stepup")
	v.click("#stepup-key")
	v.wait(stage.Element("#code-error") + `?.innerText.includes("Nobody")`)
	typed, err := stage.Eval[string](v.Browser, stage.Element("#code")+".value")
	v.must(err)
	if strings.ReplaceAll(typed, " ", "") != "482913706" {
		t.Errorf("what was typed is now %q", typed)
	}
	v.look("claimed")
	v.must(v.Goto(v.url + "/account"))
	v.signOut()
	v.look("signin")
	v.click("#passkey")
	v.click("#account")

	// An authenticator app: a code that is not its own does not count.
	v.click("#app-begin")
	secret := strings.ReplaceAll(v.text("#app-secret"), " ", "")
	v.look("account-app")
	v.fill("#app-code", "000000")
	v.click("#app-confirm")
	v.wait(`document.querySelector("#app-trouble").textContent !== ""`)
	code, err := totp.GenerateCode(secret, time.Now())
	v.must(err)
	v.fill("#app-code", code)
	v.click("#app-confirm")
	codes := strings.Fields(v.text("#recovery-codes ol"))
	v.look("account-codes")
	if len(codes) != 10 {
		t.Fatalf("recovery codes: %q", codes)
	}
	v.click("#recovery-done")
	if got := v.text("#recovery-left"); got != "10 are left." {
		t.Errorf("left: %q", got)
	}
	v.signOut()

	// Password, then a code. What failed is told afterwards.
	v.fill("#name", "chloé")
	v.fill("#password", "not the password")
	v.click("#submit")
	v.wait(`document.querySelector("#trouble").textContent.trim() !== ""`)
	v.fill("#password", password)
	v.click("#submit")
	v.must(v.WaitFor(soon, "#code"))
	v.look("signin-code")
	code, err = totp.GenerateCode(secret, time.Now().Add(30*time.Second))
	v.must(err)
	v.fill("#code", code)
	v.click("#submit")
	if got := v.text("#failures"); !strings.Contains(got, "1 try with your name failed") {
		t.Errorf("told: %q", got)
	}
	v.look("failures")
	v.click("#failures-read")
	v.signOut()

	// A recovery code in French, on a narrow screen, in the dark.
	v.must(v.Goto(v.url + "/?lang=fr"))
	v.must(chromedp.Do(v.Context(), chromedp.EmulateViewport(320, 1400)))
	v.must(v.Goto(v.url + "/signin?next=/account"))
	v.fill("#name", "Chloé")
	v.fill("#password", password)
	v.click("#submit")
	v.fill("#code", codes[7])
	v.click("#submit")
	if got := v.text("#recovery-left"); !strings.Contains(got, "9") {
		t.Errorf("left: %q", got)
	}
	v.look("account-narrow")

	// What hurts is asked once more: the way back has the focus, Escape does nothing.
	v.asked("#recovery-new", "confirm-recovery")
	v.click("#confirm")
	again := strings.Fields(v.text("#recovery-codes ol"))
	if len(again) != 10 || slices.Contains(again, codes[0]) {
		t.Errorf("new recovery codes: %q", again)
	}
	v.focusOn("recovery-codes")
	v.click("#recovery-done")
	v.focusOn("recovery-new")
	v.asked("#keys button", "confirm-key")
	v.click("#confirm")
	v.wait(`document.querySelector("#keys") === null`)
	v.focusOn("key-begin")
	v.asked("#app-remove", "confirm-app")
	v.click("#confirm")
	v.wait(`document.querySelector("#app-state, #recovery-left") === null`)
	v.focusOn("app-begin")
	for _, line := range v.Console() {
		if !strings.Contains(line, "401") {
			t.Errorf("the console: %s", line)
		}
	}
	if out := fmt.Sprint(server.Out); strings.Contains(out, secret) || strings.Contains(out, codes[0]) {
		t.Error("a secret stands in the server's output")
	}
}
