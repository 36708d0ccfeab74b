package session

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Names of the grants that talk serves.
const (
	grantSysinfo    = "sysinfo"
	grantScreenshot = "screenshot"
)

// Bounds of the chat. A line of 4,000 code points has at most 16 kB.
const (
	chatRate     = 100 * time.Millisecond // one line for each
	chatBurst    = 20
	maxLines     = 10_000
	maxLineBytes = 8 << 20 // of all lines together
	maxAhead     = 16      // lines under way to a viewer that has not said that they came
	countTime    = time.Minute
)

// talk is the tool of what is said and shown for the ticket: the chat, pictures
// of the screen, and what the computer is. It belongs to the loop, but for hear.
type talk struct {
	l *live

	lines []*mfpb.TalkLine // the newest; ids go up by one
	bytes int
	next  uint64 // id of the next line
	seats map[*participant]*seat
	rate  bucket // the person's

	counted [2]int // lines of the person and of participants, not yet in the log
	told    bool   // the person was told where the chat stays
}

// seat is what talk knows of a participant.
type seat struct {
	heard uint64 // its newest line
	sent  uint64 // the newest line sent on the present link
	taken uint64 // the newest line that arrived there
	rate  bucket
	thing *thing                      // under way to it
	last  map[mfpb.TalkKind]time.Time // when the newest of each kind was asked for
}

// bucket counts lines: one each chatRate, chatBurst at once.
type bucket struct {
	at   time.Time
	full bool
	has  float64
}

func (b *bucket) take(now time.Time) bool { // C71
	if !b.full {
		b.full, b.has = true, chatBurst
	} else {
		b.has = min(chatBurst, b.has+float64(now.Sub(b.at))/float64(chatRate))
	}
	b.at = now
	if b.has < 1 {
		return false
	}
	b.has--
	return true
}

func newTalk(l *live) tool {
	return &talk{l: l, next: 1, seats: make(map[*participant]*seat)}
}

func (*talk) channel() uint16 { return wire.ChannelTalk }

func (*talk) grants() []string { return []string{grantSysinfo, grantScreenshot} }

// hear implements tool. It waits for the loop, so that a viewer that floods is
// held back by its own channel.
func (t *talk) hear(k *link, msg []byte) error {
	m := new(mfpb.TalkMessage)
	if err := wire.DecodeEnvelope(msg, wire.MaxTool, m); err != nil {
		return err
	}
	answer := make(chan error, 1)
	k.post(func() { answer <- t.heard(k, m) })
	select {
	case err := <-answer:
		return err
	case <-k.gone:
	case <-t.l.h.stopped:
	}
	return nil
}

func (t *talk) heard(k *link, m *mfpb.TalkMessage) error {
	s := t.seats[k.p]
	if s == nil {
		return errProtocol
	}
	switch b := m.Body.(type) {
	case *mfpb.TalkMessage_Line:
		return t.says(k, s, b.Line)
	case *mfpb.TalkMessage_Taken:
		if id := b.Taken.GetId(); id > s.taken {
			if id > s.sent {
				return errProtocol
			}
			s.taken = id
			t.send(k.p)
		}
		return nil
	case *mfpb.TalkMessage_Ask:
		t.asks(k, s, b.Ask)
		return nil
	}
	return errProtocol // what only the host says
}

// says is a line of a participant's.
func (t *talk) says(k *link, s *seat, m *mfpb.TalkLine) error {
	id := m.GetId()
	refuse := func(why mfpb.TalkRefusal) error {
		_ = k.tell(wire.ChannelTalk, &mfpb.TalkMessage{Body: &mfpb.TalkMessage_Refused{Refused: &mfpb.TalkRefused{Id: id, Why: why}}})
		return nil
	}
	switch {
	case id == 0 || id > s.heard+1:
		return errProtocol
	case id <= s.heard: // C70: sent again after a reconnect
		for _, l := range t.lines {
			if l.From == k.p.id && l.Yours == id {
				return nil // it is among those that are sent until they are taken
			}
		}
		return refuse(mfpb.TalkRefusal_TALK_REFUSAL_UNSPECIFIED)
	}
	s.heard = id
	if !k.p.welcome { // C68
		return refuse(mfpb.TalkRefusal_TALK_REFUSAL_EARLY)
	}
	if !s.rate.take(t.l.h.clock.Now()) {
		return refuse(mfpb.TalkRefusal_TALK_REFUSAL_QUICK)
	}
	text := wire.CleanText(m.GetText(), wire.ChatLimit)
	if text == "" {
		return refuse(mfpb.TalkRefusal_TALK_REFUSAL_EMPTY)
	}
	// C69: who says it is whose channel it came by.
	if !t.add(&mfpb.TalkLine{Text: text, From: k.p.id, Name: k.p.technician.Name, Yours: id}) {
		return refuse(mfpb.TalkRefusal_TALK_REFUSAL_LOG)
	}
	return nil
}

// add takes a clean line into the chat, the log and everybody's view. false: the
// log has no room for it just now.
func (t *talk) add(m *mfpb.TalkLine) bool {
	h := t.l.h
	now := h.clock.Now()
	if t.l.chat != mfpb.TalkRecord_TALK_RECORD_NONE && !t.record(m) {
		return false
	}
	m.Id, m.At = t.next, now.UnixMilli()
	t.next++
	t.lines = append(t.lines, m)
	t.bytes += len(m.Text)
	for len(t.lines) > maxLines || t.bytes > maxLineBytes {
		t.bytes -= len(t.lines[0].Text)
		t.lines[0] = nil
		t.lines = t.lines[1:]
	}
	who := 0
	if m.From != "" {
		who = 1
	}
	if t.counted == [2]int{} {
		h.alarm("chat", countTime, t.count)
	}
	t.counted[who]++
	t.l.done.Chat[who]++
	if !t.told {
		t.told = true
		h.status(keptKeys[t.l.chat])
	}
	h.show(ui.Event{Name: "chat", Chat: &ui.Chat{From: m.From, Name: m.Name, Text: m.Text, At: now.UTC().Format(time.RFC3339)}})
	for _, p := range t.l.participants {
		t.send(p)
	}
	return true
}

// keptKeys are the sentences that say where the chat stays.
var keptKeys = map[mfpb.TalkRecord]string{
	mfpb.TalkRecord_TALK_RECORD_NONE: "talk.kept.none",
	mfpb.TalkRecord_TALK_RECORD_LOG:  "talk.kept.log",
	mfpb.TalkRecord_TALK_RECORD_NOTE: "talk.kept.note",
}

// recordOf is a server's word for where the chat stays; what this host does not
// know keeps nothing.
func recordOf(name string) mfpb.TalkRecord {
	switch name {
	case "log":
		return mfpb.TalkRecord_TALK_RECORD_LOG
	case "note":
		return mfpb.TalkRecord_TALK_RECORD_NOTE
	}
	return mfpb.TalkRecord_TALK_RECORD_NONE
}

// maxRecorded bounds the text of one event as JSON; what is longer is several.
const maxRecorded = wire.MaxEventData - 256

// record writes a line into the log, in as many parts as it takes; false: too much
// waits for the server already, and a session must not end by it.
func (t *talk) record(m *mfpb.TalkLine) bool {
	parts := split(m.Text, maxRecorded)
	if len(t.l.journal.kept)+len(parts) > maxKept/2 {
		return false
	}
	for i, text := range parts {
		data := map[string]any{"part": i + 1, "parts": len(parts)}
		if m.From != "" {
			data["participant"] = m.From
		}
		said := map[string]any{"text": text}
		t.l.note("chat.line", "ok", data, said)
	}
	return true
}

// split cuts a text where its JSON would be longer than most bytes.
func split(text string, most int) (parts []string) {
	size, from := 0, 0
	for i, r := range text {
		b, _ := json.Marshal(text[i : i+utf8.RuneLen(r)]) // valid UTF-8: it was cleaned
		if n := len(b) - 2; size+n > most {
			parts, size, from = append(parts, text[from:i]), n, i
		} else {
			size += n
		}
	}
	return append(parts, text[from:])
}

// count writes down how many lines there were since the last time.
func (t *talk) count() {
	n := t.counted
	if n == [2]int{} {
		return
	}
	t.counted = [2]int{}
	t.l.note("chat.counted", "ok", map[string]any{"person": n[0], "technicians": n[1]}, nil)
}

// send sends a participant the next lines, as far as it keeps up.
func (t *talk) send(p *participant) {
	s := t.seats[p]
	if s == nil || !p.welcome || !p.up() { // C68
		return
	}
	for _, m := range t.after(s.sent) {
		if m.Id-s.taken > maxAhead && s.sent > s.taken {
			return // its next word goes on
		}
		out := &mfpb.TalkLine{Id: m.Id, Text: m.Text, From: m.From, Name: m.Name, At: m.At}
		if m.From == p.id {
			out.Yours = m.Yours
		}
		if p.link.tell(wire.ChannelTalk, &mfpb.TalkMessage{Body: &mfpb.TalkMessage_Line{Line: out}}) != nil {
			return // the next connection begins where this one ended
		}
		s.sent = m.Id
	}
}

// after are the lines with higher ids.
func (t *talk) after(id uint64) []*mfpb.TalkLine {
	if len(t.lines) == 0 || id < t.lines[0].Id {
		return t.lines
	}
	return t.lines[min(uint64(len(t.lines)), id-t.lines[0].Id+1):]
}

// connected implements tool: what has not arrived is sent again.
func (t *talk) connected(p *participant) {
	s := t.seats[p]
	if s == nil {
		s = &seat{last: make(map[mfpb.TalkKind]time.Time)}
		t.seats[p] = s
	}
	s.thing.stop()
	s.thing = nil
	s.sent = s.taken
	if p.welcome {
		t.greet(p)
	}
}

// welcomed implements welcomer: the person said yes to a participant for the
// first time. It reads what is said from now on.
func (t *talk) welcomed(p *participant) {
	s := t.seats[p]
	if s == nil {
		s = &seat{last: make(map[mfpb.TalkKind]time.Time)}
		t.seats[p] = s
	}
	s.sent = t.next - 1
	s.taken = s.sent
	if p.up() {
		t.greet(p)
	}
}

// greet tells where the chat stays, and sends what is missing.
func (t *talk) greet(p *participant) {
	_ = p.link.tell(wire.ChannelTalk, &mfpb.TalkMessage{Body: &mfpb.TalkMessage_Kept{Kept: &mfpb.TalkKept{Record: t.l.chat}}})
	t.send(p)
}

// left implements tool.
func (t *talk) left(p *participant) {
	if s := t.seats[p]; s != nil {
		s.thing.stop()
		delete(t.seats, p)
	}
}

// settled implements tool: what was taken back is not sent to its end.
func (t *talk) settled(p *participant, grant string, allowed bool) {
	if s := t.seats[p]; s != nil && !allowed && s.thing != nil && s.thing.grant == grant {
		s.thing.stop()
		s.thing = nil
	}
}

// command implements tool: a line of the person's.
func (t *talk) command(c ui.Command) bool {
	if c.Do != "say" {
		return false
	}
	text := wire.CleanText(c.Text, wire.ChatLimit)
	heard := false
	for _, p := range t.l.participants {
		heard = heard || p.welcome
	}
	switch {
	case text == "":
	case !heard:
		t.l.h.status("talk.nobody")
	case !t.rate.take(t.l.h.clock.Now()):
		t.l.h.status("talk.quick")
	case !t.add(&mfpb.TalkLine{Text: text}):
		t.l.h.status("talk.full")
	}
	return true
}

// close implements tool.
func (t *talk) close() {
	t.count()
	t.l.h.cancelAlarm("chat")
	for _, s := range t.seats {
		s.thing.stop()
	}
}
