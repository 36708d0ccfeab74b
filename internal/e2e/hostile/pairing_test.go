package hostile_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/internal/e2e/hostile"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// The code is guessed, reflected, changed or raced on its way: nobody pairs but
// the two who speak to each other, and both learn why not.
func TestNobodyElsePairs(t *testing.T) {
	suffers(t, []attack{
		{
			name: "an honest server", person: "ask view", technician: "live",
		},
		{
			name: "answers the claim itself, with a guess",
			does: func(s *scene) hostile.Attack {
				return hostile.ViewerSays(func(from *hostile.Line, m *mfpb.Claim) bool {
					from.Say(guess(s, m))
					return false
				})
			},
			person: "status waiting", technician: "code WRONG_CODE",
		},
		{
			name:   "guesses three times as a technician, and once more",
			does:   holdNextPlate,
			runs:   func(s *scene, v victim) { guessFourTimes(s); v.claim(s.code()) },
			person: "code TOO_MANY_TRIES", technician: "code NO_SUCH_CODE",
		},
		{
			name: "stands between both with a guess at each",
			does: func(s *scene) hostile.Attack {
				var claim *mfpb.Claim
				return hostile.All(
					hostile.ViewerSays(func(_ *hostile.Line, m *mfpb.Claim) bool {
						claim = m
						return true
					}),
					hostile.HostHears(func(_ *hostile.Line, m *mfpb.ClaimStart) bool {
						g := guessed(s)
						m.Sid, m.Share = g.Start().Sid, g.Start().Share
						return true
					}),
					hostile.ViewerHears(func(_ *hostile.Line, m *mfpb.PakeReply) bool {
						r := guess(s, claim)
						m.Share, m.Ad, m.Tag = r.Share, r.Ad, r.Tag
						return true
					}),
				)
			},
			person: "status wrong_code", technician: "code WRONG_CODE",
		},
		{
			name:   "reflects the viewer's share",
			does:   replies(func(m *mfpb.PakeReply, c *mfpb.Claim) { m.Share = c.Share }), // C17
			person: "status wrong_code", technician: "code PROTOCOL",
		},
		{
			name:   "reflects the viewer's role",
			does:   replies(func(m *mfpb.PakeReply, c *mfpb.Claim) { m.Ad = c.Ad }), // C20
			person: "status wrong_code", technician: "code PROTOCOL",
		},
		{
			name:   "reflects the viewer's share, role and all",
			does:   replies(func(m *mfpb.PakeReply, c *mfpb.Claim) { m.Share, m.Ad = c.Share, c.Ad }),
			person: "status wrong_code", technician: "code PROTOCOL",
		},
		{
			name: "reflects the host's tag",
			does: func(*scene) hostile.Attack {
				var tag []byte
				return hostile.All(
					hostile.HostSays(func(_ *hostile.Line, m *mfpb.PakeReply) bool { tag = m.Tag; return true }),
					hostile.HostHears(func(_ *hostile.Line, m *mfpb.Confirm) bool { m.Tag = tag; return true }), // C19
				)
			},
			person: "status wrong_code", technician: "code WRONG_CODE",
		},
		{
			name:   "sends the host's share and tag back as a technician's",
			runs:   func(s *scene, _ victim) { reflectHost(s) },
			person: "status wrong_code",
		},
		{
			name:   "replaces the host's share with the neutral one",
			does:   replies(func(m *mfpb.PakeReply, _ *mfpb.Claim) { m.Share = make([]byte, wire.ShareSize) }), // C18
			person: "status wrong_code", technician: "code PROTOCOL",
		},
		{
			name:   "flips a bit of the host's share",
			does:   replies(func(m *mfpb.PakeReply, _ *mfpb.Claim) { m.Share[0] ^= 1 }),
			person: "status wrong_code", technician: "code PROTOCOL",
		},
		{
			name:   "flips a bit of the host's role",
			does:   replies(func(m *mfpb.PakeReply, _ *mfpb.Claim) { m.Ad[1] ^= 1 }),
			person: "status wrong_code", technician: "code PROTOCOL",
		},
		{
			name:   "flips a bit of the host's signing key",
			does:   replies(func(m *mfpb.PakeReply, _ *mfpb.Claim) { m.Ad[len(m.Ad)-1] ^= 1 }),
			person: "status wrong_code", technician: "code WRONG_CODE",
		},
		{
			name:   "flips a bit of the host's tag",
			does:   replies(func(m *mfpb.PakeReply, _ *mfpb.Claim) { m.Tag[0] ^= 1 }), // C21
			person: "status wrong_code", technician: "code WRONG_CODE",
		},
		{
			name:   "flips a bit of the viewer's share",
			does:   starts(func(m *mfpb.ClaimStart) { m.Share[0] ^= 1 }),
			person: "status wrong_code", technician: "code PROTOCOL",
		},
		{
			name:   "flips a bit of the viewer's session id",
			does:   starts(func(m *mfpb.ClaimStart) { m.Sid[0] ^= 1 }),
			person: "status wrong_code", technician: "code WRONG_CODE",
		},
		{
			name:   "gives the viewer the host's role",
			does:   starts(func(m *mfpb.ClaimStart) { m.Ad = wire.AppendLV(nil, []byte("mf/1 host")) }), // C16
			person: "status wrong_code", technician: "code PROTOCOL",
		},
		{
			name: "flips a bit of the viewer's tag",
			does: func(*scene) hostile.Attack {
				return hostile.HostHears(func(_ *hostile.Line, m *mfpb.Confirm) bool { m.Tag[0] ^= 1; return true })
			},
			person: "status wrong_code", technician: "code WRONG_CODE",
		},
		{
			name: "adds a second claim to the first",
			does: func(s *scene) hostile.Attack {
				return hostile.HostSays(func(from *hostile.Line, _ *mfpb.PakeReply) bool {
					from.Say(guessed(s).Start()) // C15
					return true
				})
			},
			person: "code TWO_CLAIMS", technician: "code TWO_CLAIMS",
		},
		{
			name: "says that nobody waits under the code",
			does: func(*scene) hostile.Attack {
				return hostile.ViewerSays(func(from *hostile.Line, _ *mfpb.Claim) bool {
					from.Say(&mfpb.ClaimResult{Reason: mfpb.Reason_REASON_NO_SUCH_CODE})
					return false
				})
			},
			person: "status waiting", technician: "code NO_SUCH_CODE",
		},
		{
			name: "tells the viewer of a session that nobody opened",
			does: func(*scene) hostile.Attack {
				return hostile.ViewerSays(func(from *hostile.Line, _ *mfpb.Claim) bool {
					from.Say(&mfpb.Opened{Session: "01INVENTED", ResumeToken: make([]byte, wire.ResumeSize), Claim: make([]byte, wire.ClaimSize)})
					return false
				})
			},
			person: "status waiting", technician: "code PROTOCOL", browser: true,
		},
		{
			name: "opens a session before the viewer's tag",
			does: func(s *scene) hostile.Attack {
				return hostile.ViewerSays(func(from *hostile.Line, m *mfpb.Confirm) bool {
					from.Peer().Say(&mfpb.Opened{Session: "01INVENTED", ResumeToken: make([]byte, wire.ResumeSize), Claim: m.Claim})
					m.Tag = make([]byte, wire.TagSize)
					return true
				})
			},
			person: "status wrong_code", technician: "code WRONG_CODE",
		},
		{
			name: "goes by another name at the host",
			does: func(*scene) hostile.Attack {
				return hostile.HostHears(func(_ *hostile.Line, m *mfpb.Welcome) bool { m.PublicHost = "help.example.org"; return true })
			},
			runs: func(s *scene, _ victim) { // C10
				s.hears("error SERVER_NAME")
				if slices.Contains(s.person.words(), "code") {
					s.t.Error("the person was shown a code")
				}
			},
			person: "error SERVER_NAME",
		},
		{
			name: "goes by another name at the viewer",
			does: func(*scene) hostile.Attack {
				return hostile.ViewerHears(func(_ *hostile.Line, m *mfpb.Welcome) bool { m.PublicHost = "help.example.org"; return true })
			},
			person: "status wrong_code", technician: "code WRONG_CODE",
		},
		{
			name: "keeps a code beyond its time",
			does: func(s *scene) hostile.Attack {
				var now string
				return hostile.All(
					hostile.HostHears(func(_ *hostile.Line, m *mfpb.Plate) bool { now = m.Nameplate; return true }),
					holdNextPlate(s),
					hostile.ViewerSays(func(_ *hostile.Line, m *mfpb.Claim) bool { m.Nameplate = now; return true }),
				)
			},
			runs: func(s *scene, v victim) {
				code := s.code()
				s.clock.Skip(session.CodeLife)
				s.await(hostile.Heard[*mfpb.PlateRequest], 2)
				v.claim(code)
				s.await(hostile.Heard[*mfpb.ClaimRefused], 1) // C13
				s.letPlateGo()
			},
			person: "code CODE_EXPIRED", technician: "code CODE_EXPIRED",
		},
		{
			name: "sends another claim once the host is paired",
			does: func(s *scene) hostile.Attack {
				return hostile.HostSays(func(from *hostile.Line, _ *mfpb.Paired) bool {
					g, err := hostile.GuessAsViewer(s.secretNow(), from.Nameplate()) // even with the right secret
					if err != nil {
						s.t.Error(err)
					}
					from.Say(g.Start()) // C14
					return true
				})
			},
			runs: func(s *scene, v victim) {
				v.claim(s.code())
				e := s.await(hostile.Heard[*mfpb.ClaimRefused], 1)
				if why := e.Body.(*mfpb.ClaimRefused).Reason; why != mfpb.Reason_REASON_NO_SUCH_CODE {
					s.t.Errorf("a second claim is refused with %v", why)
				}
			},
			person: "ask view", technician: "live",
		},
	})
}

// Two people call at the same time, and the server connects each with the
// other's technician.
func TestTwoCallsAreNotSwapped(t *testing.T) {
	for _, kind := range []string{"go", "chromium"} {
		t.Run(kind, func(t *testing.T) {
			var plates []string
			s := newScene(t, func(*scene) hostile.Attack {
				return hostile.ViewerSays(func(_ *hostile.Line, m *mfpb.Claim) bool {
					m.Nameplate = plates[1-slices.Index(plates, m.Nameplate)]
					return true
				})
			})
			other := newDesk(t, s.server)
			first, _ := s.parts()
			second, _ := other.parts()
			plates = []string{first, second}
			var v victim = openPeer(t, s)
			if kind == "chromium" {
				v = openPage(t, s)
			}
			w := openPeer(t, s)
			var both sync.WaitGroup
			both.Go(func() { w.claim(other.code()) })
			v.claim(s.code())
			both.Wait()
			for _, v := range []victim{v, w} {
				v.hears("code WRONG_CODE")
				v.unconnected()
			}
			for _, d := range []*desk{s.desk, other} {
				d.hears("status wrong_code")
				d.untouched()
			}
			s.keptFromServer()
		})
	}
}

// guess is the server's own answer to a claim.
func guess(s *scene, m *mfpb.Claim) *mfpb.PakeReply {
	r, err := hostile.GuessAsHost(s.wrong(), make([]byte, wire.ClaimSize), m)
	if err != nil {
		s.t.Error(err)
	}
	return r
}

// guessed is the server's own claim.
func guessed(s *scene) *hostile.ViewerGuess {
	plate, _ := s.parts()
	g, err := hostile.GuessAsViewer(s.wrong(), plate)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

// replies changes what the host answers to a claim.
func replies(change func(*mfpb.PakeReply, *mfpb.Claim)) func(*scene) hostile.Attack {
	return func(*scene) hostile.Attack {
		var claim *mfpb.Claim
		return hostile.All(
			hostile.ViewerSays(func(_ *hostile.Line, m *mfpb.Claim) bool { claim = proto.CloneOf(m); return true }),
			hostile.ViewerHears(func(_ *hostile.Line, m *mfpb.PakeReply) bool { change(m, claim); return true }),
		)
	}
}

// starts changes what the host is told of a claim.
func starts(change func(*mfpb.ClaimStart)) func(*scene) hostile.Attack {
	return func(*scene) hostile.Attack {
		return hostile.HostHears(func(_ *hostile.Line, m *mfpb.ClaimStart) bool { change(m); return true })
	}
}

// holdNextPlate keeps every nameplate after the first for letPlateGo: so that an
// old code can be tried while there is no new one.
func holdNextPlate(s *scene) hostile.Attack {
	n := 0
	return hostile.HostHears(func(to *hostile.Line, m *mfpb.Plate) bool {
		if n++; n == 1 {
			return true
		}
		s.held <- func() { to.Say(m) }
		return false
	})
}

func (s *scene) letPlateGo() {
	s.t.Helper()
	select {
	case release := <-s.held:
		release()
	case <-s.ctx.Done():
		s.t.Fatal("the host asked for no nameplate")
	}
}

// await waits for the n-th entry of a kind in the server's record.
func (s *scene) await(ok func(hostile.Entry) bool, n int) hostile.Entry {
	s.t.Helper()
	e, err := s.server.Await(s.ctx, n, ok)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// refusedWith waits for the host's refusal of a guess.
func (s *scene) refusedWith(g *hostile.ViewerGuess, want mfpb.Reason) {
	s.t.Helper()
	e := s.await(func(e hostile.Entry) bool { return hostile.Heard[*mfpb.ClaimRefused](e) && g.Mine(e) }, 1)
	if got := e.Body.(*mfpb.ClaimRefused).Reason; got != want {
		s.t.Errorf("the host refuses with %v, want %v", got, want)
	}
}

// guessFourTimes spends a code as a technician would who does not know it.
func guessFourTimes(s *scene) {
	s.t.Helper()
	s.code()
	host := s.await(hostile.Told[*mfpb.Plate], 1).Line
	for range session.MaxTries {
		g := guessed(s)
		host.Say(g.Start())
		e := s.await(func(e hostile.Entry) bool { return hostile.Heard[*mfpb.PakeReply](e) && g.Mine(e) }, 1)
		host.Say(g.Confirm(e.Body.(*mfpb.PakeReply)))
		s.refusedWith(g, mfpb.Reason_REASON_WRONG_CODE)
	}
	g, err := hostile.GuessAsViewer(s.secretNow(), "482") // right at last, and too late: C12
	if err != nil {
		s.t.Fatal(err)
	}
	host.Say(g.Start())
	s.refusedWith(g, mfpb.Reason_REASON_TOO_MANY_TRIES)
	s.letPlateGo()
	s.hears("code TOO_MANY_TRIES")
	codes := s.codes()
	if len(codes) != 2 || codes[0][len(codes[0])-7:] == codes[1][len(codes[1])-7:] {
		s.t.Errorf("the code is not new: %q", codes)
	}
}

// reflectHost makes two claims of the host's own words.
func reflectHost(s *scene) {
	s.t.Helper()
	s.code()
	host := s.await(hostile.Told[*mfpb.Plate], 1).Line
	var share []byte
	for range 2 {
		g := guessed(s)
		start := g.Start()
		if share != nil {
			start.Share = share
		}
		host.Say(start)
		reply := s.await(func(e hostile.Entry) bool { return hostile.Heard[*mfpb.PakeReply](e) && g.Mine(e) }, 1).Body.(*mfpb.PakeReply)
		if bytes.Equal(reply.Share, share) {
			s.t.Error("the host uses a share twice")
		}
		share = reply.Share
		host.Say(&mfpb.Confirm{Claim: reply.Claim, Tag: reply.Tag})
		s.refusedWith(g, mfpb.Reason_REASON_WRONG_CODE)
	}
}
