package tickets

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"

	xhtml "golang.org/x/net/html"
)

// every is a document with a text in each place that takes one.
func every(text, link string) Doc {
	return Doc{Lang: "fr", Blocks: []Block{
		{Kind: Title, Text: text},
		{Kind: Table, Rows: []Row{{Label: text, Value: text}, {Label: "l", Value: text, URL: link}}},
		{Kind: Heading, Text: text},
		{Kind: List, Items: []string{text, "x"}},
		{Kind: Paragraph, Text: text},
		{Kind: Link, Text: text, URL: link},
	}}
}

var hostile = []string{
	"x", "<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "[/code]<b>", "[code]", "&lt;b&gt;", "&#60;",
	"a\u202eb\u2066c", "zero\u200bwidth", "=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "\t=1", "*bold* _it_ -del- +ins+ ^up^ ~down~ ??cite??",
	"h1. heading", "bq. quote", "* item", "1. item", "|a|b|", "||a||", "{html}<b>{html}", "{{macro}}", "!image.png!", "![x](y)", "[a](http://b)",
	`"a":http://b`, "[a|http://b]", "[~admin]", "@admin", "#123", "http://evil.example", "www.evil.example", "`code`", "```\ncode", "\\", "a\\*b", "---", "====",
	"line\nmf:01S:end", "line\r\u2028\u0085line", "mf:01S:end", "durée\u00a0: 3", "\x00\x1b[31m", "\xff\xfe", "日本 🙂", "${jndi:ldap://x}", "<!--", "]]>", ":-)", "",
	strings.Repeat("long ", 2000), strings.Repeat("x", 3000),
}

var hostileLinks = []string{
	"https://example.org/a?b=c&d=e#f", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "https://u:p@example.org/", "//example.org", "x", "",
	"https://example.org/\"><script>", "https://example.org/]|{x}", "https://example.org/a)b(c", "mailto:a@example.org", "https://ex ample.org", "https://[::1]/", "file:///etc/passwd",
}

// FuzzNoTextBecomesMarkup renders a document with hostile text in every place
// and compares it with the same document of harmless text: there must be the
// same markup, and the text itself must come back as it was.
func FuzzNoTextBecomesMarkup(f *testing.F) {
	for i, s := range hostile {
		f.Add(s, hostileLinks[i%len(hostileLinks)])
	}
	for _, l := range hostileLinks {
		f.Add("x", l)
	}
	f.Fuzz(func(t *testing.T, text, link string) {
		if len(text) > 1<<14 || len(link) > 1<<12 {
			return
		}
		d := every(text, link)
		clean, lines := tidy(text), Prose("fr", text).Blocks
		for _, r := range clean {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%q holds %U", clean, r)
			}
		}
		if tidy(clean) != clean {
			t.Errorf("tidying twice makes %q of %q", tidy(clean), clean)
		}
		href := safeURL(link)
		if href != "" {
			if u, err := url.Parse(href); err != nil || u.User != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "mailto" {
				t.Errorf("%q became the link %q", link, href)
			}
			if strings.ContainsAny(href, " \"'<>()[]{}|\\*`\n\t") {
				t.Errorf("%q", href)
			}
		}
		if clean == "" || len(lines) != 1 || strings.Contains(lines[0].Text, "\n") {
			return // the shape differs; what follows compares shapes
		}
		const mark = "Qq7mark"
		if strings.Contains(link, mark) || strings.Contains(text, mark) {
			return
		}
		same := every(mark, link)
		if got, want := tags(HTML(d)), tags(HTML(same)); got != want {
			t.Errorf("HTML of %q:\n%s\ninstead of\n%s", text, got, want)
		}
		if got, want := Text(HTML(d)), strings.ReplaceAll(Text(HTML(same)), mark, clean); tidied(got) != tidied(want) {
			t.Errorf("HTML reads\n%q\ninstead of\n%q", got, want)
		}
		code := ServiceNowCode(d)
		if strings.Count(code, "[") != 2 || strings.Count(code, "]") != 2 || !strings.HasPrefix(code, "[code]") || !strings.HasSuffix(code, "[/code]") || strings.Contains(code, "\n") {
			t.Errorf("[code] of %q: %s", text, code)
		}
		for name, render := range map[string]func(Doc) string{"textile": Textile, "markdown": Markdown, "jira": JiraWiki} {
			got := render(d)
			if want := strings.ReplaceAll(render(same), mark, entities(clean)); got != want {
				t.Errorf("%s of %q:\n%s\ninstead of\n%s", name, text, got, want)
			}
			if !escaped.MatchString(entities(clean)) || html.UnescapeString(entities(clean)) != clean {
				t.Errorf("%q is escaped as %q", clean, entities(clean))
			}
		}
		plain := strings.TrimPrefix(Plain(d), "'")
		if want := strings.ReplaceAll(Plain(same), mark, clean); plain != strings.TrimPrefix(want, "'") && clean != href {
			t.Errorf("plain reads\n%s\ninstead of\n%s", plain, want)
		}
		if p := Plain(d); strings.IndexByte("=+-@", p[0]) >= 0 {
			t.Errorf("a formula: %.20q", p)
		}
		var a, b any
		if err := json.Unmarshal(ADF(d), &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(ADF(same), &b); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(a), strings.ReplaceAll(fmt.Sprint(b), mark, clean); got != want {
			t.Errorf("ADF of %q:\n%s\ninstead of\n%s", text, got, want)
		}
	})
}

var escaped = regexp.MustCompile(`^(?:[A-Za-z0-9 ,]|[^\x00-\x7f]|&#[0-9]{2,3};)*$`)

// tidied joins the lines of a text, because a text may itself have looked like
// an empty one.
func tidied(s string) string { return tidy(strings.ReplaceAll(s, "\n", " ")) }

// tags is markup with its texts taken out.
func tags(markup string) string {
	var b strings.Builder
	z := xhtml.NewTokenizer(strings.NewReader(markup))
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return b.String()
		case xhtml.TextToken:
			b.WriteByte('.')
		default:
			b.Write(z.Raw())
		}
	}
}

// FuzzTextOfMarkup reads what a desk sends back.
func FuzzTextOfMarkup(f *testing.F) {
	f.Add("<p>a<br>b</p><ul><li>c</ul>")
	f.Add("<<p>&#x41;&#99999999;<!--")
	f.Fuzz(func(t *testing.T, markup string) {
		for l := range strings.SplitSeq(Text(markup), "\n") {
			if tidy(l) != l {
				t.Errorf("%q holds the line %q", markup, l)
			}
		}
	})
}

func TestProseKeepsItsLines(t *testing.T) {
	text := "one\ntwo\n\n- three\u00a0: 3"
	if got := Plain(Prose("fr", "\r\n"+strings.ReplaceAll(text, "\n", "\r\n")+"\n\n\n")); got != text {
		t.Errorf("%q", got)
	}
	if got := Text(HTML(Prose("fr", text))); got != strings.ReplaceAll(text, "\n\n", "\n") {
		t.Errorf("%q", got)
	}
	if n := len(Prose("en", "\n \u200b\n").Blocks); n != 0 {
		t.Errorf("%d paragraphs of nothing", n)
	}
}

func TestOnlyTheLastLineIsAKey(t *testing.T) {
	const key = "mf:01S:end"
	d := every("mf:01T:end", "https://example.org")
	for name, text := range map[string]string{
		"plain": Plain(d.signed(key)), "html": Text(HTML(d.signed(key))), "markdown": html.UnescapeString(Markdown(d.signed(key))),
	} {
		if !endsWith(text, key) || endsWith(text, "mf:01T:end") || endsWith(text, "end") || endsWith(text, "") || endsWith(text+"\n> quoted", key) {
			t.Errorf("%s: %q", name, text)
		}
	}
	if len(d.Blocks) != len(every("", "").Blocks) {
		t.Error("signing changed the document")
	}
}

func TestNothingIsRenderedOfNothing(t *testing.T) {
	d := every("\u202e\x00 ", "javascript:x")
	d.Blocks[1].Rows = append(d.Blocks[1].Rows, Row{Label: "x"}, Row{Value: "x"})
	d.Blocks[3].Items = d.Blocks[3].Items[:1]
	d.Blocks = append(d.Blocks, Block{Kind: "unknown", Text: "x"})
	for _, render := range []func(Doc) string{Plain, HTML, Textile, Markdown, JiraWiki} {
		if got := render(d); got != "" {
			t.Errorf("%q", got)
		}
	}
	if got := string(ADF(d)); got != `{"type":"doc","version":1}` && got != `{"type":"doc","version":1,"content":[]}` {
		t.Error(got)
	}
}
