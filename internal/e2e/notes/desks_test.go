package notes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/mainforte/mainforte/signaling/tickets/fake"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

// described is a desk and how the server is told of it.
type described struct {
	*desk
	config map[string]any
}

// faked is a strict fake of a vendor's desk behind a line, with n tickets.
func (w *world) faked(name string, n int) described {
	w.t.Helper()
	var handler http.Handler
	var site *fake.Site
	config := map[string]any{"name": name, "system": name, "per_minute": 6000}
	id := func(n int64) string { return fmt.Sprint(n) }
	switch name {
	case "zammad":
		d := &fake.Zammad{}
		handler, site, config["token"] = d, &d.Site, fake.Worker
	case "zendesk":
		d := &fake.Zendesk{}
		handler, site, config["user"], config["token"] = d, &d.Site, fake.ZendeskUser, fake.Worker
	case "servicenow":
		d := &fake.ServiceNow{}
		handler, site, id = d, &d.Site, fake.ServiceNowID
		config["client_id"], config["client_secret"] = fake.ServiceNowClient, fake.Worker
	case "jira":
		d := &fake.Jira{}
		handler, site, id = d, &d.Site, fake.JiraKey
		config["user"], config["token"] = fake.JiraUser, fake.Worker
	default:
		w.t.Fatalf("there is no fake of %s here", name)
	}
	srv := httptest.NewServer(handler)
	w.t.Cleanup(srv.Close)
	d := &desk{name: name, line: ticketstest.NewLine(w.t, srv.URL)}
	numbers := map[string]int64{}
	for i := range n {
		k := int64(7 + i)
		site.Add(fake.Subject{ID: k, Title: fmt.Sprintf("L'imprimante %d ne répond plus", k), Requester: "Zoé Côté", French: i%2 == 0})
		ticket := name + ":" + id(k)
		numbers[ticket], d.tickets = k, append(d.tickets, ticket)
	}
	d.markers = func(ticket string) (list []string) {
		for _, n := range site.Notes(numbers[ticket]) {
			if m := marker.FindString(n.Body); m != "" {
				list = append(list, m)
			} else {
				w.t.Errorf("%s: a note without a key: %.200q", ticket, n.Body)
			}
		}
		return list
	}
	config["url"] = d.line.URL
	return described{d, config}
}

// tracker is a real Request Tracker behind a line, with n tickets; config is more
// of its own.
func (w *world) tracker(n int, config ...string) described {
	w.t.Helper()
	rt, err := ticketstest.StartRT(config...)
	w.must(err)
	w.t.Cleanup(rt.Stop)
	call := func(method, path string, in, out any) {
		w.t.Helper()
		body, err := json.Marshal(in)
		w.must(err)
		req, err := http.NewRequestWithContext(w.ctx, method, rt.URL+"/REST/2.0/"+path, strings.NewReader(string(body)))
		w.must(err)
		req.Header.Set("Authorization", "token "+rt.Worker)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			w.t.Fatalf("%s %s: %s", method, path, resp.Status)
		}
		w.must(json.NewDecoder(resp.Body).Decode(out))
	}
	d := &desk{name: "rt", line: ticketstest.NewLine(w.t, rt.URL)}
	for i := range n {
		var made struct{ ID json.Number }
		call("POST", "ticket", map[string]any{"Queue": "General", "Subject": fmt.Sprintf("L'imprimante %d ne répond plus", i), "Requestor": "zoe@example.test"}, &made)
		d.tickets = append(d.tickets, "rt:"+made.ID.String())
	}
	d.markers = func(ticket string) (list []string) {
		for page := 1; ; page++ {
			var history struct {
				Items []map[string]any
				Pages int
			}
			call("GET", fmt.Sprintf("ticket/%s/history?per_page=100&page=%d&fields=Type,Data", strings.TrimPrefix(ticket, "rt:"), page), nil, &history)
			for _, h := range history.Items {
				if h["Type"] != "Comment" && h["Type"] != "Correspond" {
					continue
				}
				// The subject of a note ends with its key.
				data, _ := h["Data"].(string)
				if m := marker.FindString(data); m != "" {
					list = append(list, m)
				} else {
					w.t.Errorf("%s: a note without a key: %.200q", ticket, data)
				}
			}
			if page >= history.Pages {
				return list
			}
		}
	}
	return described{d, map[string]any{"name": "rt", "system": "rt", "per_minute": 6000, "url": d.line.URL, "token": rt.Worker}}
}

// with gives the server desks before it starts. Each has a line, which is bad
// while w.trouble.
func (w *world) with(desks ...described) {
	w.t.Helper()
	var list []any
	for _, d := range desks {
		list = append(list, d.config)
		w.desks = append(w.desks, d.desk)
		w.bad(d.line)
	}
	b, err := json.Marshal(map[string]any{"desks": list})
	w.must(err)
	file := filepath.Join(w.t.TempDir(), "desks.json")
	w.must(os.WriteFile(file, b, 0o600))
	w.args = append(w.args, "--desks", file)
}
