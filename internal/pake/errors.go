package pake

import (
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Sentinels. Each carries the reason that wire.Reason gives to the other side.
var (
	// ErrWrongCode: the other side's tag is wrong. It has another secret, or
	// somebody in the middle has none.
	ErrWrongCode = wire.NewError(mfpb.Reason_REASON_WRONG_CODE, "pake: the secret is wrong, or somebody is in the middle")
	// ErrPeer: the other side's share or role is one that no honest party sends.
	ErrPeer = wire.NewError(mfpb.Reason_REASON_PROTOCOL, "pake: the other side does not follow the protocol")
	// ErrUsed: this value already made its guess.
	ErrUsed = wire.NewError(mfpb.Reason_REASON_INTERNAL, "pake: this guess was already made")
	// ErrParameters: no secret of six digits, no nameplate, or no server name.
	ErrParameters = wire.NewError(mfpb.Reason_REASON_INTERNAL, "pake: not the parameters of a pairing")
	// ErrOldEpoch: a body or an attach of another epoch than the next.
	ErrOldEpoch = wire.NewError(mfpb.Reason_REASON_OLD_EPOCH, "pake: sealed for another attach")
	// ErrTampered: a box that does not open, or that is not the next in order.
	ErrTampered = wire.NewError(mfpb.Reason_REASON_TAMPERED, "pake: a sealed message was changed, repeated or left out")
	// ErrCertificate: the other side's proof is not over the certificates seen here.
	ErrCertificate = wire.NewError(mfpb.Reason_REASON_CERTIFICATE_MISMATCH, "pake: the connection does not end at the other side of the pairing")
)
