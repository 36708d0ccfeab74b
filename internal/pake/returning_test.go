package pake

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// comeBack pairs, attaches once, and brings the host back by what it wrote down.
func comeBack(t *testing.T) (viewer, host *Keys) {
	t.Helper()
	viewer, host = pair(t)
	attached(t, viewer, host, 1)
	kept, err := host.Keep()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Returned(kept, host.HostKey())
	if err != nil {
		t.Fatal(err)
	}
	host.Wipe()
	return viewer, back
}

// meet is the first attach after a return.
func meet(t *testing.T, viewer, host *Keys, epoch uint32) (v, h *Link) {
	t.Helper()
	nv, nh := NewNonce(), NewNonce()
	h, err := host.Attach(RoleHost, epoch, nv, nh)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = viewer.AttachReturned(epoch, nv, nh, host.Salt()); err != nil {
		t.Fatal(err)
	}
	return v, h
}

// passes checks that a body goes both ways.
func passes(t *testing.T, v, h *Link) {
	t.Helper()
	for _, ends := range [][2]*Link{{v, h}, {h, v}} {
		if got, err := ends[1].Open(ends[0].Seal([]byte("still here"))); err != nil || string(got) != "still here" {
			t.Fatal(err)
		}
	}
}

func TestAHostComesBack(t *testing.T) {
	viewer, host := comeBack(t)
	v, h := meet(t, viewer, host, 2)
	passes(t, v, h)
	if host.Salt() == nil {
		t.Error("the salt must be told as long as the answer may have been lost")
	}
	v, h = attached(t, viewer, host, 3)
	passes(t, v, h)
	if host.Salt() != nil {
		t.Error("the viewer went on, and the host still says that it came back")
	}
	if _, err := host.Attach(RoleHost, 5, NewNonce(), NewNonce()); !errors.Is(err, ErrOldEpoch) {
		t.Errorf("after the first attach an epoch is left out: %v", err)
	}
}

// TestTheAnswerToAReturnMayBeLost is C47 after a return: the viewer repeats its half.
func TestTheAnswerToAReturnMayBeLost(t *testing.T) {
	viewer, host := comeBack(t)
	nv := NewNonce()
	if _, err := host.Attach(RoleHost, 2, nv, NewNonce()); err != nil {
		t.Fatal(err)
	}
	nh := NewNonce()
	h, err := host.Again(2, nv, nh)
	if err != nil {
		t.Fatal(err)
	}
	v, err := viewer.AttachReturned(2, nv, nh, host.Salt())
	if err != nil {
		t.Fatal(err)
	}
	passes(t, v, h)
	v, h = attached(t, viewer, host, 3)
	passes(t, v, h)
}

// TestWhatIsKeptOpensNothing: neither what was sealed before the return, nor, without
// both nonces, what is sealed after it.
func TestWhatIsKeptOpensNothing(t *testing.T) {
	viewer, host := pair(t)
	nv, nh := NewNonce(), NewNonce()
	v, err := viewer.Attach(RoleViewer, 1, nv, nh)
	if err != nil {
		t.Fatal(err)
	}
	before := v.Seal([]byte("an address"))
	kept, err := host.Keep()
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := host.Keep(); bytes.Equal(other.Secret, kept.Secret) {
		t.Error("two grants have one secret")
	}
	thief := &Keys{role: RoleHost, hostKey: host.HostKey()}
	copy(thief.isk[:], kept.Secret)
	if l, err := thief.Attach(RoleHost, 1, nv, nh); err != nil {
		t.Fatal(err)
	} else if _, err := l.Open(before); !errors.Is(err, ErrTampered) {
		t.Errorf("what was sealed before is opened: %v", err)
	}
	back, err := Returned(kept, host.HostKey())
	if err != nil {
		t.Fatal(err)
	}
	meet(t, viewer, back, 2)
	if bytes.Equal(back.isk[:], kept.Secret) || bytes.Equal(viewer.isk[:], kept.Secret) {
		t.Error("the key after the return is the one that was written down")
	}
	thief = &Keys{role: RoleHost, hostKey: host.HostKey(), epoch: 2}
	copy(thief.isk[:], kept.Secret)
	nv, nh = NewNonce(), NewNonce()
	v, err = viewer.Attach(RoleViewer, 3, nv, nh)
	if err != nil {
		t.Fatal(err)
	}
	l, err := thief.Attach(RoleHost, 3, nv, nh)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(v.Seal([]byte("an address"))); !errors.Is(err, ErrTampered) {
		t.Errorf("what was sealed after the return is opened by what was written down: %v", err)
	}
}

func TestAReturnNeedsTheRightParts(t *testing.T) {
	viewer, host := pair(t)
	kept, err := host.Keep()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Return{{}, {Salt: kept.Salt}, {Secret: kept.Secret}, {Salt: kept.Salt[1:], Secret: kept.Secret}, {Salt: kept.Salt, Secret: kept.Secret[1:]}} {
		if _, err := Returned(r, host.HostKey()); !errors.Is(err, ErrParameters) {
			t.Errorf("%v: %v", r, err)
		}
	}
	if _, err := Returned(kept, nil); !errors.Is(err, ErrParameters) {
		t.Errorf("without a signing key: %v", err)
	}
	if _, err := host.AttachReturned(1, NewNonce(), NewNonce(), kept.Salt); !errors.Is(err, ErrParameters) {
		t.Errorf("the host attaches as viewer: %v", err)
	}
	if _, err := viewer.AttachReturned(1, NewNonce(), NewNonce(), kept.Salt[1:]); !errors.Is(err, ErrPeer) {
		t.Errorf("a short salt: %v", err)
	}
	if _, err := viewer.AttachReturned(2, NewNonce(), NewNonce(), kept.Salt); !errors.Is(err, ErrOldEpoch) {
		t.Errorf("another epoch: %v", err)
	}
	host.Wipe()
	if _, err := host.Keep(); !errors.Is(err, ErrUsed) {
		t.Errorf("wiped keys are kept: %v", err)
	}
	back, err := Returned(kept, host.HostKey())
	if err != nil {
		t.Fatal(err)
	}
	back.Wipe()
	if back.Salt() != nil {
		t.Error("wiped keys tell a salt")
	}
}

// TestReturnTranscript: the browser's half must derive the same
// (viewer/test/pake.test.ts).
func TestReturnTranscript(t *testing.T) {
	const file = "testdata/returning.json"
	type transcript struct {
		ISK         hexBytes `json:"isk"`
		Salt        hexBytes `json:"salt"`
		Epoch       uint32   `json:"epoch"`
		ViewerNonce hexBytes `json:"viewerNonce"`
		HostNonce   hexBytes `json:"hostNonce"`
		After       hexBytes `json:"after"` // ISK'
		Body        hexBytes `json:"body"`
		Box         hexBytes `json:"box"` // by the viewer, counter 0
	}
	x := transcript{ISK: stream("isk", 64), Salt: stream("salt", 16), Epoch: 7, ViewerNonce: stream("nv", 16), HostNonce: stream("nh", 16), Body: []byte("offer, été")}
	viewer := &Keys{role: RoleViewer, epoch: 6}
	copy(viewer.isk[:], x.ISK)
	l, err := viewer.AttachReturned(x.Epoch, x.ViewerNonce, x.HostNonce, x.Salt)
	if err != nil {
		t.Fatal(err)
	}
	x.After, x.Box = bytes.Clone(viewer.isk[:]), l.Seal(x.Body).Box
	got, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if _, err := os.Stat(file); *update && errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what this code derives: %v", file, err)
	}
}
