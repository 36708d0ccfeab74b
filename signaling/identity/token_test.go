package identity

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

// token makes one that lives an hour.
func (h *house) token(t *testing.T, n NewToken) (string, Token) {
	t.Helper()
	n.Expires = h.now.Add(time.Hour)
	secret, made, err := h.NewToken(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return secret, made
}

func TestATokenWorksUntilItEnds(t *testing.T) {
	h := open(t)
	secret, made := h.token(t, NewToken{Name: " RT\n button", Role: Technician, Scopes: []Scope{ReadTickets, Launch, Launch}})
	if !strings.HasPrefix(secret, "mf_") || len(secret) != 46 {
		t.Errorf("the secret is %q", secret)
	}
	got, err := h.CheckToken(t.Context(), secret, home)
	if err != nil || got.ID != made.ID || got.Name != "RT button" || len(got.Scopes) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	for _, bad := range []string{"", "mf_", secret[3:], "mf_" + strings.Repeat("A", 43), secret + "A", "mf_" + made.ID} {
		if _, err := h.CheckToken(t.Context(), bad, home); !errors.Is(err, ErrNoToken) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	h.now = h.now.Add(time.Hour)
	if _, err := h.CheckToken(t.Context(), secret, home); !errors.Is(err, ErrNoToken) {
		t.Errorf("after its end: %v", err)
	}
	secret, made = h.token(t, NewToken{Name: "x", Role: Technician, Scopes: []Scope{Launch}})
	by := audit.Actor{Kind: "admin", Ref: "root"}
	for range 2 {
		if err := h.RevokeToken(t.Context(), made.ID, by); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.CheckToken(t.Context(), secret, home); !errors.Is(err, ErrNoToken) {
		t.Errorf("after it was revoked: %v", err)
	}
	if got := h.types(t); got != "token.created token.created token.revoked" {
		t.Errorf("the log holds %s", got)
	}
}

func TestWhatNoTokenIsMadeFor(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "Ann")
	ok := NewToken{Name: "x", Role: Technician, Scopes: []Scope{Launch}, Expires: h.now.Add(time.Hour)}
	for what, c := range map[string]struct {
		change func(*NewToken)
		want   error
	}{
		"no name":      {func(n *NewToken) { n.Name = " \u202e" }, ErrBadName},
		"long name":    {func(n *NewToken) { n.Name = strings.Repeat("x", 65) }, ErrBadName},
		"nothing":      {func(n *NewToken) { n.Scopes = []Scope{"everything"} }, ErrNoScope},
		"over":         {func(n *NewToken) { n.Expires = h.now }, ErrBadUntil},
		"nobody's":     {func(n *NewToken) { n.Owner = "Bob" }, ErrNoOwner},
		"another role": {func(n *NewToken) { n.Owner, n.Role = "Ann", Supervisor }, ErrTooMuch},
	} {
		n := ok
		c.change(&n)
		if _, _, err := h.NewToken(t.Context(), n); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ok.Role = "root"
	if _, _, err := h.NewToken(t.Context(), ok); err == nil {
		t.Error("a role that does not exist")
	}
	if strings.Contains(h.types(t), "token.") {
		t.Error("what was not made stands in the log")
	}
}

// The database holds hashes only.
func TestTheDatabaseHoldsNoToken(t *testing.T) {
	h := open(t)
	secret, _ := h.token(t, NewToken{Name: "x", Role: Technician, Scopes: []Scope{Launch}})
	if bytes.Contains(storetest.Files(t, h.dir), []byte(secret[3:])) {
		t.Error("the database holds the secret")
	}
}

func TestTokensAreLimited(t *testing.T) {
	h := open(t, func(c *Config) {
		c.PerToken = limit.Every{N: 3, In: time.Minute}
		c.BadTokens = limit.Every{N: 2, In: time.Minute}
	})
	secret, _ := h.token(t, NewToken{Name: "x", Role: Technician, Scopes: []Scope{Launch}})
	for range 2 {
		if _, err := h.CheckToken(t.Context(), "mf_guess", home); !errors.Is(err, ErrNoToken) {
			t.Fatal(err)
		}
	}
	if _, err := h.CheckToken(t.Context(), secret, home); !errors.Is(err, ErrLimited) {
		t.Errorf("after guesses from there: %v", err)
	}
	elsewhere := netip.MustParseAddr("198.51.100.7")
	for i := range 4 {
		if _, err := h.CheckToken(t.Context(), secret, elsewhere); (err == nil) != (i < 3) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}
