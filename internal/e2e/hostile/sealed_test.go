package hostile_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/e2e/hostile"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Both sides are paired, the person has said yes, and the server does what it can
// with what it carries: no picture comes out of it, and both sides say why.
func TestNobodyChangesWhatIsSealed(t *testing.T) {
	suffers(t, []attack{
		{
			name:   "changes the viewer's nonce",
			does:   hostHears(func(_ *hostile.Line, m *mfpb.Attach) bool { m.Nonce[0] ^= 1; return true }),
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "changes the host's nonce",
			does:   viewerHears(func(_ *hostile.Line, m *mfpb.Attach) bool { m.Nonce[0] ^= 1; return true }),
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name: "begins an attach of its own",
			does: hostHears(func(to *hostile.Line, m *mfpb.Attach) bool {
				to.Say(&mfpb.Attach{Epoch: m.Epoch, Participant: "1", Nonce: pake.NewNonce()}) // C22
				return true
			}),
			// The host's last word is sealed with keys that the viewer cannot have.
			person: "ended OLD_EPOCH", technician: "ended OLD_EPOCH|ended TAMPERED",
		},
		{
			name: "repeats the viewer's attach",
			does: hostHears(func(to *hostile.Line, m *mfpb.Attach) bool {
				to.Say(m) // C22
				return true
			}),
			person: "ended OLD_EPOCH", technician: "ended OLD_EPOCH",
		},
		{
			name: "repeats the host's attach",
			does: viewerHears(func(to *hostile.Line, m *mfpb.Attach) bool {
				to.Say(m) // C22
				return true
			}),
			person: "ended OLD_EPOCH", technician: "ended OLD_EPOCH", browser: true,
		},
		{
			name:   "flips a bit of the offer",
			does:   hostHears(sealed(0, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Box[9] ^= 1; return true })), // C24
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "flips a bit of the answer",
			does:   viewerHears(sealed(0, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Box[9] ^= 1; return true })), // C24
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "flips a bit of the viewer's candidate",
			does:   hostHears(sealed(1, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Box[9] ^= 1; return true })),
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "flips a bit of the host's candidate",
			does:   viewerHears(sealed(1, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Box[9] ^= 1; return true })),
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "puts an offer of its own in the clear into the box",
			does:   hostHears(sealed(0, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Box = ownDescription("offer"); return true })),
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "puts an answer of its own in the clear into the box",
			does:   viewerHears(sealed(0, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Box = ownDescription("answer"); return true })),
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "seals an offer of its own with keys of its own",
			does:   sealsItself(pake.RoleViewer),
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "seals an answer of its own with keys of its own",
			does:   sealsItself(pake.RoleHost),
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name: "sends the viewer's bodies back to it",
			does: func(*scene) hostile.Attack {
				return hostile.ViewerSays(func(from *hostile.Line, m *mfpb.Sealed) bool { from.Say(m); return false })
			},
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name: "sends the host's bodies back to it",
			does: func(*scene) hostile.Attack {
				return hostile.HostSays(func(from *hostile.Line, m *mfpb.Sealed) bool { from.Say(m); return false })
			},
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "repeats the offer",
			does:   hostHears(sealed(0, func(to *hostile.Line, m *mfpb.Sealed) bool { to.Say(m); return true })), // C23
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "repeats the answer",
			does:   viewerHears(sealed(0, func(to *hostile.Line, m *mfpb.Sealed) bool { to.Say(m); return true })), // C23
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "puts the offer after a candidate",
			does:   hostHears(reorder()), // C23
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "puts the answer after a candidate",
			does:   viewerHears(reorder()), // C23
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "leaves the answer out",
			does:   viewerHears(sealed(0, func(*hostile.Line, *mfpb.Sealed) bool { return false })), // C23
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "says that the offer is of another attach",
			does:   hostHears(sealed(0, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Epoch++; return true })), // C22
			person: "ended OLD_EPOCH", technician: "ended OLD_EPOCH",
		},
		{
			name:   "says that the answer is of another attach",
			does:   viewerHears(sealed(0, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Epoch++; return true })), // C22
			person: "ended OLD_EPOCH", technician: "ended OLD_EPOCH", browser: true,
		},
		{
			name:   "counts the offer otherwise",
			does:   hostHears(sealed(0, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Counter++; return true })), // C23
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "counts the answer otherwise",
			does:   viewerHears(sealed(0, func(_ *hostile.Line, m *mfpb.Sealed) bool { m.Counter++; return true })), // C23
			person: "ended TAMPERED", technician: "ended TAMPERED",
		},
		{
			name:   "keeps the offer, lets both attach again, and then delivers it",
			does:   attachesAgain(pake.RoleViewer), // C22
			person: "ended OLD_EPOCH", technician: "ended OLD_EPOCH", browser: true,
		},
		{
			name:   "keeps the answer, lets both attach again, and then delivers it",
			does:   attachesAgain(pake.RoleHost), // C22
			person: "ended OLD_EPOCH", technician: "ended OLD_EPOCH", browser: true,
		},
		{
			name:   "ends the session, as it may",
			does:   opens(func(host, viewer *hostile.Line) { both(host, viewer, mfpb.Reason_REASON_SUPERVISOR_ENDED) }),
			person: "ended SUPERVISOR_ENDED", technician: "ended SUPERVISOR_ENDED",
		},
		{
			name: "ends the session in the person's name",
			does: opens(func(host, _ *hostile.Line) {
				host.Say(&mfpb.End{Reason: mfpb.Reason_REASON_PERSON_STOPPED})
			}),
			person: "ended PROTOCOL", technician: "ended PROTOCOL",
		},
	})
}

// What the server lets vanish ends for both sides in bounded time. The host's
// clock jumps and the page's timers are short: half a minute is soon over.
func TestSilenceEndsForBoth(t *testing.T) {
	suffers(t, []attack{
		{
			name: "from the claim on",
			does: silentFrom[*mfpb.Claim], runs: waits(hostile.Heard[*mfpb.Claim]),
			person: "status waiting", technician: "code HOST_GONE", browser: true,
		},
		{
			name: "from the host's half on",
			does: silentFrom[*mfpb.PakeReply], runs: waits(hostile.Heard[*mfpb.PakeReply]),
			person: "status wrong_code", technician: "code HOST_GONE", browser: true,
		},
		{
			name: "from the viewer's tag on",
			does: silentFrom[*mfpb.Confirm], runs: waits(hostile.Heard[*mfpb.Confirm]),
			person: "status wrong_code", technician: "code HOST_GONE", browser: true,
		},
		{
			name: "from the word that both are paired on",
			does: silentFrom[*mfpb.Paired], runs: waits(hostile.Heard[*mfpb.Paired]),
			person: "error LOG_UNAVAILABLE", technician: "code HOST_GONE", browser: true,
		},
		{
			name: "from the viewer's attach on",
			does: silentFrom[*mfpb.Attach], runs: waits(hostile.Heard[*mfpb.Attach], hostile.Heard[*mfpb.HostEvent]),
			person: "ended NO_ROUTE", technician: "ended NO_ROUTE", browser: true,
		},
		{
			name: "from the offer on",
			does: silentFrom[*mfpb.Sealed], runs: waits(hostile.Heard[*mfpb.Sealed], hostile.Heard[*mfpb.HostEvent]),
			person: "ended NO_ROUTE", technician: "ended NO_ROUTE", browser: true,
		},
		{
			name: "about the answer and all that follows it",
			does: func(*scene) hostile.Attack {
				return hostile.ViewerHears(func(*hostile.Line, *mfpb.Sealed) bool { return false })
			},
			runs:   waits(hostile.Heard[*mfpb.Sealed]),
			person: "ended NO_ROUTE", technician: "ended NO_ROUTE", browser: true,
		},
	})
}

// silentFrom relays nothing any more once a side said this.
func silentFrom[M proto.Message](*scene) hostile.Attack {
	silence, now := hostile.Silence()
	begin := func(*hostile.Line, M) bool { now(); return false }
	return hostile.All(hostile.HostSays(begin), hostile.ViewerSays(begin), silence)
}

// waits lets the technician type the code, and half a minute pass for both once
// the server has fallen silent.
func waits(fell ...func(hostile.Entry) bool) func(*scene, victim) {
	return func(s *scene, v victim) {
		s.t.Helper()
		v.(*page).hurry()
		v.claim(s.code())
		for _, said := range fell {
			s.await(said, 1)
		}
		time.Sleep(50 * time.Millisecond) // the host's alarm is set after the message that began the wait
		s.clock.Skip(31 * time.Second)
	}
}

func hostHears[M proto.Message](do func(*hostile.Line, M) bool) func(*scene) hostile.Attack {
	return func(*scene) hostile.Attack { return hostile.HostHears(do) }
}

func viewerHears[M proto.Message](do func(*hostile.Line, M) bool) func(*scene) hostile.Attack {
	return func(*scene) hostile.Attack { return hostile.ViewerHears(do) }
}

// sealed is an attack on the body with a counter: 0 is the description, the
// candidates follow.
func sealed(counter uint64, do func(*hostile.Line, *mfpb.Sealed) bool) func(*hostile.Line, *mfpb.Sealed) bool {
	return func(l *hostile.Line, m *mfpb.Sealed) bool {
		if m.Counter != counter {
			return true
		}
		return do(l, m)
	}
}

// reorder puts the first body after the second.
func reorder() func(*hostile.Line, *mfpb.Sealed) bool {
	var first *mfpb.Sealed
	return func(l *hostile.Line, m *mfpb.Sealed) bool {
		switch m.Counter {
		case 0:
			first = m
			return false
		case 1:
			l.Say(m)
			l.Say(first)
			return false
		}
		return true
	}
}

func ownDescription(kind string) []byte {
	return hostile.Body(&mfpb.SealedBody{Body: &mfpb.SealedBody_Description{Description: &mfpb.Description{
		Type: kind, Sdp: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
	}}})
}

// sealsItself replaces the first body of one side by the server's own.
func sealsItself(as pake.Role) func(*scene) hostile.Attack {
	return func(s *scene) hostile.Attack {
		var viewers, hosts *mfpb.Attach
		kind := "offer"
		own := func(_ *hostile.Line, m *mfpb.Sealed) bool {
			link, err := hostile.OwnKeys(as, viewers, hosts)
			if err != nil {
				s.t.Error(err)
				return true
			}
			proto.Reset(m)
			proto.Merge(m, link.Seal(ownDescription(kind)))
			return true
		}
		watch := hostile.All(
			hostile.ViewerSays(func(_ *hostile.Line, m *mfpb.Attach) bool { viewers = m; return true }),
			hostile.HostSays(func(_ *hostile.Line, m *mfpb.Attach) bool { hosts = m; return true }),
		)
		if as == pake.RoleHost {
			kind = "answer"
			return hostile.All(watch, hostile.ViewerHears(sealed(0, own)))
		}
		return hostile.All(watch, hostile.HostHears(sealed(0, own)))
	}
}

// attachesAgain keeps the bodies of the first epoch, makes the viewer attach again
// by telling it that the host was away, and delivers the first of them late.
func attachesAgain(sender pake.Role) func(*scene) hostile.Attack {
	return func(*scene) hostile.Attack {
		var old *mfpb.Sealed
		again := func(viewer *hostile.Line) {
			viewer.Say(&mfpb.HostState{Connected: false})
			viewer.Say(&mfpb.HostState{Connected: true})
		}
		hold := func(viewer func(*hostile.Line) *hostile.Line) func(*hostile.Line, *mfpb.Sealed) bool {
			return func(to *hostile.Line, m *mfpb.Sealed) bool {
				switch {
				case m.Epoch == 1 && old == nil:
					old = proto.CloneOf(m)
					again(viewer(to))
					return false
				case m.Epoch == 1:
					return false
				}
				to.Say(old)
				return false
			}
		}
		if sender == pake.RoleViewer {
			return hostile.HostHears(hold((*hostile.Line).Peer))
		}
		return hostile.ViewerHears(hold(func(to *hostile.Line) *hostile.Line { return to }))
	}
}

// opens does something once both sides are told of the session.
func opens(do func(host, viewer *hostile.Line)) func(*scene) hostile.Attack {
	return func(*scene) hostile.Attack {
		return hostile.ViewerSays(func(from *hostile.Line, _ *mfpb.Attach) bool { do(from.Peer(), from); return false })
	}
}

func both(host, viewer *hostile.Line, why mfpb.Reason) {
	host.Say(&mfpb.End{Reason: why})
	viewer.Say(&mfpb.End{Reason: why})
}
