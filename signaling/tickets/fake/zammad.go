package fake

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// Zammad is a fake of Zammad 6 and 7, written from its documentation
// (zammad/zammad-documentation at ca3d14b, May 2026: api/intro, api/user,
// api/ticket/index, articles, states) and, for the words and statuses of its
// errors, from its source (app/controllers/application_controller/
// handles_errors.rb and authenticates.rb).
type Zammad struct{ Site }

type zammadArticle struct {
	TicketID    int64  `json:"ticket_id"`
	Subject     string `json:"subject"`
	Body        string `json:"body"`
	ContentType string `json:"content_type"`
	Type        string `json:"type"`
	Internal    bool   `json:"internal"`
	Sender      string `json:"sender"`
	TimeUnit    string `json:"time_unit"`
	Attachments []struct {
		Filename string `json:"filename"`
		Data     string `json:"data"`
		MimeType string `json:"mime-type"`
	} `json:"attachments"`
}

func (z *Zammad) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, text string) {
		answer(w, status, map[string]string{"error": text, "error_human": text})
	}
	head := r.Header.Get("Authorization")
	if head == "" {
		fail(403, "Authentication required")
		return
	}
	token, ok := strings.CutPrefix(head, "Token token=")
	who, known1 := accounts[token]
	if !ok || !known1 {
		fail(401, "Can't find User for Token")
		return
	}
	lost := func(id string) { fail(404, "Couldn't find Ticket with 'id'="+id) }
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/v1/")
	if !ok {
		fail(404, "No route matches")
		return
	}
	part := strings.Split(path, "/")
	switch {
	case r.Method == "GET" && path == "users/me":
		answer(w, 200, map[string]any{"id": who.id, "login": who.name, "preferences": map[string]any{}})
	case r.Method == "GET" && part[0] == "users" && len(part) == 2 && known(r):
		id, _ := strconv.ParseInt(part[1], 10, 64)
		t, ok := z.ticket(id - 1000)
		if !ok {
			fail(404, "Couldn't find User with 'id'="+part[1])
			return
		}
		locale := "en-us"
		if t.French {
			locale = "fr-fr"
		}
		answer(w, 200, map[string]any{"id": id, "firstname": t.Requester, "lastname": "", "preferences": map[string]any{"locale": locale}})
	case r.Method == "GET" && path == "tickets/search" && known(r, "query", "limit", "expand"):
		q := strings.ToLower(r.URL.Query().Get("query"))
		list := []any{}
		for _, t := range z.all() {
			if strings.Contains(strings.ToLower(z.number(t)+" "+t.Title), q) {
				list = append(list, z.shown(t))
			}
		}
		answer(w, 200, list)
	case r.Method == "GET" && part[0] == "tickets" && len(part) == 2 && known(r, "expand"):
		id, _ := strconv.ParseInt(part[1], 10, 64)
		t, ok := z.ticket(id)
		if !ok {
			lost(part[1])
			return
		}
		answer(w, 200, z.shown(t))
	case r.Method == "GET" && path == "ticket_states":
		answer(w, 200, []any{
			map[string]any{"id": 1, "state_type_id": 1, "name": "new", "active": true},
			map[string]any{"id": 2, "state_type_id": 2, "name": "in progress", "active": true},
			map[string]any{"id": 4, "state_type_id": 5, "name": "solved", "active": true},
		})
	case r.Method == "GET" && len(part) == 3 && part[0] == "ticket_articles" && part[1] == "by_ticket":
		id, _ := strconv.ParseInt(part[2], 10, 64)
		if _, ok := z.ticket(id); !ok {
			lost(part[2])
			return
		}
		list := []any{}
		for _, n := range z.Notes(id) {
			list = append(list, map[string]any{
				"id": n.ID, "ticket_id": id, "body": n.Body, "content_type": "text/html", "internal": !n.Public,
				"created_by_id": n.Author.id, "origin_by_id": nil, "type": "note", "sender": "Agent",
			})
		}
		answer(w, 200, list)
	case r.Method == "POST" && path == "ticket_articles":
		z.article(w, r, who, fail)
	default:
		fail(404, "No route matches ["+r.Method+"] \""+r.URL.Path+"\"")
	}
}

func (z *Zammad) number(t Subject) string { return fmt.Sprint(22000 + t.ID) }

// shown is a ticket with expand=true.
func (z *Zammad) shown(t Subject) map[string]any {
	state, name := 2, "in progress"
	if t.Closed {
		state, name = 4, "solved"
	}
	return map[string]any{
		"id": t.ID, "number": z.number(t), "title": t.Title, "state_id": state, "state": name,
		"customer_id": 1000 + t.ID, "customer": "zoe@example.test",
		"created_at": "2026-11-03T11:51:13.759Z", "updated_at": "2026-11-03T11:51:13.809Z", "close_at": nil,
	}
}

func (z *Zammad) article(w http.ResponseWriter, r *http.Request, who account, fail func(int, string)) {
	var a zammadArticle
	if !strict(r, &a) {
		fail(422, "The request is not what it should be")
		return
	}
	if _, ok := z.ticket(a.TicketID); !ok {
		fail(404, fmt.Sprintf("Couldn't find Ticket with 'id'=%d", a.TicketID))
		return
	}
	if !who.write {
		fail(403, "Not authorized")
		return
	}
	if a.Body == "" || a.ContentType != "text/html" || a.Type != "note" || a.Sender != "Agent" {
		fail(422, "Need at least article: { body: \"some text\" }")
		return
	}
	n := &Written{Author: who, Body: a.Body, Public: !a.Internal}
	if a.TimeUnit != "" {
		f, err := strconv.ParseFloat(a.TimeUnit, 64)
		if err != nil {
			fail(422, "time_unit is no number")
			return
		}
		n.Minutes = int(f)
	}
	for _, f := range a.Attachments {
		data, err := base64.StdEncoding.DecodeString(f.Data)
		if err != nil || f.Filename == "" || f.MimeType == "" {
			fail(422, "Invalid attachment")
			return
		}
		n.Files = append(n.Files, tickets.File{Name: f.Filename, Type: f.MimeType, Data: data})
	}
	z.write(a.TicketID, n)
	answer(w, 201, map[string]any{"id": n.ID, "ticket_id": a.TicketID, "body": a.Body, "internal": a.Internal, "created_by_id": who.id})
}
