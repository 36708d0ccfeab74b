package gopeer

import (
	"context"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/internal/wire"
)

// film is what a viewer with Options.Video got of the video track, guarded by
// the viewer's mutex.
type film struct {
	packets, frames int
	stamp           uint32 // of the last whole frame
}

// media is what the viewer's connections can receive.
func (v *Viewer) media() (*webrtc.MediaEngine, *interceptor.Registry, error) {
	me, reg := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if !v.opt.Video {
		return me, reg, nil
	}
	if err := me.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"}},
	}}, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, nil, err
	}
	return me, reg, webrtc.ConfigureTWCCSender(me, reg)
}

// watch asks for the video track and counts what comes by it. What it got it
// says it has shown: it decodes nothing.
func (a *attach) watch() error {
	if !a.v.opt.Video {
		return nil
	}
	if _, err := a.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return err
	}
	a.pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := t.ReadRTP()
			if err != nil {
				return
			}
			a.v.update(func() {
				a.v.film.packets++
				if p.Marker {
					a.v.film.frames++
					a.v.film.stamp = p.Timestamp
				}
			})
			if p.Marker && !a.v.opt.Silent {
				_ = a.channels[wire.ChannelInputFast].Send(wire.AppendShown(nil, p.Timestamp)) // fails when the host goes
			}
		}
	})
	return nil
}

// Film is how many packets came by the video track, of all connections.
func (v *Viewer) Film() (packets int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.film.packets
}

// WaitFilm waits until the frame with this RTP timestamp came, or a later one.
func (v *Viewer) WaitFilm(ctx context.Context, stamp uint32) error {
	return v.wait(ctx, "video", func() bool { return v.film.frames > 0 && v.film.stamp-stamp < 1<<31 })
}
