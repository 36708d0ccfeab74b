// Package picture turns frames into exact tiles for viewers.
//
// A [Pump] takes frames from one capture.Source and feeds any number of
// streams, one tile encoder each. A [Stream] writes picture messages (wire:
// PROTOCOL.md §1.10) to a [Sink] and lives on what comes back: nothing is sent
// before the viewer's hello, and no frame is captured or encoded while an
// earlier one is unacknowledged beyond the window, so a moving picture never
// queues: it skips.
package picture

// Sink takes the picture messages of one viewer or recorder, in order.
type Sink interface {
	// Send takes one message of at most wire.MaxTileMessage bytes. The slice is
	// the caller's again when Send returns. It must not block on the network.
	Send(msg []byte) error
}
