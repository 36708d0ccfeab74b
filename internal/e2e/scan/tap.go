package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Tap stands before a server as a TCP proxy and keeps what passes.
type Tap struct {
	l      net.Listener
	target string

	mu    sync.Mutex
	conns []*tapped
	wg    sync.WaitGroup
}

type tapped struct {
	mu       sync.Mutex
	up, down bytes.Buffer // to the server, from the server
	a, b     net.Conn
}

// NewTap listens on addr and forwards to target.
func NewTap(addr, target string) (*Tap, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("scan: tap: %w", err)
	}
	t := &Tap{l: l, target: target}
	t.wg.Go(t.accept)
	return t, nil
}

// Addr is where the tap listens.
func (t *Tap) Addr() string { return t.l.Addr().String() }

func (t *Tap) accept() {
	for {
		a, err := t.l.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", t.target)
		if err != nil {
			a.Close()
			continue
		}
		c := &tapped{a: a, b: b}
		t.mu.Lock()
		t.conns = append(t.conns, c)
		t.mu.Unlock()
		t.wg.Go(func() { c.pump(b, a, &c.up) })
		t.wg.Go(func() { c.pump(a, b, &c.down) })
	}
}

func (c *tapped) pump(to, from net.Conn, keep *bytes.Buffer) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		c.mu.Lock()
		keep.Write(buf[:n])
		c.mu.Unlock()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			to.Close()
			from.Close()
			return
		}
	}
}

// Cut closes every connection; new ones are still taken.
func (t *Tap) Cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		c.a.Close()
		c.b.Close()
	}
}

// Close ends the tap and waits for its connections to end.
func (t *Tap) Close() {
	t.l.Close()
	t.Cut()
	t.wg.Wait()
}

// Plaintext is all that has passed, each direction of each connection by
// itself, WebSocket messages unmasked.
func (t *Tap) Plaintext() ([][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out [][]byte
	for _, c := range t.conns {
		c.mu.Lock()
		up, down := bytes.Clone(c.up.Bytes()), bytes.Clone(c.down.Bytes())
		c.mu.Unlock()
		for _, stream := range [][]byte{up, down} {
			plain, err := unmask(stream)
			if err != nil {
				return nil, err
			}
			out = append(out, plain)
		}
	}
	return out, nil
}

var errFrame = errors.New("scan: a WebSocket frame is cut short")

// unmask returns a stream as it is, with what follows a WebSocket handshake
// replaced by the frames' payloads (RFC 6455 §5.2).
func unmask(stream []byte) ([]byte, error) {
	head, rest, found := bytes.Cut(stream, []byte("\r\n\r\n"))
	if !found || !bytes.Contains(bytes.ToLower(head), []byte("upgrade: websocket")) {
		return stream, nil
	}
	out := bytes.NewBuffer(bytes.Clone(head))
	for len(rest) > 0 {
		payload, after, err := frame(rest)
		if errors.Is(err, errFrame) {
			out.Write(rest) // the connection was cut in the middle
			break
		}
		out.Write(payload)
		rest = after
	}
	return out.Bytes(), nil
}

func frame(b []byte) (payload, rest []byte, err error) {
	r := bytes.NewReader(b)
	var h [2]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, nil, errFrame
	}
	n := uint64(h[1] & 0x7f)
	switch n {
	case 126:
		var v uint16
		if binary.Read(r, binary.BigEndian, &v) != nil {
			return nil, nil, errFrame
		}
		n = uint64(v)
	case 127:
		if binary.Read(r, binary.BigEndian, &n) != nil {
			return nil, nil, errFrame
		}
	}
	var mask [4]byte
	if h[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return nil, nil, errFrame
		}
	}
	if n > uint64(r.Len()) {
		return nil, nil, errFrame
	}
	at := len(b) - r.Len()
	payload = bytes.Clone(b[at : at+int(n)])
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	return payload, b[at+int(n):], nil
}
