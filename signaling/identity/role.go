package identity

import "slices"

// Role is what a user may do. A user has exactly one.
type Role string

// The four roles of people who sign in.
const (
	Technician Role = "technician" // works on tickets, claims codes
	Supervisor Role = "supervisor" // as a technician, and sees every session
	Auditor    Role = "auditor"    // reads sessions and their events, nothing else
	Admin      Role = "admin"      // settings; can never claim or read events
)

// Roles are all roles.
func Roles() []Role { return []Role{Technician, Supervisor, Auditor, Admin} }

// ParseRole is the role of that name.
func ParseRole(s string) (Role, bool) {
	r := Role(s)
	return r, slices.Contains(Roles(), r)
}

// access is a row of the table: who may use a route.
type access struct {
	anyone bool
	roles  []Role
	scope  Scope // of tokens that may use it too; empty: none may
}

// by is a row for tokens of that scope too.
func (a access) by(s Scope) access {
	a.scope = s
	return a
}

var (
	anyone   = access{anyone: true}
	signedIn = access{roles: Roles()}
	readDesk = access{roles: []Role{Technician, Supervisor, Admin}}
	workDesk = access{roles: []Role{Technician, Supervisor}}
	sessions = access{roles: []Role{Supervisor, Auditor, Admin}}
	evidence = access{roles: []Role{Supervisor, Auditor}}
	// Technicians only those of sessions that they had part in.
	seePictures = access{roles: []Role{Technician, Supervisor, Auditor}}
	outbox      = access{roles: []Role{Supervisor, Admin}}
	settings    = access{roles: []Role{Admin}}
	wording     = access{roles: []Role{Supervisor, Admin}}
	// How the lines stand now and what the person allowed. Not for an admin, who never
	// learns what is in a session (see Admin).
	supervise = access{roles: []Role{Supervisor}}
)

// table is the only place that says who may use a route of the server. What has
// no row is denied to everybody, and what has no scope to every API token; a test
// walks every route, every role and every scope. No socket has a scope: a program
// can neither be a technician nor watch one.
var table = map[string]access{
	"GET /{$}":             anyone,
	"GET /download/{file}": anyone,
	"GET /help/{token}":    anyone, // a person, with a link to a ticket
	"GET /signin":          anyone,
	"GET /signin/{token}":  anyone,
	// To a sign-in provider, and back with what it says.
	"GET /signin/with/{provider}":  anyone,
	"GET /signin/back/{provider}":  anyone,
	"GET /api/v1/signin/providers": anyone,
	"GET /assets/":                 anyone,
	"GET /viewer/":                 anyone,
	"GET /receipt":                 anyone,
	"GET /healthz":                 anyone,
	"GET /readyz":                  anyone,

	"GET /console": readDesk,
	"GET /audit":   sessions,
	"GET /launch":  workDesk,
	"GET /admin":   settings,

	"POST /api/v1/signin":     anyone,
	"GET /api/v1/signin/link": anyone,
	// The one-time link itself is the right to use it.
	"POST /api/v1/signin/link": anyone,
	"POST /api/v1/signout":     signedIn,
	"GET /api/v1/me":           signedIn,
	"PUT /api/v1/me/lang":      signedIn,

	// One's own sign-in. What needs a fresh proof asks for it there.
	"GET /account":                   signedIn,
	"POST /api/v1/me/failures":       signedIn,
	"GET /api/v1/me/factors":         signedIn,
	"DELETE /api/v1/me/factors/{id}": signedIn,
	"POST /api/v1/me/totp":           signedIn,
	"POST /api/v1/me/totp/confirm":   signedIn,
	"POST /api/v1/me/recovery":       signedIn,
	"POST /api/v1/me/passkeys":       signedIn,
	"PUT /api/v1/me/passkeys":        signedIn,
	"POST /api/v1/passkey":           anyone, // a challenge; nothing is kept
	"POST /api/v1/signin/passkey":    anyone,
	"GET /api/v1/stepup":             signedIn,
	"POST /api/v1/stepup":            signedIn,

	"GET /api/v1/desks":               readDesk,
	"GET /api/v1/tickets":             readDesk.by(ReadTickets),
	"POST /api/v1/tickets":            workDesk,
	"GET /api/v1/tickets/{id}":        readDesk.by(ReadTickets),
	"POST /api/v1/tickets/{id}/close": workDesk,
	"POST /api/v1/tickets/{id}/open":  workDesk,
	"POST /api/v1/tickets/{id}/notes": workDesk,

	// Which notes wait and why, never what they say.
	"GET /api/v1/outbox":             outbox,
	"POST /api/v1/outbox/{id}/retry": outbox,

	"GET /api/v1/sessions": sessions.by(ReadSessions),
	"GET /api/v1/queue":    workDesk,
	"GET /api/v1/news":     readDesk,
	// The desk's signature is the right to it.
	"POST /hooks/{desk}": anyone,
	// Links to a ticket, with which a session can begin; it opens none.
	"POST /api/v1/sessions":            workDesk.by(Launch),
	"GET /api/v1/sessions/export":      evidence,
	"GET /api/v1/sessions/{id}/events": evidence,
	"GET /api/v1/sessions/{id}/proof":  evidence,
	"GET /api/v1/sessions/{id}/export": evidence,
	// A technician only of a session that he had part in.
	"POST /api/v1/sessions/{id}/receipt": workDesk,
	// The link itself is the right to the person's receipt.
	"GET /api/v1/receipts/{token}": anyone,
	// And to what the person says about it afterwards.
	"POST /api/v1/receipts/{token}/feedback": anyone,
	"POST /api/v1/receipts/{token}/abuse":    anyone,
	// From who takes part, which is asked there; a picture also for who may see every
	// session.
	"POST /api/v1/sessions/{id}/attachments":       workDesk,
	"PUT /api/v1/sessions/{id}/system":             workDesk,
	"GET /api/v1/sessions/{id}/attachments/{file}": seePictures,
	// Whose session it may be is asked there: a technician ends the one that he
	// leads, a supervisor any. Nobody joins one but by an invite code.
	"POST /api/v1/sessions/{id}/end": workDesk,
	// From who took part, which is asked there.
	"POST /api/v1/sessions/{id}/closing": workDesk,

	// A token is made where the server runs, as accounts are.
	"GET /api/v1/tokens":         settings,
	"DELETE /api/v1/tokens/{id}": settings,

	// Who may do what. Nobody changes what he may do himself but an admin, and the
	// last one cannot leave.
	"GET /api/v1/users":               settings,
	"POST /api/v1/users":              settings,
	"POST /api/v1/users/{id}/link":    settings,
	"POST /api/v1/users/{id}/role":    settings,
	"PUT /api/v1/users/{id}/teams":    settings,
	"POST /api/v1/users/{id}/disable": settings,
	"POST /api/v1/users/{id}/enable":  settings,
	"POST /api/v1/users/{id}/signout": settings,
	"GET /api/v1/teams":               settings,
	"POST /api/v1/teams":              settings,
	"PUT /api/v1/teams/{id}":          settings,
	"DELETE /api/v1/teams/{id}":       settings,
	// And who changed it: no event of a session.
	"GET /api/v1/changes": settings,
	// What sessions may be at most; changing it asks for a fresh proof there.
	"GET /api/v1/policy": settings,
	"PUT /api/v1/policy": settings,
	// Which service desks there are and how they are reached; a change, and a call of one
	// that is not connected yet, ask for a fresh proof there.
	"GET /api/v1/desks/setup":               settings,
	"POST /api/v1/desks/setup":              settings,
	"POST /api/v1/desks/setup/check":        settings,
	"PUT /api/v1/desks/setup/{desk}":        settings,
	"DELETE /api/v1/desks/setup/{desk}":     settings,
	"POST /api/v1/desks/setup/{desk}/check": settings,
	"PUT /api/v1/desks/policy":              settings,
	// How the help desk calls itself on its pages.
	"GET /api/v1/brand": settings,
	"PUT /api/v1/brand": settings,
	// Before it is shown.
	"POST /api/v1/brand/logo":     settings,
	"GET /api/v1/brand/logo/{id}": settings,
	"GET /api/v1/brand/palette":   settings,
	// As everybody sees it.
	"GET /brand/{file}": anyone,

	// The page itself holds nothing: an admin may hold it to the release.
	"GET /supervise":                {roles: []Role{Supervisor, Admin}},
	"GET /api/v1/supervise/live":    supervise,
	"GET /api/v1/supervise/figures": supervise,
	// A wish, told to who leads the session. Only an invite code lets anybody in.
	"POST /api/v1/supervise/sessions/{id}/watch": supervise,
	// From who was asked, which is looked at there.
	"POST /api/v1/sessions/{id}/watched": workDesk,
	"GET /api/v1/watches":                workDesk,
	// Persons who have nobody on the phone. Waiting gives access to nothing.
	"GET /wait":               anyone,
	"POST /wait":              anyone,
	"GET /help/{token}/wait":  anyone,
	"POST /help/{token}/wait": anyone,
	// The token is the right to one's own place in the queue.
	"GET /wait/{token}":              anyone,
	"GET /wait/{token}/live":         anyone,
	"POST /wait/{token}/leave":       anyone,
	"GET /api/v1/waiting":            workDesk,
	"POST /api/v1/waiting/{id}/take": workDesk,

	// The token is the right to read of one appointment, and to call it off. Coming to it
	// gives access to nothing, as waiting does. Whose an appointment is is looked at there.
	"GET /appointment/{token}":              anyone,
	"GET /appointment/{token}/calendar.ics": anyone,
	"GET /appointment/{token}/app":          anyone,
	"GET /appointment/{token}/wait":         anyone,
	"POST /appointment/{token}/wait":        anyone,
	"POST /appointment/{token}/decline":     anyone,
	"GET /api/v1/appointments":              workDesk,
	"POST /api/v1/tickets/{id}/appointment": workDesk,
	"PUT /api/v1/appointments/{id}":         workDesk,
	"POST /api/v1/appointments/{id}/cancel": workDesk,
	"POST /api/v1/appointments/{id}/end":    workDesk,

	// What is written with: who works with it picks, who leads keeps it.
	"GET /words":                      wording,
	"GET /api/v1/phrases":             readDesk,
	"POST /api/v1/phrases":            wording,
	"PUT /api/v1/phrases/{id}":        wording,
	"DELETE /api/v1/phrases/{id}":     wording,
	"GET /api/v1/resolutions":         readDesk,
	"PUT /api/v1/resolutions/{id}":    wording,
	"DELETE /api/v1/resolutions/{id}": wording,
	// From who took part, as the closing note itself.
	"POST /api/v1/sessions/{id}/closing/preview": workDesk,
	// Who works on what. Whether a ticket may be taken, handed back or undone by the one
	// who asks is looked at there.
	"GET /api/v1/work":                   workDesk,
	"GET /api/v1/colleagues":             workDesk,
	"PUT /api/v1/availability":           workDesk,
	"PUT /api/v1/tickets/{id}/urgency":   workDesk,
	"POST /api/v1/tickets/{id}/take":     workDesk,
	"POST /api/v1/tickets/{id}/transfer": workDesk,
	"POST /api/v1/transfers/{id}/take":   workDesk,
	"POST /api/v1/transfers/{id}/return": workDesk,
	"POST /api/v1/transfers/{id}/undo":   workDesk,
	"GET /api/v1/tickets/{id}/solutions": readDesk,
	// Of a session that they took part in; mended by their author or a supervisor.
	"GET /api/v1/solutions/draft":          workDesk,
	"POST /api/v1/solutions":               workDesk,
	"PUT /api/v1/solutions/{id}":           workDesk,
	"POST /api/v1/solutions/{id}/withdraw": workDesk,
	"POST /api/v1/solutions/{id}/restore":  workDesk,

	// Hosts have no account: the code is what lets a technician in (C1).
	"GET /ws/host": anyone,
	// The right to claim (C3).
	"GET /ws/viewer": workDesk,
}

// Authorize tells whether user may use the route registered under pattern. user
// is nil for somebody who has not signed in. It returns nil, ErrNotSignedIn or
// ErrNotAllowed.
func Authorize(pattern string, user *User) error {
	row := table[pattern]
	switch {
	case row.anyone:
		return nil
	case len(row.roles) == 0:
		return ErrNotAllowed
	case user == nil:
		return ErrNotSignedIn
	case !slices.Contains(row.roles, user.Role):
		return ErrNotAllowed
	}
	return nil
}

// Patterns are the routes that have a row, in no order.
func Patterns() []string {
	out := make([]string, 0, len(table))
	for p := range table {
		out = append(out, p)
	}
	return out
}

// Public tells whether a route needs no sign-in at all.
func Public(pattern string) bool { return table[pattern].anyone }
