package hostile_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mainforte/mainforte/internal/e2e/hostile"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/internal/wire"
)

// A connection that does not end where the pairing did: the other side knows the
// code and seals what it likes, but its proof is not of the certificates in use.
func TestTheConnectionEndsWhereThePairingDid(t *testing.T) {
	another := func([sha256.Size]byte) [sha256.Size]byte { return sha256.Sum256([]byte("another certificate")) }
	for _, c := range []struct {
		name       string
		accomplice *hostile.Accomplice
		technician string
	}{
		{"an honest one", &hostile.Accomplice{}, "connecting"},
		{"proof of another certificate", &hostile.Accomplice{Certificate: another}, "ended CERTIFICATE_MISMATCH"}, // C25
		{"grants before the proof", &hostile.Accomplice{Early: on(wire.ChannelControl, hostile.Greeting()...)}, "ended CERTIFICATE_MISMATCH"},
		{"a picture before the proof", &hostile.Accomplice{Early: on(wire.ChannelTiles, blueTile(t)...)}, "ended PROTOCOL"},
		{"a picture before the proof of another certificate", &hostile.Accomplice{
			Certificate: another, Early: on(wire.ChannelTiles, blueTile(t)...),
		}, "ended CERTIFICATE_MISMATCH|ended PROTOCOL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := c.accomplice
			s := newScene(t, func(*scene) hostile.Attack { return a.Attack() })
			_, a.Secret = s.parts()
			t.Cleanup(func() {
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			})
			p := openPage(t, s)
			p.claim(s.code())
			p.hears(c.technician)
			if c.technician != "connecting" {
				p.blind()
				if n := a.Received(wire.ChannelTiles); n > 0 {
					t.Errorf("the viewer answered %d times about a picture", n)
				}
			}
			if n := a.Received(wire.ChannelControl); n > 1 && c.technician != "connecting" {
				t.Errorf("%d messages on ctl, want the viewer's proof alone", n)
			}
			s.hears("status waiting") // the real host
			s.untouched()
		})
	}
}

// The same at the host: a viewer that knows the code and is connected by way of
// another certificate sees and moves nothing, though the person said yes.
func TestAViewerBehindAnotherCertificateSeesNothing(t *testing.T) {
	for name, proof := range map[string]func([]byte) []byte{
		"of another certificate": func(mac []byte) []byte {
			sum := sha256.Sum256(mac)
			return sum[:]
		},
		"of nothing": func([]byte) []byte { return []byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, nil)
			p := openPeer(t, s)
			p.opt.Proof = proof
			p.claim(s.code())
			p.hears("ended CERTIFICATE_MISMATCH") // C25
			s.hears("ended CERTIFICATE_MISMATCH")
			p.blind()
			p.silent()
			s.unmoved()
		})
	}
}

// on says messages on one channel.
func on(channel uint16, messages ...[]byte) func(uint16, func([]byte)) {
	return func(opened uint16, say func([]byte)) {
		if opened == channel {
			for _, m := range messages {
				say(m)
			}
		}
	}
}

// blueTile is a whole picture of one tile in the person's colour.
func blueTile(t *testing.T) [][]byte {
	t.Helper()
	const pixels = 16 * 16
	r, g, b := byte(colour>>16&0xff), byte(colour>>8&0xff), byte(colour&0xff)
	update := []byte{0 /* copies */, 0 /* skip */, 1 << 2 /* one plain tile: mode 0 */, 0, 0 /* the end */}
	for _, plane := range []byte{g, b - g, r - g} {
		update = append(update, bytes.Repeat([]byte{plane}, pixels)...)
	}
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithWindowSize(1<<18), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(update); err != nil {
		t.Fatal(err)
	}
	if err := z.Flush(); err != nil {
		t.Fatal(err)
	}
	piece := append(wire.AppendPiece(nil, 1, true), out.Bytes()...)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return [][]byte{wire.AppendStart(nil, wire.Start{Generation: 1, Width: 16, Height: 16, WindowLog: 18}), piece}
}

// A host that is quicker than the browser is no breach of the protocol: its answer
// may come before the browser has set the offer that it answers.
func TestAQuickAnswerIsNoBreach(t *testing.T) {
	s := newScene(t, nil)
	p := openPage(t, s)
	_, err := stage.Eval[bool](p.b, `(set => {
  RTCPeerConnection.prototype.setLocalDescription = async function (d) {
    await new Promise(done => setTimeout(done, 500));
    return set.call(this, d);
  };
  return true;
})(RTCPeerConnection.prototype.setLocalDescription)`)
	p.must(err)
	p.claim(s.code())
	p.hears("live")
	s.hears("ask view")
}
