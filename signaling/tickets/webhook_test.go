package tickets_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// The secret of the example in the specification.
const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is a webhook's receiver that keeps each id once.
type receiver struct {
	t  *testing.T
	mu sync.Mutex
	// instead answers in its stead, where it returns true; lost drops the reply.
	instead func(http.ResponseWriter, *http.Request) bool
	lost    bool
	got     map[string]tickets.WebhookEvent
	times   int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := io.ReadAll(q.Body)
	if err != nil {
		r.t.Error(err)
	}
	if r.instead != nil && r.instead(w, q) {
		return
	}
	if err := tickets.VerifyWebhook(hookSecret, q.Header, body, time.Now()); err != nil {
		r.t.Errorf("%v", err)
	}
	r.times++
	var e tickets.WebhookEvent
	if err := json.Unmarshal(body, &e); err != nil {
		r.t.Error(err)
	}
	r.got[q.Header.Get("webhook-id")] = e
	if r.lost {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

// with changes or reads the receiver while it is not at work.
func (r *receiver) with(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
}

func hook(t *testing.T) (tickets.System, *receiver) {
	r := &receiver{t: t, got: map[string]tickets.WebhookEvent{}}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	d, err := tickets.NewSystem(tickets.Config{System: "webhook", URL: srv.URL + "/hook", Token: hookSecret, Lang: "fr"})
	if err != nil {
		t.Fatal(err)
	}
	return d, r
}

func TestAWebhookCarriesTheNote(t *testing.T) {
	d, r := hook(t)
	if err := d.Check(bg); err != nil {
		t.Error(err)
	}
	n := tickets.Note{
		Key: "mf:01S:end", Lang: "fr", Text: "Durée <b>3</b>", Minutes: 4, Link: "javascript:alert(1)", Public: true,
		Files: []tickets.File{{Name: "../a.txt", Type: "text/plain", Data: []byte("x\x00")}},
	}
	id, err := d.Append(bg, "INC-1", n)
	if err != nil || id != n.Key {
		t.Fatalf("%q, %v", id, err)
	}
	var e tickets.WebhookEvent
	r.with(func() {
		e = r.got[n.Key]
		if len(r.got) != 2 {
			t.Errorf("%d received, with the ping", len(r.got))
		}
	})
	if e.Type != "ticket.note" || e.Data == nil || time.Since(e.Time) > time.Minute {
		t.Fatalf("%+v", e)
	}
	if g := *e.Data; g.Ticket != "INC-1" || g.Key != n.Key || g.Lang != "fr" || !g.Public || g.Minutes != 4 || g.Link != "" || g.Text != n.Text ||
		g.HTML != "<p>Durée &lt;b&gt;3&lt;/b&gt;</p>" || !strings.Contains(g.Markdown, "&#60;b&#62;") ||
		len(g.Files) != 1 || strings.Contains(g.Files[0].Name, "/") || !bytes.Equal(g.Files[0].Data, n.Files[0].Data) {
		t.Errorf("%+v", g)
	}
	got, err := d.Get(bg, "INC-1")
	if err != nil || got.ID != "INC-1" || !got.Open || got.Lang != "fr" {
		t.Errorf("%+v, %v", got, err)
	}
	if list, err := d.Search(bg, " INC-1 ", 1); err != nil || len(list) != 1 || list[0].ID != "INC-1" {
		t.Errorf("%+v, %v", list, err)
	}
	for _, bad := range []string{"", "a b", "é", strings.Repeat("x", 200), "<x>", "a\nb"} {
		if _, err := d.Get(bg, bad); !errors.Is(err, tickets.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
		if _, err := d.Append(bg, bad, n); !errors.Is(err, tickets.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
		if list, err := d.Search(bg, bad, 1); err != nil || len(list) != 0 {
			t.Errorf("%q: %v, %v", bad, list, err)
		}
	}
}

func TestAWebhookSentTwiceHasTheSameID(t *testing.T) {
	d, r := hook(t)
	r.with(func() { r.lost = true })
	n := tickets.Note{Key: "mf:01S:end", Lang: "fr", Text: "x"}
	if _, err := tickets.Retried(d).Append(bg, "1", n); !errors.Is(err, tickets.ErrTransient) {
		t.Errorf("got %v", err)
	}
	r.with(func() { r.lost = false })
	if _, err := d.Append(bg, "1", n); err != nil {
		t.Error(err)
	}
	r.with(func() {
		if len(r.got) != 1 || r.times != 4 {
			t.Errorf("%d ids in %d deliveries", len(r.got), r.times)
		}
	})
}

func TestAWebhookThatFailsSaysHow(t *testing.T) {
	d, r := hook(t)
	n := tickets.Note{Key: "mf:01S:end", Lang: "fr", Text: "x"}
	var visits atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer thief.Close()
	for status, want := range map[int]error{401: tickets.ErrAuth, 403: tickets.ErrForbidden, 404: tickets.ErrTransient, 410: tickets.ErrTransient, 413: tickets.ErrTooLarge, 429: tickets.ErrTransient, 500: tickets.ErrTransient, 307: tickets.ErrTransient} {
		r.with(func() {
			r.instead = func(w http.ResponseWriter, q *http.Request) bool {
				w.Header().Set("Location", thief.URL)
				w.Header().Set("Retry-After", "9")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, hookSecret+" "+q.Header.Get("webhook-signature"))
				return true
			}
		})
		_, err := d.Append(bg, "1", n)
		if !errors.Is(err, want) || strings.Contains(err.Error(), "MfKQ9r8G") {
			t.Errorf("%d: %v", status, err)
		}
		if asked := (tickets.ErrRateLimited{}); status == 429 && (!errors.As(err, &asked) || asked.After != 9*time.Second) {
			t.Errorf("%v", err)
		}
	}
	if visits.Load() != 0 {
		t.Error("followed elsewhere")
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := d.Append(ctx, "1", n); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	n.Files = []tickets.File{{Data: make([]byte, d.Caps().MaxFile+1)}}
	if _, err := d.Append(bg, "1", n); !errors.Is(err, tickets.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	for _, secret := range []string{"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_!", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		if _, err := tickets.NewSystem(tickets.Config{System: "webhook", URL: "https://example.org", Token: secret}); !errors.Is(err, tickets.ErrConfig) {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

// The example of the specification, and what must not pass for it.
func TestWebhooksAreVerified(t *testing.T) {
	head := func() http.Header {
		return http.Header{
			"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
			"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		}
	}
	body, at := []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0)
	if err := tickets.VerifyWebhook(hookSecret, head(), body, at.Add(4*time.Minute)); err != nil {
		t.Error(err)
	}
	many := head()
	many.Set("Webhook-Signature", "v1a,xx v1,AAAA "+many.Get("Webhook-Signature"))
	if err := tickets.VerifyWebhook(hookSecret, many, body, at); err != nil {
		t.Errorf("with others beside it: %v", err)
	}
	for what, change := range map[string]func(http.Header){
		"no id": func(h http.Header) { h.Del("Webhook-Id") }, "another id": func(h http.Header) { h.Set("Webhook-Id", "msg_x") },
		"no time": func(h http.Header) { h.Del("Webhook-Timestamp") }, "another time": func(h http.Header) { h.Set("Webhook-Timestamp", "1614265331") },
		"no signature": func(h http.Header) { h.Del("Webhook-Signature") }, "another version": func(h http.Header) { h.Set("Webhook-Signature", "v2"+h.Get("Webhook-Signature")[2:]) },
		"a time far off": func(h http.Header) { h.Set("Webhook-Timestamp", "-9223372036854775808") },
	} {
		h := head()
		change(h)
		if err := tickets.VerifyWebhook(hookSecret, h, body, at); !errors.Is(err, tickets.ErrAuth) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"another body": tickets.VerifyWebhook(hookSecret, head(), []byte(`{"test": 2432232315}`), at),
		"another key":  tickets.VerifyWebhook("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 24)), head(), body, at),
		"too late":     tickets.VerifyWebhook(hookSecret, head(), body, at.Add(6*time.Minute)),
		"too early":    tickets.VerifyWebhook(hookSecret, head(), body, at.Add(-6*time.Minute)),
	} {
		if !errors.Is(err, tickets.ErrAuth) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzVerifyWebhook(f *testing.F) {
	f.Add("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", []byte(`{"test": 2432232314}`))
	f.Add("a.b", "1", "v1,", []byte(nil))
	f.Fuzz(func(t *testing.T, id, at, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}}
		err := tickets.VerifyWebhook(hookSecret, h, body, time.Unix(1614265330, 0))
		if err == nil && (id != "msg_p5jXN8AQM9LWM0D4loKWxJek" || string(body) != `{"test": 2432232314}`) {
			t.Errorf("forged: %q %q %q %q", id, at, signature, body)
		}
		if err != nil && !errors.Is(err, tickets.ErrAuth) {
			t.Error(err)
		}
	})
}
