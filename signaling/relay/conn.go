package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// errRefused is told to pion/turn about a packet that is not relayed; it logs
// such errors at a level that is thrown away.
var errRefused = errors.New("relay: refused")

// conn is the relayed address of one allocation. Every packet of it passes here,
// and here is what decides: a TURN permission holds for an address only, and for
// minutes, while the list is of ports too, and of this moment.
type conn struct {
	udp            *net.UDPConn
	server         *Server
	door           *door
	party          *party
	relayed, bound netip.AddrPort // what clients are told, and what the socket has

	client   atomic.Pointer[netip.AddrPort] // whose allocation this is, once it stands
	channels atomic.Int32
	reader   sync.Once // done when pion's reader has heard of the end
	closing  sync.Once

	// pion/turn v5.1.0 puts a permission in its table before it has its timer, and
	// a deletion that comes in between stops a nil one: the process would end. So
	// no permission is added to an allocation that is being closed, none is closed
	// while one is added, and none is added when pion's own timer may be due.
	mu    sync.Mutex
	busy  bool      // a request that may add a permission is being worked on
	over  bool      // to be closed, at once or when it is no longer busy
	until time.Time // when pion's timer deletes the allocation
}

// nearEnd is how long before pion's timer no permission is added any more. A
// client refreshes a minute before.
const nearEnd = 5 * time.Second

// begin keeps the allocation from being closed until done; false if it is too
// late for a permission.
func (c *conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || time.Until(c.until) < nearEnd {
		return false
	}
	c.busy = true
	return true
}

// done is the end of what begin began: pion/turn reads the next request.
func (c *conn) done() {
	c.mu.Lock()
	c.busy = false
	over := c.over
	c.mu.Unlock()
	if over {
		_ = c.Close()
	}
}

func (c *conn) lasts(d time.Duration) {
	c.mu.Lock()
	c.until = time.Now().Add(d)
	c.mu.Unlock()
}

// WriteTo sends a packet of the client to the other side (R5).
func (c *conn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, ok := c.party.list.Load().out(addrPort(addr))
	if !ok { // R5
		c.server.count.refusedOut.Add(1)
		return 0, errRefused
	}
	if !c.pay(len(b)) { // R13
		return 0, errRefused
	}
	return c.udp.WriteToUDPAddrPort(b, to)
}

// ReadFrom waits for a packet of the other side to the client (R6).
func (c *conn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.udp.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			c.reader.Do(c.server.readers.Done)
			return 0, nil, err
		}
		if err != nil { // what the network says about an earlier packet
			continue
		}
		name, relayed, ok := c.party.list.Load().in(unmap(from))
		if !ok { // R6
			c.server.count.refusedIn.Add(1)
			continue
		}
		// What the other allocation sent was paid for there.
		if !relayed && !c.pay(n) { // R13
			continue
		}
		return n, net.UDPAddrFromAddrPort(name), nil
	}
}

// pay takes n bytes off the session's bandwidth. What is over it is dropped, as
// a slower line would; the peers' congestion control finds its rate.
func (c *conn) pay(n int) bool {
	if !c.party.session.budget.AllowN(time.Now(), n) {
		c.server.count.overBudget.Add(1)
		return false
	}
	c.server.count.packets.Add(1)
	c.server.count.bytes.Add(uint64(n))
	return true
}

// end closes the relayed address, which makes pion/turn delete the allocation. It
// does not wait.
func (c *conn) end() {
	c.mu.Lock()
	c.over = true
	busy := c.busy
	c.mu.Unlock()
	if !busy {
		_ = c.Close()
	}
}

// Close is pion/turn's end of an allocation, and the last step of ours.
func (c *conn) Close() error {
	var err error
	c.closing.Do(func() {
		s := c.server
		s.mu.Lock()
		delete(s.relayed, c.relayed)
		delete(c.party.conns, c)
		s.relist(c.party.session)
		s.mu.Unlock()
		c.door.leave(c)
		err = c.udp.Close()
	})
	return err
}

func (c *conn) LocalAddr() net.Addr                { return net.UDPAddrFromAddrPort(c.bound) }
func (c *conn) SetDeadline(t time.Time) error      { return c.udp.SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.udp.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.udp.SetWriteDeadline(t) }
