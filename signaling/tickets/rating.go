package tickets

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// Rating is what the person answers when a session is over.
type Rating struct {
	Session string
	Score   int    // 1 to 5; 0: no number
	Text    string // clean; may be empty
}

// Note renders a rating in lang ("en" or "fr"; anything else is English).
func (r Rating) Note(lang string) Note {
	lang = langOr(lang, "en")
	w := words(locales[lang])
	d := Doc{Lang: lang, Blocks: []Block{{Kind: Title, Text: w["rated.title"]}, {Kind: Table, Rows: []Row{
		{Label: w["label.solved"], Value: Summary{Score: r.Score, Remark: r.Text}.solved(w)},
		{Label: w["label.session"], Value: line(r.Session)},
	}}}}
	return Note{Key: Marker(r.Session, "rated"), Author: "Mainforte", Lang: lang, Doc: d}
}

// EnqueueRatingTx queues the note of a rating, to be sent when no closing note may
// come any more: one that comes before takes it over ([Outbox.TakeRatingTx]). A
// session that has two notes gets no third; what the person said is then in the log
// only.
func (o *Outbox) EnqueueRatingTx(tx store.Tx, ticket string, n Note, until time.Time) error {
	session, err := sessionOf(n.Key)
	if err != nil {
		return err
	}
	var notes int64
	if err := tx.QueryRow("select count(*) from outbox where session_id = ?", session).Scan(&notes); err != nil || notes >= 2 {
		return err
	}
	if err := o.EnqueueTx(tx, ticket, n); err != nil {
		return err
	}
	if now := o.now(); until.Before(now) {
		until = now
	}
	_, err = tx.Exec("update outbox set next_at = ? where note_key = ? and state = 'waiting' and attempts = 0", store.FormatTime(until), n.Key)
	return err
}

// TakeRatingTx adds a rating that still waits to another note of the session, which
// takes its place; not one that a worker is just sending.
func (o *Outbox) TakeRatingTx(tx store.Tx, session string, n Note) (Note, error) {
	n, letter, err := o.WithRatingTx(tx, session, n)
	if err != nil || letter == "" {
		return n, err
	}
	_, err = tx.Exec("delete from outbox where id = ?", letter)
	return n, err
}

// WithRatingTx is what TakeRatingTx would make of a note, and the id of the letter that
// it would take, "" if there is none. Nothing is changed.
func (o *Outbox) WithRatingTx(tx store.Tx, session string, n Note) (with Note, letter string, err error) {
	list, err := letters(tx, "where note_key = ? and state = 'waiting' and (attempts = 0 or next_at <= ?)",
		Marker(session, "rated"), store.FormatTime(o.now()))
	if err != nil || len(list) == 0 {
		return n, "", err
	}
	var rated Note
	if err := json.Unmarshal([]byte(list[0].note), &rated); err != nil {
		return n, "", fmt.Errorf("tickets: %w", err)
	}
	for _, b := range rated.Doc.Blocks {
		if b.Kind == Table && len(b.Rows) > 0 {
			n.Doc.Blocks = append(n.Doc.Blocks, Block{Kind: Table, Rows: b.Rows[:1]})
		}
	}
	return n, list[0].ID, nil
}
