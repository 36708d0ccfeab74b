package session

import (
	"context"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	qualityTime = time.Second
	// slowAfter is how long a picture may be under way before the line counts as
	// slow: longer than any good line needs for a whole one.
	slowAfter  = time.Second
	goodUnder  = 300 * time.Millisecond
	looksAlike = 3 // looks in a row that change the verdict
)

// pace is what a link knows of its line: whether pictures wait for the network,
// and how much it carries meanwhile.
type pace struct {
	slow   bool
	looks  int                // in a row that contradict slow
	out    [looksAlike]uint64 // bytes that have left by then, the newest first
	filled int
}

// look takes one look: since when the oldest picture waits for its
// acknowledgement, how many bytes were given to the channel and how many of
// those it still holds. changed tells that slow is another now; rate is in kbit/s.
func (p *pace) look(waits time.Duration, given, held uint64) (changed bool, rate uint32) {
	left := given - min(held, given) // a message is held a moment before it is counted
	if p.filled == len(p.out) {
		rate = uint32(min((left-min(p.out[len(p.out)-1], left))*8/1000/uint64(len(p.out)), 1<<31))
	} else {
		p.filled++
	}
	copy(p.out[1:], p.out[:])
	p.out[0] = left
	against := waits > slowAfter && held > 0
	if p.slow {
		against = waits < goodUnder
	}
	if !against {
		p.looks = 0
		return false, rate
	}
	if p.looks++; p.looks < looksAlike || !p.slow && p.filled < len(p.out) {
		return false, rate
	}
	p.slow, p.looks = !p.slow, 0
	return true, rate
}

// watchQuality looks at every line once a second.
func (l *live) watchQuality() {
	l.h.looked() // a monitor can come and go without a new picture
	var took time.Duration
	for _, p := range l.participants {
		if p.up() {
			took = max(took, l.lookAt(p))
		}
	}
	l.weary(took)
	l.h.alarm("quality", qualityTime, l.watchQuality)
}

// lookAt returns how long a picture for this viewer took to make.
func (l *live) lookAt(p *participant) (took time.Duration) {
	k := p.link
	stream := k.stream()
	if stream == nil || l.desk == nil {
		return 0
	}
	took = l.took(k, stream)
	l.tellFigures(p, stream)
	changed, rate := k.pace.look(stream.Waits(), k.given.Load(), k.tileDCs.BufferedAmount())
	if !changed {
		return took
	}
	data := map[string]any{"reason": "LINE_SLOW", "participant": p.id}
	if k.pace.slow {
		data["value"] = rate
		l.note("session.degraded", "ok", data, nil)
		p.notice(mfpb.NoticeCode_NOTICE_CODE_LINE_SLOW, rate)
		l.h.statusOf("status.line_slow", p)
	} else {
		l.note("session.restored", "ok", data, nil)
		p.notice(mfpb.NoticeCode_NOTICE_CODE_LINE_GOOD, 0)
		l.h.statusOf("status.line_good", p)
	}
	return took
}

// watchVeil follows a source that the system hides at times: both sides are told
// why there is no picture.
func (h *Host) watchVeil(ctx context.Context, d *desktop, src capture.Veiled) {
	for {
		v, err := src.NextVeil(ctx)
		if err != nil {
			return // a lost screen is told by its pictures
		}
		if !h.post(d.gone, func() { h.veiled(d, v) }) {
			return
		}
	}
}

func (h *Host) veiled(d *desktop, v capture.Veil) {
	if v == d.veil {
		return
	}
	before := d.veil
	d.veil = v
	s := h.live
	names := map[capture.Veil]string{capture.Locked: "SCREEN_LOCKED", capture.Secure: "SECURE_DESKTOP"}
	if name, ok := names[before]; ok {
		s.note("session.restored", "ok", map[string]any{"reason": name}, nil)
	}
	if name, ok := names[v]; ok {
		s.note("session.degraded", "ok", map[string]any{"reason": name}, nil)
	}
	says := map[capture.Veil]string{
		capture.Unveiled: "status.screen_back", capture.Locked: "status.screen_locked", capture.Secure: "status.secure_desktop",
		capture.Asked: "status.system_asks",
	}[v]
	if before == capture.Asked && v == capture.Unveiled {
		if says = "status.system_allowed"; !d.drivable() {
			says = "status.view_only"
		}
	}
	h.status(says)
	for _, p := range s.participants {
		d.tellVeil(p)
	}
}

// tellVeil tells a viewer what hides the screen, or that nothing does.
func (d *desktop) tellVeil(p *participant) {
	code := mfpb.NoticeCode_NOTICE_CODE_SCREEN_BACK
	switch d.veil {
	case capture.Locked:
		code = mfpb.NoticeCode_NOTICE_CODE_SCREEN_LOCKED
	case capture.Secure, capture.Asked: // the person has to answer what only they see
		code = mfpb.NoticeCode_NOTICE_CODE_SECURE_DESKTOP
	}
	if p.allowed(grantView) {
		p.notice(code, 0)
	}
}

// relayed names how this side talks to its relay: a relay over plain TCP counts
// as one over TLS, which is the only one that this server has off loopback.
func (l *link) relayed(c *webrtc.ICECandidate) string {
	for _, s := range l.pc.GetStats() {
		if s, ok := s.(webrtc.ICECandidateStats); ok && s.Type == webrtc.StatsTypeLocalCandidate && s.IP == c.Address && s.Port == int32(c.Port) {
			switch s.RelayProtocol {
			case "udp":
				return "relay_udp"
			case "tcp", "tls":
				return "relay_tls"
			}
		}
	}
	return "relay"
}

// routed writes down by which way the connection goes: never by which address.
func (l *link) routed() {
	t := l.pc.SCTP().Transport().ICETransport()
	pair, err := t.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return
	}
	route := "direct"
	switch {
	case pair.Local.Typ == webrtc.ICECandidateTypeRelay:
		route = l.relayed(pair.Local)
	case pair.Remote.Typ == webrtc.ICECandidateTypeRelay:
		route = "relay"
	}
	if route != l.route {
		l.route = route
		l.h.live.note("session.route", "ok", map[string]any{"route": route, "participant": l.p.id}, nil)
	}
}
