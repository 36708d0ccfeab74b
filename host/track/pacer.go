package track

import (
	"errors"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// pacer is a gcc.Pacer that sends at once, whatever the SSRC. Both of pion's own
// look the writer up by SSRC, know only that of the media, and drop RTX packets
// without a word (interceptor v0.1.48).
type pacer struct {
	mu sync.Mutex
	w  interceptor.RTPWriter
}

var errNoStream = errors.New("track: no stream yet")

func (p *pacer) AddStream(_ uint32, w interceptor.RTPWriter) {
	p.mu.Lock()
	p.w = w
	p.mu.Unlock()
}

func (p *pacer) Write(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
	p.mu.Lock()
	w := p.w
	p.mu.Unlock()
	if w == nil {
		return 0, errNoStream
	}
	return w.Write(h, payload, a)
}

func (p *pacer) SetTargetBitrate(int) {}
func (p *pacer) Close() error         { return nil }
