package fake

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// Freshdesk is a fake of Freshdesk's version 2 interface, written from its
// documentation (developers.freshdesk.com/api: authentication, errors, view a
// ticket, create a note, list all conversations, view a contact, currently
// authenticated agent), as public clients and copies of it had it in November
// 2026: the page itself was not at hand.
type Freshdesk struct{ Site }

func (f *Freshdesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, _, _ := r.BasicAuth()
	who, ok := accounts[key]
	if !ok {
		answer(w, 401, map[string]string{"code": "invalid_credentials", "message": "You have to be logged in to perform this action."})
		return
	}
	path, _ := strings.CutPrefix(r.URL.EscapedPath(), "/api/v2/")
	part := strings.Split(path, "/")
	var t Subject
	found := false
	if part[0] == "tickets" && len(part) > 1 {
		id, _ := strconv.ParseInt(part[1], 10, 64)
		t, found = f.ticket(id)
	}
	switch {
	case r.Method == "GET" && path == "agents/me":
		answer(w, 200, map[string]any{"id": who.id, "type": "support_agent", "contact": map[string]any{"name": who.name}})
	case r.Method == "GET" && part[0] == "contacts" && len(part) == 2:
		id, _ := strconv.ParseInt(part[1], 10, 64)
		t, ok := f.ticket(id - 1000)
		if !ok {
			w.WriteHeader(404)
			return
		}
		language := "en"
		if t.French {
			language = "fr"
		}
		answer(w, 200, map[string]any{"id": id, "name": t.Requester, "language": language})
	case part[0] != "tickets" || !found:
		w.WriteHeader(404)
	case r.Method == "GET" && len(part) == 2 && known(r):
		status := 2
		if t.Closed {
			status = 5
		}
		answer(w, 200, map[string]any{
			"id": t.ID, "subject": t.Title, "status": status, "requester_id": 1000 + t.ID, "created_at": "2015-08-24T11:56:51Z", "updated_at": "2015-08-24T11:59:05Z",
		})
	case r.Method == "GET" && len(part) == 3 && part[2] == "conversations" && known(r, "page", "per_page"):
		f.conversations(w, r, t.ID)
	case r.Method == "POST" && len(part) == 3 && part[2] == "notes":
		f.note(w, r, who, t)
	default:
		answer(w, 405, map[string]string{"message": r.Method + " method is not allowed."})
	}
}

func (f *Freshdesk) conversations(w http.ResponseWriter, r *http.Request, id int64) {
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	per, err2 := strconv.Atoi(r.URL.Query().Get("per_page"))
	if err != nil || err2 != nil || page < 1 || per < 1 || per > 100 {
		f.invalid(w, "per_page")
		return
	}
	list := []any{}
	for i, n := range f.Notes(id) {
		if i/per == page-1 {
			list = append(list, map[string]any{"id": n.ID, "user_id": n.Author.id, "body": "<div>" + n.Body + "</div>", "private": !n.Public, "incoming": false, "source": 2})
		}
	}
	answer(w, 200, list)
}

func (*Freshdesk) invalid(w http.ResponseWriter, field string) {
	answer(w, 400, map[string]any{"description": "Validation failed", "errors": []any{map[string]string{"field": field, "message": "is not valid", "code": "invalid_value"}}})
}

func (f *Freshdesk) note(w http.ResponseWriter, r *http.Request, who account, t Subject) {
	if !who.write {
		answer(w, 403, map[string]string{"code": "access_denied", "message": "You are not authorized to perform this action."})
		return
	}
	n := &Written{Author: who}
	private := "true" // unless it is said
	switch kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case err == nil && kind == "application/json":
		var c struct {
			Body    string `json:"body"`
			Private *bool  `json:"private"`
		}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if d.Decode(&c) != nil {
			f.invalid(w, "body")
			return
		}
		n.Body = c.Body
		if c.Private != nil {
			private = strconv.FormatBool(*c.Private)
		}
	case err == nil && kind == "multipart/form-data":
		parts, err := r.MultipartReader()
		if err != nil {
			f.invalid(w, "attachments")
			return
		}
		size := 0
		for {
			p, err := parts.NextPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				f.invalid(w, "attachments")
				return
			}
			content, err := io.ReadAll(p)
			size += len(content)
			switch {
			case err != nil || size > 20<<20:
				f.invalid(w, "attachments")
				return
			case p.FormName() == "body":
				n.Body = string(content)
			case p.FormName() == "private":
				private = string(content)
			case p.FormName() == "attachments[]" && p.FileName() != "":
				n.Files = append(n.Files, tickets.File{Name: p.FileName(), Type: p.Header.Get("Content-Type"), Data: content})
			default:
				f.invalid(w, p.FormName())
				return
			}
		}
	default:
		answer(w, 415, map[string]string{"code": "invalid_content_type", "message": "Content-Type header is set to an unsupported value."})
		return
	}
	if n.Body == "" || private != "true" && private != "false" {
		f.invalid(w, "body")
		return
	}
	n.Public = private == "false"
	f.write(t.ID, n)
	answer(w, 201, map[string]any{"id": n.ID, "user_id": who.id, "body": n.Body, "private": !n.Public, "ticket_id": t.ID})
}
