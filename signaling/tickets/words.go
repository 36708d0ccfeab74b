package tickets

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mainforte/mainforte/signaling/store"
)

// Bounds of the words that a ticket is found by: a subject and a name are that long.
const (
	maxWords    = 64
	maxWordLong = 40 // characters; the rest of a longer one is not looked at
)

// Words are what sessions are found by in the text of their ticket: runs of letters and
// digits, folded, each once.
func Words(text string) []string {
	var list []string
	for _, w := range strings.FieldsFunc(fold(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if r := []rune(w); len(r) > maxWordLong {
			w = string(r[:maxWordLong])
		}
		if len(list) < maxWords && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return list
}

// IndexTx lets a session be found by the words of its ticket, as this server knows it
// now: number, subject, and who asked where the ticket is the embedded desk's.
func IndexTx(tx store.Tx, session, ticket string) error {
	if ticket == "" {
		return nil
	}
	text, err := searchTx(tx, ticket)
	if err != nil {
		return err
	}
	for _, w := range Words(text) {
		tx.Later("insert into session_words (word, session) values (?, ?) on conflict (word, session) do nothing", w, session)
	}
	return nil
}

// searchTx is the folded text that a ticket is found by, "" of one that is not known.
func searchTx(tx store.Tx, ticket string) (text string, err error) {
	err = tx.QueryRow("select coalesce((select search from tickets where id = ?), (select search from desk_tickets where id = ?), '')", ticket, ticket).Scan(&text)
	return text, err
}

// reindexTx takes the words of a ticket that has changed for all of its sessions that
// were not purged.
func reindexTx(tx store.Tx, ticket string) error {
	rows, err := tx.Query(`select s.id from sessions s where s.ticket_id = ?
		and not exists (select 1 from audit_keys k where k.scope = 'session:' || s.id and k.purged is not null)`, ticket)
	if err != nil {
		return err
	}
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		list = append(list, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range list {
		if err := unindexTx(tx, id); err != nil {
			return err
		}
		if err := IndexTx(tx, id, ticket); err != nil {
			return err
		}
	}
	return nil
}

// unindexTx takes a session out of the index.
func unindexTx(tx store.Tx, session string) error {
	_, err := tx.Exec("delete from session_words where session = ?", session)
	return err
}
