package track

import (
	"fmt"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// playoutDelay is the header extension that says how long a receiver may hold a
// frame before it shows it. With 0 to 0 browsers show it as soon as it is
// decoded: 11 ms instead of 30.
const playoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

// Payload types: the viewer's offer names its own, these never reach the wire.
const (
	typeVP8 = 96 + iota
	typeRTX
	typeFEC
)

// register puts into the engine exactly what a Viewer uses, and nothing that
// receives. estimator is called when the peer connection is made.
func register(me *webrtc.MediaEngine, reg *interceptor.Registry, s *shield, estimator func(cc.BandwidthEstimator)) error {
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: webrtc.TypeRTCPFBTransportCC}}
	for _, c := range []webrtc.RTPCodecParameters{
		{PayloadType: typeVP8, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: Clock, RTCPFeedback: feedback}},
		{PayloadType: typeRTX, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: Clock, SDPFmtpLine: fmt.Sprintf("apt=%d", typeVP8)}},
		{PayloadType: typeFEC, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeFlexFEC03, ClockRate: Clock, SDPFmtpLine: "repair-window=10000000"}},
	} {
		if err := me.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
			return err
		}
	}
	for _, uri := range []string{sdp.TransportCCURI, playoutDelay} {
		if err := me.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo); err != nil {
			return err
		}
	}
	// What is registered first stands next to the wire. gcc must see a packet's
	// number, so twcc comes after it; FlexFEC must see the packet whole.
	reg.Add(factory{s})
	control, err := cc.NewInterceptor(func() (cc.BandwidthEstimator, error) {
		return gcc.NewSendSideBWE(gcc.SendSideBWEInitialBitrate(fullRate), gcc.SendSideBWEMinBitrate(leastRate),
			gcc.SendSideBWEMaxBitrate(3*fullRate), gcc.SendSideBWEPacer(&pacer{}))
	})
	if err != nil {
		return err
	}
	control.OnNewPeerConnection(func(_ string, e cc.BandwidthEstimator) { estimator(e) })
	reg.Add(control)
	numbers, err := twcc.NewHeaderExtensionInterceptor()
	if err != nil {
		return err
	}
	reg.Add(numbers)
	return nil
}

// factory gives out one interceptor, for one peer connection.
type factory struct{ interceptor.Interceptor }

// NewInterceptor implements interceptor.Factory.
func (f factory) NewInterceptor(string) (interceptor.Interceptor, error) { return f.Interceptor, nil }

// Decline registers what a host without video answers with: VP8 that is agreed
// to and never sent. A viewer's offer names video first, and Chromium cannot take
// an answer that refuses the first section of a bundle ("Failed to setup RTCP
// mux", Chromium 156).
func Decline(me *webrtc.MediaEngine) error {
	return me.RegisterCodec(webrtc.RTPCodecParameters{
		PayloadType: typeVP8, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: Clock},
	}, webrtc.RTPCodecTypeVideo)
}
