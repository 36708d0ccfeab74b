package session

import (
	"image"
	"slices"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/overlay"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// grantAnnotate lets a participant draw over the person's screen. It needs view
// and not control.
const grantAnnotate = "annotate"

// Bounds of what is drawn.
const (
	maxMarks      = 64   // of one participant at a time: an older one goes
	maxMarkPoints = 4096 // of one pen
	maxPoints     = 1024 // in one message
	markText      = 200  // characters
	markRate      = 64 << 10
	markBurst     = 256 << 10

	laserTime = time.Second
	nameTime  = 2 * time.Second // beside what was drawn
	markTime  = time.Minute
	drawnTime = 250 * time.Millisecond // how long the loop waits for the screen when something is taken away
)

// markTool is what participants point at, draw and write over the person's screen,
// and the steps that they are shown (steps.go). Marks fade, or are wiped, or go with
// their maker's grant. It belongs to the loop, but for the meters.
type markTool struct {
	l       *live
	over    overlay.Overlay // nil: nobody may draw yet
	scribes []*scribe       // those who may draw
	next    uint64          // id of a mark
	marks   []drawn         // in the order in which they were drawn
	steps   stepList

	metering sync.Mutex
	meters   map[string]*meter // by participant: what its messages cost
}

// scribe is a participant who may draw.
type scribe struct {
	p      *participant
	colour int
	at     image.Point
	until  time.Time // its pointer is shown until then
	bare   bool
	counts map[string]any
}

// drawn is a mark as it stands.
type drawn struct {
	overlay.Mark
	by    *scribe
	until time.Time
}

// meter bounds what a participant sends: a bucket of bytes.
type meter struct {
	left float64
	at   time.Time
}

func newMarks(l *live) tool {
	return &markTool{l: l, meters: make(map[string]*meter)}
}

func (t *markTool) channel() uint16 { return wire.ChannelMarks }

func (t *markTool) grants() []string {
	if t.l.h.cfg.OpenOverlay == nil {
		return nil
	}
	return []string{grantAnnotate}
}

// hear reads a message; what is more than anybody draws is dropped.
func (t *markTool) hear(k *link, msg []byte) error {
	if !t.affordable(k.p.id, len(msg)) {
		return nil
	}
	m := new(mfpb.MarkMessage)
	if err := wire.DecodeEnvelope(msg, wire.MaxTool, m); err != nil {
		return err
	}
	var do func(*participant)
	switch b := m.Body.(type) {
	case *mfpb.MarkMessage_Wipe:
		do = t.wipe
	case *mfpb.MarkMessage_Undo:
		do = t.undo
	case *mfpb.MarkMessage_Laser:
		at, ok := pixel(b.Laser.GetX(), b.Laser.GetY())
		if !ok {
			return errProtocol
		}
		do = func(p *participant) { t.point(p, at) }
	case *mfpb.MarkMessage_Draw:
		mark, err := parseMark(b.Draw)
		if err != nil {
			return err
		}
		do = func(p *participant) { t.draw(p, mark, b.Draw.GetMore()) }
	case *mfpb.MarkMessage_AddSteps:
		texts, err := parseSteps(b.AddSteps.GetTexts())
		if err != nil {
			return err
		}
		do = func(p *participant) { t.addSteps(p, texts, b.AddSteps.GetPicture()) }
	case *mfpb.MarkMessage_MoveStep:
		do = func(p *participant) { t.moveStep(p, b.MoveStep.GetId(), b.MoveStep.GetBefore()) }
	case *mfpb.MarkMessage_DropStep:
		do = func(p *participant) { t.dropStep(p, b.DropStep.GetId()) }
	default:
		return errProtocol // what only the host says
	}
	k.post(func() { do(k.p) })
	return nil
}

// affordable takes a message's bytes, and a few more, from its sender's bucket.
func (t *markTool) affordable(id string, n int) bool {
	t.metering.Lock()
	defer t.metering.Unlock()
	m, now := t.meters[id], t.l.h.clock.Now()
	if m == nil {
		m = &meter{left: markBurst, at: now}
		t.meters[id] = m
	}
	m.left = min(markBurst, m.left+now.Sub(m.at).Seconds()*markRate)
	m.at = now
	cost := float64(n + 256)
	if m.left < cost {
		return false
	}
	m.left -= cost
	return true
}

// pixel is a place that a picture can have.
func pixel(x, y uint32) (image.Point, bool) {
	return image.Pt(int(x), int(y)), x < wire.MaxPictureSide && y < wire.MaxPictureSide
}

// parseMark reads what was drawn. The error is errProtocol.
func parseMark(m *mfpb.MarkDrawn) (overlay.Mark, error) {
	kinds := map[mfpb.MarkKind]overlay.Kind{
		mfpb.MarkKind_MARK_KIND_PEN: overlay.Pen, mfpb.MarkKind_MARK_KIND_ARROW: overlay.Arrow, mfpb.MarkKind_MARK_KIND_BOX: overlay.Box,
		mfpb.MarkKind_MARK_KIND_ELLIPSE: overlay.Ellipse, mfpb.MarkKind_MARK_KIND_TEXT: overlay.Text,
	}
	kind, ok := kinds[m.GetKind()]
	n := len(m.GetPoints())
	if !ok || n == 0 || n%2 != 0 || n > 2*maxPoints || m.GetMore() && kind != overlay.Pen {
		return overlay.Mark{}, errProtocol
	}
	mark := overlay.Mark{Kind: kind}
	for i := 0; i < n; i += 2 {
		at, ok := pixel(m.Points[i], m.Points[i+1])
		if !ok {
			return overlay.Mark{}, errProtocol
		}
		mark.Points = append(mark.Points, at)
	}
	switch kind {
	case overlay.Pen:
	case overlay.Text:
		mark.Text = wire.CleanLine(m.GetText(), markText)
		ok = n == 2 && mark.Text != ""
	default:
		ok = n == 4
	}
	if !ok || kind != overlay.Text && m.GetText() != "" {
		return overlay.Mark{}, errProtocol
	}
	return mark, nil
}

// scribe finds who may draw, or nil: what is under way when the grant is taken
// away is dropped.
func (t *markTool) scribe(p *participant) *scribe {
	if !p.allowed(grantAnnotate) { // C73
		return nil
	}
	for _, s := range t.scribes {
		if s.p == p {
			return s
		}
	}
	return nil
}

// settled: who may draw gets a colour of their own.
func (t *markTool) settled(p *participant, _ string, allowed bool) {
	if !allowed {
		t.left(p)
		return
	}
	if t.over == nil {
		over, err := t.l.h.cfg.OpenOverlay()
		if err != nil {
			t.l.h.log.Error("nothing can be drawn over the desktop", "error", err)
			t.l.h.settle(p, p.grant(grantAnnotate), mfpb.GrantState_GRANT_STATE_DENIED, "host")
			return
		}
		t.over = over
	}
	free := func(c int) bool {
		return !slices.ContainsFunc(t.scribes, func(s *scribe) bool { return s.colour == c })
	}
	s := &scribe{p: p}
	for s.colour < len(overlay.Colours)-1 && !free(s.colour) {
		s.colour++
	}
	t.scribes = append(t.scribes, s)
}

// left: everything that the participant drew goes, before anything else happens.
func (t *markTool) left(p *participant) {
	i := slices.IndexFunc(t.scribes, func(s *scribe) bool { return s.p == p })
	if i < 0 {
		return
	}
	s := t.scribes[i]
	t.summary(s)
	t.l.h.cancelAlarm(p.alarmed("marks"))
	t.scribes = slices.Delete(t.scribes, i, i+1)
	t.marks = slices.DeleteFunc(t.marks, func(m drawn) bool { return m.by == s }) // C73
	if len(t.scribes) == 0 {
		t.shut() // an overlay that nobody may draw on is none
		return
	}
	t.gone(t.show())
}

// shut closes the overlay; with it goes all that it shows.
func (t *markTool) shut() {
	t.marks = nil
	t.l.h.cancelAlarm("marks fade")
	if t.over == nil {
		return
	}
	if err := t.over.Close(); err != nil {
		t.l.h.log.Info("the overlay was not closed cleanly", "error", err)
	}
	t.over = nil
}

// close implements tool.
func (t *markTool) close() {
	for len(t.scribes) > 0 {
		t.left(t.scribes[0].p)
	}
	t.shut()
}

// gone waits until the screen shows what was told last, but not for ever: the
// loop has more to do than to wait for an X server.
func (t *markTool) gone(done <-chan struct{}) {
	if done == nil {
		return
	}
	late := time.NewTimer(drawnTime)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
}

// asked hides everything while a question is open, so that nothing stands over it.
func (t *markTool) asked(open bool) {
	done := t.show()
	if open { // C75
		t.gone(done)
	}
}

// point is a participant's laser.
func (t *markTool) point(p *participant, at image.Point) {
	if s := t.scribe(p); s != nil {
		s.at, s.bare, s.until = at, false, t.l.h.clock.Now().Add(laserTime)
		t.count(s, "laser")
		t.show()
	}
}

// draw adds a mark, or goes on with a pen's.
func (t *markTool) draw(p *participant, m overlay.Mark, more bool) {
	s := t.scribe(p)
	if s == nil {
		return
	}
	now := t.l.h.clock.Now()
	if last := t.newest(s); more {
		if last < 0 || t.marks[last].Kind != overlay.Pen {
			return // it was wiped while these points were under way
		}
		d := &t.marks[last]
		room := max(maxMarkPoints-len(d.Points), 0)
		// A copy: the overlay still reads the old one.
		d.Points = slices.Concat(d.Points, m.Points[:min(room, len(m.Points))])
		d.until = now.Add(markTime)
	} else {
		t.next++
		m.ID, m.Colour = t.next, s.colour
		t.marks = append(t.marks, drawn{Mark: m, by: s, until: now.Add(markTime)})
		if n := t.owned(s); n > maxMarks {
			first := slices.IndexFunc(t.marks, func(d drawn) bool { return d.by == s })
			t.marks = slices.Delete(t.marks, first, first+1)
		}
		t.count(s, [...]string{"pen", "arrows", "boxes", "ellipses", "texts"}[m.Kind])
	}
	s.at, s.bare, s.until = m.Points[len(m.Points)-1], true, now.Add(nameTime)
	t.show()
}

// newest is the index of a participant's newest mark, or -1.
func (t *markTool) newest(s *scribe) int {
	for i := len(t.marks) - 1; i >= 0; i-- {
		if t.marks[i].by == s {
			return i
		}
	}
	return -1
}

func (t *markTool) owned(s *scribe) (n int) {
	for _, m := range t.marks {
		if m.by == s {
			n++
		}
	}
	return n
}

// undo takes away a participant's newest mark.
func (t *markTool) undo(p *participant) {
	if s := t.scribe(p); s != nil {
		if i := t.newest(s); i >= 0 {
			t.marks = slices.Delete(t.marks, i, i+1)
			s.until = time.Time{}
			t.show()
		}
	}
}

// wipe takes away all that a participant drew.
func (t *markTool) wipe(p *participant) {
	if s := t.scribe(p); s != nil {
		t.marks = slices.DeleteFunc(t.marks, func(m drawn) bool { return m.by == s })
		s.until = time.Time{}
		t.show()
	}
}

// command takes the person's words about marks and steps.
func (t *markTool) command(c ui.Command) bool {
	switch c.Do {
	case "wipe":
		t.marks = nil
		for _, s := range t.scribes {
			s.until = time.Time{}
		}
		t.show()
		t.l.note("marks.wiped", "ok", map[string]any{"by": "person"}, nil)
		for _, p := range t.l.participants {
			if p.up() && p.allowed(grantAnnotate) {
				_ = p.link.tell(wire.ChannelMarks, &mfpb.MarkMessage{Body: &mfpb.MarkMessage_Wipe{Wipe: &mfpb.MarksWiped{}}})
			}
		}
	case "step":
		t.answer(c)
	case "keep_steps":
		t.keep(c.Path)
	default:
		return false
	}
	return true
}

// connected: a viewer hears of the steps that there are.
func (t *markTool) connected(p *participant) { t.tellSteps(p) }

// show takes away what has faded and shows the rest.
func (t *markTool) show() <-chan struct{} {
	if t.over == nil {
		return nil
	}
	h := t.l.h
	now := h.clock.Now()
	next := time.Time{}
	stands := func(until time.Time) bool {
		if !until.After(now) {
			return false
		}
		if next.IsZero() || until.Before(next) {
			next = until
		}
		return true
	}
	t.marks = slices.DeleteFunc(t.marks, func(m drawn) bool { return !stands(m.until) }) // C76
	scene := overlay.Scene{Hidden: t.l.question != nil, Spared: h.windows}               // C75
	for _, m := range t.marks {
		scene.Marks = append(scene.Marks, m.Mark)
	}
	for _, s := range t.scribes {
		if stands(s.until) {
			scene.Pointers = append(scene.Pointers, overlay.Pointer{
				Who: s.colour, At: s.at, Name: wire.Clean(s.p.technician.Name), Colour: s.colour, Bare: s.bare,
			})
		}
	}
	h.cancelAlarm("marks fade")
	if !next.IsZero() {
		h.alarm("marks fade", next.Sub(now), func() { t.show() })
	}
	return t.over.Show(scene)
}

// count notes that something was drawn; what it was stays on the screen.
func (t *markTool) count(s *scribe, what string) {
	if s.counts == nil {
		s.counts = map[string]any{}
		t.l.h.alarm(s.p.alarmed("marks"), summaryTime, func() { t.summary(s) })
	}
	n, _ := s.counts[what].(int)
	s.counts[what] = n + 1
}

// summary writes down how much a participant drew since the last one: how often,
// never what.
func (t *markTool) summary(s *scribe) {
	if s.counts == nil {
		return
	}
	s.counts["participant"] = s.p.id
	t.l.note("marks.summary", "ok", s.counts, nil)
	s.counts = nil
}
