package pake

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

var update = flag.Bool("update", false, "write testdata/pairings.json if it is missing; it never changes")

// transcript is a whole pairing with fixed random, as testdata/pairings.json
// holds it. The browser's half must reproduce every byte
// (viewer/test/pake.test.ts), so both speak the same protocol.
type transcript struct {
	Secret       string       `json:"secret"`
	Server       string       `json:"server"`
	Nameplate    string       `json:"nameplate"`
	ViewerRandom hexBytes     `json:"viewerRandom"` // the sid's 16 bytes, then the scalar's 64
	HostRandom   hexBytes     `json:"hostRandom"`   // the scalar's 64
	SigningSeed  hexBytes     `json:"signingSeed"`
	SigningKey   hexBytes     `json:"signingKey"`
	SID          hexBytes     `json:"sid"`
	ViewerShare  hexBytes     `json:"viewerShare"` // Ya
	ViewerAD     hexBytes     `json:"viewerAD"`
	HostShare    hexBytes     `json:"hostShare"` // Yb
	HostAD       hexBytes     `json:"hostAD"`
	HostTag      hexBytes     `json:"hostTag"`   // Tb
	ViewerTag    hexBytes     `json:"viewerTag"` // Ta
	ISK          hexBytes     `json:"isk"`
	Attaches     []attachment `json:"attaches"`
}

type attachment struct {
	Epoch       uint32      `json:"epoch"`
	ViewerNonce hexBytes    `json:"viewerNonce"`
	HostNonce   hexBytes    `json:"hostNonce"`
	OKM         hexBytes    `json:"okm"`
	ToHost      []sealedOne `json:"toHost"`
	ToViewer    []sealedOne `json:"toViewer"`
	ViewerCert  hexBytes    `json:"viewerCert"` // DER
	HostCert    hexBytes    `json:"hostCert"`
	ViewerProof hexBytes    `json:"viewerProof"`
	HostProof   hexBytes    `json:"hostProof"`
}

type sealedOne struct {
	Counter uint64   `json:"counter"`
	Body    hexBytes `json:"body"`
	Box     hexBytes `json:"box"`
}

// stream is n reproducible bytes.
func stream(label string, n int) []byte {
	var b []byte
	for i := byte(0); len(b) < n; i++ {
		h := sha256.Sum256(append([]byte(label), i))
		b = append(b, h[:]...)
	}
	return b[:n]
}

// record runs a pairing with fixed random and writes down all that it does.
func record(t *testing.T, secret, server, nameplate string) transcript {
	t.Helper()
	label := secret + server + nameplate
	x := transcript{Secret: secret, Server: server, Nameplate: nameplate, ViewerRandom: stream("viewer"+label, 80),
		HostRandom: stream("host"+label, 64), SigningSeed: stream("signing"+label, 32)}
	signing := ed25519.NewKeyFromSeed(x.SigningSeed).Public().(ed25519.PublicKey)
	x.SigningKey = hexBytes(signing)
	v, err := newViewer(bytes.NewReader(x.ViewerRandom), secret, server, nameplate)
	if err != nil {
		t.Fatal(err)
	}
	x.SID, x.ViewerShare, x.ViewerAD = v.SID(), v.Share(), v.AD()
	h := NewHost(secret, server, nameplate, signing)
	h.random = bytes.NewReader(x.HostRandom)
	share, ad, hostTag, err := h.Answer(v.SID(), v.Share(), v.AD())
	if err != nil {
		t.Fatal(err)
	}
	x.HostShare, x.HostAD, x.HostTag = share, ad, hostTag
	viewer, viewerTag, err := v.Finish(share, ad, hostTag)
	if err != nil {
		t.Fatal(err)
	}
	x.ViewerTag, x.ISK = viewerTag, bytes.Clone(viewer.isk[:])
	host, err := h.Confirm(viewerTag)
	if err != nil {
		t.Fatal(err)
	}
	for epoch := uint32(1); epoch <= 2; epoch++ {
		e := string(rune('0' + epoch))
		a := attachment{Epoch: epoch, ViewerNonce: stream("nv"+e+label, 16), HostNonce: stream("nh"+e+label, 16),
			ViewerCert: stream("viewer's certificate"+e, 300), HostCert: stream("host's certificate"+e, 310)}
		if a.OKM, err = attachKeys(x.ISK, epoch, a.ViewerNonce, a.HostNonce); err != nil {
			t.Fatal(err)
		}
		up, err := viewer.Attach(RoleViewer, epoch, a.ViewerNonce, a.HostNonce)
		if err != nil {
			t.Fatal(err)
		}
		down, err := host.Attach(RoleHost, epoch, a.ViewerNonce, a.HostNonce)
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range [][]byte{[]byte("offer, été"), {}, stream("body"+e, 1000)} {
			s := up.Seal(body)
			a.ToHost = append(a.ToHost, sealedOne{s.Counter, body, s.Box})
			s = down.Seal(append([]byte("answer: "), body...))
			a.ToViewer = append(a.ToViewer, sealedOne{s.Counter, append([]byte("answer: "), body...), s.Box})
		}
		a.ViewerProof = up.Proof(RoleViewer, a.ViewerCert, a.HostCert)
		a.HostProof = down.Proof(RoleHost, a.ViewerCert, a.HostCert)
		x.Attaches = append(x.Attaches, a)
	}
	return x
}

func TestTranscriptsNeverChange(t *testing.T) {
	got, err := json.MarshalIndent([]transcript{
		record(t, "913706", "help.example.com", "482"),
		record(t, "000000", "aide.xn--qubec-csa.ca", "123456789"),
		record(t, "000001", "2001:db8::1", "000"),
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const path = "testdata/pairings.json"
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("this code pairs in another way than " + path + " says")
	}
}

// TestTranscriptsAreRead opens what the file holds, as a host and as a viewer
// that sealed none of it.
func TestTranscriptsAreRead(t *testing.T) {
	b, err := os.ReadFile("testdata/pairings.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []transcript
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		for _, role := range []Role{RoleViewer, RoleHost} {
			keys := &Keys{role: role, isk: [64]byte(x.ISK)}
			for _, a := range x.Attaches {
				l, err := keys.Attach(role, a.Epoch, a.ViewerNonce, a.HostNonce)
				if err != nil {
					t.Fatal(err)
				}
				boxes, theirs, proof := a.ToHost, RoleViewer, a.ViewerProof
				if role == RoleViewer {
					boxes, theirs, proof = a.ToViewer, RoleHost, a.HostProof
				}
				for _, s := range boxes {
					if body, err := l.Open(&mfpb.Sealed{Epoch: a.Epoch, Counter: s.Counter, Box: s.Box}); err != nil || !bytes.Equal(body, s.Body) {
						t.Errorf("%s, epoch %d, body %d: %x, %v", x.Server, a.Epoch, s.Counter, body, err)
					}
				}
				if err := l.CheckProof(theirs, proof, a.ViewerCert, a.HostCert); err != nil {
					t.Errorf("%s, epoch %d: %v", x.Server, a.Epoch, err)
				}
			}
		}
	}
	if len(all) != 3 {
		t.Errorf("%d transcripts", len(all))
	}
}
