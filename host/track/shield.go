package track

import (
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/flexfec"
	"github.com/pion/rtp"
)

// At most two packets of redundancy for ten of media, and no group that spans
// two frames: it would protect a frame only when the next one is there.
const (
	shieldGroup  = 10
	shieldExtra  = 2
	shieldTenths = 12 // what a packet costs with its share, in tenths
)

// shield is an interceptor that adds FlexFEC-03 packets while it is on. It
// stands next to the wire, because it must see packets as they are sent: with
// all their header extensions.
type shield struct {
	interceptor.NoOp
	on atomic.Bool
}

// BindLocalStream implements interceptor.Interceptor.
func (s *shield) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	if info.PayloadTypeForwardErrorCorrection == 0 || info.SSRCForwardErrorCorrection == 0 {
		return w
	}
	media := info.SSRC
	enc := flexfec.NewFlexEncoder03(info.PayloadTypeForwardErrorCorrection, info.SSRCForwardErrorCorrection)
	group := make([]rtp.Packet, 0, shieldGroup)
	// Viewer.send is the only writer of media packets, one frame after the other.
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		n, err := w.Write(h, payload, a)
		if h.SSRC != media || !s.on.Load() {
			return n, err
		}
		// The payload stays as it is: it lies in the viewer's ring of packets.
		group = append(group, rtp.Packet{Header: *h, Payload: payload})
		if len(group) < shieldGroup && !h.Marker {
			return n, err
		}
		extra := uint32((len(group)*shieldExtra + shieldGroup - 1) / shieldGroup)
		for _, p := range enc.EncodeFec(group, extra) {
			if _, err := w.Write(&p.Header, p.Payload, a); err != nil {
				break // media packets say it
			}
		}
		clear(group)
		group = group[:0]
		return n, err
	})
}
