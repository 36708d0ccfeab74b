package tickets

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Retried returns s with each call tried up to three times when the desk does
// not answer just now. A note is looked for before it is written again; one whose
// files the desk rejects is written without them, because its text names them.
// What takes longer is for the [Outbox].
func Retried(s System) System { return &retried{System: s, first: 200 * time.Millisecond} }

type retried struct {
	System
	first time.Duration // wait before the second try; doubles
}

// Unwrap is for HooksOf.
func (r *retried) Unwrap() System { return r.System }

const (
	tries   = 3
	patient = 5 * time.Second // longest wait within one call
)

// again calls try until it works, fails for good or was tried often enough.
func (r *retried) again(ctx context.Context, try func(n int) error) error {
	for n, wait := 1, r.first; ; n, wait = n+1, 2*wait {
		err := try(n)
		if err == nil || n == tries || !errors.Is(err, ErrTransient) || ctx.Err() != nil {
			return err
		}
		pause := wait/2 + rand.N(wait/2+1)
		if asked := (ErrRateLimited{}); errors.As(err, &asked) {
			pause = max(pause, asked.After)
		}
		if pause > patient {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return errors.Join(err, ctx.Err())
		}
	}
}

func (r *retried) Check(ctx context.Context) error {
	return r.again(ctx, func(int) error { return r.System.Check(ctx) })
}

func (r *retried) Get(ctx context.Context, id string) (t Ticket, err error) {
	err = r.again(ctx, func(int) error { t, err = r.System.Get(ctx, id); return err })
	return t, err
}

func (r *retried) Search(ctx context.Context, query string, limit int) (list []Ticket, err error) {
	err = r.again(ctx, func(int) error { list, err = r.System.Search(ctx, query, limit); return err })
	return list, err
}

func (r *retried) Find(ctx context.Context, ticket, key string) (id string, ok bool, err error) {
	err = r.again(ctx, func(int) error { id, ok, err = r.System.Find(ctx, ticket, key); return err })
	return id, ok, err
}

func (r *retried) Append(ctx context.Context, ticket string, n Note) (id string, err error) {
	err = r.again(ctx, func(try int) error {
		if try > 1 {
			var ok bool
			if id, ok, err = r.System.Find(ctx, ticket, n.Key); err != nil || ok {
				return err
			}
		}
		if id, err = r.System.Append(ctx, ticket, n); len(n.Files) > 0 && (errors.Is(err, ErrTooLarge) || errors.Is(err, ErrInvalid)) {
			n.Files = nil
			id, err = r.System.Append(ctx, ticket, n)
		}
		return err
	})
	return id, err
}

// Limited returns s with at most perMinute calls a minute, a few at once. When
// the desk asks for a pause nobody calls it until then: they get ErrRateLimited
// with what is left.
func Limited(s System, perMinute int) System {
	return &limited{System: s, rate: rate.NewLimiter(rate.Limit(float64(perMinute)/60), max(perMinute/10, 1)), now: time.Now}
}

type limited struct {
	System
	rate *rate.Limiter
	now  func() time.Time

	mu    sync.Mutex
	until time.Time // the desk wants to be left alone
}

// Unwrap is for HooksOf.
func (l *limited) Unwrap() System { return l.System }

func (l *limited) call(ctx context.Context, do func() error) error {
	l.mu.Lock()
	left := l.until.Sub(l.now())
	l.mu.Unlock()
	if left > 0 {
		return ErrRateLimited{After: left}
	}
	if err := l.rate.Wait(ctx); err != nil {
		if ctx.Err() == nil { // the turn would come after the context's end
			return errors.Join(ErrTransient, err)
		}
		return ctx.Err()
	}
	err := do()
	if asked := (ErrRateLimited{}); errors.As(err, &asked) {
		l.mu.Lock()
		l.until = l.now().Add(asked.After)
		l.mu.Unlock()
	}
	return err
}

func (l *limited) Check(ctx context.Context) error {
	return l.call(ctx, func() error { return l.System.Check(ctx) })
}

func (l *limited) Get(ctx context.Context, id string) (t Ticket, err error) {
	err = l.call(ctx, func() error { t, err = l.System.Get(ctx, id); return err })
	return t, err
}

func (l *limited) Search(ctx context.Context, query string, limit int) (list []Ticket, err error) {
	err = l.call(ctx, func() error { list, err = l.System.Search(ctx, query, limit); return err })
	return list, err
}

func (l *limited) Find(ctx context.Context, ticket, key string) (id string, ok bool, err error) {
	err = l.call(ctx, func() error { id, ok, err = l.System.Find(ctx, ticket, key); return err })
	return id, ok, err
}

func (l *limited) Append(ctx context.Context, ticket string, n Note) (id string, err error) {
	err = l.call(ctx, func() error { id, err = l.System.Append(ctx, ticket, n); return err })
	return id, err
}
