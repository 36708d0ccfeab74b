package pake

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/gtank/ristretto255"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	testSecret    = "913706"
	testServer    = "help.example.com"
	testNameplate = "482"
)

var testSigning = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)).Public().(ed25519.PublicKey)

func newTestViewer(t testing.TB) *Viewer {
	t.Helper()
	v, err := NewViewer(testSecret, testServer, testNameplate)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// answered is a viewer and the answer of a host with the given parameters.
func answered(t testing.TB, secret, server, nameplate string) (v *Viewer, h *Host, share, ad, tag []byte) {
	t.Helper()
	v = newTestViewer(t)
	h = NewHost(secret, server, nameplate, testSigning)
	share, ad, tag, err := h.Answer(v.SID(), v.Share(), v.AD())
	if err != nil {
		t.Fatal(err)
	}
	return v, h, share, ad, tag
}

// pair runs a whole pairing.
func pair(t testing.TB) (viewer, host *Keys) {
	t.Helper()
	v, h, share, ad, tag := answered(t, testSecret, testServer, testNameplate)
	viewer, viewerTag, err := v.Finish(share, ad, tag)
	if err != nil {
		t.Fatal(err)
	}
	host, err = h.Confirm(viewerTag)
	if err != nil {
		t.Fatal(err)
	}
	return viewer, host
}

func TestBothSidesPair(t *testing.T) {
	viewer, host := pair(t)
	if viewer.isk != host.isk || viewer.isk == [64]byte{} {
		t.Error("the keys of both sides differ")
	}
	if !viewer.HostKey().Equal(testSigning) || !host.HostKey().Equal(testSigning) {
		t.Error("the host's signing key is not in the pairing")
	}
}

func TestNoTwoPairingsAreAlike(t *testing.T) {
	a, b := newTestViewer(t), newTestViewer(t)
	if bytes.Equal(a.SID(), b.SID()) || bytes.Equal(a.Share(), b.Share()) {
		t.Error("two viewers drew the same random")
	}
	if bytes.Equal(NewNonce(), NewNonce()) {
		t.Error("two nonces are the same")
	}
}

// TestWrongCode: another secret, server or nameplate ends at the viewer, which
// sends no tag, and would end at the host.
func TestWrongCode(t *testing.T) { // C21, C19
	for name, c := range map[string][3]string{
		"secret":    {"913707", testServer, testNameplate},
		"server":    {testSecret, "evil.example.com", testNameplate},
		"nameplate": {testSecret, testServer, "483"},
	} {
		v, _, share, ad, tag := answered(t, c[0], c[1], c[2])
		keys, viewerTag, err := v.Finish(share, ad, tag)
		if !errors.Is(err, ErrWrongCode) || keys != nil || viewerTag != nil {
			t.Errorf("another %s at the viewer: %v, keys %v, tag %x", name, err, keys, viewerTag)
		}
		if wire.Reason(err) != mfpb.Reason_REASON_WRONG_CODE {
			t.Errorf("another %s is called %v", name, wire.Reason(err))
		}
		// A viewer that does not check the host's tag and sends its own:
		other := newTestViewer(t)
		h := NewHost(c[0], c[1], c[2], testSigning)
		if share, ad, _, err = h.Answer(other.SID(), other.Share(), other.AD()); err != nil {
			t.Fatal(err)
		}
		s, err := other.run.agree(true, share, ad)
		if err != nil {
			t.Fatal(err)
		}
		if keys, err := h.Confirm(s.ours); !errors.Is(err, ErrWrongCode) || keys != nil {
			t.Errorf("another %s at the host: %v", name, err)
		}
	}
}

func TestTagsOfTheWrongKindAreRefused(t *testing.T) { // C19, C21
	for _, wrong := range [][]byte{nil, {}, make([]byte, 64), make([]byte, 63)} {
		v, h, share, ad, _ := answered(t, testSecret, testServer, testNameplate)
		if _, _, err := v.Finish(share, ad, wrong); !errors.Is(err, ErrWrongCode) {
			t.Errorf("the tag %x at the viewer: %v", wrong, err)
		}
		if _, err := h.Confirm(wrong); !errors.Is(err, ErrWrongCode) {
			t.Errorf("the tag %x at the host: %v", wrong, err)
		}
	}
	_, h, _, _, hostTag := answered(t, testSecret, testServer, testNameplate)
	if _, err := h.Confirm(hostTag); !errors.Is(err, ErrWrongCode) {
		t.Errorf("the host's own tag echoed: %v", err)
	}
}

func TestOwnShareIsRefused(t *testing.T) { // C17
	v := newTestViewer(t)
	// With the host's role, so that only the echoed share is wrong.
	if _, _, err := v.Finish(v.Share(), wire.HostAD(testSigning), make([]byte, 64)); !errors.Is(err, ErrPeer) {
		t.Errorf("the viewer's own share: %v", err)
	}
	// The host draws its share after it saw the viewer's; make it draw the same.
	random := bytes.Repeat([]byte{3}, 64)
	y, err := scalar(bytes.NewReader(random))
	if err != nil {
		t.Fatal(err)
	}
	prs, ci, _ := parameters(testSecret, testServer, testNameplate)
	sid := make([]byte, 16)
	h := NewHost(testSecret, testServer, testNameplate, testSigning)
	h.random = bytes.NewReader(random)
	if _, _, _, err := h.Answer(sid, newRun(y, prs, ci, sid, nil).share, wire.ViewerAD()); !errors.Is(err, ErrPeer) {
		t.Errorf("the host's own share: %v", err)
	}
}

// TestNeutralShareNeedsNoSecret plays a server without the secret that sends
// the neutral element: the key is then known to everybody.
func TestNeutralShareNeedsNoSecret(t *testing.T) { // C18
	neutral := ristretto255.NewIdentityElement().Bytes()
	secrets := func(sid, first, second []byte) (key []byte) {
		isk := sha512.Sum512(append(append(wire.AppendLV(nil, []byte(dsi+"_ISK"), sid, neutral), first...), second...))
		k := sha512.Sum512(append(append([]byte("CPaceMac"), sid...), isk[:]...))
		return k[:]
	}
	v := newTestViewer(t)
	ad := wire.HostAD(testSigning)
	theirs := wire.AppendLV(nil, neutral, ad)
	forged := tag(secrets(v.SID(), wire.AppendLV(nil, v.Share(), v.AD()), theirs), theirs)
	if _, _, err := v.Finish(neutral, ad, forged); !errors.Is(err, ErrPeer) {
		t.Errorf("at the viewer: %v", err)
	}
	h := NewHost(testSecret, testServer, testNameplate, testSigning)
	if _, _, _, err := h.Answer(make([]byte, 16), neutral, wire.ViewerAD()); !errors.Is(err, ErrPeer) {
		t.Errorf("at the host: %v", err)
	}
	if _, err := h.Confirm(make([]byte, 64)); !errors.Is(err, ErrUsed) {
		t.Errorf("the host goes on: %v", err)
	}
}

func TestSharesThatAreNoElementsAreRefused(t *testing.T) { // C18
	for _, share := range [][]byte{nil, {1}, bytes.Repeat([]byte{0xFF}, 32), make([]byte, 33)} {
		if _, _, err := newTestViewer(t).Finish(share, wire.HostAD(testSigning), make([]byte, 64)); !errors.Is(err, ErrPeer) {
			t.Errorf("%x at the viewer: %v", share, err)
		}
		h := NewHost(testSecret, testServer, testNameplate, testSigning)
		if _, _, _, err := h.Answer(make([]byte, 16), share, wire.ViewerAD()); !errors.Is(err, ErrPeer) {
			t.Errorf("%x at the host: %v", share, err)
		}
	}
}

// TestRolesAreChecked: a party of the right secret but the wrong role is
// refused by its role, not only by its tag.
func TestRolesAreChecked(t *testing.T) { // C16, C20
	v := newTestViewer(t)
	for _, ad := range [][]byte{nil, {}, wire.HostAD(testSigning), append(wire.ViewerAD(), 0), wire.AppendLV(nil, []byte("mf/2 viewer")), []byte("mf/1 viewer")} {
		h := NewHost(testSecret, testServer, testNameplate, testSigning)
		if share, _, _, err := h.Answer(v.SID(), v.Share(), ad); !errors.Is(err, ErrPeer) || share != nil {
			t.Errorf("the role %q at the host: %v", ad, err)
		}
	}
	// A host that pairs properly under an ADb of its own making.
	for _, ad := range [][]byte{nil, wire.ViewerAD(), wire.AppendLV(nil, []byte("mf/1 host")), wire.HostAD(testSigning[:31]),
		append(wire.HostAD(testSigning), 0), wire.AppendLV(nil, []byte("mf/1 viewer"), testSigning)} {
		v := newTestViewer(t)
		prs, ci, _ := parameters(testSecret, testServer, testNameplate)
		y, err := scalar(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		host := newRun(y, prs, ci, v.SID(), ad)
		s, err := host.agree(false, v.Share(), v.AD())
		if err != nil {
			t.Fatal(err)
		}
		if keys, _, err := v.Finish(host.share, ad, s.ours); !errors.Is(err, ErrPeer) || keys != nil {
			t.Errorf("the role %q at the viewer: %v", ad, err)
		}
	}
}

// TestTheSigningKeyIsInTheTranscript: nobody in the middle can put another key
// that would sign a close of its own.
func TestTheSigningKeyIsInTheTranscript(t *testing.T) {
	v, _, share, _, tag := answered(t, testSecret, testServer, testNameplate)
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)).Public().(ed25519.PublicKey)
	if _, _, err := v.Finish(share, wire.HostAD(other), tag); !errors.Is(err, ErrWrongCode) {
		t.Errorf("another signing key: %v", err)
	}
}

// TestEachValueIsOneGuess: a second call fails whatever it is given, and
// whatever the first one ended with.
func TestEachValueIsOneGuess(t *testing.T) {
	v, h, share, ad, tag := answered(t, testSecret, testServer, testNameplate)
	if _, _, _, err := h.Answer(v.SID(), v.Share(), v.AD()); !errors.Is(err, ErrUsed) {
		t.Errorf("a second Answer: %v", err)
	}
	if _, _, err := v.Finish(share, ad, make([]byte, 64)); !errors.Is(err, ErrWrongCode) {
		t.Fatal(err)
	}
	if _, _, err := v.Finish(share, ad, tag); !errors.Is(err, ErrUsed) {
		t.Errorf("a second Finish: %v", err)
	}
	v, _, share, ad, tag = answered(t, testSecret, testServer, testNameplate)
	if _, _, err := v.Finish(share, nil, tag); !errors.Is(err, ErrPeer) {
		t.Fatal(err)
	}
	if _, _, err := v.Finish(share, ad, tag); !errors.Is(err, ErrUsed) {
		t.Errorf("a Finish after a wrong role: %v", err)
	}
	v, h, share, ad, tag = answered(t, testSecret, testServer, testNameplate)
	_, viewerTag, err := v.Finish(share, ad, tag)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Confirm(make([]byte, 64)); !errors.Is(err, ErrWrongCode) {
		t.Fatal(err)
	}
	if _, err := h.Confirm(viewerTag); !errors.Is(err, ErrUsed) {
		t.Errorf("a second Confirm: %v", err)
	}
	if _, err := NewHost(testSecret, testServer, testNameplate, testSigning).Confirm(viewerTag); !errors.Is(err, ErrUsed) {
		t.Errorf("Confirm before Answer: %v", err)
	}
	h = NewHost(testSecret, testServer, testNameplate, testSigning)
	if _, _, _, err := h.Answer(v.SID(), v.Share(), nil); !errors.Is(err, ErrPeer) {
		t.Fatal(err)
	}
	if _, _, _, err := h.Answer(v.SID(), v.Share(), v.AD()); !errors.Is(err, ErrUsed) {
		t.Errorf("an Answer after a refused one: %v", err)
	}
}

func TestParameters(t *testing.T) {
	for _, c := range [][3]string{{"", testServer, "482"}, {"91370", testServer, "482"}, {"9137061", testServer, "482"}, {"９13706", testServer, "482"},
		{testSecret, "", "482"}, {testSecret, "a|b", "482"}, {testSecret, testServer, ""}, {testSecret, testServer, "48"}, {testSecret, testServer, "482|"}} {
		if _, err := NewViewer(c[0], c[1], c[2]); !errors.Is(err, ErrParameters) {
			t.Errorf("a viewer of %q: %v", c, err)
		}
		if _, _, _, err := NewHost(c[0], c[1], c[2], testSigning).Answer(make([]byte, 16), make([]byte, 32), wire.ViewerAD()); !errors.Is(err, ErrParameters) {
			t.Errorf("a host of %q: %v", c, err)
		}
	}
	v := newTestViewer(t)
	if _, _, _, err := NewHost(testSecret, testServer, testNameplate, testSigning[:31]).Answer(v.SID(), v.Share(), v.AD()); !errors.Is(err, ErrParameters) {
		t.Errorf("a host of half a signing key: %v", err)
	}
	for _, sid := range [][]byte{nil, make([]byte, 15), make([]byte, 17)} {
		if _, _, _, err := NewHost(testSecret, testServer, testNameplate, testSigning).Answer(sid, v.Share(), v.AD()); !errors.Is(err, ErrPeer) {
			t.Errorf("a sid of %d bytes: %v", len(sid), err)
		}
	}
}

func TestWithoutRandomNothingBegins(t *testing.T) {
	for _, n := range []int64{0, 15, 16, 79} {
		if _, err := newViewer(io.LimitReader(rand.Reader, n), testSecret, testServer, testNameplate); err == nil {
			t.Errorf("a viewer of %d random bytes", n)
		}
	}
	v, h := newTestViewer(t), NewHost(testSecret, testServer, testNameplate, testSigning)
	h.random = iotest.ErrReader(io.ErrClosedPipe)
	if _, _, _, err := h.Answer(v.SID(), v.Share(), v.AD()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a host without random: %v", err)
	}
}

func FuzzFinish(f *testing.F) {
	_, _, share, ad, tag := answered(f, testSecret, testServer, testNameplate)
	f.Add(share, ad, tag)
	f.Add(make([]byte, 32), wire.ViewerAD(), make([]byte, 64))
	f.Fuzz(func(t *testing.T, share, ad, tag []byte) {
		if keys, _, err := newTestViewer(t).Finish(share, ad, tag); err == nil || keys != nil {
			t.Fatal("paired with nobody")
		}
	})
}

func FuzzAnswer(f *testing.F) {
	v := newTestViewer(f)
	f.Add(v.SID(), v.Share(), v.AD(), make([]byte, 64))
	f.Fuzz(func(t *testing.T, sid, share, ad, tag []byte) {
		h := NewHost(testSecret, testServer, testNameplate, testSigning)
		if _, _, hostTag, err := h.Answer(sid, share, ad); err == nil && len(hostTag) != wire.TagSize {
			t.Fatal("an answer without a tag")
		}
		if keys, err := h.Confirm(tag); err == nil || keys != nil {
			t.Fatal("paired with nobody")
		}
	})
}
