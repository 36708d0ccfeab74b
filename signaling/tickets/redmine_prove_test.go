//go:build prove

package tickets_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

func TestProveARealRedmineKeepsItsPromises(t *testing.T) {
	site, err := ticketstest.StartRedmine("textile")
	if err != nil {
		t.Fatal(err)
	}
	defer site.Stop()
	call := func(t *testing.T, method, url, key string, in, out any) []byte {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(url, "http") {
			url = site.URL + url
		}
		req, err := http.NewRequest(method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Redmine-API-Key", key)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %s %s %v", method, url, resp.Status, raw, err)
		}
		if out != nil {
			if err := json.Unmarshal(raw, out); err != nil {
				t.Fatal(err)
			}
		}
		return raw
	}
	ticketstest.Run(t, func(t *testing.T) ticketstest.Desk {
		line := ticketstest.NewLine(t, site.URL)
		open := func(key string) tickets.System {
			d, err := tickets.NewSystem(tickets.Config{System: "redmine", URL: line.URL, Token: key, Lang: "fr", Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		word := "w" + strings.ReplaceAll(t.Name(), "/", "") + "x"
		var made struct{ Issue struct{ ID json.Number } }
		call(t, "POST", "/issues.json", site.Worker, map[string]any{"issue": map[string]any{"project_id": "helpdesk", "subject": "Imprimante bloquée " + word}}, &made)
		return ticketstest.Desk{
			System: open(site.Worker), Ticket: made.Issue.ID.String(), Word: word, Line: line, Secrets: []string{site.Worker},
			Reader: open(site.Reader), Wrong: open("0123456789abcdef0123456789abcdef01234567"),
			Close: func(id string) {
				call(t, "PUT", "/issues/"+id+".json", site.Worker, map[string]any{"issue": map[string]any{"status_id": site.Closed}}, nil)
			},
			Foreign: func(id, text string) {
				call(t, "PUT", "/issues/"+id+".json", site.Other, map[string]any{"issue": map[string]any{"notes": text}}, nil)
			},
			Notes: func(id string) (list []ticketstest.Note) {
				var got struct {
					Issue struct {
						Journals []struct {
							Notes   string
							Private bool `json:"private_notes"`
						}
					}
				}
				call(t, "GET", "/issues/"+id+".json?include=journals", site.Worker, nil, &got)
				for _, j := range got.Issue.Journals {
					if j.Notes == "" {
						continue // a change of the status
					}
					n := ticketstest.Note{Text: fake.Wiki(j.Notes), Public: !j.Private}
					if before, last, ok := cutLast(n.Text); ok && strings.HasPrefix(last, "mf:01S:") {
						n.Text = before
					}
					list = append(list, n)
				}
				return list
			},
		}
	})

	// What the real formatters make of a note: the elements that we wrote, and no
	// link but ours.
	evil := `<script>alert(1)</script> *b* _i_ -d- +u+ "a":http://x {{macro}} !i.png! [a](http://b) http://evil.example www.evil.example a@b.example |a|b| {html} h1. x @code@ bq. y ` + "`c`"
	doc := tickets.Doc{Lang: "fr", Blocks: []tickets.Block{
		{Kind: tickets.Heading, Text: evil}, {Kind: tickets.Table, Rows: []tickets.Row{{Label: evil, Value: evil}}},
		{Kind: tickets.List, Items: []string{evil, "1. x", "# y", "* z", "- q", "> q", "```x", "h1. x", "    code"}},
		{Kind: tickets.Paragraph, Text: evil}, {Kind: tickets.Link, Text: evil, URL: "https://help.example.org/audit?session=01S"},
	}}
	element := regexp.MustCompile(`<([a-z0-9]+)`)
	href := regexp.MustCompile(`href="([^"]*)"`)
	for format, render := range map[string]func(tickets.Doc) string{"textile": tickets.Textile, "common_mark": tickets.Markdown, "markdown": tickets.Markdown} {
		shown, err := site.Shown(format, render(doc))
		if err != nil || shown == "" {
			t.Fatalf("%s: %v", format, err)
		}
		for _, m := range element.FindAllStringSubmatch(shown, -1) {
			if !slices.Contains([]string{"h4", "table", "tr", "th", "td", "ul", "li", "p", "a", "strong"}, m[1]) {
				t.Errorf("%s: <%s> in\n%s", format, m[1], shown)
			}
		}
		for _, m := range href.FindAllStringSubmatch(shown, -1) {
			// CommonMark makes an address of mail one that can be clicked, whatever
			// is done to its signs; it shows where it leads.
			if m[1] != "https://help.example.org/audit?session=01S" && m[1] != "mailto:a@b.example" && !strings.HasPrefix(m[1], "#") {
				t.Errorf("%s: a link to %s", format, m[1])
			}
		}
	}
}
