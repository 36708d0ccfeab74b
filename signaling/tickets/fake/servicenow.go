package fake

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ServiceNow is a fake of ServiceNow's Table API, written from its documentation
// (servicenow.com/docs, release Australia of March 2026: Table API, retrieving
// journal entries, journal fields, OAuth inbound client credentials). The texts
// of its errors are those that public clients quote. It leaves fields that an
// account may not write as they are, with 200.
type ServiceNow struct {
	Site
	// Mute: the worker may change a record, but not its work notes.
	Mute bool

	sessions sessions
}

// Forget ends all OAuth tokens, as time does.
func (s *ServiceNow) Forget() { s.sessions.forget() }

// ServiceNowClient is the OAuth client whose secrets the fake knows.
const ServiceNowClient = "0123456789abcdef0123456789abcdef"

// ServiceNowID is the sys_id of a ticket.
func ServiceNowID(id int64) string { return fmt.Sprintf("%032x", id) }

func (s *ServiceNow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, message, detail string) {
		answer(w, status, map[string]any{"error": map[string]string{"message": message, "detail": detail}, "status": "failure"})
	}
	if r.Method == "POST" && r.URL.Path == "/oauth_token.do" {
		s.token(w, r)
		return
	}
	who, ok := s.who(r)
	if !ok {
		fail(401, "User Not Authenticated", "Required to provide Auth information")
		return
	}
	table, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/now/table/")
	if !ok {
		fail(400, "Requested URI does not represent any resource", r.URL.Path)
		return
	}
	table, id, single := strings.Cut(table, "/")
	var t Subject
	found := false
	for _, k := range s.all() {
		if single && ServiceNowID(k.ID) == id {
			t, found = k, true
		}
	}
	q := r.URL.Query()
	reads := known(r, "sysparm_query", "sysparm_fields", "sysparm_limit", "sysparm_exclude_reference_link", "sysparm_display_value") && q.Get("sysparm_fields") != ""
	switch {
	case !reads:
		fail(400, "Invalid parameter", r.URL.RawQuery)
	case table != "incident" && table != "sys_user" && table != "sys_journal_field":
		fail(400, "Invalid table "+table, "")
	case single && (table != "incident" || !found):
		fail(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
	case r.Method == "GET" && single:
		answer(w, 200, map[string]any{"result": pick(s.record(t), q)})
	case r.Method == "GET":
		answer(w, 200, map[string]any{"result": s.list(table, who, q)})
	case r.Method == "PATCH" && single:
		s.patch(w, r, who, t, fail)
	default:
		fail(405, "Method not allowed", r.Method)
	}
}

func (s *ServiceNow) token(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" {
		answer(w, 400, map[string]string{"error": "invalid_request", "error_description": "grant_type"})
		return
	}
	who, ok := accounts[r.PostForm.Get("client_secret")]
	if !ok || r.PostForm.Get("client_id") != ServiceNowClient {
		answer(w, 401, map[string]string{"error": "access_denied", "error_description": "access_denied"})
		return
	}
	answer(w, 200, map[string]any{"access_token": s.sessions.open(who), "scope": "useraccount", "token_type": "Bearer", "expires_in": 1799})
}

func (s *ServiceNow) who(r *http.Request) (account, bool) {
	if user, password, ok := r.BasicAuth(); ok {
		who, ok := accounts[password]
		return who, ok && who.name == user
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return s.sessions.who(token)
}

func (s *ServiceNow) record(t Subject) map[string]any {
	language := "en"
	if t.French {
		language = "fr"
	}
	return map[string]any{
		"sys_id": ServiceNowID(t.ID), "number": fmt.Sprintf("INC%07d", t.ID), "short_description": t.Title, "active": fmt.Sprint(!t.Closed),
		"caller_id.name": t.Requester, "caller_id.preferred_language": language, "sys_created_on": "2026-11-24 15:04:05", "sys_updated_on": "2026-11-24 15:05:05",
	}
}

// pick keeps the fields that were asked for.
func pick(row map[string]any, q url.Values) map[string]any {
	out := map[string]any{}
	for f := range strings.SplitSeq(q.Get("sysparm_fields"), ",") {
		if v, ok := row[f]; ok {
			out[f] = v
		}
	}
	return out
}

// list understands the queries that there are here; others find everything, as a
// real instance does with what it does not understand.
func (s *ServiceNow) list(table string, who account, q url.Values) []any {
	terms := strings.Split(q.Get("sysparm_query"), "^")
	list := []any{}
	switch table {
	case "sys_user":
		if terms[0] == "sys_id=javascript:gs.getUserID()" {
			list = append(list, pick(map[string]any{"user_name": who.name}, q))
		}
	case "incident":
		for _, t := range s.all() {
			row, ok := s.record(t), true
			for _, term := range terms {
				word, like := strings.CutPrefix(term, "short_descriptionLIKE")
				number, is := strings.CutPrefix(term, "number=")
				if or, also := strings.CutPrefix(term, "ORshort_descriptionLIKE"); also {
					ok = ok || strings.Contains(strings.ToLower(t.Title), strings.ToLower(or))
				} else if like {
					ok = ok && strings.Contains(strings.ToLower(t.Title), strings.ToLower(word))
				} else if is {
					ok = ok && row["number"] == number
				}
			}
			if ok {
				list = append(list, pick(row, q))
			}
		}
	case "sys_journal_field":
		if terms[0] == "" { // anything: there always is something
			return append(list, pick(map[string]any{"sys_id": strings.Repeat("f", 32)}, q))
		}
		for _, t := range s.all() {
			for _, n := range s.Notes(t.ID) {
				ok := terms[0] == "element_id="+ServiceNowID(t.ID)
				for _, term := range terms {
					if word, like := strings.CutPrefix(term, "valueLIKE"); like {
						ok = ok && strings.Contains(strings.ToLower(n.Body), strings.ToLower(word))
					}
				}
				if ok {
					list = append(list, pick(map[string]any{
						"sys_id": fmt.Sprintf("%032x", 0xa0000+n.ID), "element_id": ServiceNowID(t.ID), "value": n.Body, "sys_created_by": n.Author.name,
					}, q))
				}
			}
		}
	}
	return list
}

func (s *ServiceNow) patch(w http.ResponseWriter, r *http.Request, who account, t Subject, fail func(int, string, string)) {
	var c struct {
		WorkNotes string `json:"work_notes"`
		Comments  string `json:"comments"`
	}
	switch {
	case !strict(r, &c):
		fail(400, "Exception while reading request", "The payload is not valid JSON.")
		return
	case !who.write || t.Closed:
		fail(403, "Operation Failed", "ACL Exception Update Failed due to security constraints")
		return
	}
	if c.WorkNotes != "" && !s.Mute {
		s.write(t.ID, &Written{Author: who, Body: c.WorkNotes})
	}
	if c.Comments != "" {
		s.write(t.ID, &Written{Author: who, Body: c.Comments, Public: true})
	}
	row := s.record(t)
	for field, title := range map[string]string{"work_notes": "Work notes", "comments": "Additional comments"} {
		journal := ""
		for _, n := range s.Notes(t.ID) {
			if n.Public == (field == "comments") {
				journal = "2026-11-24 15:05:05 - " + n.Author.name + " (" + title + ")\n" + n.Body + "\n\n" + journal
			}
		}
		row[field] = journal
	}
	answer(w, 200, map[string]any{"result": pick(row, r.URL.Query())})
}

// Journal reads a journal entry of ServiceNow as its markup or text.
func Journal(body string) (text string, code bool) {
	inside, ok := strings.CutPrefix(body, "[code]")
	if !ok {
		return body, false
	}
	return strings.TrimSuffix(inside, "[/code]"), true
}
