package api

import (
	"bufio"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/signaling/identity"
)

// A role that was changed and an account that was closed take effect at once: the
// socket of a viewer and the line of a console end, without waiting for a beat, and
// the cookie is worth nothing.
func TestWhatAnAdminTakesEndsAtOnce(t *testing.T) {
	s := newSite(t)
	root := s.as(identity.Admin, "Root")
	for _, c := range []struct {
		path string
		body map[string]any
	}{
		{"/role", map[string]any{"role": "auditor"}},
		{"/disable", map[string]any{}},
		{"/signout", map[string]any{}},
	} {
		ann := s.as(identity.Technician, "Ann"+c.path)
		id := ann.want(200, "GET", "/api/v1/me", nil)["id"].(string)
		u, _ := url.Parse(s.srv.URL)
		h := http.Header{"Origin": {s.srv.URL}, "Cookie": {"mf=" + ann.http.Jar.Cookies(u)[0].Value}}
		ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.srv.URL, "http")+"/ws/viewer", h)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		req, _ := http.NewRequestWithContext(t.Context(), "GET", s.srv.URL+"/api/v1/news", nil)
		req.Header.Set("Accept", "text/event-stream")
		line, err := ann.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer line.Body.Close()
		heard := bufio.NewReader(line.Body)
		if first, err := heard.ReadString('\n'); err != nil || first != ": here\n" {
			t.Fatalf("%q, %v", first, err)
		}

		root.want(200, "POST", "/api/v1/users/"+id+c.path, c.body)
		for err = error(nil); err == nil; {
			_, err = heard.ReadString('\n') // blocks if the line does not end
		}
		for err = error(nil); err == nil; {
			_, _, err = ws.ReadMessage()
		}
		ann.code(401, "NOT_SIGNED_IN", "GET", "/api/v1/me", nil)
	}
}

func TestAdminsManagePeople(t *testing.T) {
	s := newSite(t)
	root := s.as(identity.Admin, "Root")
	team := root.want(201, "POST", "/api/v1/teams", map[string]any{"name": "Réseau", "tier": 2})["id"].(string)
	root.code(409, "NAME_TAKEN", "POST", "/api/v1/teams", map[string]any{"name": "réseau", "tier": 1})
	root.code(422, "BAD_TIER", "POST", "/api/v1/teams", map[string]any{"name": "x", "tier": 9})
	root.want(204, "PUT", "/api/v1/teams/"+team, map[string]any{"name": "Réseaux", "tier": 3})

	root.code(422, "BAD_ROLE", "POST", "/api/v1/users", map[string]any{"role": "owner"})
	root.code(404, "NO_TEAM", "POST", "/api/v1/users", map[string]any{"role": "technician", "teams": []string{"x"}})
	link := root.want(201, "POST", "/api/v1/users", map[string]any{"role": "technician", "name": "Ann", "teams": []string{team}})
	token, ok := strings.CutPrefix(link["path"].(string), "/signin/")
	if !ok || link["role"] != "technician" || link["expires"] == nil {
		t.Fatalf("the link: %v", link)
	}
	ann := s.visitor()
	if l := ann.want(200, "GET", "/api/v1/signin/link?token="+token, nil); l["name"] != "Ann" || l["reset"] != false {
		t.Errorf("looked at: %v", l)
	}
	ann.want(200, "POST", "/api/v1/signin/link", map[string]any{"token": token, "name": "Ann", "password": password})

	list := root.want(200, "GET", "/api/v1/users?q=ann", nil)["users"].([]any)
	one := list[0].(map[string]any)
	id := one["id"].(string)
	if len(list) != 1 || one["role"] != "technician" || one["signins"] != 1.0 || one["you"] != false || one["teams"].([]any)[0] != team {
		t.Errorf("found: %v", list)
	}
	root.code(422, "INVALID_STATE", "GET", "/api/v1/users?state=gone", nil)

	reset := root.want(201, "POST", "/api/v1/users/"+id+"/link", map[string]any{})
	if l := ann.want(200, "GET", "/api/v1/signin/link?token="+strings.TrimPrefix(reset["path"].(string), "/signin/"), nil); l["name"] != "Ann" || l["reset"] != true {
		t.Errorf("a link for a new password: %v", l)
	}
	root.want(200, "PUT", "/api/v1/users/"+id+"/teams", map[string]any{"teams": []string{}})
	root.want(200, "POST", "/api/v1/users/"+id+"/disable", map[string]any{})
	root.code(409, "USER_CLOSED", "POST", "/api/v1/users/"+id+"/link", map[string]any{})
	if u := root.want(200, "POST", "/api/v1/users/"+id+"/enable", map[string]any{}); u["disabled"] != nil {
		t.Errorf("opened again: %v", u)
	}
	root.want(204, "DELETE", "/api/v1/teams/"+team, nil)

	me := root.want(200, "GET", "/api/v1/me", nil)["id"].(string)
	root.code(409, "LAST_ADMIN", "POST", "/api/v1/users/"+me+"/role", map[string]any{"role": "technician"})
	root.code(409, "LAST_ADMIN", "POST", "/api/v1/users/"+me+"/disable", map[string]any{})
	for _, what := range []string{"role", "disable", "enable", "signout", "link"} {
		body := map[string]any{}
		if what == "role" {
			body["role"] = "auditor"
		}
		root.code(404, "NO_USER", "POST", "/api/v1/users/nobody/"+what, body)
	}

	var types []string
	changes := root.want(200, "GET", "/api/v1/changes", nil)
	for _, c := range changes["changes"].([]any) {
		c := c.(map[string]any)
		types = append(types, c["type"].(string))
		if c["type"] == "auth.disabled" && (c["user"] != "Ann" || c["actor"].(map[string]any)["name"] != "Root") {
			t.Errorf("who closed whose account: %v", c)
		}
		if c["type"] == "team.removed" && c["name"] != "Réseaux" {
			t.Errorf("which team: %v", c)
		}
	}
	want := "team.removed auth.enabled auth.disabled team.left auth.link_created team.joined auth.link_used auth.link_created team.changed team.created auth.link_used auth.link_created"
	if got := strings.Join(types, " "); got != want || changes["more"] != false {
		t.Errorf("the changes: %s", got)
	}
	last := changes["changes"].([]any)[10].(map[string]any)["index"].(float64)
	older := root.want(200, "GET", "/api/v1/changes?before="+strconv.Itoa(int(last)), nil)
	if l := older["changes"].([]any); len(l) != 1 {
		t.Errorf("older ones: %v", l)
	}
	root.code(422, "BAD_CURSOR", "GET", "/api/v1/changes?before=x", nil)
	if log := s.out.String(); strings.Contains(log, token) {
		t.Error("a link stands in the server's output")
	}
}
