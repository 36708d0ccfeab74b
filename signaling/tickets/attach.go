package tickets

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/store"
)

// Bounds of what is attached to one session.
const (
	MaxAttachments     = 10
	MaxAttachmentBytes = 16 << 20 // together
)

// Kinds of an Attachment.
const (
	AttachedPicture = "picture" // PNG
	AttachedSystem  = "system"  // text, one fact a line; a session has one
)

// Attachment is what a participant attached to a session, for its ticket. It stays
// here until the session is purged. The note of the end carries pictures to desks
// that take files; elsewhere it says where they are kept.
type Attachment struct {
	ID      string
	Session string
	Kind    string
	Size    int64
	SHA256  []byte
	Body    []byte // not where they are listed
	Created time.Time
}

// PictureName is what the nth picture of a session is called in a ticket.
func PictureName(lang string, n int) string {
	return words(locales[langOr(lang, "en")]).fill("picture.name", "n", strconv.Itoa(n))
}

// AttachTx keeps an attachment. ErrTooLarge: the session has as many as it may have.
func AttachTx(tx store.Tx, a Attachment, now time.Time) (Attachment, error) {
	if a.Kind == AttachedSystem {
		if _, err := tx.Exec("delete from attachments where session_id = ? and kind = ?", a.Session, a.Kind); err != nil {
			return a, err
		}
	}
	var n, size int64
	if err := tx.QueryRow("select count(*), coalesce(sum(size), 0) from attachments where session_id = ?", a.Session).Scan(&n, &size); err != nil {
		return a, err
	}
	a.Size = int64(len(a.Body))
	if n >= MaxAttachments || size+a.Size > MaxAttachmentBytes {
		return a, fmt.Errorf("%w: a session has at most %d attachments and %d MiB of them", ErrTooLarge, MaxAttachments, MaxAttachmentBytes>>20)
	}
	sum := sha256.Sum256(a.Body)
	a.ID, a.SHA256, a.Created = ulid.Make().String(), sum[:], now.UTC()
	_, err := tx.Exec("insert into attachments (id, session_id, kind, size, sha256, body, created) values (?, ?, ?, ?, ?, ?, ?)",
		a.ID, a.Session, a.Kind, a.Size, a.SHA256, a.Body, store.FormatTime(a.Created))
	return a, err
}

// AttachmentsTx lists what is attached to a session, the oldest first, without the
// bodies of pictures.
func AttachmentsTx(tx store.Tx, session string) (list []Attachment, err error) {
	rows, err := tx.Query("select id, kind, size, sha256, case when kind = ? then body else null end, created from attachments where session_id = ? order by id", AttachedSystem, session)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		a := Attachment{Session: session}
		var created string
		if err := rows.Scan(&a.ID, &a.Kind, &a.Size, &a.SHA256, &a.Body, &created); err != nil {
			return nil, err
		}
		if a.Created, err = store.ParseTime(created); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

// AttachmentTx reads one picture of a session; ErrNotFound.
func AttachmentTx(tx store.Tx, session, id string) (a Attachment, err error) {
	a = Attachment{ID: id, Session: session, Kind: AttachedPicture}
	err = tx.QueryRow("select size, sha256, body from attachments where id = ? and session_id = ? and kind = ?", id, session, AttachedPicture).
		Scan(&a.Size, &a.SHA256, &a.Body)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return a, err
}

// attached reads the files that a note names. What the desk does not take, what was
// purged meanwhile, and what has no room beside the others, is left out: the text
// says where it is kept. Together they are no more than the largest file may be: a
// mail server would refuse the whole note.
func (o *Outbox) attached(ctx context.Context, files []File, caps Caps) (out []File, err error) {
	err = o.st.View(ctx, func(tx store.Tx) error {
		out = nil
		room := caps.MaxFile
		for _, f := range files {
			if f.Ref == "" {
				room -= int64(len(f.Data))
			}
		}
		for _, f := range files {
			if f.Ref != "" {
				if !caps.Files {
					continue
				}
				err := tx.QueryRow("select body from attachments where id = ? and size <= ?", f.Ref, room).Scan(&f.Data)
				if errors.Is(err, sql.ErrNoRows) {
					continue
				}
				if err != nil {
					return err
				}
				room -= int64(len(f.Data))
				f.Ref = ""
			}
			out = append(out, f)
		}
		return nil
	})
	return out, transient(err)
}
