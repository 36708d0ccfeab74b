package gopeer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// States of a grant.
const (
	Asked      = mfpb.GrantState_GRANT_STATE_ASKED
	Allowed    = mfpb.GrantState_GRANT_STATE_ALLOWED
	Denied     = mfpb.GrantState_GRANT_STATE_DENIED
	Revoked    = mfpb.GrantState_GRANT_STATE_REVOKED
	GivenBack  = mfpb.GrantState_GRANT_STATE_GIVEN_BACK
	HandedOver = mfpb.GrantState_GRANT_STATE_HANDED_OVER
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
	// Tool hears the messages of the tools' channels; it must not wait.
	Tool func(channel uint16, msg []byte)
	// Video asks for the video track.
	Video bool
}

// Viewer is one paired participant.
type Viewer struct {
	opt     Options
	Session string
	Welcome *mfpb.Welcome
	// Participant and Kind are what the server says that this viewer became.
	Participant string
	Kind        mfpb.ParticipantKind
	token       []byte
	keys        *pake.Keys

	mu      sync.Mutex
	film    film
	changed chan struct{} // closed and replaced at each change
	epoch   uint32
	at      *attach
	waiting map[uint32]*begin
	grants  map[string]mfpb.GrantState
	shows   *mfpb.Displays
	notices []mfpb.NoticeCode
	figures []*mfpb.Figures
	present []*mfpb.Participant
	invites []*mfpb.Invite
	places  []*mfpb.CursorPlace
	clips   []*mfpb.ClipMessage
	routes  int // how often the host's addresses changed
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
		opt: opt, changed: make(chan struct{}), waiting: make(map[uint32]*begin),
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
			v.Participant, v.Kind = b.Opened.GetParticipant(), b.Opened.GetKind()
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
			v.attachedBy(b.Attach)
		case *mfpb.ServerToViewer_Sealed:
			v.mu.Lock()
			at := v.at
			v.mu.Unlock()
			// Between our Attach and the host's, bodies of the old epoch arrive.
			if at != nil && b.Sealed.GetEpoch() == at.epoch() {
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

// WaitParticipants waits until the list of those present is as wanted.
func (v *Viewer) WaitParticipants(ctx context.Context, what string, ok func([]*mfpb.Participant) bool) error {
	return v.wait(ctx, what, func() bool { return ok(v.present) })
}

// WaitInvite waits for the nth answer about an invite code, from 1.
func (v *Viewer) WaitInvite(ctx context.Context, n int) (*mfpb.Invite, error) {
	if err := v.wait(ctx, "an invite", func() bool { return len(v.invites) >= n }); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.invites[n-1], nil
}

// WaitRoute waits until the host told n times that its addresses changed.
func (v *Viewer) WaitRoute(ctx context.Context, n int) error {
	return v.wait(ctx, "a change of the host's addresses", func() bool { return v.routes >= n })
}

// WaitDisplays waits for the list of monitors, and returns the newest.
func (v *Viewer) WaitDisplays(ctx context.Context) (*mfpb.Displays, error) {
	if err := v.wait(ctx, "displays", func() bool { return v.shows != nil }); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shows, nil
}

// WaitFigures waits for the host's nth figures, from 1.
func (v *Viewer) WaitFigures(ctx context.Context, n int) (*mfpb.Figures, error) {
	if err := v.wait(ctx, "figures", func() bool { return len(v.figures) >= n }); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.figures[n-1], nil
}

// FiguresSeen counts the host's figures so far.
func (v *Viewer) FiguresSeen() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.figures)
}

// WaitPlace waits until somebody else's pointer is said to be somewhere, and
// returns who put it there: a participant, or "" for the person.
func (v *Viewer) WaitPlace(ctx context.Context, x, y uint32) (by string, err error) {
	err = v.wait(ctx, "the pointer's place", func() bool {
		for _, p := range v.places {
			if p.GetX() == x && p.GetY() == y {
				by = p.GetParticipant()
				return true
			}
		}
		return false
	})
	return by, err
}

// Places is how often a place was told.
func (v *Viewer) Places() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.places)
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

// Starts counts the pictures that began in the present attach.
func (v *Viewer) Starts() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.at == nil {
		return 0
	}
	return v.at.starts
}

// Ufrag is the ICE user fragment that the host uses: another one after each restart.
func (v *Viewer) Ufrag() (string, error) {
	at, err := v.attached()
	if err != nil {
		return "", err
	}
	d := at.pc.CurrentRemoteDescription()
	if d == nil {
		return "", errDetached
	}
	_, rest, _ := strings.Cut(d.SDP, "a=ice-ufrag:")
	ufrag, _, _ := strings.Cut(rest, "\r\n")
	return ufrag, nil
}

// WaitUfrag waits until the host uses another ICE user fragment than before, and
// the connection stands.
func (v *Viewer) WaitUfrag(ctx context.Context, before string) error {
	for {
		if now, err := v.Ufrag(); err == nil && now != before && v.PeerConnection().ICEConnectionState() == webrtc.ICEConnectionStateConnected {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("gopeer: waiting for a restart of ICE: %w", ctx.Err())
		}
	}
}

// WaitState waits until the peer connection is in a state: "connected".
func (v *Viewer) WaitState(ctx context.Context, state string) error {
	return v.wait(ctx, "a connection that is "+state, func() bool { return v.at != nil && v.at.state.String() == state })
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
