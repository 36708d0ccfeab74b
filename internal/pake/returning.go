package pake

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"

	"github.com/mainforte/mainforte/internal/wire"
)

// Return is what a host may write down so that it can come back once after its
// computer was restarted. The keys that were used until now cannot be computed
// from it, and what is used after it depends on both sides' fresh nonces: who
// reads it later can neither open what was sealed before, nor what comes after.
type Return struct {
	Salt   []byte // 16 random bytes of this one grant; the host's first attach tells them
	Secret []byte // 64 bytes, R of PROTOCOL.md §1.5
}

// Keep derives what may be written down; each call gives another secret. After
// Wipe it returns ErrUsed.
func (k *Keys) Keep() (Return, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wiped {
		return Return{}, ErrUsed
	}
	salt := make([]byte, wire.NonceSize)
	rand.Read(salt) // never fails since Go 1.24
	secret, err := returnSecret(k.isk[:], salt)
	return Return{Salt: salt, Secret: secret}, err
}

// Returned are the keys of a host that came back, of one participant. Its first
// attach may have any epoch, as nothing was ever derived from this secret; those
// after it are exactly one higher again. What cannot be a Return is ErrParameters.
func Returned(r Return, hostKey ed25519.PublicKey) (*Keys, error) {
	if len(r.Salt) != wire.NonceSize || len(r.Secret) != sha512.Size || len(hostKey) != ed25519.PublicKeySize {
		return nil, ErrParameters
	}
	return &Keys{role: RoleHost, back: &Return{bytes.Clone(r.Salt), bytes.Clone(r.Secret)}, hostKey: bytes.Clone(hostKey)}, nil
}

// Salt is what the host's answer to the newest attach carries: nil unless that
// is the first after a return.
func (k *Keys) Salt() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.back == nil {
		return nil
	}
	return bytes.Clone(k.back.Salt)
}

// AttachReturned is a viewer's Attach to a host that came back and told this salt.
// Whether it may come back is the caller's matter.
func (k *Keys) AttachReturned(epoch uint32, viewerNonce, hostNonce, salt []byte) (*Link, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wiped {
		return nil, ErrUsed
	}
	if k.role != RoleViewer {
		return nil, ErrParameters
	}
	if len(viewerNonce) != wire.NonceSize || len(hostNonce) != wire.NonceSize || len(salt) != wire.NonceSize {
		return nil, ErrPeer
	}
	if uint64(epoch) != uint64(k.epoch)+1 { // C22: exactly one higher
		return nil, ErrOldEpoch
	}
	secret, err := returnSecret(k.isk[:], salt)
	if err != nil {
		return nil, err
	}
	return k.begin(secret, epoch, viewerNonce, hostNonce)
}

// begin makes the key of everything that comes after a return, and the link of its
// first epoch. It holds k.mu.
func (k *Keys) begin(secret []byte, epoch uint32, viewerNonce, hostNonce []byte) (*Link, error) {
	info := binary.BigEndian.AppendUint32([]byte(wire.Protocol+" returned"), epoch)
	info = append(append(info, viewerNonce...), hostNonce...)
	isk, err := hkdf.Key(sha512.New, secret, nil, string(info), sha512.Size)
	if err != nil {
		return nil, err
	}
	copy(k.isk[:], isk)
	return k.derive(epoch, viewerNonce, hostNonce)
}

// returnSecret is R of PROTOCOL.md §1.5.
func returnSecret(isk, salt []byte) ([]byte, error) {
	return hkdf.Key(sha512.New, isk, nil, wire.Protocol+" return"+string(salt), sha512.Size)
}
