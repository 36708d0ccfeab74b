package tickets

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// webhook sends notes to an address of the admin's, signed as the Standard
// Webhooks specification says (standardwebhooks.com, 1.0: webhook-id,
// webhook-timestamp, webhook-signature with v1). It is blind: tickets cannot be
// read, and a note is not looked for; the receiver drops what has the id of one
// that it has seen.
type webhook struct {
	*client
	blind
	key []byte
}

// SecretPrefix begins the secret of a webhook; base64 of 24 to 64 bytes follows.
const SecretPrefix = "whsec_"

func webhookKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, SecretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("%w: the secret of a webhook is %s and base64 of 24 to 64 bytes", ErrConfig, SecretPrefix)
	}
	return key, nil
}

func newWebhook(c Config) (System, error) {
	if err := c.need("token", c.Token); err != nil {
		return nil, err
	}
	key, err := webhookKey(c.Token)
	if err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	return &webhook{cl, blind{c}, key}, nil
}

// Name implements System.
func (*webhook) Name() string { return "webhook" }

// Caps implements System.
func (*webhook) Caps() Caps {
	return Caps{HTML: true, Files: true, Time: true, Links: true, Public: true, NativeKey: true, Blind: true, MaxFile: 10 << 20}
}

// Types of a WebhookEvent. They are not types of the log's events.
const (
	hookNote = "ticket.note"
	hookPing = "ping"
)

// WebhookEvent is what a webhook carries, as JSON.
type WebhookEvent struct {
	Type string       `json:"type"` // hookNote or hookPing
	Time time.Time    `json:"timestamp"`
	Data *WebhookNote `json:"data,omitempty"`
}

// WebhookNote is a note. Which of its texts is used is the receiver's choice.
type WebhookNote struct {
	Ticket   string `json:"ticket"`
	Key      string `json:"key"` // the same as webhook-id
	Lang     string `json:"lang"`
	Public   bool   `json:"public"`
	Minutes  int    `json:"minutes,omitempty"`
	Link     string `json:"link,omitempty"`
	Text     string `json:"text"`
	HTML     string `json:"html"`
	Markdown string `json:"markdown"`
	Files    []File `json:"files,omitempty"` // Data in base64
}

func (d *webhook) post(ctx context.Context, id string, e WebhookEvent) error {
	body, err := json.Marshal(e)
	if err != nil {
		return d.failed(ErrInvalid, "%v", err)
	}
	at := strconv.FormatInt(e.Time.Unix(), 10)
	_, err = d.do(ctx, request{method: "POST", body: body, status: []int{200, 201, 202, 204}, header: http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {"v1," + webhookMAC(d.key, id, at, body)},
	}})
	return err
}

func webhookMAC(key []byte, id, at string, body []byte) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(id + "." + at + "."))
	m.Write(body)
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// Check implements System: the receiver takes a ping.
func (d *webhook) Check(ctx context.Context) error {
	now := d.now().UTC()
	return d.post(ctx, fmt.Sprintf("mf:ping:%d", now.UnixNano()), WebhookEvent{Type: hookPing, Time: now})
}

// Append implements System. The remote id is the key.
func (d *webhook) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !ticketToken(ticket) {
		return "", fmt.Errorf("%w: webhook: %.40q", ErrNotFound, ticket)
	}
	doc := n.Document()
	out := WebhookNote{
		Ticket: ticket, Key: n.Key, Lang: langOr(n.Lang, d.cfg.Lang), Public: n.Public, Minutes: n.Minutes, Link: safeURL(n.Link),
		Text: Plain(doc), HTML: HTML(doc), Markdown: Markdown(doc),
	}
	for _, f := range n.Files {
		out.Files = append(out.Files, File{Name: fileName(f.Name), Type: fileType(f), Data: f.Data})
	}
	if err := d.post(ctx, n.Key, WebhookEvent{Type: hookNote, Time: d.now().UTC(), Data: &out}); err != nil {
		return "", err
	}
	return n.Key, nil
}

// webhookAge is how old or how early a webhook may be: the sender's clock may
// differ, and nobody may replay a captured one later.
const webhookAge = 5 * time.Minute

// VerifyWebhook tells whether a request is signed with secret, as Standard
// Webhooks says, and fresh; its error is ErrAuth. body is the whole body.
func VerifyWebhook(secret string, h http.Header, body []byte, now time.Time) error {
	key, err := webhookKey(secret)
	if err != nil {
		return err
	}
	id, at := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || strings.Contains(id, ".") || len(id) > 256 {
		return fmt.Errorf("%w: the webhook has no id or time", ErrAuth)
	}
	// Seconds are compared: times far off cannot be subtracted.
	if lag := now.Unix() - unix; lag > int64(webhookAge/time.Second) || lag < -int64(webhookAge/time.Second) {
		return fmt.Errorf("%w: the webhook is too old, or from the future", ErrAuth)
	}
	want := webhookMAC(key, id, at, body)
	for _, s := range strings.Fields(h.Get("Webhook-Signature")) {
		if got, ok := strings.CutPrefix(s, "v1,"); ok && hmac.Equal([]byte(got), []byte(want)) {
			return nil
		}
	}
	return fmt.Errorf("%w: the signature of the webhook is wrong", ErrAuth)
}
