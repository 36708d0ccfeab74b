package notes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

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
