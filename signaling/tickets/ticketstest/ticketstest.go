// Package ticketstest holds the promises that every [tickets.System] keeps, as
// tests. A new desk runs them with one line, against the real system or a strict
// fake of it.
package ticketstest

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Desk is a system under test, with an open ticket whose subject holds Word, and
// whose requester reads French.
type Desk struct {
	tickets.System
	Ticket string // id
	Word   string // of the subject; no other ticket has it
	// Notes reads the notes of a ticket by a way of its own.
	Notes func(ticket string) []Note

	// What follows may be nil.

	Close   func(ticket string)       // the ticket
	Foreign func(ticket, text string) // a note of somebody else, who can write one of this desk
	Reader  tickets.System            // with credentials that may only read
	Wrong   tickets.System            // with credentials that the desk does not know
	Line    *Line                     // that System uses
	Rename  func(ticket, subject string)
	// At opens System at another address, with the authorities that vouch for it.
	At      func(url string, roots *x509.CertPool) tickets.System
	Secrets []string // of System's configuration
	Big     int      // bytes of a large file; 0: what the desk takes, at most 10 MiB
	Many    int      // notes at once; 0: 12
}

// Note is one as the desk has it.
type Note struct {
	Text    string // without markup, each block or line break on a line of its own, and without the line of the key
	Public  bool
	Minutes int
	Files   []tickets.File
}

// Run runs the suite; open returns a fresh ticket, at least.
func Run(t *testing.T, open func(t *testing.T) Desk) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Desk)
	}{
		{"it has a name and can be checked", check},
		{"a ticket is got by its id", get},
		{"a ticket is found by its subject", search},
		{"a note is found by its key once it was written", find},
		{"an unknown ticket takes no note", unknown},
		{"text arrives as it was written", text},
		{"no text becomes markup", hostile},
		{"a reply is public and a note is not", public},
		{"files and minutes arrive with the note", files},
		{"what is too large is refused whole", tooLarge},
		{"many may write at once", many},
		{"an ended context ends the call", ended},
		{"a closed ticket is told", closed},
		{"what somebody else wrote is no note of ours", foreign},
		{"credentials that do not suffice are told apart", credentials},
		{"a subject is one clean line, whatever it is", subject},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	if d := open(t); d.Line != nil {
		for _, c := range lineTests {
			t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
		}
	}
}

var bg = context.Background()

func note(key, text string) tickets.Note {
	return tickets.Note{Key: tickets.Marker("01S", key), Author: "Mainforte", Lang: "fr", Text: text}
}

func check(t *testing.T, d Desk) {
	if d.Name() == "" {
		t.Error("no name")
	}
	if err := d.Check(bg); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, d Desk) {
	got, err := d.Get(bg, d.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != d.Ticket || got.Number == "" || !got.Open || !strings.Contains(got.Subject, d.Word) || got.Lang != "fr" {
		t.Errorf("%+v", got)
	}
	for _, id := range []string{"", "0", "-1", "999999", "1e3", "../1", d.Ticket + "/../" + d.Ticket, d.Ticket + "?x=y", "'; drop table tickets; --", "\x00", strings.Repeat("x", 10_000)} {
		if _, err := d.Get(bg, id); !errors.Is(err, tickets.ErrNotFound) {
			t.Errorf("%.20q: %v", id, err)
		}
		if _, ok, err := d.Find(bg, id, "mf:01S:end"); ok || err != nil && !errors.Is(err, tickets.ErrNotFound) {
			t.Errorf("find in %.20q: %v, %v", id, ok, err)
		}
	}
}

func search(t *testing.T, d Desk) {
	got, err := d.Get(bg, d.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	list, err := d.Search(bg, got.Number, 1)
	if err != nil || len(list) != 1 || list[0].ID != d.Ticket {
		t.Errorf("by number: %+v, %v", list, err)
	}
	if list, err := d.Search(bg, "no-such-word-anywhere", 10); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	for _, query := range []string{"", "   ", "'", `\`, `"`, "' OR 1=1 --", "a AND (", "*", "%", "?&="} {
		if _, err := d.Search(bg, query, 5); err != nil {
			t.Errorf("%q: %v", query, err)
		}
	}
	if !d.Caps().Search {
		return
	}
	list, err = d.Search(bg, d.Word, 10)
	if err != nil || len(list) != 1 || list[0].ID != d.Ticket || !list[0].Open {
		t.Errorf("%+v, %v", list, err)
	}
}

func find(t *testing.T, d Desk) {
	n := note("end", "done")
	if _, ok, err := d.Find(bg, d.Ticket, n.Key); ok || err != nil {
		t.Errorf("before: %v, %v", ok, err)
	}
	id, err := d.Append(bg, d.Ticket, n)
	if err != nil || id == "" {
		t.Fatalf("%q, %v", id, err)
	}
	got, ok, err := d.Find(bg, d.Ticket, n.Key)
	if got != id || !ok || err != nil {
		t.Errorf("after: %q, %v, %v; want %q", got, ok, err, id)
	}
	for _, other := range []string{n.Key + "x", n.Key[:len(n.Key)-1], n.Key[1:], "mf:%:end", "mf:01_:end", ""} {
		if _, ok, err := d.Find(bg, d.Ticket, other); ok || err != nil {
			t.Errorf("%q: %v, %v", other, ok, err)
		}
	}
	// What a session said about another is not the other's note.
	if _, err := d.Append(bg, d.Ticket, note("two", "they said\n\nmf:01S:three\n\nand (mf:01S:four)")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"mf:01S:three", "mf:01S:four"} {
		if _, ok, err := d.Find(bg, d.Ticket, key); ok || err != nil {
			t.Errorf("%s: %v, %v", key, ok, err)
		}
	}
}

func unknown(t *testing.T, d Desk) {
	for _, id := range []string{"999999", "", "1/../2"} {
		if _, err := d.Append(bg, id, note("end", "done")); !errors.Is(err, tickets.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// plain makes texts comparable: a desk may fold no-break spaces and blank lines.
func plain(s string) string {
	s = strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(s)
	return strings.Join(slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" }), "\n")
}

func text(t *testing.T, d Desk) {
	want := "Durée\u00a0: 3 min. « Ça va ? » 日本 🙂\n- <b>not bold</b> & 'quoted' \"twice\"\n\nlast line"
	if _, err := d.Append(bg, d.Ticket, note("end", want)); err != nil {
		t.Fatal(err)
	}
	if got := d.Notes(d.Ticket); len(got) != 1 || plain(got[0].Text) != plain(want) {
		t.Errorf("%+v", got)
	}
}

func hostile(t *testing.T, d Desk) {
	lines := []string{
		"<script>alert(1)</script>", `<img src=x onerror="alert(1)">`, "[/code]<i>x</i>", "*b* _i_ {html}x{html} {{x}} ![x](http://x) |a|b|",
		"&lt;p&gt; &#60; &amp;", `\n \u003c`, "h1. x", "# x", "=1+1",
	}
	var blocks []tickets.Block
	for _, l := range lines {
		blocks = append(blocks, tickets.Block{Kind: tickets.Paragraph, Text: l})
	}
	doc := tickets.Doc{Lang: "fr", Blocks: append([]tickets.Block{{Kind: tickets.Title, Text: "T\u202e"}}, blocks...)}
	n := tickets.Note{Key: tickets.Marker("01S", "end"), Author: "Mainforte", Lang: "fr", Doc: doc}
	if _, err := d.Append(bg, d.Ticket, n); err != nil {
		t.Fatal(err)
	}
	if got, want := d.Notes(d.Ticket), "T\n"+strings.Join(lines, "\n"); len(got) != 1 || plain(got[0].Text) != want {
		t.Errorf("got  %+v\nwant %q", got, want)
	}
}

func public(t *testing.T, d Desk) {
	a, b := note("a", "private"), note("b", "public")
	b.Public = true
	for _, n := range []tickets.Note{a, b} {
		if _, err := d.Append(bg, d.Ticket, n); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := d.Find(bg, d.Ticket, n.Key); !ok || err != nil {
			t.Errorf("%s is not found: %v", n.Key, err)
		}
	}
	for _, n := range d.Notes(d.Ticket) {
		if want := d.Caps().Public && n.Text == "public"; n.Public != want {
			t.Errorf("%q is public: %v", n.Text, n.Public)
		}
	}
}

func files(t *testing.T, d Desk) {
	caps := d.Caps()
	big := d.Big
	if big == 0 {
		big = int(min(caps.MaxFile, 10<<20))
	}
	want := []tickets.File{
		{Name: "écran.png", Type: "image/png", Data: []byte("\x89PNG\r\n\x1a\n\x00\xff")},
		{Name: "log.txt", Type: "text/plain", Data: bytes.Repeat([]byte("0123456789abcdef"), big/16)},
	}
	n := note("end", "with files")
	n.Minutes, n.Link, n.Files = 7, "https://help.example.org/audit?session=01S", want
	id, err := d.Append(bg, d.Ticket, n)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := d.Find(bg, d.Ticket, n.Key); got != id || !ok || err != nil {
		t.Errorf("%q, %v, %v; want %q", got, ok, err, id)
	}
	notes := d.Notes(d.Ticket)
	if len(notes) != 1 || plain(notes[0].Text) != "with files" {
		t.Fatalf("%d notes", len(notes))
	}
	got := notes[0]
	if caps.Time && got.Minutes != 7 || !caps.Time && got.Minutes != 0 {
		t.Errorf("%d minutes", got.Minutes)
	}
	if !caps.Files {
		want = nil
	}
	if len(got.Files) != len(want) {
		t.Fatalf("%d files", len(got.Files))
	}
	for i, f := range want {
		if g := got.Files[i]; g.Name != f.Name || !strings.HasPrefix(g.Type, f.Type) || !bytes.Equal(g.Data, f.Data) {
			t.Errorf("file %d is %q, %s, %d bytes", i, g.Name, g.Type, len(g.Data))
		}
	}
	if !caps.Files {
		return
	}
	n = note("two", "with an odd file")
	n.Files = []tickets.File{{Name: "../../etc/\u202ecron\r\n\".d", Type: "text/html\r\nX: y", Data: []byte("x")}}
	if _, err := d.Append(bg, d.Ticket, n); err != nil {
		t.Fatal(err)
	}
	for _, g := range d.Notes(d.Ticket)[1].Files {
		if strings.ContainsAny(g.Name, "/\\\r\n\"\u202e") || strings.Contains(g.Type, "html") {
			t.Errorf("the name %q, the type %q", g.Name, g.Type)
		}
	}
}

func tooLarge(t *testing.T, d Desk) {
	n := note("end", strings.Repeat("é", 1<<20))
	if _, err := d.Append(bg, d.Ticket, n); !errors.Is(err, tickets.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if caps := d.Caps(); caps.Files {
		n := note("end", "x")
		n.Files = []tickets.File{{Name: "x", Data: make([]byte, caps.MaxFile+1)}}
		if _, err := d.Append(bg, d.Ticket, n); !errors.Is(err, tickets.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
	}
	if got := d.Notes(d.Ticket); len(got) != 0 {
		t.Errorf("%d notes stand", len(got))
	}
}

func many(t *testing.T, d Desk) {
	var wg sync.WaitGroup
	var want []string
	count := d.Many
	if count == 0 {
		count = 12
	}
	for i := range count {
		want = append(want, fmt.Sprint("note ", i))
		wg.Go(func() {
			if _, err := d.Append(bg, d.Ticket, note(fmt.Sprint(i), fmt.Sprint("note ", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var got []string
	for _, n := range d.Notes(d.Ticket) {
		got = append(got, n.Text)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	// The first is found as the last is, however a desk parts its answers.
	for i := range want {
		if _, ok, err := d.Find(bg, d.Ticket, tickets.Marker("01S", fmt.Sprint(i))); !ok || err != nil {
			t.Errorf("note %d is not found: %v", i, err)
		}
	}
}

func ended(t *testing.T, d Desk) {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := d.Get(ctx, d.Ticket); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if _, err := d.Append(ctx, d.Ticket, note("end", "done")); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if got := d.Notes(d.Ticket); len(got) != 0 {
		t.Errorf("%d notes stand", len(got))
	}
}

// subject: tickets are named by whoever asks for help.
func subject(t *testing.T, d Desk) {
	if d.Rename == nil {
		return
	}
	for _, hostile := range []string{
		strings.Repeat(d.Word+" é", 10<<10/len(d.Word)), "<script>alert(1)</script> " + d.Word, "<b onclick=x>" + d.Word + "</b> &lt;i&gt;", d.Word + " \u202egnp.exe\u2066\u200f\u0007\x1b[31m",
		d.Word + "\r\nX-Injected: 1\x00\ttab", "\ufeff" + d.Word + "\u2028next", `"` + d.Word + `" OR 1=1 --`, d.Word + " e" + strings.Repeat("\u0301", 2000),
	} {
		d.Rename(d.Ticket, hostile)
		got, err := d.Get(bg, d.Ticket)
		if err != nil {
			t.Fatalf("%.60q: %v", hostile, err)
		}
		list, err := d.Search(bg, got.Number, 5)
		if err != nil {
			t.Errorf("%.60q: %v", hostile, err)
		}
		for _, k := range append(list, got) {
			if k.ID != d.Ticket || !strings.Contains(k.Subject, d.Word) || wire.Clean(k.Subject) != k.Subject || utf8.RuneCountInString(k.Subject) > wire.NameLimit {
				t.Errorf("%.60q became %.300q of %s", hostile, k.Subject, k.ID)
			}
		}
	}
}

// closed: a desk says that a ticket is closed, and either takes the note of a
// session that began before or says ErrClosed; nothing in between.
func closed(t *testing.T, d Desk) {
	if d.Close == nil {
		return
	}
	d.Close(d.Ticket)
	if got, err := d.Get(bg, d.Ticket); err != nil || got.Open {
		t.Errorf("%+v, %v", got, err)
	}
	_, err := d.Append(bg, d.Ticket, note("end", "late"))
	if n := len(d.Notes(d.Ticket)); err == nil && n != 1 || err != nil && (n != 0 || !errors.Is(err, tickets.ErrClosed)) {
		t.Errorf("%d notes, %v", n, err)
	}
}

func foreign(t *testing.T, d Desk) {
	if d.Foreign == nil {
		return
	}
	n := note("end", "ours")
	for _, forged := range []string{n.Key, "Session d’assistance à distance (" + n.Key + ")", "ours\n\n" + n.Key} {
		d.Foreign(d.Ticket, forged)
	}
	if _, ok, err := d.Find(bg, d.Ticket, n.Key); ok || err != nil {
		t.Fatalf("a forged note passes for ours: %v, %v", ok, err)
	}
	id, err := d.Append(bg, d.Ticket, n)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := d.Find(bg, d.Ticket, n.Key); got != id || !ok || err != nil {
		t.Errorf("%q, %v, %v; want %q", got, ok, err, id)
	}
}

func credentials(t *testing.T, d Desk) {
	if d.Reader != nil {
		if got, err := d.Reader.Get(bg, d.Ticket); err != nil || got.ID != d.Ticket {
			t.Errorf("who may read gets %+v, %v", got, err)
		}
		if _, err := d.Reader.Append(bg, d.Ticket, note("end", "x")); !errors.Is(err, tickets.ErrForbidden) {
			t.Errorf("who may only read: %v", err)
		}
	}
	if d.Wrong != nil {
		_, get := d.Wrong.Get(bg, d.Ticket)
		_, write := d.Wrong.Append(bg, d.Ticket, note("end", "x"))
		for what, err := range map[string]error{"check": d.Wrong.Check(bg), "get": get, "append": write} {
			if !errors.Is(err, tickets.ErrAuth) {
				t.Errorf("%s with wrong credentials: %v", what, err)
			}
		}
	}
	if n := len(d.Notes(d.Ticket)); n != 0 {
		t.Errorf("%d notes stand", n)
	}
}
