package pairing

import (
	"slices"
	"strings"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Sessions are found without looking at all of them: each filter is a [way] that has
// the ids of its sessions in their order. The way with the fewest is walked from the
// newest on, and the others are asked about what it meets. Whoever looks for words means
// one of several things by them, each of which is found so, and put together.

// Bounds of finding.
const (
	few        = 2000 // a way with fewer sessions is walked, whatever else is asked for
	mostWords  = 8    // that are looked for at once
	mostForms  = 64   // words that begin with one that is looked for
	mostPeople = 100  // technicians whose name has what is looked for
	mostNumber = 20   // tickets of a number, one of each desk as a rule
)

// way is one of the ways to sessions. What is asked about a session that another way
// met is a scalar subquery, which no database makes a join of: PostgreSQL, that knows how
// often a reason occurs but not when, would read all sessions to join them.
type way struct {
	table string // with its alias
	id    string // its column of the session's id
	cond  string
	many  bool // it may have a session more than once, or not in order

	probe string // whether the session ID is on it
	args  []any  // of cond and of probe
}

// equal is the way by a column of the sessions that has an index with the id.
func equal(column, value string) way {
	return way{
		table: "sessions s", id: "s.id", cond: "s." + column + " = ?",
		probe: "(select x." + column + " from sessions x where x.id = ID) = ?", args: []any{value},
	}
}

// these are sessions by their ids.
func these(ids ...string) way {
	w := way{table: "sessions s", id: "s.id", cond: "s.id in (?" + strings.Repeat(", ?", len(ids)-1) + ")"}
	w.probe = "ID in (?" + strings.Repeat(", ?", len(ids)-1) + ")"
	for _, id := range ids {
		w.args = append(w.args, id)
	}
	return w
}

// begin is the way by words of tickets that begin so.
func begin(word string) way {
	return way{
		table: "session_words d", id: "d.session", cond: "d.word >= ? and d.word < ?", many: true,
		probe: "(select 1 from session_words x where x.session = ID and x.word >= ? and x.word < ? limit 1) = 1",
		args:  []any{word, word + "\U0010ffff"},
	}
}

// everyone is the way by all sessions as they stand.
var everyone = way{table: "sessions s", id: "s.id", cond: "1 = 1"}

// filters are the ways by everything but words.
func (f *Filter) filters() (list []way) {
	if f.ID != "" {
		list = append(list, these(f.ID))
	}
	if f.Ticket != "" {
		list = append(list, equal("ticket_id", f.Ticket))
	}
	if f.Live {
		list = append(list, way{
			table: "sessions s", id: "s.id", cond: "s.ended is null",
			probe: "(select 1 from sessions x where x.id = ID and x.ended is null) = 1",
		})
	}
	if f.Grant != "" {
		list = append(list, way{
			table: "session_grants d", id: "d.session", cond: "d.name = ?",
			probe: "(select 1 from session_grants x where x.session = ID and x.name = ?) = 1", args: []any{f.Grant},
		})
	}
	if f.Reason != "" {
		list = append(list, equal("reason", f.Reason))
	}
	return list
}

// within adds the bounds of the ids to a condition.
func (f *Filter) within(id, cond string, args []any) (string, []any) {
	args = slices.Clone(args)
	add := func(c, value string) { cond, args = cond+" and "+id+c, append(args, value) }
	if f.Before != "" {
		add(" < ?", f.Before)
	}
	// An id tells when its session was asked for, not long before it began: the rest is not even looked at.
	if !f.From.IsZero() {
		add(" >= ?", firstID(f.From.Add(-slack)))
	}
	if !f.Until.IsZero() {
		add(" < ?", firstID(f.Until))
	}
	return cond, args
}

// count tells how many rows a way has, up to few.
func (f *Filter) count(tx store.Tx, w way) (n int, err error) {
	cond, args := w.cond, slices.Clone(w.args)
	if !w.many { // else what is out of bounds would be read and not counted
		cond, args = f.within(w.id, cond, args)
	}
	err = tx.QueryRow("select count(*) from (select 1 from "+w.table+" where "+cond+" limit ?) n", append(args, int64(few))...).Scan(&n)
	return n, err
}

// shortest is the place of the way with the fewest rows, and how many they are, up to few.
func (f *Filter) shortest(tx store.Tx, ways []way) (at, least int, err error) {
	least = few + 1
	for i, w := range ways {
		n, err := f.count(tx, w)
		if err != nil {
			return 0, 0, err
		}
		if n < least {
			at, least = i, n
		}
	}
	return at, least, nil
}

// walk appends the ids of the newest sessions of a way that are on the others too, one
// more than the limit.
func (f *Filter) walk(tx store.Tx, to *[]string, w way, others []way) error {
	q, args := f.walking(w, others)
	rows, err := tx.Query(q, args...)
	if err != nil {
		return err
	}
	return column(rows, to)
}

func (f *Filter) walking(w way, others []way) (string, []any) {
	cond, args := f.within(w.id, w.cond, w.args)
	what := w.id
	if w.many {
		what = "distinct " + what
	}
	if !f.From.IsZero() {
		others = append(slices.Clone(others), way{probe: "(select x.started from sessions x where x.id = ID) >= ?", args: []any{store.FormatTime(f.From)}})
	}
	if !f.Until.IsZero() {
		others = append(slices.Clone(others), way{probe: "(select x.started from sessions x where x.id = ID) < ?", args: []any{store.FormatTime(f.Until)}})
	}
	for _, o := range others {
		cond, args = cond+" and "+strings.ReplaceAll(o.probe, "ID", w.id), append(args, o.args...)
	}
	return "select " + what + " from " + w.table + " where " + cond + " order by " + w.id + " desc limit ?", append(args, int64(f.Limit)+1)
}

// all walks the shortest of some ways; without any, the sessions as they stand.
func (f *Filter) all(tx store.Tx, to *[]string, ways []way) error {
	switch len(ways) {
	case 0:
		return f.walk(tx, to, everyone, nil)
	case 1:
		return f.walk(tx, to, ways[0], nil)
	}
	at, _, err := f.shortest(tx, ways)
	if err != nil {
		return err
	}
	return f.walk(tx, to, ways[at], butFor(ways, at))
}

func butFor(ways []way, at int) []way { return slices.Delete(slices.Clone(ways), at, at+1) }

// idsTx are the ids of the sessions of a filter, the newest first, one more than its limit.
func (f *Filter) idsTx(tx store.Tx) (ids []string, err error) {
	ways := f.filters()
	if f.Query == "" {
		return ids, f.all(tx, &ids, ways)
	}
	f.Query = strings.ReplaceAll(f.Query, "\x00", "\ufffd") // where SQLite thinks that a pattern ends
	for _, find := range []func(store.Tx, *[]string, []way) error{f.named, f.numbered, f.led, f.worded} {
		if err := find(tx, &ids, ways); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
	ids = slices.Compact(ids)
	return ids[:min(len(ids), f.Limit+1)], nil
}

// named finds the session whose id is looked for, and those that the log found.
func (f *Filter) named(tx store.Tx, to *[]string, ways []way) error {
	return f.walk(tx, to, these(append([]string{f.Query}, f.Found...)...), ways)
}

// numbered finds the sessions of the ticket whose id or number is looked for, also those
// that were purged.
func (f *Filter) numbered(tx store.Tx, to *[]string, ways []way) error {
	list := []string{f.Query}
	for _, table := range []string{"tickets", "desk_tickets"} {
		rows, err := tx.Query("select id from "+table+" where number in (?, ?) limit ?", f.Query, strings.ToUpper(f.Query), int64(mostNumber))
		if err != nil {
			return err
		}
		if err := column(rows, &list); err != nil {
			return err
		}
	}
	for _, id := range list {
		if err := f.walk(tx, to, equal("ticket_id", id), ways); err != nil {
			return err
		}
	}
	return nil
}

// led finds the sessions of technicians whose name has what is looked for. Of sessions
// there are many, of accounts few.
func (f *Filter) led(tx store.Tx, to *[]string, ways []way) error {
	var people []string
	rows, err := tx.Query("select id from users where search like ? escape '!' order by search, id limit ?",
		"%"+escapeLike(audit.Fold(f.Query))+"%", int64(mostPeople))
	if err != nil {
		return err
	}
	if err := column(rows, &people); err != nil || len(people) == 0 {
		return err
	}
	if len(ways) > 0 {
		at, n, err := f.shortest(tx, ways)
		if err != nil {
			return err
		}
		if n < few {
			args := make([]any, len(people))
			for i, p := range people {
				args[i] = p
			}
			there := way{probe: "(select 1 from session_participants x where x.session_id = ID and x.technician_id in (?" +
				strings.Repeat(", ?", len(people)-1) + ") limit 1) = 1", args: args}
			return f.walk(tx, to, ways[at], append(butFor(ways, at), there))
		}
	}
	for _, p := range people {
		w := way{table: "session_participants d", id: "d.session_id", cond: "d.technician_id = ?", many: true, args: []any{p}}
		if err := f.walk(tx, to, w, ways); err != nil {
			return err
		}
	}
	return nil
}

// worded finds the sessions whose ticket has a word for each that is looked for which
// begins so.
func (f *Filter) worded(tx store.Tx, to *[]string, ways []way) error {
	list := tickets.Words(f.Query)
	if len(list) == 0 {
		return nil
	}
	list = list[:min(len(list), mostWords)]
	// The longest first: what follows begins with the rarest, as a rule.
	slices.SortStableFunc(list, func(a, b string) int { return len(b) - len(a) })
	var words []way
	for _, w := range list {
		words = append(words, begin(w))
	}
	ways = append(words, ways...)
	at, n, err := f.shortest(tx, ways)
	if err != nil {
		return err
	}
	if n < few {
		return f.walk(tx, to, ways[at], butFor(ways, at))
	}
	// All are long. The sessions of one word stand in order, those of several do not.
	forms, err := f.forms(tx, list[0])
	if err != nil {
		return err
	}
	if len(forms) <= mostForms {
		for _, w := range forms {
			one := way{table: "session_words d", id: "d.session", cond: "d.word = ?", args: []any{w}}
			if err := f.walk(tx, to, one, ways[1:]); err != nil {
				return err
			}
		}
		return nil
	}
	// So many that what is looked for is met soon.
	if rest := ways[len(words):]; len(rest) > 0 {
		return f.walk(tx, to, rest[0], append(slices.Clone(words), rest[1:]...))
	}
	return f.walk(tx, to, everyone, ways)
}

// forms are the words of tickets that begin so, one more than mostForms at most.
func (f *Filter) forms(tx store.Tx, word string) (list []string, err error) {
	end, cond := word+"\U0010ffff", "word >= ?"
	for len(list) <= mostForms {
		rows, err := tx.Query("select word from session_words where "+cond+" and word < ? order by word limit 1", word, end)
		if err != nil {
			return nil, err
		}
		n := len(list)
		if err := column(rows, &list); err != nil {
			return nil, err
		}
		if len(list) == n {
			break
		}
		word, cond = list[n], "word > ?"
	}
	return list, nil
}
