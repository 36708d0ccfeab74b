package proof

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"path/filepath"
	"testing"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

const (
	sessionA = "01KB0000000000000000000001"
	sessionB = "01KB0000000000000000000002"
)

var bg = context.Background()

// house is a log with sessions in it.
type house struct {
	*audit.Log
	t testing.TB
}

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

func newHouse(t testing.TB) *house {
	t.Helper()
	dir := t.TempDir()
	st := storetest.Open(t, dir)
	log, err := audit.Open(bg, st, filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return &house{log, t}
}

// say writes one event.
func (h *house) say(typ, session, origin string, data, personal map[string]any) {
	h.t.Helper()
	_, err := h.Append(bg, audit.Event{
		Type: typ, Session: session, Ticket: "rt:17", Outcome: "ok", Origin: origin, MonoMS: 5,
		Actor: audit.Actor{Kind: "technician", Ref: "01T"}, Data: data, Personal: personal,
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func hostKey(session string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, session)
	return ed25519.NewKeyFromSeed(seed)
}

func (h *house) open(session string) {
	h.say("session.requested", session, "server", nil, nil)
	h.say("session.paired", session, "server", map[string]any{
		"host_key": base64.StdEncoding.EncodeToString(hostKey(session).Public().(ed25519.PublicKey)), "signed_in": "password",
	}, map[string]any{"technician": "Zoë Ölçü", "viewer_address": "192.0.2.7"})
	h.say("ticket.linked", session, "server", nil, nil)
}

func (h *house) work(session string) {
	h.say("consent.shown", session, "host", map[string]any{"grant": "view"}, nil)
	h.say("consent.granted", session, "host", map[string]any{"grant": "view", "by": "mouse"}, nil)
	h.say("input.summary", session, "host", map[string]any{"keys": 12, "clicks": 3}, nil)
}

// close ends a session of which the host counted some events.
func (h *house) close(session string, counted uint64) {
	h.say("host.closed", session, "host", map[string]any{
		"reason": "PERSON_STOPPED", "events": counted, "duration_ms": 61000,
		"signature": base64.StdEncoding.EncodeToString(ed25519.Sign(hostKey(session), wire.CloseMessage(session, mfpb.Reason_REASON_PERSON_STOPPED, counted, 61000))),
	}, nil)
	h.end(session)
}

func (h *house) end(session string) {
	h.say("session.ended", session, "server", map[string]any{"reason": "PERSON_STOPPED", "by": "host", "duration_ms": 61000, "host_events": 3}, nil)
}

// proof makes one and takes it through its JSON.
func (h *house) proof(session string, o Options) *Proof {
	h.t.Helper()
	point, err := h.Checkpoint(bg)
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := Make(bg, h.Log, session, point, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return through(h.t, p)
}

// two are two sessions side by side, both over.
func two(h *house) {
	h.say("auth.login", "", "server", map[string]any{"method": "password"}, map[string]any{"name": "Zoë"})
	h.open(sessionA)
	h.open(sessionB)
	h.work(sessionA)
	h.work(sessionB)
	h.close(sessionA, 3)
	h.say("log.viewed", sessionA, "server", nil, nil)
	h.close(sessionB, 3)
	h.say("log.viewed", sessionA, "server", nil, nil)
}
