package tickets

import (
	"encoding/json"
	"html"
	"io"
	"strings"

	xhtml "golang.org/x/net/html"
)

// HTML renders a document in the few elements that every desk shows: h3, h4, p,
// br, ul, li, a, b, table, tbody, tr and td, with no attribute but href. There is
// no line feed in it, because some desks make each one a line break.
func HTML(d Doc) string {
	var b strings.Builder
	value := func(text, url string) string {
		if url == "" {
			return html.EscapeString(text)
		}
		return `<a href="` + html.EscapeString(url) + `">` + html.EscapeString(text) + "</a>"
	}
	for _, k := range d.tidied().Blocks {
		switch k.Kind {
		case Title:
			b.WriteString("<h3>" + html.EscapeString(k.Text) + "</h3>")
		case Heading:
			b.WriteString("<h4>" + html.EscapeString(k.Text) + "</h4>")
		case Paragraph:
			b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(k.Text), "\n", "<br>") + "</p>")
		case Link:
			b.WriteString("<p>" + value(k.Text, k.URL) + "</p>")
		case Table:
			b.WriteString("<table><tbody>")
			for _, r := range k.Rows {
				b.WriteString("<tr><td><b>" + html.EscapeString(r.Label) + "</b></td><td>" + value(r.Value, r.URL) + "</td></tr>")
			}
			b.WriteString("</tbody></table>")
		case List:
			b.WriteString("<ul>")
			for _, it := range k.Items {
				b.WriteString("<li>" + html.EscapeString(it) + "</li>")
			}
			b.WriteString("</ul>")
		}
	}
	return b.String()
}

// ServiceNowCode renders a document for a journal field of ServiceNow: HTML
// between [code] and [/code]. No bracket of a text can close the block.
func ServiceNowCode(d Doc) string {
	return "[code]" + strings.NewReplacer("[", "&#91;", "]", "&#93;").Replace(HTML(d)) + "[/code]"
}

// Text reads hostile HTML as plain text, a line for each block, for finding our
// own notes again in a desk that keeps HTML.
func Text(markup string) string {
	var b strings.Builder
	z := xhtml.NewTokenizer(strings.NewReader(markup))
	z.SetMaxBuf(1 << 20)
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			if z.Err() != io.EOF {
				return "" // larger than any note of ours
			}
			var lines []string
			for l := range strings.SplitSeq(b.String(), "\n") {
				if l = tidy(l); l != "" {
					lines = append(lines, l)
				}
			}
			return strings.Join(lines, "\n")
		case xhtml.TextToken:
			b.WriteString(strings.ReplaceAll(string(z.Text()), "\n", " "))
		case xhtml.StartTagToken, xhtml.EndTagToken, xhtml.SelfClosingTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "p", "br", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ul", "tr", "table", "div", "blockquote", "pre":
				b.WriteByte('\n')
			case "td", "th":
				b.WriteByte(' ')
			}
		}
	}
}

// adf is a node of the Atlassian Document Format, version 1.
type adf struct {
	Type    string         `json:"type"`
	Version int            `json:"version,omitempty"`
	Attrs   map[string]any `json:"attrs,omitempty"`
	Text    string         `json:"text,omitempty"`
	Marks   []adf          `json:"marks,omitempty"`
	Content []adf          `json:"content,omitempty"`
}

// ADF renders a document in the Atlassian Document Format, as JSON, for Jira's
// version 3 interface.
func ADF(d Doc) json.RawMessage {
	text := func(s, url string) adf {
		n := adf{Type: "text", Text: s}
		if url != "" {
			n.Marks = []adf{{Type: "link", Attrs: map[string]any{"href": url}}}
		}
		return n
	}
	para := func(n ...adf) adf { return adf{Type: "paragraph", Content: n} }
	heading := func(level int, s string) adf {
		return adf{Type: "heading", Attrs: map[string]any{"level": level}, Content: []adf{text(s, "")}}
	}
	doc := adf{Type: "doc", Version: 1, Content: []adf{}}
	for _, k := range d.tidied().Blocks {
		var n adf
		switch k.Kind {
		case Title:
			n = heading(3, k.Text)
		case Heading:
			n = heading(4, k.Text)
		case Paragraph:
			n = para()
			for i, l := range strings.Split(k.Text, "\n") {
				if i > 0 {
					n.Content = append(n.Content, adf{Type: "hardBreak"})
				}
				n.Content = append(n.Content, text(l, ""))
			}
		case Link:
			n = para(text(k.Text, k.URL))
		case Table:
			n = adf{Type: "table"}
			for _, r := range k.Rows {
				n.Content = append(n.Content, adf{Type: "tableRow", Content: []adf{
					{Type: "tableHeader", Content: []adf{para(text(r.Label, ""))}},
					{Type: "tableCell", Content: []adf{para(text(r.Value, r.URL))}},
				}})
			}
		case List:
			n = adf{Type: "bulletList"}
			for _, it := range k.Items {
				n.Content = append(n.Content, adf{Type: "listItem", Content: []adf{para(text(it, ""))}})
			}
		}
		doc.Content = append(doc.Content, n)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return json.RawMessage(`{"type":"doc","version":1,"content":[]}`) // strings and maps of strings always marshal
	}
	return b
}
