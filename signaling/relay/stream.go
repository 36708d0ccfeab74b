package relay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainforte/mainforte/signaling/limit"
)

func addressKey(a netip.Addr) string { return limit.AddressKey(a) }

// Serve answers TURN on the streams of a listener until that is closed: TCP, or
// what was taken out of TLS. It may be called for several.
func (s *Server) Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		s.take(c)
	}
}

// take lets a stream in (R16).
func (s *Server) take(c net.Conn) {
	st := &stream{Conn: c, server: s, from: addrPort(c.RemoteAddr()), r: bufio.NewReaderSize(c, maxFrame)}
	st.key = addressKey(st.from.Addr())
	d, err := s.streamDoor(addrPort(c.LocalAddr()).Addr())
	if err != nil || !st.wait() { // R16
		s.count.streamsEnded.Add(1)
		_ = c.Close()
		return
	}
	s.mu.Lock()
	refused := s.closed || s.streams[st.from] != nil
	if !refused {
		s.streams[st.from] = st
		s.clients.Add(1)
	}
	s.mu.Unlock()
	if refused {
		st.end()
	} else if !d.queue.put(st) {
		_ = st.Close()
	}
}

// streamDoor is the door for streams at a local address, opened for the first.
func (s *Server) streamDoor(local netip.Addr) (*door, error) {
	s.doors.Lock()
	defer s.doors.Unlock()
	s.mu.Lock()
	e := s.endpoints[local]
	full := e == nil && len(s.endpoints) >= maxEndpoints
	s.mu.Unlock()
	if e != nil && e.tcp != nil {
		return e.tcp, nil
	}
	if full || !local.IsValid() {
		return nil, ErrFull
	}
	d, err := s.openDoor(local, nil)
	if err != nil {
		return nil, err
	}
	return d, s.place(local, func(e *endpoint) { e.tcp = d }, d)
}

// maxFrame is the longest message that is carried, header included: pion/turn
// reads datagrams of less than 1,600 bytes.
const maxFrame = 1599

// maxBad is how many bad credentials a stream may try.
const maxBad = 16

// errFrame is what ends a stream that carries something else.
var errFrame = errors.New("relay: not a TURN message")

// stream is one client's TCP or TLS connection. Read returns one whole message
// at a time: pion/turn v5.1.0 computes their length in 16 bits, and a header that
// says 0xffec makes it spin.
type stream struct {
	net.Conn
	server *Server
	from   netip.AddrPort
	key    string // of the address, for the limit
	r      *bufio.Reader

	party   atomic.Pointer[party] // whose allocation it has; nil: none
	bads    atomic.Int32
	until   time.Time // of the read deadline; this and what follows is the reader's
	request []byte    // what it works on
	working *conn
	waits   bool // counted as one without an allocation; Server.mu
	ending  sync.Once
	leaving sync.Once
}

// wait counts a stream among those without an allocation and gives it its time;
// false if there are too many.
func (st *stream) wait() bool {
	s := st.server
	s.mu.Lock()
	ok := s.unproven < s.cfg.Limits.Streams && s.waiting[st.key] < s.cfg.Limits.AddrStreams
	if ok && !st.waits {
		st.waits = true
		s.unproven++
		s.waiting[st.key]++
	}
	s.mu.Unlock()
	if ok {
		_ = st.SetReadDeadline(time.Now().Add(s.cfg.Limits.FirstTime))
	}
	return ok
}

// proven is called with the lock held.
func (st *stream) proven() {
	s := st.server
	if !st.waits {
		return
	}
	st.waits = false
	s.unproven--
	if s.waiting[st.key]--; s.waiting[st.key] == 0 {
		delete(s.waiting, st.key)
	}
}

// allocated gives a stream the time of those that have an allocation.
func (st *stream) allocated(p *party) {
	st.party.Store(p)
	st.server.mu.Lock()
	st.proven()
	st.server.mu.Unlock()
	_ = st.SetReadDeadline(time.Now().Add(st.server.cfg.Limits.IdleTime))
}

// deallocated makes it a stranger's again.
func (st *stream) deallocated() {
	st.party.Store(nil)
	if !st.wait() {
		st.end()
	}
}

func (st *stream) bad() {
	if st.bads.Add(1) > maxBad {
		st.server.count.streamsEnded.Add(1)
		st.end()
	}
}

// Read returns one message (R15).
func (st *stream) Read(b []byte) (int, error) {
	st.rest()
	if now := time.Now(); st.party.Load() != nil && st.until.Before(now) {
		// Once in a while is enough, and cheaper than for every packet.
		st.until = now.Add(st.server.cfg.Limits.IdleTime / 16)
		_ = st.SetReadDeadline(now.Add(st.server.cfg.Limits.IdleTime))
	}
	n, err := st.frame(b)
	st.request = b[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		st.server.count.streamsEnded.Add(1)
	}
	return n, err
}

// rest ends the work on a request.
func (st *stream) rest() {
	if st.working != nil {
		st.working.done()
		st.working = nil
	}
}

func (st *stream) frame(b []byte) (int, error) {
	head, err := st.r.Peek(4)
	if err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(head[2:]))
	switch head[0] >> 6 {
	case 0: // a STUN message: 20 bytes of header, attributes of 4 n
		if n%4 != 0 {
			return 0, errFrame
		}
		n += 20
	case 1: // channel data, padded on streams (RFC 8656 §12.5)
		n = 4 + (n+3)&^3
	default:
		return 0, errFrame
	}
	if n > maxFrame || n > len(b) { // R15
		return 0, errFrame
	}
	return io.ReadFull(st.r, b[:n])
}

// writeTime is how long a client may take nothing before its stream ends.
const writeTime = 10 * time.Second

// Write sends one message. What was sent by half spoils the stream.
func (st *stream) Write(b []byte) (int, error) {
	_ = st.SetWriteDeadline(time.Now().Add(writeTime))
	n, err := st.Conn.Write(b)
	if err != nil {
		st.end()
	}
	return n, err
}

// end closes the connection; pion/turn's reader notices and calls Close.
func (st *stream) end() {
	st.ending.Do(func() {
		s := st.server
		s.mu.Lock()
		if s.streams[st.from] == st {
			delete(s.streams, st.from)
		}
		st.proven()
		s.mu.Unlock()
		_ = st.Conn.Close()
	})
}

// Close is pion/turn's last word.
func (st *stream) Close() error {
	st.end()
	st.leaving.Do(st.server.clients.Done)
	return nil
}

// stream finds the stream from an address; nil for UDP, or none.
func (s *Server) stream(from net.Addr) *stream {
	if _, ok := from.(*net.TCPAddr); !ok {
		return nil
	}
	ap := addrPort(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[ap]
}
