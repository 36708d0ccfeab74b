package supervise

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Bounds of trends.
const (
	// LongestTrend is over what time they are counted at most: a year, and a day of grace.
	LongestTrend = 367 * 24 * time.Hour
	// Few is how many answers there are at least where satisfaction is told: fewer say
	// more about who was asked than about how well it went.
	Few = 5
	// BackWithin is within what time a requester comes back.
	BackWithin = 14 * 24 * time.Hour

	leastPeople  = 2      // technicians whose sessions were answered, where satisfaction is told
	leastTickets = 5      // that a problem and each of its words stand in
	leastLetters = 3      // of a word of a problem
	maxAnswers   = 50_000 // of a time
	maxProblems  = 20
)

// Trends are how satisfied people were with their sessions, by team and by topic, and
// which problems came again. There is nobody in it: no name of a person or a technician,
// and of subjects of tickets only words that many of them share.
type Trends struct {
	From, Until time.Time // of when the sessions began
	Sessions    int
	All         Satisfaction
	Teams       []Group // of who opened the session, as teams are today; by name, those in none last
	Topics      []Group // resolution codes of closing notes; by code, sessions without one last
	Problems    []Problem
	Requesters  int // who asked, as far as the embedded desk knows
	Back        int // of them, who came with another ticket within BackWithin
}

// Satisfaction is what people answered.
type Satisfaction struct {
	Answers  int // 1 to 5
	Pleased  int // 4 or 5
	Sum      int // of all answers
	Comments int // with words, or words alone

	who map[string]bool // whose sessions were answered
}

// Told tells whether there are answers enough, and about technicians enough, to say how
// satisfied people were: it is never about one technician.
func (s Satisfaction) Told() bool { return s.Answers >= Few && len(s.who) >= leastPeople }

func (s *Satisfaction) add(technician string, score, commented int) {
	s.Comments += commented
	if score < 1 || score > 5 {
		return
	}
	s.Answers++
	s.Sum += score
	if score >= 4 {
		s.Pleased++
	}
	if s.who == nil {
		s.who = map[string]bool{}
	}
	s.who[technician] = true
}

// Group is a team or a topic.
type Group struct {
	ID     string // of the team, or the code; "": none
	Name   string // of the team, or what the code says in English; hostile text
	French string // what the code says in French; else as Name
	Satisfaction
}

// Problem is what several tickets are about.
type Problem struct {
	Words    string // that stand in all of their subjects, of the newest; hostile text
	Sessions int
	Tickets  int
	Back     int // requesters who came with it again within BackWithin
	Satisfaction
}

// Count counts the trends of a time, at most LongestTrend.
func Count(ctx context.Context, st store.Store, from, until time.Time) (Trends, error) {
	if until.Sub(from) > LongestTrend {
		from = until.Add(-LongestTrend)
	}
	var t Trends
	err := st.View(ctx, func(tx store.Tx) error {
		t = Trends{From: from, Until: until}
		for _, count := range []func(store.Tx) error{t.answers, t.problems} {
			if err := count(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Trends{}, fmt.Errorf("supervise: %w", err)
	}
	return t, nil
}

// each reads rows, one after the other.
func each(tx store.Tx, query string, args []any, into []any, row func()) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row()
	}
	return rows.Err()
}

func (t *Trends) answers(tx store.Tx) error {
	within := []any{store.FormatTime(t.From), store.FormatTime(t.Until)}
	if err := tx.QueryRow("select count(*) from sessions where started >= ? and started < ?", within...).Scan(&t.Sessions); err != nil {
		return err
	}
	teams, topics := map[string]*Group{"": {}}, map[string]*Group{"": {}}
	var a, b, c string
	if err := each(tx, "select id, name from teams", nil, []any{&a, &b}, func() { teams[a] = &Group{ID: a, Name: b, French: b} }); err != nil {
		return err
	}
	if err := each(tx, "select code, en, fr from resolution_codes", nil, []any{&a, &b, &c}, func() { topics[a] = &Group{ID: a, Name: b, French: c} }); err != nil {
		return err
	}
	of := map[string][]string{}
	if err := each(tx, "select user_id, team_id from team_members order by team_id", nil, []any{&a, &b}, func() { of[a] = append(of[a], b) }); err != nil {
		return err
	}
	var score, commented int
	if err := each(tx, `select technician_id, code, score, commented from sessions
		where score is not null and started >= ? and started < ? order by started desc limit ?`, append(within, int64(maxAnswers)),
		[]any{&a, &b, &score, &commented}, func() {
			t.All.add(a, score, commented)
			ids := of[a]
			if len(ids) == 0 {
				ids = []string{""}
			}
			for _, id := range ids {
				teams[id].add(a, score, commented)
			}
			if topics[b] == nil { // a code that was taken away since
				topics[b] = &Group{ID: b, Name: b, French: b}
			}
			topics[b].add(a, score, commented)
		}); err != nil {
		return err
	}
	t.Teams, t.Topics = listed(teams, func(g Group) string { return tickets.Fold(g.Name) }), listed(topics, func(g Group) string { return g.ID })
	return nil
}

// listed are groups of which there is something to say, in order, what is in none last.
func listed(groups map[string]*Group, key func(Group) string) (list []Group) {
	for _, g := range groups {
		if g.Answers+g.Comments > 0 {
			list = append(list, *g)
		}
	}
	slices.SortFunc(list, func(a, b Group) int {
		if (a.ID == "") != (b.ID == "") {
			return cmp.Compare(b.ID, a.ID)
		}
		return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// asked is a ticket with sessions.
type asked struct {
	subject, requester string // as the ticket has it, and folded
	first              time.Time
	sessions           int
	said               Satisfaction
}

// problems finds what tickets have in common, and who came back.
func (t *Trends) problems(tx store.Tx) error {
	var (
		list                                        []*asked
		id, subject, requester, started, technician string
		score, commented                            int
		bad                                         error
	)
	by := map[string]*asked{}
	if err := each(tx, `select s.ticket_id, coalesce(t.subject, k.subject, ''), coalesce(t.requester, ''), s.started, s.technician_id, coalesce(s.score, 0), s.commented
		from sessions s left join tickets t on t.id = s.ticket_id left join desk_tickets k on k.id = s.ticket_id
		where s.started >= ? and s.started < ? and s.ticket_id <> '' order by s.started desc limit ?`,
		[]any{store.FormatTime(t.From), store.FormatTime(t.Until), int64(2 * maxAnswers)},
		[]any{&id, &subject, &requester, &started, &technician, &score, &commented}, func() {
			at, err := store.ParseTime(started)
			if err != nil {
				bad = err
				return
			}
			a := by[id]
			if a == nil {
				a = &asked{subject: subject, requester: strings.Join(strings.Fields(tickets.Fold(requester)), " ")}
				by[id] = a
				list = append(list, a)
			}
			a.first = at // the oldest comes last
			a.sessions++
			a.said.add(technician, score, commented)
		}); err != nil || bad != nil {
		return cmp.Or(err, bad)
	}
	names := map[string]bool{}
	if err := each(tx, "select search from users", nil, []any{&id}, func() { name(names, id) }); err != nil {
		return err
	}
	in := map[string]int{} // tickets that a word stands in
	for _, a := range list {
		name(names, a.requester)
		for _, w := range distinct(a.subject) {
			in[w.folded]++
		}
	}
	groups := map[string]*group{}
	for _, a := range list {
		var kept, read []string
		for _, w := range distinct(a.subject) {
			if in[w.folded] >= leastTickets && !names[w.folded] {
				kept, read = append(kept, w.folded), append(read, w.read)
			}
		}
		if len(kept) == 0 {
			continue
		}
		g := &group{problem: Problem{Words: strings.Join(read, " ")}}
		slices.Sort(kept)
		if found := groups[strings.Join(kept, " ")]; found != nil {
			g = found
		}
		groups[strings.Join(kept, " ")] = g
		g.tickets = append(g.tickets, a)
	}
	t.Requesters, t.Back = back(list)
	for _, g := range groups {
		if len(g.tickets) >= leastTickets {
			t.Problems = append(t.Problems, g.counted())
		}
	}
	slices.SortFunc(t.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(b.Tickets, a.Tickets), cmp.Compare(a.Words, b.Words))
	})
	t.Problems = t.Problems[:min(len(t.Problems), maxProblems)]
	return nil
}

type group struct {
	problem Problem
	tickets []*asked
}

func (g *group) counted() Problem {
	p := g.problem
	p.who = map[string]bool{}
	for _, a := range g.tickets {
		p.Tickets++
		p.Sessions += a.sessions
		p.Answers += a.said.Answers
		p.Pleased += a.said.Pleased
		p.Sum += a.said.Sum
		p.Comments += a.said.Comments
		for id := range a.said.who {
			p.who[id] = true
		}
	}
	_, p.Back = back(g.tickets)
	return p
}

// back counts who asked, and who of them asked with another ticket before long.
func back(list []*asked) (all, again int) {
	times := map[string][]time.Time{}
	for _, a := range list {
		if a.requester != "" {
			times[a.requester] = append(times[a.requester], a.first)
		}
	}
	for _, l := range times {
		slices.SortFunc(l, time.Time.Compare)
		for i := range l[1:] {
			if l[i+1].Sub(l[i]) <= BackWithin {
				again++
				break
			}
		}
	}
	return len(times), again
}

// word of a subject, as it is compared and as it is read.
type word struct{ folded, read string }

// distinct are the words of a subject that may be a problem's, in their order.
func distinct(subject string) (list []word) {
	for _, w := range strings.FieldsFunc(subject, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }) {
		folded := strings.Join(tickets.Words(w), " ")
		if utf8.RuneCountInString(folded) >= leastLetters && !strings.ContainsFunc(folded, unicode.IsDigit) &&
			!slices.ContainsFunc(list, func(o word) bool { return o.folded == folded }) {
			list = append(list, word{folded, strings.ToLower(w)})
		}
	}
	return list
}

// name adds the words of somebody's name.
func name(to map[string]bool, of string) {
	for _, w := range tickets.Words(of) {
		to[w] = true
	}
}
