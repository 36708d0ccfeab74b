package pake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"

	"github.com/gtank/ristretto255"

	"github.com/mainforte/mainforte/internal/wire"
)

const (
	dsi           = "CPaceRistretto255"
	hashBlockSize = 128 // SHA-512: the draft's s_in_bytes
)

// generator is the draft's calculate_generator.
func generator(prs, ci, sid []byte) *ristretto255.Element {
	pad := max(0, hashBlockSize-1-len(wire.AppendLV(nil, prs))-len(wire.AppendLV(nil, []byte(dsi))))
	h := sha512.Sum512(wire.AppendLV(nil, []byte(dsi), prs, make([]byte, pad), ci, sid))
	g, err := ristretto255.NewIdentityElement().SetUniformBytes(h[:])
	if err != nil {
		panic("pake: SHA-512 is not 64 bytes") // the only error of SetUniformBytes
	}
	return g
}

// run is one side's half of CPace between its share and its keys.
type run struct {
	y     *ristretto255.Scalar // nil once used
	sid   []byte
	share []byte
	ad    []byte
}

func newRun(y *ristretto255.Scalar, prs, ci, sid, ad []byte) *run {
	share := ristretto255.NewIdentityElement().ScalarMult(y, generator(prs, ci, sid)).Bytes()
	return &run{y, sid, share, ad}
}

// secrets is what a run ends with: the key, and both sides' tags.
type secrets struct {
	isk          [sha512.Size]byte
	ours, theirs []byte
}

// agree consumes the run. It returns ErrPeer for a share that must be refused;
// the tag is the caller's to check.
func (r *run) agree(initiator bool, share, ad []byte) (*secrets, error) {
	y := r.y
	r.y = nil
	if y == nil {
		return nil, ErrUsed
	}
	if bytes.Equal(share, r.share) { // C17: our own share, echoed
		return nil, ErrPeer
	}
	peer, err := ristretto255.NewIdentityElement().SetCanonicalBytes(share)
	if err != nil { // C18: not an element
		return nil, ErrPeer
	}
	k := ristretto255.NewIdentityElement().ScalarMult(y, peer)
	if k.Equal(ristretto255.NewIdentityElement()) == 1 { // C18: the neutral element: a key that everybody knows
		return nil, ErrPeer
	}
	mine, theirs := wire.AppendLV(nil, r.share, r.ad), wire.AppendLV(nil, share, ad)
	first, second := mine, theirs
	if !initiator {
		first, second = theirs, mine
	}
	s := new(secrets)
	s.isk = sha512.Sum512(append(append(wire.AppendLV(nil, []byte(dsi+"_ISK"), r.sid, k.Bytes()), first...), second...))
	key := sha512.Sum512(append(append([]byte("CPaceMac"), r.sid...), s.isk[:]...))
	s.ours, s.theirs = tag(key[:], mine), tag(key[:], theirs)
	return s, nil
}

func tag(key, message []byte) []byte {
	h := hmac.New(sha512.New, key)
	h.Write(message)
	return h.Sum(nil)
}
