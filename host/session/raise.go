package session

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/raise"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// grantElevate is the person's yes to hands that reach an administrator's windows
// too. It stands once the system itself has asked them and they said yes there:
// until then the grant is as asked.
const grantElevate = "elevate"

// raiser is the tool of raised hands. They are one participant's: what another one
// does with the controls goes by the host's own (C42).
type raiser struct {
	l      *live
	by     *participant       // who waits for them, or has them
	cancel context.CancelFunc // of the wait; nil: nobody waits
	came   input.Injector     // on the way from the wait to settled
	lifted *lifted            // in use
}

func newRaiser(l *live) tool {
	if l.h.cfg.Raise == nil {
		return nil
	}
	return &raiser{l: l}
}

func (*raiser) channel() uint16          { return noChannel }
func (*raiser) grants() []string         { return []string{grantElevate} }
func (*raiser) hear(*link, []byte) error { return errProtocol }
func (*raiser) connected(*participant)   {}
func (*raiser) command(ui.Command) bool  { return false }
func (r *raiser) close()                 { r.lower() }

// raiser is the tool, or nil where there is none.
func (l *live) raiser() *raiser {
	for _, t := range l.tools {
		if r, ok := t.(*raiser); ok {
			return r
		}
	}
	return nil
}

// raises is what follows the person's yes: the system asks them itself.
func (h *Host) raises(q *question) {
	s := h.live
	s.closeQuestion()
	r, p, g := s.raiser(), q.by, q.grant
	if r == nil || r.by != nil {
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_DENIED, "host")
	} else {
		ctx, cancel := context.WithCancel(h.ctx)
		r.by, r.cancel = p, cancel
		h.status("status.raise_asks")
		h.spawn(func() {
			hands, err := h.cfg.Raise(ctx)
			ok := h.post(nil, func() {
				if ctx.Err() != nil || s.over {
					err = errors.Join(err, ctx.Err(), errors.New("too late"))
				}
				r.answered(p, g, hands, err)
			})
			if !ok && hands != nil {
				_ = hands.Close()
			}
		})
	}
	h.nextQuestion()
}

// answered is the end of the wait.
func (r *raiser) answered(p *participant, g *grant, hands input.Injector, err error) {
	h := r.l.h
	if err != nil && hands != nil {
		_ = hands.Close()
	}
	if r.by != p || r.cancel == nil || g.state != mfpb.GrantState_GRANT_STATE_ASKED {
		if err == nil {
			_ = hands.Close()
		}
		return
	}
	r.cancel()
	r.cancel = nil
	switch {
	case errors.Is(err, raise.ErrRefused):
		r.by = nil
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_DENIED, "person")
		h.status("status.raise_refused")
	case err != nil:
		h.log.Warn("the hands could not be raised", "error", err)
		r.by = nil
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_DENIED, "host")
		h.status("status.raise_failed")
	default:
		r.came = hands
		h.settle(p, g, mfpb.GrantState_GRANT_STATE_ALLOWED, "person")
		h.status("status.raised")
	}
}

// settled implements tool.
func (r *raiser) settled(p *participant, _ string, allowed bool) {
	if !allowed {
		r.left(p)
		return
	}
	hands := r.came
	r.came = nil
	s := r.l
	own := s.hands.desktop.Load()
	if hands == nil || own == nil {
		return
	}
	f := &lifted{own: own, far: hands, down: map[any]bool{}}
	f.lost = func(err error) {
		s.h.spawn(func() {
			s.h.post(nil, func() {
				if r.lifted == f && !s.over {
					s.h.log.Warn("the raised hands are gone", "error", err)
					s.h.settle(p, p.grant(grantElevate), mfpb.GrantState_GRANT_STATE_REVOKED, "host")
					s.h.status("status.raise_failed")
				}
			})
		})
	}
	r.lifted = f
	s.release() // what is down was pressed by the other hands
	s.hands.turn.Lock()
	s.hands.desktop.Store(&reach{Injector: f, guard: own.guard, nudge: own.nudge})
	s.hands.turn.Unlock()
	r.drives(s.holder())
}

// drives: whose hands are at the controls from now on; nil: nobody's. Nothing is down.
func (r *raiser) drives(p *participant) {
	if r.lifted != nil {
		r.lifted.on.Store(p == nil || p == r.by) // C42
	}
}

// given back when a question is taken back as well as when the grant is.
func (r *raiser) left(p *participant) {
	if r.by == p {
		r.lower()
	}
}

// lower ends the raised hands, or the wait for them.
func (r *raiser) lower() {
	if r.cancel != nil {
		r.cancel()
		r.cancel = nil
	}
	r.by = nil
	f := r.lifted
	if f == nil {
		return
	}
	r.lifted = nil
	s := r.l
	s.release() // C34
	s.hands.turn.Lock()
	if now := s.hands.desktop.Load(); now != nil && now.Injector == input.Injector(f) {
		s.hands.desktop.Store(f.own)
	}
	s.hands.turn.Unlock()
	_ = f.far.Close() // it lets go of what is down in any case
}

// lifted are the hands of a desktop while some of its input is injected by others.
// One goroutine at a time uses them, as every Injector.
type lifted struct {
	own  *reach
	far  input.Injector
	on   atomic.Bool // the far ones; changed while nothing is down
	gone atomic.Bool
	lost func(error)  // told once, when the far ones are gone
	down map[any]bool // keys and buttons that the far ones hold
}

// do injects by the hands that are on. Hands that are gone hold nothing down.
func (f *lifted) do(what func(input.Injector) error) error {
	if !f.on.Load() || f.gone.Load() {
		return what(f.own.Injector)
	}
	err := what(f.far)
	if errors.Is(err, raise.ErrGone) {
		if !f.gone.Swap(true) {
			f.lost(err)
		}
		return nil // the event is lost with them
	}
	return err
}

// held is do for what goes down and up: what the far ones held when they were lost,
// they let go of, and the host's own never pressed it.
func (f *lifted) held(what any, down bool, do func(input.Injector) error) error {
	if f.gone.Load() && f.down[what] {
		delete(f.down, what)
		return nil
	}
	err := f.do(do)
	if err == nil && f.on.Load() {
		if delete(f.down, what); down {
			f.down[what] = true
		}
	}
	return err
}

func (f *lifted) Move(x, y int) error {
	return f.do(func(i input.Injector) error { return i.Move(x, y) })
}
func (f *lifted) Button(b input.Button, down bool) error {
	return f.held(b, down, func(i input.Injector) error { return i.Button(b, down) })
}
func (f *lifted) Wheel(dx, dy int) error {
	return f.do(func(i input.Injector) error { return i.Wheel(dx, dy) })
}

// Key keeps the panic key (C64) from windows in which nobody can tell whether the
// person or the technician pressed it.
func (f *lifted) Key(k input.Key, down bool) error {
	const end, keypadEnd, both = 0x4d, 0x59, input.ModControl | input.ModAlt
	if down && f.on.Load() && (k.Usage == end || k.Usage == keypadEnd) && k.Modifiers&both == both {
		return input.ErrReserved
	}
	return f.held(k.Usage, down, func(i input.Injector) error { return i.Key(k, down) })
}
func (f *lifted) Text(s string) error {
	return f.do(func(i input.Injector) error { return i.Text(s) })
}
func (f *lifted) Prepare() error { return f.do(input.Injector.Prepare) }
func (f *lifted) Restore() error { return f.do(input.Injector.Restore) }
func (f *lifted) Close() error   { return errors.Join(f.far.Close(), f.own.Close()) }
