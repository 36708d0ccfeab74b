package tickets

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxNames bounds the names on one line.
const maxNames = 8

// technicians are the names of those who helped, each once.
func (s Summary) technicians(w words) string {
	var names []string
	for _, p := range s.Participants {
		if n := line(p.Name); n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if n := len(names) - maxNames; n > 0 {
		names = append(names[:maxNames], w.fill("more", "n", w.group(int64(n))))
	}
	return strings.Join(names, w["comma"])
}

// tookPart says who was there and when, if there were several.
func (s Summary) tookPart(w words) []string {
	if len(s.Participants) < 2 {
		return nil
	}
	var list []string
	for _, p := range s.Participants {
		kind := w["kind."+p.Kind]
		if kind == "" {
			continue
		}
		list = append(list, w.fill("took_part", "name", line(p.Name), "kind", kind, "joined", w.clock(p.Joined), "left", w.clock(p.Left)))
	}
	return list
}

// whose names the participant that a line is about, if there were several.
func (s Summary) whose(w words, id string) string {
	if len(s.Participants) < 2 {
		return ""
	}
	for _, p := range s.Participants {
		if p.ID == id {
			return w.fill("whose", "name", line(p.Name))
		}
	}
	return ""
}

// answers puts the answers about one grant of one participant on one line, in the
// order of the first of them.
func (s Summary) answers(w words) []string {
	var list []string
	type grant struct{ name, participant string }
	at := map[grant]int{}
	for _, g := range s.Grants {
		when := w.fill("grant."+g.State, "time", w.clock(g.At))
		if when == "" {
			continue // a state without words was never an answer
		}
		key := grant{g.Name, g.Participant}
		i, known := at[key]
		if !known {
			name := w["grant_name."+g.Name]
			if name == "" {
				name = w.fill("grant_name_other", "name", line(g.Name))
			}
			at[key] = len(list)
			list = append(list, name+s.whose(w, g.Participant)+w["colon"]+when)
			continue
		}
		list[i] += w["comma"] + when
	}
	return list
}

// left is when a participant left, or the session ended.
func (s Summary) left(id string) time.Time {
	for _, p := range s.Participants {
		if p.ID == id && !p.Left.IsZero() {
			return p.Left
		}
	}
	return s.Started.Add(s.Duration)
}

// course says how the connection was: each way that it took once, and every while
// in which it was not at its best.
func (s Summary) course(w words) []string {
	var list []string
	for _, m := range s.Course {
		var text string
		if m.What == "route" {
			text = w["route."+m.Route]
		} else {
			key := "course." + m.What
			if m.What == "LINE_SLOW" && m.Value > 0 {
				key += "_at"
			}
			until := m.Until
			if until.IsZero() {
				until = s.left(m.Participant)
			}
			text = w.fill(key, "rate", w.rate(m.Value), "for", w.duration(until.Sub(m.At)), "time", w.clock(m.At))
		}
		if text == "" {
			continue // no words for it
		}
		if text += s.whose(w, m.Participant); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// shared lists the files, with what proves which ones they were.
func (s Summary) shared(w words) []string {
	var list []string
	for _, f := range s.Files {
		key := "shared.to"
		if f.FromPerson {
			key = "shared.from"
		}
		list = append(list, w.fill(key, "name", line(f.Name), "size", w.size(f.Size), "hash", hex.EncodeToString(f.SHA256)))
	}
	return list
}

// maxRemark bounds the person's own words, in characters.
const maxRemark = 500

// solved is the person's answer, as a word, as a number, in its own words.
func (s Summary) solved(w words) string {
	text := w["solved."+s.Solved]
	if s.Score > 0 {
		text = w.fill("score", "n", strconv.Itoa(min(s.Score, 5)))
	}
	remark := longLine(s.Remark)
	if r := []rune(remark); len(r) > maxRemark {
		remark = string(r[:maxRemark]) + "…"
	}
	switch {
	case remark == "":
	case text == "":
		text = remark
	default:
		text += " – " + remark
	}
	return text
}

// pictures lists what was attached, with what proves which ones they were.
func (s Summary) pictures(w words) []string {
	var list []string
	for _, p := range s.Pictures {
		text := w.fill("picture", "name", line(p.Name), "size", w.size(p.Size), "hash", hex.EncodeToString(p.SHA256))
		if link := line(p.Link); link != "" {
			text += w["comma"] + link
		}
		list = append(list, text)
	}
	return list
}

// longLines are texts of one line each, those that say something.
func longLines(texts []string) []string {
	var list []string
	for _, l := range texts {
		if l = longLine(l); l != "" {
			list = append(list, l)
		}
	}
	return list
}

// chat is what was said. What no note has room for is empty here, only to be
// counted: cleaning thousands of lines would keep everybody's log waiting.
func (s Summary) chat(w words) []string {
	list, room := make([]string, len(s.Chat)), maxSection
	for i, c := range s.Chat {
		if room < 0 {
			break
		}
		name := line(c.Name)
		if name == "" {
			name = w["said.person"]
		}
		list[i] = w.fill("said", "name", name, "time", w.clock(c.At), "text", longLine(c.Text))
		room -= utf8.RuneCountInString(list[i])
	}
	return list
}

// maxClosing bounds the technician's last words, in characters.
const maxClosing = 1500

func (s Summary) closing() string {
	var lines []string
	for _, l := range strings.Split(s.Closing, "\n") {
		if l = longLine(l); l != "" {
			lines = append(lines, l)
		}
	}
	text := strings.Join(lines, "\n")
	if r := []rune(text); len(r) > maxClosing {
		text = string(r[:maxClosing]) + "…"
	}
	return text
}

// words of one language.
type words map[string]string

// fill puts values into the holes of a text; pairs are names and values. What a
// value holds is never a hole itself.
func (w words) fill(key string, pairs ...string) string {
	old := slices.Clone(pairs)
	for i := 0; i < len(old); i += 2 {
		old[i] = "{" + old[i] + "}"
	}
	return strings.NewReplacer(old...).Replace(w[key])
}

func (w words) clock(t time.Time) string { return t.UTC().Format(w["format.clock"]) }

// rate writes kbit/s as people say it.
func (w words) rate(kbit int64) string {
	if kbit < 100 {
		return fmt.Sprintf("%d\u00a0kbit/s", kbit)
	}
	return strings.Replace(strconv.FormatFloat(float64(kbit)/1000, 'f', 1, 64), ".", w["decimal"], 1) + "\u00a0Mbit/s"
}

// size writes bytes as people say them.
func (w words) size(n int64) string {
	units := strings.Fields(w["units"])
	v, u := float64(max(n, 0)), 0
	for ; v >= 999.95 && u < len(units)-1; u++ {
		v /= 1000
	}
	if u == 0 {
		return w.group(int64(v)) + "\u00a0" + units[0]
	}
	return strings.Replace(strconv.FormatFloat(v, 'f', 1, 64), ".", w["decimal"], 1) + "\u00a0" + units[u]
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
