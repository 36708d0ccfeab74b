package pake

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"sync"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Role is a side of the pairing. Its value stands in keys and proofs.
type Role uint8

const (
	RoleViewer Role = 0
	RoleHost   Role = 1
)

// Keys are the outcome of a pairing. They are safe for concurrent use.
type Keys struct {
	mu      sync.Mutex
	role    Role
	isk     [sha512.Size]byte
	wiped   bool
	epoch   uint32  // of the newest attach
	back    *Return // the host came back with it; nil once the viewer went on after that
	hostKey ed25519.PublicKey
}

// HostKey is the key with which the host signs the session's close; on the
// viewer's side it is the one that the pairing proved.
func (k *Keys) HostKey() ed25519.PublicKey { return k.hostKey }

// Wipe forgets the key; no attach is possible any more. Links live on.
func (k *Keys) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.isk[:])
	k.forget()
	k.wiped = true
}

// forget wipes what the host came back with. It holds k.mu.
func (k *Keys) forget() {
	if k.back != nil {
		clear(k.back.Secret)
		k.back = nil
	}
}

// NewNonce is one side's half of an attach, Attach.nonce.
func NewNonce() []byte {
	b := make([]byte, wire.NonceSize)
	rand.Read(b) // never fails since Go 1.24
	return b
}

// Attach derives the keys of an epoch from both sides' nonces. role is one's
// own. The first epoch is 1, and each is exactly one higher: else ErrOldEpoch.
// A nonce of another length is ErrPeer. After Wipe it returns ErrUsed.
func (k *Keys) Attach(role Role, epoch uint32, viewerNonce, hostNonce []byte) (*Link, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wiped {
		return nil, ErrUsed
	}
	if role != k.role { // else both sides would seal under one key with one nonce
		return nil, ErrParameters
	}
	if len(viewerNonce) != wire.NonceSize || len(hostNonce) != wire.NonceSize {
		return nil, ErrPeer
	}
	if k.back != nil && k.epoch == 0 && epoch != 0 {
		return k.begin(k.back.Secret, epoch, viewerNonce, hostNonce)
	}
	if uint64(epoch) != uint64(k.epoch)+1 { // C22: exactly one higher
		return nil, ErrOldEpoch
	}
	k.forget() // the viewer went on, so it has the keys of the return
	return k.derive(epoch, viewerNonce, hostNonce)
}

// Again derives other keys for the newest epoch: when the host's half of it was
// lost with a line, the viewer repeats its own, and the host draws another nonce.
// The nonce must be a new one: keys are never used from the beginning twice. It
// is the caller's matter that nothing was opened under the epoch before. Any
// other epoch is ErrOldEpoch.
func (k *Keys) Again(epoch uint32, viewerNonce, hostNonce []byte) (*Link, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wiped {
		return nil, ErrUsed
	}
	if k.role != RoleHost {
		return nil, ErrParameters
	}
	if len(viewerNonce) != wire.NonceSize || len(hostNonce) != wire.NonceSize {
		return nil, ErrPeer
	}
	if epoch != k.epoch || epoch == 0 {
		return nil, ErrOldEpoch
	}
	if k.back != nil {
		return k.begin(k.back.Secret, epoch, viewerNonce, hostNonce)
	}
	return k.derive(epoch, viewerNonce, hostNonce)
}

// derive makes the link of an epoch, for this side. It holds k.mu.
func (k *Keys) derive(epoch uint32, viewerNonce, hostNonce []byte) (*Link, error) {
	okm, err := attachKeys(k.isk[:], epoch, viewerNonce, hostNonce)
	if err != nil {
		return nil, err
	}
	l := &Link{epoch: epoch, certificates: okm[64:96]}
	toHost, err := newBox(okm[:32], RoleViewer, epoch)
	if err != nil {
		return nil, err
	}
	toViewer, err := newBox(okm[32:64], RoleHost, epoch)
	if err != nil {
		return nil, err
	}
	l.out, l.in = toHost, toViewer
	if k.role == RoleHost {
		l.out, l.in = toViewer, toHost
	}
	k.epoch = epoch
	return l, nil
}

// attachKeys is okm of PROTOCOL.md §1.5.
func attachKeys(isk []byte, epoch uint32, viewerNonce, hostNonce []byte) ([]byte, error) {
	info := binary.BigEndian.AppendUint32([]byte(wire.Protocol+" attach"), epoch)
	info = append(append(info, viewerNonce...), hostNonce...)
	return hkdf.Key(sha512.New, isk, nil, string(info), 96)
}

// box is one direction of a link.
type box struct {
	aead    cipher.AEAD
	aad     []byte
	counter uint64 // of the next body
}

// newBox is the direction that sender seals.
func newBox(key []byte, sender Role, epoch uint32) (*box, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	aad := append([]byte(wire.Protocol+" sealed"), byte(sender))
	return &box{aead: aead, aad: binary.BigEndian.AppendUint32(aad, epoch)}, nil
}

func (b *box) nonce() []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 4, 12), b.counter)
}

// Link seals and opens the bodies of one attach. It is safe for concurrent
// use, but bodies must reach the wire in the order in which they were sealed.
type Link struct {
	mu           sync.Mutex
	epoch        uint32
	out, in      *box
	broken       error // why nothing more is opened
	certificates []byte
}

// Epoch is the attach that this link belongs to.
func (l *Link) Epoch() uint32 { return l.epoch }

// Seal seals the next body, at most wire.MaxSealed bytes of SealedBody.
func (l *Link) Seal(body []byte) *mfpb.Sealed {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &mfpb.Sealed{Epoch: l.epoch, Counter: l.out.counter, Box: l.out.aead.Seal(nil, l.out.nonce(), body, l.out.aad)}
	l.out.counter++
	return s
}

// Open opens the next body. It returns ErrOldEpoch, ErrTampered or
// wire.ErrTooLarge; each ends the attempt, so every later call returns the
// same error.
func (l *Link) Open(s *mfpb.Sealed) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return nil, l.broken
	}
	body, err := l.open(s)
	l.broken = err
	return body, err
}

func (l *Link) open(s *mfpb.Sealed) ([]byte, error) {
	if len(s.GetBox()) > wire.MaxSealed+l.in.aead.Overhead() {
		return nil, wire.ErrTooLarge
	}
	if s.GetEpoch() != l.epoch { // C22: sealed for another attach
		return nil, ErrOldEpoch
	}
	if s.GetCounter() != l.in.counter { // C23: repeated, or one is missing
		return nil, ErrTampered
	}
	body, err := l.in.aead.Open(nil, l.in.nonce(), s.GetBox(), l.in.aad)
	if err != nil { // C24: changed, or by somebody without the key
		return nil, ErrTampered
	}
	l.in.counter++
	return body, nil
}

// Proof is CertificateProof.mac of role, over the DTLS certificates in use.
func (l *Link) Proof(role Role, viewerCertDER, hostCertDER []byte) []byte {
	return l.ProofOfHashes(role, sha256.Sum256(viewerCertDER), sha256.Sum256(hostCertDER))
}

// ProofOfHashes is Proof for a side that has only a certificate's SHA-256.
func (l *Link) ProofOfHashes(role Role, viewerCert, hostCert [sha256.Size]byte) []byte {
	h := hmac.New(sha256.New, l.certificates)
	h.Write([]byte(wire.Protocol + " certificates"))
	h.Write([]byte{byte(role)})
	h.Write(viewerCert[:])
	h.Write(hostCert[:])
	return h.Sum(nil)
}

// CheckProof checks the proof that role sent against the certificates seen
// here, or returns ErrCertificate. role is the other side's.
func (l *Link) CheckProof(role Role, mac, viewerCertDER, hostCertDER []byte) error {
	return l.CheckProofOfHashes(role, mac, sha256.Sum256(viewerCertDER), sha256.Sum256(hostCertDER))
}

// CheckProofOfHashes is CheckProof for a side that has only a certificate's SHA-256.
func (l *Link) CheckProofOfHashes(role Role, mac []byte, viewerCert, hostCert [sha256.Size]byte) error {
	if !hmac.Equal(mac, l.ProofOfHashes(role, viewerCert, hostCert)) { // C25: not the certificates in use
		return ErrCertificate
	}
	return nil
}
