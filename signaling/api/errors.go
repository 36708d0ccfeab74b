package api

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/appointments"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/proof"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/audit/retention"
	"github.com/mainforte/mainforte/signaling/brand"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/pairing"
	"github.com/mainforte/mainforte/signaling/phrases"
	"github.com/mainforte/mainforte/signaling/policy"
	"github.com/mainforte/mainforte/signaling/queue"
	"github.com/mainforte/mainforte/signaling/solutions"
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
	errBadJSON         = &problem{http.StatusBadRequest, "BAD_JSON"}
	errBadName         = &problem{http.StatusUnprocessableEntity, "BAD_NAME"}
	errCrossOrigin     = &problem{http.StatusForbidden, "CROSS_ORIGIN"}
	errDeskAway        = &problem{http.StatusBadGateway, "DESK_AWAY"}
	errDeskBusy        = &problem{http.StatusServiceUnavailable, "DESK_BUSY"}
	errDeskConfig      = &problem{http.StatusBadGateway, "DESK_CONFIG"}
	errDeskForbids     = &problem{http.StatusBadGateway, "DESK_FORBIDS"}
	errDeskInvalid     = &problem{http.StatusUnprocessableEntity, "DESK_INVALID"}
	errDeskRefuses     = &problem{http.StatusBadGateway, "DESK_REFUSES"}
	errDeskUnknown     = &problem{http.StatusNotFound, "DESK_UNKNOWN"}
	errInternal        = &problem{http.StatusInternalServerError, "INTERNAL"}
	errInvalidFilter   = &problem{http.StatusUnprocessableEntity, "INVALID_FILTER"}
	errInvalidFormat   = &problem{http.StatusUnprocessableEntity, "INVALID_FORMAT"}
	errInvalidLang     = &problem{http.StatusUnprocessableEntity, "INVALID_LANG"}
	errInvalidNote     = &problem{http.StatusUnprocessableEntity, "INVALID_NOTE"}
	errInvalidState    = &problem{http.StatusUnprocessableEntity, "INVALID_STATE"}
	errInvalidTicket   = &problem{http.StatusUnprocessableEntity, "INVALID_TICKET"}
	errMethod          = &problem{http.StatusMethodNotAllowed, "METHOD"}
	errNameTaken       = &problem{http.StatusConflict, "NAME_TAKEN"}
	errNoLink          = &problem{http.StatusNotFound, "NO_LINK"}
	errNoNote          = &problem{http.StatusNotFound, "NO_NOTE"}
	errNoReceipt       = &problem{http.StatusNotFound, "NO_RECEIPT"}
	errNoTicket        = &problem{http.StatusNotFound, "NO_TICKET"}
	errNotAllowed      = &problem{http.StatusForbidden, "NOT_ALLOWED"}
	errNotFound        = &problem{http.StatusNotFound, "NOT_FOUND"}
	errNotSignedIn     = &problem{http.StatusUnauthorized, "NOT_SIGNED_IN"}
	errOtherDesk       = &problem{http.StatusConflict, "OTHER_DESK"}
	errRateLimited     = &problem{http.StatusTooManyRequests, "RATE_LIMITED"}
	errSessionLong     = &problem{http.StatusUnprocessableEntity, "SESSION_LONG"}
	errSessionOpen     = &problem{http.StatusConflict, "SESSION_OPEN"}
	errTicketChanged   = &problem{http.StatusConflict, "TICKET_CHANGED"}
	errTicketClosed    = &problem{http.StatusConflict, "TICKET_CLOSED"}
	errTooLarge        = &problem{http.StatusRequestEntityTooLarge, "TOO_LARGE"}
	errTooManySessions = &problem{http.StatusUnprocessableEntity, "TOO_MANY_SESSIONS"}
	errUnavailable     = &problem{http.StatusServiceUnavailable, "UNAVAILABLE"}
	errWeakPassword    = &problem{http.StatusUnprocessableEntity, "WEAK_PASSWORD"}
	errWrongPassword   = &problem{http.StatusUnauthorized, "WRONG_PASSWORD"}
	errWrongType       = &problem{http.StatusUnsupportedMediaType, "WRONG_TYPE"}
	errClosingDone     = &problem{http.StatusConflict, "CLOSING_DONE"}
	errClosingEarly    = &problem{http.StatusConflict, "CLOSING_EARLY"}
	errClosingLate     = &problem{http.StatusConflict, "CLOSING_LATE"}
	errAttachLate      = &problem{http.StatusConflict, "ATTACH_LATE"}
	errBadPicture      = &problem{http.StatusUnprocessableEntity, "BAD_PICTURE"}
	errRatedAlready    = &problem{http.StatusConflict, "RATED_ALREADY"}
	errInvalidFeedback = &problem{http.StatusUnprocessableEntity, "INVALID_FEEDBACK"}
	errInvalidClosing  = &problem{http.StatusUnprocessableEntity, "INVALID_CLOSING"}
	errNoWhy           = &problem{http.StatusUnprocessableEntity, "NO_WHY"}
	errNotWaiting      = &problem{http.StatusConflict, "NOT_WAITING"}
	errWaitsAlready    = &problem{http.StatusConflict, "WAITS_ALREADY"}
	errTransferGone    = &problem{http.StatusConflict, "TRANSFER_GONE"}
	errTransferOthers  = &problem{http.StatusConflict, "TRANSFER_OTHERS"}
	errNoReceiver      = &problem{http.StatusConflict, "NO_RECEIVER"}
	errNoteNeeded      = &problem{http.StatusUnprocessableEntity, "NOTE_NEEDED"}
	errNoteLong        = &problem{http.StatusUnprocessableEntity, "NOTE_LONG"}
	errTicketTaken     = &problem{http.StatusConflict, "TICKET_TAKEN"}
	errInvalidUrgency  = &problem{http.StatusUnprocessableEntity, "INVALID_URGENCY"}
	errWhyLong         = &problem{http.StatusUnprocessableEntity, "WHY_LONG"}
	errInvalidWords    = &problem{http.StatusUnprocessableEntity, "INVALID_WORDS"}
	errNoWords         = &problem{http.StatusNotFound, "NO_WORDS"}
	errWordsChanged    = &problem{http.StatusConflict, "WORDS_CHANGED"}
	errWordsTaken      = &problem{http.StatusConflict, "WORDS_TAKEN"}
	errTooManyWords    = &problem{http.StatusUnprocessableEntity, "TOO_MANY_WORDS"}
	errSolutionDone    = &problem{http.StatusConflict, "SOLUTION_DONE"}
	errNoCode          = &problem{http.StatusUnprocessableEntity, "NO_CODE"}

	errNoAppointment       = &problem{http.StatusNotFound, "NO_APPOINTMENT"}
	errAppointmentOthers   = &problem{http.StatusForbidden, "APPOINTMENT_OTHERS"}
	errAppointmentPast     = &problem{http.StatusUnprocessableEntity, "APPOINTMENT_PAST"}
	errAppointmentFar      = &problem{http.StatusUnprocessableEntity, "APPOINTMENT_FAR"}
	errAppointmentLength   = &problem{http.StatusUnprocessableEntity, "APPOINTMENT_LENGTH"}
	errAppointmentZone     = &problem{http.StatusUnprocessableEntity, "APPOINTMENT_ZONE"}
	errAppointmentSaid     = &problem{http.StatusUnprocessableEntity, "APPOINTMENT_SAID"}
	errAppointmentWhy      = &problem{http.StatusUnprocessableEntity, "APPOINTMENT_WHY"}
	errAppointmentOverlaps = &problem{http.StatusConflict, "APPOINTMENT_OVERLAPS"}
	errAppointmentMany     = &problem{http.StatusConflict, "APPOINTMENT_MANY"}
	errAppointmentSettled  = &problem{http.StatusConflict, "APPOINTMENT_SETTLED"}
	errAppointmentChanged  = &problem{http.StatusConflict, "APPOINTMENT_CHANGED"}
	errAppointmentEarly    = &problem{http.StatusConflict, "APPOINTMENT_EARLY"}
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
	{identity.ErrCodeNeeded, errCodeNeeded},
	{identity.ErrWrongCode, errWrongCode},
	{identity.ErrWrongPasskey, errWrongPasskey},
	{identity.ErrStepUp, errStepUp},
	{identity.ErrNoFactor, errNoFactor},
	{identity.ErrTooManyFactors, errTooManyFactors},
	{identity.ErrLimited, errRateLimited},
	{identity.ErrNoLink, errNoLink},
	{identity.ErrNoToken, errBadToken},
	{identity.ErrNameTaken, errNameTaken},
	{identity.ErrBadName, errBadName},
	{identity.ErrWeakPassword, errWeakPassword},
	{identity.ErrNoUser, errNoUser},
	{identity.ErrNoTeam, errNoTeam},
	{identity.ErrLastAdmin, errLastAdmin},
	{identity.ErrProvided, errProvided},
	{identity.ErrClosed, errUserClosed},
	{identity.ErrBadTier, errBadTier},
	{identity.ErrTooManyTeams, errTooManyTeams},
	{appointments.ErrNone, errNoAppointment},
	{appointments.ErrNotYours, errAppointmentOthers},
	{appointments.ErrPast, errAppointmentPast},
	{appointments.ErrFar, errAppointmentFar},
	{appointments.ErrLength, errAppointmentLength},
	{appointments.ErrZone, errAppointmentZone},
	{appointments.ErrSaid, errAppointmentSaid},
	{appointments.ErrWhy, errAppointmentWhy},
	{appointments.ErrOverlaps, errAppointmentOverlaps},
	{appointments.ErrMany, errAppointmentMany},
	{appointments.ErrSettled, errAppointmentSettled},
	{appointments.ErrStale, errAppointmentChanged},
	{appointments.ErrEarly, errAppointmentEarly},
	{phrases.ErrInvalid, errInvalidWords},
	{phrases.ErrNone, errNoWords},
	{phrases.ErrStale, errWordsChanged},
	{phrases.ErrTaken, errWordsTaken},
	{phrases.ErrMany, errTooManyWords},
	{queue.ErrGone, errTransferGone},
	{queue.ErrNotYours, errTransferOthers},
	{queue.ErrReceiver, errNoReceiver},
	{queue.ErrWaits, errWaitsAlready},
	{queue.ErrNoNote, errNoteNeeded},
	{queue.ErrLong, errNoteLong},
	{queue.ErrMany, errBusy},
	{queue.ErrTaken, errTicketTaken},
	{solutions.ErrInvalid, errInvalidWords},
	{solutions.ErrNone, errNoWords},
	{solutions.ErrStale, errWordsChanged},
	{solutions.ErrDone, errSolutionDone},
	{solutions.ErrMany, errTooManyWords},
	{solutions.ErrForeign, errNotAllowed},
	{pairing.ErrNoSession, errNotFound},
	{pairing.ErrNotYours, errNotAllowed},
	{pairing.ErrNoWhy, errNoWhy},
	{store.ErrUnavailable, errUnavailable}, // also the embedded desk's ErrTransient
	{tickets.ErrStale, errDesksChanged},
	{tickets.ErrOfFile, errDeskOfFile},
	{tickets.ErrAgain, errDeskAgain},
	{tickets.ErrTaken, errDeskTaken},
	{tickets.ErrUsed, errDeskUsed},
	{tickets.ErrName, errDeskName},
	{tickets.ErrURL, errDeskURL},
	{tickets.ErrPlain, errDeskPlain},
	{tickets.ErrInner, errDeskInner},
	{tickets.ErrCA, errDeskCA},
	{tickets.ErrHook, errDeskHook},
	{tickets.ErrField, errDeskField},
	{tickets.ErrMany, errDesksMany},
	{tickets.ErrNoValue, errTicketPolicy},
	{tickets.ErrNoDesk, errDeskUnknown},
	{tickets.ErrNotFound, errNoTicket},
	{tickets.ErrClosed, errTicketClosed},
	{tickets.ErrAuth, errDeskRefuses},
	{tickets.ErrForbidden, errDeskForbids},
	{tickets.ErrConflict, errTicketChanged},
	{tickets.ErrTooLarge, errTooLarge},
	{tickets.ErrInvalid, errDeskInvalid},
	{tickets.ErrConfig, errDeskConfig},
	{tickets.ErrTransient, errDeskAway},
	{proof.ErrTooLong, errSessionLong},
	{receipt.ErrOpen, errSessionOpen},
	{audit.ErrNoSession, errNotFound},
	{brand.ErrLong, errBrandLong},
	{brand.ErrHalf, errBrandHalf},
	{brand.ErrChanged, errBrandChanged},
	{brand.ErrAddress, errBrandAddress},
	{brand.ErrColour, errBrandColour},
	{brand.ErrNoColour, errBrandColour},
	{brand.ErrNoLogo, errNoLogo},
	{brand.ErrLogoBlank, errLogoBlank},
	{brand.ErrLogoBroken, errLogoBroken},
	{brand.ErrLogoKind, errLogoKind},
	{brand.ErrLogoLarge, errLogoLarge},
	{brand.ErrLogoSides, errLogoSides},
	{policy.ErrPolicy, errBadPolicy},
	{policy.ErrChanged, errPolicyChanged},
	{retention.ErrPolicy, errBadPolicy},
}

// asProblem is what the other side is told about err. What it does not know is
// ours to look into, and says nothing.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	if errors.As(err, new(tickets.ErrRateLimited)) {
		return errDeskBusy
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

// sentence of a problem in a language; id is the request's, after when it may be
// tried again.
func (p *problem) sentence(lang, id string, after time.Duration) string {
	return strings.NewReplacer("{id}", id, "{seconds}", seconds(after)).Replace(sentences[lang][p.code])
}

// after is when a call that met err may be tried again: a minute, unless a desk
// said how long it wants to be left alone.
func after(err error) time.Duration {
	if asked := (tickets.ErrRateLimited{}); errors.As(err, &asked) && asked.After > 0 {
		return asked.After
	}
	return time.Minute
}

// seconds of a duration, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// said is a problem as it is answered: a code for programs, a sentence for people.
type said struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// refuse writes a problem as JSON.
func refuse(w http.ResponseWriter, p *problem, lang, id string, after time.Duration) {
	if p.status == http.StatusTooManyRequests || p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", seconds(after))
	}
	answer(w, p.status, struct {
		Error said `json:"error"`
	}{said{p.code, p.sentence(lang, id, after)}})
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
