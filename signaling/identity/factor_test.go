package identity

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

// app is an authenticator app.
type app struct {
	h      *house
	secret string
}

func (a app) code(t *testing.T) string {
	t.Helper()
	code, err := totp.GenerateCode(a.secret, a.h.now)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrol gives a user an app, and lets its first step pass.
func (h *house) enrol(t *testing.T, token string) (a app, fresh string, recovery []string) {
	t.Helper()
	in, err := h.Check(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	made, err := h.NewTOTP(t.Context(), in, "Exemple: aide")
	if err != nil {
		t.Fatal(err)
	}
	if want := "otpauth://totp/Exemple%20%20aide:" + in.User.Name + "?secret=" + made.Secret; !strings.HasPrefix(strings.Replace(made.URI, "%3A", ":", 1), want) {
		t.Errorf("the address is %s, want %s", made.URI, want)
	}
	a = app{h, made.Secret}
	fresh, recovery, err = h.ConfirmTOTP(t.Context(), in, a.code(t))
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute)
	return a, fresh, recovery
}

func TestTOTPIsAskedForAfterThePassword(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	a, _, _ := h.enrol(t, token)
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); !errors.Is(err, ErrCodeNeeded) {
		t.Fatalf("without a code: %v", err)
	}
	for _, bad := range []string{"000000", "12345", "x", strings.Repeat("1", 65), "\x00"} {
		if _, _, err := h.SignIn(t.Context(), "ann", good, bad, netip.MustParseAddr("198.51.100.7")); !errors.Is(err, ErrWrongCode) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	code := a.code(t)
	_, in, err := h.SignIn(t.Context(), "ann", good, code[:3]+" "+code[3:], home)
	if err != nil || in.Method != ByCode || !h.Fresh(in) || !in.Factor || in.Failed != 5 || !in.FailedLast.IsZero() && in.FailedLast.After(h.now) {
		t.Errorf("with one: %+v %v", in, err)
	}
	if got := h.types(t); !strings.Contains(got, "factor.codes_made factor.added") || !strings.HasSuffix(got, "auth.failed auth.failed auth.failed auth.failed auth.failed auth.locked auth.login") {
		t.Errorf("the log holds %s", got)
	}
}

// C94: what is wrong looks the same, whoever it is and whatever they have.
func TestAFactorIsNotToldBeforeThePassword(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	h.enrol(t, token)
	h.user(t, Technician, "bob")
	for _, name := range []string{"ann", "bob", "nobody"} {
		for _, code := range []string{"", "123456"} {
			if _, _, err := h.SignIn(t.Context(), name, "wrong password", code, home); !errors.Is(err, ErrWrong) || err.Error() != ErrWrong.Error() {
				t.Errorf("%s %q: %v", name, code, err)
			}
		}
	}
}

// C90: a code is taken once, and none of a step before it.
func TestATOTPIsTakenOnce(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	a, _, _ := h.enrol(t, token)
	before := a.code(t)
	h.now = h.now.Add(30 * time.Second)
	code := a.code(t)
	if _, _, err := h.SignIn(t.Context(), "ann", good, code, home); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]string{"again": code, "of the step before": before} {
		if _, _, err := h.SignIn(t.Context(), "ann", good, c, home); !errors.Is(err, ErrWrongCode) {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.now = h.now.Add(30 * time.Second)
	if _, _, err := h.SignIn(t.Context(), "ann", good, a.code(t), home); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// C91: a recovery code works once, however it is written.
func TestARecoveryCodeWorksOnce(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	_, token, codes := h.enrol(t, token)
	if len(codes) != 10 || len(codes[0]) != 19 {
		t.Fatalf("the codes: %v", codes)
	}
	if _, _, err := h.SignIn(t.Context(), "ann", good, strings.ToUpper(strings.ReplaceAll(codes[3], "-", " ")), home); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.SignIn(t.Context(), "ann", good, codes[3], home); !errors.Is(err, ErrWrongCode) {
		t.Errorf("again: %v", err)
	}
	in, err := h.Check(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := h.Factors(t.Context(), in.User.ID); err != nil || f.Recovery != 9 || f.TOTP == nil {
		t.Errorf("what is left: %+v %v", f, err)
	}
	fresh, err := h.NewRecovery(t.Context(), in)
	if err != nil || len(fresh) != 10 {
		t.Fatalf("%v %v", fresh, err)
	}
	if _, _, err := h.SignIn(t.Context(), "ann", good, codes[4], home); !errors.Is(err, ErrWrongCode) {
		t.Errorf("one of the earlier ones: %v", err)
	}
	if _, err := h.StepUp(t.Context(), in, fresh[0], home); err != nil {
		t.Errorf("to prove it again: %v", err)
	}
	for _, c := range append(codes, fresh...) {
		if bytes.Contains(storetest.Files(t, h.dir), []byte(plainCode(c))) || bytes.Contains(storetest.Files(t, h.dir), []byte(c)) {
			t.Fatal("the database holds a recovery code")
		}
	}
}

// C97: a link is not what the app shows.
func TestALinkForANewPasswordIsNoWayAroundTheCode(t *testing.T) {
	h := open(t)
	h.user(t, Admin, "Root")
	token, in := h.user(t, Technician, "Ann")
	a, token, _ := h.enrol(t, token)
	link, err := h.Link(t.Context(), Link{For: in.User.ID, By: boss})
	if err != nil {
		t.Fatal(err)
	}
	if cookie, _, err := h.UseLink(t.Context(), link, "", "another good password", home); !errors.Is(err, ErrCodeNeeded) || cookie != "" {
		t.Errorf("the link signs in: %q, %v", cookie, err)
	}
	for _, old := range []string{token, link} {
		if _, err := h.Check(t.Context(), old); !errors.Is(err, ErrNotSignedIn) {
			t.Errorf("somebody is signed in: %v", err)
		}
	}
	if _, err := h.LookLink(t.Context(), link); !errors.Is(err, ErrNoLink) {
		t.Errorf("the link works twice: %v", err)
	}
	if _, _, err := h.SignIn(t.Context(), "Ann", "another good password", a.code(t), home); err != nil {
		t.Errorf("the new password and the code: %v", err)
	}
}

func TestTheDatabaseHoldsNoTOTPSecret(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	a, _, _ := h.enrol(t, token)
	raw, err := base32Plain.DecodeString(a.secret)
	if err != nil {
		t.Fatal(err)
	}
	files := storetest.Files(t, h.dir)
	if bytes.Contains(files, raw) || bytes.Contains(files, []byte(a.secret)) {
		t.Error("the database holds the secret")
	}
}

// C93: the token of before is worth nothing, and the sign-in is the same one.
func TestProvingMoreGivesANewToken(t *testing.T) {
	h := open(t)
	old, first := h.user(t, Technician, "ann")
	a, token, _ := h.enrol(t, old)
	if _, err := h.Check(t.Context(), old); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("the token of before enrolling: %v", err)
	}
	in, err := h.Check(t.Context(), token)
	if err != nil || in.ID != first.ID {
		t.Fatalf("%+v %v", in, err)
	}
	next, err := h.StepUp(t.Context(), in, a.code(t), home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Check(t.Context(), token); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("the token of before stepping up: %v", err)
	}
	if in, err = h.Check(t.Context(), next); err != nil || in.ID != first.ID {
		t.Errorf("%+v %v", in, err)
	}
	if len(h.ended) != 0 {
		t.Errorf("a session would have ended: %v", h.ended)
	}
}

// C92: control needs a proof of the last five minutes from who has a factor.
func TestControlNeedsAFreshProof(t *testing.T) {
	h := open(t)
	token, in := h.user(t, Technician, "ann")
	h.now = h.now.Add(10 * time.Minute)
	may := func(want bool, when string) {
		t.Helper()
		if ok, err := h.MayControl(t.Context(), in.ID); err != nil || ok != want {
			t.Errorf("%s: %v %v", when, ok, err)
		}
	}
	may(true, "without a factor")
	if _, err := h.NewTOTP(t.Context(), mustCheck(t, h, token), ""); !errors.Is(err, ErrStepUp) {
		t.Errorf("a factor by an old sign-in: %v", err)
	}
	if _, err := h.StepUpByPassword(t.Context(), mustCheck(t, h, token), "wrong password", home); !errors.Is(err, ErrWrong) {
		t.Errorf("by a wrong password: %v", err)
	}
	token, err := h.StepUpByPassword(t.Context(), mustCheck(t, h, token), good, home)
	if err != nil {
		t.Fatal(err)
	}
	a, token, _ := h.enrol(t, token) // a minute passes
	may(true, "a minute later")
	h.now = h.now.Add(4 * time.Minute)
	may(false, "five minutes later")
	in = mustCheck(t, h, token)
	if _, err := h.StepUpByPassword(t.Context(), in, good, home); !errors.Is(err, ErrStepUp) {
		t.Errorf("by the password alone: %v", err)
	}
	f, err := h.Factors(t.Context(), in.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveFactor(t.Context(), in, f.TOTP.ID); !errors.Is(err, ErrStepUp) {
		t.Errorf("removing it: %v", err)
	}
	if _, err := h.NewRecovery(t.Context(), in); !errors.Is(err, ErrStepUp) {
		t.Errorf("recovery codes: %v", err)
	}
	if _, err := h.NewTOTP(t.Context(), in, ""); !errors.Is(err, ErrStepUp) {
		t.Errorf("replacing it: %v", err)
	}
	if token, err = h.StepUp(t.Context(), in, a.code(t), home); err != nil {
		t.Fatal(err)
	}
	may(true, "after a code")
	if err := h.RemoveFactor(t.Context(), mustCheck(t, h, token), f.TOTP.ID); err != nil {
		t.Error(err)
	}
	if f, err := h.Factors(t.Context(), in.User.ID); err != nil || f.TOTP != nil || f.Recovery != 0 {
		t.Errorf("after removing it: %+v %v", f, err)
	}
	if ok, err := h.MayControl(t.Context(), "nobody"); ok || err != nil {
		t.Errorf("a sign-in that is none: %v %v", ok, err)
	}
}

// What a sign-in was when the call came is a copy: a proof that was undone since, or a
// sign-in that ended, changes no factor.
func TestAProofThatWasUndoneMeanwhile(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	_, token, _ = h.enrol(t, token)
	in := mustCheck(t, h, token)
	f, err := h.Factors(t.Context(), in.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice()
	offer, response := d.offered(t, h, in)
	changes := map[string]func() error{
		"an app":     func() error { _, err := h.NewTOTP(t.Context(), in, ""); return err },
		"codes":      func() error { _, err := h.NewRecovery(t.Context(), in); return err },
		"a passkey":  func() error { _, err := h.AddPasskey(t.Context(), here, in, "key", offer, response); return err },
		"one's loss": func() error { return h.RemoveFactor(t.Context(), in, f.TOTP.ID) },
	}
	for _, c := range []struct {
		sql  string
		want error
	}{{`update signins set proven = '' where id = ?`, ErrStepUp}, {`delete from signins where id = ?`, ErrNotSignedIn}} {
		h.exec(t, c.sql, in.ID)
		for name, change := range changes {
			if err := change(); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	}
	if got, err := h.Factors(t.Context(), in.User.ID); err != nil || got.TOTP == nil || len(got.Passkeys) != 0 || got.Recovery != 10 {
		t.Errorf("what there is: %+v %v", got, err)
	}
}

// An app counts only while the proof is fresh, and in the sign-in that began it.
func TestAnAppIsConfirmedByWhoBeganIt(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	in := mustCheck(t, h, token)
	begin := func(by SignIn) app {
		t.Helper()
		made, err := h.NewTOTP(t.Context(), by, "")
		if err != nil {
			t.Fatal(err)
		}
		return app{h, made.Secret}
	}
	a := begin(in)
	_, other, err := h.SignIn(t.Context(), "ann", good, "", home)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.ConfirmTOTP(t.Context(), other, a.code(t)); !errors.Is(err, ErrNoFactor) {
		t.Errorf("in another browser: %v", err)
	}
	h.now = h.now.Add(StepUpLife)
	if _, _, err := h.ConfirmTOTP(t.Context(), in, a.code(t)); !errors.Is(err, ErrStepUp) {
		t.Errorf("when the proof is old: %v", err)
	}
	if token, err = h.StepUpByPassword(t.Context(), in, good, home); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.ConfirmTOTP(t.Context(), mustCheck(t, h, token), a.code(t)); err != nil {
		t.Errorf("after proving it again: %v", err)
	}
	if f, err := h.Factors(t.Context(), in.User.ID); err != nil || f.TOTP == nil || f.TOTP.Name != "" {
		t.Errorf("%+v %v", f, err)
	}
}

// exec changes the database behind the directory's back.
func (h *house) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	err := h.store.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec(sql, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mustCheck(t *testing.T, h *house, token string) SignIn {
	t.Helper()
	in, err := h.Check(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Another browser of the user has proven nothing of a factor that came later.
func TestAFactorThatCameLaterIsAskedOfOtherBrowsers(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	_, other, err := h.SignIn(t.Context(), "ann", good, "", home)
	if err != nil {
		t.Fatal(err)
	}
	h.enrol(t, token)
	if ok, err := h.MayControl(t.Context(), other.ID); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestARoleMayHaveToHaveAFactor(t *testing.T) {
	h := open(t, func(c *Config) { c.Require = []Role{Technician} })
	token, in := h.user(t, Technician, "ann")
	if ok, err := h.MayControl(t.Context(), in.ID); ok || err != nil || !h.Lacks(in) {
		t.Errorf("without one: %v %v", ok, err)
	}
	h.enrol(t, token)
	if ok, err := h.MayControl(t.Context(), in.ID); !ok || err != nil {
		t.Errorf("with one: %v %v", ok, err)
	}
	if _, boss := h.user(t, Supervisor, "sue"); h.Lacks(boss) {
		t.Error("asked of another role")
	}
}

// A required factor that was never shown keeps nobody out: not by a password, not by a
// link for a new one, not by a provider.
func TestARequiredFactorMustBeShown(t *testing.T) {
	h := open(t, func(c *Config) { c.Require = []Role{Technician} })
	h.user(t, Admin, "Root")
	token, in := h.user(t, Technician, "ann")
	d := newDevice()
	d.register(t, h, token)
	_, weak, err := h.SignIn(t.Context(), "ann", good, "", home)
	if err != nil || !weak.Factor || !h.Lacks(weak) {
		t.Errorf("by the password alone: %+v %v", weak, err)
	}
	link, err := h.Link(t.Context(), Link{For: in.User.ID, By: boss})
	if err != nil {
		t.Fatal(err)
	}
	token, weak, err = h.UseLink(t.Context(), link, "", "another good password", home)
	if err != nil || !h.Lacks(weak) || !h.Lacks(mustCheck(t, h, token)) {
		t.Errorf("by a link: %+v %v", weak, err)
	}
	state, response := d.ask(t, h)
	token, err = h.StepUpByPasskey(t.Context(), here, weak, state, response, home)
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(20 * time.Minute) // shown once is enough for what needs no fresh proof
	if in := mustCheck(t, h, token); h.Lacks(in) || h.Controls(in) {
		t.Errorf("after the passkey: %+v", in)
	}
	v := Vouched{Provider: "p", Label: "P", Issuer: "https://id.example", Subject: "1", Name: "Eve", Role: Technician, Asked: h.now}
	token, in, err = h.signInVouched(t.Context(), v, home)
	if err != nil || !h.Lacks(in) {
		t.Fatalf("by a provider without one: %+v %v", in, err)
	}
	h.enrol(t, token)
	if _, in, err = h.signInVouched(t.Context(), v, home); err != nil || !in.Factor || !h.Lacks(in) {
		t.Errorf("by a provider with an app: %+v %v", in, err)
	}
}

// Guesses at the code of a stolen password are few, and use no session of the owner.
func TestCodesAreLimited(t *testing.T) {
	h := open(t, func(c *Config) {
		c.PerCode = limit.Every{N: 3, In: time.Hour}
		c.PerAccount.N, c.PerAccount.In = 100, time.Hour
	})
	token, _ := h.user(t, Technician, "ann")
	a, _, _ := h.enrol(t, token)
	for i := range 4 {
		want := ErrWrongCode
		if i == 3 {
			want = ErrLimited
		}
		if _, _, err := h.SignIn(t.Context(), "ann", good, "000000", home); !errors.Is(err, want) {
			t.Errorf("guess %d: %v", i+1, err)
		}
	}
	if _, _, err := h.SignIn(t.Context(), "ann", good, a.code(t), home); !errors.Is(err, ErrLimited) {
		t.Errorf("the right one after them: %v", err)
	}
	if n := strings.Count(h.types(t), "auth.locked"); n != 1 {
		t.Errorf("told %d times that it is locked", n)
	}
}

func TestFailuresAreToldAtTheNextSignIn(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "ann")
	for range 3 {
		if _, _, err := h.SignIn(t.Context(), "ann", "wrong password", "", home); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	last := h.now
	h.now = h.now.Add(time.Minute)
	token, _, err := h.SignIn(t.Context(), "ann", good, "", home)
	if err != nil {
		t.Fatal(err)
	}
	in := mustCheck(t, h, token)
	if in.Failed != 3 || !in.FailedLast.Equal(last.UTC().Truncate(0)) {
		t.Errorf("told of %d, the last at %v", in.Failed, in.FailedLast)
	}
	if err := h.SawFailures(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if in := mustCheck(t, h, token); in.Failed != 0 {
		t.Errorf("told again: %d", in.Failed)
	}
	if _, in, err := h.SignIn(t.Context(), "ann", good, "", home); err != nil || in.Failed != 0 {
		t.Errorf("at the sign-in after it: %d %v", in.Failed, err)
	}
}

func TestResettingFactorsIsTheWayOut(t *testing.T) {
	h := open(t)
	token, in := h.user(t, Technician, "Ann")
	_, token, _ = h.enrol(t, token)
	if n, err := h.ResetFactors(t.Context(), "ANN"); err != nil || n != 1 {
		t.Fatalf("%d %v", n, err)
	}
	if _, err := h.Check(t.Context(), token); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("the sign-in stands: %v", err)
	}
	if len(h.ended) != 1 || h.ended[0] != in.ID {
		t.Errorf("told to have ended: %v", h.ended)
	}
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); err != nil {
		t.Errorf("by the password: %v", err)
	}
	if _, err := h.ResetFactors(t.Context(), "nobody"); !errors.Is(err, ErrNoOwner) {
		t.Errorf("of nobody: %v", err)
	}
	if !strings.Contains(h.types(t), "factor.reset") {
		t.Error("it stands in no log")
	}
}

func FuzzPlainCode(f *testing.F) {
	for _, s := range []string{"123 456", "abcd-EFGH", "\xff", "", strings.Repeat("1", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := plainCode(s)
		if len(p) > 64 || plainCode(p) != p || strings.Trim(p, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("%q becomes %q", s, p)
		}
	})
}
