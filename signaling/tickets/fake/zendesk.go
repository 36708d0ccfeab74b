package fake

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// Zendesk is a fake of Zendesk Support's version 2 interface, written from its
// documentation (developer.zendesk.com/api-reference/ticketing: tickets, ticket
// comments, ticket audits, attachments, search, users; read in November 2026).
// The answer to a change of a closed ticket is the one that public clients quote.
type Zendesk struct {
	Site
	mu      sync.Mutex
	uploads []tickets.File
}

// ZendeskUser is the agent whose tokens the fake knows.
const ZendeskUser = "agent@desk.test"

type zendeskChange struct {
	Ticket struct {
		Comment struct {
			HTML    string   `json:"html_body"`
			Public  *bool    `json:"public"`
			Uploads []string `json:"uploads"`
		} `json:"comment"`
	} `json:"ticket"`
}

func (z *Zendesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, kind, text string) {
		answer(w, status, map[string]any{"error": kind, "description": text})
	}
	user, secret, _ := r.BasicAuth()
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		user, secret = ZendeskUser+"/token", bearer
	}
	who, ok := accounts[secret]
	if !ok || user != ZendeskUser+"/token" {
		answer(w, 401, map[string]string{"error": "Couldn't authenticate you"})
		return
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/v2/")
	path, isJSON := strings.CutSuffix(path, ".json")
	part := strings.Split(path, "/")
	var id int64
	if len(part) > 1 && part[0] == "tickets" {
		id, _ = strconv.ParseInt(part[1], 10, 64)
	}
	t, found := z.ticket(id)
	switch {
	case !ok || !isJSON:
		fail(404, "InvalidEndpoint", "Not found")
	case r.Method == "GET" && path == "users/me":
		answer(w, 200, map[string]any{"user": map[string]any{"id": who.id, "name": who.name, "role": "agent"}})
	case r.Method == "GET" && path == "search" && known(r, "query", "sort_by", "sort_order", "per_page"):
		z.search(w, r)
	case r.Method == "POST" && path == "uploads" && known(r, "filename"):
		z.upload(w, r, who, fail)
	case part[0] == "tickets" && !found:
		fail(404, "RecordNotFound", "Not found")
	case r.Method == "GET" && len(part) == 2 && known(r, "include"):
		locale := "en-US"
		if t.French {
			locale = "fr"
		}
		answer(w, 200, map[string]any{"ticket": z.shown(t), "users": []any{
			map[string]any{"id": 900, "name": "somebody", "locale": "de"}, map[string]any{"id": 1000 + t.ID, "name": t.Requester, "locale": locale},
		}})
	case r.Method == "GET" && len(part) == 3 && part[2] == "comments" && known(r, "page[size]", "page[after]", "sort"):
		z.comments(w, r, t.ID)
	case r.Method == "PUT" && len(part) == 2:
		z.change(w, r, who, t, fail)
	default:
		fail(404, "InvalidEndpoint", "Not found")
	}
}

func (z *Zendesk) shown(t Subject) map[string]any {
	status := "open"
	if t.Closed {
		status = "closed"
	}
	return map[string]any{
		"id": t.ID, "subject": t.Title, "status": status, "requester_id": 1000 + t.ID,
		"created_at": "2009-07-20T22:55:29Z", "updated_at": "2011-05-05T10:38:52Z",
	}
}

func (z *Zendesk) search(w http.ResponseWriter, r *http.Request) {
	words, ok := strings.CutPrefix(strings.ToLower(r.URL.Query().Get("query")), "type:ticket ")
	list := []any{}
	for _, t := range z.all() {
		if ok && strings.Contains(strings.ToLower(t.Title), words) {
			s := z.shown(t)
			s["result_type"] = "ticket"
			list = append(list, s)
		}
	}
	answer(w, 200, map[string]any{"results": list, "count": len(list), "next_page": nil, "previous_page": nil})
}

// comments answers two a page, so that whoever reads one page only is found out.
func (z *Zendesk) comments(w http.ResponseWriter, r *http.Request, id int64) {
	notes := z.Notes(id)
	from := 0
	if after := r.URL.Query().Get("page[after]"); after != "" {
		from, _ = strconv.Atoi(strings.TrimPrefix(after, "cursor-"))
	}
	list := []any{}
	for i := from; i < min(from+2, len(notes)); i++ {
		n := notes[len(notes)-1-i] // sort=-created_at
		list = append(list, map[string]any{
			"id": n.ID, "type": "Comment", "author_id": n.Author.id, "public": n.Public, "attachments": []any{},
			"html_body": `<div class="zd-comment" dir="auto">` + n.Body + "</div>",
		})
	}
	answer(w, 200, map[string]any{"comments": list, "meta": map[string]any{"has_more": from+2 < len(notes), "after_cursor": fmt.Sprint("cursor-", from+2)}})
}

func (z *Zendesk) upload(w http.ResponseWriter, r *http.Request, who account, fail func(int, string, string)) {
	data, err := io.ReadAll(r.Body)
	name := r.URL.Query().Get("filename")
	switch {
	case !who.write:
		fail(403, "Forbidden", "You do not have access to this page. Please contact the account owner of this help desk for further help.")
		return
	case err != nil || name == "" || r.Header.Get("Content-Type") == "":
		fail(422, "RecordInvalid", "Record validation errors")
		return
	}
	z.mu.Lock()
	z.uploads = append(z.uploads, tickets.File{Name: name, Type: r.Header.Get("Content-Type"), Data: data})
	token := fmt.Sprint("token", len(z.uploads))
	z.mu.Unlock()
	answer(w, 201, map[string]any{"upload": map[string]any{"token": token, "expires_at": "2026-11-30T00:00:00Z", "attachment": map[string]any{"id": 498483, "file_name": name}}})
}

func (z *Zendesk) change(w http.ResponseWriter, r *http.Request, who account, t Subject, fail func(int, string, string)) {
	var c zendeskChange
	switch {
	case !who.write:
		fail(403, "Forbidden", "You do not have access to this page. Please contact the account owner of this help desk for further help.")
		return
	case !strict(r, &c) || c.Ticket.Comment.HTML == "" || c.Ticket.Comment.Public == nil:
		fail(422, "RecordInvalid", "Record validation errors")
		return
	case t.Closed:
		answer(w, 422, map[string]any{"error": "RecordInvalid", "description": "Record validation errors", "details": map[string]any{
			"status": []any{map[string]string{"description": "Status: closed prevents ticket update"}},
		}})
		return
	}
	n := &Written{Author: who, Body: c.Ticket.Comment.HTML, Public: *c.Ticket.Comment.Public}
	for _, token := range c.Ticket.Comment.Uploads {
		i, err := strconv.Atoi(strings.TrimPrefix(token, "token"))
		z.mu.Lock()
		if err != nil || i < 1 || i > len(z.uploads) {
			z.mu.Unlock()
			fail(422, "RecordInvalid", "Record validation errors")
			return
		}
		n.Files = append(n.Files, z.uploads[i-1])
		z.mu.Unlock()
	}
	z.write(t.ID, n)
	answer(w, 200, map[string]any{"ticket": z.shown(t), "audit": map[string]any{"id": 35436, "ticket_id": t.ID, "events": []any{
		map[string]any{"id": 206091192547 + n.ID, "type": "Notification"}, map[string]any{"id": n.ID, "type": "Comment"},
	}}})
}
