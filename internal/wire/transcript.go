package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// AppendLV appends each part with its LEB128 length before it: lv_cat of
// draft-irtf-cfrg-cpace-21, so that no two lists of parts give the same bytes.
func AppendLV(dst []byte, parts ...[]byte) []byte {
	for _, p := range parts {
		dst = binary.AppendUvarint(dst, uint64(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

// ViewerAD is ADa, the viewer's associated data in CPace.
func ViewerAD() []byte { return AppendLV(nil, []byte(Protocol+" viewer")) }

// HostAD is ADb, the host's associated data in CPace: its role and the key
// that signs the session's close.
func HostAD(key ed25519.PublicKey) []byte { return AppendLV(nil, []byte(Protocol+" host"), key) }

// ParseHostAD returns the key of an ADb, or ErrMalformed if it is anything but
// the host's role and exactly one key.
func ParseHostAD(ad []byte) (ed25519.PublicKey, error) {
	const at = 1 + len(Protocol+" host") + 1
	if len(ad) != at+ed25519.PublicKeySize {
		return nil, ErrMalformed
	}
	key := ed25519.PublicKey(bytes.Clone(ad[at:]))
	if !bytes.Equal(ad, HostAD(key)) {
		return nil, ErrMalformed
	}
	return key, nil
}

// CloseMessage is what the host signs at the end of a session and the server
// verifies with the key of Paired, PROTOCOL.md §1.7. events is the last
// HostEvent.seq.
func CloseMessage(session string, reason mfpb.Reason, events uint64, durationMS int64) []byte {
	b := AppendLV([]byte(Protocol+" close"), []byte(session))
	b = binary.BigEndian.AppendUint32(b, uint32(reason))
	b = binary.BigEndian.AppendUint64(b, events)
	return binary.BigEndian.AppendUint64(b, uint64(durationMS))
}
