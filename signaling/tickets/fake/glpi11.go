package fake

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// GLPI11 is a fake of GLPI 11's new interface, written from its source
// (glpi-project/glpi, below src/Glpi: Api/HL/Controller/ITILController.php,
// AdministrationController.php and AbstractController.php, Api/HL/
// ResourceAccessor.php, OAuth/Server.php) and, for the grant and the shape of
// tokens, from public clients.
type GLPI11 struct {
	Site
	// Open: a followup never becomes private, as in versions with that fault.
	Open bool
	// Mute: who wrote a followup is not told, as before 11.0.6.
	Mute bool

	sessions sessions
}

// Forget ends all tokens, as time does.
func (g *GLPI11) Forget() { g.sessions.forget() }

// GLPI11Client is the OAuth client that the fake knows, and GLPI11Secret its secret.
const GLPI11Client, GLPI11Secret = "0123456789abcdef", "client-0123456789abcdef"

func (g *GLPI11) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, code, title string) {
		answer(w, status, map[string]any{"status": code, "title": title, "detail": nil})
	}
	if r.Method == "POST" && r.URL.Path == "/api.php/token" {
		g.token(w, r)
		return
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api.php/v2/")
	if !ok {
		fail(404, "ERROR_ITEM_NOT_FOUND", "Not found")
		return
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	who, ok := g.sessions.who(bearer)
	if !ok {
		fail(401, "ERROR_UNAUTHENTICATED", "You are not authenticated")
		return
	}
	if r.Method == "GET" && path == "Administration/User/Me" {
		answer(w, 200, map[string]any{"id": who.id, "username": who.name, "emails": []any{}})
		return
	}
	if r.Method == "GET" && path == "Assistance/Ticket" && known(r, "filter", "limit", "sort") {
		g.search(w, r, fail)
		return
	}
	part := strings.Split(path, "/")
	if len(part) < 3 || part[0] != "Assistance" || part[1] != "Ticket" {
		fail(404, "ERROR_ITEM_NOT_FOUND", "Not found")
		return
	}
	n, _ := strconv.ParseInt(part[2], 10, 64)
	t, found := g.ticket(n)
	below := strings.Join(part[3:], "/")
	switch {
	case !found:
		fail(404, "ERROR_ITEM_NOT_FOUND", "Not found")
	case r.Method == "GET" && below == "":
		answer(w, 200, g.shown(t))
	case r.Method == "GET" && below == "Timeline/Followup":
		list := []any{}
		for _, f := range g.Notes(n) {
			list = append(list, map[string]any{"type": "Followup", "item": g.followup(n, f)})
		}
		answer(w, 200, list)
	case r.Method == "POST" && below == "Timeline/Followup":
		g.add(w, r, who, t, fail)
	case len(part) == 6 && part[3] == "Timeline" && part[4] == "Followup":
		id, _ := strconv.ParseInt(part[5], 10, 64)
		g.single(w, r, who, n, id, fail)
	default:
		fail(404, "ERROR_ITEM_NOT_FOUND", "Not found")
	}
}

func (g *GLPI11) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		answer(w, status, map[string]string{"error": code, "error_description": "The user credentials were incorrect.", "message": "The user credentials were incorrect."})
	}
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil || r.PostForm.Get("grant_type") != "password" || r.PostForm.Get("scope") != "api user" {
		refuse(400, "unsupported_grant_type")
		return
	}
	if r.PostForm.Get("client_id") != GLPI11Client || r.PostForm.Get("client_secret") != GLPI11Secret {
		refuse(401, "invalid_client")
		return
	}
	who, ok := accounts[r.PostForm.Get("password")]
	if !ok || who.name != r.PostForm.Get("username") {
		refuse(400, "invalid_grant")
		return
	}
	answer(w, 200, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": g.sessions.open(who), "refresh_token": "refresh"})
}

func (*GLPI11) shown(t Subject) map[string]any {
	status := 2
	if t.Closed {
		status = 6
	}
	return map[string]any{
		"id": t.ID, "name": t.Title, "content": "<p>x</p>", "is_deleted": false, "status": map[string]any{"id": status, "name": "any"},
		"team":          []any{map[string]any{"id": 22, "name": "other", "type": "User", "role": "assigned"}, map[string]any{"id": 1000 + t.ID, "name": t.Requester, "type": "User", "role": "requester"}},
		"date_creation": "2026-11-24T15:04:05+00:00", "date_mod": "2026-11-24T15:05:05+00:00",
	}
}

func (g *GLPI11) search(w http.ResponseWriter, r *http.Request, fail func(int, string, string)) {
	list := []any{}
	for _, t := range g.all() {
		ok := true
		for term := range strings.SplitSeq(r.URL.Query().Get("filter"), ";") {
			word, like := strings.CutPrefix(term, `name=like="*`)
			word, ends := strings.CutSuffix(word, `*"`)
			if !like || !ends || strings.ContainsAny(word, `"'`) {
				fail(400, "ERROR_INVALID_PARAMETER", "Invalid RSQL query")
				return
			}
			ok = ok && strings.Contains(strings.ToLower(t.Title), strings.ToLower(word))
		}
		if ok {
			list = append(list, g.shown(t))
		}
	}
	w.Header().Set("Content-Range", fmt.Sprintf("0-%d/%d", len(list), len(list)))
	answer(w, 200, list)
}

func (g *GLPI11) followup(ticket int64, f Written) map[string]any {
	row := map[string]any{
		"id": f.ID, "itemtype": "Ticket", "items_id": ticket, "content": f.Body, "is_private": !f.Public,
		"user": map[string]any{"id": f.Author.id, "name": f.Author.name}, "date_creation": "2026-11-24T15:05:05+00:00",
	}
	if g.Mute {
		delete(row, "user")
	}
	return row
}

func (g *GLPI11) add(w http.ResponseWriter, r *http.Request, who account, t Subject, fail func(int, string, string)) {
	var in struct {
		Content string `json:"content"`
		Private *bool  `json:"is_private"`
	}
	switch {
	case !strict(r, &in) || in.Content == "" || in.Private == nil:
		fail(400, "ERROR_INVALID_PARAMETER", "One or more parameters are invalid")
		return
	case !who.write || t.Closed:
		fail(403, "ERROR_RIGHT_MISSING", "You don't have permission to perform this action.")
		return
	}
	n := &Written{Author: who, Body: in.Content, Public: !*in.Private || g.Open}
	g.write(t.ID, n)
	where := fmt.Sprintf("/Assistance/Ticket/%d/Timeline/Followup/%d", t.ID, n.ID)
	w.Header().Set("Location", where)
	answer(w, 200, map[string]any{"id": n.ID, "href": where})
}

func (g *GLPI11) single(w http.ResponseWriter, r *http.Request, who account, ticket, id int64, fail func(int, string, string)) {
	for _, f := range g.Notes(ticket) {
		if f.ID != id {
			continue
		}
		switch {
		case r.Method == "GET":
			answer(w, 200, g.followup(ticket, f))
		case r.Method == "DELETE" && f.Author == who && r.URL.Query().Get("force") == "true":
			g.remove(ticket, id)
			w.WriteHeader(204)
		default:
			fail(403, "ERROR_RIGHT_MISSING", "You don't have permission to perform this action.")
		}
		return
	}
	fail(404, "ERROR_ITEM_NOT_FOUND", "Not found")
}
