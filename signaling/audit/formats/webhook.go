package formats

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
)

// Webhook posts each event to a program that wants to hear of it, signed after the
// Standard Webhooks specification: webhook-id is the same however often an event
// comes, webhook-signature is HMAC-SHA-256 over id, time of sending and body.
type Webhook struct {
	ctx     context.Context
	url     string
	client  *http.Client
	key     []byte
	only    Selection
	problem func(string)
	o       Options
	now     func() time.Time
}

// NewWebhook posts what only selects to url, signed with key. problem hears which
// events the receiver refused. ctx ends what is under way.
func NewWebhook(ctx context.Context, url string, client *http.Client, key []byte, only Selection, o Options, problem func(string)) *Webhook {
	// An event must not go where the receiver points.
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Timeout = sendTime
	return &Webhook{ctx: ctx, url: url, client: &c, key: key, only: only, problem: problem, o: o, now: time.Now}
}

// Lengths of a key in bytes, of the specification.
const (
	leastKey = 24
	mostKey  = 64
)

// ErrKey: a text is no key of a webhook.
var ErrKey = errors.New("formats: not a key like whsec_ and the base64 of 24 to 64 random bytes")

// ParseKey reads a key as the specification writes it.
func ParseKey(text string) ([]byte, error) {
	coded, ok := strings.CutPrefix(strings.TrimSpace(text), "whsec_")
	key, err := base64.StdEncoding.DecodeString(coded)
	if !ok || err != nil || len(key) < leastKey || len(key) > mostKey {
		return nil, ErrKey
	}
	return key, nil
}

// Selection are the types of events that somebody wants to hear of; nil: all.
type Selection []string

// ErrSelection: a selection names what no event has for a type.
var ErrSelection = errors.New("formats: no event is of such a type")

// ParseSelection reads types with commas between; "session.*" are all that begin so.
// Errors: ErrSelection, for a word that selects nothing.
func ParseSelection(text string) (Selection, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var s Selection
	for word := range strings.SplitSeq(text, ",") {
		one := Selection{strings.TrimSpace(word)}
		known := false
		for _, typ := range audit.Types() {
			known = known || one.has(typ)
		}
		if !known {
			return nil, fmt.Errorf("%w: %.60q", ErrSelection, one[0])
		}
		s = append(s, one[0])
	}
	return s, nil
}

func (s Selection) has(typ string) bool {
	for _, word := range s {
		if prefix, ok := strings.CutSuffix(word, "*"); word == typ || ok && strings.HasSuffix(prefix, ".") && strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return s == nil
}

// message is the body of an event's post, and the id of it.
func (s *Webhook) message(n audit.Line) (id string, body []byte, selected bool, err error) {
	r, err := s.o.read(n)
	if err != nil {
		return "", nil, false, err
	}
	if !s.only.has(r.Type) {
		return "", nil, false, nil
	}
	actor := object{"kind": r.Actor.Kind}.put("ref", r.Actor.Ref).put("name", s.o.who(r))
	data := object{
		"index": r.Index, "outcome": r.Outcome, "origin": r.Origin, "actor": actor, "leaf_hash": hash(n), "personal_state": s.o.state(n), "log": s.o.Origin,
	}.put("session", r.Session).put("ticket", r.Ticket).put("data", r.Data).put("personal", r.Personal)
	return "mf_" + hex.EncodeToString(n.Hash[:16]), []byte(compact(object{"type": r.Type, "timestamp": stamp(r), "data": data})), true, nil
}

// Sign is the value of webhook-signature.
func Sign(key []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.", id, at) // never fails
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Send posts an event, if it is one of those wanted. An error means that it may be
// sent again; *Later is in it where the receiver said when. What the receiver cannot
// take, now or ever, is told and not sent again: what comes after it must not wait.
func (s *Webhook) Send(n audit.Line) error {
	id, body, selected, err := s.message(n)
	if err != nil || !selected {
		return err
	}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("formats: %w", err)
	}
	at := strconv.FormatInt(s.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", at)
	req.Header.Set("webhook-signature", Sign(s.key, id, at, body))
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("formats: the receiver: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxReply)) // so that the connection serves again
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return nil
	case resp.StatusCode == http.StatusBadRequest, resp.StatusCode == http.StatusRequestEntityTooLarge, resp.StatusCode == http.StatusUnprocessableEntity:
		s.problem(fmt.Sprintf("the receiver refused the event %s, record %d: %s", id, n.Index, resp.Status))
		return nil
	}
	err = fmt.Errorf("formats: the receiver answers %s", resp.Status)
	if after, e := strconv.Atoi(resp.Header.Get("Retry-After")); e == nil && after >= 0 {
		err = errors.Join(err, &Later{time.Duration(min(after, 3600)) * time.Second})
	}
	return err
}

// Flush has nothing to do: each event is sent by itself.
func (s *Webhook) Flush() error { return nil }

// Close ends it.
func (s *Webhook) Close() error {
	s.client.CloseIdleConnections()
	return nil
}
