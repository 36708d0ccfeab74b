package track

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// wire is a connection without a network: it keeps what is sent.
type wire struct {
	codecs []webrtc.RTPCodecParameters
	sent   []rtp.Packet
}

func (w *wire) CodecParameters() []webrtc.RTPCodecParameters { return w.codecs }
func (w *wire) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	return []webrtc.RTPHeaderExtensionParameter{{URI: playoutDelay, ID: 5}}
}
func (w *wire) SSRC() webrtc.SSRC                       { return 11 }
func (w *wire) SSRCRetransmission() webrtc.SSRC         { return 12 }
func (w *wire) SSRCForwardErrorCorrection() webrtc.SSRC { return 0 }
func (w *wire) WriteStream() webrtc.TrackLocalWriter    { return w }
func (w *wire) ID() string                              { return "wire" }
func (w *wire) RTCPReader() interceptor.RTCPReader      { return nil }
func (w *wire) Write(b []byte) (int, error)             { return len(b), nil }
func (w *wire) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	w.sent = append(w.sent, rtp.Packet{Header: h.Clone(), Payload: bytes.Clone(payload)})
	return len(payload), nil
}

var rtx = []webrtc.RTPCodecParameters{
	{PayloadType: 41, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, SDPFmtpLine: "apt=40"}},
	{PayloadType: 100, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/vp8"}},
	{PayloadType: 101, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/RTX", SDPFmtpLine: "apt=100"}},
}

// bind makes a viewer that is shown the picture.
func bind(t *testing.T, codecs []webrtc.RTPCodecParameters) (*Viewer, *wire) {
	t.Helper()
	tr, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	v := &Viewer{t: tr, ring: make([]packet, ringSize)}
	w := &wire{codecs: codecs}
	if _, err := v.Bind(w); err != nil {
		t.Fatal(err)
	}
	v.Show(true)
	return v, w
}

// asks for the packets from first on whose bits are set.
func asks(first uint16, rest uint16) *rtcp.TransportLayerNack {
	return &rtcp.TransportLayerNack{MediaSSRC: 11, Nacks: []rtcp.NackPair{{PacketID: first, LostPackets: rtcp.PacketBitmap(rest)}}}
}

func TestAPacketGoesAgainAsRFC4588Says(t *testing.T) {
	v, w := bind(t, rtx)
	data := bytes.Repeat([]byte("frame"), 1000)
	v.send(90, data)
	n := len(w.sent)
	if n != 5 {
		t.Fatalf("%d packets", n)
	}
	first := w.sent[0].SequenceNumber
	now := time.Now()
	v.repair(asks(first+1, 2), now) // the second and the fourth
	if len(w.sent) != n+2 {
		t.Fatalf("%d packets went again", len(w.sent)-n)
	}
	for i, orig := range []rtp.Packet{w.sent[1], w.sent[3]} {
		p := w.sent[n+i]
		if p.SSRC != 12 || p.PayloadType != 101 || p.Timestamp != 90 || p.Marker != orig.Marker {
			t.Errorf("header %+v", p.Header)
		}
		if seq := orig.SequenceNumber; p.Payload[0] != byte(seq>>8) || p.Payload[1] != byte(seq) || !bytes.Equal(p.Payload[2:], orig.Payload) {
			t.Error("not the same packet")
		}
		if !bytes.Equal(p.GetExtension(5), []byte{0, 0, 0}) {
			t.Error("no playout delay of 0")
		}
	}
	if w.sent[n].SequenceNumber+1 != w.sent[n+1].SequenceNumber {
		t.Error("its own sequence has a gap")
	}
	v.repair(asks(first+1, 2), now.Add(time.Millisecond))
	if len(w.sent) != n+2 {
		t.Error("what is on its way was sent a third time")
	}
	v.repair(asks(first+1, 0), now.Add(time.Second))
	if len(w.sent) != n+3 {
		t.Error("what was lost twice was not sent a third time")
	}
}

func TestAPacketGoesAgainAsItWasWithoutRTX(t *testing.T) {
	v, w := bind(t, rtx[1:2])
	v.send(90, []byte("frame"))
	orig := w.sent[0]
	v.repair(asks(orig.SequenceNumber, 0), time.Now())
	if len(w.sent) != 2 || w.sent[1].SSRC != 11 || w.sent[1].SequenceNumber != orig.SequenceNumber || !bytes.Equal(w.sent[1].Payload, orig.Payload) {
		t.Errorf("%+v", w.sent)
	}
}

// TestNobodyMakesUsSendWithoutEnd: packets that were never sent, that are gone,
// another's; more than the budget; after the end.
func TestNobodyMakesUsSendWithoutEnd(t *testing.T) {
	v, w := bind(t, rtx)
	now := time.Now()
	v.repair(asks(0, 0xffff), now)
	if len(w.sent) != 0 {
		t.Error("something was sent before anything was")
	}
	for range 400 { // twice around the ring and more
		v.send(90, bytes.Repeat([]byte("frame"), 1500))
	}
	n := len(w.sent)
	last := w.sent[n-1].SequenceNumber
	v.repair(asks(last-ringSize-100, 0xffff), now)
	v.repair(asks(last+1, 0xffff), now)
	v.repair(&rtcp.TransportLayerNack{MediaSSRC: 12, Nacks: []rtcp.NackPair{{PacketID: last}}}, now)
	if len(w.sent) != n {
		t.Errorf("%d packets that are not there", len(w.sent)-n)
	}
	for i := range 2_000 { // two seconds of asking for everything
		for back := uint16(0); back < ringSize; back += 17 {
			v.repair(asks(last-back-16, 0xffff), now.Add(time.Duration(i)*time.Millisecond))
		}
	}
	bytes := 0
	for _, p := range w.sent[n:] {
		bytes += len(p.Payload)
	}
	if limit := repairBurst + 3*repairRate; bytes > limit {
		t.Errorf("%d bytes in two seconds, more than %d", bytes, limit)
	}
	v.Show(false)
	n = len(w.sent)
	v.repair(asks(last, 0), now.Add(time.Hour)) // C49
	v.send(90, []byte("frame"))
	if len(w.sent) != n {
		t.Error("sent after the end")
	}
}
