package shape

import (
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Conditions are those of one direction. The zero value is as good as the machine.
type Conditions struct {
	// Rate is in bits a second of IP packets; 0 is as fast as it goes.
	Rate int
	// Queue is how long a packet may wait for its turn at Rate; what would wait
	// longer is dropped. 0 is 300 ms.
	Queue time.Duration
	// Delay is the time on the line, one way, beside the queue and the sending.
	Delay time.Duration
	// Loss is the share of packets lost on the line, 0 to 1. They take their
	// part of the rate all the same.
	Loss float64
}

const defaultQueue = 300 * time.Millisecond

// Counts are what one direction has seen.
type Counts struct {
	Packets, Bytes uint64 // that entered, in IP packets
	Dropped        uint64 // by the full queue
	Lost           uint64 // on the line
}

// way is one direction of a line: packets wait in the queue, are sent one after
// the other at the rate, and travel for the delay. Each of the two stages is one
// goroutine; the times are computed, so that a sleep that takes too long delays
// one packet and not the rate.
type way struct {
	from, to *os.File

	mu     sync.Mutex
	c      Conditions
	rng    *rand.Rand
	queued int // bytes that wait for their turn or are being sent
	counts Counts

	queue  chan packet // in order of arrival
	travel chan packet // in order of sending
}

type packet struct {
	data []byte
	at   time.Time // of arrival, then of its end on the line
}

// maxPackets bounds a queue when there is no rate: what the delay holds.
const maxPackets = 1 << 16

func newWay(from, to *os.File, rng *rand.Rand) *way {
	return &way{from: from, to: to, rng: rng, queue: make(chan packet, maxPackets), travel: make(chan packet, maxPackets)}
}

// run forwards until one of the devices is closed.
func (w *way) run() {
	var stages sync.WaitGroup
	stages.Go(w.send)
	stages.Go(w.deliver)
	buf := make([]byte, 1<<16)
	for {
		n, err := w.from.Read(buf)
		if err != nil {
			break
		}
		w.arrive(buf[:n], time.Now())
	}
	close(w.queue)
	stages.Wait()
}

func (w *way) arrive(data []byte, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts.Packets++
	w.counts.Bytes += uint64(len(data))
	if w.c.Rate > 0 && onLine(w.queued, w.c.Rate) > w.c.Queue || len(w.queue) == cap(w.queue) {
		w.counts.Dropped++
		return
	}
	w.queued += len(data)
	w.queue <- packet{append([]byte(nil), data...), now}
}

// send takes the packets' turns at the rate of the moment.
func (w *way) send() {
	defer close(w.travel)
	var free time.Time // when the line has sent what came before
	for p := range w.queue {
		if free.Before(p.at) {
			free = p.at
		}
		w.mu.Lock()
		c := w.c
		w.mu.Unlock()
		free = free.Add(onLine(len(p.data), c.Rate))
		sleepUntil(free)
		w.mu.Lock()
		w.queued -= len(p.data)
		lost := c.Loss > 0 && w.rng.Float64() < c.Loss
		if lost {
			w.counts.Lost++
		}
		w.mu.Unlock()
		if p.at = free.Add(c.Delay); !lost {
			w.travel <- p
		}
	}
}

// deliver gives the packets to the other end when they have travelled.
func (w *way) deliver() {
	for p := range w.travel {
		sleepUntil(p.at)
		_, _ = w.to.Write(p.data) // a closed end loses them, as a cut line does
	}
}

func (w *way) set(c Conditions) {
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	w.mu.Lock()
	w.c = c
	w.mu.Unlock()
}

func (w *way) count() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}

// waiting is how many bytes the line has not sent yet.
func (w *way) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued
}

// onLine is how long so many bytes take at a rate.
func onLine(bytes, rate int) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(float64(bytes) * 8 / float64(rate) * float64(time.Second))
}

// sleepUntil sleeps in the kernel: the runtime's own timers are a millisecond
// late on an idle machine (its poller counts in them).
func sleepUntil(t time.Time) {
	if d := time.Until(t); d > 0 {
		ts := unix.NsecToTimespec(int64(d))
		_ = unix.Nanosleep(&ts, nil)
	}
}
