// Package gopeer is a technician's viewer without a browser: it pairs, attaches,
// proves certificates, opens the channels, decodes the picture and sends input,
// by the protocol's own rules and by pion instead of Chromium. Tests of the
// host, the hostile-server suite and the benchmarks drive it.
//
//	line, err := gopeer.Dial(ctx, "ws://127.0.0.1:8080/ws/viewer", header, nil)
//	v, err := gopeer.Pair(ctx, gopeer.Options{Line: line, Code: "482 913 706", Ticket: id})
//	err = v.Attach(ctx)                    // connected and proven
//	err = v.WaitGrant(ctx, "view", gopeer.Allowed)
//	w, h, pix := v.Pixels()
//
// It is honest unless a test asks otherwise ([Options.Proof], [Viewer.Send],
// [Viewer.SendRaw]): then it sends what no honest viewer would.
package gopeer
