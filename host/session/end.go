package session

import (
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// end ends the session for everybody. The order is the promise: the picture
// stops and what is held down is let go before anything else is done, then the
// viewer, the person and the log are told why.
func (h *Host) end(why mfpb.Reason) {
	s := h.live
	if s == nil || s.over {
		return
	}
	s.over, s.why = true, why
	h.endedAt = h.clock.Now()
	h.log.Info("session ends", "reason", wire.Name(why))

	for _, p := range s.participants {
		p.gate.control.Store(false)
	}
	// Each before what may wait longer for somebody else: the picture for nobody, the
	// tools a moment for a disk or the X server, the desktop's rest for the system's
	// portal. The viewers and the person are told before that.
	desk := s.stopDesktop()
	s.closeTools()
	h.endInvite(why)
	for _, p := range s.participants {
		s.takeOut(p, why)
	}
	for _, name := range []string{"question", "summary", "grace", "routes", "quality", "person"} {
		h.cancelAlarm(name)
	}
	s.summary()
	seen := s.done.seen()
	h.show(ui.Event{
		Name: "ended", Server: h.server, Session: s.id, Technician: s.participants[0].technician, Ticket: s.ticket,
		Reason: wire.Name(why), Text: h.texts.Ended(why, seen), Seen: seen,
		Duration: h.endedAt.Sub(s.since).Round(time.Second / 10).Seconds(), Receipt: s.goodbyeReceipt(),
	})
	s.freeDesktop(desk)
	s.journal.final = true
	s.flow()
	if why == mfpb.Reason_REASON_SERVER_GONE {
		h.finish(nil)
		return
	}
	// The log gets its last lines; a line that is down is tried until then.
	h.alarm("flush", flushTime, func() {
		h.log.Warn("the server did not acknowledge the last events", "events", len(s.journal.kept))
		h.finish(nil)
	})
}

// closeTools ends what every tool does.
func (l *live) closeTools() {
	for _, t := range l.tools {
		t.close()
	}
}

// close gives back everything a session holds.
func (l *live) close() {
	desk := l.stopDesktop()
	l.closeTools()
	l.freeDesktop(desk)
	for _, p := range l.participants {
		if p.link != nil {
			p.link.takeDown(nil)
		}
		p.keys.Wipe()
	}
	if l.film != nil {
		l.film.Close()
	}
}
