package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost of a password hash, argon2id (RFC 9106).
type Cost struct {
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
}

// DefaultCost is the second choice of the OWASP list: 46 MiB, one pass, about
// 40 ms. A semaphore of two keeps a flood of sign-ins under 100 MiB.
var DefaultCost = Cost{MemoryKiB: 46 << 10, Time: 1, Threads: 1}

const (
	saltSize    = 16
	hashSize    = 32
	minPassword = 12   // characters; NIST SP 800-63B asks for 8
	maxPassword = 1024 // bytes, 256 characters of any script; longer ones only keep the server busy
)

// checkPassword tells whether a new password may be set.
func checkPassword(name, password string) error {
	p := norm.NFKC.String(password)
	if utf8.RuneCountInString(p) < minPassword || len(password) > maxPassword ||
		!utf8.ValidString(password) || strings.EqualFold(p, norm.NFKC.String(name)) {
		return ErrWeakPassword
	}
	return nil
}

// hasher makes and checks password hashes, two at a time.
type hasher struct {
	cost  Cost
	slots chan struct{}
	dummy string // compared with when there is no such user, for the same work
}

func newHasher(c Cost) (*hasher, error) {
	h := &hasher{cost: c, slots: make(chan struct{}, 2)}
	dummy, err := h.hash(context.Background(), rand.Text())
	h.dummy = dummy
	return h, err
}

func (h *hasher) run(ctx context.Context, password string, salt []byte, c Cost, size uint32) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	// NFKC: the same password typed on two systems is the same bytes.
	return argon2.IDKey(norm.NFKC.Bytes([]byte(password)), salt, c.Time, c.MemoryKiB, c.Threads, size), nil
}

// hash is a PHC string: $argon2id$v=19$m=47104,t=1,p=1$salt$hash.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails since Go 1.24
	sum, err := h.run(ctx, password, salt, h.cost, hashSize)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.MemoryKiB, h.cost.Time, h.cost.Threads, b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

// verify compares a password with a PHC string. stale: it is right, but was
// hashed at another cost than today's and should be hashed again.
func (h *hasher) verify(ctx context.Context, password, phc string) (ok, stale bool, err error) {
	c, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, false, err
	}
	got, err := h.run(ctx, password, salt, c, uint32(len(want)))
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, c != h.cost, nil
}

func parsePHC(s string) (c Cost, salt, sum []byte, err error) {
	bad := fmt.Errorf("identity: a stored password hash is damaged")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.MemoryKiB, &c.Time, &c.Threads); err != nil {
		return c, nil, nil, bad
	}
	if c.Time < 1 || c.Threads < 1 || c.MemoryKiB > 1<<20 || c.Time > 16 {
		return c, nil, nil, bad
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(sum) < 16 || len(sum) > 64 {
		return c, nil, nil, bad
	}
	return c, salt, sum, nil
}
