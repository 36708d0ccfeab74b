package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mainforte/mainforte/host/comeback"
	"github.com/mainforte/mainforte/host/session"
)

// keptRun is what a run keeps around a session's own state.
type keptRun struct {
	CA    []byte          `json:"ca,omitempty"` // PEM, where --ca named one
	State json.RawMessage `json:"state"`
}

// keeps is how many sessions of this process keep something now.
var keeps atomic.Int32

// keeper keeps a run's part with the session's.
type keeper struct {
	comeback.Keeper
	ca   []byte
	over *sync.Once // when it is removed
}

func newKeeper(k comeback.Keeper, ca []byte) keeper {
	keeps.Add(1)
	return keeper{k, ca, new(sync.Once)}
}

// Remove implements comeback.Keeper.
func (k keeper) Remove() error {
	defer k.over.Do(func() { keeps.Add(-1) })
	return k.Keeper.Remove()
}

func (k keeper) Write(state []byte) error {
	b, err := json.Marshal(keptRun{k.ca, state})
	if err != nil {
		return err
	}
	return k.Keeper.Write(b)
}

// openReturn is nil where this host cannot come back: on a system without a place for
// it, and in a console of Windows, which closes in the same way by the person's hand
// and with the system.
func openReturn(opt options, isConsole bool) func(time.Time) (comeback.Keeper, error) {
	place, err := comeback.Here()
	if err != nil || isConsole && runtime.GOOS == "windows" {
		return nil
	}
	return func(until time.Time) (comeback.Keeper, error) {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		file, err := place.Open([]string{program, "--come-back"}, until)
		if err != nil {
			return nil, err
		}
		return newKeeper(file, opt.pem), nil
	}
}

// comeBack takes what was kept, once. sorry is the key of a text that says why there
// is no return; both are nothing where nothing is kept.
func comeBack(opt *options) (back *session.Return, sorry string) {
	place, err := comeback.Here()
	if err != nil {
		return nil, ""
	}
	b, err := place.Take(time.Now())
	switch {
	case errors.Is(err, comeback.ErrNone):
		return nil, ""
	case errors.Is(err, comeback.ErrLate):
		return nil, "return.late"
	case errors.Is(err, comeback.ErrForeign):
		return nil, "return.foreign"
	case errors.Is(err, comeback.ErrSpoilt):
		return nil, "return.spoilt"
	case err != nil:
		return nil, "return.stuck"
	}
	return readKept(b, opt)
}

// readKept reads what a run kept, and makes opt go by it where it is a return for this
// app: to no other server than the one that somebody named, or that an organisation's
// build calls (P17). Else sorry is the key of a text that says why not.
func readKept(b []byte, opt *options) (back *session.Return, sorry string) {
	var run keptRun
	if json.Unmarshal(b, &run) != nil {
		return nil, "return.spoilt"
	}
	back, err := session.ReadReturn(run.State)
	if err != nil {
		return nil, "return.spoilt"
	}
	if opt.server != nil && opt.server.Host != back.Server.Host {
		return nil, "return.foreign"
	}
	if len(run.CA) > 0 && opt.trust(run.CA) != nil {
		return nil, "return.spoilt"
	}
	opt.server = back.Server
	if !opt.langTyped {
		opt.lang = back.Lang
	}
	return back, ""
}

// waits tells whether something is kept that this app is to take, which then has its
// language; it stays where it is. Of the start entry that is whatever is kept, also what
// is only to be refused; of an app that the person started, what was kept before the
// system was restarted, if they named no other server.
func waits(opt *options) bool {
	place, err := comeback.Here()
	if err != nil {
		return false
	}
	read := *opt
	if !opt.comeBack {
		state, ok := place.Waiting(time.Now())
		if ok {
			_, sorry := readKept(state, &read)
			ok = sorry == ""
		}
		opt.lang = read.lang
		return ok
	}
	state, err := place.Look(time.Now())
	if errors.Is(err, comeback.ErrNone) {
		_, _ = place.Take(time.Now()) // an entry without what it is for
		return false
	}
	if err == nil {
		_, _ = readKept(state, &read)
		opt.lang = read.lang
	}
	return true
}

// sweep takes away what an earlier run left that came to no end.
func sweep() {
	if place, err := comeback.Here(); err == nil {
		_ = place.Sweep(time.Now()) // what cannot be removed is refused when it is taken
	}
}

// heed ends the app by its signals: by the first as soon as it is known what it means,
// which takes the system a moment, and by a second at once.
func heed(signals <-chan os.Signal, stop context.CancelCauseFunc) {
	first, means := <-signals, make(chan error, 1)
	go func() { means <- meaning(first) }()
	select {
	case why := <-means:
		stop(why)
	case <-signals:
		stop(nil)
	}
}

// meaning is what a signal says of the system. SIGTERM comes with its stop, and also
// from whoever ends this program alone: then the session is over, and nothing is kept.
// Where nothing is kept it makes no difference, and nobody is asked. On Windows the same
// signal is a console that closes.
func meaning(s os.Signal) error {
	if s == syscall.SIGTERM && runtime.GOOS != "windows" && keeps.Load() > 0 && stopping() {
		return session.ErrGoingDown
	}
	return nil
}
