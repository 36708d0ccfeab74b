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
	// Data and Personal name the members that such an event has, as far as it
	// has them, separated by blanks; a member is a token unless ":n" (a number)
	// or ":b" (a truth value) follows. The JSON Schema is made from it.
	Data, Personal string
	// Search names the members of Data and Personal by which a session is found.
	Search string
}

var eventTypes = map[string]EventType{
	"session.requested":      {Doc: "a technician claimed a code for a ticket"},
	"session.code_failed":    {Doc: "a claim failed: wrong, expired or unknown code, or too many tries", Data: "reason", Personal: "address"},
	"session.paired":         {Doc: "host and viewer proved the code to each other; the session is open", Data: "host_key signed_in", Personal: "technician person viewer_address host_address host_software", Search: "technician person viewer_address host_address"},
	"session.bounded":        {Doc: "what the policy takes away from this session; data: ruled_out (grants that nobody gets), minutes (0: no limit)", Data: "ruled_out minutes:n"},
	"session.paused":         {Doc: "the session stands still: a line was lost", Host: true, Data: "line epoch:n participant"},
	"session.resumed":        {Doc: "it goes on", Host: true, Data: "line epoch:n participant"},
	"session.ended":          {Doc: "the session is over, with its reason", Data: "reason by duration_ms:n host_events:n", Personal: "text"},
	"session.closing":        {Doc: "a participant wrote the closing note of the session; data: resolution, code (of the desk, that says more)", Data: "resolution code", Personal: "text"},
	"session.rejected":       {Doc: "a claim was refused before the code was tried: limits, ticket, role", Data: "reason", Personal: "address"},
	"session.resume_refused": {Doc: "a line came with a token that is not good for its session", Data: "line reason", Personal: "address"},
	"session.degraded":       {Doc: "the connection is not at its best; data: reason (LINE_SLOW, SCREEN_LOCKED, SECURE_DESKTOP, BROWSER_SLOW, HOST_SLOW), value (LINE_SLOW: kbit/s; BROWSER_SLOW, HOST_SLOW: ms), participant", Host: true, Data: "reason value:n participant"},
	"session.restored":       {Doc: "that is over; data: the same reason and participant", Host: true, Data: "reason participant"},
	"session.route":          {Doc: "the way that a connection takes; data: route (direct, relay, relay_udp, relay_tls), participant", Host: true, Data: "route participant"},

	"participant.joined":  {Doc: "another participant proved an invite code; data: participant, kind, signed_in", Data: "participant kind signed_in", Personal: "technician viewer_address", Search: "technician viewer_address"},
	"participant.left":    {Doc: "a participant is out, the session goes on; data: participant, kind, reason, by", Data: "participant kind reason by"},
	"participant.stopped": {Doc: "the person stopped one participant; data: participant", Host: true, Data: "participant by"},
	"invite.made":         {Doc: "the host made an invite code; data: participant (who asked), kind", Host: true, Data: "participant kind"},
	"invite.ended":        {Doc: "the invite code is worth nothing any more; data: participant, kind, reason (USED, or why)", Host: true, Data: "participant kind reason"},

	// Data of consent.* names the grant and the participant it is for.
	"consent.shown":   {Doc: "a question was put to the person", Host: true, Data: "grant participant text lang sha256"},
	"consent.granted": {Doc: "the person allowed one grant", Host: true, Data: "grant by participant"},
	"consent.denied":  {Doc: "the person said no, or did not answer", Host: true, Data: "grant by participant"},
	"consent.revoked": {Doc: "the person took a grant back", Host: true, Data: "grant by participant"},

	"consent.given_back": {Doc: "the technician gave a grant back", Host: true, Data: "grant by participant"},
	"session.refused":    {Doc: "the host refused what a side sent, and why", Host: true, Data: "from reason participant"},
	"protocol.refused":   {Doc: "a side broke the protocol towards the host", Host: true, Data: "from reason"},

	// Data of chat.* and of what is made for the ticket; a participant that is not
	// there is the person.
	"chat.line":           {Doc: "a line of the chat, where the policy keeps it; a long one has several parts; data: participant (none: the person), whether it goes into the note", Host: true, Data: "participant part:n parts:n noted:b", Personal: "text"},
	"chat.counted":        {Doc: "how many lines of the chat there were, never which", Host: true, Data: "person:n technicians:n"},
	"screenshot.taken":    {Doc: "the host took a picture of the screen for the ticket and sent it to a participant", Host: true, Data: "participant bytes:n width:n height:n sha256"},
	"screenshot.attached": {Doc: "a participant attached a picture to the session, for its ticket", Data: "attachment size:n sha256", Search: "sha256"},
	"sysinfo.read":        {Doc: "the host told a participant what the computer is: how many facts, never which", Host: true, Data: "participant bytes:n items:n missing:n"},
	"sysinfo.attached":    {Doc: "a participant attached what the computer is to the session, for its ticket", Data: "size:n sha256"},
	"session.rated":       {Doc: "the person said how the session was: 1 to 5, 0 without a number", Data: "score:n", Personal: "text"},
	"abuse.reported":      {Doc: "the person says that something was wrong with the session", Personal: "text"},

	"control.granted":     {Doc: "the technician took the controls", Host: true},
	"control.released":    {Doc: "the technician gave them back, or lost them", Host: true},
	"control.handed_over": {Doc: "a participant's control went over to another one; data: participant (who had it), by", Host: true, Data: "grant by participant"},
	"input.summary":       {Doc: "how many keys and clicks were applied, never which", Host: true, Data: "keys:n clicks:n wheel:n characters:n refused:n"},
	"input.held":          {Doc: "the technician's input was held: the person used their own hands, or a window is theirs alone; data: why (person, password, private), never which window", Host: true, Data: "why participant"},
	"clipboard.sent":      {Doc: "something went from one clipboard to the other; data: way (in: to the person, out: to the technician), kind (text, png), size, never what", Host: true, Data: "way kind size:n participant"},
	"display.changed":     {Doc: "number and size of the displays", Host: true, Data: "displays:n width:n height:n"},
	"host.closed":         {Doc: "the host's own, signed end: its reason and its count of events", Data: "reason events:n duration_ms:n signature"},

	// Data of file.*: way (in: to the person, out: from them) and transfer (its number).
	"file.offered":   {Doc: "files were offered; data: files and size in all", Host: true, Data: "way participant transfer:n files:n size:n", Personal: "name"},
	"file.received":  {Doc: "one file arrived whole in the person's folder", Host: true, Data: "way participant transfer:n size:n sha256", Personal: "name", Search: "sha256"},
	"file.sent":      {Doc: "one file of the person's arrived whole at the technician's", Host: true, Data: "way participant transfer:n size:n sha256", Personal: "name", Search: "sha256"},
	"file.refused":   {Doc: "an offer was refused; data: reason", Host: true, Data: "way participant transfer:n reason", Personal: "name"},
	"file.cancelled": {Doc: "a transfer ended before its end; data: reason, and how many bytes had arrived", Host: true, Data: "way participant transfer:n reason size:n", Personal: "name"},
	"marks.summary":  {Doc: "how often a participant pointed, drew and wrote over the screen, never what; data: participant, counts by kind", Host: true, Data: "participant laser:n pen:n arrows:n boxes:n ellipses:n texts:n"},
	"marks.wiped":    {Doc: "the person wiped all marks", Host: true, Data: "by"},
	"steps.added":    {Doc: "a step was offered to the person; data: participant, its number, whether it has a picture", Host: true, Data: "participant step:n picture:b"},
	"steps.approved": {Doc: "the person approved a step", Host: true, Data: "participant step:n picture:b", Personal: "text"},
	"steps.refused":  {Doc: "the person refused a step", Host: true, Data: "participant step:n"},
	"steps.done":     {Doc: "the person ticked a step off", Host: true, Data: "participant step:n"},
	"steps.kept":     {Doc: "the person kept the approved steps in a file; data: how many", Host: true, Data: "steps:n"},

	"reconnect.kept":     {Doc: "what the host needs to come back once after a restart lies on the person's computer; data: for how many seconds at most", Host: true, Data: "seconds:n"},
	"reconnect.returned": {Doc: "the host came back after a restart, and asks the person again; data: how long it was away", Host: true, Data: "away_ms:n"},
	"reconnect.expired":  {Doc: "it was not needed in time, and is removed", Host: true},

	"ticket.created":      {Doc: "a ticket was made in the embedded desk; who made it works on it"},
	"ticket.closed":       {Doc: "a ticket was closed"},
	"ticket.opened":       {Doc: "a ticket was opened again"},
	"ticket.linked":       {Doc: "the session belongs to this ticket"},
	"ticket.none":         {Doc: "the session belongs to no ticket, as the policy allows: no note is written"},
	"ticket.note_queued":  {Doc: "a note waits to be written to the ticket", Data: "system"},
	"ticket.note_written": {Doc: "the note stands in the ticket", Data: "attempts:n system note"},
	"ticket.note_failed":  {Doc: "the note could not be written and was given up", Data: "attempts:n system"},
	"ticket.note_missing": {Doc: "the note that stood in the ticket is gone; it is written again, or no more (deny)", Data: "system"},
	"ticket.note_retried": {Doc: "somebody had a note tried again that was not in its ticket", Data: "attempts:n system"},

	"ticket.urgency_set":       {Doc: "somebody said how urgent a ticket of the embedded desk is", Data: "priority due"},
	"ticket.assigned":          {Doc: "somebody works on the ticket from now on; data: user", Data: "user"},
	"ticket.transferred":       {Doc: "somebody handed the ticket over, to a user or a team; it is theirs until somebody takes it, and nobody is let into a session", Data: "transfer user team"},
	"ticket.transfer_taken":    {Doc: "the first of those took it, and works on it from now on; data: user (who had sent it)", Data: "transfer user"},
	"ticket.transfer_returned": {Doc: "one of those handed it back instead; data: user (to whom), by which transfer", Data: "transfer back user"},
	"ticket.transfer_undone":   {Doc: "who had handed it over undid that before anybody took it", Data: "transfer"},

	"watch.asked":    {Doc: "a supervisor asked the technician to be invited to watch the session; it lets nobody in"},
	"watch.answered": {Doc: "the technician answered that: a code was made (ok), or not now (deny)"},

	"waiting.came":  {Doc: "somebody without a technician on the phone began to wait; data: how many wait then", Data: "waiting:n"},
	"waiting.taken": {Doc: "a technician took somebody who waited: a ticket was opened or made, no session; data: how long they had waited", Data: "waited_ms:n"},
	"waiting.left":  {Doc: "somebody waits no more and was not taken; data: reason (LEFT, UNSEEN, TOO_LONG), how long they had waited", Data: "reason waited_ms:n"},

	// Data of appointment.*: which one, whose, when it begins, how long it is.
	"appointment.made":      {Doc: "a technician and a person agreed on a time at which both will be there; it opens nothing", Data: "appointment user starts minutes:n", Personal: "text"},
	"appointment.changed":   {Doc: "the appointment has another time, purpose or list", Data: "appointment user starts minutes:n", Personal: "text"},
	"appointment.cancelled": {Doc: "the appointment was called off by a technician, with a reason that the person reads", Data: "appointment user starts minutes:n", Personal: "text"},
	"appointment.declined":  {Doc: "the person said that they cannot come", Data: "appointment user starts minutes:n", Personal: "text"},
	"appointment.kept":      {Doc: "the appointment took place, as its technician says, or because there was a session of its ticket (system)", Data: "appointment user starts minutes:n"},
	"appointment.missed":    {Doc: "the appointment did not take place, as its technician says", Data: "appointment user starts minutes:n"},

	"phrase.added":       {Doc: "a canned text was added; data: its id and language", Data: "phrase lang", Personal: "name"},
	"phrase.changed":     {Doc: "a canned text was changed", Data: "phrase lang", Personal: "name"},
	"phrase.removed":     {Doc: "a canned text was removed", Data: "phrase lang", Personal: "name"},
	"resolution.set":     {Doc: "a resolution code was made or changed; data: the code and the outcome it belongs to", Data: "code outcome"},
	"resolution.removed": {Doc: "a resolution code was removed", Data: "code outcome"},
	"solution.promoted":  {Doc: "the closing note of the session was made a solution for others; data: its id", Data: "solution"},
	"solution.changed":   {Doc: "a solution was mended", Data: "solution"},
	"solution.withdrawn": {Doc: "a solution was withdrawn: it is suggested no more", Data: "solution"},
	"solution.restored":  {Doc: "a withdrawn solution is suggested again", Data: "solution"},

	"ticket.link_made":     {Doc: "links to a ticket were made, for the person and the technician"},
	"ticket.hook_received": {Doc: "a desk told of a ticket by a signed webhook; data: desk, kind (closed, opened, assigned, changed), user (to whom, if known here)", Data: "desk kind user"},

	"auth.login":        {Doc: "somebody signed in", Data: "method", Personal: "name address"},
	"auth.failed":       {Doc: "a sign-in was refused", Data: "method provider", Personal: "address name"},
	"auth.logout":       {Doc: "somebody signed out, or was signed out"},
	"auth.disabled":     {Doc: "an account was closed and its sign-ins ended", Data: "user signins:n"},
	"auth.link_created": {Doc: "a one-time sign-in link was made: for a new account, or for a new password of a user", Data: "role setup:b user"},
	"auth.link_used":    {Doc: "a one-time sign-in link was used; the account is made, or has a new password (reset)", Data: "role reset:b"},

	"auth.role_changed":  {Doc: "a user was given another role, and every sign-in of theirs ended", Data: "user from role signins:n"},
	"auth.enabled":       {Doc: "a closed account was opened again", Data: "user"},
	"auth.signins_ended": {Doc: "every sign-in of a user was ended", Data: "user signins:n"},
	"auth.provided":      {Doc: "an account was made for somebody whom a sign-in provider vouches for", Data: "user role provider", Personal: "name"},

	"team.created": {Doc: "a team was made", Data: "team tier:n", Personal: "name"},
	"team.changed": {Doc: "a team was given another name or tier", Data: "team tier:n", Personal: "name"},
	"team.removed": {Doc: "a team was taken away", Data: "team tier:n", Personal: "name"},
	"team.joined":  {Doc: "a user is in a team from now on", Data: "user team"},
	"team.left":    {Doc: "a user is in a team no more", Data: "user team"},

	"auth.locked":       {Doc: "so many sign-ins of an account failed that no more are taken for a while", Data: "method", Personal: "address"},
	"auth.stepped_up":   {Doc: "somebody who is signed in proved again who they are; data: method (code, recovery, passkey, password)", Data: "method"},
	"factor.added":      {Doc: "somebody added a second factor or a passkey to their account; data: kind (totp, passkey), factor (its id)", Data: "kind factor"},
	"factor.removed":    {Doc: "somebody removed one", Data: "kind factor"},
	"factor.reset":      {Doc: "all factors and recovery codes of an account were removed where the server runs, and its sign-ins ended; data: user", Data: "user factors:n signins:n"},
	"factor.codes_made": {Doc: "somebody had new recovery codes made; the earlier ones are worth nothing", Data: "codes:n"},
	"factor.code_used":  {Doc: "a recovery code was used; data: how many are left", Data: "left:n"},

	"token.created": {Doc: "an API token was made; data: its id, role and owner, and what it may be used for", Data: "token role scopes owner", Personal: "name"},
	"token.revoked": {Doc: "an API token was revoked; data: its id", Data: "token", Personal: "name"},

	"log.viewed":         {Doc: "somebody read the log of a session", Data: "size:n"},
	"log.gap":            {Doc: "events of the host are missing: its count and ours differ", Data: "after:n next:n host_events:n seq:n type why"},
	"log.verify":         {Doc: "somebody took the proof of a session, to verify it in a browser; data: size of the log that it is held to", Data: "size:n"},
	"log.exported":       {Doc: "the log left the house: which format, up to which line, with or without personal parts", Data: "format size:n personal:b"},
	"log.key_rotated":    {Doc: "checkpoints are signed by a new key from here on; the old one signs for it and for the tree before this line", Data: "old new size:n root signature"},
	"brand.set":          {Doc: "the help desk shows itself otherwise on its pages; data: logo (SHA-256 of the picture) and accent (colour, rrggbb) that are and were, empty for none; sealed: the name that is and was", Data: "version:n logo was_logo accent was_accent", Personal: "name was"},
	"desk.added":         {Doc: "an admin connected a service desk; sealed: its address", Data: "desk system", Personal: "address"},
	"desk.changed":       {Doc: "an admin changed how a service desk is reached; data: secrets (names of those that were given anew); sealed: the address that is and was", Data: "desk system secrets", Personal: "address was"},
	"desk.removed":       {Doc: "an admin took a service desk away; notes for its tickets wait; sealed: its address", Data: "desk system", Personal: "address"},
	"desk.checked":       {Doc: "an admin had a service desk called to see whether it can be used; data: trouble (why not); sealed: the address that was called", Data: "desk system trouble", Personal: "address"},
	"desk.policy_set":    {Doc: "what is wanted of sessions and their tickets was changed; data: what is, and what was", Data: "desk ticket note chat offline was_desk was_ticket was_note was_chat was_offline"},
	"policy.set":         {Doc: "what sessions may be at most was changed; data: version, and for preset, ruled_out (grants that nobody gets), minutes (of a session, 0: no limit) and factor (roles that must have a second factor) what is and what was", Data: "version:n preset was_preset ruled_out was_ruled_out minutes:n was_minutes:n factor was_factor"},
	"policy.changed":     {Doc: "a retention policy was put in force; 0 days: kept for ever", Data: "policy sessions_days:n outside_days:n"},
	"legal_hold.set":     {Doc: "nothing of the session may be purged until this is lifted", Personal: "why"},
	"legal_hold.cleared": {Doc: "the session may be purged again", Personal: "why"},
	"retention.purged":   {Doc: "personal parts of the session, or of lines outside sessions, were destroyed with their keys", Data: "why records:n from:n to:n"},
}

// Types returns the names of all event types, sorted.
func Types() []string { return slices.Sorted(maps.Keys(eventTypes)) }

// Type returns what a name means; ok is false when there is no such type.
func Type(name string) (t EventType, ok bool) {
	t, ok = eventTypes[name]
	return t, ok
}
