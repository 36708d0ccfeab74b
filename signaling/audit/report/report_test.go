package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/mainforte/mainforte/signaling/audit"
)

var update = flag.Bool("update", false, "write testdata")

const hostile = `Zoë <script>alert(1)</script>" onload=x ` + "\u202e\x00\nÖlçü"

func record(index int64, typ, outcome, kind, ref string, data, personal map[string]any, state audit.State) audit.Record {
	return audit.Record{Index: index, State: state, Event: audit.Event{
		Type: typ, Session: "01JDFMTXQ0SESSION000000000", Ticket: "MF-1042", Outcome: outcome, Actor: audit.Actor{Kind: kind, Ref: ref},
		Origin: "host", Time: time.Date(2026, 11, 24, 20, 4, int(index), 0, time.UTC), Data: data, Personal: personal,
	}}
}

func session() []audit.Record {
	m := func(kv ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i].(string)] = kv[i+1]
		}
		return out
	}
	return []audit.Record{
		record(4, "session.requested", "ok", "technician", "01T", nil, nil, audit.None),
		record(5, "session.paired", "ok", "technician", "01T", m("host_key", "k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s=", "signed_in", "password"),
			m("technician", hostile, "viewer_address", "192.0.2.7", "host_address", "198.51.100.9", "host_software", "<b>x"), audit.Present),
		record(6, "consent.granted", "ok", "person", "", m("grant", "view", "by", "person", "participant", "1"), nil, audit.None),
		record(7, "consent.denied", "deny", "person", "", m("grant", "clipboard.in", "by", "time", "participant", "1"), nil, audit.None),
		record(9, "participant.joined", "ok", "technician", "01X", m("participant", "2", "kind", "expert"), nil, audit.Purged),
		record(10, "input.summary", "ok", "technician", "01T", m("keys", int64(1200), "clicks", int64(3)), nil, audit.None),
		record(11, "input.summary", "ok", "technician", "01T", m("keys", int64(34), "clicks", int64(1)), nil, audit.None),
		record(12, "log.gap", "fail", "system", "", m("after", int64(3), "next", int64(5)), nil, audit.None),
		record(13, "session.ended", "ok", "person", "", m("reason", "PERSON_STOPPED", "by", "host", "duration_ms", int64(61000), "host_events", int64(8)), nil, audit.None),
		record(20, "log.viewed", "ok", "auditor", "01A", nil, nil, audit.Missing),
	}
}

func written(t *testing.T, lang string, personal bool) []byte {
	t.Helper()
	var b bytes.Buffer
	err := Write(&b, session(), Options{
		Lang: lang, Personal: personal, Origin: "mainforte/log-00000000", Key: "mainforte/log-00000000+01234567+AAAA",
		Point: audit.Checkpoint{Tree: audit.Tree{Size: 14, Root: [32]byte{1}}}, Now: time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC),
		Name: func(ref string) string { return map[string]string{"01A": "Ann <i>"}[ref] },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReports(t *testing.T) {
	for _, lang := range []string{"en", "fr"} {
		for _, personal := range []bool{false, true} {
			got := written(t, lang, personal)
			path := filepath.Join("testdata", map[bool]string{false: "withheld.", true: "personal."}[personal]+lang+".html")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what it was (%v)", path, err)
			}
			for _, name := range []string{"Zo", "192.0.2.7", "Ann", "198.51"} {
				if bytes.Contains(got, []byte(name)) != personal {
					t.Errorf("%s, with names %v: %q", lang, personal, name)
				}
			}
		}
	}
	if got := written(t, "de", false); !bytes.Equal(got, written(t, "en", false)) {
		t.Error("another language is not English")
	}
	if err := Write(&bytes.Buffer{}, nil, Options{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("%v", err)
	}
}

// What a host wrote is text and nothing else.
func TestNothingHostileIsMarkup(t *testing.T) {
	doc, err := html.Parse(bytes.NewReader(written(t, "en", true)))
	if err != nil {
		t.Fatal(err)
	}
	allowed := strings.Fields("html head meta title style body header h1 p main h2 dl div dt dd table thead tbody tr th td strong em")
	attributes := strings.Fields("lang charset http-equiv content name scope class")
	var text strings.Builder
	for n := range doc.Descendants() {
		switch n.Type {
		case html.ElementNode:
			if !slices.Contains(allowed, n.Data) {
				t.Errorf("<%s>", n.Data)
			}
			for _, a := range n.Attr {
				if !slices.Contains(attributes, a.Key) {
					t.Errorf("<%s %s>", n.Data, a.Key)
				}
			}
		case html.TextNode:
			text.WriteString(n.Data)
		}
	}
	if !strings.Contains(text.String(), `Zoë <script>alert(1)</script>" onload=x Ölçü`) || strings.ContainsAny(text.String(), "\u202e\x00") {
		t.Errorf("%q", text.String())
	}
}

func TestBothLanguagesSayEverything(t *testing.T) {
	en, fr := texts["en"], texts["fr"]
	if a, b := slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(fr)); !slices.Equal(a, b) {
		t.Fatalf("keys differ:\n%v\n%v", a, b)
	}
	for _, typ := range audit.Types() {
		if en["type."+typ] == "" || en["type."+typ] == fr["type."+typ] {
			t.Errorf("%s has no words", typ)
		}
	}
	for k, v := range fr {
		if regexp.MustCompile(`[^\x{00a0}\x{202f}][:;?!»]`).MatchString(v) && !strings.HasPrefix(k, "format.") {
			t.Errorf("fr %s: %q", k, v)
		}
	}
	// The reasons and grants that have words here are called as in the note.
	for _, lang := range []string{"en", "fr"} {
		b, err := os.ReadFile("../../tickets/locales/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var note words
		if err := json.Unmarshal(b, &note); err != nil {
			t.Fatal(err)
		}
		for k, v := range note {
			if mine, ok := texts[lang][k]; ok && (strings.HasPrefix(k, "reason.") || strings.HasPrefix(k, "grant_name.")) && mine != v {
				t.Errorf("%s %s: %q, in the note %q", lang, k, texts[lang][k], v)
			}
		}
	}
}
