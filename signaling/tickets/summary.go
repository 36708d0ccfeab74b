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
	"unicode/utf8"
)

// Summary is what the note at the end of a session says. Names are hostile text.
type Summary struct {
	Session      string
	Participants []Participant // in the order in which they joined
	Person       string        // may be empty
	Started      time.Time
	Duration     time.Duration
	Grants       []Granted // in the order of the answers
	Course       []Moment  // of the connection, in the order of the beginnings
	Keys         int64     // applied on the host; which ones is nowhere
	Clicks       int64
	Reason       string // name of a wire Reason, without REASON_
	HostKey      []byte // Ed25519 public key of the host, 32 bytes; may be empty
	// LogIndex is the line of session.ended, and CheckpointRoot the signed root
	// that holds it, in base64: who rewrites the log has to rewrite the ticket too.
	LogIndex       int64
	CheckpointRoot string
	Link           string // to the session's log
}

// Participant is somebody who helped in a session.
type Participant struct {
	ID     string
	Name   string
	Kind   string // "lead", "expert", "observer"; an unknown one is left out
	Joined time.Time
	Left   time.Time
}

// Granted is one answer about one grant, of the person or of who had it.
type Granted struct {
	Name        string // "view", "control"; an unknown one is shown as it is
	State       string // "allowed", "denied", "revoked", "given_back", "handed_over"
	At          time.Time
	Participant string `json:",omitempty"` // ID of whose grant it is
}

// Moment is a while in which the connection was not at its best, or the way that
// it took. What is the name of the wire's NoticeCode, without NOTICE_CODE_
// (LINE_SLOW, SCREEN_LOCKED, SECURE_DESKTOP, BROWSER_SLOW, HOST_SLOW), or "route";
// others are left out.
type Moment struct {
	What        string
	Participant string    `json:",omitempty"` // ID of whose connection it is
	Value       int64     `json:",omitempty"` // LINE_SLOW: kbit/s that the line carried
	Route       string    `json:",omitempty"` // "direct", "relay", "relay_udp", "relay_tls"
	At          time.Time // when it began
	Until       time.Time // zero: until the participant left, or the session ended
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

// maxSection bounds the lines of one section, in characters, so that a note never
// becomes too large for a ticket, whatever a host reports: the full log has all.
const maxSection = 5000

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
	row("technician", s.technicians(w))
	row("person", line(s.Person))
	row("started", s.Started.UTC().Format(w["format.time"]))
	row("duration", w.duration(s.Duration))
	row("reason", w.reason(s.Reason))

	items := func(name string, list []string) {
		if len(list) > 0 {
			section(name)
		}
		room := maxSection
		for i, text := range list {
			if room -= utf8.RuneCountInString(text); room < 0 {
				b.WriteString("- " + w.fill("more", "n", w.group(int64(len(list)-i))) + "\n")
				break
			}
			b.WriteString("- " + text + "\n")
		}
	}
	items("participants", s.tookPart(w))
	answers := s.answers(w)
	if len(answers) == 0 {
		answers = []string{w["grants.none"]}
	}
	items("grants", answers)
	items("course", s.course(w))

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
