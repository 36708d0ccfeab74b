package ticketstest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// lineTests are what a desk may do to us, or the line to it.
var lineTests = []struct {
	name string
	test func(*testing.T, Desk)
}{
	{"a lost reply neither loses nor doubles a note", lostReply},
	{"a desk that wants a pause gets it", rateLimited},
	{"a desk that is away is away for a moment", away},
	{"a page is no answer", page},
	{"a page that looks like an answer is none", login},
	{"an endless answer is cut", endless},
	{"nobody is followed elsewhere", elsewhere},
	{"no error shows a secret", secrets},
	{"a slow desk is not waited for", slow},
	{"a desk that answers bit by bit is not waited for", trickle},
	{"a desk that is down is told", down},
	{"a certificate that changed is told, and nothing sent", certificate},
	{"a rejected file does not cost the note", rejected},
}

// lostReply drops the reply of the first write of a note, then of the second,
// until all writes of a note were lost once.
func lostReply(t *testing.T, d Desk) {
	sys := tickets.Retried(d.System)
	lost := 1
	for nth := int64(1); lost > 0; nth++ {
		var writes atomic.Int64
		d.Line.Lose(func(r *http.Request) bool { return r.Method != http.MethodGet && writes.Add(1) == nth })
		n := note(fmt.Sprint("lost", nth), fmt.Sprint("note ", nth))
		n.Minutes, n.Link = 3, "https://help.example.org/audit?session=01S"
		if d.Caps().Files {
			n.Files = []tickets.File{{Name: fmt.Sprint("a", nth, ".txt"), Type: "text/plain", Data: []byte("x")}}
		}
		id, err := sys.Append(bg, d.Ticket, n)
		if err != nil {
			t.Fatalf("reply %d lost: %v", nth, err)
		}
		d.Line.Lose(nil)
		if got, ok, err := d.Find(bg, d.Ticket, n.Key); got != id || !ok || err != nil {
			t.Errorf("reply %d lost: %q, %v, %v; want %q", nth, got, ok, err, id)
		}
		notes := d.Notes(d.Ticket)
		if len(notes) != int(nth) {
			t.Fatalf("reply %d lost: %d notes", nth, len(notes))
		}
		last := notes[nth-1]
		if last.Text != n.Text || len(last.Files) != len(n.Files) || d.Caps().Time && last.Minutes != 3 {
			t.Errorf("reply %d lost: %+v", nth, last)
		}
		if writes.Load() < nth {
			lost = 0
		}
		if nth > 20 {
			t.Fatal("it never ends")
		}
	}
}

func rateLimited(t *testing.T, d Desk) {
	d.Line.Instead(Say(429, "application/json", `{"error":"slow down"}`, "Retry-After", "7"))
	_, get := d.Get(bg, d.Ticket)
	_, write := d.Append(bg, d.Ticket, note("end", "x"))
	for what, err := range map[string]error{"get": get, "append": write} {
		var asked tickets.ErrRateLimited
		if !errors.As(err, &asked) || asked.After != 7*time.Second || !errors.Is(err, tickets.ErrTransient) {
			t.Errorf("%s: %v", what, err)
		}
	}
	d.Line.Instead(nil)
	if n := len(d.Notes(d.Ticket)); n != 0 {
		t.Errorf("%d notes stand", n)
	}
}

func away(t *testing.T, d Desk) {
	for what, fn := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"500": Say(500, "text/html", "<h1>oops"), "502": Say(502, "text/html", "bad gateway"), "503": Say(503, "application/json", "{}"),
		"404 of a gateway": Say(404, "text/html", "<h1>no such backend"), "400 of a gateway": Say(400, "text/html", "<h1>bad"),
		"cut": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"half": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id":`)
			panic(http.ErrAbortHandler)
		},
	} {
		d.Line.Instead(fn)
		_, get := d.Get(bg, d.Ticket)
		_, _, find := d.Find(bg, d.Ticket, "mf:01S:end")
		_, write := d.Append(bg, d.Ticket, note("end", "x"))
		for call, err := range map[string]error{"get": get, "find": find, "append": write, "check": d.Check(bg)} {
			if !errors.Is(err, tickets.ErrTransient) {
				t.Errorf("%s, %s: %v", what, call, err)
			}
		}
	}
}

// page: a desk or what stands before it says 200 and means no.
func page(t *testing.T, d Desk) {
	for _, fn := range []func(http.ResponseWriter, *http.Request) bool{
		Say(200, "text/html", "<html>Please sign in"), Say(200, "application/json", "null"), Say(200, "application/json", "{}"),
		Say(200, "application/json", "[]"), Say(200, "application/json", `{"id":`), Say(200, "application/json", `"ok"`), Say(201, "application/json", ""), Say(204, "", ""),
	} {
		d.Line.Instead(fn)
		if got, err := d.Get(bg, d.Ticket); !errors.Is(err, tickets.ErrTransient) {
			t.Errorf("got %+v, %v", got, err)
		}
		if id, err := d.Append(bg, d.Ticket, note("end", "x")); !errors.Is(err, tickets.ErrTransient) || id != "" {
			t.Errorf("append: %q, %v", id, err)
		}
		if _, ok, err := d.Find(bg, d.Ticket, "mf:01S:end"); ok || !errors.Is(err, tickets.ErrTransient) {
			t.Errorf("find: %v, %v", ok, err)
		}
	}
}

// login: the desk knows us well, and then what stands before it answers in its
// stead, with what could be an answer.
func login(t *testing.T, d Desk) {
	if _, _, err := d.Find(bg, d.Ticket, "mf:01S:end"); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"[]", "{}", `{"items":[],"result":[],"comments":[],"total":0,"issue":{}}`} {
		d.Line.Instead(Say(200, "text/html; charset=utf-8", body))
		if _, ok, err := d.Find(bg, d.Ticket, "mf:01S:end"); ok || !errors.Is(err, tickets.ErrTransient) {
			t.Errorf("find: %v, %v", ok, err)
		}
	}
}

func endless(t *testing.T, d Desk) {
	d.Line.Instead(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		for chunk := []byte("[" + strings.Repeat(`"x",`, 16<<10)); ; {
			if _, err := w.Write(chunk); err != nil {
				return true
			}
		}
	})
	if _, err := d.Get(bg, d.Ticket); !errors.Is(err, tickets.ErrTransient) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %v", err)
	}
}

func elsewhere(t *testing.T, d Desk) {
	var visits atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits.Add(1)
		Say(200, "application/json", `{"id":1}`)(w, r)
	}))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		d.Line.Instead(Say(status, "application/json", "{}", "Location", thief.URL+"/x"))
		_, get := d.Get(bg, d.Ticket)
		_, write := d.Append(bg, d.Ticket, note("end", "x"))
		for what, err := range map[string]error{"get": get, "append": write} {
			if !errors.Is(err, tickets.ErrTransient) {
				t.Errorf("%d, %s: %v", status, what, err)
			}
		}
	}
	if visits.Load() != 0 {
		t.Errorf("%d requests went elsewhere", visits.Load())
	}
	// At the same desk, what writes is not sent on: it might be done twice.
	for _, status := range []int{307, 308} {
		d.Line.Instead(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				return false
			}
			if strings.Contains(r.URL.Path, "/again") {
				visits.Add(1)
			}
			return Say(status, "application/json", "{}", "Location", "/again"+r.URL.Path)(w, r)
		})
		if _, err := d.Append(bg, d.Ticket, note("end", "x")); !errors.Is(err, tickets.ErrTransient) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if visits.Load() != 0 {
		t.Errorf("%d writes were sent on", visits.Load())
	}
}

// secrets: a desk that repeats everything it was told.
func secrets(t *testing.T, d Desk) {
	if len(d.Secrets) == 0 {
		t.Fatal("a desk without a secret?")
	}
	for _, status := range []int{200, 301, 400, 401, 403, 404, 409, 422, 429, 500} {
		d.Line.Instead(func(w http.ResponseWriter, r *http.Request) bool {
			body, _ := io.ReadAll(r.Body)
			told := strings.Join(d.Secrets, " ") + " " + r.RequestURI
			for _, v := range r.Header {
				told += " " + strings.Join(v, " ")
			}
			return Say(status, "application/json", fmt.Sprintf(`{"message":%q,"body":%q}`, told, body))(w, r)
		})
		_, get := d.Get(bg, d.Ticket)
		_, _, find := d.Find(bg, d.Ticket, "mf:01S:end")
		_, write := d.Append(bg, d.Ticket, note("end", "x"))
		for _, err := range []error{get, find, write, d.Check(bg)} {
			for _, secret := range d.Secrets {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%d: the error shows a secret: %v", status, err)
				}
			}
		}
		for what, err := range map[string]error{"get": get, "append": write} {
			for code, kind := range map[int]error{401: tickets.ErrAuth, 403: tickets.ErrForbidden} {
				if status == code && !errors.Is(err, kind) {
					t.Errorf("%d, %s: %v", status, what, err)
				}
			}
		}
	}
}

func slow(t *testing.T, d Desk) {
	d.Line.Instead(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
	defer cancel()
	if _, err := d.Append(ctx, d.Ticket, note("end", "x")); !errors.Is(err, tickets.ErrTransient) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// trickle: an answer that begins, and never ends.
func trickle(t *testing.T, d Desk) {
	begun := make(chan struct{}, 100)
	d.Line.Instead(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":`)
		_ = http.NewResponseController(w).Flush()
		begun <- struct{}{}
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	go func() { <-begun; cancel() }()
	if _, err := d.Append(ctx, d.Ticket, note("end", "x")); !errors.Is(err, tickets.ErrTransient) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func down(t *testing.T, d Desk) {
	if d.At == nil {
		return
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	sys := d.At(gone.URL, nil)
	_, get := sys.Get(bg, d.Ticket)
	_, _, find := sys.Find(bg, d.Ticket, "mf:01S:end")
	_, write := sys.Append(bg, d.Ticket, note("end", "x"))
	for call, err := range map[string]error{"get": get, "find": find, "append": write, "check": sys.Check(bg)} {
		if !errors.Is(err, tickets.ErrTransient) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// certificate: the desk, or somebody on the way, has another certificate now.
func certificate(t *testing.T, d Desk) {
	if d.At == nil {
		return
	}
	asked := atomic.Int64{}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		d.Line.ServeHTTP(w, r)
	}))
	var shown atomic.Pointer[tls.Certificate]
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*shown.Load()}}, nil
	}}
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // it says that it is not trusted
	first, second := selfSigned(t), selfSigned(t)
	shown.Store(&first)
	front.StartTLS()
	defer front.Close()
	roots := x509.NewCertPool()
	roots.AddCert(first.Leaf)
	sys := d.At(front.URL, roots)
	if _, err := sys.Get(bg, d.Ticket); err != nil {
		t.Fatal(err)
	}
	shown.Store(&second)
	front.CloseClientConnections()
	_, _ = sys.Get(bg, d.Ticket) // may still find the old connection, closed
	before := asked.Load()
	_, get := sys.Get(bg, d.Ticket)
	_, write := sys.Append(bg, d.Ticket, note("end", "x"))
	for call, err := range map[string]error{"get": get, "append": write, "check": sys.Check(bg)} {
		if !errors.Is(err, tickets.ErrConfig) || !errors.Is(err, tickets.ErrTransient) || !strings.Contains(err.Error(), "a certificate that this server does not trust") {
			t.Errorf("%s: %v", call, err)
		}
	}
	if asked.Load() != before {
		t.Error("something was sent")
	}
	shown.Store(&first)
	if _, err := sys.Append(bg, d.Ticket, note("end", "x")); err != nil {
		t.Errorf("once it is right again: %v", err)
	}
}

// selfSigned is a certificate of this machine that nobody but itself vouches for.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// rejected: the desk wants no such file, by its size or by its kind.
func rejected(t *testing.T, d Desk) {
	if !d.Caps().Files {
		return
	}
	const evil = "not this file, please"
	coded := base64.StdEncoding.EncodeToString([]byte(evil))
	written := 0
	for _, status := range []int{400, 413, 415, 422} {
		refused := atomic.Int64{}
		d.Line.Instead(func(w http.ResponseWriter, r *http.Request) bool {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if !bytes.Contains(body, []byte(evil)) && !bytes.Contains(body, []byte(coded)) {
				return false
			}
			refused.Add(1)
			return Say(status, "application/json", `{"message":"this file is not accepted"}`)(w, r)
		})
		n := note(fmt.Sprint("file", status), fmt.Sprint("note ", status))
		n.Files = []tickets.File{{Name: "evil.txt", Type: "text/plain", Data: []byte(evil)}}
		if _, err := d.Append(bg, d.Ticket, n); !errors.Is(err, tickets.ErrTooLarge) && !errors.Is(err, tickets.ErrInvalid) {
			t.Errorf("%d: %v", status, err)
		}
		id, err := tickets.Retried(d.System).Append(bg, d.Ticket, n)
		if err != nil {
			t.Fatalf("%d, without the file: %v", status, err)
		}
		written++
		if got, ok, err := d.Find(bg, d.Ticket, n.Key); got != id || !ok || err != nil {
			t.Errorf("%d: %q, %v, %v; want %q", status, got, ok, err, id)
		}
		if notes := d.Notes(d.Ticket); len(notes) != written || notes[written-1].Text != n.Text || len(notes[written-1].Files) != 0 {
			t.Errorf("%d: %+v", status, notes)
		}
		if refused.Load() < 2 {
			t.Errorf("%d: refused %d times", status, refused.Load())
		}
	}
}
