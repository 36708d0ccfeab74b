package audit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkAppendFrom64Writers is 64 writers that each wait for their event to be
// durable: sealing, tree and flush included.
func BenchmarkAppendFrom64Writers(b *testing.B) {
	l, _, _ := opened(b)
	const writers = 64
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			e := event("consent.granted", fmt.Sprint("S", w))
			for range (b.N + writers - 1 - w) / writers {
				if _, err := l.Append(context.Background(), e); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkAppendAt500 is an event every 2 ms, whatever became of the one before:
// how long each waits until it is durable.
func BenchmarkAppendAt500(b *testing.B) {
	l, _, _ := opened(b)
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	start := time.Now()
	b.ResetTimer()
	for i := range b.N {
		due := start.Add(time.Duration(i) * 2 * time.Millisecond)
		time.Sleep(time.Until(due))
		wg.Go(func() {
			if _, err := l.Append(context.Background(), event("consent.granted", fmt.Sprint("S", i%64))); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(due)
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
}
