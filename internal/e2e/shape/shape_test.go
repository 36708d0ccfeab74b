package shape

import (
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/netns"
)

// TestMain runs the tests in namespaces of their own: that needs no root, and
// leaves nothing behind.
func TestMain(m *testing.M) {
	if netns.Inside() {
		if err := run("ip", "link", "set", "lo", "up"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := netns.Enter()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func open(t *testing.T, seed uint64) *Line {
	t.Helper()
	l, err := Open(seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// sockets are one on each side; the far one is known to the near one.
func sockets(t *testing.T, l *Line) (near, far *net.UDPConn) {
	t.Helper()
	err := l.inside(func() (err error) {
		far, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(l.Far)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	if near, err = net.DialUDP("udp4", nil, far.LocalAddr().(*net.UDPAddr)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	for _, c := range []*net.UDPConn{near, far} {
		if err := c.SetReadBuffer(1 << 20); err != nil {
			t.Fatal(err)
		}
	}
	return near, far
}

// headers are those of IPv4 and UDP: the line counts whole packets.
const headers = 28

// echoes answers everything that comes.
func echoes(far *net.UDPConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := far.ReadFromUDP(b)
		if err != nil {
			return
		}
		_, _ = far.WriteToUDP(b[:n], from)
	}
}

// roundTrips measures some, one after the other.
func roundTrips(t *testing.T, near *net.UDPConn, n int) []time.Duration {
	t.Helper()
	var v []time.Duration
	b := make([]byte, 2048)
	for range n {
		start := time.Now()
		if _, err := near.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
		_ = near.SetReadDeadline(start.Add(10 * time.Second))
		if _, err := near.Read(b); err != nil {
			t.Fatal(err)
		}
		v = append(v, time.Since(start))
	}
	slices.Sort(v)
	return v
}

// TestDelayIsWhatWasAskedFor, also when it changes under way.
func TestDelayIsWhatWasAskedFor(t *testing.T) {
	l := open(t, 1)
	near, far := sockets(t, l)
	go echoes(far)
	for _, rtt := range []time.Duration{0, 50 * time.Millisecond, 100 * time.Millisecond, 10 * time.Millisecond} {
		l.Both(rtt, 0, 0)
		v := roundTrips(t, near, 15)
		t.Logf("asked for %v: %v to %v", rtt, v[0], v[len(v)-1])
		// The quickest one has nothing of a busy machine in it, or very little.
		if v[0] < rtt || v[0] > rtt+20*time.Millisecond {
			t.Errorf("asked for %v: the quickest took %v", rtt, v[0])
		}
	}
	l.Set(Conditions{Delay: 60 * time.Millisecond}, Conditions{})
	if v := roundTrips(t, near, 5); v[0] < 60*time.Millisecond || v[0] > 80*time.Millisecond {
		t.Errorf("60 ms in one direction: the quickest took %v", v[0])
	}
}

// arrivals counts what comes until a packet of one byte does.
func arrivals(t *testing.T, far *net.UDPConn) (numbers []string, first, last time.Time) {
	t.Helper()
	b := make([]byte, 2048)
	for {
		_ = far.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, _, err := far.ReadFromUDP(b)
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			return numbers, first, last
		}
		last = time.Now()
		if first.IsZero() {
			first = last
		}
		numbers = append(numbers, strings.TrimRight(string(b[:n]), " "))
	}
}

// write sends numbered packets of so many bytes, headers included, and waits
// until the line has taken each of them.
func write(t *testing.T, l *Line, near *net.UDPConn, from, n, size int) {
	t.Helper()
	before, _ := l.Counts()
	for i := range n {
		if _, err := near.Write(fmt.Appendf(nil, "%-*d", size-headers, from+i)); err != nil {
			t.Fatal(err)
		}
		if i%50 != 49 && i != n-1 {
			continue // the device's own queue takes a few hundred
		}
		for until := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
			if in, _ := l.Counts(); in.Packets-before.Packets >= uint64(i+1) {
				break
			}
			if time.Now().After(until) {
				t.Fatal("the line does not take the packets")
			}
		}
	}
}

// end sends the packet that arrivals waits for, which must not be lost.
func end(t *testing.T, l *Line, near *net.UDPConn) {
	t.Helper()
	l.Set(Conditions{}, Conditions{})
	if _, err := near.Write([]byte(".")); err != nil {
		t.Fatal(err)
	}
}

func TestLossIsWhatWasAskedForAndRepeats(t *testing.T) {
	const n, loss = 4000, 0.05
	var lost [2][]string
	for i := range lost {
		l := open(t, 7)
		near, far := sockets(t, l)
		l.Set(Conditions{Loss: loss}, Conditions{})
		done := make(chan struct{})
		var came []string
		go func() {
			defer close(done)
			came, _, _ = arrivals(t, far)
		}()
		write(t, l, near, 0, n, 100)
		for in, _ := l.Counts(); ; in, _ = l.Counts() { // what is sent under the conditions of the end is not lost
			if l.in.waiting() == 0 {
				if in.Dropped != 0 {
					t.Fatalf("%d dropped by a queue without a rate", in.Dropped)
				}
				break
			}
			time.Sleep(time.Millisecond)
		}
		end(t, l, near)
		<-done
		in, _ := l.Counts()
		if len(came)+int(in.Lost) != n {
			t.Errorf("%d came and %d were lost, of %d", len(came), in.Lost, n)
		}
		if d := math.Abs(float64(in.Lost) - n*loss); d > 5*math.Sqrt(n*loss*(1-loss)) {
			t.Errorf("%d of %d were lost at %v", in.Lost, n, loss)
		}
		lost[i] = came
	}
	if !slices.Equal(lost[0], lost[1]) {
		t.Error("the same seed lost other packets")
	}
}

// TestRateAndQueueAreWhatWasAskedFor: a burst takes its time at the rate, and
// what the queue does not hold is dropped, from its end.
func TestRateAndQueueAreWhatWasAskedFor(t *testing.T) {
	l := open(t, 1)
	near, far := sockets(t, l)
	const size, rate = 500, 1_000_000 // 4 ms a packet
	l.Set(Conditions{Rate: rate, Queue: 10 * time.Second}, Conditions{})
	write(t, l, near, 0, 150, size)
	go func() {
		for l.in.waiting() > 0 {
			time.Sleep(time.Millisecond)
		}
		end(t, l, near)
	}()
	came, first, last := arrivals(t, far)
	if len(came) != 150 {
		t.Fatalf("%d of 150 came", len(came))
	}
	took, least := last.Sub(first), onLine(149*size, rate)
	t.Logf("%v for %v", took, least)
	if took < least-10*time.Millisecond || took > least+200*time.Millisecond {
		t.Errorf("149 packets took %v at a rate at which they need %v", took, least)
	}

	// Of a burst that comes at once, the queue takes 75 packets, and one more that
	// finds it exactly full; what leaves while the burst comes makes room.
	l.Set(Conditions{Rate: rate}, Conditions{})
	began := time.Now()
	write(t, l, near, 1000, 200, size)
	left := int(time.Since(began)/(4*time.Millisecond)) + 1
	for l.in.waiting() > 0 {
		time.Sleep(time.Millisecond)
	}
	end(t, l, near)
	came, _, _ = arrivals(t, far)
	in, _ := l.Counts()
	if len(came)+int(in.Dropped) != 200 {
		t.Errorf("%d came and %d were dropped, of 200", len(came), in.Dropped)
	}
	if len(came) < 76 || len(came) > 76+left {
		t.Errorf("a queue of 300 ms took %d packets of 4 ms", len(came))
	}
	if came[0] != "1000" || came[75] != "1075" {
		t.Errorf("not the end of the burst was dropped: %v", came)
	}
}

// TestTheLineIsTheOnlyWayOut, and what listens on this side's loopback is
// reached over it.
func TestTheLineIsTheOnlyWayOut(t *testing.T) {
	l := open(t, 1)
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.Program(t.TempDir(), cat)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(file, "/proc/net/dev").Output()
	if err != nil {
		t.Fatal(err)
	}
	var devices []string
	for line := range strings.Lines(string(out)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			devices = append(devices, name)
		}
	}
	if len(devices) != 2 || !slices.Contains(devices, "lo") {
		t.Errorf("a program behind the line has the devices %v", devices)
	}

	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
	if err := l.Reach(server.Addr().String()); err != nil {
		t.Fatal(err)
	}
	l.Both(40*time.Millisecond, 0, 0)
	var c net.Conn
	if err := l.inside(func() (err error) { c, err = net.Dial("tcp", server.Addr().String()); return err }); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v", b, err)
	}
	if took := time.Since(start); took < 40*time.Millisecond {
		t.Errorf("it did not go over the line: %v", took)
	}
}
