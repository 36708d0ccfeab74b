package pairing

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// relays gives out credentials that say for whom they are, good for an hour.
type relays struct {
	now  func() time.Time
	mu   sync.Mutex
	n    int
	done []string
}

func (r *relays) give(session, who string, seen netip.Addr) (*mfpb.Relay, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return &mfpb.Relay{
		Servers: []*mfpb.IceServer{{Urls: []string{"turn:127.0.0.1:3478"}, Username: fmt.Sprintf("%s %s %s", session, who, seen), Credential: fmt.Sprint(r.n)}},
		Expires: r.now().Add(time.Hour).UnixMilli(),
	}, true
}

func (r *relays) end(session, who string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = append(r.done, who)
}

func (r *relays) ended() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.done, " ")
}

func newRelayBench(t *testing.T) (*bench, *relays) {
	r := &relays{}
	return newBench(t, func(c *Config) {
		r.now = c.Now
		c.Relays, c.RelayDone = r.give, r.end
	}), r
}

// relayed checks that a side gets credentials of its own.
func relayed(t *testing.T, p *peer, session, who string) {
	t.Helper()
	m := want[*mfpb.Relay](t, p)
	if got, want := m.Servers[0].Username, session+" "+who+" 127.0.0.1"; got != want {
		t.Fatalf("credentials of %q, want %q", got, want)
	}
}

func TestEverySideGetsItsOwnRelayCredentials(t *testing.T) {
	b, r := newRelayBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	relayed(t, h.peer, h.session, RelayHost)
	relayed(t, ann.peer, h.session, "1")
	b.join(h, bob, expert)
	relayed(t, bob.peer, h.session, "2")
	quiet(t, h.peer)
	quiet(t, ann.peer)

	bob.end(mfpb.Reason_REASON_LEFT)
	h.hears(t, "2", mfpb.Reason_REASON_LEFT)
	b.desk.Waiting() // the lock is free: all of it is done
	if got := r.ended(); got != "2" {
		t.Errorf("ended for %q", got)
	}
	ann.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	wantEnd(t, h.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	b.desk.Waiting()
	if got := r.ended(); got != "2 " {
		t.Errorf("ended for %q, want 2 and all", got)
	}
	b.advance(2 * time.Second)
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	b.ended(h.session)
}

func TestRelayCredentialsAreRenewedBeforeTheyExpire(t *testing.T) {
	b, _ := newRelayBench(t)
	h, ann := b.host(), b.viewer("ann")
	b.pair(h, ann)
	relayed(t, h.peer, h.session, RelayHost)
	relayed(t, ann.peer, h.session, "1")
	b.advance(44 * time.Minute)
	quiet(t, h.peer)
	b.advance(2 * time.Minute)
	relayed(t, h.peer, h.session, RelayHost)
	relayed(t, ann.peer, h.session, "1")
	quiet(t, h.peer)
	b.advance(46 * time.Minute)
	relayed(t, h.peer, h.session, RelayHost)
}

func TestAResumeBringsRelayCredentials(t *testing.T) {
	b, _ := newRelayBench(t)
	h, ann := b.host(), b.viewer("ann")
	b.pair(h, ann)
	relayed(t, h.peer, h.session, RelayHost)
	relayed(t, ann.peer, h.session, "1")
	n := b.resumeHost(h)
	n.sees(t, "1", true)
	want[*mfpb.EventAck](t, n.peer)
	relayed(t, n.peer, h.session, RelayHost)
	want[*mfpb.HostState](t, ann.peer)
	m := b.resumeViewer(ann, "ann")
	want[*mfpb.HostState](t, m.peer)
	relayed(t, m.peer, h.session, "1")
}

func TestWithoutARelayNothingIsSaidOfOne(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Relays = func(string, string, netip.Addr) (*mfpb.Relay, bool) { return nil, false }
	})
	h, ann := b.host(), b.viewer("ann")
	b.pair(h, ann)
	b.advance(time.Hour)
	quiet(t, h.peer)
	quiet(t, ann.peer)
}

// The lead is given up in the same look at the deadlines in which the host's
// credentials are due: the session is over, and over at the relay too.
func TestASessionThatIsOverGetsNoRelayCredentials(t *testing.T) {
	b, r := newRelayBench(t)
	h, ann := b.host(), b.viewer("ann")
	b.pair(h, ann)
	relayed(t, h.peer, h.session, RelayHost)
	relayed(t, ann.peer, h.session, "1")
	b.advance(40 * time.Minute)
	ann.ws.Close()
	h.sees(t, "1", false)
	b.advance(10*time.Minute + time.Second)
	wantEnd(t, h.peer, mfpb.Reason_REASON_VIEWER_GONE, false)
	quiet(t, h.peer)
	if got := r.ended(); got != "" || len(r.done) != 1 {
		t.Errorf("ended for %q, want all, once", r.done)
	}
}
