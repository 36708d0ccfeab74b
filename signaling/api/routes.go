package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/text/language"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/web"
)

// call is one request and what is known about who sent it.
type call struct {
	*http.Request
	id   string
	lang string // "en" or "fr"
	in   *identity.SignIn
	by   *identity.Token // instead of in, where the table lets a program in
}

// user is who signed in, nil for nobody.
func (c *call) user() *identity.User {
	if c.in == nil {
		return nil
	}
	return &c.in.User
}

// actor is who called, for the log.
func (c *call) actor() audit.Actor {
	if c.by != nil {
		return audit.Actor{Kind: "integration", Ref: c.by.ID}
	}
	return audit.Actor{Kind: string(c.in.User.Role), Ref: c.in.User.ID}
}

// allowed asks the table.
func (c *call) allowed(pattern string) error {
	if c.by != nil {
		return identity.AuthorizeToken(pattern, *c.by)
	}
	return identity.Authorize(pattern, c.user())
}

// route of the server: a handler returns an error instead of writing one.
type route func(w http.ResponseWriter, c *call) error

// build registers every route there is.
func (s *Server) build() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]route{
		"GET /{$}":             s.landing,
		"GET /help/{token}":    s.help,
		"GET /launch":          s.launchPage,
		"GET /download/{file}": s.download,
		"GET /signin":          s.page("signin.html"),
		"GET /signin/{token}":  s.page("signin.html"),

		"GET /signin/with/{provider}":  s.toProvider,
		"GET /signin/back/{provider}":  s.fromProvider,
		"GET /api/v1/signin/providers": s.listProviders,

		"GET /console":   s.page("console.html"),
		"GET /audit":     s.page("audit.html"),
		"GET /admin":     s.page("admin.html"),
		"GET /receipt":   s.page("receipt.html"),
		"GET /supervise": s.page("supervise.html"),

		"GET /wait":                s.waitForm,
		"POST /wait":               s.come,
		"GET /help/{token}/wait":   s.waitForm,
		"POST /help/{token}/wait":  s.come,
		"GET /wait/{token}":        s.wait,
		"GET /wait/{token}/live":   s.waitLive,
		"POST /wait/{token}/leave": s.leaveWaiting,

		"GET /assets/": s.asset,
		"GET /viewer/": s.viewerFile,
		"GET /healthz": s.healthz,
		"GET /readyz":  s.readyz,

		"POST /api/v1/signin":      s.signIn,
		"GET /api/v1/signin/link":  s.lookLink,
		"POST /api/v1/signin/link": s.useLink,
		"POST /api/v1/signout":     s.signOut,
		"GET /api/v1/me":           s.me,
		"PUT /api/v1/me/lang":      s.setLang,

		"GET /account":                   s.page("account.html"),
		"POST /api/v1/me/failures":       s.sawFailures,
		"GET /api/v1/me/factors":         s.factors,
		"DELETE /api/v1/me/factors/{id}": s.removeFactor,
		"POST /api/v1/me/totp":           s.newTOTP,
		"POST /api/v1/me/totp/confirm":   s.confirmTOTP,
		"POST /api/v1/me/recovery":       s.newRecovery,
		"POST /api/v1/me/passkeys":       s.offerPasskey,
		"PUT /api/v1/me/passkeys":        s.addPasskey,
		"POST /api/v1/passkey":           s.askPasskey,
		"POST /api/v1/signin/passkey":    s.signInByPasskey,
		"GET /api/v1/stepup":             s.needStepUp,
		"POST /api/v1/stepup":            s.stepUp,

		"GET /api/v1/desks/setup":               s.showSetup,
		"POST /api/v1/desks/setup":              s.addDesk,
		"POST /api/v1/desks/setup/check":        s.tryDesk,
		"PUT /api/v1/desks/setup/{desk}":        s.setDesk,
		"DELETE /api/v1/desks/setup/{desk}":     s.removeDesk,
		"POST /api/v1/desks/setup/{desk}/check": s.checkDesk,
		"PUT /api/v1/desks/policy":              s.setTicketPolicy,

		"GET /api/v1/desks":               s.desks,
		"GET /api/v1/tickets":             s.listTickets,
		"POST /api/v1/tickets":            s.createTicket,
		"GET /api/v1/tickets/{id}":        s.ticket,
		"POST /api/v1/tickets/{id}/close": s.setOpen(false),
		"POST /api/v1/tickets/{id}/open":  s.setOpen(true),
		"POST /api/v1/tickets/{id}/notes": s.addNote,

		"GET /api/v1/outbox":             s.waitingNotes,
		"POST /api/v1/outbox/{id}/retry": s.retryNote,

		"GET /api/v1/queue":  s.queue,
		newsPattern:          s.listen,
		"POST /hooks/{desk}": s.hook,

		"GET /api/v1/sessions":               s.listSessions,
		"POST /api/v1/sessions":              s.makeLinks,
		"GET /api/v1/sessions/export":        s.exportList,
		"GET /api/v1/sessions/{id}/events":   s.sessionEvents,
		"GET /api/v1/sessions/{id}/proof":    s.sessionProof,
		"GET /api/v1/sessions/{id}/export":   s.exportSession,
		"POST /api/v1/sessions/{id}/receipt": s.linkReceipt,
		"POST /api/v1/sessions/{id}/end":     s.endSession,
		"POST /api/v1/sessions/{id}/closing": s.closeSession,
		"GET /api/v1/receipts/{token}":       s.receipt,

		"POST /api/v1/receipts/{token}/feedback":       s.feedback,
		"POST /api/v1/receipts/{token}/abuse":          s.abuse,
		"POST /api/v1/sessions/{id}/attachments":       s.attach,
		"GET /api/v1/sessions/{id}/attachments/{file}": s.attachment,
		"PUT /api/v1/sessions/{id}/system":             s.attachSystem,

		"GET /api/v1/tokens":         s.listTokens,
		"DELETE /api/v1/tokens/{id}": s.revokeToken,

		"GET /api/v1/policy": s.showPolicy,
		"PUT /api/v1/policy": s.setPolicy,
		"GET /api/v1/brand":  s.showBrand,
		"PUT /api/v1/brand":  s.setBrand,

		"GET /brand/{file}":           s.brandFile,
		"POST /api/v1/brand/logo":     s.addLogo,
		"GET /api/v1/brand/logo/{id}": s.addedLogo,
		"GET /api/v1/brand/palette":   s.judgeColour,

		"GET /api/v1/users":                          s.listUsers,
		"POST /api/v1/users":                         s.inviteUser,
		"POST /api/v1/users/{id}/link":               s.resetUser,
		"POST /api/v1/users/{id}/role":               s.setRole,
		"PUT /api/v1/users/{id}/teams":               s.setUserTeams,
		"POST /api/v1/users/{id}/disable":            s.change(s.disableUser),
		"POST /api/v1/users/{id}/enable":             s.change(s.enableUser),
		"POST /api/v1/users/{id}/signout":            s.change(s.signOutUser),
		"GET /api/v1/teams":                          s.listTeams,
		"POST /api/v1/teams":                         s.makeTeam,
		"PUT /api/v1/teams/{id}":                     s.setTeam,
		"DELETE /api/v1/teams/{id}":                  s.removeTeam,
		"GET /api/v1/changes":                        s.listChanges,
		"GET /api/v1/supervise/live":                 s.liveSessions,
		"GET /api/v1/supervise/figures":              s.figures,
		"POST /api/v1/supervise/sessions/{id}/watch": s.askToWatch,
		"POST /api/v1/sessions/{id}/watched":         s.answerWatch,
		"GET /api/v1/watches":                        s.watches,
		"GET /api/v1/waiting":                        s.listWaiting,
		"POST /api/v1/waiting/{id}/take":             s.takeWaiting,

		"GET /appointment/{token}":              s.showAppointment,
		"GET /appointment/{token}/calendar.ics": s.appointmentCalendar,
		"GET /appointment/{token}/app":          s.appointmentApp,
		"GET /appointment/{token}/wait":         s.waitForm,
		"POST /appointment/{token}/wait":        s.come,
		"POST /appointment/{token}/decline":     s.declineAppointment,
		"GET /api/v1/appointments":              s.listAppointments,
		"POST /api/v1/tickets/{id}/appointment": s.makeAppointment,
		"PUT /api/v1/appointments/{id}":         s.changeAppointment,
		"POST /api/v1/appointments/{id}/cancel": s.cancelAppointment,
		"POST /api/v1/appointments/{id}/end":    s.endAppointment,

		"GET /words":                                 s.page("words.html"),
		"GET /api/v1/phrases":                        s.listPhrases,
		"POST /api/v1/phrases":                       s.addPhrase,
		"PUT /api/v1/phrases/{id}":                   s.setPhrase,
		"DELETE /api/v1/phrases/{id}":                s.removePhrase,
		"GET /api/v1/resolutions":                    s.listResolutions,
		"PUT /api/v1/resolutions/{id}":               s.setResolution,
		"DELETE /api/v1/resolutions/{id}":            s.removeResolution,
		"POST /api/v1/sessions/{id}/closing/preview": s.previewClosing,
		"GET /api/v1/work":                           s.work,
		"GET /api/v1/colleagues":                     s.colleagues,
		"PUT /api/v1/availability":                   s.setAvailability,
		"PUT /api/v1/tickets/{id}/urgency":           s.setUrgency,
		"POST /api/v1/tickets/{id}/take":             s.takeTicket,
		"POST /api/v1/tickets/{id}/transfer":         s.handOver,
		"POST /api/v1/transfers/{id}/take":           s.takeTransfer,
		"POST /api/v1/transfers/{id}/return":         s.returnTransfer,
		"POST /api/v1/transfers/{id}/undo":           s.undoTransfer,
		"GET /api/v1/tickets/{id}/solutions":         s.suggest,
		"GET /api/v1/solutions/draft":                s.draftSolution,
		"POST /api/v1/solutions":                     s.promote,
		"PUT /api/v1/solutions/{id}":                 s.mendSolution,
		"POST /api/v1/solutions/{id}/withdraw":       s.withdraw(true),
		"POST /api/v1/solutions/{id}/restore":        s.withdraw(false),

		"GET /ws/host":   s.wsHost,
		"GET /ws/viewer": s.wsViewer,
	} {
		s.routes = append(s.routes, pattern)
		mux.Handle(pattern, s.guard(pattern, h))
	}

	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, s.newCall(r), errCrossOrigin)
	}))
	return s.outermost(cross.Handler(s.orElse(mux)))
}

// guard lets a request through to its route if the table allows it.
func (s *Server) guard(pattern string, h route) http.Handler {
	// No cookie is read where none is needed: /ws/host must not even know one.
	open := identity.Public(pattern)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := s.newCall(r)
		err := error(nil)
		if !open {
			err = s.who(c, pattern == newsPattern)
		}
		if err == nil {
			err = c.allowed(pattern)
		}
		if err == nil && c.in != nil && s.house.users.Lacks(*c.in) && !forFactors[pattern] {
			err = errFactorNeeded
		}
		if err == nil {
			err = h(w, c)
		}
		if err != nil {
			s.fail(w, c, err)
		}
		s.log.Debug("request", "id", c.id, "route", pattern, "ms", time.Since(began).Milliseconds(), "problem", errText(err))
	})
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return asProblem(err).code
}

// requestID is the header of a request's id, in the answer and in the log.
const requestID = "X-Request-Id"

// newCall begins a call: an id for the log, and the language of its answers.
func (s *Server) newCall(r *http.Request) *call {
	return &call{Request: r, id: r.Header.Get(requestID), lang: requestLang(r)}
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.French})

// requestLang is the language chosen in the address or before, else what the
// browser asks for, else English.
func requestLang(r *http.Request) string {
	if l := r.URL.Query().Get("lang"); l == "en" || l == "fr" {
		return l
	}
	if k, err := r.Cookie("mf_lang"); err == nil && (k.Value == "en" || k.Value == "fr") {
		return k.Value
	}
	accept := r.Header.Get("Accept-Language")
	if len(accept) > 256 {
		return "en"
	}
	_, i := language.MatchStrings(matcher, accept)
	return []string{"en", "fr"}[i]
}

// who finds the sign-in or the API token of a call. None is no error: the table
// decides. Both at once are: a page of ours never sends a token, so that is
// somebody who tries what a mixture gets. A call that only looks is no use of the
// sign-in.
func (s *Server) who(c *call, looks bool) error {
	k, err := c.Cookie(s.cookieName())
	secret, bearer := bearer(c.Header)
	switch {
	case bearer && err == nil:
		return errTwoCredentials
	case bearer:
		t, err := s.house.users.CheckToken(c.Context(), secret, from(c.Request))
		if err != nil {
			return err
		}
		c.by = &t
		return nil
	case err != nil:
		return nil
	}
	check := s.house.users.Check
	if looks {
		check = s.house.users.Look
	}
	in, err := check(c.Context(), k.Value)
	if errors.Is(err, identity.ErrNotSignedIn) {
		return nil
	}
	if err != nil {
		return err
	}
	c.in = &in
	return nil
}

// bearer is the token in the Authorization header. Other schemes are those of
// proxies in front of us.
func bearer(h http.Header) (secret string, ok bool) {
	for _, v := range h.Values("Authorization") {
		scheme, rest, _ := strings.Cut(v, " ")
		if strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// isProgram tells whether a path is for programs, not for people.
func isProgram(path string) bool {
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/ws/") || strings.HasPrefix(path, "/hooks/")
}

// followed tells whether a person followed a link here: a note in a ticket links to
// the pictures that belong to it, which lie under /api/.
func followed(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Dest") == "document" && strings.HasPrefix(r.URL.Path, "/api/")
}

// fail answers a call that did not work: a page for people, JSON for programs.
func (s *Server) fail(w http.ResponseWriter, c *call, err error) {
	p := asProblem(err)
	if errors.Is(err, context.Canceled) && c.Context().Err() != nil {
		return // nobody is listening
	}
	switch {
	case p == errInternal, p == errUnavailable:
		s.log.Error("a request failed", "id", c.id, "error", err)
	case p.status == http.StatusBadGateway, p == errDeskBusy:
		s.log.Warn("a service desk failed a request", "id", c.id, "problem", p.code, "error", err)
	}
	if isProgram(c.URL.Path) && !(p == errNotSignedIn && followed(c.Request)) {
		refuse(w, p, c.lang, c.id, after(err))
		return
	}
	if p == errNotSignedIn {
		http.Redirect(w, c.Request, "/signin?next="+url.QueryEscape(c.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	if p == errFactorNeeded {
		http.Redirect(w, c.Request, "/account", http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.status)
	if err := web.Error(w, c.lang, s.branded(), p.status); err != nil {
		s.log.Error("no error page", "id", c.id, "error", err)
	}
}

// orElse answers what no route matches in our own words; ServeMux's are English
// and plain.
func (s *Server) orElse(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var probe probe
		h.ServeHTTP(&probe, r)
		c := s.newCall(r)
		switch {
		case probe.status == http.StatusMethodNotAllowed:
			w.Header()["Allow"] = probe.Header()["Allow"]
			s.fail(w, c, errMethod)
		default:
			s.fail(w, c, errNotFound)
		}
	})
}

// probe hears the status of a handler and throws the rest away.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// contentPolicy is the Content-Security-Policy of every answer.
const contentPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; " +
	"img-src 'self' blob:; media-src blob:; style-src 'self'; font-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types svelte-trusted-html mf-worker"

// strictHeaders are those of every answer, whatever it is.
var strictHeaders = map[string]string{
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"Cross-Origin-Resource-Policy": "same-origin",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"X-Frame-Options":              "DENY",
	"Permissions-Policy":           "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=(), fullscreen=(self), keyboard-map=(self), clipboard-read=(self), clipboard-write=(self)",
}

// outermost sets the headers that every answer has, and keeps a fault of ours
// from ending the server.
func (s *Server) outermost(next http.Handler) http.Handler {
	fixed := maps.Clone(strictHeaders)
	fixed["Content-Security-Policy"] = contentPolicy
	fixed["Cache-Control"] = "no-store"
	if s.cfg.Secure && strings.Contains(s.cfg.PublicHost, ".") && !strings.HasSuffix(s.cfg.PublicHost, ".test") {
		if _, err := netip.ParseAddr(s.cfg.PublicHost); err != nil { // a name: development addresses stay free
			fixed["Strict-Transport-Security"] = "max-age=31536000"
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range fixed {
			w.Header().Set(k, v)
		}
		r.Header.Set(requestID, ulid.Make().String()) // ours, whatever came
		w.Header().Set(requestID, r.Header.Get(requestID))
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			c := s.newCall(r)
			s.log.Error("a fault of ours", "id", c.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			s.fail(w, c, errInternal)
		}()
		next.ServeHTTP(w, r)
	})
}

// maxBody bounds a request's body.
const maxBody = 64 << 10

// read takes the JSON body of a call: one value, no field that v does not have.
func read(w http.ResponseWriter, c *call, v any) error {
	kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return errWrongType
	}
	d := json.NewDecoder(http.MaxBytesReader(w, c.Body, maxBody))
	d.DisallowUnknownFields()
	err = d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return errBadJSON
		}
		return nil
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return errTooLarge
	}
	return errBadJSON
}

// from is the address a call came from. Forwarding headers are not believed:
// anybody can write them.
func from(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// wsHost is /ws/host. C1 stands in the desk.
func (s *Server) wsHost(w http.ResponseWriter, c *call) error {
	s.desk.ServeHost(w, c.Request)
	return nil
}

// wsViewer is /ws/viewer for somebody the table let through (C3). C2 stands in
// the desk.
func (s *Server) wsViewer(w http.ResponseWriter, c *call) error {
	scheme := "http://"
	if s.cfg.Secure {
		scheme = "https://"
	}
	s.desk.ServeViewer(w, c.Request, *c.in, scheme+c.Host)
	return nil
}
