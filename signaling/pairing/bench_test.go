package pairing

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// bench is a desk with a real database, log, ticket desk and sockets. Its clock
// stands still until it is moved.
type bench struct {
	t      *testing.T
	dir    string
	store  *failing
	log    *audit.Log
	local  *tickets.Local
	outbox *tickets.Outbox
	desk   *Desk
	srv    *httptest.Server
	change []func(*Config)
	clock  *clock
	output *buffer // what the server logged
	ticket tickets.Ticket
	over   sync.Map // sign-in ids that ended
	stale  sync.Map // those that must prove again who they are

	stopOutbox func()
}

type clock struct{ ahead atomic.Int64 }

var origin = time.Now()

func (c *clock) now() time.Time { return origin.Add(time.Duration(c.ahead.Load())) }

// advance moves the clock. What is being written is written first: a database
// must not seem slow because a test is fast.
func (b *bench) advance(d time.Duration) {
	b.rest()
	b.clock.ahead.Add(int64(d))
}

// rest waits until what is logged is written, unless the database is in trouble.
func (b *bench) rest() {
	b.t.Helper()
	for deadline := time.Now().Add(soon); b.writing() && !b.store.full.Load() && b.store.gate.Load() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatal("the journal does not come to rest")
		}
	}
}

func (b *bench) writing() bool {
	b.desk.mu.Lock()
	defer b.desk.mu.Unlock()
	for _, s := range b.desk.sessions {
		if s.journal.working {
			return true
		}
	}
	return b.desk.loose.working
}

// failing is a database whose disk can be full, or that can take its time.
type failing struct {
	store.Store
	full atomic.Bool
	gate atomic.Pointer[chan struct{}]
}

func (f *failing) Update(ctx context.Context, fn func(store.Tx) error) error {
	if g := f.gate.Load(); g != nil {
		<-*g
	}
	if f.full.Load() {
		return store.ErrUnavailable
	}
	return f.Store.Update(ctx, fn)
}

// shut lets every update wait until open is called.
func (f *failing) shut() (open func()) {
	gate := make(chan struct{})
	f.gate.Store(&gate)
	return func() {
		f.gate.Store(nil)
		close(gate)
	}
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *bench) Alive(_ context.Context, id string) (bool, error) {
	_, over := b.over.Load(id)
	return !over, nil
}

func (b *bench) MayControl(_ context.Context, id string) (bool, error) {
	_, stale := b.stale.Load(id)
	return !stale, nil
}

// generous limits let a test try often; the tests of limits set their own.
func generous(c *Config) {
	many := limit.Every{N: 1_000_000, In: time.Hour}
	c.Limits = Limits{Account: many, AccountDay: many, Address: many, All: many, Plates: many, ViewersPerUser: 1000, HostsPerAddress: 1000}
}

func newBench(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	return newBenchIn(t, t.TempDir(), change...)
}

func newBenchIn(t *testing.T, dir string, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, clock: &clock{}, output: &buffer{}, change: append([]func(*Config){generous}, change...)}
	t.Cleanup(b.stop)
	b.start()
	ticket, err := b.local.Create(t.Context(), tickets.New{Subject: "Imprimante en panne", Requester: "Élodie Caron", Lang: "fr"})
	if err != nil {
		t.Fatal(err)
	}
	b.ticket = ticket
	for _, u := range []string{"ann", "bob", "cat", "dan", "eve"} {
		err := b.store.Store.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Exec(`insert into users (id, name, name_key, search, role, password_hash, created) values (?, ?, ?, ?, 'technician', '', ?)`,
				"id-"+u, u, u, u, store.FormatTime(b.clock.now()))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

// start is a server process that begins on the folder.
func (b *bench) start() {
	b.t.Helper()
	var err error
	b.store = &failing{Store: storetest.Open(b.t, b.dir)}
	if b.log, err = audit.Open(b.t.Context(), b.store, filepath.Join(b.dir, "keys")); err != nil {
		b.t.Fatal(err)
	}
	b.local = tickets.NewLocal(b.store)
	b.outbox = tickets.NewOutbox(b.store, b.log, b.local)
	cfg := Config{
		Store: b.store, Log: b.log, Tickets: b.local, Outbox: b.outbox, SignIns: b,
		PublicHost: "help.example.com", Organisation: "Example", Software: "mainforte test",
		Now: b.clock.now, Tick: 5 * time.Millisecond, Grace: 30 * time.Second,
		Logger: slog.New(slog.NewTextHandler(b.output, nil)),
	}
	for _, f := range b.change {
		f(&cfg)
	}
	if b.desk, err = New(b.t.Context(), cfg); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	outbox := b.outbox
	go func() {
		defer close(done)
		outbox.Run(ctx, func(err error) { b.output.Write([]byte(err.Error())) })
	}()
	b.stopOutbox = func() { cancel(); <-done }
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/host", b.desk.ServeHost)
	mux.HandleFunc("/ws/viewer", func(w http.ResponseWriter, r *http.Request) {
		u := r.URL.Query().Get("user")
		b.desk.ServeViewer(w, r, identity.SignIn{
			ID:     "signin-" + u,
			User:   identity.User{ID: "id-" + u, Name: u + "\u202e", Role: roleOf(u)},
			Method: identity.ByPassword, At: b.clock.now(), Expires: b.clock.now().Add(12 * time.Hour),
		}, "http://"+r.Host)
	})
	b.srv = httptest.NewServer(mux)
}

// roleOf is the role of a name: a supervisor is called so.
func roleOf(user string) identity.Role {
	if strings.HasPrefix(user, "super") {
		return identity.Supervisor
	}
	return identity.Technician
}

// stop is the end of the server process, in good order.
func (b *bench) stop() {
	if b.srv == nil {
		return
	}
	b.store.full.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.desk.Close(ctx); err != nil {
		b.t.Errorf("closing the desk: %v", err)
	}
	b.kill()
}

// kill takes the process away: what is not in the database is gone.
func (b *bench) kill() {
	b.stopOutbox()
	b.srv.CloseClientConnections()
	b.srv.Close()
	b.srv = nil
	if err := b.store.Close(); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) url(path string) string { return "ws" + strings.TrimPrefix(b.srv.URL, "http") + path }

// ended waits until the session is closed in the database.
func (b *bench) ended(id string) Record {
	b.t.Helper()
	for deadline := time.Now().Add(soon); ; {
		list, _, err := Records(b.t.Context(), b.store, Filter{ID: id})
		if err != nil {
			b.t.Fatal(err)
		}
		if len(list) == 1 && !list[0].Ended.IsZero() {
			return list[0]
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the session is not closed: %+v\n%s\n%s", list, b.types(id), b.output)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// events are a session's events as they are stored: all that happened until now.
func (b *bench) events(id string) []audit.Record {
	b.t.Helper()
	b.rest()
	list, err := b.log.Events(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// types are the event types of a session in order, those of the outbox left out.
func (b *bench) types(id string) string {
	var out []string
	for _, e := range b.events(id) {
		if !strings.HasPrefix(e.Type, "ticket.note") {
			out = append(out, e.Type)
		}
	}
	return strings.Join(out, " ")
}

// notes waits until n notes stand in the ticket, and looks once more for others.
func (b *bench) notes(n int) []tickets.Written {
	b.t.Helper()
	for deadline := time.Now().Add(soon); ; {
		list, err := b.local.Notes(b.t.Context(), b.ticket.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(list) >= n {
			time.Sleep(50 * time.Millisecond)
			if list, err = b.local.Notes(b.t.Context(), b.ticket.ID); err != nil || len(list) != n {
				b.t.Fatalf("%d notes in the ticket, want %d (%v)", len(list), n, err)
			}
			return list
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%d notes in the ticket, want %d\n%s", len(list), n, b.output)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
