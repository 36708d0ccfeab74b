package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// request is one Update on its way to the writer.
type request struct {
	fn    func(Tx) error
	scrub bool   // instead of fn: outside any transaction
	since string // of a scrub: when it was first tried, as the database tells time

	state atomic.Int32
	done  chan struct{} // closed when err stands
	err   error
	// panicked is what fn panicked with. It belongs to the caller.
	panicked any
}

// Who has the request: the writer may start one that waits, its caller may take
// back one that waits.
const (
	waiting int32 = iota
	started
	given // taken back
)

// maxBatch is how many updates share one transaction: enough that one flush of
// the disk carries all that waits, few enough that nobody waits long for others.
const maxBatch = 512

// queue is the way to the writer, and its end: Update and Scrub of a Store.
type queue struct {
	mu       sync.RWMutex // held to send, so that nothing is sent after closed is set
	closed   bool
	requests chan *request
	done     chan struct{} // the writer goroutine is gone
	closeErr error
}

// start begins to write over conn.
func (q *queue) start(conn connection) {
	q.requests, q.done = make(chan *request, maxBatch), make(chan struct{})
	w := &writer{conn: conn, kept: map[any]any{}}
	go func() {
		defer close(q.done)
		q.closeErr = w.run(q.requests)
	}()
}

// Update implements Store.
func (q *queue) Update(ctx context.Context, fn func(Tx) error) error {
	return q.do(ctx, &request{fn: fn})
}

// Scrub implements Store. The waiting is done here and not in the writer, where
// others wait too.
func (q *queue) Scrub(ctx context.Context) error {
	var err error
	since := ""
	for try := range scrubTries {
		r := &request{scrub: true, since: since}
		if err = q.do(ctx, r); !errors.Is(err, errReader) {
			return err
		}
		since = r.since
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(time.Duration(try+1) * 50 * time.Millisecond):
		}
	}
	return err
}

const scrubTries = 8

// errReader: somebody still reads what was before.
var errReader = fmt.Errorf("%w: a reader still needs the old pages; scrub again", ErrUnavailable)

func (q *queue) do(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	if err := q.send(ctx, r); err != nil {
		return err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, given) {
			return ctx.Err()
		}
		<-r.done
	}
	if r.panicked != nil {
		panic(r.panicked) // the caller's own, on the caller's goroutine
	}
	return r.err
}

func (q *queue) send(ctx context.Context, r *request) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return ErrClosed
	}
	select {
	case q.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) isClosed() bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.closed
}

// close waits for what was handed over. It returns false to all but the first.
func (q *queue) close() bool {
	q.mu.Lock()
	first := !q.closed
	if first {
		q.closed = true
		close(q.requests)
	}
	q.mu.Unlock()
	<-q.done
	return first
}
