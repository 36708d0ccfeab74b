package netns

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"image"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainforte/mainforte/certs"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

// TestMain builds the programs, then runs the tests again in namespaces.
func TestMain(m *testing.M) {
	if Inside() {
		if err := Prepare(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	os.Exit(outside())
}

const programsDir = "MAINFORTE_NETNS_PROGRAMS"

func outside() int {
	fail := func(err error) int { fmt.Fprintln(os.Stderr, err); return 1 }
	if !viewer.Built() || !web.Built() {
		return fail(fmt.Errorf("netns: the front end is not built; run `task build:web` first"))
	}
	if _, err := exec.LookPath("certutil"); err != nil {
		return fail(fmt.Errorf("netns: certutil (package libnss3-tools) tells Chromium whom to trust: %w", err))
	}
	dir, err := os.MkdirTemp("", "mainforte-netns-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if _, err := stage.Build(context.Background(), dir); err != nil {
		return fail(err)
	}
	if err := os.Setenv(programsDir, dir); err != nil {
		return fail(err)
	}
	code, err := Enter()
	if err != nil {
		return fail(err)
	}
	return code
}

func program(name string) string { return filepath.Join(os.Getenv(programsDir), name) }

// scene is the whole product in a net: the server's certificate is real TLS by an
// authority that browser and host were told to trust, and nothing is switched off.
type scene struct {
	t       *testing.T
	ctx     context.Context
	net     *Net
	url     string
	data    string
	desktop *stage.Desktop
	host    *stage.Host
	browser *stage.Browser
	seen    int
	ca      string
	code    string
}

const width, height = 800, 600

func newScene(t *testing.T, o Options) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	s := &scene{t: t, ctx: ctx, data: filepath.Join(t.TempDir(), "data")}
	var err error
	s.net, err = New(t.TempDir(), o)
	s.must(err)
	t.Cleanup(func() {
		if err := s.net.Close(); err != nil {
			t.Error(err)
		}
	})
	name := Server4
	s.url = "https://" + Server4
	switch {
	case o.IPv6Only:
		name, s.url = Server6, "https://["+Server6+"]"
	case o.Mixed:
		name, s.url = Name, "https://"+Name
	}
	s.trust(name)
	s.startServer(name)
	s.desktop, err = stage.StartDesktop(ctx, width, height)
	s.must(err)
	t.Cleanup(s.desktop.Stop)
	s.browser, err = stage.StartBrowser(ctx, stage.BrowserOptions{})
	s.must(err)
	t.Cleanup(s.browser.Close)
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// trust makes the certificate, and a home for Chromium whose store holds its
// authority. Chromium checks the certificate of TURN over TLS as it does a page's.
func (s *scene) trust(name string) {
	s.t.Helper()
	home := s.t.TempDir()
	_, err := certs.Dev(home, []string{name}, time.Now())
	s.must(err)
	s.ca = filepath.Join(home, certs.CAFile)
	store := filepath.Join(home, ".pki", "nssdb")
	s.must(os.MkdirAll(store, 0o700))
	s.must(run("certutil", "-d", "sql:"+store, "-N", "--empty-password"))
	s.must(run("certutil", "-d", "sql:"+store, "-A", "-t", "C,,", "-n", "mainforte", "-i", s.ca))
	s.t.Setenv("HOME", home)
}

func (s *scene) startServer(name string) {
	s.t.Helper()
	file, err := s.net.Program(Server, program("mainforte-signaling"))
	s.must(err)
	home := filepath.Dir(s.ca)
	// On every address, as an operator would.
	cmd := exec.CommandContext(s.ctx, file, "serve", "--listen", ":443", "--public-host", name, "--data", s.data, "--verbose",
		"--cert", filepath.Join(home, certs.CertFile), "--key", filepath.Join(home, certs.KeyFile))
	out := &stage.Tail{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.must(cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("the server: %v", err)
		}
		if s.t.Failed() {
			s.t.Logf("server:\n%s", out)
		}
	})
	pem, err := os.ReadFile(s.ca)
	s.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 2 * time.Second}
	defer c.CloseIdleConnections()
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		res, err := c.Get(s.url + "/healthz")
		if err == nil {
			res.Body.Close()
			return
		}
		if time.Now().After(until) {
			s.t.Fatalf("the server is not reached: %v\n%s", err, out)
		}
	}
}

// session brings a session up to a picture on the technician's page.
func (s *scene) session() {
	s.t.Helper()
	// The host first: the person reads the warning about a server that is not their
	// computer's own while the technician signs in.
	file, err := s.net.Program(Host, program("mainforte-host"))
	s.must(err)
	s.host, err = stage.StartHost(s.ctx, file, s.desktop.Display, s.url, "en", "--ca", s.ca, "--verbose")
	s.must(err)
	b := s.browser
	s.t.Cleanup(func() {
		_ = s.host.Stop()
		if s.t.Failed() {
			way, _ := stage.Eval[[]string](b, "window.__way")
			s.t.Logf("host:\n%s\nconsole: %q\nthe way: %q", s.host.Out, b.Console(), way)
		}
	})
	link, err := exec.CommandContext(s.ctx, program("mainforte-signaling"), "admin", "link", "--data", s.data, "--role", "technician", "--base", s.url).Output()
	s.must(err)
	s.signUp(b, string(link), "Anaïs Tremblay")
	s.must(b.Click("#new-ticket"))
	s.must(b.Fill("#ticket-subject", "The printer does not answer"))
	s.must(b.Fill("#ticket-requester", "Zoé Côté"))
	s.must(b.Click("#create-ticket"))
	s.must(b.WaitFor(10*time.Second, "#start-session"))
	s.must(b.Click("#start-session"))
	s.must(b.WaitFor(10*time.Second, "#code"))
	// The page's connections, for what only they know: by which way they go, and
	// what became of it.
	_, err = stage.Eval[bool](b, `(() => { window.__pcs = []; window.__way = []; const P = window.RTCPeerConnection;
		window.RTCPeerConnection = function (...a) { const pc = new P(...a); window.__pcs.push(pc); for (const n of ['iceconnectionstatechange', 'signalingstatechange'])
			pc.addEventListener(n, () => window.__way.push(new Date().toISOString() + ' ' + (n[0] === 'i' ? pc.iceConnectionState : pc.signalingState))); return pc };
		window.RTCPeerConnection.prototype = P.prototype; window.RTCPeerConnection.generateCertificate = P.generateCertificate.bind(P); return true })()`)
	s.must(err)

	s.code = s.hear("code").Code
	s.must(b.Fill("#code", s.code))
	s.must(b.Keys("\r"))
	q := s.hear("ask")
	s.must(s.host.Say(ui.Command{ID: q.ID, Answer: "allow"}))
	yes := time.Now()
	s.must(b.Wait(40*time.Second, stage.Element("remote-session")+"?.state === 'live'"))
	s.t.Logf("from the yes to the session: %v", time.Since(yes).Round(time.Millisecond))
	s.exact()
}

// signUp makes an account by a one-time link.
func (s *scene) signUp(b *stage.Browser, link, name string) {
	s.t.Helper()
	i := strings.Index(link, "https://")
	if i < 0 {
		s.t.Fatalf("no link in %q", link)
	}
	s.must(b.Goto(strings.Fields(link[i:])[0]))
	s.must(b.Fill("#name", name))
	s.must(b.Fill("#password", "correct horse battery staple"))
	s.must(b.Click("#submit"))
}

func (s *scene) hear(name string) ui.Event {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	e, next, err := s.host.Await(ctx, s.seen, stage.Named(name))
	s.must(err)
	s.seen = next
	return e
}

// exact waits until the page shows the host's screen, every pixel.
func (s *scene) exact() {
	s.t.Helper()
	differ := -1
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		dump, err := s.desktop.Output(s.ctx, "xwd", "-root", "-silent")
		s.must(err)
		want, err := stage.DecodeXWD(dump)
		s.must(err)
		page, _, err := s.browser.Screenshot()
		s.must(err)
		at, err := stage.Eval[[]float64](s.browser, `(e => { const r = e?.getBoundingClientRect(); return r ? [r.x, r.y] : [] })(`+stage.Element("#picture")+`)`)
		s.must(err)
		if len(at) < 2 { // it is hidden while the way is interrupted
			continue
		}
		if differ = differing(want, page, int(at[0]), int(at[1])); differ == 0 {
			return
		}
	}
	s.t.Fatalf("%d pixels differ", differ)
}

func differing(want *image.RGBA, page image.Image, x0, y0 int) (n int) {
	b := want.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			r, g, bl, _ := page.At(x0+x, y0+y).RGBA()
			i := want.PixOffset(x, y)
			if byte(r>>8) != want.Pix[i] || byte(g>>8) != want.Pix[i+1] || byte(bl>>8) != want.Pix[i+2] {
				n++
			}
		}
	}
	return n
}

// pair is the selected candidate pair, as the page's statistics tell it.
type pair struct {
	Local, Remote candidate
}

type candidate struct {
	CandidateType, Protocol, RelayProtocol, URL, Address string
	Port                                                 int
}

func (s *scene) pair() pair {
	s.t.Helper()
	text, err := stage.Eval[string](s.browser, `(async () => { const pc = window.__pcs.at(-1); const st = await pc.getStats(); let p;
		st.forEach(x => { if (x.type === 'transport') p = st.get(x.selectedCandidatePairId) });
		return JSON.stringify(p ? {local: st.get(p.localCandidateId), remote: st.get(p.remoteCandidateId)} : {}) })()`)
	s.must(err)
	var p pair
	s.must(json.Unmarshal([]byte(text), &p))
	s.t.Logf("the way: %+v", p)
	return p
}
