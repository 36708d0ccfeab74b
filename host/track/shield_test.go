package track

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// mend makes the one missing packet of a FlexFEC-03 group out of the others:
// draft-ietf-payload-flexible-fec-scheme-03 §6.3, masks of one or two words.
func mend(t *testing.T, fec *rtp.Packet, have map[uint16][]byte) (missing uint16, out []byte) {
	t.Helper()
	b := fec.Payload
	base := binary.BigEndian.Uint16(b[16:])
	var protects []uint16
	mask := binary.BigEndian.Uint16(b[18:])
	for i := range 15 {
		if mask<<(i+1)&0x8000 != 0 {
			protects = append(protects, base+uint16(i))
		}
	}
	if mask&0x8000 == 0 {
		t.Fatal("a group of more than 15")
	}
	out = bytes.Clone(b[20:])
	head := bytes.Clone(b[:8]) // flags, M and type, length, timestamp
	found := 0
	for _, seq := range protects {
		p, ok := have[seq]
		if !ok {
			missing = seq
			found++
			continue
		}
		head[0] ^= p[0]
		head[1] ^= p[1]
		length := binary.BigEndian.Uint16(head[2:]) ^ uint16(len(p)-12)
		binary.BigEndian.PutUint16(head[2:], length)
		for i := range 4 {
			head[4+i] ^= p[4+i]
		}
		for i, v := range p[12:] {
			out[i] ^= v
		}
	}
	if found != 1 {
		return 0, nil
	}
	whole := make([]byte, 12, 1500)
	whole[0], whole[1] = head[0]&0x3f|0x80, head[1]
	binary.BigEndian.PutUint16(whole[2:], missing)
	copy(whole[4:8], head[4:8])
	binary.BigEndian.PutUint32(whole[8:], 7)
	return missing, append(whole, out[:binary.BigEndian.Uint16(head[2:])]...)
}

// TestAShieldMendsOnePacketOfEachGroup: whichever it is, within its own frame.
func TestAShieldMendsOnePacketOfEachGroup(t *testing.T) {
	s := &shield{}
	s.on.Store(true)
	sent := map[uint16][]byte{}
	var extra []*rtp.Packet
	w := s.BindLocalStream(&interceptor.StreamInfo{SSRC: 7, PayloadTypeForwardErrorCorrection: 98, SSRCForwardErrorCorrection: 9},
		interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
			p := &rtp.Packet{Header: h.Clone(), Payload: bytes.Clone(payload)}
			if h.SSRC == 9 {
				extra = append(extra, p)
				return 0, nil
			}
			b, err := p.Marshal()
			sent[h.SequenceNumber] = b
			return len(b), err
		}))
	r := rand.New(rand.NewPCG(1, 2))
	seq := uint16(65530)
	write := func(ssrc uint32, marker bool) {
		payload := make([]byte, 1+r.IntN(maxPayload))
		for i := range payload {
			payload[i] = byte(r.Uint32())
		}
		h := rtp.Header{Version: 2, PayloadType: 96, SSRC: ssrc, SequenceNumber: seq, Timestamp: 90, Marker: marker}
		if err := h.SetExtension(3, []byte{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		if ssrc == 7 {
			seq++
		}
		if _, err := w.Write(&h, payload, nil); err != nil {
			t.Fatal(err)
		}
	}
	for frame := range 3 {
		for i := range 13 + frame {
			write(7, i == 12+frame)
			write(8, false) // a packet that goes again is not protected again
		}
	}
	if len(sent) < 40 || len(extra) != 9 { // 2 and 1 for 10 + 3, 4, 5 of each frame
		t.Fatalf("%d packets, %d of redundancy", len(sent), len(extra))
	}
	mended := 0
	for gone, want := range sent {
		rest := map[uint16][]byte{}
		for seq, p := range sent {
			if seq != gone && p[11] == 7 {
				rest[seq] = p
			}
		}
		if want[11] != 7 {
			continue
		}
		ok := false
		for _, fec := range extra {
			if which, got := mend(t, fec, rest); got != nil && which == gone && bytes.Equal(got, want) {
				ok = true
			}
		}
		if !ok {
			t.Errorf("packet %d cannot be mended", gone)
		}
		mended++
	}
	if mended < 42 {
		t.Errorf("only %d were tried", mended)
	}
	s.on.Store(false)
	before := len(extra)
	for i := range 30 {
		write(7, i == 29)
	}
	if len(extra) != before {
		t.Error("a shield that is off still costs")
	}
}
