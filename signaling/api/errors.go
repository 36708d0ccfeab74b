package api

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/pairing"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// problem is an answer that is not what was asked for. Its sentence stands in
// the locale files under its code.
type problem struct {
	status int
	code   string
}

func (p *problem) Error() string { return "api: " + p.code }

var (
	errBadJSON       = &problem{http.StatusBadRequest, "BAD_JSON"}
	errBadName       = &problem{http.StatusUnprocessableEntity, "BAD_NAME"}
	errCrossOrigin   = &problem{http.StatusForbidden, "CROSS_ORIGIN"}
	errInternal      = &problem{http.StatusInternalServerError, "INTERNAL"}
	errInvalidLang   = &problem{http.StatusUnprocessableEntity, "INVALID_LANG"}
	errInvalidNote   = &problem{http.StatusUnprocessableEntity, "INVALID_NOTE"}
	errInvalidState  = &problem{http.StatusUnprocessableEntity, "INVALID_STATE"}
	errInvalidTicket = &problem{http.StatusUnprocessableEntity, "INVALID_TICKET"}
	errMethod        = &problem{http.StatusMethodNotAllowed, "METHOD"}
	errNameTaken     = &problem{http.StatusConflict, "NAME_TAKEN"}
	errNotAllowed    = &problem{http.StatusForbidden, "NOT_ALLOWED"}
	errNotFound      = &problem{http.StatusNotFound, "NOT_FOUND"}
	errNotSignedIn   = &problem{http.StatusUnauthorized, "NOT_SIGNED_IN"}
	errNoLink        = &problem{http.StatusNotFound, "NO_LINK"}
	errRateLimited   = &problem{http.StatusTooManyRequests, "RATE_LIMITED"}
	errTicketClosed  = &problem{http.StatusConflict, "TICKET_CLOSED"}
	errTooLarge      = &problem{http.StatusRequestEntityTooLarge, "TOO_LARGE"}
	errUnavailable   = &problem{http.StatusServiceUnavailable, "UNAVAILABLE"}
	errWeakPassword  = &problem{http.StatusUnprocessableEntity, "WEAK_PASSWORD"}
	errWrongPassword = &problem{http.StatusUnauthorized, "WRONG_PASSWORD"}
	errWrongType     = &problem{http.StatusUnsupportedMediaType, "WRONG_TYPE"}
)

// known maps the errors of the packages behind the interface, the more telling
// ones first.
var known = []struct {
	err error
	as  *problem
}{
	{identity.ErrNotSignedIn, errNotSignedIn},
	{identity.ErrNotAllowed, errNotAllowed},
	{identity.ErrWrong, errWrongPassword},
	{identity.ErrLimited, errRateLimited},
	{identity.ErrNoLink, errNoLink},
	{identity.ErrNameTaken, errNameTaken},
	{identity.ErrBadName, errBadName},
	{identity.ErrWeakPassword, errWeakPassword},
	{pairing.ErrNoSession, errNotFound},
	{pairing.ErrNotYours, errNotAllowed},
	{tickets.ErrNotFound, errNotFound},
	{tickets.ErrClosed, errTicketClosed},
	{tickets.ErrForbidden, errNotAllowed},
	{tickets.ErrTooLarge, errTooLarge},
	{store.ErrUnavailable, errUnavailable},
	{tickets.ErrTransient, errUnavailable},
}

// asProblem is what the other side is told about err. What it does not know is
// ours to look into, and says nothing.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return k.as
		}
	}
	return errInternal
}

//go:embed locales/*.json
var localeFiles embed.FS

var sentences = map[string]map[string]string{"en": load("en"), "fr": load("fr")}

func load(lang string) map[string]string {
	b, err := localeFiles.ReadFile("locales/" + lang + ".json")
	m := map[string]string{}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		panic(fmt.Sprintf("api: locales/%s.json: %v", lang, err)) // our own file, embedded
	}
	return m
}

// sentence of a problem in a language; id is the request's.
func (p *problem) sentence(lang, id string) string {
	return strings.ReplaceAll(sentences[lang][p.code], "{id}", id)
}

// refuse writes a problem as JSON.
func refuse(w http.ResponseWriter, p *problem, lang, id string) {
	if p.status == http.StatusTooManyRequests || p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "60")
	}
	type inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	answer(w, p.status, struct {
		Error inner `json:"error"`
	}{inner{p.code, p.sentence(lang, id)}})
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		// Only our own types come here; the recover of the request logs it.
		panic(fmt.Sprintf("api: an answer that is not JSON: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n')) //nolint:errcheck // the other side has gone
}
