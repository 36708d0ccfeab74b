// Package api is the server as a browser, a host and a script see it: pages,
// the JSON interface of openapi.yaml, and the two WebSockets.
//
// [New] opens the database in a folder and puts the house together; the result
// is one [http.Handler]. Every route is registered in one place with its
// pattern, and nothing is served before the table of package identity allowed
// it: a route without a row in that table is denied to everybody.
//
// Whatever is answered carries the same strict headers: scripts, styles and
// connections from this server only, Trusted Types, no frames, no caching of
// what is personal. Requests that change something must be JSON, without fields
// that are not known, and not come from another site. Errors have a code for
// programs and a sentence for people, in English or French.
//
// The log of the server (slog) holds patterns, never paths: a path can be a
// one-time link.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/appointments"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/brand"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/launch"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/pairing"
	"github.com/mainforte/mainforte/signaling/phrases"
	"github.com/mainforte/mainforte/signaling/policy"
	"github.com/mainforte/mainforte/signaling/queue"
	"github.com/mainforte/mainforte/signaling/relay"
	"github.com/mainforte/mainforte/signaling/solutions"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/supervise"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/waiting"
)

// Place is where a server's data is.
type Place struct {
	Data     string // folder of the keys and of the database; made if missing
	Database string // address of a PostgreSQL instead of the file in Data; may be empty
}

// Config of a Server. Data and PublicHost are required.
type Config struct {
	Data         string // as in Place
	Database     string // as in Place
	PublicHost   string // the name hosts dial; see wire.ServerName
	BaseURL      string // of the pages, for the links in ticket notes; may be empty
	Organisation string // shown to the person; may be empty
	Downloads    string // folder of host programs; may be missing
	Version      string
	Secure       bool // behind TLS: Secure cookies, wss, HSTS
	Logger       *slog.Logger
	Abuse        string        // where abuse is reported, an https or mailto address; may be empty
	Grace        time.Duration // of a session without a side; 0: pairing's own
	Relay        *relay.Server // nil: sessions have none. The caller closes it, after Close
	Desks        tickets.Setup // of other systems; see tickets.ReadDesks
	// DesksAllow are inner addresses, and such as may be reached by plain http, that desks
	// which an admin connects on the page may have.
	DesksAllow []netip.Prefix
	// Providers vouch for people who sign in; see identity.ReadProviders. They send
	// browsers back to BaseURL.
	Providers []identity.ProviderSetup
	Require   []identity.Role // roles that must have a second factor or a passkey
	Waiting   waiting.Limits

	// Knobs for tests: limits, clock, cost. They run on the configuration that
	// would otherwise be used.
	Clock    func() time.Time // of what providers say, and of appointments
	Identity func(*identity.Config)
	Pairing  func(*pairing.Config)
}

// Server is the whole server but for its listener.
type Server struct {
	cfg     Config
	log     *slog.Logger
	house   *house
	desk    *pairing.Desk
	tickets *tickets.Desks
	outbox  *tickets.Outbox
	checks  *deskChecks

	connected *tickets.Keeper

	links   *launch.Links
	hooks   *hooks
	news    *news
	asks    supervise.Asks
	room    *waiting.Room
	policy  *policy.Keeper
	given   *queue.Queue
	book    *appointments.Book
	invites *limit.Keyed
	brand   *brand.Keeper
	stirred chan struct{} // the sessions that are open are not as they were
	beat    time.Duration // of news
	vouch   []*identity.Provider
	handler http.Handler
	routes  []string

	loops sync.WaitGroup
	stop  context.CancelFunc
}

// Names in the data folder.
const (
	databaseFile = "mainforte.db"
	keyFolder    = "keys"
)

// house is what stands in the data folder.
type house struct {
	store store.Store
	audit *audit.Log
	local *tickets.Local
	users *identity.Directory
	book  *phrases.Book
	shelf *solutions.Shelf
}

// store opens the database.
func (p Place) store() (store.Store, error) {
	if p.Database != "" {
		st, err := store.OpenPostgres(p.Database)
		if err != nil {
			return nil, fmt.Errorf("the PostgreSQL cannot be opened: %w", err)
		}
		return st, nil
	}
	st, err := store.OpenSQLite(filepath.Join(p.Data, databaseFile))
	if err != nil {
		return nil, fmt.Errorf("the database in %s cannot be opened: %w", p.Data, err)
	}
	return st, nil
}

func open(ctx context.Context, p Place, change func(*identity.Config)) (*house, error) {
	st, err := p.store()
	if err != nil {
		return nil, err
	}
	log, err := audit.Open(ctx, st, filepath.Join(p.Data, keyFolder))
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	cfg := identity.Config{Store: st, Log: log}
	if change != nil {
		change(&cfg)
	}
	users, err := identity.New(cfg)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &house{store: st, audit: log, local: tickets.NewLocal(st), users: users, book: phrases.New(st, log), shelf: solutions.New(st, log)}, nil
}

// Admin runs f on the users of a place, also while a server runs on it. It does not
// make a folder: a typing mistake must not start a second house.
func Admin(ctx context.Context, p Place, f func(*identity.Directory) error) error {
	return visit(ctx, p, func(h *house) error { return f(h.users) })
}

// Evidence runs f on the session log of a place, as Admin does, and on the
// users, whose names are in no leaf.
func Evidence(ctx context.Context, p Place, f func(*audit.Log, *identity.Directory) error) error {
	return visit(ctx, p, func(h *house) error { return f(h.audit, h.users) })
}

// Move copies the database file of a place into its PostgreSQL, which must be
// empty, and returns the number of rows. No server may run on either.
func Move(ctx context.Context, p Place) (n int64, err error) {
	if _, err := os.Stat(filepath.Join(p.Data, databaseFile)); err != nil {
		return 0, fmt.Errorf("there is no database in %q: %w", p.Data, err)
	}
	from, err := store.OpenSQLite(filepath.Join(p.Data, databaseFile))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := store.OpenPostgres(p.Database)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return store.Copy(ctx, from, to)
}

func visit(ctx context.Context, p Place, f func(*house) error) error {
	sign := databaseFile
	if p.Database != "" {
		sign = keyFolder
	}
	if _, err := os.Stat(filepath.Join(p.Data, sign)); err != nil {
		return fmt.Errorf("there is no server data in %q (start `signaling serve --data %s` once): %w", p.Data, p.Data, err)
	}
	h, err := open(ctx, p, nil)
	if err != nil {
		return err
	}
	return errors.Join(f(h), h.store.Close())
}

// New opens the data folder and starts what runs in the background. Call Close.
func New(cfg Config) (*Server, error) {
	name, err := wire.ServerName(cfg.PublicHost)
	if err != nil {
		return nil, fmt.Errorf("the public host %q is not a name or an address: %w", cfg.PublicHost, err)
	}
	cfg.PublicHost = name
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{cfg: cfg, log: cfg.Logger, news: newNews(), beat: newsBeat, stirred: make(chan struct{}, 1), room: waiting.New(cfg.Waiting), checks: newDeskChecks()}
	ctx := context.Background()
	s.house, err = open(ctx, Place{cfg.Data, cfg.Database}, func(c *identity.Config) {
		c.Ended = func(ids []string) { s.signedOut(ids) }
		c.Require = cfg.Require
		c.RequireToo = func(r identity.Role) bool {
			p, _ := s.policy.InForce()
			return p.Requires(r)
		}
		if cfg.Identity != nil {
			cfg.Identity(c)
		}
	})
	if err != nil {
		return nil, err
	}
	if s.policy, err = policy.Open(ctx, s.house.store, s.house.audit); err != nil {
		return nil, errors.Join(err, s.house.store.Close())
	}
	if s.brand, err = brand.Open(ctx, s.house.store, s.house.audit); err != nil {
		return nil, errors.Join(err, s.house.store.Close())
	}
	for _, p := range cfg.Providers {
		s.vouch = append(s.vouch, identity.NewProvider(p, cfg.Clock))
	}
	if s.tickets, err = tickets.NewDesks(s.house.local, cfg.Desks); err != nil {
		return nil, errors.Join(err, s.house.store.Close())
	}
	if s.connected, err = tickets.OpenKeeper(ctx, s.house.store, s.house.audit, s.tickets, cfg.DesksAllow); err != nil {
		return nil, errors.Join(err, s.house.store.Close())
	}
	s.outbox = tickets.NewOutbox(s.house.store, s.house.audit, s.tickets)
	if s.links, err = launch.OpenLinks(ctx, s.house.store); err != nil {
		return nil, errors.Join(err, s.house.store.Close())
	}
	s.given = queue.New(s.house.store)
	s.book, s.invites = appointments.New(s.house.store, s.links.Key("appointment"), cfg.Clock), limit.New(invites, 10_000)
	s.hooks = newHooks(launch.NewHooks(s.house.store, s.house.audit))
	pc := pairing.Config{
		Store: s.house.store, Log: s.house.audit, Tickets: s.tickets, Outbox: s.outbox, SignIns: s.house.users,
		PublicHost: cfg.PublicHost, Organisation: cfg.Organisation, Software: "mainforte-signaling " + cfg.Version,
		Logger: cfg.Logger, Grace: cfg.Grace,
	}
	pc.Wanted, pc.Create = s.tickets.Policy, s.house.local.CreateForTx
	if cfg.BaseURL != "" {
		pc.Link = func(session string) string { return cfg.BaseURL + "/audit?session=" + session }
		pc.Picture = func(session, id string) string {
			return cfg.BaseURL + "/api/v1/sessions/" + session + "/attachments/" + id
		}
	}
	pc.Bounds = func() ([]string, time.Duration) {
		p, _ := s.policy.InForce()
		return p.RuledOut, p.Life()
	}
	pc.Named = s.organisation
	pc.Abuse = cfg.Abuse
	pc.Changed = s.stir
	pc.Receipt = func(session string, opened time.Time) string {
		return receiptPath(receipt.PersonLink(s.house.audit, session, opened.Add(receipt.LinkLife).Truncate(time.Second)))
	}
	if cfg.Relay != nil {
		pc.Relays, pc.RelayDone = cfg.Relay.Relays, cfg.Relay.Done
	}
	if cfg.Pairing != nil {
		cfg.Pairing(&pc)
	}
	if s.desk, err = pairing.New(ctx, pc); err != nil {
		return nil, errors.Join(err, s.house.store.Close())
	}
	s.handler = s.build()

	ctx, s.stop = context.WithCancel(ctx)
	s.loops.Go(func() {
		s.outbox.Run(ctx, func(err error) { s.log.Warn("a ticket note has to wait", "error", err) })
	})
	s.loops.Go(func() { s.checkpoints(ctx) })
	s.loops.Go(func() { s.tryDesks(ctx) })
	s.loops.Go(func() { s.heed(ctx) })
	s.loops.Go(func() { s.tellSupervisors(ctx) })
	s.loops.Go(func() { s.sweepRoom(ctx) })
	s.loops.Go(func() { s.remind(ctx) })
	return s, nil
}

// signedOut ends the sockets and the lines of sign-ins that ended before their time.
func (s *Server) signedOut(ids []string) {
	s.desk.SignedOut(ids)
	s.news.signedOut(ids)
}

// checkpointEvery bounds how much of the log only the database vouches for.
const checkpointEvery = 10 * time.Minute

func (s *Server) checkpoints(ctx context.Context) {
	t := time.NewTicker(checkpointEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if _, err := s.house.audit.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("no checkpoint of the log", "error", err)
		}
	}
}

// Handler serves everything.
func (s *Server) Handler() http.Handler { return s.handler }

// Users are those who may sign in.
func (s *Server) Users() *identity.Directory { return s.house.users }

// Desk is where hosts and viewers meet.
func (s *Server) Desk() *pairing.Desk { return s.desk }

// Log is the session log.
func (s *Server) Log() *audit.Log { return s.house.audit }

// Tickets is the embedded desk.
func (s *Server) Tickets() *tickets.Local { return s.house.local }

// HTTP is a server for the handler, with the time limits that slow callers meet.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      10 * time.Minute, // a host program over a slow line
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// Close ends every line, finishes what is being written and closes the database.
// Stop the listener first. Open sessions stay open and are taken up by the next
// New on the folder.
func (s *Server) Close(ctx context.Context) error {
	s.news.close()
	s.room.Close()
	err := s.desk.Close(ctx)
	s.stop()
	s.loops.Wait()
	return errors.Join(err, s.house.store.Close())
}
