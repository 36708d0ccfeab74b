package bundle

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// manifest lists what was exported.
type manifest struct {
	origin   string
	size     int64
	root     tlog.Hash
	created  time.Time
	personal bool
	sums     map[string][32]byte
}

var errManifest = errors.New("is not a list of an export's files")

// openManifest checks the signature and reads the list.
func openManifest(signed []byte, vkey string) (manifest, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return manifest{}, err
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return manifest{}, err
	}
	// Exactly as it was written, to the last bit of the signature's base64.
	sig := n.Sigs[0].Base64
	if _, err := base64.StdEncoding.Strict().DecodeString(sig); err != nil || n.Text+"\n— "+n.Sigs[0].Name+" "+sig+"\n" != string(signed) {
		return manifest{}, errManifest
	}
	m, err := readManifest(n.Text)
	if err == nil && m.origin != v.Name() {
		err = errManifest
	}
	return m, err
}

// readManifest reads the text of the list.
func readManifest(text string) (manifest, error) {
	rest, ok := strings.CutPrefix(text, audit.ExportHead)
	rows := strings.Split(rest, "\n")
	names := listed
	if len(rows) == 5+len(listed)+2 {
		names = append(slices.Clone(listed), stampFile)
	}
	if !ok || len(rows) != 5+len(names)+1 || rows[len(rows)-1] != "" {
		return manifest{}, errManifest
	}
	m := manifest{origin: rows[0], sums: map[string][32]byte{}}
	var err, err2, err3 error
	m.size, err = strconv.ParseInt(rows[1], 10, 64)
	m.root, err2 = tlog.ParseHash(rows[2])
	m.created, err3 = time.Parse(time.RFC3339, rows[3])
	if err := errors.Join(err, err2, err3); err != nil {
		return manifest{}, fmt.Errorf("%w: %w", errManifest, err)
	}
	if m.size < 0 {
		return manifest{}, errManifest
	}
	switch rows[4] {
	case "personal: with":
		m.personal = true
	case "personal: without":
	default:
		return manifest{}, errManifest
	}
	for i, name := range names {
		sum, rest, _ := strings.Cut(rows[5+i], "  ")
		b, err := hex.DecodeString(sum)
		if err != nil || len(b) != 32 || rest != name {
			return manifest{}, errManifest
		}
		m.sums[name] = [32]byte(b)
	}
	return m, nil
}
