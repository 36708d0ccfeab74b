package gopeer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// States of a grant.
const (
	Asked     = mfpb.GrantState_GRANT_STATE_ASKED
	Allowed   = mfpb.GrantState_GRANT_STATE_ALLOWED
	Denied    = mfpb.GrantState_GRANT_STATE_DENIED
	Revoked   = mfpb.GrantState_GRANT_STATE_REVOKED
	GivenBack = mfpb.GrantState_GRANT_STATE_GIVEN_BACK
)

// Refused is the error of a claim or session that ended with a reason.
type Refused struct{ Why mfpb.Reason }

func (r *Refused) Error() string { return "gopeer: refused: " + wire.Name(r.Why) }

// Reason makes a Refused an error of the wire.
func (r *Refused) Reason() mfpb.Reason { return r.Why }

// Options of a viewer.
type Options struct {
	Line   Line
	Code   string // as typed
	Ticket string // id
	// ICE may change pion's settings; nil takes loopback addresses in.
	ICE func(*webrtc.SettingEngine)
	// Proof may change the certificate proof that is sent; nil from it sends none.
	Proof func(mac []byte) []byte
	// Offer may change the SDP of the offer.
	Offer func(sdp string) string
	// Silent viewers do not acknowledge pictures.
	Silent bool
}

// Viewer is one paired participant.
type Viewer struct {
	opt     Options
	Session string
	Welcome *mfpb.Welcome
	token   []byte
	keys    *pake.Keys

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	epoch   uint32
	at      *attach
	waiting map[uint32]chan *mfpb.Attach
	grants  map[string]mfpb.GrantState
	shows   *mfpb.Displays
	notices []mfpb.NoticeCode
	host    *mfpb.Hello
	ended   *Refused
	reader  sync.WaitGroup
}

// Pair says hello, claims the code's nameplate and pairs; it returns when the
// session is open. A refusal is a *Refused.
func Pair(ctx context.Context, opt Options) (*Viewer, error) {
	nameplate, secret, err := wire.ParseCode(opt.Code)
	if err != nil {
		return nil, err
	}
	v := &Viewer{
		opt: opt, changed: make(chan struct{}), waiting: make(map[uint32]chan *mfpb.Attach),
		grants: make(map[string]mfpb.GrantState),
	}
	stop := context.AfterFunc(ctx, func() { opt.Line.Close() })
	defer stop()
	hello := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_VIEWER, Lang: "en", Software: "gopeer"})
	if err := opt.Line.Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Hello{Hello: hello}}); err != nil {
		return nil, err
	}
	var p *pake.Viewer
	var claim []byte
	for {
		m, err := opt.Line.Receive()
		if err != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
		switch b := m.Body.(type) {
		case *mfpb.ServerToViewer_Welcome:
			v.Welcome = b.Welcome
			if p, err = pake.NewViewer(secret, v.Welcome.GetPublicHost(), nameplate); err != nil {
				return nil, err
			}
			err = opt.Line.Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{
				Nameplate: nameplate, TicketId: opt.Ticket, Sid: p.SID(), Share: p.Share(), Ad: p.AD(),
			}}})
		case *mfpb.ServerToViewer_PakeReply:
			if p == nil {
				return nil, errors.New("gopeer: a PakeReply without a claim")
			}
			claim = b.PakeReply.GetClaim()
			var tag []byte
			v.keys, tag, err = p.Finish(b.PakeReply.GetShare(), b.PakeReply.GetAd(), b.PakeReply.GetTag())
			if err != nil {
				_ = opt.Line.Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Verdict{Verdict: &mfpb.ClaimVerdict{Claim: claim, Reason: wire.Reason(err)}}})
				return nil, err
			}
			err = opt.Line.Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Confirm{Confirm: &mfpb.Confirm{Claim: claim, Tag: tag}}})
		case *mfpb.ServerToViewer_Opened:
			if v.keys == nil {
				return nil, errors.New("gopeer: Opened without pairing")
			}
			v.Session, v.token = b.Opened.GetSession(), b.Opened.GetResumeToken()
			v.reader.Add(1)
			go v.read(opt.Line)
			return v, nil
		case *mfpb.ServerToViewer_ClaimResult:
			return nil, &Refused{b.ClaimResult.GetReason()}
		case *mfpb.ServerToViewer_End:
			return nil, &Refused{b.End.GetReason()}
		}
		if err != nil {
			return nil, err
		}
	}
}

// HostKey is the key, proven by the pairing, that signs the session's close.
func (v *Viewer) HostKey() []byte { return v.keys.HostKey() }

// Resume goes on with the session's signaling on another line.
func (v *Viewer) Resume(line Line) error {
	hello := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_VIEWER, Lang: "en", Software: "gopeer"})
	if err := line.Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Hello{Hello: hello}}); err != nil {
		return err
	}
	if err := line.Send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Resume{Resume: &mfpb.ViewerResume{Session: v.Session, Token: v.token}}}); err != nil {
		return err
	}
	v.mu.Lock()
	v.opt.Line = line
	v.mu.Unlock()
	v.reader.Add(1)
	go v.read(line)
	return nil
}

func (v *Viewer) line() Line {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opt.Line
}

// read takes what the server sends until the line ends.
func (v *Viewer) read(line Line) {
	defer v.reader.Done()
	for {
		m, err := line.Receive()
		if err != nil {
			return
		}
		switch b := m.Body.(type) {
		case *mfpb.ServerToViewer_Attach:
			v.mu.Lock()
			ch := v.waiting[b.Attach.GetEpoch()]
			delete(v.waiting, b.Attach.GetEpoch())
			v.mu.Unlock()
			if ch != nil {
				ch <- b.Attach
				v.update(func() {})
			}
		case *mfpb.ServerToViewer_Sealed:
			v.mu.Lock()
			at := v.at
			v.mu.Unlock()
			// Between our Attach and the host's, bodies of the old epoch arrive.
			if at != nil && b.Sealed.GetEpoch() == at.link.Epoch() {
				if err := at.sealed(b.Sealed); err != nil {
					v.end(wire.Reason(err))
				}
			}
		case *mfpb.ServerToViewer_End:
			v.end(b.End.GetReason())
		}
	}
}

// update changes state and wakes whoever waits for it.
func (v *Viewer) update(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *Viewer) end(why mfpb.Reason) {
	v.update(func() {
		if v.ended == nil {
			v.ended = &Refused{why}
		}
	})
}

// wait until ok, the session's end, or the context's.
func (v *Viewer) wait(ctx context.Context, what string, ok func() bool) error {
	for {
		v.mu.Lock()
		done, ended, changed := ok(), v.ended, v.changed
		v.mu.Unlock()
		if done {
			return nil
		}
		if ended != nil {
			return fmt.Errorf("gopeer: waiting for %s: %w", what, ended)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("gopeer: waiting for %s: %w", what, ctx.Err())
		}
	}
}

// WaitGrant waits until a grant has a state.
func (v *Viewer) WaitGrant(ctx context.Context, name string, state mfpb.GrantState) error {
	return v.wait(ctx, fmt.Sprintf("%s %v", name, state), func() bool { return v.grants[name] == state })
}

// Grant is a grant's state as last heard.
func (v *Viewer) Grant(name string) mfpb.GrantState {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.grants[name]
}

// WaitEnd waits for the session's end and returns its reason.
func (v *Viewer) WaitEnd(ctx context.Context) (mfpb.Reason, error) {
	err := v.wait(ctx, "the end", func() bool { return v.ended != nil })
	if err != nil {
		return 0, err
	}
	return v.ended.Why, nil
}

// WaitNotice waits for a notice.
func (v *Viewer) WaitNotice(ctx context.Context, code mfpb.NoticeCode) error {
	return v.wait(ctx, code.String(), func() bool { return slices.Contains(v.notices, code) })
}

// WaitDisplays waits for the list of monitors.
func (v *Viewer) WaitDisplays(ctx context.Context) (*mfpb.Displays, error) {
	err := v.wait(ctx, "displays", func() bool { return v.shows != nil })
	return v.shows, err
}

// WaitUpdate waits for a picture update newer than after; it returns its number.
func (v *Viewer) WaitUpdate(ctx context.Context, after uint32) (uint32, error) {
	var n uint32
	err := v.wait(ctx, "a picture", func() bool {
		if v.at == nil {
			return false
		}
		n = v.at.updates
		return n > after
	})
	return n, err
}

// Pixels is a copy of the picture: 0x00RRGGBB, rows from the top.
func (v *Viewer) Pixels() (width, height int, pix []uint32) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.at == nil {
		return 0, 0, nil
	}
	p := &v.at.picture
	return p.Width, p.Height, slices.Clone(p.Pix)
}

// Received counts what came on a channel in the present attach: messages, bytes.
func (v *Viewer) Received(channel uint16) (messages, bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.at == nil {
		return 0, 0
	}
	return v.at.messages[channel], v.at.bytes[channel]
}

// Close goes away without a word, like a closed tab.
func (v *Viewer) Close() error {
	v.Cut()
	err := v.line().Close()
	v.reader.Wait()
	return err
}

// Cut loses the peer connection and keeps the signaling line.
func (v *Viewer) Cut() {
	v.mu.Lock()
	at := v.at
	v.mu.Unlock()
	if at != nil {
		at.close()
	}
}
