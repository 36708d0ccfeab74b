package audit

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/store"
)

const rotateType = "log.key_rotated"

// nextFile is the new key until its leaf stands.
const nextFile = signerFile + ".next"

// signing is the key that signs checkpoints. Another process may rotate it.
type signing struct {
	signer note.Signer
	vkey   string // its public half
}

// Rotation is a change of the key that signs checkpoints, as its leaf tells it:
// the old key vouches for the new one and for the tree before the leaf.
type Rotation struct {
	Old, New string // verifier keys
	Tree            // before the leaf; its size is the leaf's index
}

// text is what the old key signs.
func (r Rotation) text(origin string) []byte {
	return fmt.Appendf(nil, "mainforte key rotation v1\n%s\n%d\n%s\n%s\n", origin, r.Size, base64.StdEncoding.EncodeToString(r.Root[:]), r.New)
}

// ReadRotation reads the data of a leaf log.key_rotated and checks that its old
// key signed it. Whether that key was in force the caller knows.
func ReadRotation(data []byte) (Rotation, error) {
	var d struct {
		Old, New, Root string
		Size           int64
		Signature      []byte
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return Rotation{}, fmt.Errorf("%w: a rotation that cannot be read: %w", ErrDamaged, err)
	}
	root, err := tlog.ParseHash(d.Root)
	if err != nil {
		return Rotation{}, fmt.Errorf("%w: a rotation without a root: %w", ErrDamaged, err)
	}
	before, err := note.NewVerifier(d.Old)
	after, err2 := note.NewVerifier(d.New)
	if err := errors.Join(err, err2); err != nil {
		return Rotation{}, fmt.Errorf("%w: a rotation without keys: %w", ErrDamaged, err)
	}
	r := Rotation{Old: d.Old, New: d.New, Tree: Tree{d.Size, root}}
	if before.Name() != after.Name() || !before.Verify(r.text(before.Name()), d.Signature) {
		return Rotation{}, fmt.Errorf("%w: a rotation that the old key did not sign", ErrKey)
	}
	return r, nil
}

// Rotate makes a new key for checkpoints and destroys the old one. From its leaf
// on, the new one signs; who trusts the old one finds in that leaf that it
// vouched for the new one. Servers on the same data notice by themselves.
func (l *Log) Rotate(ctx context.Context, by Actor) (vkey string, err error) {
	next := filepath.Join(l.keyDir, nextFile)
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a rotation that never stood
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	var fresh signing
	err = l.st.Update(ctx, func(tx store.Tx) error {
		now, err := l.signingTx(tx)
		if err != nil {
			return err
		}
		// Durable before its leaf is. The transaction may run twice; the file is
		// then the one of before.
		if fresh, err = loadSigner(next, true, now.signer.Name()); err != nil {
			return err
		}
		h, err := l.headTx(tx)
		if err != nil {
			return err
		}
		r := Rotation{Old: now.vkey, New: fresh.vkey, Tree: Tree{h.size, h.root()}}
		sig, err := now.signer.Sign(r.text(now.signer.Name()))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrKey, err)
		}
		at, err := l.AppendTx(tx, Event{Type: rotateType, Outcome: "ok", Actor: by, Origin: "server", Data: map[string]any{
			"old": r.Old, "new": r.New, "size": r.Size, "root": base64.StdEncoding.EncodeToString(r.Root[:]), "signature": base64.StdEncoding.EncodeToString(sig),
		}})
		if err != nil {
			return err
		}
		if _, err := tx.Exec("insert into audit_signers (idx, old, new) values (?, ?, ?)", at, r.Old, r.New); err != nil {
			return err
		}
		_, err = l.signTx(tx, fresh)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("audit: rotating the key: %w", err)
	}
	if err := l.adopt(fresh.vkey); err != nil {
		return "", err
	}
	return fresh.vkey, nil
}

// signingTx is the key in force. A rotation by another process is followed.
func (l *Log) signingTx(tx store.Tx) (signing, error) {
	l.mu.Lock()
	now := l.sign
	l.mu.Unlock()
	inForce, err := signerTx(tx)
	if err != nil || inForce == "" || inForce == now.vkey {
		return now, err
	}
	if err := l.adopt(inForce); err != nil {
		return signing{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sign, nil
}

// signerTx is the verifier key that the last rotation put in force, "" before any.
func signerTx(tx store.Tx) (vkey string, err error) {
	err = tx.QueryRow("select new from audit_signers order by idx desc limit 1").Scan(&vkey)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return vkey, err
}

// adopt takes up the key that is in force, from its file or from the one it
// waited in while its leaf was written.
func (l *Log) adopt(vkey string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	path, next := filepath.Join(l.keyDir, signerFile), filepath.Join(l.keyDir, nextFile)
	s, err := loadSigner(path, false, "")
	if err == nil && s.vkey == vkey {
		l.sign = s
		return nil
	}
	waiting, err2 := loadSigner(next, false, "")
	if err2 != nil || waiting.vkey != vkey {
		return errors.Join(fmt.Errorf("%w: %s is not the key that signs this log since its last rotation", ErrKey, path), err)
	}
	if err := os.Rename(next, path); err != nil {
		// Two processes may do this at the same moment.
		if s, err2 := loadSigner(path, false, ""); err2 != nil || s.vkey != vkey {
			return fmt.Errorf("%w: %w", ErrKey, err)
		}
	}
	if err := syncDir(l.keyDir); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	l.sign = waiting
	return nil
}

// newOrigin is the name of a new log, which must differ from every other's.
func newOrigin() string {
	id := make([]byte, 4)
	rand.Read(id) // never fails: crypto/rand
	return fmt.Sprintf("mainforte/log-%x", id)
}
