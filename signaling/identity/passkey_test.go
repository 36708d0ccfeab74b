package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/mainforte/mainforte/signaling/audit"
)

var here = Site{ID: "help.example.org", Name: "Exemple", Origin: "https://help.example.org"}

// device is a virtual authenticator of one user.
type device struct {
	virtualwebauthn.Authenticator
	party virtualwebauthn.RelyingParty
	key   virtualwebauthn.Credential
}

func newDevice() *device {
	d := &device{
		Authenticator: virtualwebauthn.NewAuthenticator(),
		party:         virtualwebauthn.RelyingParty{Name: here.Name, ID: here.ID, Origin: here.Origin},
	}
	// A coordinate that begins with zeros is written too short by the package, one key in
	// 128: no device does that (RFC 9053 §7.1.1).
	const whole = 77 // bytes of a COSE key on P-256
	for d.key.Key == nil || len(d.key.Key.AttestationData()) != whole {
		d.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return d
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// register adds the device to a sign-in and returns its new token.
func (d *device) register(t *testing.T, h *house, token string) string {
	t.Helper()
	in := mustCheck(t, h, token)
	state, response := d.offered(t, h, in)
	fresh, err := h.AddPasskey(t.Context(), here, in, "Key\u202e of mine", state, response)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Check(t.Context(), token); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("the token of before: %v", err) // C93
	}
	d.AddCredential(d.key)
	return fresh
}

// offered lets the device make a passkey for a sign-in, which is not added yet.
func (d *device) offered(t *testing.T, h *house, in SignIn) (state string, response []byte) {
	t.Helper()
	c, err := h.OfferPasskey(t.Context(), here, in)
	if err != nil {
		t.Fatal(err)
	}
	options, err := virtualwebauthn.ParseAttestationOptions(asJSON(t, c.Options))
	if err != nil {
		t.Fatal(err)
	}
	d.Options.UserHandle = []byte(in.User.ID)
	return c.State, []byte(virtualwebauthn.CreateAttestationResponse(d.party, d.Authenticator, d.key, *options))
}

// ask gets a challenge and lets the device answer it.
func (d *device) ask(t *testing.T, h *house) (state string, response []byte) {
	t.Helper()
	c, err := h.AskPasskey(here)
	if err != nil {
		t.Fatal(err)
	}
	options, err := virtualwebauthn.ParseAssertionOptions(asJSON(t, c.Options))
	if err != nil {
		t.Fatal(err)
	}
	return c.State, []byte(virtualwebauthn.CreateAssertionResponse(d.party, d.Authenticator, d.key, *options))
}

func TestSigningInByPasskey(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	d := newDevice()
	d.register(t, h, token)
	state, response := d.ask(t, h)
	_, in, err := h.SignInByPasskey(t.Context(), here, state, response, home)
	if err != nil || in.User.Name != "ann" || in.Method != ByPasskey || !h.Fresh(in) || !in.Factor {
		t.Fatalf("%+v %v", in, err)
	}
	f, err := h.Factors(t.Context(), in.User.ID)
	if err != nil || len(f.Passkeys) != 1 || f.Passkeys[0].Name != "Key of mine" || f.Passkeys[0].Used.IsZero() {
		t.Errorf("%+v %v", f, err)
	}
	// An answer is taken once.
	if _, _, err := h.SignInByPasskey(t.Context(), here, state, response, home); !errors.Is(err, ErrWrongPasskey) {
		t.Errorf("again: %v", err)
	}
	// A password alone proves nothing of the passkey, and control asks for it.
	weak, in, err := h.SignIn(t.Context(), "ann", good, "", home)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.MayControl(t.Context(), in.ID); ok || err != nil {
		t.Errorf("by the password alone: %v %v", ok, err)
	}
	state, response = d.ask(t, h)
	fresh, err := h.StepUpByPasskey(t.Context(), here, in, state, response, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Check(t.Context(), weak); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("the token of before: %v", err)
	}
	if ok, err := h.MayControl(t.Context(), mustCheck(t, h, fresh).ID); !ok || err != nil {
		t.Errorf("after it: %v %v", ok, err)
	}
	// Of somebody else it proves nothing.
	_, bob := h.user(t, Technician, "bob")
	state, response = d.ask(t, h)
	if _, err := h.StepUpByPasskey(t.Context(), here, bob, state, response, home); !errors.Is(err, ErrWrongPasskey) {
		t.Errorf("another's: %v", err)
	}
	if err := h.RemoveFactor(t.Context(), mustCheck(t, h, fresh), f.Passkeys[0].ID); err != nil {
		t.Fatal(err)
	}
	state, response = d.ask(t, h)
	if _, _, err := h.SignInByPasskey(t.Context(), here, state, response, home); !errors.Is(err, ErrWrongPasskey) {
		t.Errorf("after it was removed: %v", err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	h := open(t)
	token, in := h.user(t, Technician, "ann")
	d := newDevice()
	token = d.register(t, h, token)
	refused := func(what, state string, response []byte) {
		t.Helper()
		if _, _, err := h.SignInByPasskey(t.Context(), here, state, response, home); !errors.Is(err, ErrWrongPasskey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	state, response := d.ask(t, h)
	other, _ := d.ask(t, h)
	refused("to another challenge", other, response)
	refused("to none", "", response)
	refused("to a forged one", state[:len(state)-4]+"AAAA", response)
	refused("nothing", state, nil)
	refused("not JSON", state, []byte("{"))
	unverified := *d
	unverified.Options.UserNotVerified = true
	state, response = unverified.ask(t, h)
	refused("without verifying the user", state, response)
	elsewhere := *d
	elsewhere.party.Origin = "https://evil.example"
	state, response = elsewhere.ask(t, h)
	refused("on another site", state, response)
	stranger := newDevice()
	stranger.Options.UserHandle = []byte(in.User.ID)
	stranger.AddCredential(stranger.key)
	state, response = stranger.ask(t, h)
	refused("by a key that is not theirs", state, response)
	offer, err := h.OfferPasskey(t.Context(), here, mustCheck(t, h, token))
	if err != nil {
		t.Fatal(err)
	}
	_, response = d.ask(t, h)
	refused("to an offer", offer.State, response)
	h.now = h.now.Add(6 * time.Minute)
	if _, err := h.OfferPasskey(t.Context(), here, mustCheck(t, h, token)); !errors.Is(err, ErrStepUp) {
		t.Errorf("a key by an old proof: %v", err)
	}
	if _, err := h.Disable(t.Context(), audit.Actor{Kind: "system"}, in.User.ID); err != nil {
		t.Fatal(err)
	}
	state, response = d.ask(t, h)
	refused("of a closed account", state, response)
	if n := strings.Count(h.types(t), "auth.failed"); n != 10 {
		t.Errorf("%d failures stand in the log", n)
	}
}

func TestPasskeysAreFew(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	for range maxPasskeys {
		token = newDevice().register(t, h, token)
	}
	if _, err := h.OfferPasskey(t.Context(), here, mustCheck(t, h, token)); !errors.Is(err, ErrTooManyFactors) {
		t.Errorf("one more: %v", err)
	}
}

// What was offered while it might be is asked again when it is added.
func TestAPasskeyIsAddedByTheRulesOfThatMoment(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	for range maxPasskeys - 1 {
		token = newDevice().register(t, h, token)
	}
	in := mustCheck(t, h, token)
	late := newDevice()
	state, response := late.offered(t, h, in)
	newDevice().register(t, h, token)
	if _, err := h.AddPasskey(t.Context(), here, in, "One more", state, response); !errors.Is(err, ErrTooManyFactors) {
		t.Errorf("an eleventh: %v", err)
	}

	token, _ = h.user(t, Technician, "bob")
	in = mustCheck(t, h, token)
	h.now = h.now.Add(time.Minute)
	state, response = late.offered(t, h, in)
	h.now = h.now.Add(StepUpLife - time.Minute)
	if _, err := h.AddPasskey(t.Context(), here, in, "Late", state, response); !errors.Is(err, ErrStepUp) {
		t.Errorf("by an old proof: %v", err)
	}
	if f, err := h.Factors(t.Context(), in.User.ID); err != nil || len(f.Passkeys) != 0 {
		t.Errorf("%+v %v", f, err)
	}
}

// A counter that runs backwards is a copy of the key, or its owner's after the copy was used.
func TestACopiedPasskeyIsRefused(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	d := newDevice()
	d.key.Counter = 7
	d.register(t, h, token)
	d.Credentials[0].Counter, d.key.Counter = 9, 9
	state, response := d.ask(t, h)
	if _, _, err := h.SignInByPasskey(t.Context(), here, state, response, home); err != nil {
		t.Fatal(err)
	}
	d.Credentials[0].Counter, d.key.Counter = 8, 8
	state, response = d.ask(t, h)
	if _, _, err := h.SignInByPasskey(t.Context(), here, state, response, home); !errors.Is(err, ErrWrongPasskey) {
		t.Errorf("of a copy: %v", err)
	}
}

func FuzzPasskeyAnswers(f *testing.F) {
	f.Add("", []byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA","userHandle":"AA"}}`))
	h := &Directory{}
	f.Fuzz(func(t *testing.T, state string, response []byte) {
		// Nothing that is not sealed by us gets further than its seal.
		h.cfg.Log = sealed{}
		if _, _, err := h.heard(t.Context(), here, state, response); !errors.Is(err, ErrWrongPasskey) {
			t.Errorf("%q: %v", state, err)
		}
	})
}

type sealed struct{ Log }

func (sealed) Unseal(string, []byte) ([]byte, error) { return nil, fmt.Errorf("it does not open") }
