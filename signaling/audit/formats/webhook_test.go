package formats

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
)

// The example of the Standard Webhooks specification, in which any library of theirs agrees.
func TestASignatureIsThatOfTheSpecification(t *testing.T) {
	key, err := ParseKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Error(got)
	}
	for _, bad := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_" + strings.Repeat("A", 400), "whsec_!fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if _, err := ParseKey(bad); !errors.Is(err, ErrKey) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func TestWhichEventsAreWanted(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "auth.login session.started ticket.assigned",
		"session.*":                      "session.started",
		" ticket.assigned , auth.login ": "auth.login ticket.assigned",
	} {
		s, err := ParseSelection(text)
		var got []string
		for _, typ := range []string{"auth.login", "session.started", "ticket.assigned"} {
			if s.has(typ) {
				got = append(got, typ)
			}
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"sesion.*", "session", "*", "auth.login,", "auth.login*"} {
		if _, err := ParseSelection(text); !errors.Is(err, ErrSelection) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// listener is a receiver that believes nothing unsigned.
type listener struct {
	t       *testing.T
	key     []byte
	answers []func(http.ResponseWriter)
	ids     []string
	bodies  []map[string]any
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(id + "." + at + "." + string(body)))
	if r.Method != "POST" || r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) ||
		at != "1700000000" || strings.Contains(id, ".") || r.Header.Get("Content-Type") != "application/json" {
		l.t.Errorf("%s %v", r.Method, r.Header)
	}
	if len(l.answers) > 0 {
		a := l.answers[0]
		l.answers = l.answers[1:]
		a(w)
		return
	}
	var b map[string]any
	if err := json.Unmarshal(body, &b); err != nil {
		l.t.Error(err)
	}
	l.ids, l.bodies = append(l.ids, id), append(l.bodies, b)
	w.WriteHeader(http.StatusNoContent)
}

func TestEventsArePostedSigned(t *testing.T) {
	l := &listener{t: t, key: slices.Repeat([]byte{7}, 32)}
	srv := httptest.NewServer(l)
	defer srv.Close()
	var refused []string
	s := NewWebhook(context.Background(), srv.URL, srv.Client(), l.key, nil, options(false), func(p string) { refused = append(refused, p) })
	s.now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	all := lines(t)
	for _, n := range all {
		if err := s.Send(n); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.ids) != len(all) {
		t.Fatalf("%d of %d came", len(l.ids), len(all))
	}
	for i, n := range all {
		want, err := n.Record()
		if err != nil {
			t.Fatal(err)
		}
		data := l.bodies[i]["data"].(map[string]any)
		if l.bodies[i]["type"] != want.Type || data["index"] != float64(want.Index) || data["outcome"] != want.Outcome {
			t.Errorf("%d: %v", i, l.bodies[i])
		}
		if _, told := data["personal"]; told {
			t.Errorf("%d: names leave the house unasked: %v", i, data)
		}
	}
	if d := slices.Compact(slices.Sorted(slices.Values(l.ids))); len(d) != len(all) {
		t.Errorf("ids that are not their own: %v", l.ids)
	}

	// Once more it is the same id; one that cannot now gets it again, one that says never does not.
	var later *Later
	l.answers = []func(http.ResponseWriter){status(503, "Retry-After", "7"), status(404), status(307, "Location", srv.URL), status(410)}
	if err := s.Send(all[0]); !errors.As(err, &later) || later.After != 7*time.Second {
		t.Errorf("503: %v", err)
	}
	for range 3 {
		if err := s.Send(all[0]); err == nil {
			t.Error("taken for good")
		}
	}
	if err := s.Send(all[0]); err != nil || l.ids[len(l.ids)-1] != l.ids[0] {
		t.Errorf("again: %v, %s", err, l.ids[len(l.ids)-1])
	}
	l.answers = []func(http.ResponseWriter){status(422)}
	if err := errors.Join(s.Send(all[1]), s.Flush(), s.Close()); err != nil || len(refused) != 1 || !strings.Contains(refused[0], l.ids[1]) {
		t.Errorf("%v, %v", err, refused)
	}
	srv.Close()
	if err := s.Send(all[0]); err == nil {
		t.Error("sent to nobody")
	}
}

// What nobody asked for is not even read.
func TestOnlyWhatIsWantedIsPosted(t *testing.T) {
	l := &listener{t: t, key: slices.Repeat([]byte{7}, 32)}
	srv := httptest.NewServer(l)
	defer srv.Close()
	s := NewWebhook(context.Background(), srv.URL, srv.Client(), l.key, Selection{"auth.*"}, options(true), func(string) {})
	s.now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	want := 0
	for _, n := range lines(t) {
		if r, err := n.Record(); err == nil && strings.HasPrefix(r.Type, "auth.") {
			want++
		}
		if err := s.Send(n); err != nil {
			t.Fatal(err)
		}
	}
	if want == 0 || len(l.ids) != want {
		t.Errorf("%d came, %d were wanted", len(l.ids), want)
	}
	if len(audit.Types()) == 0 {
		t.Error("there are no types")
	}
}
