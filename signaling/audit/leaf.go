package audit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/mainforte/mainforte/signaling/store"
)

var (
	outcomes = map[string]bool{"ok": true, "deny": true, "fail": true}
	origins  = map[string]bool{"host": true, "viewer": true, "server": true}
	kinds    = map[string]bool{"person": true, "technician": true, "supervisor": true, "auditor": true, "admin": true, "system": true, "integration": true}
)

// check holds e against the rules; Data and Personal are checked as they are written.
func check(e Event) error {
	if _, ok := eventTypes[e.Type]; !ok {
		return fmt.Errorf("%w: unknown type", ErrBadEvent)
	}
	if !outcomes[e.Outcome] {
		return fmt.Errorf("%w: outcome %q", ErrBadEvent, e.Outcome)
	}
	if !origins[e.Origin] {
		return fmt.Errorf("%w: origin %q", ErrBadEvent, e.Origin)
	}
	if !kinds[e.Actor.Kind] {
		return fmt.Errorf("%w: actor %q", ErrBadEvent, e.Actor.Kind)
	}
	for _, f := range []struct{ what, text string }{{"session", e.Session}, {"ticket", e.Ticket}, {"actor's ref", e.Actor.Ref}} {
		if err := token(f.text, maxKey); err != nil {
			return fmt.Errorf("%s: %w", f.what, err)
		}
	}
	if !e.Time.IsZero() && (e.Time.Year() < 1970 || e.Time.Year() > 9999) {
		return fmt.Errorf("%w: a time in the year %d", ErrBadEvent, e.Time.Year())
	}
	if e.MonoMS < 0 || e.MonoMS > maxSafe {
		return fmt.Errorf("%w: mono_ms %d", ErrBadEvent, e.MonoMS)
	}
	return nil
}

// leaf writes the canonical JSON before and after the value of index. All text
// in it passed token or is our own, so nothing needs escaping.
func leaf(e Event, id string, commit []byte) (pre, post []byte, err error) {
	b := make([]byte, 0, 320)
	b = append(b, `{"actor":{"kind":"`...)
	b = append(b, e.Actor.Kind...)
	b = append(b, `","ref":"`...)
	b = append(b, e.Actor.Ref...)
	b = append(b, `"},`...)
	if commit != nil {
		b = append(b, `"commit":"`...)
		b = base64.StdEncoding.AppendEncode(b, commit)
		b = append(b, `",`...)
	}
	b = append(b, `"data":`...)
	at := len(b)
	if e.Data == nil {
		b = append(b, "{}"...)
	} else if b, err = canonical(b, e.Data, true, 0); err != nil {
		return nil, nil, err
	}
	if len(b)-at > maxData {
		return nil, nil, fmt.Errorf("%w: data over %d bytes", ErrBadEvent, maxData)
	}
	b = append(b, `,"id":"`...)
	b = append(b, id...)
	b = append(b, `","index":`...)
	n := len(b)
	b = append(b, `,"mono_ms":`...)
	b = strconv.AppendInt(b, e.MonoMS, 10)
	for _, f := range [...][2]string{
		{"origin", e.Origin}, {"outcome", e.Outcome}, {"session", e.Session},
		{"t", store.FormatTime(e.Time)}, {"ticket", e.Ticket}, {"type", e.Type},
	} {
		b = append(b, `,"`...)
		b = append(b, f[0]...)
		b = append(b, `":"`...)
		b = append(b, f[1]...)
		b = append(b, '"')
	}
	b = append(b, `,"v":1}`...)
	return b[:n:n], b[n:], nil
}

// parsed is a leaf read back.
type parsed struct {
	Actor struct {
		Kind string `json:"kind"`
		Ref  string `json:"ref"`
	} `json:"actor"`
	Commit  []byte          `json:"commit"`
	Data    json.RawMessage `json:"data"`
	ID      string          `json:"id"`
	Index   int64           `json:"index"`
	MonoMS  int64           `json:"mono_ms"`
	Origin  string          `json:"origin"`
	Outcome string          `json:"outcome"`
	Session string          `json:"session"`
	T       string          `json:"t"`
	Ticket  string          `json:"ticket"`
	Type    string          `json:"type"`
	V       int             `json:"v"`
}

func parseLeaf(text []byte) (parsed, error) {
	var p parsed
	if err := json.Unmarshal(text, &p); err != nil {
		return parsed{}, fmt.Errorf("%w: not a leaf: %w", ErrDamaged, err)
	}
	if p.V != 1 {
		return parsed{}, fmt.Errorf("%w: a leaf of version %d", ErrDamaged, p.V)
	}
	return p, nil
}

// record turns a leaf into the event it was.
func (p parsed) record() (Record, error) {
	t, err := store.ParseTime(p.T)
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	data, err := readObject(p.Data)
	if err != nil {
		return Record{}, fmt.Errorf("%w: data: %w", ErrDamaged, err)
	}
	return Record{Index: p.Index, ID: p.ID, Event: Event{
		Type: p.Type, Session: p.Session, Ticket: p.Ticket, Outcome: p.Outcome,
		Actor: Actor{Kind: p.Actor.Kind, Ref: p.Actor.Ref}, Origin: p.Origin,
		Time: t, MonoMS: p.MonoMS, Data: data,
	}}, nil
}
