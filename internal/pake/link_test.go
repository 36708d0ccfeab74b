package pake

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// attached is both ends of the given epochs' last attach.
func attached(t testing.TB, viewer, host *Keys, epoch uint32) (v, h *Link) {
	t.Helper()
	nv, nh := NewNonce(), NewNonce()
	v, err := viewer.Attach(RoleViewer, epoch, nv, nh)
	if err != nil {
		t.Fatal(err)
	}
	h, err = host.Attach(RoleHost, epoch, nv, nh)
	if err != nil {
		t.Fatal(err)
	}
	return v, h
}

func linked(t testing.TB) (v, h *Link) {
	t.Helper()
	viewer, host := pair(t)
	return attached(t, viewer, host, 1)
}

func TestBodiesPassInBothDirectionsInOrder(t *testing.T) {
	viewer, host := pair(t)
	for epoch := uint32(1); epoch <= 3; epoch++ {
		v, h := attached(t, viewer, host, epoch)
		for i := range 5 {
			for _, body := range [][]byte{{}, fmt.Appendf(nil, "body %d", i), make([]byte, wire.MaxSealed)} {
				for _, ends := range [][2]*Link{{v, h}, {h, v}} {
					s := ends[0].Seal(body)
					if len(body) > 0 && bytes.Contains(s.Box, body) {
						t.Error("the box holds the body in the open")
					}
					if got, err := ends[1].Open(s); err != nil || !bytes.Equal(got, body) {
						t.Fatalf("epoch %d, body %d: %v", epoch, i, err)
					}
				}
			}
		}
		if v.Epoch() != epoch {
			t.Errorf("epoch %d calls itself %d", epoch, v.Epoch())
		}
	}
}

// refusedForGood checks that a link refuses s with want, and everything after it.
func refusedForGood(t *testing.T, what string, to, from *Link, s *mfpb.Sealed, want error) {
	t.Helper()
	if body, err := to.Open(s); !errors.Is(err, want) || body != nil {
		t.Errorf("%s: %q, %v", what, body, err)
	}
	if _, err := to.Open(from.Seal([]byte("honest"))); !errors.Is(err, want) {
		t.Errorf("%s: the link goes on: %v", what, err)
	}
}

func TestTamperedBoxesAreRefused(t *testing.T) { // C24
	for _, change := range []func(s *mfpb.Sealed){
		func(s *mfpb.Sealed) { s.Box[0] ^= 1 },
		func(s *mfpb.Sealed) { s.Box[len(s.Box)-1] ^= 0x80 },
		func(s *mfpb.Sealed) { s.Box = s.Box[:len(s.Box)-1] },
		func(s *mfpb.Sealed) { s.Box = append(s.Box, 0) },
		func(s *mfpb.Sealed) { s.Box = nil },
	} {
		v, h := linked(t)
		s := v.Seal([]byte("offer"))
		change(s)
		refusedForGood(t, "a changed box", h, v, s, ErrTampered)
	}
	v, h := linked(t)
	refusedForGood(t, "nothing", h, v, nil, ErrOldEpoch)
	v, h = linked(t)
	refusedForGood(t, "a box over the limit", h, v, &mfpb.Sealed{Epoch: 1, Box: make([]byte, wire.MaxSealed+17)}, wire.ErrTooLarge)
}

func TestEchoedBoxesAreRefused(t *testing.T) { // C24: each direction has its own key
	v, h := linked(t)
	refusedForGood(t, "the viewer's own box", v, h, v.Seal([]byte("offer")), ErrTampered)
	refusedForGood(t, "the host's own box", h, v, h.Seal([]byte("answer")), ErrTampered)
}

func TestRepeatedAndMissingBodiesAreRefused(t *testing.T) { // C23
	v, h := linked(t)
	first := v.Seal([]byte("first"))
	if _, err := h.Open(proto.CloneOf(first)); err != nil {
		t.Fatal(err)
	}
	refusedForGood(t, "a repeated body", h, v, first, ErrTampered)

	v, h = linked(t)
	v.Seal([]byte("lost"))
	refusedForGood(t, "a body after a lost one", h, v, v.Seal([]byte("second")), ErrTampered)

	for _, counter := range []uint64{1, math.MaxUint64} {
		v, h = linked(t)
		s := v.Seal([]byte("first"))
		s.Counter = counter
		refusedForGood(t, "a body that calls itself another", h, v, s, ErrTampered)
	}
}

func TestBodiesOfAnotherEpochAreRefused(t *testing.T) { // C22
	viewer, host := pair(t)
	v1, h1 := attached(t, viewer, host, 1)
	old := v1.Seal([]byte("old"))
	v2, h2 := attached(t, viewer, host, 2)
	refusedForGood(t, "an old body", h2, v2, old, ErrOldEpoch)
	refusedForGood(t, "a newer body", h1, v1, v2.Seal([]byte("new")), ErrOldEpoch)

	v3, h3 := attached(t, viewer, host, 3)
	s := v3.Seal([]byte("new"))
	s.Epoch = 2
	refusedForGood(t, "a body that calls itself old", h3, v3, s, ErrOldEpoch)
	if got := wire.Reason(ErrOldEpoch); got != mfpb.Reason_REASON_OLD_EPOCH {
		t.Errorf("the reason is %v", got)
	}
}

func TestAttachIsExactlyOneEpochHigher(t *testing.T) { // C22
	keys, _ := pair(t)
	try := func(epoch uint32, want error) {
		t.Helper()
		if l, err := keys.Attach(RoleViewer, epoch, NewNonce(), NewNonce()); !errors.Is(err, want) || (l == nil) != (err != nil) {
			t.Errorf("epoch %d: %v", epoch, err)
		}
	}
	try(0, ErrOldEpoch)
	try(2, ErrOldEpoch)
	try(1, nil)
	try(1, ErrOldEpoch)
	try(0, ErrOldEpoch)
	try(3, ErrOldEpoch)
	try(2, nil)
	try(math.MaxUint32, ErrOldEpoch)
	keys.epoch = math.MaxUint32
	try(0, ErrOldEpoch)
}

func TestAttachNeedsTheRightParts(t *testing.T) {
	keys, _ := pair(t)
	if _, err := keys.Attach(RoleHost, 1, NewNonce(), NewNonce()); !errors.Is(err, ErrParameters) {
		t.Errorf("the viewer attaches as host: %v", err)
	}
	for _, n := range [][2][]byte{{nil, NewNonce()}, {NewNonce(), nil}, {NewNonce()[:15], NewNonce()}, {NewNonce(), make([]byte, 17)}} {
		if _, err := keys.Attach(RoleViewer, 1, n[0], n[1]); !errors.Is(err, ErrPeer) {
			t.Errorf("nonces of %d and %d bytes: %v", len(n[0]), len(n[1]), err)
		}
	}
	// What failed took no epoch.
	if _, err := keys.Attach(RoleViewer, 1, NewNonce(), NewNonce()); err != nil {
		t.Error(err)
	}
}

// TestBothNoncesAreInTheKeys: a server that replays one side's nonce, or
// changes one, gets no link.
func TestBothNoncesAreInTheKeys(t *testing.T) {
	nv, nh := NewNonce(), NewNonce()
	for name, other := range map[string][2][]byte{"viewer's": {NewNonce(), nh}, "host's": {nv, NewNonce()}, "swapped": {nh, nv}} {
		viewer, host := pair(t)
		v, err := viewer.Attach(RoleViewer, 1, nv, nh)
		if err != nil {
			t.Fatal(err)
		}
		h, err := host.Attach(RoleHost, 1, other[0], other[1])
		if err != nil {
			t.Fatal(err)
		}
		refusedForGood(t, "another nonce, "+name, h, v, v.Seal([]byte("offer")), ErrTampered)
	}
}

func TestWipedKeysAttachNoMore(t *testing.T) {
	keys, _ := pair(t)
	keys.Wipe()
	if keys.isk != [64]byte{} {
		t.Error("the key is still in memory")
	}
	if _, err := keys.Attach(RoleViewer, 1, NewNonce(), NewNonce()); !errors.Is(err, ErrUsed) {
		t.Errorf("attach: %v", err)
	}
}

func TestCertificateProofs(t *testing.T) { // C25
	v, h := linked(t)
	viewerCert, hostCert, other := []byte("viewer's DER"), []byte("host's DER"), []byte("somebody's DER")
	fromViewer, fromHost := v.Proof(RoleViewer, viewerCert, hostCert), h.Proof(RoleHost, viewerCert, hostCert)
	if err := h.CheckProof(RoleViewer, fromViewer, viewerCert, hostCert); err != nil {
		t.Error("the viewer's proof:", err)
	}
	if err := v.CheckProof(RoleHost, fromHost, viewerCert, hostCert); err != nil {
		t.Error("the host's proof:", err)
	}
	hash := sha256.Sum256
	if got := v.ProofOfHashes(RoleViewer, hash(viewerCert), hash(hostCert)); !bytes.Equal(got, fromViewer) {
		t.Error("the proof over hashes is another")
	}
	if err := v.CheckProofOfHashes(RoleHost, fromHost, hash(viewerCert), hash(hostCert)); err != nil {
		t.Error("the host's proof over hashes:", err)
	}
	flipped := bytes.Clone(fromHost)
	flipped[31] ^= 1
	v2, _ := linked(t)
	for name, err := range map[string]error{
		"another certificate of the viewer": v.CheckProof(RoleHost, fromHost, other, hostCert),
		"another certificate of the host":   v.CheckProof(RoleHost, fromHost, viewerCert, other),
		"both certificates swapped":         v.CheckProof(RoleHost, fromHost, hostCert, viewerCert),
		"one's own proof echoed":            v.CheckProof(RoleHost, fromViewer, viewerCert, hostCert),
		"a flipped bit":                     v.CheckProof(RoleHost, flipped, viewerCert, hostCert),
		"half a proof":                      v.CheckProof(RoleHost, fromHost[:16], viewerCert, hostCert),
		"no proof":                          v.CheckProof(RoleHost, nil, viewerCert, hostCert),
		"a proof of another pairing":        v2.CheckProof(RoleHost, fromHost, viewerCert, hostCert),
		"another hash":                      v.CheckProofOfHashes(RoleHost, fromHost, hash(other), hash(hostCert)),
	} {
		if !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := wire.Reason(ErrCertificate); got != mfpb.Reason_REASON_CERTIFICATE_MISMATCH {
		t.Errorf("the reason is %v", got)
	}
}

func TestSealingIsSafeFromManyGoroutines(t *testing.T) {
	v, _ := linked(t)
	seen := make([]bool, 400)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				s := v.Seal([]byte("candidate"))
				mu.Lock()
				if seen[s.Counter] {
					t.Errorf("counter %d was used twice", s.Counter)
				}
				seen[s.Counter] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func FuzzOpen(f *testing.F) {
	v, _ := linked(f)
	s := v.Seal([]byte("offer"))
	f.Add(s.Epoch, s.Counter, s.Box)
	f.Add(uint32(0), uint64(1), []byte{})
	f.Fuzz(func(t *testing.T, epoch uint32, counter uint64, box []byte) {
		_, h := linked(t)
		if _, err := h.Open(&mfpb.Sealed{Epoch: epoch, Counter: counter, Box: box}); err == nil {
			t.Fatal("opened what nobody sealed")
		}
	})
}

func TestARepeatedAttachHasOtherKeys(t *testing.T) {
	viewer, host := pair(t)
	mine, lost, theirs := NewNonce(), NewNonce(), NewNonce()
	first, err := host.Attach(RoleHost, 1, mine, lost)
	if err != nil {
		t.Fatal(err)
	}
	again, err := host.Again(1, mine, theirs)
	if err != nil {
		t.Fatal(err)
	}
	there, err := viewer.Attach(RoleViewer, 1, mine, theirs)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := first.Seal([]byte("body")), again.Seal([]byte("body")); bytes.Equal(a.Box, b.Box) {
		t.Error("the same keys were begun twice")
	} else if got, err := there.Open(b); err != nil || string(got) != "body" {
		t.Errorf("%q %v", got, err)
	}
	for name, f := range map[string]func() error{
		"an older epoch":    func() error { _, err := host.Again(0, mine, theirs); return err },
		"one that is ahead": func() error { _, err := host.Again(2, mine, theirs); return err },
	} {
		if err := f(); !errors.Is(err, ErrOldEpoch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := viewer.Again(1, mine, theirs); !errors.Is(err, ErrParameters) {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := host.Again(1, mine[:15], theirs); !errors.Is(err, ErrPeer) {
		t.Errorf("a short nonce: %v", err)
	}
	host.Wipe()
	if _, err := host.Again(1, mine, theirs); !errors.Is(err, ErrUsed) {
		t.Errorf("after Wipe: %v", err)
	}
}
