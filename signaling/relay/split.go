package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ALPN is the protocol name of TURN inside TLS (RFC 7443). Offer it in the
// tls.Config of a port that is split. Chromium and pion/webrtc do not ask for
// it, nor for anything else.
const ALPN = "stun.turn"

// Bounds of a connection that has not said yet what it is.
const (
	firstTime    = 10 * time.Second
	maxUndecided = 4096
)

// Split shares one TCP port between HTTP and TURN. With TLS, a connection that
// agreed on a protocol is that protocol's. Else the first byte decides: that of
// a TURN message is 0 to 3 (RFC 7983), that of an HTTP request a letter.
//
// A connection with an agreed HTTP protocol is handed on as the *tls.Conn it is,
// so that net/http can speak HTTP/2. One without is wrapped, and net/http takes
// it for plain: Request.TLS is nil then, and is no test for whether a request
// came by TLS.
type Split struct {
	ln         net.Listener
	tls        *tls.Config
	firstTime  time.Duration
	web, relay *queue
	undecided  atomic.Int32
	work       sync.WaitGroup
	alive      context.Context // until Close
	end        context.CancelFunc
}

// NewSplit takes the connections of ln, a TCP listener. cfg is nil for a port
// without TLS. Call Run, and serve both [Split.Web] and [Split.Relay].
func NewSplit(ln net.Listener, cfg *tls.Config) *Split {
	s := &Split{ln: ln, tls: cfg, firstTime: firstTime,
		web: newQueue(ln.Addr(), nil), relay: newQueue(ln.Addr(), nil)}
	s.alive, s.end = context.WithCancel(context.Background())
	return s
}

// Web has the connections for an http.Server.
func (s *Split) Web() net.Listener { return s.web }

// Relay has the connections for Server.Serve.
func (s *Split) Relay() net.Listener { return s.relay }

// Run accepts until Close, and returns when no connection is undecided any more.
func (s *Split) Run() error {
	defer s.work.Wait()
	defer s.Close()
	for wait := time.Duration(0); ; {
		c, err := s.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if t, ok := err.(interface{ Temporary() bool }); ok && t.Temporary() {
			// Out of descriptors, or a client that was gone before it was accepted:
			// neither is the end. net/http does the same.
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			time.Sleep(wait)
			continue
		}
		if err != nil {
			return err
		}
		wait = 0
		if s.undecided.Add(1) > maxUndecided {
			s.undecided.Add(-1)
			_ = c.Close()
			continue
		}
		s.work.Go(func() {
			defer s.undecided.Add(-1)
			s.decide(c)
		})
	}
}

// Close closes the port; connections that are handed on live on.
func (s *Split) Close() error {
	err := s.ln.Close()
	s.end()
	_ = s.web.Close()
	_ = s.relay.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// decide finds out whose a connection is. A silent one has it until the deadline
// only.
func (s *Split) decide(c net.Conn) {
	ctx, cancel := context.WithTimeout(s.alive, s.firstTime)
	defer cancel()
	late := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })
	defer late()
	talk := c
	if s.tls != nil {
		tc := tls.Server(c, s.tls)
		err := tc.HandshakeContext(ctx)
		protocol := tc.ConnectionState().NegotiatedProtocol
		if err != nil || protocol != "" && protocol != ALPN {
			// net/http meets the same error again, and tells those who speak plain HTTP.
			s.hand(s.web, tc, late)
			return
		}
		if protocol == ALPN {
			s.hand(s.relay, tc, late)
			return
		}
		talk = tc
	}
	p := &peeked{Conn: talk, unread: true}
	if _, err := io.ReadFull(talk, p.first[:]); err != nil {
		_ = talk.Close()
		return
	}
	if p.first[0] < 4 {
		s.hand(s.relay, p, late)
	} else {
		s.hand(s.web, p, late)
	}
}

// hand gives a connection to its listener, without the deadline; late stops it
// from coming still.
func (s *Split) hand(q *queue, c net.Conn, late func() bool) {
	if !late() || c.SetDeadline(time.Time{}) != nil || !q.put(c) {
		_ = c.Close()
	}
}

// peeked gives back the byte that was looked at. It is small: thousands of idle
// hosts have one each.
type peeked struct {
	net.Conn
	first  [1]byte
	unread bool
}

func (p *peeked) Read(b []byte) (int, error) {
	if p.unread && len(b) > 0 {
		p.unread = false
		return copy(b, p.first[:]), nil
	}
	return p.Conn.Read(b)
}

// CloseWrite lets net/http end a connection without losing its last answer.
func (p *peeked) CloseWrite() error {
	if w, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// queue is a net.Listener of connections that somebody else accepted.
type queue struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	done   func() // called when Accept has told of the end; may be nil
	told   sync.Once
}

func newQueue(addr net.Addr, done func()) *queue {
	return &queue{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{}), done: done}
}

// put waits until somebody accepts c; false if nobody will.
func (q *queue) put(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.closed:
		return false
	}
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		if q.done != nil {
			q.told.Do(q.done)
		}
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

func (q *queue) Addr() net.Addr { return q.addr }
