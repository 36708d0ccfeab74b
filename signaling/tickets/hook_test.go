package tickets

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hookNow is the clock of the tests of hooks.
var hookNow = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// whsec is a secret of ours, and hookWord one that an admin made up.
var (
	whsec    = SecretPrefix + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	foreign  = SecretPrefix + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, 32))
	hookWord = "a-word-of-the-admin-1234"
)

// hooked is how a system's hooks are made, for tests.
type hooked struct {
	secret, other string
	// sign puts on h what vouches for body at a time.
	sign func(h http.Header, secret string, body []byte, at time.Time)
	// good are bodies, and what they say; Delivery and At only where they are set.
	good map[string]HookEvent
	// bad are bodies that the desk signs, and which yet say nothing.
	bad []string
	// old are bodies that say they are, or do not say when they are from.
	old []string
	// ages: an old one is refused by the time that is signed beside it.
	ages bool
}

func signStandard(h http.Header, secret string, body []byte, at time.Time) {
	key, err := webhookKey(secret)
	if err != nil {
		panic(err)
	}
	unix := strconv.FormatInt(at.Unix(), 10)
	h.Set("Webhook-Id", "hook-1")
	h.Set("Webhook-Timestamp", unix)
	h.Set("Webhook-Signature", "v1,"+webhookMAC(key, "hook-1", unix, body))
}

// own are the bodies of our own format, about a ticket.
func own(ticket string) hooked {
	body := func(kind, more string) string {
		return fmt.Sprintf(`{"type":"ticket.%s","timestamp":"2026-11-30T11:59:58Z","data":{"ticket":%q%s}}`, kind, ticket, more)
	}
	at := hookNow.Add(-2 * time.Second)
	return hooked{
		secret: whsec, other: foreign, sign: signStandard, ages: true,
		good: map[string]HookEvent{
			body("closed", ""): {Ticket: ticket, Kind: HookClosed, Delivery: "hook-1", At: at},
			body("opened", ""): {Ticket: ticket, Kind: HookOpened},
			body("assigned", `,"assignee":"zoe@example.test"`):  {Ticket: ticket, Kind: HookAssigned, Assignee: "zoe@example.test"},
			body("assigned", `,"assignee":"  Zo\u00eb\u202e "`): {Ticket: ticket, Kind: HookAssigned, Assignee: "Zoë"},
			body("changed", "") + "\n":                          {Ticket: ticket, Kind: HookChanged},
		},
		bad: []string{
			body("deleted", ""), body("", ""), body("closed", `,"x":1`), body("closed", "")[1:], body("closed", "") + "{}", body("closed", "") + "]", "", "null", "[]", `"closed"`,
			`{"type":"closed","timestamp":"2026-11-30T11:59:58Z","data":{"ticket":"17"}}`, `{"type":"ticket.closed","data":{"ticket":""}}`, `{"type":"ticket.closed","data":{"ticket":"1 7"}}`,
			`{"type":"ticket.closed","data":{"ticket":17}}`, `{"type":"ticket.closed"}`, `{"type":"ticket.closed","timestamp":"yesterday","data":{"ticket":"17"}}`,
		},
	}
}

// hooks are all systems that tell of changes by themselves.
var hooks = map[string]hooked{
	"rt":         own("17"),
	"webhook":    own("INC-0012:x"),
	"servicenow": own("00000000000000000000000000000011"),
	"zammad": {
		secret: hookWord, other: "another-" + hookWord,
		sign: func(h http.Header, secret string, body []byte, _ time.Time) {
			h.Set("X-Hub-Signature", "sha1="+hexMAC(sha1.New, secret, body))
		},
		good: map[string]HookEvent{
			zammadHook(2, "open", "2026-11-30T11:59:58.5Z"):        {Ticket: "81", Kind: HookAssigned, Assignee: "emma@example.test", At: hookNow.Add(-1500 * time.Millisecond)},
			zammadHook(2, "closed", "2026-11-30T11:59:58Z"):        {Ticket: "81", Kind: HookClosed, Assignee: "emma@example.test"},
			zammadHook(1, "open", "2026-11-30T11:59:58Z"):          {Ticket: "81", Kind: HookChanged},
			zammadHook(1, "new", "2026-11-30T10:00:00Z"):           {Ticket: "81", Kind: HookOpened},
			zammadHook(2, "merged", "2026-11-29T12:00:01Z"):        {Ticket: "81", Kind: HookClosed, Assignee: "emma@example.test"},
			zammadHook(2, "pending close", "2026-11-30T12:00:00Z"): {Ticket: "81", Kind: HookAssigned, Assignee: "emma@example.test"},
		},
		bad: []string{"", "[]", `{"ticket":{"id":-1,"updated_at":"2026-11-30T11:59:58Z"}}`, `{"ticket":{"updated_at":"2026-11-30T11:59:58Z"}}`, `{"ticket":{"id":"81","updated_at":"2026-11-30T11:59:58Z"}}`},
		old: []string{"{}", "null", zammadHook(2, "open", "2026-11-29T11:00:00Z"), zammadHook(2, "open", "2026-11-30T13:00:00Z")},
	},
	"jira": {
		secret: hookWord, other: "another-" + hookWord,
		sign: func(h http.Header, secret string, body []byte, _ time.Time) {
			h.Set("X-Hub-Signature", "sha256="+hexMAC(sha256.New, secret, body))
		},
		good: map[string]HookEvent{
			jiraHook("issue_updated", "done", `{"field":"resolution","to":"1"},{"field":"status","to":"10"},{"field":"assignee","to":"x"}`): {Ticket: "HELP-7", Kind: HookClosed, Assignee: "emma@example.test", At: hookNow.Add(-time.Second)},
			jiraHook("issue_updated", "new", `{"field":"resolution","to":null},{"field":"status","to":"10"}`):                               {Ticket: "HELP-7", Kind: HookOpened, Assignee: "emma@example.test"},
			jiraHook("issue_updated", "indeterminate", `{"field":"assignee","fieldId":"assignee","to":"x"}`):                                {Ticket: "HELP-7", Kind: HookAssigned, Assignee: "emma@example.test"},
			jiraHook("issue_updated", "done", `{"field":"summary","to":"x"}`):                                                               {Ticket: "HELP-7", Kind: HookChanged, Assignee: "emma@example.test"},
			jiraHook("issue_created", "new", ""): {Ticket: "HELP-7", Kind: HookOpened, Assignee: "emma@example.test"},
			jiraHook("issue_deleted", "new", ""): {Ticket: "HELP-7", Kind: HookClosed, Assignee: "emma@example.test"},
		},
		bad: []string{"", `{"timestamp":1796039999000,"issue":{"key":"help-7"}}`, `{"timestamp":1796039999000,"issue":{"key":"../x"}}`, `{"timestamp":1796039999000}`, `{"timestamp":"1796039999000"}`},
		old: []string{"{}", `{"timestamp":1795900000000,"issue":{"key":"HELP-7"}}`, `{"timestamp":9223372036854775807,"issue":{"key":"HELP-7"}}`, `{"timestamp":-9223372036854775808,"issue":{"key":"HELP-7"}}`},
	},
	"zendesk": {
		secret: hookWord, other: "another-" + hookWord, ages: true,
		sign: func(h http.Header, secret string, body []byte, at time.Time) {
			text := at.Format(time.RFC3339)
			h.Set("X-Zendesk-Webhook-Signature-Timestamp", text)
			m := hmac.New(sha256.New, []byte(secret))
			m.Write([]byte(text))
			m.Write(body)
			h.Set("X-Zendesk-Webhook-Signature", base64.StdEncoding.EncodeToString(m.Sum(nil)))
		},
		good: map[string]HookEvent{
			zendeskHook("status_changed", "SOLVED", `"OPEN"`):      {Ticket: "35436", Kind: HookClosed, Delivery: "cbe4028c-7239-495d-b020-f22348516046", At: hookNow.Add(-2*time.Second + 123456789)},
			zendeskHook("status_changed", "OPEN", `"SOLVED"`):      {Ticket: "35436", Kind: HookOpened},
			zendeskHook("status_changed", "PENDING", `"OPEN"`):     {Ticket: "35436", Kind: HookChanged},
			zendeskHook("agent_assignment_changed", "OPEN", `"1"`): {Ticket: "35436", Kind: HookAssigned},
			zendeskHook("created", "NEW", `null`):                  {Ticket: "35436", Kind: HookOpened},
			zendeskHook("soft_deleted", "OPEN", `{"x":1}`):         {Ticket: "35436", Kind: HookClosed},
			zendeskHook("comment_added", "CLOSED", `["x"]`):        {Ticket: "35436", Kind: HookChanged},
			`{"type":"ticket.assigned","timestamp":"2026-11-30T11:59:58Z","data":{"ticket":"35436","assignee":"emma@example.test"}}`: {Ticket: "35436", Kind: HookAssigned, Assignee: "emma@example.test"},
			`{"type":"ticket.closed","data":{"ticket":"35436"}}`:                                                                     {Ticket: "35436", Kind: HookClosed, At: hookNow},
		},
		bad: []string{"", "{}", "[]", `{"type":"zen:event-type:user.created","detail":{"id":"7"}}`, `{"type":"zen:event-type:ticket.created"}`, `{"type":"ticket.closed","data":{"ticket":"x"}}`, `{"type":"ticket.closed","data":{"ticket":"7"},"x":1}`},
	},
	"freshdesk": secretHooks,
	"glpi":      glpiHooks,
	"glpi11":    glpiHooks,
	"itop":      secretHooks,
	"znuny": {
		secret: hookWord, other: "another-" + hookWord, sign: signSecret,
		good: map[string]HookEvent{
			znunyHook("TicketStateUpdate", "closed"): {Ticket: "17", Kind: HookClosed, Assignee: "emma", At: hookNow},
			znunyHook("TicketStateUpdate", "open"):   {Ticket: "17", Kind: HookChanged, Assignee: "emma"},
			znunyHook("TicketOwnerUpdate", "closed"): {Ticket: "17", Kind: HookAssigned, Assignee: "emma"},
			znunyHook("TicketCreate", "new"):         {Ticket: "17", Kind: HookOpened, Assignee: "emma"},
		},
		bad: []string{"", "{}", "null", `{"Ticket":{"TicketID":"x"}}`, `{"Ticket":{"TicketID":[17]}}`, `{"Ticket":[]}`},
	},
	"redmine": {
		secret: hookWord, other: "another-" + hookWord,
		sign: func(h http.Header, secret string, body []byte, _ time.Time) {
			h.Set("X-Redmine-Signature-256", "sha256="+hexMAC(sha256.New, secret, body))
		},
		good: map[string]HookEvent{
			redmineHook("issue.updated", true, "status_id"):       {Ticket: "17", Kind: HookClosed, Assignee: "Emma Taylor", At: hookNow.Add(-2 * time.Second)},
			redmineHook("issue.updated", false, "assigned_to_id"): {Ticket: "17", Kind: HookAssigned, Assignee: "Emma Taylor"},
			redmineHook("issue.updated", false, "status_id"):      {Ticket: "17", Kind: HookChanged, Assignee: "Emma Taylor"},
			redmineHook("issue.created", false, ""):               {Ticket: "17", Kind: HookOpened, Assignee: "Emma Taylor"},
			redmineHook("issue.deleted", false, ""):               {Ticket: "17", Kind: HookClosed, Assignee: "Emma Taylor"},
		},
		bad: []string{"", redmineHook("news.created", false, ""), `{"type":"issue.updated","timestamp":"2026-11-30T11:59:58Z","data":{}}`, `{"type":"issue.updated","timestamp":"2026-11-30T11:59:58Z","data":[]}`},
		old: []string{"{}", strings.Replace(redmineHook("issue.updated", true, ""), "2026-11-30", "2026-11-28", 1)},
	},
}

// secretHooks are those of desks that fill an OwnHook into a text of ours and
// bring the secret in a header.
var secretHooks = hooked{
	secret: hookWord, other: "another-" + hookWord, sign: signSecret,
	good: map[string]HookEvent{
		`{"type":"ticket.closed","data":{"ticket":"17"}}`:                                  {Ticket: "17", Kind: HookClosed, At: hookNow},
		`{"type":"ticket.assigned","data":{"ticket":"17","assignee":"emma@example.test"}}`: {Ticket: "17", Kind: HookAssigned, Assignee: "emma@example.test"},
	},
	bad: []string{"", "{}", "null", `{"type":"ticket.closed","data":{"ticket":"{{ticket.id}}"}}`, `{"freshdesk_webhook":{"ticket_id":17}}`},
}

func znunyHook(event, state string) string {
	return fmt.Sprintf(`{"Ticket":{"TicketID":17,"TicketNumber":"2026113010000012","StateType":%q,"Owner":"emma","Article":[]},"Event":{"Event":%q,"TicketID":"17"}}`, state, event)
}

func hexMAC(sum func() hash.Hash, secret string, parts ...[]byte) string {
	m := hmac.New(sum, []byte(secret))
	for _, p := range parts {
		m.Write(p)
	}
	return hex.EncodeToString(m.Sum(nil))
}

func signSecret(h http.Header, secret string, _ []byte, _ time.Time) { h.Set(HookSecretHeader, secret) }

// zammadHook is the default payload, shortened, as Zammad's documentation has it.
func zammadHook(owner int, state, updated string) string {
	return fmt.Sprintf(`{"ticket":{"article_count":1,"created_at":"2026-11-30T10:00:00.000Z","id":81,"number":"10081","owner":{"active":true,"email":"emma@example.test","firstname":"Emma","id":5,"login":"emma"},`+
		`"owner_id":%d,"priority":{"id":2,"name":"2 normal"},"state":%q,"state_id":2,"title":"Webhook-Test","updated_at":%q,"updated_by_id":3},"article":{"id":104,"internal":false}}`, owner, state, updated)
}

func jiraHook(event, category, changes string) string {
	return fmt.Sprintf(`{"timestamp":%d,"webhookEvent":"jira:%s","user":{"accountId":"a"},"issue":{"id":"10000","key":"HELP-7","fields":{"summary":"x","status":{"name":"any","statusCategory":{"id":3,"key":%q}},`+
		`"assignee":{"accountId":"b","emailAddress":"emma@example.test","displayName":"Emma Taylor"}}},"changelog":{"id":"1","items":[%s]}}`, hookNow.Add(-time.Second).UnixMilli(), event, category, changes)
}

func zendeskHook(event, status, before string) string {
	return fmt.Sprintf(`{"type":"zen:event-type:ticket.%s","account_id":22129848,"id":"cbe4028c-7239-495d-b020-f22348516046","time":"2026-11-30T11:59:58.123456789Z","zendesk_event_version":"2022-11-06",`+
		`"subject":"zen:ticket:35436","detail":{"id":"35436","assignee_id":"8447388090494","status":%q},"event":{"current":"x","previous":%s}}`, event, status, before)
}

func redmineHook(event string, closed bool, changed string) string {
	return fmt.Sprintf(`{"type":%q,"timestamp":"2026-11-30T11:59:58Z","data":{"issue":{"id":17,"status":{"id":5,"name":"x","is_closed":%v},"assigned_to":{"id":5,"name":"Emma Taylor"}},`+
		`"journal":{"id":1,"details":[{"property":"attr","prop_key":%q,"old_value":"1","value":"2"}]}}}`, event, closed, changed)
}

// glpiHooks are those of GLPI 11, whichever of its interfaces is used.
var glpiHooks = hooked{
	secret: hookWord, other: "another-" + hookWord,
	sign: func(h http.Header, secret string, body []byte, at time.Time) {
		unix := strconv.FormatInt(at.Unix(), 10)
		h.Set("X-GLPI-timestamp", unix)
		h.Set("X-GLPI-signature", hexMAC(sha256.New, secret, body, []byte(unix)))
	},
	good: map[string]HookEvent{
		glpiHook("update", 6, "assigned"):                                          {Ticket: "17", Kind: HookClosed, Assignee: "emma", At: hookNow},
		glpiHook("update", 5, "requester"):                                         {Ticket: "17", Kind: HookClosed},
		glpiHook("update", 2, "assigned"):                                          {Ticket: "17", Kind: HookAssigned, Assignee: "emma"},
		glpiHook("update", 2, "observer"):                                          {Ticket: "17", Kind: HookChanged},
		glpiHook("new", 1, ""):                                                     {Ticket: "17", Kind: HookOpened},
		strings.Replace(glpiHook("update", 2, "by number"), `"by number"`, "2", 1): {Ticket: "17", Kind: HookChanged},
		glpiHook("delete", 2, ""):                                                  {Ticket: "17", Kind: HookClosed},
	},
	bad: []string{"", "{}", "null", `{"event":"update","item":{"id":17}}`, `{"event":"update","item":{"id":0,"status":{"id":2}}}`, `{"item":{"id":17,"status":{"id":2}}}`},
}

func glpiHook(event string, status int, role string) string {
	return fmt.Sprintf("{\n    \"item\": {\"id\": 17, \"name\": \"x\", \"status\": {\"id\": %d, \"name\": \"any\"}, \"team\": [{\"id\": 4, \"name\": \"emma\", \"type\": \"User\", \"role\": %q}]},\n    \"event\": %q\n}", status, role, event)
}

// listening is a system with a secret of hooks, at hookNow.
func listening(t testing.TB, system, secret string) Hooks {
	t.Helper()
	c := Config{System: system, URL: "https://desk.example.org", User: "u", Password: "p", Token: "t", ClientID: "1", ClientSecret: "s", HookSecret: secret}
	if system == "webhook" {
		c.Token = foreign
	}
	d, err := NewSystem(c)
	if err != nil {
		t.Fatal(err)
	}
	d.(interface{ at(time.Time) }).at(hookNow)
	h := HooksOf(Limited(Retried(d), 60))
	if h == nil {
		t.Fatalf("%s has no hooks", system)
	}
	return h
}

// at stops a client's clock.
func (c *client) at(now time.Time) { c.now = func() time.Time { return now } }

func TestHooksSayWhatHappened(t *testing.T) {
	for system, k := range hooks {
		t.Run(system, func(t *testing.T) {
			d := listening(t, system, k.secret)
			for body, want := range k.good {
				h := http.Header{}
				k.sign(h, k.secret, []byte(body), hookNow)
				got, err := d.ParseHook(h, []byte(body))
				if want.Delivery == "" {
					want.Delivery = got.Delivery
				}
				if want.At.IsZero() {
					want.At = got.At
				}
				if err != nil || got != want || !ticketToken(got.Delivery) || got.At.Location() != time.UTC || got.At.After(hookNow) {
					t.Errorf("%s\ngot  %+v, %v\nwant %+v", body, got, err, want)
				}
				// The same again has the same id.
				again := http.Header{}
				k.sign(again, k.secret, []byte(body), hookNow)
				if second, err := d.ParseHook(again, []byte(body)); err != nil || second.Delivery != got.Delivery {
					t.Errorf("again: %q, %v; was %q", second.Delivery, err, got.Delivery)
				}
			}
			for _, body := range k.bad {
				h := http.Header{}
				k.sign(h, k.secret, []byte(body), hookNow)
				if got, err := d.ParseHook(h, []byte(body)); !errors.Is(err, ErrInvalid) || got != (HookEvent{}) {
					t.Errorf("nonsense %.80s: %+v, %v", body, got, err)
				}
			}
		})
	}
}

func TestNobodyElsesHookIsBelieved(t *testing.T) {
	for system, k := range hooks {
		t.Run(system, func(t *testing.T) {
			d := listening(t, system, k.secret)
			body := slices.Sorted(func(yield func(string) bool) {
				for b := range k.good {
					if !yield(b) {
						return
					}
				}
			})[0]
			sign := func(secret string, at time.Time) http.Header {
				h := http.Header{}
				k.sign(h, secret, []byte(body), at)
				return h
			}
			good := sign(k.secret, hookNow)
			if _, err := d.ParseHook(good, []byte(body)); err != nil {
				t.Fatal(err)
			}
			refused := func(what string, d Hooks, h http.Header, body string) {
				t.Helper()
				if got, err := d.ParseHook(h, []byte(body)); !errors.Is(err, ErrAuth) || got != (HookEvent{}) {
					t.Errorf("%s: %+v, %v", what, got, err)
				} else if strings.Contains(err.Error(), k.secret) {
					t.Errorf("%s: the error shows the secret: %v", what, err)
				}
			}
			refused("without anything", d, http.Header{}, body)
			refused("with another secret", d, sign(k.other, hookNow), body)
			deaf := listening(t, system, "")
			refused("of a desk without hooks", deaf, good, body)
			if _, err := deaf.ParseHook(good, []byte(body)); err == nil || !strings.Contains(err.Error(), "no hooksecret") {
				t.Errorf("an admin is not told why: %v", err)
			}
			for name, values := range good {
				h := good.Clone()
				h.Del(name)
				refused("without "+name, d, h, body)
				for _, v := range []string{"", values[0] + "x", "x" + values[0], values[0][:len(values[0])-1], strings.Repeat("x", 1<<16)} {
					h.Set(name, v)
					refused(fmt.Sprintf("with %s %.40q", name, v), d, h, body)
				}
			}
			if k.ages {
				refused("of long ago", d, sign(k.secret, hookNow.Add(-6*time.Minute)), body)
				refused("of the future", d, sign(k.secret, hookNow.Add(6*time.Minute)), body)
				if _, err := d.ParseHook(sign(k.secret, hookNow.Add(-4*time.Minute)), []byte(body)); err != nil {
					t.Errorf("of a moment ago: %v", err)
				}
			}
			// While the desk changes from one secret to another, both count.
			for _, pair := range []string{k.other + " " + k.secret, k.secret + " " + k.other} {
				if _, err := listening(t, system, pair).ParseHook(good, []byte(body)); err != nil {
					t.Errorf("while the secret changes: %v", err)
				}
			}
			for _, body := range k.old {
				h := http.Header{}
				k.sign(h, k.secret, []byte(body), hookNow)
				refused("of "+body, d, h, body)
			}
			if _, err := d.ParseHook(good, make([]byte, MaxHook+1)); !errors.Is(err, ErrTooLarge) {
				t.Errorf("too large: %v", err)
			}
		})
	}
	// A signature beside those of other keys counts: its sender changes his.
	k := hooks["rt"]
	for body := range k.good {
		h := http.Header{}
		k.sign(h, whsec, []byte(body), hookNow)
		h.Set("Webhook-Signature", "v1a,AAAA v1,AAAA "+h.Get("Webhook-Signature"))
		if _, err := listening(t, "rt", whsec).ParseHook(h, []byte(body)); err != nil {
			t.Errorf("beside others: %v", err)
		}
	}
}

// An attacker signs with what he guesses: an empty key, or the secret of notes.
func TestAHookIsNotVouchedForByAnEmptySecret(t *testing.T) {
	body := []byte(`{"type":"ticket.closed","timestamp":"2026-11-30T11:59:58Z","data":{"ticket":"17"}}`)
	unix := strconv.FormatInt(hookNow.Unix(), 10)
	h := http.Header{"Webhook-Id": {"x"}, "Webhook-Timestamp": {unix}, "Webhook-Signature": {"v1," + webhookMAC(nil, "x", unix, body)}}
	for _, system := range []string{"rt", "webhook"} {
		if _, err := listening(t, system, "").ParseHook(h, body); !errors.Is(err, ErrAuth) {
			t.Errorf("%s: %v", system, err)
		}
	}
	signStandard(h, foreign, body, hookNow) // the Token of the webhook of listening
	if _, err := listening(t, "webhook", whsec).ParseHook(h, body); !errors.Is(err, ErrAuth) {
		t.Errorf("got %v", err)
	}
}

func TestTheSecretOfHooksIsOneThatNobodyGuesses(t *testing.T) {
	for _, system := range Systems() {
		c := Config{System: system, URL: "https://desk.example.org", User: "u", Password: "p", Token: "t", ClientID: "1", ClientSecret: "s", From: "a@example.org", To: "b@example.org"}
		if system == "webhook" {
			c.Token = foreign
		}
		if system == "email" {
			c.URL = "smtps://mail.example.org"
		}
		d, err := NewSystem(c)
		if err != nil {
			t.Fatal(err)
		}
		k, listens := hooks[system]
		if (HooksOf(d) != nil) != listens || listens == (hookless[system] != "") {
			t.Errorf("%s has hooks: %v", system, HooksOf(d) != nil)
		}
		bad := []string{"short", "x y", whsec + " " + whsec + " " + whsec}
		if !listens {
			bad = append(bad, whsec, hookWord)
		}
		for _, secret := range bad {
			c.HookSecret = secret
			if _, err := NewSystem(c); !errors.Is(err, ErrConfig) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s, %q: %v", system, secret, err)
			}
		}
		if listens {
			c.HookSecret = k.secret
			if _, err := NewSystem(c); err != nil {
				t.Errorf("%s: %v", system, err)
			}
		}
	}
}

// FuzzParseHook gives each system bodies that its desk vouches for, and headers
// that nobody does.
func FuzzParseHook(f *testing.F) {
	for system, k := range hooks {
		for body := range k.good {
			f.Add(system, []byte(body), "v1,AAAA")
		}
		for _, body := range k.bad {
			f.Add(system, []byte(body), "")
		}
	}
	f.Fuzz(func(t *testing.T, system string, body []byte, forged string) {
		k, ok := hooks[system]
		if !ok || len(body) > 1<<16 {
			return
		}
		d := listening(t, system, k.secret)
		h := http.Header{}
		k.sign(h, k.secret, body, hookNow)
		got, err := d.ParseHook(h, body)
		switch {
		case err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrAuth):
			t.Errorf("an error of no type: %v", err)
		case err != nil && got != (HookEvent{}):
			t.Errorf("%+v beside %v", got, err)
		case err == nil:
			kinds := []string{HookClosed, HookOpened, HookAssigned, HookChanged}
			if !slices.Contains(kinds, got.Kind) || !ticketToken(got.Ticket) || !ticketToken(got.Delivery) || line(got.Assignee) != got.Assignee ||
				got.At.IsZero() || got.At.After(hookNow) || !json.Valid(body) {
				t.Errorf("%+v of %q", got, body)
			}
		}
		for name, v := range h {
			if v[0] == forged {
				return
			}
			h.Set(name, forged)
		}
		if _, err := d.ParseHook(h, body); !errors.Is(err, ErrAuth) {
			t.Errorf("forged: %v", err)
		}
	})
}
