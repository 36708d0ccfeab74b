package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// ITop is a fake of iTop's REST interface, version 1.3, written from its source
// (Combodo/iTop at dd34fda: webservices/rest.php, core/restservices.class.inc.php,
// application/applicationextension.inc.php, core/ormcaselog.class.inc.php,
// datamodels/2.x/itop-tickets). It says no with 200 and a code.
type ITop struct {
	Site
	// Shy: the class User is not shown to the account.
	Shy bool
}

var (
	itopUser  = regexp.MustCompile(`^SELECT User WHERE login = "([^"]*)"$`)
	itopQuery = regexp.MustCompile(`^SELECT UserRequest WHERE (.*)$`)
	itopTerm  = regexp.MustCompile(`^(ref|title) (=|LIKE) "([^"]*)"$`)
)

type itopOperation struct {
	Operation    string                   `json:"operation"`
	Comment      string                   `json:"comment"`
	Class        string                   `json:"class"`
	Key          json.RawMessage          `json:"key"`
	OutputFields string                   `json:"output_fields"`
	Limit        int                      `json:"limit"`
	Page         int                      `json:"page"`
	Fields       map[string]itopLogChange `json:"fields"`
}

type itopLogChange struct {
	AddItem struct {
		Message string `json:"message"`
		Format  string `json:"format"`
	} `json:"add_item"`
}

func (i *ITop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(code int, text string) { answer(w, 200, map[string]any{"code": code, "message": "Error: " + text}) }
	refuse := func(text string) { answer(w, 200, map[string]any{"code": 1, "message": text, "objects": nil}) }
	if r.Method != "POST" || r.URL.Path != "/webservices/rest.php" || r.URL.RawQuery != "" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(404)
		_, _ = io.WriteString(w, "<h1>Not Found")
		return
	}
	secret := r.Header.Get("Auth-Token")
	if secret == "" {
		if r.PostForm.Get("auth_user") == "" {
			fail(5, "Missing parameter 'auth_user'")
			return
		}
		secret = r.PostForm.Get("auth_pwd")
	}
	who, ok := accounts[secret]
	if !ok || r.Header.Get("Auth-Token") == "" && who.name != r.PostForm.Get("auth_user") {
		fail(1, "Invalid login")
		return
	}
	if r.PostForm.Get("version") != "1.3" {
		fail(2, "Missing parameter 'version' (e.g. '1.0')")
		return
	}
	var op itopOperation
	in := json.NewDecoder(strings.NewReader(r.PostForm.Get("json_data")))
	in.DisallowUnknownFields()
	if in.Decode(&op) != nil {
		fail(4, "Parameter json_data is not a valid JSON structure")
		return
	}
	switch {
	case op.Class != "UserRequest" && op.Class != "User":
		fail(100, "class: '"+op.Class+"' is not a valid class'")
	case op.Operation == "core/get" && op.Class == "User":
		i.user(w, op, refuse, fail)
	case op.Operation == "core/get":
		i.get(w, op, fail)
	case op.Operation == "core/update" && op.Class == "UserRequest":
		if op.Comment == "" {
			fail(100, "Missing parameter 'comment'")
			return
		}
		if !who.write {
			refuse("The current user does not have enough permissions for modifying data of class UserRequest")
			return
		}
		i.update(w, op, who, fail)
	default:
		fail(11, "Unknown verb '"+op.Operation+"' in version '1.3'")
	}
}

func (i *ITop) user(w http.ResponseWriter, op itopOperation, refuse func(string), fail func(int, string)) {
	if i.Shy {
		refuse("The current user does not have enough permissions for reading data of class User")
		return
	}
	var oql string
	m := itopUser.FindStringSubmatch("")
	if json.Unmarshal(op.Key, &oql) == nil {
		m = itopUser.FindStringSubmatch(oql)
	}
	if m == nil {
		fail(100, "Query failed to execute")
		return
	}
	objects := map[string]any{}
	for _, a := range accounts {
		if a.name == m[1] {
			objects[fmt.Sprint("UserLocal::", a.id)] = map[string]any{"code": 0, "message": "", "class": "UserLocal", "key": fmt.Sprint(a.id), "fields": map[string]any{"login": a.name}}
		}
	}
	i.found(w, objects)
}

func (*ITop) found(w http.ResponseWriter, objects map[string]any) {
	var shown any
	if len(objects) > 0 {
		shown = objects
	}
	answer(w, 200, map[string]any{"code": 0, "message": fmt.Sprint("Found: ", len(objects)), "objects": shown})
}

// ITopRef is what people call a ticket.
func ITopRef(id int64) string { return fmt.Sprintf("R-%06d", id) }

func (i *ITop) get(w http.ResponseWriter, op itopOperation, fail func(int, string)) {
	var id int64
	var oql string
	if json.Unmarshal(op.Key, &id) != nil && json.Unmarshal(op.Key, &oql) != nil {
		fail(100, "Wrong format for key")
		return
	}
	objects := map[string]any{}
	for _, t := range i.all() {
		ok := t.ID == id
		if oql != "" {
			m := itopQuery.FindStringSubmatch(oql)
			if m == nil {
				fail(100, "Query failed to execute")
				return
			}
			var bad bool
			if ok, bad = itopMatches(t, m[1]); bad {
				fail(100, "Query failed to execute")
				return
			}
		}
		if ok {
			object, err := i.shown(t, op.OutputFields)
			if err != "" {
				fail(100, err)
				return
			}
			objects[fmt.Sprint("UserRequest::", t.ID)] = object
		}
	}
	i.found(w, objects)
}

// itopMatches understands terms that are all bound by AND, or all by OR.
func itopMatches(t Subject, where string) (ok, bad bool) {
	word, all := " AND ", true
	if strings.Contains(where, " OR ") {
		word, all = " OR ", false
	}
	ok = all
	for term := range strings.SplitSeq(where, word) {
		m := itopTerm.FindStringSubmatch(term)
		if m == nil {
			return false, true
		}
		is := m[1] == "ref" && m[3] == ITopRef(t.ID) || m[1] == "title" && strings.Contains(strings.ToLower(t.Title), strings.ToLower(strings.Trim(m[3], "%")))
		if all {
			ok = ok && is
		} else {
			ok = ok || is
		}
	}
	return ok, false
}

func (i *ITop) shown(t Subject, fields string) (object map[string]any, fault string) {
	state := "ongoing"
	if t.Closed {
		state = "closed"
	}
	all := map[string]any{
		"ref": ITopRef(t.ID), "title": t.Title, "operational_status": state, "caller_name": t.Requester, "start_date": "2026-11-24 15:04:05", "last_update": "2026-11-24 15:05:05",
		"private_log": i.log(t.ID, false), "public_log": i.log(t.ID, true),
	}
	out := map[string]any{}
	for f := range strings.SplitSeq(fields, ",") {
		if all[f] == nil {
			return nil, "output_fields: invalid attribute code '" + f + "'"
		}
		out[f] = all[f]
	}
	return map[string]any{"code": 0, "message": "", "class": "UserRequest", "key": fmt.Sprint(t.ID), "fields": out}, ""
}

func (i *ITop) log(id int64, public bool) map[string]any {
	entries := []any{}
	for _, n := range i.Notes(id) {
		if n.Public == public {
			entries = append(entries, map[string]any{
				"date": "2026-11-24 15:05:05", "user_login": "Mainforte", "user_id": fmt.Sprint(n.Author.id), "message": tickets.Text(n.Body), "message_html": n.Body,
			})
		}
	}
	return map[string]any{"entries": entries}
}

func (i *ITop) update(w http.ResponseWriter, op itopOperation, who account, fail func(int, string)) {
	var id int64
	if json.Unmarshal(op.Key, &id) != nil {
		fail(100, "Wrong format for key")
		return
	}
	t, ok := i.ticket(id)
	if !ok {
		fail(100, fmt.Sprint("Invalid object UserRequest::", id))
		return
	}
	for log, c := range op.Fields {
		if !slices.Contains([]string{"private_log", "public_log"}, log) || c.AddItem.Message == "" || c.AddItem.Format != "html" || len(op.Fields) != 1 {
			fail(100, log+": Missing mandatory entry: 'message'")
			return
		}
		i.write(id, &Written{Author: who, Body: c.AddItem.Message, Public: log == "public_log"})
	}
	object, fault := i.shown(t, op.OutputFields)
	if fault != "" {
		fail(100, fault)
		return
	}
	answer(w, 200, map[string]any{"code": 0, "message": "", "objects": map[string]any{fmt.Sprint("UserRequest::", id): object}})
}
