// Package launch is what starts from a service desk: the links that a technician
// or a desk sends to a person, the webhooks that a desk sends here, and the
// tickets that it gave to somebody.
//
// A link ([Links]) is a ticket's number, a language and an end, signed. It opens
// the page with the app and gives no right whatever: the page would be the same
// without it, but for the number that it shows. So it needs no row anywhere, and
// whoever finds one learns a number.
//
// Webhooks are hints: each is taken once ([Hooks.Take]), and only if its ticket
// has to do with this server. What is true of a ticket its desk says.
package launch

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/store"
)

// Life of a link for a person.
const Life = 24 * time.Hour

// Errors of reading a link.
var (
	ErrForged = errors.New("launch: this is no link of ours")
	ErrOld    = errors.New("launch: the link is too old")
)

// Link is what a person's link says.
type Link struct {
	Number  string // of the ticket, as people say it
	Lang    string // "en" or "fr"
	Expires time.Time
}

// Links signs and reads them. Safe for concurrent use.
type Links struct{ key []byte }

// keySize is that of the key, in bytes; macSize of what is left of the HMAC: a
// forged link gives nothing, so that 128 bits are plenty.
const (
	keySize   = 32
	macSize   = 16
	maxNumber = 64 // bytes
	version   = 1
)

// OpenLinks reads the key of a store, or makes it the first time. Every node of a
// store has the same.
func OpenLinks(ctx context.Context, st store.Store) (*Links, error) {
	l := &Links{}
	err := st.Update(ctx, func(tx store.Tx) error {
		err := tx.QueryRow(`select secret from launch_key where id = 1`).Scan(&l.key)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		l.key = make([]byte, keySize)
		rand.Read(l.key) // never fails since Go 1.24
		_, err = tx.Exec(`insert into launch_key (id, secret) values (1, ?)`, l.key)
		return err
	})
	if err == nil && len(l.key) != keySize {
		err = fmt.Errorf("a key of %d bytes", len(l.key))
	}
	if err != nil {
		return nil, fmt.Errorf("launch: the key of links: %w", err)
	}
	return l, nil
}

// Key is a secret made of that of the links, for another purpose: neither tells the
// other.
func (k *Links) Key(purpose string) []byte {
	m := hmac.New(sha256.New, k.key)
	m.Write([]byte("mf/1 key\x00" + purpose))
	return m.Sum(nil)
}

// Make returns the text of a link, for an address; l.Expires counts in seconds.
// A number longer than 64 bytes is cut.
func (k *Links) Make(l Link) string {
	number := wire.Clean(l.Number)
	for len(number) > maxNumber {
		_, n := utf8.DecodeLastRuneInString(number)
		number = number[:len(number)-n]
	}
	b := make([]byte, 0, 6+len(number)+macSize)
	b = append(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(l.Expires.Unix()))
	b = append(b, langByte(l.Lang))
	b = append(b, number...)
	return base64.RawURLEncoding.EncodeToString(append(b, k.mac(b)...))
}

// Read is the link of a text. With ErrOld what it said is returned too; ErrForged
// says nothing.
func (k *Links) Read(text string, now time.Time) (Link, error) {
	if len(text) > base64.RawURLEncoding.EncodedLen(6+maxNumber+macSize) {
		return Link{}, ErrForged
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 6+macSize {
		return Link{}, ErrForged
	}
	said, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	if !hmac.Equal(mac, k.mac(said)) || said[0] != version {
		return Link{}, ErrForged
	}
	l := Link{
		Number: string(said[6:]), Lang: "en",
		Expires: time.Unix(int64(binary.BigEndian.Uint32(said[1:5])), 0),
	}
	if said[5] == langByte("fr") {
		l.Lang = "fr"
	}
	if !now.Before(l.Expires) {
		return l, ErrOld
	}
	return l, nil
}

func langByte(lang string) byte {
	if lang == "fr" {
		return 'f'
	}
	return 'e'
}

func (k *Links) mac(said []byte) []byte {
	m := hmac.New(sha256.New, k.key)
	m.Write([]byte("mf/1 link\x00"))
	m.Write(said)
	return m.Sum(nil)[:macSize]
}
