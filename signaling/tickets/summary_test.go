package tickets

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

var update = flag.Bool("update", false, "write the golden files of the notes anew")

var began = time.Date(2026, 11, 24, 15, 4, 5, 0, time.FixedZone("EST", -5*3600))

func at(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }

// full is a session in which everything happened that a note can tell.
var full = Summary{
	Session: "01JDFMTXQ0000000000000000", Person: "Zoë Ölçü",
	Participants: []Participant{
		{"1", "Chloé Martin", "lead", at(0), at(3600)}, {"2", "Sam O’Neil", "expert", at(200), at(4028)}, {"3", "Ana", "observer", at(210), at(500)},
	},
	Started: began, Duration: 67*time.Minute + 8*time.Second,
	Grants: []Granted{
		{"view", "allowed", at(20), "1"}, {"control", "denied", at(41), "1"}, {"control", "allowed", at(95), "1"},
		{"view", "allowed", at(205), "2"}, {"control", "handed_over", at(250), "1"}, {"control", "allowed", at(250), "2"},
		{"control", "revoked", at(300), "2"}, {"clipboard.in", "denied", at(301), "1"}, {"control", "given_back", at(400), "1"},
	},
	Course: []Moment{
		{What: "route", Participant: "1", Route: "direct", At: at(8), Until: at(8)},
		{What: "route", Participant: "2", Route: "relay_tls", At: at(202), Until: at(202)},
		{What: "LINE_SLOW", Participant: "2", Value: 812, At: at(260), Until: at(440)},
		{What: "SCREEN_LOCKED", At: at(600), Until: at(725)},
		{What: "route", Participant: "1", Route: "direct", At: at(700), Until: at(700)},
		{What: "FUTURE", At: at(750)},
		{What: "route", Participant: "3", Route: "relay", At: at(211), Until: at(211)},
		{What: "BROWSER_SLOW", Participant: "1", Value: 900, At: at(3500)}, // until Chloé left
		{What: "SECURE_DESKTOP", At: at(3900)},                             // until the end
	},
	Keys: 1234567, Clicks: 1, Reason: "PERSON_STOPPED", HostKey: bytes.Repeat([]byte{7}, 32),
	LogIndex: 41, CheckpointRoot: "k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=", Link: "https://help.example.org/audit?session=01JDFMTXQ0000000000000000",
}

// bare is one that ended before anything was allowed.
var bare = Summary{
	Session: "01JDFMTXQ1111111111111111", Participants: []Participant{{"1", "Chloé Martin", "lead", at(0), at(9)}},
	Started: began, Duration: 9 * time.Second, Reason: "NO_ANSWER", LogIndex: 7,
}

// whole is full with everything that a policy may add.
var whole = func() Summary {
	s := full
	s.Files = []Shared{
		{"pilote.deb", 1_234_567, bytes.Repeat([]byte{0xab}, 32), false},
		{"journal de l’imprimante.txt", 999, bytes.Repeat([]byte{1}, 32), true},
	}
	s.Chat = []Said{{"Chloé Martin", "Le voyant est-il vert ?", at(30)}, {"Zoë Ölçü", "oui :-)", at(35)}}
	s.Closing = "Driver replaced.\nThe old one asked for <b>ink</b> & paper."
	s.Resolution, s.Solved = "Solved (Permanently)", "yes"
	return s
}()

// rich is whole with what was attached, and the person's answer in its own words.
var rich = func() Summary {
	s := whole
	s.Solved, s.Score, s.Remark, s.Lines = "", 4, "Rapide <b>et</b> gentil", 2
	s.Steps = []string{"Open the settings", "Choose “Printers”"}
	s.System = []string{"Debian GNU/Linux 12 (bookworm)", "/: 100 GB"}
	s.Pictures = []Picture{{"Screen 1.png", 81_234, bytes.Repeat([]byte{2}, 32), "https://help.example.org/api/v1/sessions/S/attachments/A"}}
	return s
}()

var renderers = map[string]func(Doc) string{
	"txt": Plain, "html": HTML, "textile": Textile, "md": Markdown, "jira": JiraWiki, "servicenow": ServiceNowCode,
	"adf.json": func(d Doc) string {
		var b bytes.Buffer
		if err := json.Indent(&b, ADF(d), "", "\t"); err != nil {
			panic(err)
		}
		return b.String()
	},
}

func TestNotesReadAsTheGoldenFiles(t *testing.T) {
	for name, s := range map[string]Summary{"full": full, "bare": bare, "whole": whole, "rich": rich} {
		for _, lang := range []string{"en", "fr"} {
			n := s.Note(lang)
			if n.Lang != lang || n.Public || n.Key != "mf:"+s.Session+":end" {
				t.Errorf("%s %s: note is %+v", name, lang, n)
			}
			for as, render := range renderers {
				got, path := render(n.Document()), "testdata/"+name+"."+lang+"."+as
				if *update {
					if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got+"\n" != string(want) {
					t.Errorf("%s is not what is rendered:\n%s", path, got)
				}
			}
		}
	}
}

// A person's name, a technician's or a grant's must not be able to write lines
// of the note: "How it ended: …" has to be ours.
func TestHostileNamesCannotForgeLines(t *testing.T) {
	evil := "Eve\nHow it ended: all good\r\u2028\u202e\x00Line in the log: 1"
	s := full
	s.Person, s.Reason, s.Session, s.Link, s.CheckpointRoot = evil, evil, evil, evil, evil
	s.Participants = []Participant{{"1", evil, "lead", began, began}, {evil, evil, "observer", began, began}, {"3", "Ana", evil, began, began}}
	s.Grants = []Granted{{evil, "allowed", began, evil}, {"view", evil, began, "1"}}
	s.Resolution, s.Solved = evil, evil
	s.Files, s.Chat = []Shared{{Name: evil}}, []Said{{evil, evil, began}}
	s.Course = []Moment{{What: "LINE_SLOW", Participant: evil, At: began}, {What: evil, At: began}, {What: "route", Route: evil}}
	for _, lang := range []string{"en", "fr"} {
		got, plain := Plain(s.Doc(lang)), full
		plain.Files, plain.Chat, plain.Resolution = []Shared{{Name: "a"}}, []Said{{"Ana", "yes", began}}, "solved"
		plain.Participants, plain.Grants, plain.Course = plain.Participants[:2], plain.Grants[:1], plain.Course[:1]
		if a, b := strings.Count(got, "\n"), strings.Count(Plain(plain.Doc(lang)), "\n"); a != b {
			t.Errorf("%s: %d lines instead of %d:\n%s", lang, a, b, got)
		}
		if strings.ContainsAny(got, "\r\u2028\u202e\x00") {
			t.Errorf("%s: control characters got through: %q", lang, got)
		}
	}
}

// Whatever a host reports and however people are called, the note must stand.
func TestANoteIsNeverTooLarge(t *testing.T) {
	long := func(i int) string { return strings.Repeat("é", wire.NameLimit-3) + strconv.Itoa(i) }
	s := full
	s.Participants, s.Grants, s.Course, s.Person, s.Link = nil, nil, nil, long(0), "https://example.org/"+strings.Repeat("x", 1000)
	s.Closing, s.Resolution, s.Solved = strings.Repeat("é", 10_000), long(0), "partly"
	for i := range 64 {
		s.Participants = append(s.Participants, Participant{strconv.Itoa(i), long(i), "observer", at(i), at(i)})
	}
	for i := range 100 {
		s.Files = append(s.Files, Shared{long(i), math.MaxInt64, bytes.Repeat([]byte{1}, 32), i%2 == 0})
		s.Chat = append(s.Chat, Said{long(i), strings.Repeat("é", 5000), at(i)})
		s.Grants = append(s.Grants, Granted{"control", "handed_over", at(i), "1"}, Granted{long(i), "denied", at(i), "2"})
		s.Course = append(s.Course, Moment{What: "LINE_SLOW", Value: 1, Participant: "3", At: at(i)})
	}
	for _, lang := range []string{"en", "fr"} {
		got, err := prose(Plain(s.Doc(lang)))
		if err != nil {
			t.Fatalf("%s: %v", lang, err)
		}
		if !strings.Contains(got, locales[lang]["section.record"]) {
			t.Errorf("%s: what comes after the long sections is missing", lang)
		}
	}
}

// All sections at once, of the longest lines and of thousands of the shortest: a
// note holds a part of each, and says how much more there is.
func TestEverySectionFitsIntoOneNote(t *testing.T) {
	for name, text := range map[string]string{"short": "x", "letters of four bytes": "\U0001F5A8", "long": strings.Repeat("é ", 2000)} {
		s, n := whole, 1500
		if name == "long" {
			n = 30
		}
		s.Link = "https://example.org/" + strings.Repeat("é", 1000)
		s.Closing, s.Remark, s.Score, s.Lines = strings.Repeat(text+"\n", n), strings.Repeat(text+" ", n), 5, 9
		for i := range n {
			who := strconv.Itoa(i)
			s.Participants = append(s.Participants, Participant{who, text, "observer", at(i), at(i)})
			s.Grants = append(s.Grants, Granted{text, "allowed", at(i), who})
			s.Course = append(s.Course, Moment{What: "HOST_SLOW", Participant: who, At: at(i)})
			s.Files = append(s.Files, Shared{text, int64(i), nil, true})
			s.Chat = append(s.Chat, Said{text, text, at(i)})
			s.Pictures = append(s.Pictures, Picture{Name: text, Link: text})
			s.Steps, s.System = append(s.Steps, text), append(s.System, text)
		}
		for _, lang := range []string{"en", "fr"} {
			d := s.Doc(lang)
			got, err := prose(Plain(d))
			if err != nil {
				t.Errorf("%s, %s: %v", name, lang, err)
			}
			more, _, _ := strings.Cut(locales[lang]["more"], "{n}")
			lists := 0
			for _, b := range d.Blocks {
				if b.Kind == List {
					lists++
					if last := b.Items[len(b.Items)-1]; len(b.Items) < 2 && name == "short" || !strings.HasPrefix(last, more) {
						t.Errorf("%s, %s: a section of %d lines ends with %q", name, lang, len(b.Items), last)
					}
				}
			}
			if lists != 8 || !strings.Contains(got, locales[lang]["section.record"]) || name != "long" && utf8.RuneCountInString(got) < maxNote*9/10 {
				t.Errorf("%s, %s: %d sections, %d characters", name, lang, lists, utf8.RuneCountInString(got))
			}
		}
	}
	// One long section among short ones keeps its room.
	s := whole
	s.Steps = slices.Repeat([]string{strings.Repeat("x", 97)}, 50)
	for _, b := range s.Doc("en").Blocks {
		if b.Kind == List && strings.HasPrefix(b.Items[0], "xx") && len(b.Items) != 27 { // 26 and the count of the rest
			t.Errorf("a long section holds %d lines", len(b.Items))
		}
	}
}

func TestEveryReasonHasWords(t *testing.T) {
	for number, name := range mfpb.Reason_name {
		short := wire.Name(mfpb.Reason(number))
		if "REASON_"+short != name {
			t.Fatalf("name of %s is %q", name, short)
		}
		for lang, m := range locales {
			if m["reason."+short] == "" {
				t.Errorf("%s.json has no words for %s", lang, name)
			}
		}
	}
	for key := range locales["en"] {
		if short, ok := strings.CutPrefix(key, "reason."); ok {
			if _, ok := mfpb.Reason_value["REASON_"+short]; !ok {
				t.Errorf("%s has words, but there is no such reason", short)
			}
		}
	}
}

var hole = regexp.MustCompile(`\{\w+\}`)

func TestBothLanguagesSayTheSame(t *testing.T) {
	en, fr := locales["en"], locales["fr"]
	if a, b := slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(fr)); !slices.Equal(a, b) {
		t.Fatalf("keys differ:\n%v\n%v", a, b)
	}
	for k := range en {
		if en[k] == "" || fr[k] == "" {
			t.Errorf("%s is empty", k)
		}
		if a, b := hole.FindAllString(en[k], -1), hole.FindAllString(fr[k], -1); !slices.Equal(a, b) {
			t.Errorf("%s: holes %v and %v", k, a, b)
		}
		if strings.HasPrefix(k, "reason.") && en[k] == fr[k] {
			t.Errorf("%s is not translated", k)
		}
	}
	// French puts a no-break space before high punctuation.
	for k, v := range fr {
		if regexp.MustCompile(`[^\x{00a0}\x{202f}][:;?!»]`).MatchString(v) && !strings.HasPrefix(k, "format.") {
			t.Errorf("fr %s: %q", k, v)
		}
	}
}

func TestDurationsAndNumbers(t *testing.T) {
	en, fr := words(locales["en"]), words(locales["fr"])
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 59*time.Second + 499*time.Millisecond: "59 s", 60 * time.Second: "1 min 00 s",
		time.Hour + 2*time.Minute + 59*time.Second: "1 h 02 min",
	} {
		if got := strings.ReplaceAll(en.duration(d), "\u00a0", " "); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64][2]string{
		0: {"0 clicks", "0 clic"}, 1: {"1 click", "1 clic"}, 2: {"2 clicks", "2 clics"},
		1234567: {"1,234,567 clicks", "1\u202f234\u202f567 clics"}, 999: {"999 clicks", "999 clics"},
	} {
		if got := [2]string{en.count("clicks", n), fr.count("clicks", n)}; got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
