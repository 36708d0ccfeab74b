package tickets

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Summary is what the note at the end of a session says. Names are hostile text.
type Summary struct {
	Session     string
	Technicians []string
	Person      string // may be empty
	Started     time.Time
	Duration    time.Duration
	Grants      []Granted // in the order of the answers
	Keys        int64     // applied on the host; which ones is nowhere
	Clicks      int64
	Reason      string // name of a wire Reason, without REASON_
	HostKey     []byte // Ed25519 public key of the host, 32 bytes; may be empty
	// LogIndex is the line of session.ended, and CheckpointRoot the signed root
	// that holds it, in base64: who rewrites the log has to rewrite the ticket too.
	LogIndex       int64
	CheckpointRoot string
	Link           string // to the session's log
}

// Granted is one answer of the person about one grant.
type Granted struct {
	Name  string // "view", "control"; an unknown one is shown as it is
	State string // "allowed", "denied", "revoked", "given_back"
	At    time.Time
}

//go:embed locales/*.json
var localeFiles embed.FS

// locales holds the texts by language; loading them is part of building, so a
// broken file is found by the first test.
var locales = map[string]map[string]string{"en": load("en"), "fr": load("fr")}

func load(lang string) map[string]string {
	b, err := localeFiles.ReadFile("locales/" + lang + ".json")
	m := map[string]string{}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		panic(fmt.Sprintf("tickets: locales/%s.json: %v", lang, err)) // our own file, embedded
	}
	return m
}

// Note renders the summary as the note of the session's end in lang ("en" or
// "fr"; anything else is English).
func (s Summary) Note(lang string) Note {
	if locales[lang] == nil {
		lang = "en"
	}
	return Note{Key: Marker(s.Session, "end"), Author: "Mainforte", Lang: lang, Text: s.Text(lang)}
}

// Text renders the summary as plain text, as Note does.
func (s Summary) Text(lang string) string {
	w := words(locales[lang])
	if w == nil {
		w = locales["en"]
	}
	var b strings.Builder
	row := func(label, value string) {
		if value != "" {
			b.WriteString(w["label."+label] + w["colon"] + value + "\n")
		}
	}
	section := func(name string) { b.WriteString("\n" + w["section."+name] + "\n") }

	b.WriteString(w["title"] + "\n\n")
	names := make([]string, 0, len(s.Technicians))
	for _, t := range s.Technicians {
		if t = line(t); t != "" {
			names = append(names, t)
		}
	}
	row("technician", strings.Join(names, ", "))
	row("person", line(s.Person))
	row("started", s.Started.UTC().Format(w["format.time"]))
	row("duration", w.duration(s.Duration))
	row("reason", w.reason(s.Reason))

	section("grants")
	answers := s.answers(w)
	if len(answers) == 0 {
		b.WriteString("- " + w["grants.none"] + "\n")
	}
	for _, a := range answers {
		b.WriteString("- " + a + "\n")
	}

	section("used")
	b.WriteString("- " + w.count("keys", s.Keys) + "\n")
	b.WriteString("- " + w.count("clicks", s.Clicks) + "\n")
	b.WriteString(w["used.never"] + "\n")

	section("record")
	row("session", line(s.Session))
	row("line", strconv.FormatInt(s.LogIndex, 10))
	row("root", line(s.CheckpointRoot))
	if len(s.HostKey) > 0 {
		row("host_key", Fingerprint(s.HostKey))
	}
	row("link", line(s.Link))
	return strings.TrimRight(b.String(), "\n")
}

// Fingerprint of a public key as people compare it: SHA-256, base64.
func Fingerprint(key []byte) string {
	h := sha256.Sum256(key)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(h[:])
}

// answers puts the answers about one grant on one line, in the order of the
// first of them.
func (s Summary) answers(w words) []string {
	var list []string
	at := map[string]int{}
	for _, g := range s.Grants {
		when := w.fill("grant."+g.State, "time", g.At.UTC().Format(w["format.clock"]))
		if when == "" {
			continue // a state without words was never an answer
		}
		i, known := at[g.Name]
		if !known {
			name := w["grant_name."+g.Name]
			if name == "" {
				name = w.fill("grant_name_other", "name", line(g.Name))
			}
			at[g.Name] = len(list)
			list = append(list, name+w["colon"]+when)
			continue
		}
		list[i] += w["comma"] + when
	}
	return list
}

// words of one language.
type words map[string]string

func (w words) fill(key, name, value string) string {
	return strings.ReplaceAll(w[key], "{"+name+"}", value)
}

func (w words) reason(name string) string {
	if r := w["reason."+name]; r != "" {
		return r
	}
	return w.fill("reason_other", "name", line(name))
}

// count uses the singular where the language does: 1 in English, 0 and 1 in French.
func (w words) count(key string, n int64) string {
	form := "_other"
	if n == 1 || n == 0 && w["zero_is_singular"] == "yes" {
		form = "_one"
	}
	return w.fill("used."+key+form, "n", w.group(max(n, 0)))
}

// group writes a number with the language's separator of thousands.
func (w words) group(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + w["thousands"] + s[i:]
	}
	return s
}

// duration is in units that both languages write alike: h, min, s.
func (w words) duration(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	h, m, s := int64(d/time.Hour), int64(d/time.Minute)%60, int64(d/time.Second)%60
	switch {
	case h > 0:
		return fmt.Sprintf("%s\u00a0h %02d\u00a0min", w.group(h), m)
	case m > 0:
		return fmt.Sprintf("%d\u00a0min %02d\u00a0s", m, s)
	}
	return fmt.Sprintf("%d\u00a0s", s)
}
