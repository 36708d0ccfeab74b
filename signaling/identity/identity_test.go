package identity

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

// cheap keeps the tests quick; the default cost has its own test.
var cheap = Cost{MemoryKiB: 64, Time: 1, Threads: 1}

var home = netip.MustParseAddr("192.0.2.1")

const good = "correct horse battery"

type house struct {
	*Directory
	dir   string
	store store.Store
	log   *audit.Log
	now   time.Time
	ended []string
}

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

func open(t *testing.T, change ...func(*Config)) *house {
	t.Helper()
	h := &house{dir: t.TempDir(), now: time.Now()}
	st := storetest.Open(t, h.dir)
	h.store = st
	var err error
	if h.log, err = audit.Open(t.Context(), st, filepath.Join(h.dir, "keys")); err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Store: st, Log: h.log, Cost: cheap,
		Now:   func() time.Time { return h.now },
		Ended: func(ids []string) { h.ended = append(h.ended, ids...) },
	}
	for _, f := range change {
		f(&cfg)
	}
	if h.Directory, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return h
}

// user makes an account by a link and returns its sign-in.
func (h *house) user(t *testing.T, role Role, name string) (string, SignIn) {
	t.Helper()
	link, err := h.Link(t.Context(), Link{Role: role})
	if err != nil {
		t.Fatal(err)
	}
	token, in, err := h.UseLink(t.Context(), link, name, good, home)
	if err != nil {
		t.Fatal(err)
	}
	return token, in
}

func (h *house) types(t *testing.T) string {
	t.Helper()
	var out []string
	err := h.store.View(t.Context(), func(tx store.Tx) error {
		rows, err := tx.Query(`select type from audit_leaves order by idx`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			out = append(out, s)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestSignInAndOut(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "Chloé")
	token, in, err := h.SignIn(t.Context(), " CHLOÉ ", good, "", home) // composed or not, large or small
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Check(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if got.User.Name != "Chloé" || got.User.Role != Technician || got.ID != in.ID || got.Method != ByPassword {
		t.Errorf("the sign-in is %+v", got)
	}
	if err := h.SignOut(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Check(t.Context(), token); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("after signing out: %v", err)
	}
	if len(h.ended) != 1 || h.ended[0] != in.ID {
		t.Errorf("told to have ended: %v", h.ended)
	}
	if got, want := h.types(t), "auth.link_created auth.link_used auth.login auth.login auth.logout"; got != want {
		t.Errorf("the log holds %q, want %q", got, want)
	}
}

func TestWrongPasswordAndUnknownNameLookTheSame(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "ann")
	_, _, known := h.SignIn(t.Context(), "ann", "wrong password", "", home)
	_, _, unknown := h.SignIn(t.Context(), "nobody", "wrong password", "", home)
	if !errors.Is(known, ErrWrong) || !errors.Is(unknown, ErrWrong) || known.Error() != unknown.Error() {
		t.Errorf("known: %v; unknown: %v", known, unknown)
	}
	// The right secret of no one: the hash compared with is random, never empty.
	if _, _, err := h.SignIn(t.Context(), "nobody", "", "", home); !errors.Is(err, ErrWrong) {
		t.Errorf("unknown name, empty password: %v", err)
	}
}

func TestAnUnknownNameCostsAsMuchWork(t *testing.T) {
	// Counted, not timed: each attempt must pass the semaphore around argon2.
	h := open(t)
	h.user(t, Technician, "ann")
	h.hash.slots <- struct{}{}
	h.hash.slots <- struct{}{}
	for _, name := range []string{"ann", "nobody"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, _, err := h.SignIn(ctx, name, "wrong password", "", home); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: answered without hashing: %v", name, err)
		}
		cancel()
	}
}

func TestFailuresAreLimitedBeforeHashing(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "ann")
	for i := range 5 {
		if _, _, err := h.SignIn(t.Context(), "ann", "wrong password", "", home); !errors.Is(err, ErrWrong) {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
	}
	h.hash.slots <- struct{}{} // would block if a hash were made now
	h.hash.slots <- struct{}{}
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); !errors.Is(err, ErrLimited) {
		t.Errorf("the sixth attempt: %v", err)
	}
	<-h.hash.slots
	<-h.hash.slots
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", netip.MustParseAddr("198.51.100.7")); err != nil {
		t.Errorf("a stranger's failures keep the owner out elsewhere: %v", err)
	}
	h.now = h.now.Add(3 * time.Minute)
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); err != nil {
		t.Errorf("after three minutes: %v", err)
	}
}

func TestOneAddressIsLimitedOverAllNames(t *testing.T) {
	h := open(t, func(c *Config) { c.PerAddress = limit.Every{N: 3, In: time.Hour} })
	from := func(i string) netip.Addr { return netip.MustParseAddr("2001:db8:0:1::" + i) }
	for _, i := range []string{"1", "2", "3"} {
		if _, _, err := h.SignIn(t.Context(), "name"+i, "wrong password", "", from(i)); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	if _, _, err := h.SignIn(t.Context(), "name4", "wrong password", "", from("4")); !errors.Is(err, ErrLimited) {
		t.Errorf("a fourth address of the same /64: %v", err)
	}
}

func TestRightPasswordsAreNotLimited(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "ann")
	for i := range 20 {
		if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); err != nil {
			t.Fatalf("sign-in %d: %v", i+1, err)
		}
	}
}

func TestSignInsEnd(t *testing.T) {
	h := open(t)
	token, _ := h.user(t, Technician, "ann")
	step := func(d time.Duration) error {
		h.now = h.now.Add(d)
		_, err := h.Check(t.Context(), token)
		return err
	}
	for range 23 { // 11.5 h of work
		if err := step(29*time.Minute + 59*time.Second); err != nil {
			t.Fatalf("in use, yet ended: %v", err)
		}
	}
	for range 2 {
		step(20 * time.Minute)
	}
	if err := step(0); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("after 12 hours: %v", err)
	}
	token, _, err := h.SignIn(t.Context(), "ann", good, "", home)
	if err != nil {
		t.Fatal(err)
	}
	if err := step(30 * time.Minute); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("after 30 idle minutes: %v", err)
	}
}

func TestASessionKeepsItsSignInAlive(t *testing.T) {
	h := open(t)
	_, in := h.user(t, Technician, "ann")
	for range 4 {
		h.now = h.now.Add(20 * time.Minute)
		if ok, err := h.Alive(t.Context(), in.ID); err != nil || !ok {
			t.Fatalf("alive: %v %v", ok, err)
		}
	}
	if _, err := h.Disable(t.Context(), audit.Actor{Kind: "system"}, in.User.ID); err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Alive(t.Context(), in.ID); err != nil || ok {
		t.Errorf("disabled, yet alive: %v %v", ok, err)
	}
	if len(h.ended) != 1 || h.ended[0] != in.ID {
		t.Errorf("told to have ended: %v", h.ended)
	}
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); !errors.Is(err, ErrWrong) {
		t.Errorf("a disabled account: %v", err)
	}
}

func TestEachSignInIsNew(t *testing.T) {
	h := open(t)
	first, a := h.user(t, Technician, "ann")
	second, b, err := h.SignIn(t.Context(), "ann", good, "", home)
	if err != nil {
		t.Fatal(err)
	}
	if first == second || a.ID == b.ID {
		t.Error("two sign-ins share a token")
	}
}

func TestTheDatabaseCannotSignIn(t *testing.T) {
	h := open(t)
	link, err := h.Link(t.Context(), Link{Role: Auditor})
	if err != nil {
		t.Fatal(err)
	}
	token, in := h.user(t, Technician, "ann")
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for what, s := range map[string]string{"a cookie": token, "a link": link, "a password": good} {
			if strings.Contains(string(b), s) {
				t.Errorf("%s holds %s", d.Name(), what)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if in.ID == token {
		t.Error("the id of a sign-in is its token")
	}
}

func TestALinkWorksOnce(t *testing.T) {
	h := open(t, func(c *Config) { c.PerAccount = limit.Every{N: 100, In: time.Hour} })
	link, err := h.Link(t.Context(), Link{Role: Auditor, Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := h.LookLink(t.Context(), link); err != nil || l.Role != Auditor || l.Name != "Ada" {
		t.Fatalf("looking at it: %+v %v", l, err)
	}
	var wg sync.WaitGroup
	won := make(chan error, 8)
	for i := range 8 {
		wg.Go(func() {
			_, _, err := h.UseLink(t.Context(), link, "ada"+string(rune('a'+i)), good, home)
			won <- err
		})
	}
	wg.Wait()
	close(won)
	n := 0
	for err := range won {
		if err == nil {
			n++
		} else if !errors.Is(err, ErrNoLink) {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("one link made %d accounts", n)
	}
	if _, err := h.LookLink(t.Context(), link); !errors.Is(err, ErrNoLink) {
		t.Errorf("a used link: %v", err)
	}
}

func TestALinkEnds(t *testing.T) {
	h := open(t)
	link, err := h.Link(t.Context(), Link{Role: Technician})
	if err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{LinkLife, time.Hour} {
		h.now = h.now.Add(later)
		if _, _, err := h.UseLink(t.Context(), link, "ann", good, home); !errors.Is(err, ErrNoLink) {
			t.Errorf("a link of yesterday: %v", err)
		}
	}
	if _, _, err := h.UseLink(t.Context(), "nonsense", "ann", good, home); !errors.Is(err, ErrNoLink) {
		t.Errorf("no link at all: %v", err)
	}
	if _, err := h.Link(t.Context(), Link{Role: "root"}); err == nil {
		t.Error("a link for a role that does not exist")
	}
}

func TestABadChoiceDoesNotUseTheLinkUp(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "Ann")
	link, err := h.Link(t.Context(), Link{Role: Technician})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"ANN", good, ErrNameTaken},
		{"\u202e \u200b", good, ErrBadName},
		{strings.Repeat("x", 65), good, ErrBadName},
		{"Bob", "short", ErrWeakPassword},
		{"Bob the helper", "bob the helper", ErrWeakPassword},
		{"Bob", strings.Repeat("x", 1025), ErrWeakPassword},
	} {
		if _, _, err := h.UseLink(t.Context(), link, c.name, c.password, home); !errors.Is(err, c.want) {
			t.Errorf("%q %q: %v, want %v", c.name, c.password, err, c.want)
		}
	}
	if _, _, err := h.UseLink(t.Context(), link, "Bob", good, home); err != nil {
		t.Errorf("the link was used up by a mistake: %v", err)
	}
}

// P13: no default password; setup cannot be reopened.
func TestSetupCannotBeReopened(t *testing.T) {
	h := open(t)
	older, err := h.SetupLink(t.Context())
	if err != nil || older == "" {
		t.Fatalf("no setup link on the first start: %v", err)
	}
	newer, err := h.SetupLink(t.Context())
	if err != nil || newer == "" {
		t.Fatalf("no setup link on the second start: %v", err)
	}
	if _, err := h.LookLink(t.Context(), older); !errors.Is(err, ErrNoLink) {
		t.Errorf("the link of the start before still stands: %v", err)
	}
	h.user(t, Admin, "first")
	if _, _, err := h.UseLink(t.Context(), newer, "second", good, home); !errors.Is(err, ErrNoLink) {
		t.Errorf("setup after there is a user: %v", err)
	}
	if again, err := h.SetupLink(t.Context()); err != nil || again != "" {
		t.Errorf("a setup link although there is a user: %q %v", again, err)
	}
}

func TestSetupLinkLivesShortly(t *testing.T) {
	h := open(t)
	link, err := h.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(SetupLife)
	if _, err := h.LookLink(t.Context(), link); !errors.Is(err, ErrNoLink) {
		t.Errorf("after %v: %v", SetupLife, err)
	}
}

func TestPasswordsAreHashedAgainAtTodaysCost(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "ann")
	stored := func() (phc string) {
		err := h.store.View(t.Context(), func(tx store.Tx) error {
			return tx.QueryRow(`select password_hash from users`).Scan(&phc)
		})
		if err != nil {
			t.Fatal(err)
		}
		return phc
	}
	if !strings.HasPrefix(stored(), "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("stored as %s", stored())
	}
	h.hash.cost.MemoryKiB = 128
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored(), "$argon2id$v=19$m=128,t=1,p=1$") {
		t.Errorf("still stored as %s", stored())
	}
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); err != nil {
		t.Errorf("with the new hash: %v", err)
	}
}

func TestDefaultCost(t *testing.T) {
	h, err := newHasher(DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	phc, err := h.hash(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=47104,t=1,p=1$") {
		t.Errorf("hashed as %s", phc)
	}
	if ok, stale, err := h.verify(t.Context(), good, phc); !ok || stale || err != nil {
		t.Errorf("verify: %v %v %v", ok, stale, err)
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=47104,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA")
	f.Add("$argon2id$v=19$m=4294967295,t=0,p=0$$")
	f.Fuzz(func(t *testing.T, s string) {
		c, salt, sum, err := parsePHC(s)
		if err == nil && (c.Time < 1 || c.Threads < 1 || len(salt) < 8 || len(sum) < 16) {
			t.Errorf("%q: accepted as %+v", s, c)
		}
	})
}

func TestSignInFailsWhenItCannotBeLogged(t *testing.T) {
	h := open(t)
	h.user(t, Technician, "ann")
	broken, err := New(Config{Store: h.store, Log: noLog{}, Cost: cheap})
	if err != nil {
		t.Fatal(err)
	}
	if token, _, err := broken.SignIn(t.Context(), "ann", good, "", home); err == nil || token != "" {
		t.Errorf("signed in without a line in the log: %q %v", token, err)
	}
}

type noLog struct{ Log }

func (noLog) AppendTx(store.Tx, ...audit.Event) (int64, error) { return 0, store.ErrUnavailable }

func TestNothingIsAllowedByDefault(t *testing.T) {
	admin := &User{Role: Admin}
	for _, p := range []string{"GET /api/v1/unheard-of", "", "POST /console"} {
		if err := Authorize(p, admin); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%q: %v", p, err)
		}
		if err := Authorize(p, nil); err == nil {
			t.Errorf("%q is open to everybody", p)
		}
	}
	if err := Authorize("GET /api/v1/me", &User{Role: "root"}); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("a role that does not exist: %v", err)
	}
}

// The roles in the words of the design: who may not do what.
func TestRolesKeepApart(t *testing.T) {
	for _, c := range []struct {
		pattern string
		role    Role
		want    error
	}{
		{"GET /ws/viewer", Technician, nil},
		{"GET /ws/viewer", Supervisor, nil},
		{"GET /ws/viewer", Auditor, ErrNotAllowed},
		{"GET /ws/viewer", Admin, ErrNotAllowed},
		{"GET /api/v1/sessions/{id}/events", Auditor, nil},
		{"GET /api/v1/sessions/{id}/events", Admin, ErrNotAllowed},
		{"GET /api/v1/sessions/{id}/events", Technician, ErrNotAllowed},
		{"GET /api/v1/sessions", Admin, nil},
		{"GET /api/v1/tickets", Admin, nil},
		{"POST /api/v1/tickets", Admin, ErrNotAllowed},
		{"POST /api/v1/tickets", Auditor, ErrNotAllowed},
	} {
		if err := Authorize(c.pattern, &User{Role: c.role}); !errors.Is(err, c.want) {
			t.Errorf("%s as %s: %v, want %v", c.pattern, c.role, err, c.want)
		}
	}
	if err := Authorize("GET /ws/viewer", nil); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("not signed in: %v", err)
	}
}
