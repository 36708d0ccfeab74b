package session

import (
	"crypto/ed25519"
	"encoding/json"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// maxFlight bounds the events that are sent and not acknowledged: a burst, or
// all that gathered while the server was away, flows at the log's own pace.
const maxFlight = 128

// maxKept bounds the events that the server has not acknowledged. A session
// whose log cannot be written ends.
const maxKept = 10_000

// journal is the host's own count of what happened. It keeps every event until
// the server says that it is durable.
type journal struct {
	seq     uint64 // of the newest event
	acked   uint64
	sent    uint64 // on the present line
	kept    []*mfpb.HostEvent
	held    bool   // an event is written down before it is sent (comeback.go)
	written uint64 // while held: the newest that is
	final   bool   // no more events come
	shut    bool   // HostClose was sent on the present line
}

// note writes one event down and sends it if there is a line. data is public,
// personal is sealed by the server; neither holds what was typed or shown.
func (l *live) note(kind, outcome string, data, personal map[string]any) {
	if len(l.journal.kept) >= maxKept {
		if !l.over {
			l.h.end(mfpb.Reason_REASON_LOG_UNAVAILABLE)
		}
		return
	}
	now := l.h.clock.Now()
	l.done.add(now, kind, outcome, data, personal)
	l.journal.seq++
	e := &mfpb.HostEvent{
		Seq: l.journal.seq, Time: now.UnixNano(), MonoMs: now.Sub(l.since).Milliseconds(),
		Type: kind, Outcome: outcome, Data: l.object(data), Personal: l.object(personal),
	}
	l.journal.kept = append(l.journal.kept, e)
	if l.journal.held {
		l.comebacks().touch()
	}
	l.flow()
}

func (l *live) object(m map[string]any) []byte {
	if len(m) == 0 {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil || len(b) > wire.MaxEventData {
		l.h.log.Error("an event's data was left out", "size", len(b), "error", err)
		return nil
	}
	return b
}

// flow sends the next events as far as the server keeps up, and at the end of
// the session the host's own count after the last of them.
func (l *live) flow() {
	j, h := &l.journal, l.h
	if h.line == nil || !h.line.ready {
		return
	}
	for j.sent < j.seq && j.sent-j.acked < maxFlight && (!j.held || j.sent < j.written) {
		e := j.kept[j.sent-j.acked]
		h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Event{Event: e}})
		j.sent++
	}
	if j.final && j.sent == j.seq && !j.shut {
		j.shut = true
		l.sendClose()
	}
	if j.final && j.acked == j.seq {
		h.finish(nil)
	}
}

// again sends what is not acknowledged, on a new line.
func (l *live) again() {
	l.journal.sent, l.journal.shut = l.journal.acked, false
	l.flow()
}

// acknowledged: every event up to seq is durable.
func (h *Host) acknowledged(seq uint64) {
	s := h.live
	j := &s.journal
	if seq > j.seq {
		h.fault(errProtocol)
		return
	}
	if seq <= j.acked {
		return
	}
	j.kept = j.kept[seq-j.acked:]
	j.acked = seq
	j.sent = max(j.sent, seq)
	s.flow()
}

// summary writes down how much was typed and clicked since the last one: how
// often, never what.
func (l *live) summary() {
	now := l.inputs()
	d := input.Counts{
		Keys: now.Keys - l.counted.Keys, Clicks: now.Clicks - l.counted.Clicks, Wheel: now.Wheel - l.counted.Wheel,
		Characters: now.Characters - l.counted.Characters, Refused: now.Refused - l.counted.Refused,
	}
	if d != (input.Counts{}) {
		l.counted = now
		l.note("input.summary", "ok", map[string]any{
			"keys": d.Keys, "clicks": d.Clicks, "wheel": d.Wheel, "characters": d.Characters, "refused": d.Refused,
		}, nil)
	}
	if !l.over {
		l.h.alarm("summary", summaryTime, l.summary)
	}
}

// sendClose sends the host's own count of the session, signed.
func (l *live) sendClose() {
	ms := l.h.endedAt.Sub(l.since).Milliseconds()
	l.h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Close{Close: &mfpb.HostClose{
		Reason: l.why, Events: l.journal.seq, DurationMs: ms,
		Signature: ed25519.Sign(l.signing, wire.CloseMessage(l.id, l.why, l.journal.seq, ms)),
	}}})
}
