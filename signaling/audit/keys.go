package audit

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/mod/sumdb/note"

	"github.com/mainforte/mainforte/signaling/store"
)

// Files in the folder of keys.
const (
	kekFile    = "audit.key"      // wraps the keys of personal parts
	signerFile = "checkpoint.key" // signs checkpoints
	kekPrefix  = "mf-audit-key-1 "
)

// loadKEK reads the key that wraps the others, or makes it when fresh is set.
func loadKEK(dir string, fresh bool) (cipher.AEAD, error) {
	path := filepath.Join(dir, kekFile)
	text, err := keyFile(path, fresh, func() (string, error) {
		key := make([]byte, 32)
		rand.Read(key) // never fails: crypto/rand
		return kekPrefix + base64.StdEncoding.EncodeToString(key) + "\n", nil
	})
	if err != nil {
		return nil, err
	}
	enc, ok := strings.CutPrefix(strings.TrimSpace(text), strings.TrimSpace(kekPrefix))
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(enc))
	if !ok || err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%w: %s is not a key file of this program", ErrKey, path)
	}
	return gcm(key)
}

// loadSigner reads a key that signs checkpoints, or makes one with this name
// (the log's origin) when fresh is set.
func loadSigner(path string, fresh bool, name string) (signing, error) {
	text, err := keyFile(path, fresh, func() (string, error) {
		skey, vkey, err := note.GenerateKey(rand.Reader, name)
		return skey + "\n" + vkey + "\n", err
	})
	if err != nil {
		return signing{}, err
	}
	skey, vkey, _ := strings.Cut(strings.TrimSpace(text), "\n")
	signer, err := note.NewSigner(skey)
	if err != nil {
		return signing{}, fmt.Errorf("%w: %s: %w", ErrKey, path, err)
	}
	if _, err := note.NewVerifier(vkey); err != nil {
		return signing{}, fmt.Errorf("%w: %s: %w", ErrKey, path, err)
	}
	return signing{signer, vkey}, nil
}

// keyFile reads a file of mode 0600, or makes it. An existing one is never
// overwritten, not even by two processes that start at once.
func keyFile(path string, fresh bool, make func() (string, error)) (string, error) {
	text, err := readPrivate(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if !fresh {
		return "", fmt.Errorf("%w: %s is missing, but the log was written with it: put it back from its backup", ErrKey, path)
	}
	if text, err = make(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	if err := writeOnce(path, text); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	return readPrivate(path)
}

func readPrivate(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%w: others can read %s; make it private (chmod 600) if nobody has", ErrKey, path)
	}
	if info.Size() > 4096 {
		return "", fmt.Errorf("%w: %s is not a key file of this program", ErrKey, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	return string(text), nil
}

// writeOnce makes path with its whole content, durable, or not at all.
func writeOnce(path, text string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil { // fails if path exists
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be flushed there
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// dek seals the personal parts of one session or day, or is the key of the search
// index for one month.
type dek struct {
	id      string // ULID
	scope   string
	key     []byte      // of the search index
	aead    cipher.AEAD // of personal parts
	wrapped []byte
	created time.Time
}

// maxDEKs bounds the keys held in memory; a session whose key was dropped gets
// a second one.
const maxDEKs = 4096

// keyring makes and opens the keys of personal parts.
type keyring struct {
	kek cipher.AEAD

	mu   sync.Mutex
	deks map[string]*dek // by scope
}

func scopeOf(session string, now time.Time) string {
	if session != "" {
		return "session:" + session
	}
	return "day:" + now.UTC().Format(time.DateOnly)
}

// sealing returns the key to seal with. It stands in the database only once a
// transaction has put it there.
func (k *keyring) sealing(scope string, now time.Time) (*dek, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.deks[scope]; d != nil {
		return d, nil
	}
	d := k.fresh(scope, now)
	var err error
	if d.aead, err = gcm(d.key); err != nil {
		return nil, err
	}
	k.holdLocked(d)
	return d, nil
}

// fresh makes a key, which stands nowhere yet.
func (k *keyring) fresh(scope string, now time.Time) *dek {
	d := &dek{id: ulid.Make().String(), scope: scope, key: make([]byte, 32), created: now}
	rand.Read(d.key)
	d.wrapped = k.kek.Seal(nil, nil, d.key, wrapAAD(d.id, scope))
	return d
}

// held is the key of a scope that is in memory, nil if none is.
func (k *keyring) held(scope string) *dek {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.deks[scope]
}

// hold keeps a key in memory.
func (k *keyring) hold(d *dek) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.holdLocked(d)
}

func (k *keyring) holdLocked(d *dek) {
	for s := range k.deks {
		if len(k.deks) < maxDEKs {
			break
		}
		delete(k.deks, s)
	}
	k.deks[d.scope] = d
}

// forget drops the key of a scope, or only the one with this id.
func (k *keyring) forget(scope, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.deks[scope]; d != nil && (id == "" || d.id == id) {
		delete(k.deks, scope)
	}
}

// open unwraps a key as it stands in the database.
func (k *keyring) open(id, scope string, wrapped []byte) (cipher.AEAD, error) {
	key, err := k.unwrap(id, scope, wrapped)
	if err != nil {
		return nil, err
	}
	return gcm(key)
}

func (k *keyring) unwrap(id, scope string, wrapped []byte) ([]byte, error) {
	key, err := k.kek.Open(nil, nil, wrapped, wrapAAD(id, scope))
	if err != nil {
		return nil, fmt.Errorf("%w: %s does not open key %s: it is another log's", ErrKey, kekFile, id)
	}
	return key, nil
}

func wrapAAD(id, scope string) []byte { return []byte("mf/1 audit key|" + id + "|" + scope) }

// stands is the key under which a transaction keeps that a dek is in the database.
type stands struct{ id string }

// put writes the key into the database if this transaction's predecessors have
// not. ok is false when it was purged meanwhile.
func (d *dek) put(tx store.Tx) (ok bool, err error) {
	if tx.Kept(stands{d.id}) != nil {
		return true, nil
	}
	res, err := tx.Exec("insert into audit_keys (id, scope, wrapped, created) values (?, ?, ?, ?) on conflict (id) do nothing",
		d.id, d.scope, d.wrapped, store.FormatTime(d.created))
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil {
		return false, err
	} else if n == 0 {
		var purged *string
		if err := tx.QueryRow("select purged from audit_keys where id = ?", d.id).Scan(&purged); err != nil {
			return false, err
		}
		if purged != nil {
			return false, nil
		}
	}
	tx.Keep(stands{d.id}, true)
	return true, nil
}

// SealLink puts a short text into a token that only this log opens again, for a
// link that is itself the right to use it. use keeps tokens of one kind from
// passing for another.
func (l *Log) SealLink(use, text string) string {
	return base64.RawURLEncoding.EncodeToString(l.keys.kek.Seal(nil, nil, []byte(text), linkAAD(use)))
}

// OpenLink is the text of a token; ok is false if this log did not make it.
func (l *Log) OpenLink(use, token string) (text string, ok bool) {
	if len(token) > maxLink {
		return "", false
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", false
	}
	b, err := l.keys.kek.Open(nil, nil, box, linkAAD(use))
	return string(b), err == nil
}

// maxLink bounds a token.
const maxLink = 512

func linkAAD(use string) []byte { return []byte("mf/1 link|" + use) }

// Seal closes a secret of the house for the database, under the key file that
// wraps the keys of personal parts. what binds it to its place: [Log.Unseal] opens
// it only under the same.
func (l *Log) Seal(what string, secret []byte) []byte {
	return l.keys.kek.Seal(nil, nil, secret, houseAAD(what))
}

// Unseal opens what Seal closed.
func (l *Log) Unseal(what string, box []byte) ([]byte, error) {
	secret, err := l.keys.kek.Open(nil, nil, box, houseAAD(what))
	if err != nil {
		return nil, fmt.Errorf("%w: a sealed secret does not open: %w", ErrKey, err)
	}
	return secret, nil
}

func houseAAD(what string) []byte { return []byte("mf house 1\x00" + what) }
