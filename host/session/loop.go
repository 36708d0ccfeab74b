package session

import (
	"context"
	"errors"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// alarm is something to do at a time. An alarm set again under its name is moved.
type alarm struct {
	at time.Time
	do func()
}

func (h *Host) alarm(name string, in time.Duration, do func()) {
	h.alarms[name] = alarm{h.clock.Now().Add(in), do}
}

func (h *Host) cancelAlarm(name string) { delete(h.alarms, name) }

// ring runs the alarms that are due and returns the time of the next one.
func (h *Host) ring() time.Time {
	for {
		now := h.clock.Now()
		first, next := "", alarm{}
		for name, a := range h.alarms {
			if first == "" || a.at.Before(next.at) {
				first, next = name, a
			}
		}
		if first == "" {
			return now.Add(time.Hour)
		}
		if next.at.After(now) {
			return next.at
		}
		delete(h.alarms, first)
		next.do()
	}
}

// post gives the loop something to do, from any goroutine. It returns false
// when the loop or the caller's own subject (gone) has ended: nobody waits for
// a loop that waits for them.
func (h *Host) post(gone <-chan struct{}, f func()) bool {
	select {
	case h.inbox <- f:
		return true
	case <-gone:
		return false
	case <-h.stopped:
		return false
	}
}

// spawn runs f in a goroutine that Run waits for.
func (h *Host) spawn(f func()) {
	h.work.Add(1)
	go func() {
		defer h.work.Done()
		f()
	}()
}

// diskTime is how long the end of a run waits for a disk that does not answer.
const diskTime = 2 * time.Second

// onDisk runs do, which waits for a disk, and returns true when it has ended: a
// disk may not answer for minutes, or ever. It returns false when gone or the loop
// ended before; do then ends by itself.
func (h *Host) onDisk(gone <-chan struct{}, do func()) bool {
	select {
	case <-h.lend(do):
		return true
	case <-gone:
	case <-h.stopped:
	}
	return false
}

// lend runs do, which waits for a disk, in a goroutine that Run waits for, but not
// for ever. Its channel is closed when do has ended.
func (h *Host) lend(do func()) <-chan struct{} {
	done := make(chan struct{})
	h.disks.Add(1)
	go func() {
		defer h.disks.Done()
		defer close(done)
		do()
	}()
	return done
}

// touch stands before each turn of a disk's: a test's disk stalls here.
func (h *Host) touch(what string) {
	if stall := h.stall.Load(); stall != nil {
		(*stall)(what)
	}
}

// settleDisks waits for what is under way on a disk. An app that a dead disk keeps
// from ending would be one that the person cannot close.
func (h *Host) settleDisks() {
	done := make(chan struct{})
	go func() {
		h.disks.Wait()
		close(done)
	}()
	late := time.NewTimer(diskTime)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		h.log.Warn("a disk does not answer; it is not waited for")
	}
}

// Run connects, waits, serves one session and returns when it is over: nil after
// a session, ErrQuit when the person closed the app or ctx ended, an *Ended or an
// error that wraps ErrServer when there could be no session. It may be called once.
func (h *Host) Run(ctx context.Context) error {
	h.ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		close(h.stopped)
		h.cancel()
		h.shut()
		h.work.Wait()
		h.settleDisks()
	}()
	name, err := dialledName(h.cfg.Server)
	if err != nil {
		return err
	}
	h.server = name
	h.began = h.clock.Now()
	h.show(ui.Event{Name: "hello", Lang: h.texts.Lang, Server: h.server, Unknown: h.cfg.Unknown})
	if h.cfg.Return != nil {
		h.comesBack(h.cfg.Return)
	}
	if h.contact = h.cfg.Unknown; !h.contact {
		h.dial()
	}

	quit, commands := ctx.Done(), h.cfg.Window.Commands()
	for !h.done {
		next := h.ring()
		if h.done {
			break
		}
		select {
		case f := <-h.inbox:
			f()
		case <-h.look:
			h.looked()
		case c, ok := <-commands:
			if !ok {
				commands = nil
				h.vanished()
				continue
			}
			h.command(c)
		case <-quit:
			quit = nil
			if !errors.Is(context.Cause(ctx), ErrGoingDown) || !h.goesDown() {
				h.command(ui.Command{Do: "quit"})
			}
		case <-h.clock.Until(next):
		}
	}
	return h.err
}

// finish ends the loop.
func (h *Host) finish(err error) {
	h.done, h.err = true, err
	if h.live != nil && h.live.why == mfpb.Reason_REASON_HOST_QUIT {
		h.err = ErrQuit
	}
}

// shut gives back what the loop still holds when it ends.
func (h *Host) shut() {
	if h.live != nil {
		h.live.close()
	}
	if h.line != nil {
		h.line.close(mfpb.Reason_REASON_HOST_QUIT)
		h.line = nil
	}
}

// command is one thing the person said.
func (h *Host) command(c ui.Command) {
	switch {
	case c.Window != "":
		h.protect(c.Window)
	case c.Near != "":
		h.near(c.Near)
	case c.Do == "called" || c.Do == "not_called":
		h.contacted(c.Do == "called")
	case h.live != nil && h.live.over:
		if len(h.late) < maxLate {
			h.late = append(h.late, c)
		}
	case c.Answer != "" && c.Do == "":
		h.answer(c)
	case c.Do == "stop" && h.live != nil && c.Participant != "":
		h.stopOne(c.Participant)
	case c.Do == "stop" && h.live != nil:
		h.end(mfpb.Reason_REASON_PERSON_STOPPED)
	case c.Do == "revoke" && h.live != nil:
		h.revoke(c)
	case c.Do == "cancel_invite" && h.live != nil:
		h.cancelInvite(nil)
	case c.Do == "private":
		h.setPrivate(c.Texts)
	case c.Do == "going_down":
		h.goesDown()
	case c.Do == "quit" && h.live != nil:
		h.end(mfpb.Reason_REASON_HOST_QUIT)
	case c.Do == "quit":
		h.finish(ErrQuit)
	case h.live != nil:
		for _, t := range h.live.tools {
			if t.command(c) {
				return
			}
		}
	}
}

// contacted is the person's answer to a server that nobody vouches for. Nothing
// goes to it before that, and there is no yes before the person had the time to
// read the warning, whatever the window does. A no ends the app.
func (h *Host) contacted(called bool) {
	switch {
	case !h.contact:
	case !called:
		h.contact = false
		h.show(ui.Event{Name: "hang_up", Server: h.server})
		h.finish(ErrNotCalled)
	case h.clock.Now().Sub(h.began) < ui.ContactTime:
		h.log.Warn("the first question was answered too early")
	default:
		h.contact = false
		h.began = h.clock.Now() // what is waited for begins now
		h.dial()
	}
}

// show tells the person something.
func (h *Host) show(e ui.Event) { h.cfg.Window.Show(e) }

// status says in a sentence what happens. pairs are what the sentence names.
func (h *Host) status(key string, pairs ...string) {
	h.show(ui.Event{Name: "status", Text: h.texts.T(key, append(pairs, "server", h.server)...)})
}

// statusOf says what happens to a participant.
func (h *Host) statusOf(key string, p *participant, pairs ...string) {
	h.status(key, append(pairs, "name", p.technician.Name)...)
}
