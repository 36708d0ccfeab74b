package formats

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

var update = flag.Bool("update", false, "write testdata")

// hostile is what may stand in a name that somebody chose.
const hostile = `=cmd|' /C calc'!A0 "Zoë", a=b \ |x| ]` + "\n\u202eCEF:0|x <script>"

// lines are one of each kind of event, with what can be hostile hostile.
func lines(t testing.TB) []audit.Line {
	t.Helper()
	text := func(v any) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(b.String())
	}
	var list []audit.Line
	add := func(typ, outcome, kind, ref, session, ticket, data string, personal map[string]any, state audit.State) {
		n := int64(len(list))
		salt := bytes.Repeat([]byte{byte(n)}, 32)
		var p []byte
		commit := ""
		if state != audit.None {
			full := []byte(text(personal))
			commit = `"commit":"` + base64.StdEncoding.EncodeToString(audit.Commitment(salt, full)) + `",`
			if state == audit.Present {
				p = full
			}
		}
		leaf := fmt.Sprintf(`{"actor":{"kind":"%s","ref":"%s"},%s"data":%s,"id":"01JDFMTXQ00000000000000%03d","index":%d,"mono_ms":%d,"origin":"server","outcome":"%s","session":"%s","t":"2026-11-24T20:04:%02d.123456789Z","ticket":"%s","type":"%s","v":1}`,
			kind, ref, commit, data, n, n, n*1000, outcome, session, n, ticket, typ)
		list = append(list, audit.Line{Index: n, Leaf: []byte(leaf), Hash: tlog.RecordHash([]byte(leaf)), State: state, Salt: salt, Personal: p})
	}
	const s, tk = "01JDFMTXQ0SESSION000000000", "MF-1042"
	add("auth.login", "ok", "technician", "01T", "", "", `{"method":"password"}`, map[string]any{"name": "Chloé Martin", "address": "192.0.2.7"}, audit.Present)
	add("auth.failed", "deny", "system", "", "", "", `{"method":"password"}`, map[string]any{"address": "2001:db8::7"}, audit.Present)
	add("auth.disabled", "ok", "system", "", "", "", `{"signins":2,"user":"01U"}`, nil, audit.None)
	add("session.rejected", "deny", "technician", "01T", "", tk, `{"reason":"TICKET_CLOSED"}`, map[string]any{"address": "192.0.2.7"}, audit.Purged)
	add("session.paired", "ok", "technician", "01T", s, tk, `{"host_key":"k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=","signed_in":"password"}`,
		map[string]any{"technician": hostile, "viewer_address": "192.0.2.7", "host_address": "198.51.100.9", "host_software": "-1+1@x"}, audit.Present)
	add("consent.granted", "ok", "person", "", s, tk, `{"by":"person","grant":"view","participant":"1"}`, nil, audit.None)
	add("consent.denied", "deny", "person", "", s, tk, `{"by":"person","grant":"control","participant":"1"}`, nil, audit.None)
	add("control.handed_over", "ok", "technician", "01T", s, tk, `{"by":"person","grant":"control","participant":"1"}`, nil, audit.None)
	add("input.summary", "ok", "technician", "01T", s, tk, `{"characters":0,"clicks":3,"keys":1200,"refused":0,"wheel":0}`, nil, audit.None)
	add("session.degraded", "ok", "system", "", s, tk, `{"participant":"1","reason":"LINE_SLOW","value":812}`, nil, audit.None)
	add("log.gap", "fail", "system", "", s, tk, `{"after":3,"next":5}`, nil, audit.None)
	add("session.ended", "ok", "person", "", s, tk, `{"by":"host","duration_ms":61000,"host_events":8,"reason":"PERSON_STOPPED"}`, nil, audit.None)
	add("ticket.note_written", "ok", "system", "outbox", s, tk, `{"attempts":1,"note":"+17","system":"local"}`, nil, audit.None)
	add("log.viewed", "ok", "auditor", "01A", s, tk, `{}`, nil, audit.Missing)
	add("log.exported", "ok", "system", "cli", "", "", `{"format":"csv","personal":true,"size":14}`, nil, audit.None)
	add("retention.purged", "ok", "system", "", s, tk, `{"records":2,"why":"health-6y"}`, nil, audit.None)
	return list
}

func options(personal bool) Options {
	return Options{Origin: "mainforte/log-00000000", Version: "1.2|3", Personal: personal, Name: func(ref string) string {
		return map[string]string{"01T": hostile}[ref]
	}}
}

func written(t testing.TB, f Format) []byte {
	t.Helper()
	b := f.Head()
	for _, n := range lines(t) {
		var err error
		if b, err = f.Append(b, n); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// Golden files are for ever: somebody's rules read these lines.
func TestFormats(t *testing.T) {
	for _, name := range Names() {
		for _, personal := range []bool{false, true} {
			f, ok := New(name, options(personal))
			if !ok {
				t.Fatal(name)
			}
			got := written(t, f)
			path := filepath.Join("testdata", map[bool]string{false: "withheld.", true: "personal."}[personal]+name)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what it was:\n%s", path, got)
			}
			if !personal {
				for _, secret := range []string{"Chlo", "Zo", "192.0.2.7", "2001:db8", "198.51"} {
					if bytes.Contains(got, []byte(secret)) {
						t.Errorf("%s holds %q", path, secret)
					}
				}
			} else if !bytes.Contains(got, []byte("192.0.2.7")) || !bytes.Contains(got, []byte("Zoë")) {
				t.Errorf("%s holds no names", path)
			}
		}
	}
	if _, ok := New("xml", Options{}); ok {
		t.Error("a format that does not exist is made")
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	f, _ := New("csv", options(true))
	rows, err := csv.NewReader(bytes.NewReader(written(t, f))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(cell[0])) {
				t.Errorf("row %d: %q", i, cell)
			}
			seen[cell] = true
		}
	}
	if len(rows) != 1+len(lines(t)) || !seen["'"+`=cmd|' /C calc'!A0 "Zoë", a=b \ |x| ]`+" CEF:0|x <script>"] {
		t.Errorf("%d rows, %v", len(rows), seen)
	}
}

func TestEveryLineIsOneLine(t *testing.T) {
	for _, name := range []string{"jsonl", "cef", "ecs", "ocsf", "otlp"} {
		f, _ := New(name, options(true))
		got := written(t, f)
		if n := bytes.Count(got, []byte("\n")); n != len(lines(t)) {
			t.Errorf("%s: %d lines", name, n)
		}
		for line := range bytes.Lines(got) {
			if name != "cef" {
				var m map[string]any
				if err := json.Unmarshal(line, &m); err != nil {
					t.Errorf("%s: %v: %s", name, err, line)
				}
				continue
			}
			// Seven bars stand free: eight fields.
			free := strings.ReplaceAll(strings.ReplaceAll(string(line), `\\`, ""), `\|`, "")
			if head := strings.SplitN(free, "|", 8); len(head) != 8 || head[0] != "CEF:0" || !strings.Contains(head[7], "externalId=") {
				t.Errorf("%s", line)
			}
		}
	}
}

// No type is without a place in the tables that map groups.
func TestEveryTypeHasItsClass(t *testing.T) {
	for _, typ := range audit.Types() {
		if _, ok := kindOf(activities, typ); !ok {
			t.Errorf("OCSF: %s", typ)
		}
	}
	for typ, a := range activities {
		if classes[a.class] == "" || categories[a.class/1000] == "" || a.id == 0 {
			t.Errorf("%s: %+v", typ, a)
		}
		known := strings.Contains(typ, ".")
		for _, name := range audit.Types() {
			group, _, _ := strings.Cut(name, ".")
			known = known && true || group == typ
		}
		if _, ok := audit.Type(typ); strings.Contains(typ, ".") && !ok || !known {
			t.Errorf("%s is neither a type nor a group", typ)
		}
	}
	for typ := range ecsKinds {
		if _, ok := audit.Type(typ); strings.Contains(typ, ".") && !ok {
			t.Errorf("ECS: %s is no type", typ)
		}
	}
}

func TestADamagedLineIsNamed(t *testing.T) {
	for _, name := range []string{"csv", "cef", "ecs", "ocsf", "otlp"} {
		f, _ := New(name, options(true))
		if _, err := f.Append(nil, audit.Line{Index: 7, Leaf: []byte("{")}); err == nil || !strings.Contains(err.Error(), "line 7") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
