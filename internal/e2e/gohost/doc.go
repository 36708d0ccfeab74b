// Package gohost is a person's host without a screen: it waits with a code, pairs
// for real, writes its log, comes back when the server was away, and signs the
// end. It shows no picture and takes no input, so a thousand of them fit into one
// test. The technician's half is package gopeer.
//
//	h, err := gohost.Wait(ctx, "ws://127.0.0.1:8080/ws/host", "test")
//	// somebody types h.Code
//	err = h.Pair(ctx)
//	err = h.Write(ctx, gohost.Event{Type: "consent.granted", Data: map[string]any{"grant": "view"}})
//	err = h.End(ctx, mfpb.Reason_REASON_PERSON_STOPPED)
//
// A Host belongs to one goroutine.
package gohost
