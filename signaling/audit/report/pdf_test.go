package report

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/mainforte/mainforte/signaling/audit"
)

func printed(t *testing.T, events []audit.Record, lang string, personal bool) []byte {
	t.Helper()
	var b bytes.Buffer
	err := WritePDF(&b, events, Options{
		Lang: lang, Personal: personal, Origin: "mainforte/log-00000000", Key: "mainforte/log-00000000+01234567+AAAA",
		Point: audit.Checkpoint{Tree: audit.Tree{Size: 14, Root: [32]byte{1}}}, Now: time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drawn is everything that the pages draw: their inflated streams.
func drawn(t *testing.T, pdf []byte) []byte {
	t.Helper()
	var all []byte
	for rest := pdf; ; {
		_, after, ok := bytes.Cut(rest, []byte("stream\n"))
		if !ok {
			return all
		}
		body, more, _ := bytes.Cut(after, []byte("\nendstream"))
		if z, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
			b, _ := io.ReadAll(io.LimitReader(z, 16<<20)) // a font's end may be missing: it is no text
			all = append(all, b...)
		}
		rest = more
	}
}

// shown tells whether a text stands on the pages.
func shown(content []byte, text string) bool {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return bytes.Contains(content, b)
}

func TestTheReportAsPDF(t *testing.T) {
	for _, lang := range []string{"en", "fr"} {
		pdf := printed(t, session(), lang, true)
		if !bytes.Equal(pdf, printed(t, session(), lang, true)) {
			t.Error("the same report is another file")
		}
		content := drawn(t, pdf)
		for _, text := range []string{texts[lang]["title"], texts[lang]["section.proof"], "Zoë <script>alert", "198.51.100.9", "k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s="} {
			if !shown(content, text) {
				t.Errorf("%s: no %q", lang, text)
			}
		}
		if content := drawn(t, printed(t, session(), lang, false)); shown(content, "Zo") || shown(content, "192.0.2.7") {
			t.Errorf("%s: names are in it", lang)
		}
		path := filepath.Join(t.TempDir(), "r.pdf")
		if err := os.WriteFile(path, pdf, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("pdftotext", "-layout", path, "-").CombinedOutput()
		if err != nil || !strings.Contains(string(out), texts[lang]["title"]) || !strings.Contains(string(out), "Zoë <script>alert(1)") {
			t.Errorf("pdftotext (of the package poppler-utils): %v: %s", err, out)
		}
	}
	if err := WritePDF(io.Discard, nil, Options{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("%v", err)
	}
}

// A long session with long and strange names takes many pages and loses no line.
func TestALongReportHasManyPages(t *testing.T) {
	events := session()
	for i := range 400 {
		e := record(int64(100+i), "session.paired", "ok", "technician", "", nil, map[string]any{
			"technician": strings.Repeat("W", 300) + " 😀 \U0010FFFF מזל", "host_software": strings.Repeat("x y ", i%200),
		}, audit.Present)
		events = append(events, e)
	}
	pdf := printed(t, events, "en", true)
	if n := bytes.Count(pdf, []byte("/Type /Page\n")); n < 10 {
		t.Errorf("%d pages", n)
	}
	content := drawn(t, pdf)
	for i := range 400 {
		if !shown(content, fmt.Sprint(100+i)) {
			t.Fatalf("line %d is on no page", 100+i)
		}
	}
}

func FuzzPDF(f *testing.F) {
	f.Add("Zoë", "a b")
	f.Add("\x00\xff\u202e😀", strings.Repeat("W", 1000))
	f.Fuzz(func(t *testing.T, name, software string) {
		events := append(session(), record(30, "session.paired", "ok", "technician", "", nil, map[string]any{"technician": name, "host_software": software}, audit.Present))
		if err := WritePDF(io.Discard, events, Options{Personal: true}); err != nil {
			t.Fatal(err)
		}
	})
}
