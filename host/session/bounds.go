package session

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// What the server's policy takes away from a session, told when it opens. It only
// ever narrows: what is not ruled out still needs the person's yes.

const (
	maxRuledOut = 64                 // names; there are about a dozen grants
	shortTime   = 5 * time.Minute    // before the end that all sides are told of it
	timeSlack   = 30 * time.Second   // that the server is given to end the session itself
	maxEnds     = 7 * 24 * time.Hour // of what the server may say; longer is none
)

// bounds of a session.
type bounds struct {
	ruledOut []string  // names of grants that nobody gets
	ends     time.Time // when the session ends at the latest; zero: no such time
}

// narrowing reads what Opened says. Names that this host does not know are none of its
// grants and rule nothing out. Without view there is no session: what rules that out
// is no policy.
func narrowing(m *mfpb.Opened, now time.Time) (bounds, error) {
	b := bounds{}
	if len(m.GetRuledOut()) > maxRuledOut || slices.Contains(m.GetRuledOut(), grantView) {
		return b, errProtocol
	}
	for _, name := range m.GetRuledOut() {
		b.ruledOut = append(b.ruledOut, strings.Clone(wire.Clean(name)))
	}
	if in := time.Duration(m.GetEndsInS()) * time.Second; in > 0 && in <= maxEnds {
		b.ends = now.Add(in)
	}
	return b, nil
}

// rulesOut tells whether nobody gets a grant in this session.
func (l *live) rulesOut(name string) bool { return slices.Contains(l.bounds.ruledOut, name) } // C124

// watchTime tells everybody that the end is near, and ends the session if the server,
// whose part that is, does not.
func (l *live) watchTime() {
	if l.bounds.ends.IsZero() {
		return
	}
	h := l.h
	left := l.bounds.ends.Sub(h.clock.Now())
	h.alarm("short", max(0, left-shortTime), func() {
		minutes := max(1, int(l.bounds.ends.Sub(h.clock.Now()).Round(time.Minute)/time.Minute))
		h.status("status.time_short", "minutes", strconv.Itoa(minutes))
		for _, p := range l.participants {
			p.notice(mfpb.NoticeCode_NOTICE_CODE_TIME_SHORT, uint32(minutes))
		}
	})
	h.alarm("time", max(0, left+timeSlack), func() { h.end(mfpb.Reason_REASON_TIME_UP) }) // C126
}
