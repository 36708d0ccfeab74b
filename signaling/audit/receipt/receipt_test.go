package receipt

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/proof"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

var bg = context.Background()

const session = "01KB0000000000000000000001"

var said = Statement{Server: "help.example.org", Organisation: "Exemple", Technicians: []Technician{{"01T", "Zoë Ölçü"}, {"01U", "Bob"}}}

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

// given is the log of one ended session, and its receipt.
func given(t testing.TB) (*audit.Log, *Receipt) {
	t.Helper()
	dir := t.TempDir()
	st := storetest.Open(t, dir)
	log, err := audit.Open(bg, st, filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Make(bg, log, session, said); !errors.Is(err, ErrOpen) {
		t.Errorf("an empty log: %v", err)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	say := func(typ, origin string, data, personal map[string]any) {
		if _, err := log.Append(bg, audit.Event{
			Type: typ, Session: session, Ticket: "rt:17", Outcome: "ok", Origin: origin, Data: data, Personal: personal,
			Actor: audit.Actor{Kind: "technician", Ref: "01T"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	say("session.requested", "server", nil, nil)
	say("session.paired", "server", map[string]any{"host_key": base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))}, map[string]any{"technician": "Zoë Ölçü", "viewer_address": "192.0.2.7"})
	say("consent.granted", "host", map[string]any{"grant": "view", "participant": "1"}, nil)
	say("consent.denied", "host", map[string]any{"grant": "control", "participant": "1"}, nil)
	if _, err := log.Checkpoint(bg); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(bg, log, session, said); !errors.Is(err, ErrOpen) {
		t.Errorf("an open session: %v", err)
	}
	sig := ed25519.Sign(key, wire.CloseMessage(session, mfpb.Reason_REASON_PERSON_STOPPED, 2, 61000))
	say("host.closed", "host", map[string]any{"reason": "PERSON_STOPPED", "events": 2, "duration_ms": 61000, "signature": base64.StdEncoding.EncodeToString(sig)}, nil)
	say("session.ended", "server", map[string]any{"reason": "PERSON_STOPPED", "by": "host", "duration_ms": 61000, "host_events": 2}, nil)
	say("log.viewed", "server", nil, nil)
	r, err := Make(bg, log, session, said)
	if err != nil {
		t.Fatal(err)
	}
	return log, r
}

func text(t testing.TB, r *Receipt) []byte {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAReceiptIsProvenAndHoldsNoAddress(t *testing.T) {
	log, made := given(t)
	b := text(t, made)
	if strings.Contains(string(b), "192.0.2.7") || len(b) > 16<<10 {
		t.Errorf("%d bytes: %s", len(b), b)
	}
	r, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	report, got := Verify(r, proof.Trust{Key: log.VerifierKey()})
	if !report.Proven() || !report.Closed || report.Counted != 2 || report.Lines != 5 {
		t.Errorf("%+v", report)
	}
	if got.Server != said.Server || got.Organisation != said.Organisation || !slices.Equal(got.Technicians, said.Technicians) {
		t.Errorf("%+v", got)
	}
	if report, _ := Verify(r, proof.Trust{Ticket: [][32]byte{report.EndRoot}}); report.Ticket == 0 || !report.Proven() {
		t.Errorf("by the ticket: %+v", report)
	}
	if _, err := log.Purge(bg, session, "ours", audit.Actor{Kind: "system"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(bg, log, session, said); err != nil {
		t.Errorf("after a purge: %v", err)
	}
	if report, _ := Verify(r, proof.Trust{Key: log.VerifierKey()}); !report.Proven() {
		t.Errorf("a receipt of before a purge: %+v", report)
	}
	if _, err := Make(bg, log, "none", said); !errors.Is(err, audit.ErrNoSession) {
		t.Errorf("no session: %v", err)
	}
}

// No line can be taken out of a receipt, nobody renamed, nothing changed.
func TestAnyTamperingWithAReceiptIsNamed(t *testing.T) {
	log, made := given(t)
	trust := proof.Trust{Key: log.VerifierKey()}
	_, alien := given(t)
	bad := func(what string, change func(r *Receipt)) {
		r, err := Parse(text(t, made))
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		q, err := Parse(text(t, r))
		if err != nil {
			return // refused whole
		}
		if report, _ := Verify(q, trust); report.OK() {
			t.Errorf("not found: %s", what)
		}
	}
	for i := range made.Proof.Lines {
		bad("a line taken out", func(r *Receipt) { r.Proof.Lines = slices.Delete(r.Proof.Lines, i, i+1) })
		bad("a line changed", func(r *Receipt) {
			r.Proof.Lines[i].Leaf = strings.Replace(r.Proof.Lines[i].Leaf, `"outcome":"ok"`, `"outcome":"deny"`, 1)
		})
	}
	for i := range len(made.Statement) {
		if made.Statement[i] < 0x80 {
			bad("the statement changed", func(r *Receipt) {
				r.Statement = r.Statement[:i] + string(r.Statement[i]^1) + r.Statement[i+1:]
			})
		}
	}
	bad("another's statement", func(r *Receipt) { r.Statement = alien.Statement })
	bad("another's proof", func(r *Receipt) { r.Proof = alien.Proof })
	bad("another receipt", func(r *Receipt) { *r = *alien })
	bad("no statement", func(r *Receipt) { r.Statement = "" })
	// A statement that the log's key signed, for fewer lines.
	bad("no end", func(r *Receipt) {
		r.Proof.Lines = r.Proof.Lines[:3]
		signed, err := log.SignReceipt(bg, said.text(strings.Split(r.Proof.Checkpoint, "\n")[0], r.Proof))
		if err != nil {
			t.Fatal(err)
		}
		r.Statement = signed
	})
	if _, err := log.SignReceipt(bg, "mainforte export v1\n"); !errors.Is(err, audit.ErrKey) {
		t.Errorf("the log signs what it is told: %v", err)
	}
}

// The browser reads the same file.
func TestTheReceiptThatTheBrowserReadsToo(t *testing.T) {
	const file = "testdata/receipt.json"
	if os.Getenv("MAINFORTE_NEW_VECTORS") != "" {
		_, r := given(t)
		if err := os.WriteFile(filepath.FromSlash(file), append(text(t, r), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if report, s := Verify(r, proof.Trust{Key: r.Proof.Keys[0]}); !report.Proven() || s.Server != said.Server || s.Technicians[0] != said.Technicians[0] {
		t.Errorf("%+v %+v", report, s)
	}
}

func FuzzParse(f *testing.F) {
	_, r := given(f)
	f.Add(text(f, r))
	f.Add([]byte(`{"format":"mainforte receipt v1","statement":"","proof":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrForm) && !errors.Is(err, proof.ErrForm) {
				t.Error(err)
			}
			return
		}
		Verify(r, proof.Trust{})
	})
}
