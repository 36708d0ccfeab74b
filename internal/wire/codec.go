package wire

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Decode parses one message of at most limit bytes into m. It returns
// ErrTooLarge, before anything is parsed, or an error that wraps ErrMalformed.
// [DecodeEnvelope] is for envelopes.
func Decode(b []byte, limit int, m proto.Message) error {
	if len(b) > limit {
		return ErrTooLarge
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	return nil
}

// DecodeEnvelope is [Decode] and then [Unknown]: it also returns ErrSkip and
// ErrUnknownMessage.
func DecodeEnvelope(b []byte, limit int, m proto.Message) error {
	if err := Decode(b, limit, m); err != nil {
		return err
	}
	return Unknown(m)
}

// Encode writes one message, or returns ErrTooLarge if the other side would
// refuse it for its size.
func Encode(m proto.Message, limit int) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if len(b) > limit {
		return nil, ErrTooLarge
	}
	return b, nil
}

// Unknown looks at the body of an envelope (a message with `optional` and
// `oneof body`). It returns nil if this version knows the body, ErrSkip if not
// and the sender marked it optional, else ErrUnknownMessage.
func Unknown(m proto.Message) error {
	r := m.ProtoReflect()
	body := r.Descriptor().Oneofs().ByName("body")
	if body == nil || r.WhichOneof(body) != nil {
		return nil
	}
	optional := r.Descriptor().Fields().ByName("optional")
	if optional != nil && r.Get(optional).Bool() {
		return ErrSkip
	}
	return ErrUnknownMessage
}

// Versions fills a Hello with the versions spoken here.
func Versions(h *mfpb.Hello) *mfpb.Hello {
	h.MinVersion, h.MaxVersion = MinVersion, Version
	return h
}

// Negotiate returns the highest version that both sides speak. It returns
// ErrMalformed if the hello's range is none, ErrVersion if nothing is in common.
func Negotiate(hello *mfpb.Hello) (uint32, error) {
	lo, hi := hello.GetMinVersion(), hello.GetMaxVersion()
	if lo == 0 || lo > hi {
		return 0, ErrMalformed
	}
	if lo > Version || hi < MinVersion {
		return 0, ErrVersion
	}
	return min(hi, Version), nil
}
