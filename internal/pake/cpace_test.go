package pake

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/gtank/ristretto255"

	"github.com/mainforte/mainforte/internal/wire"
)

// draft is one section of testdata/draft21.json, the test vectors that
// draft-irtf-cfrg-cpace-21 publishes.
func draft(t testing.TB, section string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/draft21.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[section], into); err != nil {
		t.Fatal(section, err)
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func canonicalScalar(t testing.TB, b []byte) *ristretto255.Scalar {
	t.Helper()
	s, err := ristretto255.NewScalar().SetCanonicalBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDraftVectors(t *testing.T) {
	// encoding/json matches names without case: ya and Ya need a map.
	var v map[string]json.RawMessage
	draft(t, "G_Coffee25519", &v)
	get := func(name string) []byte {
		var h hexBytes
		if err := json.Unmarshal(v[name], &h); err != nil {
			t.Fatal(name, err)
		}
		return h
	}
	equal := func(name string, got []byte) {
		t.Helper()
		if want := get(name); !bytes.Equal(got, want) {
			t.Errorf("%s is %x, the draft says %x", name, got, want)
		}
	}
	prs, ci, sid := get("PRS"), get("CI"), get("sid")
	equal("g", generator(prs, ci, sid).Bytes())
	a := newRun(canonicalScalar(t, get("ya")), prs, ci, sid, get("ADa"))
	b := newRun(canonicalScalar(t, get("yb")), prs, ci, sid, get("ADb"))
	equal("Ya", a.share)
	equal("Yb", b.share)
	sa, err := a.agree(true, b.share, b.ad)
	if err != nil {
		t.Fatal(err)
	}
	sb, err := b.agree(false, a.share, a.ad)
	if err != nil {
		t.Fatal(err)
	}
	equal("ISK_IR", sa.isk[:])
	equal("ISK_IR", sb.isk[:])
	if !bytes.Equal(sa.ours, sb.theirs) || !bytes.Equal(sa.theirs, sb.ours) || bytes.Equal(sa.ours, sb.ours) {
		t.Error("the tags of both sides do not match")
	}
}

func TestDraftPointsAreRefused(t *testing.T) { // C18
	var points struct {
		Y1    hexBytes            `json:"Invalid Y1"`
		Y2    hexBytes            `json:"Invalid Y2"`
		Valid map[string]hexBytes // s and X differ by name only
	}
	draft(t, "G_Coffee25519_points", &points)
	s := points.Valid["s"]
	x, err := ristretto255.NewIdentityElement().SetCanonicalBytes(points.Valid["X"])
	if err != nil {
		t.Fatal(err)
	}
	product := ristretto255.NewIdentityElement().ScalarMult(canonicalScalar(t, s), x).Bytes()
	if want := points.Valid["G.scalar_mult(s,decode(X))"]; !bytes.Equal(product, want) {
		t.Errorf("the valid product is %x", product)
	}
	bad := [][]byte{points.Y1, points.Y2, nil, make([]byte, 31), make([]byte, 33), bytes.Repeat([]byte{0xFF}, 32)}
	for _, share := range bad {
		y := canonicalScalar(t, s)
		if _, err := newRun(y, []byte("913706"), nil, nil, nil).agree(true, share, nil); !errors.Is(err, ErrPeer) {
			t.Errorf("the share %x: %v", share, err)
		}
	}
}

// TestTheReflectionTrap shows why C17 stands: without it, whoever echoes our
// share and our tag passes the draft's own key confirmation without the secret.
func TestTheReflectionTrap(t *testing.T) {
	v := newTestViewer(t)
	share, ad := v.run.share, v.run.ad
	peer, err := ristretto255.NewIdentityElement().SetCanonicalBytes(share)
	if err != nil {
		t.Fatal(err)
	}
	k := ristretto255.NewIdentityElement().ScalarMult(v.run.y, peer)
	m := wire.AppendLV(nil, share, ad)
	isk := sha512.Sum512(append(append(wire.AppendLV(nil, []byte(dsi+"_ISK"), v.run.sid, k.Bytes()), m...), m...))
	key := sha512.Sum512(append(append([]byte("CPaceMac"), v.run.sid...), isk[:]...))
	if sent, demanded := tag(key[:], m), tag(key[:], m); !bytes.Equal(sent, demanded) {
		t.Fatal("the attack is gone: look at this test again")
	}
	if _, err := v.run.agree(true, share, ad); !errors.Is(err, ErrPeer) {
		t.Errorf("our own share comes back: %v", err)
	}
}
