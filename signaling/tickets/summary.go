package tickets

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
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
	Why          string // in the words of who ended it from outside; may be empty
	EndedBy      string // and their name
	HostKey      []byte // Ed25519 public key of the host, 32 bytes; may be empty
	// LogIndex is the line of session.ended, and CheckpointRoot the signed root
	// that holds it, in base64: who rewrites the log has to rewrite the ticket too.
	LogIndex       int64
	CheckpointRoot string
	Link           string // to the session's log

	Files      []Shared // in the order in which they were sent
	Chat       []Said   // only where the policy wants it in the ticket
	Closing    string   // the technician's last words about it, several lines
	Resolution string   // code of the desk for how it was resolved
	Solved     string   // the person's answer to "solved?": "yes", "partly", "no"; "" if not asked
	Score      int      // its answer as a number, 1 to 5; 0: none
	Remark     string   // and in its own words
	Lines      int64    // of the chat
	System     []string // what the person's computer is, one fact a line
	Pictures   []Picture
	Steps      []string // that the person was shown and approved
}

// Shared is a file that was sent.
type Shared struct {
	Name       string
	Size       int64 // bytes
	SHA256     []byte
	FromPerson bool
}

// Picture of the screen that a participant attached.
type Picture struct {
	Name   string
	Size   int64 // bytes
	SHA256 []byte
	Link   string // where those who sign in see it; may be empty
}

// Said is one message of the chat; without a name it is the person's.
type Said struct {
	Name, Text string
	At         time.Time
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

// maxSection bounds the lines of one section, in characters: the full log has all.
// Several that are long get less, see [words.bound].
const maxSection = 2700

// Note renders the summary as the note of the session's end in lang ("en" or
// "fr"; anything else is English).
func (s Summary) Note(lang string) Note {
	if locales[lang] == nil {
		lang = "en"
	}
	return Note{
		Key: Marker(s.Session, "end"), Author: "Mainforte", Lang: lang,
		Doc: s.Doc(lang), Minutes: minutes(s.Duration), Link: s.Link,
	}
}

// minutes rounds up: whoever helped for a moment helped for a minute.
func minutes(d time.Duration) int { return int((max(d, 0) + time.Minute - 1) / time.Minute) }

// Doc is what the note says, as a document.
func (s Summary) Doc(lang string) Doc {
	if locales[lang] == nil {
		lang = "en"
	}
	w := words(locales[lang])
	d := Doc{Lang: lang}
	add := func(b Block) { d.Blocks = append(d.Blocks, b) }
	table := func(rows ...Row) {
		rows = slices.DeleteFunc(rows, func(r Row) bool { return r.Value == "" })
		for i := range rows {
			rows[i].Label = w["label."+rows[i].Label]
		}
		if len(rows) > 0 {
			add(Block{Kind: Table, Rows: rows})
		}
	}
	section := func(name string) { add(Block{Kind: Heading, Text: w["section."+name]}) }
	items := func(name string, list []string) {
		if len(list) == 0 {
			return
		}
		section(name)
		add(Block{Kind: List, Items: list})
	}

	add(Block{Kind: Title, Text: w["title"]})
	table(
		Row{Label: "technician", Value: s.technicians(w)},
		Row{Label: "person", Value: line(s.Person)},
		Row{Label: "started", Value: s.Started.UTC().Format(w["format.time"])},
		Row{Label: "duration", Value: w.duration(s.Duration)},
		Row{Label: "reason", Value: w.reason(s.Reason)},
		Row{Label: "resolution", Value: line(s.Resolution)},
		Row{Label: "solved", Value: s.solved(w)},
	)
	if why := longLine(s.Why); why != "" {
		section("why")
		add(Block{Kind: Paragraph, Text: w.fill("why", "name", line(s.EndedBy), "text", why)})
	}
	if c := s.closing(); c != "" {
		section("closing")
		add(Block{Kind: Paragraph, Text: c})
	}
	items("participants", s.tookPart(w))
	answers := s.answers(w)
	if len(answers) == 0 {
		answers = []string{w["grants.none"]}
	}
	items("grants", answers)
	items("course", s.course(w))
	used := []string{w.count("keys", s.Keys), w.count("clicks", s.Clicks)}
	if s.Lines > 0 {
		used = append(used, w.count("lines", s.Lines))
	}
	items("used", append(used, s.shared(w)...))
	never := "used.never"
	if s.Lines > 0 || len(s.Pictures)+len(s.Steps)+len(s.System) > 0 {
		never = "used.never_but"
	}
	add(Block{Kind: Paragraph, Text: w[never]})
	items("chat", s.chat(w))
	items("pictures", s.pictures(w))
	items("steps", longLines(s.Steps))
	items("system", longLines(s.System))

	section("record")
	rows := []Row{
		{Label: "session", Value: line(s.Session)},
		{Label: "line", Value: strconv.FormatInt(s.LogIndex, 10)},
		{Label: "root", Value: line(s.CheckpointRoot)},
	}
	if len(s.HostKey) > 0 {
		rows = append(rows, Row{Label: "host_key", Value: Fingerprint(s.HostKey)})
	}
	link := line(s.Link)
	table(append(rows, Row{Label: "link", Value: link, URL: link})...)
	w.bound(d)
	return d
}

// bound cuts the lists of a document so that all of it fits into a note, whatever a
// host reports: a note that is too large would be none. The room that the rest
// leaves is parted evenly; what a short list does not need is the others'.
func (w words) bound(d Doc) {
	rest, lists := Doc{Lang: d.Lang}, []*Block(nil)
	for i := range d.Blocks {
		if b := &d.Blocks[i]; b.Kind == List {
			lists = append(lists, b)
		} else {
			rest.Blocks = append(rest.Blocks, *b)
		}
	}
	room := maxNote - utf8.RuneCountInString(Plain(rest))
	slices.SortStableFunc(lists, func(a, b *Block) int { return cmp.Compare(taken(a.Items), taken(b.Items)) })
	for i, b := range lists {
		b.Items = w.cut(b.Items, min(maxSection, room/(len(lists)-i)))
		room -= taken(b.Items)
	}
}

// cut leaves of a list what fits into room, with a last line that counts the rest.
func (w words) cut(list []string, room int) []string {
	more := func(n int) string { return w.fill("more", "n", w.group(int64(n))) }
	if taken(list) <= room {
		return list
	}
	room -= taken([]string{more(len(list))})
	for i := range list {
		if room -= taken(list[i : i+1]); room < 0 {
			return append(list[:i:i], more(len(list)-i))
		}
	}
	return list
}

// taken is how many characters a list takes in a note, counted until it is more
// than one ever gets: each line has a dash, a space and a line feed besides its text.
func taken(list []string) (n int) {
	for _, text := range list {
		if n += utf8.RuneCountInString(tidy(text)) + len("- \n"); n > maxSection {
			break
		}
	}
	return n
}

// Fingerprint of a public key as people compare it: SHA-256, base64.
func Fingerprint(key []byte) string {
	h := sha256.Sum256(key)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(h[:])
}
