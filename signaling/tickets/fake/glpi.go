package fake

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// GLPI is a fake of GLPI 10's REST interface, written from its documentation
// (glpi-project/glpi, apirest.md) and, for what errors look like, from its source
// (src/Api/API.php) and public clients. It sends texts in entities as GLPI 10 does.
type GLPI struct {
	Site
	sessions sessions
}

// Forget ends all sessions, as a desk does after a while.
func (g *GLPI) Forget() { g.sessions.forget() }

// GLPIApp is the application token that the fake asks for.
const GLPIApp = "app-0123456789abcdef"

type glpiFollowup struct {
	Input struct {
		Type    string `json:"itemtype"`
		Item    int64  `json:"items_id"`
		Content string `json:"content"`
		Private *int   `json:"is_private"`
	} `json:"input"`
}

var glpiEntities = strings.NewReplacer("&", "&#38;", "<", "&#60;", ">", "&#62;")

func (g *GLPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, code, text string) { answer(w, status, []string{code, text}) }
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/apirest.php/")
	if !ok {
		fail(400, "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM", "resource not found")
		return
	}
	if r.Header.Get("App-Token") != GLPIApp {
		fail(400, "ERROR_WRONG_APP_TOKEN_PARAMETER", "parameter app_token seems wrong")
		return
	}
	if r.Method == "GET" && r.ContentLength > 0 {
		fail(400, "ERROR_JSON_PAYLOAD_FORBIDDEN", "GET Request should not have json payload (http body)")
		return
	}
	if path == "initSession" {
		g.open(w, r, fail)
		return
	}
	who, ok := g.sessions.who(r.Header.Get("Session-Token"))
	if !ok {
		fail(401, "ERROR_SESSION_TOKEN_INVALID", "session_token seems invalid")
		return
	}
	part := strings.Split(path, "/")
	var id int64
	if len(part) > 1 && part[0] == "Ticket" {
		id, _ = strconv.ParseInt(part[1], 10, 64)
	}
	t, found := g.ticket(id)
	switch {
	case r.Method == "GET" && path == "getFullSession":
		answer(w, 200, map[string]any{"session": map[string]any{"glpiID": who.id, "glpiname": who.name}})
	case r.Method == "GET" && path == "search/Ticket":
		g.search(w, r)
	case r.Method == "GET" && part[0] == "User" && len(part) == 2:
		n, _ := strconv.ParseInt(part[1], 10, 64)
		t, ok := g.ticket(n - 1000)
		if !ok {
			fail(404, "ERROR_ITEM_NOT_FOUND", "Item not found")
			return
		}
		language := any(nil)
		if t.French {
			language = "fr_FR"
		}
		answer(w, 200, map[string]any{"id": n, "name": "login", "firstname": t.Requester, "realname": "", "language": language})
	case part[0] == "Ticket" && !found:
		fail(404, "ERROR_ITEM_NOT_FOUND", "Item not found")
	case r.Method == "GET" && len(part) == 2 && part[0] == "Ticket":
		answer(w, 200, map[string]any{
			"id": t.ID, "name": glpiEntities.Replace(t.Title), "status": g.status(t), "date_creation": "2026-11-24 15:04:05", "date_mod": "2026-11-24 15:05:05",
			"links": []any{},
		})
	case r.Method == "GET" && len(part) == 3 && part[2] == "Ticket_User":
		answer(w, 200, []any{
			map[string]any{"id": 1, "tickets_id": t.ID, "users_id": 22, "type": 2}, map[string]any{"id": 2, "tickets_id": t.ID, "users_id": 1000 + t.ID, "type": 1},
		})
	case r.Method == "GET" && len(part) == 3 && part[2] == "ITILFollowup" && known(r, "range", "order"):
		g.followups(w, r, t.ID, fail)
	case r.Method == "POST" && path == "ITILFollowup":
		g.followup(w, r, who, fail)
	default:
		fail(400, "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM", "resource not found or not an instance of CommonDBTM")
	}
}

func (g *GLPI) open(w http.ResponseWriter, r *http.Request, fail func(int, string, string)) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "user_token ")
	if !ok {
		fail(400, "ERROR_LOGIN_PARAMETERS_MISSING", "parameter(s) login, password or user_token are missing")
		return
	}
	who, ok := accounts[token]
	if !ok {
		fail(401, "ERROR_GLPI_LOGIN_USER_TOKEN", "parameter user_token seems invalid")
		return
	}
	answer(w, 200, map[string]string{"session_token": g.sessions.open(who)})
}

func (*GLPI) status(t Subject) int {
	if t.Closed {
		return 6
	}
	return 2
}

func (g *GLPI) search(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list := []any{}
	for _, t := range g.all() {
		ok := q.Get("criteria[0][field]") == "1" && q.Get("criteria[0][searchtype]") == "contains"
		for i := 0; q.Has(fmt.Sprintf("criteria[%d][value]", i)); i++ {
			ok = ok && strings.Contains(strings.ToLower(t.Title), strings.ToLower(q.Get(fmt.Sprintf("criteria[%d][value]", i))))
		}
		if ok {
			list = append(list, map[string]any{"1": glpiEntities.Replace(t.Title), "2": t.ID, "12": g.status(t), "15": "2026-11-24 15:04:05", "19": "2026-11-24 15:05:05", "80": "Root entity"})
		}
	}
	out := map[string]any{"totalcount": len(list), "count": len(list), "content-range": "0-0/1"}
	if len(list) > 0 {
		out["data"] = list
	}
	answer(w, 200, out)
}

func (g *GLPI) followups(w http.ResponseWriter, r *http.Request, id int64, fail func(int, string, string)) {
	var from, to int
	if _, err := fmt.Sscanf(r.URL.Query().Get("range"), "%d-%d", &from, &to); err != nil {
		fail(400, "ERROR_RANGE", "range must be in format : [start-end] with integers")
		return
	}
	notes := g.Notes(id)
	if from > 0 && from >= len(notes) {
		fail(400, "ERROR_RANGE_EXCEED_TOTAL", "Provided range exceed total count of data")
		return
	}
	list := []any{}
	for i := from; i <= to && i < len(notes); i++ {
		n := notes[i]
		private := 1
		if n.Public {
			private = 0
		}
		list = append(list, map[string]any{"id": n.ID, "itemtype": "Ticket", "items_id": id, "users_id": n.Author.id, "content": glpiEntities.Replace(n.Body), "is_private": private})
	}
	status := 200
	if len(list) < len(notes) {
		status = 206
	}
	answer(w, status, list)
}

func (g *GLPI) followup(w http.ResponseWriter, r *http.Request, who account, fail func(int, string, string)) {
	var f glpiFollowup
	if !strict(r, &f) || f.Input.Type != "Ticket" || f.Input.Content == "" || f.Input.Private == nil {
		fail(400, "ERROR_BAD_ARRAY", "input parameter must be an array of objects")
		return
	}
	t, found := g.ticket(f.Input.Item)
	if !who.write {
		fail(403, "ERROR_RIGHT_MISSING", "You don't have permission to perform this action.")
		return
	}
	if !found || t.Closed {
		fail(400, "ERROR_GLPI_ADD", "")
		return
	}
	n := &Written{Author: who, Body: f.Input.Content, Public: *f.Input.Private == 0}
	g.write(t.ID, n)
	w.Header().Set("Location", fmt.Sprint("http://desk.test/apirest.php/ITILFollowup/", n.ID))
	answer(w, 201, map[string]any{"id": n.ID, "message": ""})
}
