package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// pages is a server and a browser, without host and desktop. Package internal/e2e/pages
// holds the states of their pages to axe.
type pages struct {
	*world
}

func newPages(t *testing.T, lang string, serve ...string) *pages {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, lang: lang}
	addr, err := stage.FreeAddr()
	w.must(err)
	w.server, err = stage.StartServer(ctx, programs.Signaling, addr, filepath.Join(t.TempDir(), "data"), serve...)
	w.must(err)
	t.Cleanup(func() { _ = w.server.Stop() })
	w.url = w.server.URL
	w.browser = startBrowser(w)
	t.Cleanup(func() {
		if t.Failed() {
			w.shot("failed")
			t.Logf("server:\n%s", tail(w.server.Out.String()))
			t.Logf("console: %q", w.browser.Console())
		}
	})
	return &pages{w}
}

func startBrowser(w *world) *stage.Browser {
	w.t.Helper()
	b, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: w.lang + "-CA", Width: 1280, Height: 900})
	w.must(err)
	w.t.Cleanup(b.Close)
	return b
}

// secondOrigin lets a page of another origin, to which the browser sends the admin's
// own cookie (another port is the same site), try what it can: P15.
func (p *pages) secondOrigin() {
	p.t.Helper()
	saw := make(chan http.Header, 1)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case saw <- r.Header:
		default:
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>evil</title>")
	}))
	p.t.Cleanup(evil.Close)
	b, err := p.browser.Tab()
	p.must(err)
	p.t.Cleanup(b.Close)
	p.must(b.Goto(evil.URL))
	if h := <-saw; !strings.Contains(h.Get("Cookie"), "mf=") {
		p.t.Fatalf("the browser sends no cookie there, so this proves nothing: %v", h)
	}
	got, err := stage.Eval[map[string]string](b, fmt.Sprintf(`(async () => { const at = %q, out = {};
 const post = async (name, path, kind, mode) => { try { const r = await fetch(at + path, {method: 'POST', mode, credentials: 'include', headers: {'Content-Type': kind}, body: '{"name":"evil","tier":1}'}); out[name] = String(r.status) } catch { out[name] = 'refused' } };
 await post('json', '/api/v1/teams', 'application/json', 'cors');
 await post('plain', '/api/v1/teams', 'text/plain', 'no-cors');
 try { await (await fetch(at + '/api/v1/users', {credentials: 'include'})).text(); out.read = 'read' } catch { out.read = 'refused' }
 for (const [name, path] of [['viewer', '/ws/viewer'], ['host', '/ws/host']]) out[name] = await new Promise(done => { const w = new WebSocket(at.replace('http', 'ws') + path); w.onopen = () => done('open'); w.onerror = () => done('refused') });
 const f = document.createElement('form'); f.method = 'post'; f.action = at + '/api/v1/teams'; f.enctype = 'text/plain'; const i = document.createElement('input'); i.name = '{"name":"evil","tier":1,"x":"'; i.value = '"}'; f.append(i); document.body.append(f);
 setTimeout(() => f.submit(), 0); return out })()`, p.url))
	p.must(err)
	want := map[string]string{"json": "refused", "plain": "refused", "read": "refused", "viewer": "refused", "host": "refused"}
	if !maps.Equal(got, want) {
		p.t.Errorf("a second origin: %v, want %v", got, want)
	}
	// The form's answer is shown: our own refusal.
	p.must(b.Wait(10*time.Second, `location.href.startsWith(`+fmt.Sprintf("%q", p.url)+`) && document.body.innerText.includes('CROSS_ORIGIN')`))
	teams, err := stage.Eval[string](p.browser, `fetch('/api/v1/teams').then(r => r.text())`)
	p.must(err)
	if strings.Contains(teams, "evil") || !strings.Contains(teams, "Réseau") {
		p.t.Errorf("another origin made a team: %s", teams)
	}
}

// An admin invites somebody, makes a team, changes a role, closes an account, and
// the open page of the one whom it is about knows at once. What can be taken back is
// taken back; the last admin stays; every change stands in the list.
func TestAnAdminDecidesWhoMayDoWhat(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { decides(t, lang) })
	}
}

func decides(t *testing.T, lang string) {
	p := newPages(t, lang)
	p.signIn(p.browser, "admin", "Odile Roy")
	p.must(p.browser.Wait(15*time.Second, `location.pathname !== '/signin' && !location.pathname.startsWith('/signin/')`))
	p.must(p.browser.Goto(p.url + "/admin?view=teams"))
	p.must(p.browser.WaitFor(15*time.Second, "#new-team"))
	p.must(p.browser.Click("#new-team"))
	p.must(p.browser.Fill("#team-name", "Réseau"))
	p.must(p.browser.Click("#save-team"))
	p.must(p.browser.WaitFor(10*time.Second, "[data-team]"))
	p.must(p.browser.Click("#new-team"))
	p.must(p.browser.Fill("#team-name", "réseau"))
	p.must(p.browser.Click("#save-team"))
	p.must(p.browser.Wait(10*time.Second, `document.querySelector('#team-name-trouble').textContent !== ''`))
	p.shot("team-taken")
	p.must(p.browser.Goto(p.url + "/admin"))

	// A new person, by a link that is shown once.
	p.must(p.browser.WaitFor(10*time.Second, "#invite"))
	p.must(p.browser.Click("#invite"))
	p.must(p.browser.Fill("#invite-name", `Ana <b>"Tremblay"</b>`+strings.Repeat("W", 40)))
	p.must(p.browser.Click(`#invite-dialog [name="team"]`))
	p.shot("invite")
	p.must(p.browser.Click("#make-link"))
	p.must(p.browser.WaitFor(10*time.Second, "#one-time"))
	link, err := stage.Eval[string](p.browser, `document.querySelector('#one-time').value`)
	p.must(err)
	p.shot("link")
	ana := startBrowser(p.world)
	p.must(ana.Goto(link))
	p.must(ana.Fill("#password", "correct horse battery staple"))
	p.must(ana.Click("#submit"))
	p.must(ana.WaitFor(15*time.Second, "#new-ticket"))

	// Another role: her open page learns it at once.
	p.must(p.browser.Goto(p.url + "/admin"))
	row := `[...document.querySelectorAll('#people .row')].find(b => b.textContent.includes('Ana'))`
	open := func() {
		p.t.Helper()
		p.must(p.browser.Wait(10*time.Second, row))
		_, err := stage.Eval[bool](p.browser, row+`.click(), true`)
		p.must(err)
		p.must(p.browser.WaitFor(10*time.Second, "#person-dialog"))
	}
	open()
	p.shot("person")
	p.must(p.browser.Click(`#person-dialog [value="supervisor"]`))
	p.must(p.browser.Click("#save-person"))
	p.must(p.browser.WaitFor(5*time.Second, "#confirm"))
	p.shot("confirm")
	p.must(p.browser.Click("#confirm"))
	p.must(p.browser.WaitFor(5*time.Second, "#undo"))
	p.must(ana.WaitFor(15*time.Second, `.problem a[href^="/signin"]`))
	if _, png, err := ana.Screenshot(); err == nil {
		p.keep("signed-out", png)
	}
	role := func(is string) {
		p.t.Helper()
		p.must(p.browser.Wait(10*time.Second, `(b => b && b.closest('tr').cells[1].textContent === `+is+`)(`+row+`)`))
	}
	role(`'Superviseur'`)
	p.shot("changed")
	p.must(p.browser.Click("#undo"))
	role(`'Technicien'`)

	// An account is closed, and opened again.
	open()
	p.must(p.browser.Click("#close-account"))
	p.must(p.browser.Click("#confirm"))
	p.must(p.browser.Wait(10*time.Second, `!(`+row+`)`))
	p.must(p.browser.Click(`[name="people-state"][value="closed"]`))
	p.must(p.browser.Wait(10*time.Second, row))
	p.shot("closed")
	open()
	p.must(p.browser.Click("#reopen"))
	p.must(p.browser.Wait(10*time.Second, `!(`+row+`)`))

	// The last admin stays.
	p.must(p.browser.Goto(p.url + "/admin"))
	p.must(p.browser.WaitFor(10*time.Second, "#people .row"))
	_, err = stage.Eval[bool](p.browser, `[...document.querySelectorAll('#people .row')].find(b => b.textContent === 'Odile Roy').click(), true`)
	p.must(err)
	p.must(p.browser.Click("#close-account"))
	p.must(p.browser.Click("#confirm"))
	p.must(p.browser.WaitFor(10*time.Second, "#person-dialog .problem"))
	p.shot("last-admin")

	p.must(p.browser.Goto(p.url + "/admin?view=changes"))
	p.must(p.browser.WaitFor(10*time.Second, `#changes [data-type="auth.enabled"]`))
	p.shot("changes")
	types, err := stage.Eval[string](p.browser, `[...document.querySelectorAll('#changes tbody tr')].map(r => r.dataset.type).join(' ')`)
	p.must(err)
	if want := "auth.enabled auth.disabled auth.role_changed auth.role_changed team.joined auth.link_used auth.link_created team.created auth.link_used auth.link_created auth.link_created"; types != want {
		t.Errorf("the changes: %s", types)
	}
	p.secondOrigin()
	if said := strings.Join(p.browser.Console(), "\n"); strings.Contains(said, "Security Policy") || strings.Contains(said, "TrustedType") || strings.Contains(said, "Uncaught") {
		t.Errorf("the console: %s", said)
	}
}
