package session

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	// personTime is for how long the technician's hands yield after the person's own.
	personTime = time.Second
	// personNoted is how often at most it stands in the log that they yielded.
	personNoted = time.Minute
)

// personFirst is what the person's own hands and the window in front of them hold
// back. The watcher's goroutine and the loop write it, the gates read it.
type personFirst struct {
	acting atomic.Bool  // within personTime; on from the watcher, off from the loop
	last   atomic.Int64 // when they acted last, Unix nanoseconds
	front  atomic.Int32 // the NoticeCode of a window that input is kept from, or 0

	// The rest belongs to the loop.
	title string    // of that window
	told  *ui.Held  // what the person sees about it
	noted time.Time // when it was logged last that the hands yield
}

// holds is why nothing is applied at this moment, or 0. It is on the way of every
// event: two loads and nothing else.
func (f *personFirst) holds() mfpb.NoticeCode {
	if code := f.front.Load(); code != 0 { // C66, C67
		return mfpb.NoticeCode(code)
	}
	if f.acting.Load() { // C65
		return mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PERSON
	}
	return 0
}

// watchPerson listens to the person's own hands as long as the desktop is open.
func (h *Host) watchPerson(d *desktop) {
	if h.cfg.OpenPerson == nil || !d.hands {
		return
	}
	s := h.live
	person, err := h.cfg.OpenPerson(input.Ears{
		Acted: func() { h.personActed(s, d) },
		Panic: func() {
			s.first.acting.Store(true)                                          // nothing is applied from here on,
			h.post(d.gone, func() { h.end(mfpb.Reason_REASON_PERSON_STOPPED) }) // C64: and this is all there is
		},
		Front: func(f input.Front) { h.post(d.gone, func() { h.inFront(d, f) }) },
	})
	if err != nil {
		h.log.Warn("the person's own hands are not heard", "error", err)
		return
	}
	d.person = person
}

// personActed runs on the watcher's goroutine, at each of the person's events.
func (h *Host) personActed(s *live, d *desktop) {
	s.first.last.Store(h.clock.Now().UnixNano())
	if !s.first.acting.Swap(true) {
		h.post(d.gone, func() {
			s.release() // C65: what the technician holds down is not mixed with it
			h.weigh()
			h.alarm("person", personTime, h.personStill)
		})
	}
}

// personStill: a second after the person's first event of a row.
func (h *Host) personStill() {
	s := h.live
	if s == nil || s.over {
		return
	}
	last := s.first.last.Load()
	if since := h.clock.Now().Sub(time.Unix(0, last)); since < personTime {
		h.alarm("person", personTime-since, h.personStill)
		return
	}
	s.first.acting.Store(false)
	// They may have acted between the two: their watcher then found acting still on, and
	// left it to us.
	if s.first.last.Load() != last && !s.first.acting.Swap(true) {
		s.release()
		h.alarm("person", personTime, h.personStill)
	}
	h.weigh()
}

// inFront looks at the window that the person has in front of them now. What it is
// called stays on this computer.
func (h *Host) inFront(d *desktop, f input.Front) {
	s := h.live
	if s == nil || s.over || s.desk != d {
		return
	}
	h.front = f
	h.judgeFront()
}

// judgeFront asks of the window in front whether it is the person's alone.
func (h *Host) judgeFront() {
	s := h.live
	code := mfpb.NoticeCode_NOTICE_CODE_UNSPECIFIED
	switch {
	case isPasswordPrompt(h.front):
		code = mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PASSWORD
	case isPrivate(h.front, h.private):
		code = mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PRIVATE
	}
	s.first.title = h.front.Title
	if mfpb.NoticeCode(s.first.front.Swap(int32(code))) != code && code != 0 {
		s.release()
	}
	h.weigh()
}

var heldNames = map[mfpb.NoticeCode]string{
	mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PERSON:   "person",
	mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PASSWORD: "password",
	mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PRIVATE:  "private",
}

// weigh tells person, technician and log why input is held, if that has changed.
// Without anybody who has control there is none to hold.
func (h *Host) weigh() {
	s := h.live
	if s == nil || s.over {
		return
	}
	holder := s.holder()
	var now *ui.Held
	code := s.first.holds()
	if holder != nil && code != 0 {
		now = &ui.Held{Why: heldNames[code]}
		if now.Why != "person" {
			now.Title = s.first.title
		}
	}
	before := s.first.told
	if now == nil && before == nil || now != nil && before != nil && *now == *before {
		return
	}
	s.first.told = now
	h.show(ui.Event{Name: "held", Held: now})
	why := func(held *ui.Held) string {
		if held == nil {
			return ""
		}
		return held.Why
	}
	if why(now) == why(before) {
		return // another page of the same
	}
	switch why(now) {
	case "":
		if holder != nil && !s.asking.Load() {
			holder.notice(mfpb.NoticeCode_NOTICE_CODE_INPUT_RESUMED, 0)
		}
		return
	case "person": // the first event that is refused tells the viewer
		if t := h.clock.Now(); t.Sub(s.first.noted) < personNoted {
			return
		} else {
			s.first.noted = t
		}
	default:
		holder.notice(code, 0)
	}
	s.note("input.held", "ok", map[string]any{"why": why(now), "participant": holder.id}, nil) // C67: and not what it is called
}

// setPrivate is the person's own list of windows that are theirs alone.
func (h *Host) setPrivate(list []string) {
	h.private = cleanPrivate(list)
	h.showPrivate()
	if s := h.live; s != nil && !s.over && s.desk != nil {
		h.judgeFront()
	}
}

// showPrivate shows the list.
func (h *Host) showPrivate() {
	h.show(ui.Event{Name: "private", Texts: slices.Clone(h.private)})
}

// panicKey is what ends everything, "" where it is not listened for.
func (l *live) panicKey() string {
	if l.desk == nil || l.desk.person == nil {
		return ""
	}
	return l.desk.person.PanicKey()
}
