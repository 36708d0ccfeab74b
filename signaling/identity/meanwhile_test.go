package identity

import (
	"context"
	"errors"
	"testing"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// slow is a store in which something happens after the next read.
type slow struct {
	store.Store
	meanwhile func()
}

func (s *slow) View(ctx context.Context, f func(store.Tx) error) error {
	err := s.Store.View(ctx, f)
	if next := s.meanwhile; next != nil {
		s.meanwhile = nil
		next()
	}
	return err
}

// What was read before a hash was computed, or a passkey's answer looked at, is looked
// at again when the sign-in is made.
func TestWhatChangesWhileSomebodySignsIn(t *testing.T) {
	const other = "another good password"
	for name, c := range map[string]struct {
		costlier bool // than the stored hash
		change   func(t *testing.T, h *house, token string, in SignIn)
		want     error
	}{
		"nothing": {false, func(*testing.T, *house, string, SignIn) {}, nil},
		"the account is closed": {false, func(t *testing.T, h *house, _ string, in SignIn) {
			if _, err := h.Disable(t.Context(), boss, in.User.ID); err != nil {
				t.Error(err)
			}
		}, ErrWrong},
		"an app is added": {false, func(t *testing.T, h *house, token string, _ SignIn) { h.enrol(t, token) }, ErrCodeNeeded},
		"the password is another": {false, func(t *testing.T, h *house, _ string, in SignIn) {
			h.renew(t, in.User.ID, other)
		}, ErrWrong},
		"the password is another, and the old hash was too cheap": {true, func(t *testing.T, h *house, _ string, in SignIn) {
			h.renew(t, in.User.ID, other)
		}, ErrWrong},
	} {
		t.Run(name, func(t *testing.T) {
			s := &slow{}
			h := open(t, func(c *Config) { s.Store, c.Store = c.Store, s })
			h.user(t, Admin, "Root")
			token, in := h.user(t, Technician, "ann")
			if c.costlier {
				h.hash.cost.Time++
			}
			s.meanwhile = func() { c.change(t, h, token, in) }
			cookie, _, err := h.SignIn(t.Context(), "ann", good, "", home)
			if !errors.Is(err, c.want) || (cookie == "") != (c.want != nil) {
				t.Errorf("%q, %v; want %v", cookie, err, c.want)
			}
			if s.meanwhile != nil {
				t.Fatal("nothing happened meanwhile")
			}
			if c.want != ErrWrong || name == "the account is closed" {
				return
			}
			if _, _, err := h.SignIn(t.Context(), "ann", other, "", home); err != nil {
				t.Errorf("by the new password: %v", err)
			}
		})
	}
}

// The second read of a sign-in tells whether a code is needed; the app comes after it.
func TestAnAppThatComesAfterTheQuestion(t *testing.T) {
	s := &slow{}
	h := open(t, func(c *Config) { s.Store, c.Store = c.Store, s })
	token, _ := h.user(t, Technician, "ann")
	s.meanwhile = func() { s.meanwhile = func() { h.enrol(t, token) } }
	if cookie, _, err := h.SignIn(t.Context(), "ann", good, "", home); !errors.Is(err, ErrCodeNeeded) || cookie != "" {
		t.Errorf("%q, %v", cookie, err)
	}
}

func TestAnAccountThatIsClosedWhileItsPasskeyIsLookedAt(t *testing.T) {
	s := &slow{}
	h := open(t, func(c *Config) { s.Store, c.Store = c.Store, s })
	token, in := h.user(t, Technician, "ann")
	d := newDevice()
	d.register(t, h, token)
	state, response := d.ask(t, h)
	s.meanwhile = func() {
		if _, err := h.Disable(t.Context(), audit.Actor{Kind: "system"}, in.User.ID); err != nil {
			t.Error(err)
		}
	}
	if cookie, _, err := h.SignInByPasskey(t.Context(), here, state, response, home); !errors.Is(err, ErrWrongPasskey) || cookie != "" {
		t.Errorf("%q, %v", cookie, err)
	}
}

// renew gives a user another password, by a link.
func (h *house) renew(t *testing.T, id, password string) {
	t.Helper()
	link, err := h.Link(t.Context(), Link{For: id, By: boss})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.UseLink(t.Context(), link, "", password, home); err != nil {
		t.Fatal(err)
	}
}
