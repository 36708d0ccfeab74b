// Package hostile is a signaling server that lies. It speaks /ws/host and
// /ws/viewer with the real messages and relays as an honest server does, until
// an [Attack] makes something else of a message: drops it, changes it, keeps it
// for later, sends it back where it came from. With [Line.Say] and [Line.Raw] it
// invents messages. Everything it is told and everything it says is kept:
// [Server.Record].
//
//	s := hostile.Serve(hostile.Attack{
//		ToViewer: func(to *hostile.Line, m *mfpb.ServerToViewer) []*mfpb.ServerToViewer {
//			if r := m.GetPakeReply(); r != nil {
//				r.Tag[0] ^= 1
//			}
//			return hostile.Pass(m)
//		},
//	})
//	defer s.Close()
//
// A real host dials [Server.URL]; a real browser that opens it gets the real
// viewer, under the product's own Content-Security-Policy. What the server can
// try on its own account is in [GuessAsHost], [GuessAsViewer] and [OwnKeys]; an
// [Accomplice] is a host that knows the code and lies all the same.
//
// The suite in this package's tests is promise P2: nobody in the middle can
// read, join or take over a session. Each row of its tables is an attack, what
// the person is told, and what the technician is told.
package hostile
