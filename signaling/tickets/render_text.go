package tickets

import (
	"fmt"
	"strings"
)

// Plain renders a document as plain text.
func Plain(d Doc) string {
	d = d.tidied()
	colon := locales[d.Lang]["colon"]
	var b strings.Builder
	var last Kind
	for _, k := range d.Blocks {
		if last == Title || last != "" && k.Kind == Heading || last == Paragraph && k.Kind == Paragraph {
			b.WriteString("\n")
		}
		last = k.Kind
		switch k.Kind {
		case Title, Heading, Paragraph:
			b.WriteString(k.Text + "\n")
		case Link:
			b.WriteString(linked(k.Text, k.URL) + "\n")
		case Table:
			for _, r := range k.Rows {
				b.WriteString(r.Label + colon + linked(r.Value, r.URL) + "\n")
			}
		case List:
			for _, it := range k.Items {
				b.WriteString("- " + it + "\n")
			}
		}
	}
	return unformula(strings.TrimSuffix(b.String(), "\n"))
}

func linked(text, url string) string {
	if url == "" || text == url {
		return text
	}
	return text + " (" + url + ")"
}

// entities writes every ASCII character that could be markup as a numeric
// entity. Textile (in Redmine), Markdown and Jira's wiki all show an entity as
// its character and never read it as markup; a backslash is understood by each
// in another way, and by none before every character.
func entities(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == ' ', c == ',', c >= 0x80:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "&#%d;", c)
		}
	}
	return b.String()
}

// wiki is how one kind of markup writes a document down.
type wiki struct {
	title, heading string // before the text
	line           string // line break
	item           string
	row            func(label, value string) string
	link           func(text, url string) string
}

func (w wiki) render(d Doc) string {
	var blocks []string
	text := func(s string) string {
		lines := strings.Split(s, "\n")
		for i := range lines {
			lines[i] = entities(lines[i])
		}
		return strings.Join(lines, w.line)
	}
	value := func(s, url string) string {
		if url == "" {
			return entities(s)
		}
		return w.link(entities(s), url)
	}
	for _, k := range d.tidied().Blocks {
		switch k.Kind {
		case Title:
			blocks = append(blocks, w.title+text(k.Text))
		case Heading:
			blocks = append(blocks, w.heading+text(k.Text))
		case Paragraph:
			blocks = append(blocks, text(k.Text))
		case Link:
			blocks = append(blocks, w.link(entities(k.Text), k.URL))
		case Table:
			var rows []string
			for _, r := range k.Rows {
				rows = append(rows, w.row(entities(r.Label), value(r.Value, r.URL)))
			}
			blocks = append(blocks, strings.Join(rows, "\n"))
		case List:
			var items []string
			for _, it := range k.Items {
				items = append(items, w.item+entities(it))
			}
			blocks = append(blocks, strings.Join(items, "\n"))
		}
	}
	return strings.Join(blocks, "\n\n")
}

var textile = wiki{
	title: "h3. ", heading: "h4. ", line: "\n", item: "* ",
	row:  func(label, value string) string { return "|_. " + label + " | " + value + " |" },
	link: func(text, url string) string { return `"` + text + `":` + url },
}

// Textile renders a document for a Redmine whose notes are Textile.
func Textile(d Doc) string { return textile.render(d) }

var markdown = wiki{
	title: "### ", heading: "#### ", line: "  \n", item: "- ",
	row:  func(label, value string) string { return "- **" + label + "**: " + value },
	link: func(text, url string) string { return "[" + text + "](" + url + ")" },
}

// Markdown renders a document for a Redmine whose notes are Markdown (either of
// its two kinds), and for chat-like receivers of the webhook.
func Markdown(d Doc) string { return markdown.render(d) }

var jiraWiki = wiki{
	title: "h3. ", heading: "h4. ", line: "\n", item: "* ",
	row:  func(label, value string) string { return "||" + label + "|" + value + "|" },
	link: func(text, url string) string { return "[" + text + "|" + url + "]" },
}

// JiraWiki renders a document in the wiki markup of Jira's version 2 interface.
func JiraWiki(d Doc) string { return jiraWiki.render(d) }
