package session

import (
	"time"

	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	// toilAbove is how long this computer may take to make a picture, from the
	// news of a change to the last compressed byte, before it counts as slow.
	toilAbove = 200 * time.Millisecond
	toilBelow = 100 * time.Millisecond
)

// measured is what a link's viewer was told of the figures, and what the host
// looked at last for itself.
type measured struct {
	wanted bool // the technician looks at them
	told   mark // what the viewer knows
	looked mark // what the host's own judgement knows
}

// mark is a moment in the sums of one stream and its pump.
type mark struct {
	at       time.Time
	stream   *picture.Stream
	figures  picture.Figures
	captures picture.Captures
}

// since moves the mark to now and returns what was measured in between. A
// stream that is new counts from its beginning.
func (m *mark) since(now time.Time, pump *picture.Pump, stream *picture.Stream) (time.Duration, picture.Figures, picture.Captures) {
	before := *m
	*m = mark{now, stream, stream.Figures(), pump.Captures()}
	if before.stream != stream {
		before.figures = picture.Figures{}
	}
	return now.Sub(before.at), m.figures.Since(before.figures), m.captures.Since(before.captures)
}

// measures: a viewer wants figures, or no more of them.
func (h *Host) measures(p *participant, on bool) error {
	if p.wishes++; p.wishes > maxWishes {
		return errProtocol
	}
	k := p.link
	if k.measured.wanted = on; !on {
		return nil
	}
	if stream := k.stream(); stream != nil && h.live.desk != nil {
		k.measured.told.since(h.clock.Now(), h.live.desk.pump, stream)
	}
	return nil
}

// stream is the link's, or nil.
func (l *link) stream() *picture.Stream {
	l.tiles.mu.Lock()
	defer l.tiles.mu.Unlock()
	return l.tiles.stream
}

// tellFigures tells a viewer that looks what was measured since the last time.
func (l *live) tellFigures(p *participant, stream *picture.Stream) {
	k := p.link
	if !k.measured.wanted || !p.allowed(grantView) { // C27
		return
	}
	over, f, c := k.measured.told.since(l.h.clock.Now(), l.desk.pump, stream)
	if over <= 0 || over > time.Minute {
		return // the first look at another stream
	}
	k.control(&mfpb.Control{Optional: true, Body: &mfpb.Control_Figures{Figures: &mfpb.Figures{
		Ms:           uint32(over.Milliseconds()),
		Updates:      uint32(f.Updates),
		Bytes:        f.Bytes,
		CaptureUs:    mean(c.Took, c.Frames),
		EncodeUs:     mean(f.Encode, f.Updates),
		WayUs:        mean(f.Way, f.Acked),
		LateUs:       mean(f.Late, f.Acked),
		Acked:        uint32(f.Acked),
		WaitingBytes: uint32(min(k.tileDCs.BufferedAmount(), maxBuffered)),
		WaitingMs:    uint32(min(stream.Waits(), time.Hour).Milliseconds()),
		RttUs:        uint32(min(k.pc.SCTP().Stats().SmoothedRoundTripTime, 3600) * 1e6),
	}}})
}

// mean is in microseconds; 0 of nothing.
func mean(sum time.Duration, n uint64) uint32 {
	if n == 0 {
		return 0
	}
	return uint32(min(sum/time.Duration(n), time.Hour).Microseconds())
}

// toil judges whether this computer is slow in making pictures. All participants
// share it, so it is judged by the slowest stream.
type toil struct {
	slow  bool
	looks int // in a row that contradict slow
}

// look takes one look: what a picture took since the last one, 0 without any.
func (t *toil) look(took time.Duration) (changed bool) {
	against := took > toilAbove
	if t.slow {
		against = took < toilBelow
	}
	if !against {
		t.looks = 0
		return false
	}
	if t.looks++; t.looks < looksAlike {
		return false
	}
	t.slow, t.looks = !t.slow, 0
	return true
}

// took is how long a picture took to make since the last look.
func (l *live) took(k *link, stream *picture.Stream) time.Duration {
	_, f, c := k.measured.looked.since(l.h.clock.Now(), l.desk.pump, stream)
	if f.Updates == 0 {
		return 0
	}
	return time.Duration(mean(c.Took, c.Frames)+mean(f.Encode, f.Updates)) * time.Microsecond
}

// weary follows up a look at this computer's own work.
func (l *live) weary(took time.Duration) {
	if !l.toil.look(took) {
		return
	}
	data := map[string]any{"reason": "HOST_SLOW"}
	if l.toil.slow {
		data["value"] = took.Milliseconds()
		l.note("session.degraded", "ok", data, nil)
		l.h.status("status.host_slow")
	} else {
		l.note("session.restored", "ok", data, nil)
		l.h.status("status.host_good")
	}
	for _, p := range l.participants {
		l.tellToil(p, took)
	}
}

// tellToil tells a viewer that this computer is slow, or is no more.
func (l *live) tellToil(p *participant, took time.Duration) {
	code, value := mfpb.NoticeCode_NOTICE_CODE_HOST_GOOD, uint32(0)
	if l.toil.slow {
		code, value = mfpb.NoticeCode_NOTICE_CODE_HOST_SLOW, uint32(took.Milliseconds())
	}
	if p.allowed(grantView) {
		p.notice(code, value)
	}
}
