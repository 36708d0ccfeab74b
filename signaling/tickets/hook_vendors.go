package tickets

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Where a desk signs no time of sending, or waits in a queue between signing and
// sending, its hooks count for a day: who drops repeated deliveries need not
// remember them for longer.
const hookDay = 24 * time.Hour

// HookSecretHeader carries Config.HookSecret from desks that cannot sign, but
// can be told to send a header: by https only.
const HookSecretHeader = "Mainforte-Hook-Secret"

// vouched tells whether the signature of a hook is that of a body.
func (c Config) vouched(body []byte, sum func() hash.Hash, encode func([]byte) string, got string, parts ...[]byte) error {
	if err := c.sized(body); err != nil {
		return err
	}
	ok := false
	for _, secret := range c.hookSecrets() {
		m := hmac.New(sum, []byte(secret))
		for _, p := range parts {
			m.Write(p)
		}
		ok = same(got, encode(m.Sum(nil))) || ok
	}
	if !ok {
		return fmt.Errorf("%w: the signature of the hook of %s is wrong", ErrAuth, c.System)
	}
	return nil
}

// told tells whether a hook brings the secret itself.
func (c Config) told(h http.Header, body []byte) error {
	if err := c.sized(body); err != nil {
		return err
	}
	ok := false
	for _, secret := range c.hookSecrets() {
		ok = same(h.Get(HookSecretHeader), secret) || ok
	}
	if !ok {
		return fmt.Errorf("%w: the hook of %s does not bring its secret in %s", ErrAuth, c.System, HookSecretHeader)
	}
	return nil
}

// recent refuses what was signed too long ago, or in the future.
func (c Config) recent(signed, now time.Time, most time.Duration) error {
	if signed.IsZero() || now.Sub(signed) > most || signed.Sub(now) > webhookAge {
		return fmt.Errorf("%w: the hook of %s is too old, or from the future", ErrAuth, c.System)
	}
	return nil
}

// vendors reads a body whose other fields do not matter: vendors add some.
func (c Config) vendors(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return c.nonsense("it cannot be read: %.80q", err.Error())
	}
	return nil
}

func hexed(prefix string) func([]byte) string {
	return func(b []byte) string { return prefix + hex.EncodeToString(b) }
}

// first is the first of texts that says something.
func first(texts ...string) string {
	for _, t := range texts {
		if t = line(t); t != "" && t != "-" {
			return t
		}
	}
	return ""
}

// kindOf is the kind of a hook that shows how the ticket is now: that it is
// closed matters most.
func kindOf(closed, made, assigned bool) string {
	switch {
	case closed:
		return HookClosed
	case made:
		return HookOpened
	case assigned:
		return HookAssigned
	}
	return HookChanged
}

// ParseHook implements Hooks: a webhook of Zammad with its default payload and an
// HMAC SHA1 signature token. What Zammad signs has no time of sending, so the
// last change of the ticket stands for it. X-Zammad-Delivery is not signed.
func (d *zammad) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	if err := d.cfg.vouched(body, sha1.New, hexed("sha1="), h.Get("X-Hub-Signature"), body); err != nil {
		return HookEvent{}, err
	}
	var got struct {
		Ticket struct {
			ID      int64     `json:"id"`
			State   zammadRef `json:"state"`
			OwnerID int64     `json:"owner_id"`
			Owner   zammadRef `json:"owner"`
			Created time.Time `json:"created_at"`
			Updated time.Time `json:"updated_at"`
		} `json:"ticket"`
	}
	if err := d.cfg.vendors(body, &got); err != nil {
		return HookEvent{}, err
	}
	t, now := got.Ticket, d.now()
	if err := d.cfg.recent(t.Updated, now, hookDay); err != nil {
		return HookEvent{}, err
	}
	e := HookEvent{Ticket: strconv.FormatInt(t.ID, 10), Delivery: deliveryOf(body), At: t.Updated}
	if t.OwnerID != 1 { // 1 is nobody
		e.Assignee = first(t.Owner.Email, t.Owner.Login, t.Owner.Name)
	}
	state := strings.ToLower(t.State.Name)
	e.Kind = kindOf(state == "closed" || state == "merged" || state == "removed", t.Updated.Equal(t.Created), e.Assignee != "")
	return d.cfg.hookEvent(e, now, number)
}

// zammadRef is another thing than the ticket: its name, or an object that has one.
type zammadRef struct{ Name, Email, Login string }

func (r *zammadRef) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		return json.Unmarshal(b, &r.Name)
	}
	type plain zammadRef
	return json.Unmarshal(b, (*plain)(r))
}

// ParseHook implements Hooks: a webhook of Jira with a secret. Its body has the
// time.
func (d *jira) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	if err := d.cfg.vouched(body, sha256.New, hexed("sha256="), h.Get("X-Hub-Signature"), body); err != nil {
		return HookEvent{}, err
	}
	var got struct {
		Time  int64  `json:"timestamp"` // ms
		Event string `json:"webhookEvent"`
		Issue struct {
			Key    string `json:"key"`
			Fields struct {
				Status struct {
					Category struct {
						Key string `json:"key"`
					} `json:"statusCategory"`
				} `json:"status"`
				Assignee struct {
					Mail string `json:"emailAddress"`
					Name string `json:"displayName"`
				} `json:"assignee"`
			} `json:"fields"`
		} `json:"issue"`
		Changes struct {
			Items []struct {
				Field string  `json:"field"`
				To    *string `json:"to"`
			} `json:"items"`
		} `json:"changelog"`
	}
	if err := d.cfg.vendors(body, &got); err != nil {
		return HookEvent{}, err
	}
	now, at := d.now(), time.UnixMilli(got.Time)
	if err := d.cfg.recent(at, now, hookDay); err != nil {
		return HookEvent{}, err
	}
	done := got.Issue.Fields.Status.Category.Key == "done"
	closed, again, assigned := got.Event == "jira:issue_deleted", false, false
	for _, i := range got.Changes.Items {
		switch i.Field {
		case "status":
			closed = closed || done
		case "resolution": // taken back when an issue is opened again
			again = again || !done && (i.To == nil || *i.To == "")
		case "assignee":
			assigned = true
		}
	}
	return d.cfg.hookEvent(HookEvent{
		Ticket: got.Issue.Key, Kind: kindOf(closed, again || got.Event == "jira:issue_created", assigned), Delivery: deliveryOf(body), At: at,
		Assignee: first(got.Issue.Fields.Assignee.Mail, got.Issue.Fields.Assignee.Name),
	}, now, jiraKey.MatchString)
}

// ParseHook implements Hooks: a webhook of Zendesk, by an event that it is
// subscribed to or by a trigger that sends an OwnHook.
func (d *zendesk) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	const at = "X-Zendesk-Webhook-Signature-Timestamp"
	if err := d.cfg.vouched(body, sha256.New, base64.StdEncoding.EncodeToString, h.Get("X-Zendesk-Webhook-Signature"), []byte(h.Get(at)), body); err != nil {
		return HookEvent{}, err
	}
	now := d.now()
	sent, err := time.Parse(time.RFC3339, h.Get(at))
	if err != nil {
		return HookEvent{}, fmt.Errorf("%w: the hook of zendesk has no time", ErrAuth)
	}
	if err := d.cfg.recent(sent, now, webhookAge); err != nil {
		return HookEvent{}, err
	}
	var got struct {
		Type   string    `json:"type"`
		ID     string    `json:"id"`
		Time   time.Time `json:"time"`
		Detail struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		} `json:"detail"`
		Event struct {
			Previous any `json:"previous"`
		} `json:"event"`
	}
	if err := d.cfg.vendors(body, &got); err != nil {
		return HookEvent{}, err
	}
	event, ok := strings.CutPrefix(got.Type, "zen:event-type:ticket.")
	if !ok {
		return d.cfg.templated(body, deliveryOf([]byte(h.Get(at)+string(body))), now, number)
	}
	ended := func(status string) bool {
		switch strings.ToUpper(status) {
		case "SOLVED", "CLOSED", "DELETED", "ARCHIVED", "SCRUBBED":
			return true
		}
		return false
	}
	before, _ := got.Event.Previous.(string)
	e := HookEvent{Ticket: got.Detail.ID, Kind: HookChanged, Delivery: first(got.ID, deliveryOf(body)), At: got.Time}
	switch event {
	case "status_changed":
		e.Kind = kindOf(ended(got.Detail.Status), ended(before), false)
	case "created", "undeleted":
		e.Kind = HookOpened
	case "soft_deleted", "permanently_deleted":
		e.Kind = HookClosed
	case "agent_assignment_changed":
		e.Kind = HookAssigned // to somebody of whom there is a number only
	}
	return d.cfg.hookEvent(e, now, number)
}

// templated reads an OwnHook that a desk filled into a text of ours. It may have
// no time.
func (c Config) templated(body []byte, delivery string, now time.Time, is func(string) bool) (HookEvent, error) {
	e, err := c.readOwn(body)
	if err != nil {
		return HookEvent{}, err
	}
	e.Delivery = delivery
	return c.hookEvent(e, now, is)
}

// secretly verifies a hook that brings the secret itself, and reads the OwnHook
// in it. Nothing tells two of the same content apart but the time they come.
func (c Config) secretly(h http.Header, body []byte, now time.Time, is func(string) bool) (HookEvent, error) {
	if err := c.told(h, body); err != nil {
		return HookEvent{}, err
	}
	return c.templated(body, c.momentary(body, now), now, is)
}

// momentary is the id of a delivery by a desk that signs nothing: the same body
// within a few minutes is a repeated one.
func (Config) momentary(body []byte, now time.Time) string {
	return deliveryOf(fmt.Appendf(nil, "%d.%s", now.Unix()/int64(webhookAge/time.Second), body))
}

// ParseHook implements Hooks: an automation of Freshdesk that triggers a webhook.
func (d *freshdesk) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	return d.cfg.secretly(h, body, d.now(), number)
}

// ParseHook implements Hooks: our business rule.
func (d *serviceNow) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	return d.cfg.ownHook(h, body, d.now(), serviceNowID.MatchString)
}

// ParseHook implements Hooks: a webhook of GLPI 11, where apirest.php may be used.
func (d *glpi) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	return d.cfg.glpiHook(h, body, d.now())
}

// glpiHook reads a webhook of GLPI 11 for tickets, with its default payload. GLPI
// signs when something changes, and sends when its queue runs.
func (c Config) glpiHook(h http.Header, body []byte, now time.Time) (HookEvent, error) {
	at := h.Get("X-GLPI-timestamp")
	if err := c.vouched(body, sha256.New, hexed(""), h.Get("X-GLPI-signature"), body, []byte(at)); err != nil {
		return HookEvent{}, err
	}
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return HookEvent{}, fmt.Errorf("%w: the hook of %s has no time", ErrAuth, c.System)
	}
	if err := c.recent(time.Unix(unix, 0), now, hookDay); err != nil {
		return HookEvent{}, err
	}
	var got struct {
		Event string `json:"event"`
		Item  struct {
			ID     int64 `json:"id"`
			Status struct {
				ID int64 `json:"id"`
			} `json:"status"`
			Team []struct {
				Type, Name string
				Role       loose
			} `json:"team"`
		} `json:"item"`
	}
	if err := c.vendors(body, &got); err != nil {
		return HookEvent{}, err
	}
	e := HookEvent{Ticket: strconv.FormatInt(got.Item.ID, 10), Delivery: deliveryOf([]byte(at + "." + string(body))), At: time.Unix(unix, 0)}
	for _, m := range got.Item.Team {
		if m.Type == "User" && m.Role == "assigned" && e.Assignee == "" {
			e.Assignee = first(m.Name)
		}
	}
	if got.Item.Status.ID < 1 || got.Event == "" {
		return HookEvent{}, c.nonsense("it is about no ticket")
	}
	e.Kind = kindOf(got.Event == "delete" || got.Item.Status.ID >= glpiSolved, got.Event == "new", e.Assignee != "")
	return c.hookEvent(e, now, number)
}

// ParseHook implements Hooks: the webhooks that Redmine has from the version on
// that has them without a plugin (its trunk in 2026); 5 and 6 have none.
func (d *redmine) ParseHook(h http.Header, body []byte) (HookEvent, error) {
	if err := d.cfg.vouched(body, sha256.New, hexed("sha256="), h.Get("X-Redmine-Signature-256"), body); err != nil {
		return HookEvent{}, err
	}
	var got struct {
		Type string    `json:"type"`
		Time time.Time `json:"timestamp"`
		Data struct {
			Issue struct {
				ID     int64 `json:"id"`
				Status struct {
					Closed bool `json:"is_closed"`
				} `json:"status"`
				Assigned struct{ Name string } `json:"assigned_to"`
			} `json:"issue"`
			Journal struct {
				Details []struct {
					Key string `json:"prop_key"`
				} `json:"details"`
			} `json:"journal"`
		} `json:"data"`
	}
	if err := d.cfg.vendors(body, &got); err != nil {
		return HookEvent{}, err
	}
	now, issue := d.now(), got.Data.Issue
	if err := d.cfg.recent(got.Time, now, hookDay); err != nil {
		return HookEvent{}, err
	}
	if !strings.HasPrefix(got.Type, "issue.") {
		return HookEvent{}, d.cfg.nonsense("it is about no issue")
	}
	assigned := false
	for _, c := range got.Data.Journal.Details {
		assigned = assigned || c.Key == "assigned_to_id"
	}
	return d.cfg.hookEvent(HookEvent{
		Ticket: strconv.FormatInt(issue.ID, 10), Kind: kindOf(got.Type == "issue.deleted" || issue.Status.Closed, got.Type == "issue.created", assigned),
		Delivery: deliveryOf(body), Assignee: first(issue.Assigned.Name), At: got.Time,
	}, now, number)
}
