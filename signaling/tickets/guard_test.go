package tickets

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestInnerAddressesAreNotCalledUnlessNamed(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "224.0.0.1": false, "ff02::1": false, "100.100.100.200": false,
		"168.63.129.16": false, "192.0.0.192": false, "fd00:ec2::254": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false,
		"10.1.2.3": true, "192.168.1.1": true, "172.16.0.1": true, "93.184.216.34": true, "2606:4700::1": true, "fd12:3456::1": true, "64:ff9b::5db8:d822": true,
	} {
		if got := (guard{host: "desk.example.org"}).permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is permitted: %v", address, got)
		}
		if got := (guard{host: address, page: true}).permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is permitted to a page: %v", address, got)
		}
		if (guard{host: address, page: true, plain: true}).permits(netip.MustParseAddr(address)) {
			t.Errorf("%s is permitted to a page by plain text", address)
		}
	}
	for _, c := range []struct {
		guard   guard
		address string
		want    bool
	}{
		{guard{host: "127.0.0.1"}, "127.0.0.1", true}, {guard{host: "127.0.0.1"}, "::ffff:127.0.0.1", true},
		{guard{host: "127.0.0.1"}, "127.0.0.2", false}, {guard{host: "127.0.0.1"}, "169.254.169.254", false},
		{guard{host: "localhost"}, "127.0.0.1", true}, {guard{host: "localhost"}, "::1", true}, {guard{host: "localhost"}, "169.254.169.254", false},
		{guard{host: "localhost.example.org"}, "127.0.0.1", false},
		{guard{host: "localhost", page: true}, "127.0.0.1", false},
		{guard{host: "desk", page: true, plain: true, allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}, "10.1.2.3", true},
		{guard{host: "desk", page: true, plain: true, allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}, "10.2.2.3", false},
		{guard{host: "desk", allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "127.0.0.5", true},
		{guard{host: "desk", allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "169.254.169.254", false},
		{guard{host: "desk", allow: []netip.Prefix{netip.MustParsePrefix("fe80::/64")}}, "fe80::1%eth0", true},
	} {
		if got := c.guard.permits(netip.MustParseAddr(c.address)); got != c.want {
			t.Errorf("%s for %+v: %v", c.address, c.guard, got)
		}
	}
}

// A name that leads to this machine is refused when it is dialled, not when it
// is read: it may lead elsewhere the next time.
func TestANameThatLeadsInsideIsNotCalled(t *testing.T) {
	called := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer srv.Close()
	at, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	open := func(allow ...netip.Prefix) System {
		d, err := NewSystem(Config{System: "rt", URL: "http://127.0.0.2:" + at.Port(), Token: "t-secret", PlainHTTP: true, Allow: allow})
		if err != nil {
			t.Fatal(err)
		}
		d.(*rt).base.Host = at.Host // as if 127.0.0.2 were a name of it
		return d
	}
	if err := open().Check(t.Context()); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "does not name") || called {
		t.Errorf("called: %v, %v", called, err)
	}
	if err := open(netip.MustParsePrefix("127.0.0.1/32")).Check(t.Context()); !errors.Is(err, ErrTransient) || !called {
		t.Errorf("allowed, but called: %v, %v", called, err)
	}
}

func TestAConfigurationSaysWhatIsMissing(t *testing.T) {
	good := Config{System: "rt", URL: "https://desk.example.org/rt/", Token: "x"}
	if _, err := NewSystem(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"is not known":        func(c *Config) { c.System = "remedy" },
		"rt needs token":      func(c *Config) { c.Token = " " },
		"rt needs url":        func(c *Config) { c.URL = "" },
		"like https://":       func(c *Config) { c.URL = "desk" },
		"must be https":       func(c *Config) { c.URL = "http://desk.example.org" },
		"credentials do not":  func(c *Config) { c.URL = "https://u:p@desk.example.org" },
		"lang is en or fr":    func(c *Config) { c.Lang = "de" },
		"must be https, or":   func(c *Config) { c.URL = "ftp://desk.example.org" },
		"rt needs url, like ": func(c *Config) { c.URL = "https://desk.example.org?x=y" },
	} {
		c := good
		change(&c)
		if _, err := NewSystem(c); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for _, u := range []string{"http://127.0.0.1:80", "http://localhost", "http://[::1]:80"} {
		c := good
		c.URL = u
		if _, err := NewSystem(c); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	c := good
	c.URL, c.PlainHTTP = "http://desk.example.org", true
	if _, err := NewSystem(c); err != nil {
		t.Error(err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	c := &client{now: func() time.Time { return now }}
	for v, want := range map[string]time.Duration{
		"": 0, "x": 0, "-5": 0, "0": 0, "90": 90 * time.Second, "1e3": 0, "99999999999": time.Hour, "99999999999999999999999": 0,
		"Sun, 29 Nov 2026 12:01:00 GMT": time.Minute, "Sun, 29 Nov 2026 11:00:00 GMT": 0, "Sun, 29 Nov 2099 12:00:00 GMT": time.Hour,
	} {
		if got := c.after(http.Header{"Retry-After": {v}}); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}

func FuzzAnErrorOfADesk(f *testing.F) {
	f.Add([]byte(`{"message":"a-secret","errors":[{"x":"\u202e"}]}`))
	f.Add([]byte(`[[[[[[[["deep"]]]]]]]]`))
	c := &client{system: "x", secrets: hider(Config{User: "u", Token: "a-secret", Password: `p"\é`})}
	f.Fuzz(func(t *testing.T, body []byte) {
		said := saying(body)
		if line(said) != said || len([]rune(said)) > maxMessage {
			t.Errorf("%q", said)
		}
		if err := c.failed(ErrInvalid, "%s", said); strings.Contains(err.Error(), "a-secret") {
			t.Errorf("%v", err)
		}
	})
}

func TestSecretsAreHiddenInEveryForm(t *testing.T) {
	h := hider(Config{User: "u", Password: `p"ä/+`, Token: "tok", AppToken: "tok-longer"})
	for _, form := range []string{`p"ä/+`, "p%22%C3%A4%2F%2B", "cCLDpC8r", "dTpwIsOkLys=", `p\"ä/+`, "tok", "tok-longer"} {
		if got := h.Replace("<" + form + ">"); got != "<[secret]>" {
			t.Errorf("%s: %s", form, got)
		}
	}
	if got := hider(Config{}).Replace("nothing to hide"); got != "nothing to hide" {
		t.Error(got)
	}
}

// scripted is a system whose calls end as told.
type scripted struct {
	System
	ends  []error
	calls []string
	found bool
}

func (s *scripted) next(call string) error {
	s.calls = append(s.calls, call)
	if len(s.ends) == 0 {
		return nil
	}
	err := s.ends[0]
	s.ends = s.ends[1:]
	return err
}

func (s *scripted) Check(context.Context) error { return s.next("check") }
func (s *scripted) Get(context.Context, string) (Ticket, error) {
	return Ticket{ID: "1"}, s.next("get")
}
func (s *scripted) Search(context.Context, string, int) ([]Ticket, error) {
	return nil, s.next("search")
}
func (s *scripted) Find(context.Context, string, string) (string, bool, error) {
	return "found", s.found, s.next("find")
}
func (s *scripted) Append(context.Context, string, Note) (string, error) {
	return "new", s.next("append")
}

func TestRetriedLooksBeforeItWritesAgain(t *testing.T) {
	for _, c := range []struct {
		ends  []error
		found bool
		calls string
		id    string
		err   error
	}{
		{nil, false, "append", "new", nil},
		{[]error{ErrTransient}, false, "append find append", "new", nil},
		{[]error{ErrTransient}, true, "append find", "found", nil},
		{[]error{ErrTransient, ErrTransient}, true, "append find find", "found", nil},
		{[]error{ErrTransient, nil, ErrTransient, nil, ErrTransient, nil}, false, "append find append find append", "", ErrTransient},
		{[]error{ErrForbidden}, false, "append", "", ErrForbidden},
		{[]error{ErrRateLimited{After: time.Millisecond}}, false, "append find append", "new", nil},
		{[]error{ErrRateLimited{After: time.Minute}}, false, "append", "", ErrTransient},
	} {
		s := &scripted{ends: c.ends, found: c.found}
		id, err := (&retried{s, time.Millisecond}).Append(t.Context(), "1", Note{Key: "mf:a:b"})
		if got := strings.Join(s.calls, " "); got != c.calls || !errors.Is(err, c.err) || err == nil && id != c.id {
			t.Errorf("%v: %s, %q, %v", c.ends, got, id, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &scripted{ends: []error{ErrTransient}}
	if _, err := (&retried{s, time.Minute}).Get(ctx, "1"); !errors.Is(err, ErrTransient) || len(s.calls) != 1 {
		t.Errorf("%v after %v", err, s.calls)
	}
	s = &scripted{ends: []error{ErrTransient, ErrTransient}}
	r := &retried{s, time.Millisecond}
	if _, err := r.Get(t.Context(), "1"); err != nil || len(s.calls) != 3 {
		t.Errorf("%v after %v", err, s.calls)
	}
	if err := errors.Join(r.Check(t.Context()), second(r.Search(t.Context(), "", 1))); err != nil {
		t.Error(err)
	}
}

func second(_ []Ticket, err error) error { return err }

func TestLimitedLeavesADeskAloneWhenItAsks(t *testing.T) {
	now := time.Now()
	s := &scripted{ends: []error{ErrRateLimited{After: time.Minute}}}
	l := Limited(s, 6000).(*limited)
	l.now = func() time.Time { return now }
	_, err := l.Get(t.Context(), "1")
	var asked ErrRateLimited
	if !errors.As(err, &asked) {
		t.Fatal(err)
	}
	now = now.Add(50 * time.Second)
	for _, err := range []error{l.Check(t.Context()), second(l.Search(t.Context(), "", 1))} {
		if !errors.As(err, &asked) || asked.After != 10*time.Second {
			t.Errorf("got %v", err)
		}
	}
	if _, _, err := l.Find(t.Context(), "1", "k"); !errors.Is(err, ErrTransient) || len(s.calls) != 1 {
		t.Errorf("%v, called %v", err, s.calls)
	}
	now = now.Add(11 * time.Second)
	if _, err := l.Append(t.Context(), "1", Note{}); err != nil || len(s.calls) != 2 {
		t.Errorf("%v, called %v", err, s.calls)
	}
	// Its turn would come after the context's end: the desk is not called.
	tight := Limited(&scripted{}, 1)
	if err := tight.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := tight.Check(ctx); !errors.Is(err, ErrTransient) {
		t.Errorf("got %v", err)
	}
}
