package audit

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// BenchmarkDurableEvents is 64 writers that each wait for their event to be
// durable: sealing, tree and flush included.
func BenchmarkDurableEvents(b *testing.B) {
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
