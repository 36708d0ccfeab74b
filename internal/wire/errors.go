package wire

import (
	"errors"
	"strings"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Error is an error with the reason that the other side is told. Make
// sentinels with [NewError] and wrap them with more detail where they occur.
type Error struct {
	reason mfpb.Reason
	text   string
}

// NewError returns a sentinel that [Reason] maps to r.
func NewError(r mfpb.Reason, text string) *Error { return &Error{r, text} }

func (e *Error) Error() string { return e.text }

// Reason is the reason that the other side is told.
func (e *Error) Reason() mfpb.Reason { return e.reason }

// Sentinels of this package.
var (
	// ErrTooLarge: over the size limit of its plane; nothing was parsed.
	ErrTooLarge = NewError(mfpb.Reason_REASON_TOO_LARGE, "wire: message too large")
	// ErrMalformed: not a message of its kind, or a field out of its range.
	ErrMalformed = NewError(mfpb.Reason_REASON_PROTOCOL, "wire: malformed message")
	// ErrUnknownMessage: a kind this version does not know, and not optional.
	// The receiver ends with this reason.
	ErrUnknownMessage = NewError(mfpb.Reason_REASON_UNKNOWN_MESSAGE, "wire: unknown message")
	// ErrSkip: a kind this version does not know, marked optional. The receiver
	// goes on with the next message.
	ErrSkip = NewError(mfpb.Reason_REASON_UNSPECIFIED, "wire: unknown optional message")
	// ErrVersion: no protocol version in common.
	ErrVersion = NewError(mfpb.Reason_REASON_VERSION, "wire: no protocol version in common")
	// ErrMalformedCode: what was typed is not a code.
	ErrMalformedCode = NewError(mfpb.Reason_REASON_MALFORMED_CODE, "wire: that is not a code")
	// ErrServerName: not a host name or an IP address.
	ErrServerName = NewError(mfpb.Reason_REASON_SERVER_NAME, "wire: not a server name")
)

// Reason is what the other side is told about err: the reason of the first
// error in its chain that has one, REASON_INTERNAL if none has, and
// REASON_UNSPECIFIED for nil.
func Reason(err error) mfpb.Reason {
	if err == nil {
		return mfpb.Reason_REASON_UNSPECIFIED
	}
	var r interface{ Reason() mfpb.Reason }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return mfpb.Reason_REASON_INTERNAL
}

// Name is a reason as it stands in the log and in locale keys: WRONG_CODE. A
// number this version does not know is its digits.
func Name(r mfpb.Reason) string { return strings.TrimPrefix(r.String(), "REASON_") }
