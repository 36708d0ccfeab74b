package fake

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
)

// Redmine is a fake of Redmine 5.0, written from what a real 5.0.4 answers (see
// the prove test) and its source (issues_controller.rb, application_controller.rb
// and the views *.api.rsb).
type Redmine struct {
	Site
	// Open: the worker's role may add notes, but not private ones. Redmine then
	// makes them public without a word.
	Open bool
}

type redmineChange struct {
	Issue struct {
		Notes   string `json:"notes"`
		Private bool   `json:"private_notes"`
	} `json:"issue"`
}

// The worker's role, and the reader's.
const redmineWorks, redmineReads = 3, 5

func (d *Redmine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := func(status int) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
	}
	who, ok := accounts[r.Header.Get("X-Redmine-API-Key")]
	if !ok {
		head(401)
		return
	}
	id, isIssue := strings.CutPrefix(strings.TrimSuffix(r.URL.EscapedPath(), ".json"), "/issues/")
	n, _ := strconv.ParseInt(id, 10, 64)
	t, found := d.ticket(n)
	switch {
	case r.Method == "GET" && r.URL.Path == "/users/current.json" && known(r, "include"):
		role := redmineReads
		if who.write {
			role = redmineWorks
		}
		answer(w, 200, map[string]any{"user": map[string]any{
			"id": who.id, "login": who.name, "admin": false,
			"memberships": []any{map[string]any{"project": map[string]any{"id": 1}, "roles": []any{map[string]any{"id": role}}}},
		}})
	case r.Method == "GET" && r.URL.Path == fmt.Sprintf("/roles/%d.json", redmineWorks):
		rights := []string{"view_issues", "add_issue_notes", "view_private_notes"}
		if !d.Open {
			rights = append(rights, "set_notes_private")
		}
		answer(w, 200, map[string]any{"role": map[string]any{"id": redmineWorks, "permissions": rights}})
	case r.Method == "GET" && r.URL.Path == fmt.Sprintf("/roles/%d.json", redmineReads):
		answer(w, 200, map[string]any{"role": map[string]any{"id": redmineReads, "permissions": []string{"view_issues", "view_private_notes"}}})
	case r.Method == "GET" && r.URL.Path == "/enumerations/issue_priorities.json":
		list := []any{}
		for i, name := range []string{"Bas", "Normal", "Haut", "Urgent", "Immédiat"} {
			list = append(list, map[string]any{"id": 3 + i, "name": name, "is_default": i == 1, "active": true})
		}
		answer(w, 200, map[string]any{"issue_priorities": list})
	case r.Method == "GET" && r.URL.Path == "/issues.json" && known(r, "subject", "status_id", "limit", "sort"):
		word, contains := strings.CutPrefix(r.URL.Query().Get("subject"), "~")
		list := []any{}
		for _, t := range d.all() {
			if contains && strings.Contains(strings.ToLower(t.Title), strings.ToLower(word)) {
				list = append(list, d.issue(t, false))
			}
		}
		answer(w, 200, map[string]any{"issues": list, "total_count": len(list), "offset": 0, "limit": 100})
	case isIssue && !found:
		head(404)
	case r.Method == "GET" && isIssue && known(r, "include"):
		answer(w, 200, map[string]any{"issue": d.issue(t, r.URL.Query().Get("include") == "journals")})
	case r.Method == "PUT" && isIssue:
		d.change(w, r, who, t.ID, head)
	default:
		head(404)
	}
}

func (d *Redmine) issue(t Subject, journals bool) map[string]any {
	i := map[string]any{
		"id": t.ID, "project": map[string]any{"id": 1, "name": "Helpdesk"}, "status": map[string]any{"id": 1, "name": "Nouveau", "is_closed": t.Closed},
		"author": map[string]any{"id": 9, "name": t.Requester}, "subject": t.Title, "created_on": "2026-11-29T23:12:09Z", "updated_on": "2026-11-29T23:14:09Z",
		"priority": map[string]any{"id": cmp.Or(t.Priority, 4), "name": "any"}, "due_date": nil,
	}
	if t.Due != "" {
		i["due_date"] = t.Due
	}
	if journals {
		list := []any{}
		for _, n := range d.Notes(t.ID) {
			list = append(list, map[string]any{"id": n.ID, "user": map[string]any{"id": n.Author.id, "name": n.Author.name}, "notes": n.Body, "private_notes": !n.Public, "details": []any{}})
		}
		i["journals"] = list
	}
	return i
}

func (d *Redmine) change(w http.ResponseWriter, r *http.Request, who account, id int64, head func(int)) {
	var c redmineChange
	if !strict(r, &c) {
		head(400)
		return
	}
	if !who.write {
		head(403)
		return
	}
	d.write(id, &Written{Author: who, Body: c.Issue.Notes, Public: !c.Issue.Private || d.Open})
	w.WriteHeader(204)
}

// Wiki reads Redmine's markup of a note as its text.
func Wiki(body string) string {
	var lines []string
	for l := range strings.SplitSeq(body, "\n") {
		for _, markup := range []string{"h3. ", "h4. ", "### ", "#### ", "* ", "- "} {
			l = strings.TrimPrefix(l, markup)
		}
		if l = strings.TrimSpace(html.UnescapeString(l)); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}
