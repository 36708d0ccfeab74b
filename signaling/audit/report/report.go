// Package report prints one session for people: a page of HTML that needs nothing
// else, or a PDF, in English or French, to be read, printed or kept beside a ticket.
//
// It shows what stands in the log and says by which root that can be checked; it
// is not a proof (package bundle is). What came from a host or a technician is
// hostile text: it is cleaned and escaped, and the page's own policy lets nothing
// in it run or load.
package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
)

// Options of a report.
type Options struct {
	Lang     string // "en" or "fr"; anything else is English
	Personal bool   // with names and addresses
	Name     func(ref string) string
	Origin   string           // of the log
	Key      string           // verifier key in force
	Point    audit.Checkpoint // that covers the session
	Now      time.Time
}

// ErrEmpty: there is no event to report on.
var ErrEmpty = errors.New("report: this session has no events")

//go:embed locales/*.json page.html page.css
var files embed.FS

var (
	texts = map[string]words{"en": load("en"), "fr": load("fr")}
	page  = template.Must(template.New("page.html").ParseFS(files, "page.html"))
	style = read("page.css")
)

type words map[string]string

// load and read are part of building: a broken file is found by the first test.
func load(lang string) words {
	m := words{}
	if err := json.Unmarshal([]byte(read("locales/"+lang+".json")), &m); err != nil {
		panic(fmt.Sprintf("report: locales/%s.json: %v", lang, err)) // our own file, embedded
	}
	return m
}

func read(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) // our own file, embedded
	}
	return string(b)
}

// fact is a line of a list, row one of the table.
type (
	fact struct{ Label, Value string }
	row  struct{ Index, Time, What, Outcome, Who, More, State string }
)

// view is what page.html shows.
type view struct {
	w       words
	o       Options
	Lang    string
	Session string
	Made    string
	Facts   []fact
	Rows    []row
	Proof   []fact
}

// T is a text of the page's language.
func (v *view) T(key string) string { return v.w[key] }

// Style is the page's only style, and Policy allows nothing else.
func (v *view) Style() template.HTML { return template.HTML("<style>" + style + "</style>") } // our own file

// Policy of the page.
func (v *view) Policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Write prints the events of one session as a page of HTML, as audit.Log.Events returns them.
func Write(out io.Writer, events []audit.Record, o Options) error {
	v, err := o.view(events)
	if err != nil {
		return err
	}
	if err := page.Execute(out, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// view gathers what is shown.
func (o Options) view(events []audit.Record) (*view, error) {
	if len(events) == 0 {
		return nil, ErrEmpty
	}
	if texts[o.Lang] == nil {
		o.Lang = "en"
	}
	v := &view{w: texts[o.Lang], o: o, Lang: o.Lang, Session: events[0].Session}
	v.Made = v.stamp(o.Now)
	v.summary(events)
	for _, e := range events {
		v.Rows = append(v.Rows, v.row(e))
	}
	v.proof(events)
	return v, nil
}

func (v *view) stamp(t time.Time) string {
	return t.UTC().Format(v.w["format.day"]+" "+v.w["format.time"]) + " UTC"
}

func (v *view) fact(label, value string) {
	if value != "" {
		v.Facts = append(v.Facts, fact{v.w["label."+label], value})
	}
}

// summary gathers what the events say of the session as a whole.
func (v *view) summary(events []audit.Record) {
	var technicians []string
	var keys, clicks, ms int64
	var ticket, reason, hostKey string
	var ended time.Time
	for _, e := range events {
		if e.Ticket != "" {
			ticket = e.Ticket
		}
		number := func(key string) int64 { n, _ := e.Data[key].(int64); return n }
		switch e.Type {
		case "session.paired", "participant.joined":
			if n := v.name(e); n != "" && !slices.Contains(technicians, n) {
				technicians = append(technicians, n)
			}
			if k, ok := e.Data["host_key"].(string); ok {
				hostKey = k
			}
		case "input.summary":
			keys += number("keys")
			clicks += number("clicks")
		case "session.ended":
			ended, ms = e.Time, number("duration_ms")
			reason, _ = e.Data["reason"].(string)
		}
	}
	v.fact("session", v.Session)
	v.fact("ticket", ticket)
	v.fact("technicians", strings.Join(technicians, v.w["comma"]))
	v.fact("started", v.stamp(events[0].Time))
	if ended.IsZero() {
		v.fact("ended", v.w["running"])
	} else {
		v.fact("ended", v.stamp(ended))
		v.fact("duration", duration(time.Duration(min(ms, maxMS))*time.Millisecond))
		v.fact("reason", v.token("reason", reason))
	}
	v.fact("counts", strings.NewReplacer("{keys}", strconv.FormatInt(keys, 10), "{clicks}", strconv.FormatInt(clicks, 10)).Replace(v.w["counts"]))
	v.fact("host_key", hostKey)
}

// name of who did it, if names may be told.
func (v *view) name(e audit.Record) string {
	if !v.o.Personal {
		return ""
	}
	if n, ok := e.Personal["technician"].(string); ok {
		return wire.Clean(n)
	}
	if v.o.Name != nil && e.Actor.Ref != "" {
		return wire.Clean(v.o.Name(e.Actor.Ref))
	}
	return ""
}

func (v *view) row(e audit.Record) row {
	r := row{
		Index: strconv.FormatInt(e.Index, 10), Time: e.Time.UTC().Format(v.w["format.time"]),
		What: v.w["type."+e.Type], Outcome: v.w["outcome."+e.Outcome], Who: v.w["who."+e.Actor.Kind],
	}
	if r.What == "" {
		r.What = e.Type
	}
	if n := v.name(e); n != "" {
		r.Who = n + v.w["comma"] + r.Who
	}
	state := e.State
	personal := e.Personal
	if state == audit.Present && !v.o.Personal {
		state, personal = "withheld", nil
	}
	r.State = v.w["state."+string(state)]
	var more []string
	for _, m := range []map[string]any{e.Data, personal} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if label := v.w["data."+k]; label != "" { // hashes and signatures are for programs
				more = append(more, label+v.w["colon"]+v.token(k, m[k]))
			}
		}
	}
	r.More = strings.Join(more, v.w["comma"])
	return r
}

// token is a value in words, where there are some.
func (v *view) token(key string, value any) string {
	s := wire.Clean(fmt.Sprint(value))
	text := ""
	switch key {
	case "reason":
		text = v.w["reason."+s]
	case "grant":
		text = v.w["grant_name."+s]
	case "by", "kind", "line", "method", "route", "signed_in":
		text = v.w["value."+s]
	}
	if text == "" {
		return s
	}
	return text
}

// duration is in units that both languages write alike: h, min, s.
func duration(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	h, m, s := int64(d/time.Hour), int64(d/time.Minute)%60, int64(d/time.Second)%60
	switch {
	case h > 0:
		return fmt.Sprintf("%d\u00a0h %02d\u00a0min", h, m)
	case m > 0:
		return fmt.Sprintf("%d\u00a0min %02d\u00a0s", m, s)
	}
	return fmt.Sprintf("%d\u00a0s", s)
}

func (v *view) proof(events []audit.Record) {
	add := func(label, value string) {
		if value != "" {
			v.Proof = append(v.Proof, fact{v.w["label."+label], value})
		}
	}
	add("origin", v.o.Origin)
	var lines []string
	for i := 0; i < len(events); {
		j := i
		for j+1 < len(events) && events[j+1].Index == events[j].Index+1 {
			j++
		}
		span := strconv.FormatInt(events[i].Index, 10)
		if j > i {
			span += "–" + strconv.FormatInt(events[j].Index, 10)
		}
		if lines = append(lines, span); len(lines) == maxSpans {
			lines = append(lines, "…")
			break
		}
		i = j + 1
	}
	add("lines", strings.Join(lines, v.w["comma"]))
	if v.o.Point.Size > 0 {
		add("root", v.o.Point.RootText())
		add("size", strconv.FormatInt(v.o.Point.Size, 10))
	}
	add("key", v.o.Key)
}

// maxMS keeps a forged number of milliseconds from overflowing.
const maxMS = 10_000 * 3600 * 1000

// maxSpans bounds the list of lines; the table has every one of them.
const maxSpans = 50
