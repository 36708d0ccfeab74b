package track

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	// maxPayload keeps a packet with all that is put around it below 1,280 bytes,
	// which every path carries (RFC 8200 §5).
	maxPayload = 1160
	// ringSize is how many packets are kept to be sent again: a second at least.
	ringSize = 1024

	// A viewer that asks for lost packets without end gets this much, bytes a second.
	repairRate  = 500_000
	repairBurst = 250_000
	// A packet that was just sent again is on its way.
	repairPause = 15 * time.Millisecond

	lossy     = 3                     // of 256 packets: 1.2 %
	longPath  = 45 * time.Millisecond // to the screen: 30 ms RTT, decoding, a frame of the display
	shieldFor = 10 * time.Second
)

// Viewer is one peer connection's end of a Track: a webrtc.TrackLocal. Nothing
// is sent to it before [Viewer.Show], nor after it was hidden.
type Viewer struct {
	t      *Track
	shield shield
	bwe    cc.BandwidthEstimator // nil until the peer connection is made
	bound  atomic.Bool

	// The Track's, under its lock.
	shown    bool
	waits    bool // for a key frame
	next     bool // gets the frame that was just encoded
	window   window
	shieldAt time.Time // loss was seen last

	mu      sync.Mutex // held while a packet is sent
	open    bool
	w       webrtc.TrackLocalWriter
	media   rtp.Header // of the next packet
	again   rtp.Header // of the next packet of the RTX stream; SSRC 0: there is none
	ring    []packet   // by sequence number
	budget  float64    // bytes that may be sent again
	earned  time.Time
	repairs uint64
}

// packet is one that was sent, as it was.
type packet struct {
	data   []byte // payload, capacity maxPayload+1
	seq    uint16
	stamp  uint32
	marker bool
	used   bool
	again  time.Time // it was sent again last
}

// Join gives a peer connection that is about to be made a place on the Track:
// what it needs is registered. Then call Offer.
func (t *Track) Join(me *webrtc.MediaEngine, reg *interceptor.Registry) (*Viewer, error) {
	v := &Viewer{t: t, waits: true, ring: make([]packet, ringSize)}
	if err := register(me, reg, &v.shield, func(e cc.BandwidthEstimator) { v.bwe = e }); err != nil {
		return nil, fmt.Errorf("track: %w", err)
	}
	t.mu.Lock()
	t.viewers = append(slices.Clone(t.viewers), v)
	t.mu.Unlock()
	return v, nil
}

// Offer puts the track into the peer connection, sending only, and reads what
// comes back until the connection ends. Call it before the remote description
// is set. wait ends with the connection.
func (v *Viewer) Offer(pc *webrtc.PeerConnection) (wait func(), err error) {
	tr, err := pc.AddTransceiverFromTrack(v, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, fmt.Errorf("track: %w", err)
	}
	sender := tr.Sender()
	return func() {
		for {
			packets, _, err := sender.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				v.heard(p)
			}
		}
	}, nil
}

// Leave takes the viewer off the Track. When it returns, nothing more is sent.
func (v *Viewer) Leave() {
	v.t.mu.Lock()
	v.shown = false
	v.t.viewers = slices.DeleteFunc(slices.Clone(v.t.viewers), func(o *Viewer) bool { return o == v })
	v.t.mu.Unlock()
	v.gate(false)
	v.t.changed() // the others may go on
}

// Show begins to send, or stops: when it returns, nothing more is sent.
func (v *Viewer) Show(on bool) {
	v.gate(on)
	v.t.mu.Lock()
	if on && !v.shown {
		v.waits = true
		v.window = window{base: v.window.base, nextBase: v.window.nextBase, baseSince: v.window.baseSince, cap: v.window.cap}
	}
	v.shown = on
	v.t.mu.Unlock()
	v.t.changed()
}

func (v *Viewer) gate(open bool) {
	v.mu.Lock()
	v.open = open
	v.mu.Unlock()
}

// watches tells whether frames are for this viewer. It holds the Track's lock.
func (v *Viewer) watches() bool { return v.shown && v.bound.Load() }

// Bound tells whether the connection agreed on the track.
func (v *Viewer) Bound() bool { return v.bound.Load() }

// Shown is the viewer's word that the frame with this RTP timestamp is on its
// screen.
func (v *Viewer) Shown(stamp uint32) { v.t.seen(v, stamp) }

// rate is what the path carries, bit/s. It holds the Track's lock.
func (v *Viewer) rate() int {
	bps := 10 * fullRate
	if v.bwe != nil {
		bps = v.bwe.GetTargetBitrate()
	}
	if v.window.cap > 0 {
		bps = min(bps, v.window.cap)
	}
	if v.shield.on.Load() {
		bps = bps * 10 / shieldTenths
	}
	return bps
}

// heard is one RTCP packet of the viewer.
func (v *Viewer) heard(p rtcp.Packet) {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		v.repair(p, time.Now())
	case *rtcp.PictureLossIndication:
		v.t.lacks(v)
	case *rtcp.ReceiverReport:
		for _, r := range p.Reports {
			v.t.mu.Lock()
			now := time.Now()
			if r.FractionLost >= lossy && v.window.base > longPath {
				v.shieldAt = now
			}
			v.shield.on.Store(!v.shieldAt.IsZero() && now.Sub(v.shieldAt) < shieldFor)
			v.t.mu.Unlock()
		}
	}
}

// send sends one frame: RFC 7741, without anything optional in its descriptor.
func (v *Viewer) send(stamp uint32, data []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	descriptor := byte(0x10) // the first packet of the frame's one partition
	for len(data) > 0 && v.open && v.w != nil {
		n := min(len(data), maxPayload)
		v.media.SequenceNumber++
		p := &v.ring[v.media.SequenceNumber%ringSize]
		if p.data == nil {
			p.data = make([]byte, 0, maxPayload+1)
		}
		p.data = append(append(p.data[:0], descriptor), data[:n]...)
		data, descriptor = data[n:], 0
		p.seq, p.stamp, p.marker, p.used, p.again = v.media.SequenceNumber, stamp, len(data) == 0, true, time.Time{}
		h := v.media
		h.Timestamp, h.Marker = stamp, p.marker
		if _, err := v.w.WriteRTP(&h, p.data); err != nil {
			return // the connection goes, or has no route now: the window notices
		}
	}
}

// repair sends packets again that the viewer lacks.
func (v *Viewer) repair(nack *rtcp.TransportLayerNack, now time.Time) {
	v.t.mu.Lock()
	v.window.repairAt = now
	v.t.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.w == nil || nack.MediaSSRC != v.media.SSRC {
		return
	}
	v.budget = min(v.budget+now.Sub(v.earned).Seconds()*repairRate, repairBurst)
	v.earned = now
	for _, pair := range nack.Nacks {
		pair.Range(func(seq uint16) bool {
			p := &v.ring[seq%ringSize]
			if !v.open || v.budget < float64(len(p.data)) {
				return false
			}
			if !p.used || p.seq != seq || now.Sub(p.again) < repairPause {
				return true
			}
			p.again = now
			v.budget -= float64(len(p.data))
			v.repairs++
			if err := v.resend(p); err != nil {
				return false
			}
			return true
		})
	}
}

// resend is RFC 4588 §4 where the viewer speaks it, else the packet itself.
func (v *Viewer) resend(p *packet) error {
	h, payload := v.media, p.data
	h.SequenceNumber = p.seq
	if v.again.SSRC != 0 {
		v.again.SequenceNumber++
		h = v.again
		payload = append([]byte{byte(p.seq >> 8), byte(p.seq)}, p.data...)
	}
	h.Timestamp, h.Marker = p.stamp, p.marker
	_, err := v.w.WriteRTP(&h, payload)
	return err
}

// Bind implements webrtc.TrackLocal.
func (v *Viewer) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, c := range ctx.CodecParameters() {
		if !strings.EqualFold(c.MimeType, webrtc.MimeTypeVP8) {
			continue
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.w = ctx.WriteStream()
		v.media = rtp.Header{Version: 2, PayloadType: uint8(c.PayloadType), SSRC: uint32(ctx.SSRC()), SequenceNumber: uint16(rand.Uint32())}
		v.again = rtp.Header{}
		apt := fmt.Sprintf("apt=%d", c.PayloadType)
		for _, r := range ctx.CodecParameters() {
			if strings.EqualFold(r.MimeType, webrtc.MimeTypeRTX) && r.SDPFmtpLine == apt {
				v.again = rtp.Header{Version: 2, PayloadType: uint8(r.PayloadType), SSRC: uint32(ctx.SSRCRetransmission()), SequenceNumber: uint16(rand.Uint32())}
			}
		}
		for _, x := range ctx.HeaderExtensions() {
			if x.URI != playoutDelay {
				continue
			}
			zero, err := rtp.PlayoutDelayExtension{}.Marshal()
			if err != nil {
				return webrtc.RTPCodecParameters{}, err
			}
			for _, h := range []*rtp.Header{&v.media, &v.again} {
				if err := h.SetExtension(uint8(x.ID), zero); err != nil {
					return webrtc.RTPCodecParameters{}, err
				}
				h.Extensions = slices.Clip(h.Extensions) // what is added to a copy is not shared
			}
		}
		v.bound.Store(true)
		go v.t.changed() // who is shown already may be sent to now; pion holds locks here
		return c, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (v *Viewer) Unbind(webrtc.TrackLocalContext) error {
	v.mu.Lock()
	v.w = nil
	v.mu.Unlock()
	v.bound.Store(false)
	return nil
}

// ID implements webrtc.TrackLocal.
func (v *Viewer) ID() string { return "film" }

// RID implements webrtc.TrackLocal.
func (v *Viewer) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (v *Viewer) StreamID() string { return "screen" }

// Kind implements webrtc.TrackLocal.
func (v *Viewer) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }
