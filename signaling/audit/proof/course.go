package proof

import (
	"crypto/ed25519"
	"encoding/base64"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// course is what the lines of a session say to each other.
type course struct {
	key     ed25519.PublicKey
	taken   int64 // events of the host that stand here, or of which a line says why not
	missing int64 // that a line says are missing; below 0: too many
	closed  *Leaf
	ended   *Leaf
	signed  bool // closed holds
	noClose bool // a line says that the host did not close
}

// line takes the next one.
func (c *course) line(v *verifier, l Leaf) {
	d := l.data()
	switch {
	case c.ended != nil && (l.Type == endType || l.Origin == "host"):
		v.problem("after_end", l.Index, "it belongs to the session, and stands after its end")
	case l.Type == pairedType:
		key, err := base64.StdEncoding.Strict().DecodeString(d.HostKey)
		if err != nil || len(key) != ed25519.PublicKeySize || c.key != nil {
			v.problem("host_key", l.Index, "it does not name the one key of the host")
			return
		}
		c.key, v.report.HostKey = key, d.HostKey
	case l.Type == closeType:
		c.close(v, l, d)
	case l.Type == endType:
		c.ended, v.report.Ended = &l, true
	case l.Type == gapType:
		switch {
		case d.Why == "unknown_type", d.Why == "policy":
			c.taken++ // an event for which this log has no words, or no place
		case d.Why == "no_signed_close":
			c.noClose = true
		case d.After != nil && d.Next != nil && *d.Next > *d.After:
			c.missing += *d.Next - *d.After - 1
		case d.After != nil && d.HostEvents != nil:
			c.missing += *d.HostEvents - *d.After // below 0: the host signed fewer than it sent
		}
	case l.Origin == "host":
		c.taken++
	}
}

// close checks the host's own signature.
func (c *course) close(v *verifier, l Leaf, d data) {
	sig, err := base64.StdEncoding.Strict().DecodeString(d.Signature)
	reason := mfpb.Reason_value["REASON_"+d.Reason]
	if c.closed != nil || c.key == nil || err != nil || d.Events == nil || reason == 0 ||
		!ed25519.Verify(c.key, wire.CloseMessage(v.proof.Session, mfpb.Reason(reason), *d.Events, d.DurationMS), sig) {
		v.problem("close", l.Index, "the host did not sign this end of the session")
		return
	}
	c.closed, c.signed = &l, true
	v.report.Closed, v.report.Counted = true, int64(*d.Events)
}

// end holds the counts to each other: the host's own, the server's, and the lines.
func (c *course) end(v *verifier) {
	v.report.Missing = c.missing
	if c.ended == nil || !v.report.OK() {
		return
	}
	server := c.ended.data().HostEvents
	total := c.taken + c.missing
	switch {
	case c.closed == nil && v.whole && !c.noClose:
		v.problem("no_close", c.ended.Index, "the host's own end does not stand before it, and no line says why")
	case c.signed && v.whole && v.report.Counted != total:
		v.problem("count", c.closed.Index, "the host counted %d events and signed that; %d stand here", v.report.Counted, total)
	case c.signed && !v.whole && server != nil && *server+max(0, c.missing) < v.report.Counted:
		v.problem("count", c.closed.Index, "the host counted %d events and signed that; the server took %d", v.report.Counted, *server)
	}
}
