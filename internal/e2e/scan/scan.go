// Package scan looks for secrets where they must not be: in every byte a server
// received or sent, in its logs, its database, its write-ahead log.
//
// A [Needle] is searched for as it is and as hexadecimal, base64 (standard and
// URL alphabet, at each of the three alignments), JSON-escaped, percent-encoded
// and UTF-16 text. [Tap] is a proxy that records the plaintext of HTTP and
// WebSocket connections, the latter unmasked.
package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
)

// Needle is one secret.
type Needle struct {
	Name  string
	Value []byte
	// Alone demands that no digit stands before or after a plain match: for
	// short numbers, which timestamps hold by chance.
	Alone bool
}

// Hit is a place where a needle was found.
type Hit struct {
	Needle, Form, Where string
	Offset              int
}

func (h Hit) String() string {
	return fmt.Sprintf("%s, %s, in %s at %d", h.Needle, h.Form, h.Where, h.Offset)
}

type form struct {
	name  string
	bytes []byte
}

// forms lists the encodings of a value. Base64 of a value inside a longer text
// depends on its alignment; the characters that also hold neighbours are cut off.
func forms(v []byte) []form {
	out := []form{{"as it is", v}, {"hex", []byte(hex.EncodeToString(v))}, {"HEX", bytes.ToUpper([]byte(hex.EncodeToString(v)))}}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.URLEncoding} {
		for shift := range 3 {
			padded := append(make([]byte, shift), v...)
			s := enc.EncodeToString(padded)
			from := (shift*8 + 5) / 6
			to := len(padded) * 8 / 6
			if to-from >= 6 {
				out = append(out, form{fmt.Sprintf("%s+%d", name, shift), []byte(s[from:to])})
			}
		}
	}
	var escaped, percent strings.Builder
	for _, r := range string(v) {
		fmt.Fprintf(&escaped, `\u%04x`, r)
	}
	for _, b := range v {
		fmt.Fprintf(&percent, "%%%02X", b)
	}
	out = append(out, form{"JSON \\u", []byte(escaped.String())}, form{"percent", []byte(percent.String())})
	slash := strings.NewReplacer("/", `\/`, "\r", `\r`, "\n", `\n`, `"`, `\"`, "+", `\u002b`, "=", `\u003d`, "<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(string(v))
	if slash != string(v) {
		out = append(out, form{"JSON-escaped", []byte(slash)})
	}
	var wide bytes.Buffer
	for _, u := range utf16.Encode([]rune(string(v))) {
		wide.WriteByte(byte(u))
		wide.WriteByte(byte(u >> 8))
	}
	return append(out, form{"UTF-16", wide.Bytes()})
}

// Bytes finds all needles in a heap of bytes.
func Bytes(needles []Needle, where string, heap []byte) []Hit {
	var hits []Hit
	for _, n := range needles {
		for _, f := range forms(n.Value) {
			for from := 0; ; {
				i := bytes.Index(heap[from:], f.bytes)
				if i < 0 {
					break
				}
				i += from
				from = i + 1
				if n.Alone && f.name == "as it is" && (digitAt(heap, i-1) || digitAt(heap, i+len(f.bytes))) {
					continue
				}
				hits = append(hits, Hit{n.Name, f.name, where, i})
				break
			}
		}
	}
	return hits
}

func digitAt(b []byte, i int) bool { return i >= 0 && i < len(b) && b[i] >= '0' && b[i] <= '9' }

// Dir finds all needles in every file below a folder.
func Dir(needles []Needle, dir string) ([]Hit, error) {
	var hits []Hit
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		hits = append(hits, Bytes(needles, path, b)...)
		return nil
	})
	if err != nil {
		return hits, fmt.Errorf("scan: %w", err)
	}
	if files == 0 {
		return hits, fmt.Errorf("scan: no file in %s", dir)
	}
	return hits, nil
}
