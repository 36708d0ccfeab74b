// Package formats writes events for other programs: what a security team's
// collector, a spreadsheet or a script reads.
//
//	jsonl   JSON Lines, canonical: {"leaf":…,"personal":…,"state":…}; the schema is audit.Schema
//	csv     a table for a spreadsheet; no cell can be a formula
//	cef     ArcSight Common Event Format, one line an event
//	ecs     Elastic Common Schema 8, JSON Lines
//	ocsf    Open Cybersecurity Schema Framework 1.3, JSON Lines
//	otlp    OpenTelemetry's logs, JSON Lines
//
// Each can also travel as RFC 5424 messages over TLS ([Dial]), and OpenTelemetry's
// over HTTP ([NewOTLP]). What these formats
// cannot say stands in them under a name of its own (mainforte, unmapped), so
// nothing is lost; and each event carries the hash of its leaf, by which it is
// found again in the tree. None of them proves anything: package bundle does.
package formats

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
)

// Options of all formats.
type Options struct {
	Origin   string                  // of the log
	Version  string                  // of this program
	Personal bool                    // with names and addresses
	Name     func(ref string) string // of an account; only asked for with Personal; may be nil
}

// Format writes events, one after the other.
type Format interface {
	// Head is what stands before the first event, if anything.
	Head() []byte
	// Append adds an event to b, with what ends it.
	Append(b []byte, n audit.Line) ([]byte, error)
}

var makers = map[string]func(Options) Format{
	"jsonl": func(o Options) Format { return jsonl{o} },
	"csv":   func(o Options) Format { return table{o} },
	"cef":   func(o Options) Format { return cef{o} },
	"ecs":   func(o Options) Format { return ecs{o} },
	"ocsf":  func(o Options) Format { return ocsf{o} },
	"otlp":  func(o Options) Format { return otlp{o} },
}

// Names of the formats, sorted.
func Names() []string {
	var list []string
	for n := range makers {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// New makes a format; ok is false if there is none of this name.
func New(name string, o Options) (f Format, ok bool) {
	m, ok := makers[name]
	if !ok {
		return nil, false
	}
	return m(o), true
}

// read reads a line as far as the options allow.
func (o Options) read(n audit.Line) (audit.Record, error) {
	if !o.Personal {
		n.Personal = nil
	}
	r, err := n.Record()
	if err != nil {
		return audit.Record{}, fmt.Errorf("formats: line %d: %w", n.Index, err)
	}
	return r, nil
}

// state is that of the personal part in the output.
func (o Options) state(n audit.Line) string {
	if n.State == audit.Present && !o.Personal {
		return "withheld"
	}
	return string(n.State)
}

// who is the name of an actor, if names may be told.
func (o Options) who(r audit.Record) string {
	if !o.Personal {
		return ""
	}
	if o.Name != nil && r.Actor.Ref != "" {
		if n := o.Name(r.Actor.Ref); n != "" {
			return wire.Clean(n)
		}
	}
	for _, k := range []string{"name", "technician"} {
		if n, ok := r.Personal[k].(string); ok {
			return wire.Clean(n)
		}
	}
	return ""
}

// address is where the actor was, if that may be told.
func address(r audit.Record, keys ...string) string {
	for _, k := range keys {
		if a, ok := r.Personal[k].(string); ok {
			return wire.Clean(a)
		}
	}
	return ""
}

func hash(n audit.Line) string { return base64.StdEncoding.EncodeToString(n.Hash[:]) }

// compact is v as JSON without escaped angle brackets.
func compact(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "null" // maps of texts and numbers: cannot be
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// object is a JSON object under construction; empty values are left out.
type object map[string]any

func (o object) put(key string, v any) object {
	switch v := v.(type) {
	case string:
		if v == "" {
			return o
		}
	case object:
		if len(v) == 0 {
			return o
		}
	case map[string]any:
		if len(v) == 0 {
			return o
		}
	}
	o[key] = v
	return o
}

func (o object) line(b []byte) []byte { return append(append(b, compact(o)...), '\n') }

// jsonl is the canonical form.
type jsonl struct{ o Options }

func (jsonl) Head() []byte { return nil }

func (f jsonl) Append(b []byte, n audit.Line) ([]byte, error) {
	b = append(append(b, `{"leaf":`...), n.Leaf...)
	if f.o.Personal && n.State == audit.Present {
		b = append(append(b, `,"personal":`...), n.Personal...)
	}
	return append(append(append(b, `,"state":"`...), f.o.state(n)...), "\"}\n"...), nil
}

// table is CSV, RFC 4180.
type table struct{ o Options }

func (table) Head() []byte {
	return []byte("index,time,type,outcome,actor,actor_id,actor_name,origin,session,ticket,ms,data,personal_state,personal,leaf_hash\r\n")
}

func (f table) Append(b []byte, n audit.Line) ([]byte, error) {
	r, err := f.o.read(n)
	if err != nil {
		return nil, err
	}
	personal := ""
	if len(r.Personal) > 0 {
		personal = compact(r.Personal)
	}
	b = strconv.AppendInt(b, r.Index, 10)
	for _, cell := range []string{
		stamp(r), r.Type, r.Outcome, r.Actor.Kind, r.Actor.Ref, f.o.who(r), r.Origin, r.Session, r.Ticket,
		strconv.FormatInt(r.MonoMS, 10), compact(r.Data), f.o.state(n), personal, hash(n),
	} {
		b = AppendCell(append(b, ','), cell)
	}
	return append(b, "\r\n"...), nil
}

// AppendCell writes a cell that a spreadsheet takes as text: a sign with which a
// formula could begin gets an apostrophe before it.
func AppendCell(b []byte, s string) []byte {
	if s != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(s[0])) {
		s = "'" + s
	}
	if !strings.ContainsAny(s, ",\"\r\n'") {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}

// stamp is the time as RFC 3339 with microseconds, which RFC 5424 §6.2.3 allows too.
func stamp(r audit.Record) string { return r.Time.UTC().Format("2006-01-02T15:04:05.000000Z") }
