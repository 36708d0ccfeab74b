//go:build cgo && linux

package track_test

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/host/track"
	"github.com/mainforte/mainforte/host/vpx/vpxtest"
	"github.com/mainforte/mainforte/internal/standstill"
)

const playoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

// scene is a picture as of a film: waves of colour that travel, with some detail.
func scene(w, h, frame int) capture.Frame {
	f := capture.Frame{Pix: make([]uint32, w*h), Width: w, Height: h}
	t := float64(frame) / 12
	for y := range h {
		for x := range w {
			fx, fy := float64(x)/40, float64(y)/40
			a, b := math.Sin(fx+t*3+math.Sin(fy)), math.Cos(fy*1.3-t*2+math.Cos(fx*0.7))
			d := float64((x+frame*4)/6%2*8 + (y+frame*2)/6%2*6)
			r, g, c := 128+90*a+d, 128+80*b, 128+60*a*b-d
			f.Pix[y*w+x] = uint32(r)<<16 | uint32(g)<<8 | uint32(c)
		}
	}
	return f
}

func whole(f capture.Frame) []image.Rectangle {
	return []image.Rectangle{image.Rect(0, 0, f.Width, f.Height)}
}

// lossy is a socket that loses some of the RTP packets it sends.
type lossy struct {
	net.PacketConn
	mu    sync.Mutex
	count int
	each  int // one of so many is lost; 0: none
	lost  int
}

func (l *lossy) WriteTo(b []byte, to net.Addr) (int, error) {
	// RFC 7983 §7: 128 to 191 is RTP or RTCP; RFC 5761 §4 tells those two apart.
	if len(b) > 1 && b[0] >= 128 && b[0] < 192 && (b[1]&127 < 64 || b[1]&127 > 95) {
		l.mu.Lock()
		l.count++
		drop := l.each > 0 && l.count%l.each == 0
		if drop {
			l.lost++
		}
		l.mu.Unlock()
		if drop {
			return len(b), nil
		}
	}
	return l.PacketConn.WriteTo(b, to)
}

func (l *lossy) lose(each int) {
	l.mu.Lock()
	l.each = each
	l.mu.Unlock()
}

func (l *lossy) Lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// watcher is the far end of one connection: it decodes what it gets and says so.
type watcher struct {
	t      *testing.T
	viewer *track.Viewer
	socket *lossy
	pc     *webrtc.PeerConnection // the far end
	media  webrtc.SSRC

	mu      sync.Mutex
	silent  bool // does not say what it has shown
	packets int
	plain   int // packets without a playout delay of 0
	shown   []uint32
	last    *image.YCbCr
	keys    int
	machine *standstill.Watch
	gap     time.Duration // the longest between two frames shown
	at      time.Time     // when the last was
	failed  error
	news    chan struct{}
}

func newTrack(t *testing.T) *track.Track {
	t.Helper()
	tr, err := track.New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// watch connects a viewer to the track; it is not shown yet.
func watch(t *testing.T, tr *track.Track) *watcher {
	t.Helper()
	w := &watcher{t: t, news: make(chan struct{}, 1), machine: standstill.Begin(t)}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.socket = &lossy{PacketConn: conn}
	here := func(se *webrtc.SettingEngine) {
		se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		se.SetIncludeLoopbackCandidate(true)
		se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	}

	var se webrtc.SettingEngine
	here(&se)
	se.SetICEUDPMux(webrtc.NewICEUDPMux(nil, w.socket))
	var me webrtc.MediaEngine
	var reg interceptor.Registry
	if w.viewer, err = tr.Join(&me, &reg); err != nil {
		t.Fatal(err)
	}
	host, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(&me), webrtc.WithInterceptorRegistry(&reg)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	read, err := w.viewer.Offer(host)
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(read)

	var far webrtc.SettingEngine
	here(&far)
	var they webrtc.MediaEngine
	for _, c := range []webrtc.RTPCodecParameters{
		{PayloadType: 100, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP9, ClockRate: 90000}},
		{PayloadType: 108, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"}}}},
		// No RTX: pion (v4.2.20) hands out what came by it only when another packet of
		// the media comes. repair_test.go looks at those packets, and Chromium does.
	} {
		if err := they.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
			t.Fatal(err)
		}
	}
	if err := they.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: playoutDelay}, webrtc.RTPCodecTypeVideo); err != nil {
		t.Fatal(err)
	}
	var theirs interceptor.Registry
	if err := webrtc.ConfigureTWCCSender(&they, &theirs); err != nil {
		t.Fatal(err)
	}
	lack, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(10 * time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	theirs.Add(lack)
	reports, err := report.NewReceiverInterceptor()
	if err != nil {
		t.Fatal(err)
	}
	theirs.Add(reports)
	if w.pc, err = webrtc.NewAPI(webrtc.WithSettingEngine(far), webrtc.WithMediaEngine(&they), webrtc.WithInterceptorRegistry(&theirs)).
		NewPeerConnection(webrtc.Configuration{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	w.pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		w.mu.Lock()
		w.media = remote.SSRC()
		w.mu.Unlock()
		id := uint8(0)
		for _, x := range receiver.GetParameters().HeaderExtensions {
			if x.URI == playoutDelay {
				id = uint8(x.ID)
			}
		}
		w.receive(remote, id)
	})
	t.Cleanup(func() {
		_ = w.pc.GracefulClose()
		_ = host.GracefulClose()
		reading.Wait()
		w.viewer.Leave()
		_ = conn.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.failed != nil {
			t.Error(w.failed)
		}
	})
	connected := make(chan struct{})
	var once sync.Once
	host.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	exchange(t, w.pc, host)
	select {
	case <-connected:
	case <-time.After(20 * time.Second):
		t.Fatal("not connected")
	}
	return w
}

func exchange(t *testing.T, viewer, host *webrtc.PeerConnection) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	offer, err := viewer.CreateOffer(nil)
	must(err)
	gathered := webrtc.GatheringCompletePromise(viewer)
	must(viewer.SetLocalDescription(offer))
	<-gathered
	must(host.SetRemoteDescription(*viewer.LocalDescription()))
	answer, err := host.CreateAnswer(nil)
	must(err)
	gathered = webrtc.GatheringCompletePromise(host)
	must(host.SetLocalDescription(answer))
	<-gathered
	must(viewer.SetRemoteDescription(*host.LocalDescription()))
}

// receive puts packets in order, frames together, decodes and says what it shows.
func (w *watcher) receive(remote *webrtc.TrackRemote, delay uint8) {
	dec, err := vpxtest.NewDecoder(false)
	if err != nil {
		w.fail(err)
		return
	}
	defer dec.Close()
	early := map[uint16]*rtp.Packet{}
	var want uint16
	var frame []byte
	for begun := false; ; {
		p, _, err := remote.ReadRTP()
		if err != nil {
			return
		}
		w.mu.Lock()
		w.packets++
		if x := p.GetExtension(delay); delay == 0 || len(x) != 3 || x[0]|x[1]|x[2] != 0 {
			w.plain++
		}
		w.mu.Unlock()
		if !begun {
			begun, want = true, p.SequenceNumber
		}
		if p.SequenceNumber-want < 1<<15 {
			early[p.SequenceNumber] = p
		}
		for p := early[want]; p != nil; p = early[want] {
			delete(early, want)
			want++
			if len(p.Payload) < 2 {
				w.fail(fmt.Errorf("a packet of %d bytes", len(p.Payload)))
				return
			}
			if first := p.Payload[0] == 0x10; first != (frame == nil) || p.Payload[0]&^0x10 != 0 {
				w.fail(fmt.Errorf("descriptor %#x with %d bytes of the frame", p.Payload[0], len(frame)))
				return
			}
			frame = append(frame, p.Payload[1:]...)
			if !p.Marker {
				continue
			}
			img, err := dec.Decode(frame)
			if err != nil {
				w.fail(err)
				return
			}
			w.mu.Lock()
			now := time.Now()
			if len(w.shown) > 0 {
				w.gap = max(w.gap, now.Sub(w.at))
			}
			w.at = now
			w.shown = append(w.shown, p.Timestamp)
			w.last = img
			if frame[0]&1 == 0 { // RFC 6386 §9.1
				w.keys++
			}
			silent := w.silent
			w.mu.Unlock()
			frame = nil
			if !silent {
				w.viewer.Shown(p.Timestamp)
			}
			select {
			case w.news <- struct{}{}:
			default:
			}
		}
	}
}

func (w *watcher) fail(err error) {
	w.mu.Lock()
	w.failed = err
	w.mu.Unlock()
}

// sees waits until a frame is shown, and returns it.
func (w *watcher) sees(stamp uint32) *image.YCbCr {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		w.mu.Lock()
		n, failed := len(w.shown), w.failed
		if n > 0 && w.shown[n-1]-stamp < 1<<31 {
			defer w.mu.Unlock()
			return w.last
		}
		w.mu.Unlock()
		if failed != nil {
			w.t.Fatal(failed)
		}
		select {
		case <-w.news:
		case <-deadline:
			w.t.Fatalf("frame %d was never shown; %d were", stamp, n)
		}
	}
}

// stood says that this machine did nothing for so long that frames count as lost: they
// were late, and so was somebody who has nothing to do with them.
func (w *watcher) stood() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gap > time.Second && w.machine.Times(100*time.Millisecond) > 0
}

func (w *watcher) counts() (packets, plain, frames, keys int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.packets, w.plain, len(w.shown), w.keys
}

// lacks tells the host that it cannot go on.
func (w *watcher) lacks() {
	w.mu.Lock()
	media := w.media
	w.mu.Unlock()
	if err := w.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(media)}}); err != nil {
		w.t.Error(err)
	}
}

// player plays a film into a track, as the pump does: only while it is ready.
type player struct {
	t     *testing.T
	track *track.Track
	kick  chan struct{}
}

func play(t *testing.T, tr *track.Track) *player {
	p := &player{t, tr, make(chan struct{}, 1)}
	tr.OnReady(func() {
		select {
		case p.kick <- struct{}{}:
		default:
		}
	})
	return p
}

// frame gives one frame as soon as it is taken.
func (p *player) frame(f capture.Frame, area image.Rectangle, damage []image.Rectangle) uint32 {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	for {
		if p.track.Ready() {
			stamp, err := p.track.Frame(f, area, damage, false)
			if err == nil {
				return stamp
			}
			if err != picture.ErrSkipped {
				p.t.Fatal(err)
			}
		}
		select {
		case <-p.kick:
		case <-ctx.Done():
			p.t.Fatal("never ready")
		}
	}
}
