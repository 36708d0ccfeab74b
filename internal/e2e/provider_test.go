package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

const providerSecret = "a secret that nobody may read"

// startProvider runs a real OpenID provider that sends browsers back to redirect.
func startProvider(w *world, issuer, redirect string) {
	w.t.Helper()
	root, err := stage.Root(w.ctx)
	w.must(err)
	cmd := exec.CommandContext(w.ctx, "node", filepath.Join(root, "web/test/oidc-provider.mjs"), issuer, redirect, providerSecret)
	var errs stage.Tail
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	w.must(err)
	out, err := cmd.StdoutPipe()
	w.must(err)
	w.must(cmd.Start())
	w.t.Cleanup(func() {
		_ = in.Close() // which ends it
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	for said := bufio.NewScanner(out); said.Scan(); {
		if said.Text() == "ready" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	w.t.Fatalf("the provider did not start:\n%s", errs.String())
}

// asked answers the provider's question who it is.
func asked(w *world, b *stage.Browser, who string) {
	w.t.Helper()
	w.must(b.WaitFor(15*time.Second, `[name="login"]`))
	w.must(b.Fill(`[name="login"]`, who))
	w.must(b.Fill(`[name="password"]`, "any"))
	w.must(b.Click(`[type="submit"]`))
}

// A technician signs in at a real provider, helps somebody, and the person reads who
// vouches. Somebody in no group that may come in reads why not.
func TestATechnicianWhomAProviderVouchesFor(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { vouchedFor(t, lang) })
	}
}

func vouchedFor(t *testing.T, lang string) {
	addr, err := stage.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	issuer := "http://" + addr
	dir := t.TempDir()
	file := filepath.Join(dir, "providers.json")
	for name, text := range map[string]string{
		file: fmt.Sprintf(`{"providers": [{"name": "hospital", "label": "Hôpital Sainte-Anne", "issuer": %q, "client_id": "mainforte",
 "client_secret": {"file": "secret"}, "scopes": ["groups"], "groups": [{"group": "helpdesk", "role": "technician", "teams": ["Première ligne"]}]}]}`, issuer),
		filepath.Join(dir, "secret"): providerSecret,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorldServed(t, lang, 3*time.Minute, screenWidth, screenHeight, []string{"--sign-in", file})
	startProvider(w, issuer, w.server.URL+"/signin/back/hospital")

	// through goes to the provider, says who it is, and agrees.
	through := func(b *stage.Browser, who string) {
		w.t.Helper()
		w.must(b.Goto(w.server.URL + "/signin?next=%2Fconsole"))
		w.must(b.WaitFor(15*time.Second, "[data-provider]"))
		if who == "ana" {
			w.shot("sign-in")
		}
		w.must(b.Click("[data-provider]"))
		asked(w, b, who)
		w.must(b.Wait(15*time.Second, `document.querySelector('[value="consent"]')`))
		w.must(b.Click(`[type="submit"]`))
	}
	eve := startBrowser(w)
	through(eve, "eve")
	w.must(eve.WaitFor(15*time.Second, "#provider-trouble"))
	if _, png, err := eve.Screenshot(); err == nil {
		w.keep("no-group", png)
	}
	said, err := stage.Eval[string](eve, `document.querySelector('#provider-trouble').innerText`)
	w.must(err)
	if !strings.Contains(said, "aucun de vos groupes") {
		t.Errorf("somebody in no group reads %q", said)
	}

	through(w.browser, "ana")
	w.must(w.browser.WaitFor(20*time.Second, "#new-ticket"))
	if at, err := stage.Eval[string](w.browser, `location.href`); err != nil || at != w.server.URL+"/console" {
		t.Errorf("after signing in: %s, %v", at, err)
	}

	// That the provider knows the browser is no proof: for a factor of her own it asks again.
	w.must(w.browser.Goto(w.server.URL + "/account"))
	w.must(w.browser.Click("#app-begin"))
	w.must(w.browser.WaitFor(15*time.Second, "#stepup-there"))
	w.shot("step-up")
	w.must(w.browser.Click("#stepup-there"))
	asked(w, w.browser, "ana")
	w.must(w.browser.WaitFor(15*time.Second, "#app-begin"))
	w.must(w.browser.Click("#app-begin"))
	w.must(w.browser.WaitFor(15*time.Second, "#app-secret"))

	w.must(w.browser.Goto(w.server.URL + "/console"))
	w.url = w.server.URL
	w.newSession("L’imprimante ne répond plus", "Zoé Côté")
	w.typeCode(w.startHost())
	q := w.hear("ask")
	if q.Technician == nil || q.Technician.Name != "Ana Tremblay" || q.Technician.SignedIn != "oidc:Hôpital Sainte-Anne" {
		t.Errorf("the person is told of %+v", q.Technician)
	}
	if out := w.server.Out.String(); strings.Contains(out, providerSecret) {
		t.Error("the secret stands in the server's output")
	}
}
