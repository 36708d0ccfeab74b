package bundle

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

const someLeaf = `{"actor":{"kind":"person","ref":"p"},"commit":"k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=","data":{"a":[1,{"b":"}"}]},"id":"01J","index":12,"mono_ms":0,"origin":"host","outcome":"ok","session":"S","t":"2026-11-24T20:04:05.000000000Z","ticket":"T","type":"consent.granted","v":1}`

// What the quick reader takes, encoding/json takes and reads alike.
func FuzzScanLine(f *testing.F) {
	for _, s := range []string{
		`{"leaf":` + someLeaf + `,"personal":{"name":"Zoë \"}{ \\"},"salt":"k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=","state":"present"}`,
		`{"leaf":` + someLeaf + `,"state":"none"}`,
		`{"leaf":{},"state":""}`, `{"leaf":{"a":"\`, `{"leaf":{[}]},"state":"none"}`, `{"leaf":{}`, ``, `{"leaf":{},"personal":{},"salt":"","state":"x"}y`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := scanLine(b)
		if err != nil {
			return
		}
		salt, err := base64.StdEncoding.Strict().DecodeString(string(l.salt))
		if err == nil && string(appendLine(nil, l, salt)) != string(b)+"\n" {
			t.Fatalf("%s became %s", b, appendLine(nil, l, salt))
		}
		var m struct {
			Leaf, Personal json.RawMessage
			Salt, State    string
		}
		if json.Unmarshal(b, &m) != nil {
			return // the quick reader looks for the end of an object, not into it
		}
		if !bytes.Equal(m.Leaf, l.leaf) || !bytes.Equal(m.Personal, l.personal) {
			t.Fatalf("%s: %s %s", b, l.leaf, l.personal)
		}
	})
}

func FuzzScanLeaf(f *testing.F) {
	f.Add([]byte(someLeaf))
	f.Add([]byte(strings.Replace(someLeaf, `"commit":"k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=",`, "", 1)))
	f.Add([]byte(strings.Replace(someLeaf, `:12,`, `:012,`, 1)))
	f.Add([]byte(strings.Replace(someLeaf, `"v":1}`, `"v":1} `, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := scanLeaf(b)
		if err != nil {
			return
		}
		var m struct {
			Commit, Session, Type string
			Index                 int64
			Data                  json.RawMessage
		}
		if json.Unmarshal(b, &m) != nil {
			return
		}
		valid := func(s string) bool { return strings.ToValidUTF8(s, "\uFFFD") == s }
		if !valid(string(b)) {
			return
		}
		if m.Index != l.index || m.Type != string(l.typ) || m.Session != string(l.session) || m.Commit != string(l.commit) || !bytes.Equal(m.Data, l.data) {
			t.Fatalf("%s: %+v, %+v", b, l, m)
		}
	})
}

func FuzzManifest(f *testing.F) {
	good := audit.ExportHead + "mainforte/log-0\n3\nk5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=\n2026-11-29T22:00:00Z\npersonal: with\n"
	for _, name := range listed {
		good += strings.Repeat("0a", 32) + "  " + name + "\n"
	}
	f.Add(good)
	f.Add(strings.Replace(good, "\n3\n", "\n-3\n", 1))
	f.Add(audit.ExportHead)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := readManifest(text)
		if err == nil && (m.size < 0 || len(m.sums) != len(listed)) {
			t.Fatalf("%q: %+v", text, m)
		}
		if _, err := openManifest([]byte(text), "mainforte/log-x+00000000+AAAA"); err == nil {
			t.Fatalf("%q is signed", text)
		}
	})
}

func FuzzEntries(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x00"), 2)
	f.Add([]byte("\xff\xffa"), 1)
	f.Fuzz(func(t *testing.T, b []byte, width int) {
		if width < 0 || width > tileSize {
			return
		}
		list, err := splitEntries(b, width)
		if err != nil {
			return
		}
		n := 0
		for _, e := range list {
			n += 2 + len(e)
		}
		if len(list) != width || n != len(b) {
			t.Fatalf("%x: %d entries of %d bytes", b, len(list), n)
		}
	})
}

func FuzzTicket(f *testing.F) {
	f.Add("Signed root of the log: k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, h := range ReadTicket(text) {
			// The last character has bits that are not part of the root.
			if s := tlog.Hash(h).String(); !strings.Contains(text, s[:42]) {
				t.Fatalf("%q: %s", text, s)
			}
		}
	})
}

// What a leaf says of keys and purges comes from an export that may be forged.
func FuzzLeavesOfTheLog(f *testing.F) {
	f.Add([]byte(`{"new":"a+0+b","old":"a+0+b","root":"k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=","signature":"AAAA","size":1}`))
	f.Add([]byte(`{"from":1,"records":2,"to":3,"why":"health"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := audit.ReadRotation(b); err == nil {
			t.Fatalf("%s is signed: %+v", b, r)
		}
		if p, err := audit.ReadPurge(b); err == nil && p.To == -1 && bytes.Contains(b, []byte(`"to":1}`)) {
			t.Fatalf("%s: %+v", b, p)
		}
		if _, err := audit.OpenCheckpoint(string(b), "x"); err == nil {
			t.Fatal("without a key")
		}
	})
}
