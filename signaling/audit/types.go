package audit

import (
	"maps"
	"slices"
)

// EventType says what a line of the log means. An unknown type is refused: a
// log that an auditor reads has no words without a meaning.
type EventType struct {
	Doc  string
	Host bool // the host may report it; all others only the server writes
}

var eventTypes = map[string]EventType{
	"session.requested":      {Doc: "a technician claimed a code for a ticket"},
	"session.code_failed":    {Doc: "a claim failed: wrong, expired or unknown code, or too many tries"},
	"session.paired":         {Doc: "host and viewer proved the code to each other; the session is open"},
	"session.paused":         {Doc: "the session stands still: a line was lost", Host: true},
	"session.resumed":        {Doc: "it goes on", Host: true},
	"session.ended":          {Doc: "the session is over, with its reason"},
	"session.rejected":       {Doc: "a claim was refused before the code was tried: limits, ticket, role"},
	"session.resume_refused": {Doc: "a line came with a token that is not good for its session"},
	"session.degraded":       {Doc: "the connection is not at its best; data: reason (LINE_SLOW, SCREEN_LOCKED, SECURE_DESKTOP, BROWSER_SLOW, HOST_SLOW), value (LINE_SLOW: kbit/s; BROWSER_SLOW, HOST_SLOW: ms), participant", Host: true},
	"session.restored":       {Doc: "that is over; data: the same reason and participant", Host: true},
	"session.route":          {Doc: "the way that a connection takes; data: route (direct, relay, relay_udp, relay_tls), participant", Host: true},

	"participant.joined":  {Doc: "another participant proved an invite code; data: participant, kind, signed_in"},
	"participant.left":    {Doc: "a participant is out, the session goes on; data: participant, kind, reason, by"},
	"participant.stopped": {Doc: "the person stopped one participant; data: participant", Host: true},
	"invite.made":         {Doc: "the host made an invite code; data: participant (who asked), kind", Host: true},
	"invite.ended":        {Doc: "the invite code is worth nothing any more; data: participant, kind, reason (USED, or why)", Host: true},

	// Data of consent.* names the grant and the participant it is for.
	"consent.shown":   {Doc: "a question was put to the person", Host: true},
	"consent.granted": {Doc: "the person allowed one grant", Host: true},
	"consent.denied":  {Doc: "the person said no, or did not answer", Host: true},
	"consent.revoked": {Doc: "the person took a grant back", Host: true},

	"consent.given_back": {Doc: "the technician gave a grant back", Host: true},
	"session.refused":    {Doc: "the host refused what a side sent, and why", Host: true},
	"protocol.refused":   {Doc: "a side broke the protocol towards the host", Host: true},

	"control.granted":     {Doc: "the technician took the controls", Host: true},
	"control.released":    {Doc: "the technician gave them back, or lost them", Host: true},
	"control.handed_over": {Doc: "a participant's control went over to another one; data: participant (who had it), by", Host: true},
	"input.summary":       {Doc: "how many keys and clicks were applied, never which", Host: true},
	"display.changed":     {Doc: "number and size of the displays", Host: true},
	"host.closed":         {Doc: "the host's own, signed end: its reason and its count of events"},

	"ticket.created":      {Doc: "a ticket was made in the embedded desk"},
	"ticket.closed":       {Doc: "a ticket was closed"},
	"ticket.opened":       {Doc: "a ticket was opened again"},
	"ticket.linked":       {Doc: "the session belongs to this ticket"},
	"ticket.note_queued":  {Doc: "a note waits to be written to the ticket"},
	"ticket.note_written": {Doc: "the note stands in the ticket"},
	"ticket.note_failed":  {Doc: "the note could not be written and was given up"},

	"auth.login":        {Doc: "somebody signed in"},
	"auth.failed":       {Doc: "a sign-in was refused"},
	"auth.logout":       {Doc: "somebody signed out, or was signed out"},
	"auth.disabled":     {Doc: "an account was closed and its sign-ins ended"},
	"auth.link_created": {Doc: "a one-time sign-in link was made"},
	"auth.link_used":    {Doc: "a one-time sign-in link was used; the account is made"},

	"log.viewed":       {Doc: "somebody read the log of a session"},
	"log.gap":          {Doc: "events of the host are missing: its count and ours differ"},
	"retention.purged": {Doc: "the keys of the session's personal parts were destroyed"},
}

// Types returns the names of all event types, sorted.
func Types() []string { return slices.Sorted(maps.Keys(eventTypes)) }

// Type returns what a name means; ok is false when there is no such type.
func Type(name string) (t EventType, ok bool) {
	t, ok = eventTypes[name]
	return t, ok
}
