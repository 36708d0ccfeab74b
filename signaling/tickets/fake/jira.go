package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Jira is a fake of Jira Service Management in the cloud, written from
// Atlassian's documentation of version 3 of the interface (issues, issue comments,
// remote links, search by JQL, myself; as its OpenAPI description had it in
// November 2026) and of the Atlassian Document Format. The comment property
// sd.public.comment and the texts of errors are as public clients have them.
type Jira struct {
	Site
	// Plain: the project is no service project, so nothing is internal.
	Plain bool

	mu    sync.Mutex
	links map[string]string // by globalId
}

// JiraUser is the account whose tokens the fake knows.
const JiraUser = "agent@desk.test"

// JiraKey is the key of an issue.
func JiraKey(id int64) string { return fmt.Sprint("HELP-", id) }

type jiraComment struct {
	Body       json.RawMessage `json:"body"`
	Properties []struct {
		Key   string `json:"key"`
		Value struct {
			Internal bool `json:"internal"`
		} `json:"value"`
	} `json:"properties"`
}

type jiraLink struct {
	ID     string `json:"globalId"`
	Object struct {
		URL   string `json:"url"`
		Title string `json:"title"`
	} `json:"object"`
}

// Links are the addresses of the remote links.
func (j *Jira) Links() (list []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.links {
		list = append(list, l)
	}
	return list
}

func (j *Jira) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, text string) {
		answer(w, status, map[string]any{"errorMessages": []string{text}, "errors": map[string]string{}})
	}
	user, token, _ := r.BasicAuth()
	who, ok := accounts[token]
	if !ok || user != JiraUser {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(401)
		_, _ = w.Write([]byte("Client must be authenticated to access this resource."))
		return
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/rest/api/3/")
	part := strings.Split(path, "/")
	var t Subject
	found := false
	if ok && part[0] == "issue" && len(part) > 1 {
		for _, k := range j.all() {
			if JiraKey(k.ID) == part[1] {
				t, found = k, true
			}
		}
	}
	switch {
	case r.Method == "GET" && path == "myself":
		answer(w, 200, map[string]any{"accountId": fmt.Sprint("account:", who.id), "displayName": who.name, "active": true})
	case r.Method == "GET" && path == "search/jql" && known(r, "jql", "fields", "maxResults"):
		j.search(w, r)
	case part[0] == "issue" && !found:
		fail(404, "Issue does not exist or you do not have permission to see it.")
	case r.Method == "GET" && len(part) == 2 && known(r, "fields"):
		answer(w, 200, j.issue(t))
	case r.Method == "GET" && len(part) == 3 && part[2] == "comment" && known(r, "startAt", "maxResults", "orderBy"):
		j.comments(w, r, t.ID)
	case r.Method == "POST" && len(part) == 3 && part[2] == "comment":
		j.comment(w, r, who, t, fail)
	case r.Method == "POST" && len(part) == 3 && part[2] == "remotelink":
		j.link(w, r, who, fail)
	case r.Method == "DELETE" && len(part) == 4 && part[2] == "comment":
		n, _ := strconv.ParseInt(part[3], 10, 64)
		j.remove(t.ID, n)
		w.WriteHeader(204)
	default:
		fail(404, "Not found")
	}
}

func (j *Jira) issue(t Subject) map[string]any {
	category := "indeterminate"
	if t.Closed {
		category = "done"
	}
	return map[string]any{"id": fmt.Sprint(10000 + t.ID), "key": JiraKey(t.ID), "fields": map[string]any{
		"summary": t.Title, "status": map[string]any{"name": "?", "statusCategory": map[string]any{"id": 4, "key": category}},
		"reporter": map[string]any{"displayName": t.Requester}, "created": "2026-11-24T15:04:05.000+0100", "updated": "2026-11-24T15:05:05.000+0100",
	}}
}

// search understands summary ~ "word*", joined by AND.
func (j *Jira) search(w http.ResponseWriter, r *http.Request) {
	jql, _, ordered := strings.Cut(r.URL.Query().Get("jql"), " ORDER BY ")
	list := []any{}
	for _, t := range j.all() {
		ok := ordered
		for term := range strings.SplitSeq(jql, " AND ") {
			word, is := strings.CutPrefix(term, `summary ~ "`)
			word, ends := strings.CutSuffix(word, `*"`)
			if !is || !ends || strings.ContainsAny(word, `"\`) {
				answer(w, 400, map[string]any{"errorMessages": []string{"Error in the JQL Query"}, "errors": map[string]string{}})
				return
			}
			ok = ok && strings.Contains(strings.ToLower(t.Title), strings.ToLower(word))
		}
		if ok {
			list = append(list, j.issue(t))
		}
	}
	answer(w, 200, map[string]any{"issues": list, "isLast": true})
}

// comments answers at most three at once, whatever is asked for, as the
// documentation says that a page may be smaller.
func (j *Jira) comments(w http.ResponseWriter, r *http.Request, id int64) {
	start, _ := strconv.Atoi(r.URL.Query().Get("startAt"))
	notes := j.Notes(id)
	list := []any{}
	for i := start; i < min(start+3, len(notes)); i++ {
		n := notes[len(notes)-1-i]
		list = append(list, map[string]any{
			"id": fmt.Sprint(n.ID), "author": map[string]any{"accountId": fmt.Sprint("account:", n.Author.id)}, "body": json.RawMessage(n.Body), "jsdPublic": n.Public,
		})
	}
	answer(w, 200, map[string]any{"startAt": start, "maxResults": 3, "total": len(notes), "comments": list})
}

func (j *Jira) comment(w http.ResponseWriter, r *http.Request, who account, t Subject, fail func(int, string)) {
	var c jiraComment
	switch {
	case !who.write:
		fail(400, "You do not have the permission to comment on this issue.")
		return
	case !strict(r, &c) || !validADF(c.Body):
		fail(400, "Comment body is not valid!")
		return
	}
	internal := false
	for _, p := range c.Properties {
		internal = internal || p.Key == "sd.public.comment" && p.Value.Internal
	}
	n := &Written{Author: who, Body: string(c.Body), Public: !internal || j.Plain}
	j.write(t.ID, n)
	answer(w, 201, map[string]any{"id": fmt.Sprint(n.ID), "author": map[string]any{"accountId": fmt.Sprint("account:", who.id)}, "body": c.Body, "jsdPublic": n.Public})
}

func (j *Jira) link(w http.ResponseWriter, r *http.Request, who account, fail func(int, string)) {
	var l jiraLink
	if !who.write {
		fail(403, "You do not have permission to link issues.")
		return
	}
	if !strict(r, &l) || l.ID == "" || l.Object.URL == "" || l.Object.Title == "" {
		fail(400, "The request is not valid.")
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.links == nil {
		j.links = map[string]string{}
	}
	status := 200
	if j.links[l.ID] == "" {
		status = 201
	}
	j.links[l.ID] = l.Object.URL
	answer(w, status, map[string]any{"id": 10000, "self": "https://desk.test"})
}

type adfNode struct {
	Type    string    `json:"type"`
	Version int       `json:"version"`
	Text    *string   `json:"text"`
	Content []adfNode `json:"content"`
	Marks   []struct {
		Type  string `json:"type"`
		Attrs struct {
			Href string `json:"href"`
		} `json:"attrs"`
	} `json:"marks"`
	Attrs struct {
		Level int `json:"level"`
	} `json:"attrs"`
}

// adfInside says what each node may hold, as far as notes use the format.
var adfInside = map[string]string{
	"doc": "heading paragraph table bulletList", "heading": "text", "paragraph": "text hardBreak", "table": "tableRow", "tableRow": "tableHeader tableCell",
	"tableHeader": "paragraph", "tableCell": "paragraph", "bulletList": "listItem", "listItem": "paragraph",
}

func validADF(raw []byte) bool {
	var n adfNode
	return json.Unmarshal(raw, &n) == nil && n.Type == "doc" && n.Version == 1 && n.valid()
}

func (n adfNode) valid() bool {
	switch n.Type {
	case "text":
		return n.Text != nil && *n.Text != "" && n.Content == nil
	case "hardBreak":
		return n.Text == nil && n.Content == nil
	case "heading":
		if n.Attrs.Level < 1 || n.Attrs.Level > 6 {
			return false
		}
	}
	may, ok := adfInside[n.Type]
	if !ok || len(n.Content) == 0 {
		return false
	}
	for _, c := range n.Content {
		inside := false
		for kind := range strings.SplitSeq(may, " ") {
			inside = inside || kind == c.Type
		}
		if !inside || !c.valid() {
			return false
		}
	}
	return true
}

// ADFText reads a document as its text.
func ADFText(raw string) string {
	var n adfNode
	if json.Unmarshal([]byte(raw), &n) != nil {
		return ""
	}
	return strings.TrimSpace(n.text())
}

func (n adfNode) text() string {
	if n.Type == "hardBreak" {
		return "\n"
	}
	var b strings.Builder
	if n.Text != nil {
		b.WriteString(*n.Text)
	}
	for _, c := range n.Content {
		b.WriteString(c.text())
	}
	if n.Type == "paragraph" || n.Type == "heading" {
		b.WriteString("\n")
	}
	return b.String()
}

// ADFOf is a text as somebody would write it, each line a paragraph.
func ADFOf(text string) string {
	doc := map[string]any{"type": "doc", "version": 1}
	var content []any
	for l := range strings.SplitSeq(text, "\n") {
		if l != "" {
			content = append(content, map[string]any{"type": "paragraph", "content": []any{map[string]any{"type": "text", "text": l}}})
		}
	}
	doc["content"] = content
	b, _ := json.Marshal(doc)
	return string(b)
}
