package tickets

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
)

// Trouble is why a desk cannot be used, in one word, for whoever sets it up.
type Trouble string

// Troubles of a desk.
const (
	TroubleNone        Trouble = ""
	TroubleAddress     Trouble = "address"     // of this machine, its link or its cloud, or plain text: not called
	TroubleName        Trouble = "name"        // no such host
	TroubleUnreachable Trouble = "unreachable" // nothing answers there, or not in time
	TroubleNoTLS       Trouble = "no_tls"      // what answers speaks no TLS
	TroubleCertificate Trouble = "certificate" // is not trusted
	TroubleElsewhere   Trouble = "elsewhere"   // what answers is not this system
	TroubleCredentials Trouble = "credentials"
	TroubleRights      Trouble = "rights"   // the desk says that something is not allowed
	TroubleNothing     Trouble = "nothing"  // signed in, and sees no queue, or is in no project
	TroubleComment     Trouble = "comment"  // sees tickets, and may not comment on them
	TroubleJournal     Trouble = "journal"  // ServiceNow: cannot look for its own notes
	TroubleBusy        Trouble = "busy"     // wants to be left alone for a while
	TroubleFails       Trouble = "fails"    // answers with an error of its own
	TroubleSettings    Trouble = "settings" // our own configuration of it
)

// TroubleOf is why a call of a desk failed, and in the desk's own words, which are
// hostile, one clean line and may be empty. It says nothing of what was found at an
// address where no desk answers.
func TroubleOf(err error) (is Trouble, words string) {
	if err == nil {
		return TroubleNone, ""
	}
	var f *fault
	if errors.As(err, &f) {
		if words = f.words; f.trouble != TroubleNone {
			return f.trouble, words
		}
	}
	switch {
	case errors.As(err, new(ErrRateLimited)):
		return TroubleBusy, words
	case errors.Is(err, errForbiddenAddress), errors.Is(err, errPlain), errors.Is(err, errNoTLS):
		return TroubleAddress, words
	case errors.Is(err, ErrAuth):
		return TroubleCredentials, words
	case errors.Is(err, ErrForbidden):
		return TroubleRights, words
	case errors.Is(err, ErrConfig):
		return TroubleSettings, words
	case errors.Is(err, ErrNotFound):
		return TroubleElsewhere, words
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return TroubleUnreachable, words
	}
	return TroubleFails, words
}

// onTheLine is the trouble of a line that broke. What stood there instead of a desk is
// not told: it may be anything that listens in the house.
func onTheLine(err error) Trouble {
	var name *net.DNSError
	var record tls.RecordHeaderError
	var unknown *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errForbiddenAddress), errors.Is(err, errNoTLS):
		return TroubleAddress
	case errors.As(err, &name) && name.IsNotFound:
		return TroubleName
	case errors.As(err, &unknown):
		return TroubleCertificate
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return TroubleNoTLS
	}
	return TroubleUnreachable
}
