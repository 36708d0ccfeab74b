package tickets

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Kinds of a HookEvent.
const (
	HookClosed   = "closed"   // work on the ticket has ended
	HookOpened   = "opened"   // it is new, or open again
	HookAssigned = "assigned" // somebody else works on it now, or nobody
	HookChanged  = "changed"  // anything else
)

// HookEvent is what a desk tells of one of its tickets. It is a hint and may come
// late, twice or in another order: what counts is what Get says.
type HookEvent struct {
	Ticket string // the desk's own id, as Get takes it
	Kind   string
	// Delivery is the same each time the desk sends the same, and vouched for by
	// its signature. A token of at most 100 characters.
	Delivery string
	// Assignee is who works on the ticket: an address of mail where the desk tells
	// one, else a name; "" is nobody, or not told. Hostile text, one clean line.
	Assignee string
	At       time.Time // of the change, or of the delivery; UTC
}

// Hooks is a desk that tells of changes by itself, by POST. Adapters implement it
// beside System; see [HooksOf].
type Hooks interface {
	// ParseHook verifies and reads one. ErrAuth: the signature is missing, wrong or
	// too old, or Config has no HookSecret; ErrTooLarge: more than MaxHook;
	// ErrInvalid: the desk signed it, and yet it is nonsense. It asks nobody.
	ParseHook(h http.Header, body []byte) (HookEvent, error)
}

// MaxHook bounds the body of a hook, in bytes.
const MaxHook = 2 << 20

// HooksOf returns the hooks of a desk, also of one that [Retried] or [Limited]
// stand around, or nil where it has none.
func HooksOf(s System) Hooks {
	for {
		if h, ok := s.(Hooks); ok {
			return h
		}
		around, ok := s.(interface{ Unwrap() System })
		if !ok {
			return nil
		}
		s = around.Unwrap()
	}
}

// hookless are the systems that have no way to tell of changes by themselves.
var hookless = map[string]string{
	"email": "mail tells nothing of changes",
}

// ownHooks are the systems whose hooks we wrote: signed as Standard Webhooks says.
var ownHooks = map[string]bool{"rt": true, "servicenow": true, "webhook": true}

// shortestHook is how long a secret that an admin made up must be.
const shortestHook = 20

// hookSecrets are those that count: one, or beside the new one the old one, until
// the desk has the new one too.
func (c Config) hookSecrets() []string { return strings.Fields(c.HookSecret) }

// checkHooks returns an ErrConfig for a secret of hooks that could be guessed, or
// that nobody would use.
func (c Config) checkHooks() error {
	list := c.hookSecrets()
	if len(list) == 0 {
		return nil
	}
	if why, ok := hookless[c.System]; ok {
		return fmt.Errorf("%w: hooksecret of %s: %s", ErrConfig, c.System, why)
	}
	if len(list) > 2 {
		return fmt.Errorf("%w: hooksecret of %s holds one secret, or the new and the old one", ErrConfig, c.System)
	}
	for _, secret := range list {
		if ownHooks[c.System] {
			if _, err := webhookKey(secret); err != nil {
				return fmt.Errorf("hooksecret of %s: %w", c.System, err)
			}
		} else if len(secret) < shortestHook {
			return fmt.Errorf("%w: hooksecret of %s has at least %d characters", ErrConfig, c.System, shortestHook)
		}
	}
	return nil
}

// sized refuses a hook before anything is counted over it.
func (c Config) sized(body []byte) error {
	switch {
	case c.HookSecret == "":
		return fmt.Errorf("%w: %s has no hooksecret: its hooks are off", ErrAuth, c.System)
	case len(body) > MaxHook:
		return fmt.Errorf("%w: the hook has %d bytes, of at most %d", ErrTooLarge, len(body), MaxHook)
	}
	return nil
}

// OwnHook is what the scripts of docs/tickets.md send, and what a desk of an
// admin's own sends: signed as Standard Webhooks says, with a webhook-id that is
// the same whenever the same is sent again.
type OwnHook struct {
	Type string      `json:"type"` // "ticket." and a kind of HookEvent
	Time time.Time   `json:"timestamp"`
	Data OwnHookData `json:"data"`
}

// OwnHookData is what an OwnHook says of a ticket.
type OwnHookData struct {
	Ticket   string `json:"ticket"` // id, as tickets are read with
	Assignee string `json:"assignee,omitempty"`
}

// ownHook verifies and reads an OwnHook; is tells whether an id can be one of the
// desk's.
func (c Config) ownHook(h http.Header, body []byte, now time.Time, is func(id string) bool) (HookEvent, error) {
	if err := c.sized(body); err != nil {
		return HookEvent{}, err
	}
	err := ErrAuth
	for _, secret := range c.hookSecrets() {
		if err = VerifyWebhook(secret, h, body, now); err == nil {
			break
		}
	}
	if err != nil {
		return HookEvent{}, err
	}
	e, err := c.readOwn(body)
	if err != nil {
		return HookEvent{}, err
	}
	e.Delivery = h.Get("Webhook-Id")
	return c.hookEvent(e, now, is)
}

// readOwn reads an OwnHook, strictly: it is ours.
func (c Config) readOwn(body []byte) (HookEvent, error) {
	var got OwnHook
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		return HookEvent{}, c.nonsense("it cannot be read: %.80q", err.Error())
	}
	if _, err := d.Token(); err != io.EOF {
		return HookEvent{}, c.nonsense("something follows it")
	}
	kind, ok := strings.CutPrefix(got.Type, "ticket.")
	if !ok {
		return HookEvent{}, c.nonsense("its type is %.40q", got.Type)
	}
	return HookEvent{Ticket: got.Data.Ticket, Kind: kind, Assignee: got.Data.Assignee, At: got.Time}, nil
}

// hookEvent makes what a desk said an event, or nonsense.
func (c Config) hookEvent(e HookEvent, now time.Time, is func(id string) bool) (HookEvent, error) {
	switch e.Kind {
	case HookClosed, HookOpened, HookAssigned, HookChanged:
	default:
		return HookEvent{}, c.nonsense("its kind is %.40q", e.Kind)
	}
	if !is(e.Ticket) {
		return HookEvent{}, c.nonsense("its ticket is %.40q", e.Ticket)
	}
	if !ticketToken(e.Delivery) {
		e.Delivery = deliveryOf([]byte(e.Delivery))
	}
	e.Assignee = line(e.Assignee)
	if e.At = e.At.UTC(); e.At.IsZero() || e.At.After(now) {
		e.At = now.UTC()
	}
	return e, nil
}

func (c Config) nonsense(format string, args ...any) error {
	return fmt.Errorf("%w: the hook of %s: "+format, append([]any{ErrInvalid, c.System}, args...)...)
}

// deliveryOf is the id of a delivery that has none, or none that is signed: the
// digest of what is. Whoever captured a hook cannot send it under another.
func deliveryOf(signed []byte) string {
	sum := sha256.Sum256(signed)
	return "sha256-" + hex.EncodeToString(sum[:])
}

// same compares secrets without telling where they differ.
func same(got, want string) bool { return hmac.Equal([]byte(got), []byte(want)) }

// ParseHook implements Hooks: our own scrip; see docs/tickets.md.
func (d *rt) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	return d.cfg.ownHook(h, body, d.now(), number)
}

// ParseHook implements Hooks: whatever can sign an OwnHook.
func (d *webhook) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	return d.cfg.ownHook(h, body, d.now(), ticketToken)
}
