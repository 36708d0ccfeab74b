package fake

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// Znuny is a fake of Znuny's GenericTicketConnectorREST, written from its source
// (znuny/Znuny: development/webservices/GenericTicketConnectorREST.yml and, below
// Kernel/GenericInterface, Operation/Session/SessionCreate.pm, SessionGet.pm,
// Operation/Ticket/TicketGet.pm, TicketSearch.pm, TicketUpdate.pm,
// Transport/HTTP/REST.pm; the fields of an article from
// Kernel/System/Ticket/Article/Backend/MIMEBase.pm). It says no with 200, and of a
// ticket that it has not what it says of one that it does not show.
type Znuny struct {
	Site
	sessions sessions
}

// Forget ends all sessions, as a desk does after a while.
func (z *Znuny) Forget() { z.sessions.forget() }

type znunyUpdate struct {
	SessionID string
	Article   *struct {
		Subject, Body, ContentType, CommunicationChannel, SenderType, HistoryType, HistoryComment string
		IsVisibleForCustomer                                                                      *int
		TimeUnit                                                                                  *int
	}
	Attachment []struct{ Filename, ContentType, Content string }
}

var znunyType = regexp.MustCompile(`^\w+/\w+`)

func (z *Znuny) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(code, text string) {
		answer(w, 200, map[string]any{"Error": map[string]string{"ErrorCode": code, "ErrorMessage": text}})
	}
	part := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	switch {
	case r.Method == "POST" && len(part) == 1 && part[0] == "Session":
		z.open(w, r, fail)
	case r.Method == "GET" && len(part) == 2 && part[0] == "Session":
		who, ok := z.sessions.who(part[1])
		if !ok {
			fail("SessionGet.SessionInvalid", "SessionGet: SessionID is Invalid!")
			return
		}
		answer(w, 200, map[string]any{"SessionData": []any{
			map[string]any{"Key": "UserConfig", "Value": "[]", "Serialized": 1}, map[string]any{"Key": "UserID", "Value": strconv.FormatInt(who.id, 10)},
			map[string]any{"Key": "UserLogin", "Value": who.name},
		}})
	case r.Method == "GET" && len(part) == 1 && part[0] == "Ticket" && known(r, "SessionID", "Title", "TicketNumber", "Limit", "SortBy", "OrderBy"):
		z.search(w, r, fail)
	case r.Method == "GET" && len(part) == 2 && part[0] == "Ticket" && known(r, "SessionID", "AllArticles"):
		z.get(w, r, part[1], fail)
	case r.Method == "PATCH" && len(part) == 2 && part[0] == "Ticket" && known(r):
		z.update(w, r, part[1], fail)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		w.WriteHeader(500)
		_, _ = fmt.Fprintf(w, "HTTP::REST Error while determine Operation for request URI '%s'.", r.URL.Path)
	}
}

func (z *Znuny) open(w http.ResponseWriter, r *http.Request, fail func(string, string)) {
	var in struct{ UserLogin, Password string }
	if !strict(r, &in) || in.UserLogin == "" || in.Password == "" {
		fail("SessionCreate.MissingParameter", "SessionCreate: Password or Challenge parameter is missing!")
		return
	}
	who, ok := accounts[in.Password]
	if !ok || who.name != in.UserLogin {
		fail("SessionCreate.AuthFail", "SessionCreate: Authorization failing!")
		return
	}
	answer(w, 200, map[string]string{"SessionID": z.sessions.open(who)})
}

// ZnunyNumber is the number that people say of a ticket.
func ZnunyNumber(id int64) string { return fmt.Sprintf("00%014d", 20261130+id) }

func (z *Znuny) search(w http.ResponseWriter, r *http.Request, fail func(string, string)) {
	if _, ok := z.sessions.who(r.URL.Query().Get("SessionID")); !ok {
		fail("TicketSearch.AuthFail", "TicketSearch: Authorization failing!")
		return
	}
	q := r.URL.Query()
	var ids []string
	for _, t := range z.all() {
		title := strings.ToLower(strings.Trim(q.Get("Title"), "%"))
		if (q.Has("TicketNumber") && q.Get("TicketNumber") == ZnunyNumber(t.ID)) || (q.Has("Title") && strings.Contains(strings.ToLower(t.Title), title)) {
			ids = append(ids, strconv.FormatInt(t.ID, 10))
		}
	}
	if ids == nil {
		answer(w, 200, map[string]any{})
		return
	}
	answer(w, 200, map[string]any{"TicketID": ids})
}

func (z *Znuny) get(w http.ResponseWriter, r *http.Request, ids string, fail func(string, string)) {
	if _, ok := z.sessions.who(r.URL.Query().Get("SessionID")); !ok {
		fail("TicketGet.AuthFail", "TicketGet: Authorization failing!")
		return
	}
	var list []any
	for id := range strings.SplitSeq(ids, ",") {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n <= 0 {
			fail("TicketGet.WrongStructure", "TicketGet: Invalid ticket ID parameter(s) found!")
			return
		}
		t, ok := z.ticket(n)
		if !ok {
			fail("TicketGet.AccessDenied", "TicketGet: User does not have access to the ticket!")
			return
		}
		state := "open"
		if t.Closed {
			state = "closed"
		}
		row := map[string]any{
			"TicketID": id, "TicketNumber": ZnunyNumber(n), "Title": t.Title, "StateType": state, "State": state + " successful", "CustomerUserID": t.Requester, "CustomerID": "x",
			"Created": "2026-11-24 15:04:05", "Changed": "2026-11-24 15:05:05", "OwnerID": 1, "TimeUnit": 0,
		}
		if notes := z.Notes(n); r.URL.Query().Get("AllArticles") == "1" && len(notes) > 0 {
			var articles []any
			for _, a := range notes {
				subject := a.Subject
				if subject == "" {
					subject = strings.ReplaceAll(tickets.Text(a.Body), "\n", " ")
				}
				articles = append(articles, map[string]any{
					"ArticleID": a.ID, "CreateBy": a.Author.id, "Subject": subject, "Body": tickets.Text(a.Body) + "\n\n[1] https://help.example.org",
					"IsVisibleForCustomer": map[bool]int{true: 1, false: 0}[a.Public], "CommunicationChannel": "Internal", "SenderType": "agent", "TimeUnit": a.Minutes,
				})
			}
			row["Article"] = articles
		}
		list = append(list, row)
	}
	answer(w, 200, map[string]any{"Ticket": list})
}

func (z *Znuny) update(w http.ResponseWriter, r *http.Request, id string, fail func(string, string)) {
	var in znunyUpdate
	if !strict(r, &in) {
		w.WriteHeader(500)
		return
	}
	who, ok := z.sessions.who(in.SessionID)
	if !ok {
		fail("TicketUpdate.AuthFail", "TicketUpdate: User could not be authenticated!")
		return
	}
	n, _ := strconv.ParseInt(id, 10, 64)
	if _, found := z.ticket(n); !found || !who.write {
		fail("TicketUpdate.AccessDenied", "TicketUpdate: User does not have access to the ticket!")
		return
	}
	a := in.Article
	switch {
	case a == nil || a.Subject == "" || a.Body == "":
		fail("TicketUpdate.MissingParameter", "TicketUpdate: Article->Body parameter is missing!")
		return
	case a.IsVisibleForCustomer == nil || a.CommunicationChannel != "Internal" || a.SenderType != "agent" || a.HistoryType != "AddNote" || a.HistoryComment == "":
		fail("TicketUpdate.InvalidParameter", "TicketUpdate: Article parameter is not valid!")
		return
	case a.ContentType != "text/html; charset=utf-8":
		fail("TicketUpdate.InvalidParameter", "TicketUpdate: Article->ContentType is invalid!")
		return
	case a.TimeUnit == nil:
		fail("TicketUpdate.MissingParameter", "TicketUpdate: Article->TimeUnit is required by sysconfig option!")
		return
	case slices.ContainsFunc([]string{a.Subject, a.Body}, func(s string) bool { return strings.TrimSpace(s) != s }):
		fail("TicketUpdate.InvalidParameter", "not what was meant: it would be trimmed")
		return
	}
	note := &Written{Author: who, Subject: a.Subject, Body: a.Body, Public: *a.IsVisibleForCustomer == 1, Minutes: *a.TimeUnit}
	for _, f := range in.Attachment {
		data, err := base64.StdEncoding.DecodeString(f.Content)
		if err != nil || len(data) == 0 || f.Filename == "" || !znunyType.MatchString(f.ContentType) {
			fail("TicketUpdate.MissingParameter", "TicketUpdate: Attachment->Content parameter is missing!")
			return
		}
		note.Files = append(note.Files, tickets.File{Name: f.Filename, Type: f.ContentType, Data: data})
	}
	z.write(n, note)
	answer(w, 200, map[string]any{"TicketID": id, "ArticleID": note.ID})
}
