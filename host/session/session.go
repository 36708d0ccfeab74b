// Package session is the host's engine: it holds the line to the server, shows
// the code, pairs, asks the person, connects to the viewer, and ends.
//
// [New] takes a [Config] and returns a [Host]; [Host.Run] is its whole life,
// from the first connection to the end of one session:
//
//	(asking whether the person called) → dialling → waiting (a code is shown) → paired → session → ended
//
// One goroutine, Run's own, holds all state and makes every decision; what
// comes from elsewhere (the server's messages, the person's answers, the peer
// connection's callbacks, the clock) reaches it as functions in one queue. Only
// the two things that must be fast go past it: input events run from the data
// channel's reader straight into input.Receiver, and picture messages from the
// pump straight into the data channel.
//
// The engine trusts nobody. The server is checked (C10), tries are counted here
// (C11 to C15), nothing is believed before the viewer's tag (C19) and the
// certificate proof (C25), and what the person did not allow does not happen
// (C27 to C34). The numbers are those of internal/wire/PROTOCOL.md; each check
// is a line of its own that carries its number.
package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/comeback"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/overlay"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Times of the engine. The first three are promises of PROTOCOL.md and of the
// interface; the others bound how long a silent party is waited for.
const (
	// CodeLife is how long a code may be used.
	CodeLife = 10 * time.Minute
	// MaxTries is how many claims on one code are answered.
	MaxTries = 3
	// AnswerTime is how long a question stands before it counts as no.
	AnswerTime = 2 * time.Minute

	claimTime   = 30 * time.Second // a claim without verdict
	openTime    = 30 * time.Second // Paired without Opened
	proofTime   = 15 * time.Second // connected without certificate proof
	viewerTime  = 30 * time.Second // for a viewer's first connection, while the server is there
	returnTime  = 10 * time.Minute // for one that stood and was lost
	summaryTime = 10 * time.Second // between two input summaries
	flushTime   = 3 * time.Second  // for the last events after the end
	byeTime     = 100 * time.Millisecond
	maxGrace    = 10 * time.Minute // the session's keys live no longer
)

// ErrServer is wrapped by Run's error when the server could not be reached at
// all, or its certificate did not hold (then ErrCertificate is wrapped as well).
var ErrServer = errors.New("session: the server cannot be reached")

// ErrCertificate is wrapped when the server's TLS certificate is not valid for it.
var ErrCertificate = errors.New("session: the server's certificate is not valid")

// ErrQuit is Run's error when the person closed the app, before or in a session.
var ErrQuit = errors.New("session: the app was closed")

// ErrNotCalled is Run's error when the person said that they did not call the
// help desk: they were told to hang up, and the app must not begin again.
var ErrNotCalled = errors.New("session: the person did not call this help desk")

// ErrAddress is returned by ParseServer for what is not a server's address.
var ErrAddress = errors.New("session: not a server's address")

// Ended is Run's error when the engine stopped before a session for a reason
// that another connection would not change.
type Ended struct{ Why mfpb.Reason }

func (e *Ended) Error() string { return "session: " + wire.Name(e.Why) }

// Reason makes an Ended an error of the wire.
func (e *Ended) Reason() mfpb.Reason { return e.Why }

// Clock is the time; tests have their own. Until's channel gets a value when
// the time has come, at once if it has passed.
type Clock interface {
	Now() time.Time
	Until(time.Time) <-chan time.Time
}

type systemClock struct{}

func (systemClock) Now() time.Time                     { return time.Now() }
func (systemClock) Until(t time.Time) <-chan time.Time { return time.After(time.Until(t)) }

// Config is what a Host needs. Server, Window and OpenDesktop must be set.
type Config struct {
	// Server is where to connect, as ParseServer returns it.
	Server *url.URL
	// Unknown tells that nobody vouches for the server but who gave its address: the
	// person is asked whether they called it before anything is sent there.
	Unknown bool
	// Lang is the person's language, "en" or "fr".
	Lang string
	// Window is the conversation with the person. Run does not close it.
	Window ui.Window
	// OpenDesktop opens the screen and the hands. It is called when the person
	// has allowed view and not before; what it returns is closed when view ends.
	OpenDesktop func() (capture.Source, input.Injector, input.Guard, error)
	// OpenPerson listens to the person's own hands while the desktop is open, so that
	// they come first; nil: they are not told from the technician's.
	OpenPerson func(input.Ears) (input.Person, error)
	// OpenClipboard opens the person's clipboard with its first grant; nil: there is none.
	OpenClipboard func() (clipboard.Clipboard, error)
	// OpenOverlay opens what marks are drawn on. It is called when the person has
	// allowed annotate; nil: this desktop has none, and the grant is not served.
	OpenOverlay func() (overlay.Overlay, error)
	// OpenReturn begins to keep what a return after a restart needs, until a time. It is
	// called when the person has allowed reconnect, and may wait for a disk; nil: this
	// host has no place for it, and the grant is not served.
	OpenReturn func(until time.Time) (comeback.Keeper, error)
	// Raise lets the system ask the person whether this program may have hands with an
	// administrator's rights, and returns those. It is called when the person has allowed
	// elevate, and waits for their answer; nil: there are none here, and the grant is not served.
	Raise func(context.Context) (input.Injector, error)
	// Return is the session to come back to; Run then begins with it. nil: with a code.
	Return *Return
	// Shot takes one picture of the whole desktop, for the ticket or for a step that
	// the person is shown; nil is the system's.
	Shot func(context.Context) (*image.RGBA, error)
	// Windows are windows of our own that input must never reach; the window may
	// name more by its commands.
	Windows []uint64
	// Near is what the window has said last of what is in it: ui.Command.Near.
	Near string
	// TLS is used towards the server; nil is the system's roots.
	TLS *tls.Config
	// Patience is how long the first contact with the server is tried; 0 is for ever.
	Patience time.Duration
	// Clock is the time; nil is the system's.
	Clock Clock
	// Addresses lists the computer's own addresses, sorted; nil is the system's.
	// When they change, the session looks for another way.
	Addresses func() []netip.Addr
	// Downloads is where received files land unless the person says otherwise; nil
	// is the system's.
	Downloads func() string
	// ICE may change pion's settings for each peer connection; nil changes nothing.
	ICE func(*webrtc.SettingEngine)
	// Software is the name and version in Hello.
	Software string
	// Log takes what a developer wants to know. Never a secret, never what the
	// person sees or types. nil discards.
	Log *slog.Logger
}

// Host is one run of the engine.
type Host struct {
	cfg    Config
	server string // the dialled name, as it stands in the pairing
	texts  *ui.Texts
	clock  Clock
	log    *slog.Logger

	around surroundings

	ctx     context.Context
	cancel  context.CancelFunc
	inbox   chan func()
	look    chan struct{}                     // the pump has news: sizes, or a channel that failed
	stopped chan struct{}                     // closed when the loop takes nothing more
	work    sync.WaitGroup                    // every goroutine of the engine but those of
	disks   sync.WaitGroup                    // what waits for a disk
	stall   atomic.Pointer[func(what string)] // a test's: see touch
	alarms  map[string]alarm

	// The state below belongs to the loop.
	line     *line
	lineNo   int // counts dials; an answer to an older one is stale
	failures int
	met      bool      // a Welcome was accepted once
	began    time.Time // of the first dial, or of the question before it
	contact  bool      // it is not known yet whether the person called
	welcome  *mfpb.Welcome
	code     *code
	asked    bool // a PlateRequest is under way
	why      mfpb.Reason
	claim    *claim
	live     *live
	relay    *mfpb.Relay // the newest
	// secureRelays are those of relay that speak TLS, for the goroutines of pion.
	secureRelays atomic.Pointer[map[string]bool]
	windows      []uint64     // windows of our own
	front        input.Front  // the window in front of the person
	private      []string     // words of the windows that are theirs alone
	nearby       string       // what our window says is in it
	endedAt      time.Time    // of the session
	late         []ui.Command // said after the session's end, for Goodbye
	done         bool
	err          error
}

// New returns a Host that has not begun.
func New(cfg Config) *Host {
	h := &Host{
		cfg:     cfg,
		texts:   ui.Load(cfg.Lang),
		clock:   cfg.Clock,
		log:     cfg.Log,
		inbox:   make(chan func(), 64),
		look:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		alarms:  make(map[string]alarm),
		windows: slices.Clone(cfg.Windows),
		private: slices.Clone(privateWords),
		nearby:  cfg.Near,
	}
	if h.around = here(); cfg.Addresses != nil {
		h.around = given(cfg.Addresses)
	}
	if h.cfg.Shot == nil {
		h.cfg.Shot = func(ctx context.Context) (*image.RGBA, error) { return capture.Shot(ctx, "") }
	}
	if h.clock == nil {
		h.clock = systemClock{}
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// ParseServer reads an address as a person types it or a flag gives it:
// help.example.org, help.example.org:8443, https://help.example.org. Without a
// scheme it is https, and http on loopback. http to anywhere but loopback is
// refused, like anything that is not a server's address: ErrAddress.
func ParseServer(s string) (*url.URL, error) {
	s = strings.TrimSpace(s)
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		scheme, rest = "", s
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" || strings.ContainsAny(rest, "/?#@ ") {
		return nil, fmt.Errorf("%w: %q", ErrAddress, s)
	}
	name, err := wire.ServerName(rest)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", ErrAddress, s)
	}
	if _, port, err := net.SplitHostPort(rest); err == nil {
		rest = net.JoinHostPort(name, port)
	} else if strings.Contains(name, ":") {
		rest = "[" + name + "]"
	} else {
		rest = name
	}
	u := &url.URL{Host: rest, Path: "/ws/host"}
	switch strings.ToLower(scheme) {
	case "https", "wss":
		u.Scheme = "wss"
	case "http", "ws":
		u.Scheme = "ws"
	case "":
		u.Scheme = "wss"
		if loopback(name) {
			u.Scheme = "ws"
		}
	default:
		return nil, fmt.Errorf("%w: %q", ErrAddress, s)
	}
	if u.Scheme == "ws" && !loopback(name) {
		return nil, fmt.Errorf("%w: %q is not on this computer, so it must be https", ErrAddress, s)
	}
	return u, nil
}

// Local tells whether a server is this computer's own.
func Local(u *url.URL) bool {
	name, err := dialledName(u)
	return err == nil && loopback(name)
}

func loopback(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return name == "localhost"
}

// ServerFromFileName is the server that a file's name hints at, or "":
// "mainforte-help.example.org", "Mainforte-help.example.org (1).exe". It is
// what somebody called the file and nothing more: show it, ask, then use it.
func ServerFromFileName(file string) string {
	name := file[strings.LastIndexAny(file, `/\`)+1:]
	if len(name) > 4 && strings.EqualFold(name[len(name)-4:], ".exe") {
		name = name[:len(name)-4]
	}
	if i := strings.LastIndex(name, " ("); i > 0 && strings.HasSuffix(name, ")") {
		name = name[:i] // what a browser adds to a second download
	}
	const prefix = "mainforte-"
	if len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return ""
	}
	name = name[len(prefix):]
	server, err := wire.ServerName(name)
	if err != nil || !strings.Contains(server, ".") || strings.Contains(name, ":") {
		return ""
	}
	return server
}
