package hostile

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// GuessAsHost answers a viewer's claim in the host's place, with a guess at the
// secret. claim is the id that the viewer is told.
func GuessAsHost(secret string, claim []byte, m *mfpb.Claim) (*mfpb.PakeReply, error) {
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	share, ad, tag, err := pake.NewHost(secret, PublicHost, m.GetNameplate(), key).Answer(m.GetSid(), m.GetShare(), m.GetAd())
	if err != nil {
		return nil, fmt.Errorf("hostile: the viewer's claim: %w", err)
	}
	return &mfpb.PakeReply{Claim: claim, Share: share, Ad: ad, Tag: tag}, nil
}

// ViewerGuess is one guess at a host's code in a technician's place.
type ViewerGuess struct {
	pake *pake.Viewer
	id   []byte
}

// GuessAsViewer begins a guess.
func GuessAsViewer(secret, nameplate string) (*ViewerGuess, error) {
	p, err := pake.NewViewer(secret, PublicHost, nameplate)
	if err != nil {
		return nil, err
	}
	id := make([]byte, wire.ClaimSize)
	rand.Read(id) // never fails since Go 1.24
	return &ViewerGuess{p, id}, nil
}

// Start is what the host is told.
func (g *ViewerGuess) Start() *mfpb.ClaimStart {
	return &mfpb.ClaimStart{
		Claim: g.id, Sid: g.pake.SID(), Share: g.pake.Share(), Ad: g.pake.AD(),
		Technician: &mfpb.Technician{Id: "u1", Name: "Anaïs Tremblay", SignedIn: "password", SignedInAt: 1},
	}
}

// Confirm goes on as if the guess were right: with the right tag if it is, else
// with one that is as good as any.
func (g *ViewerGuess) Confirm(r *mfpb.PakeReply) *mfpb.Confirm {
	_, tag, err := g.pake.Finish(r.GetShare(), r.GetAd(), r.GetTag())
	if err != nil {
		tag = make([]byte, wire.TagSize)
		rand.Read(tag) // never fails since Go 1.24
	}
	return &mfpb.Confirm{Claim: g.id, Tag: tag}
}

// Mine tells whether an entry speaks of this guess.
func (g *ViewerGuess) Mine(e Entry) bool {
	m, ok := e.Body.(interface{ GetClaim() []byte })
	return ok && string(m.GetClaim()) == string(g.id)
}

// OwnKeys seals with keys that the server agreed on with itself: all it has.
func OwnKeys(as pake.Role, a, b *mfpb.Attach) (*pake.Link, error) {
	v, err := pake.NewViewer("000000", PublicHost, "482")
	if err != nil {
		return nil, err
	}
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	h := pake.NewHost("000000", PublicHost, "482", key)
	share, ad, tag, err := h.Answer(v.SID(), v.Share(), v.AD())
	if err != nil {
		return nil, err
	}
	viewers, mine, err := v.Finish(share, ad, tag)
	if err != nil {
		return nil, err
	}
	hosts, err := h.Confirm(mine)
	if err != nil {
		return nil, err
	}
	if as == pake.RoleHost {
		return hosts.Attach(as, a.GetEpoch(), a.GetNonce(), b.GetNonce())
	}
	return viewers.Attach(as, a.GetEpoch(), a.GetNonce(), b.GetNonce())
}

// Body is a sealed body in the clear.
func Body(m *mfpb.SealedBody) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err) // a message of our own that is none: the test is wrong
	}
	return b
}
