package tickets_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	ticketstest.StopSharedRT()
	os.Exit(code)
}

// rtAPI speaks with RT by a way of its own.
type rtAPI struct {
	t testing.TB
	*ticketstest.RT
}

func realRT(t testing.TB) rtAPI {
	t.Helper()
	storetest.OnlySQLite(t, "RT has a database of its own")
	d, err := ticketstest.SharedRT()
	if err != nil {
		t.Fatal(err)
	}
	return rtAPI{t, d}
}

func (a rtAPI) call(method, path, token string, in, out any) {
	a.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequest(method, a.URL+"/REST/2.0/"+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		a.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a rtAPI) ticket(subject string) string {
	var made struct{ ID json.Number }
	a.call("POST", "ticket", a.Worker, map[string]any{"Queue": "General", "Subject": subject, "Requestor": "zoe@example.test"}, &made)
	return made.ID.String()
}

// notes reads the comments and replies of a ticket from its history.
func (a rtAPI) notes(ticket string) (list []ticketstest.Note) {
	// Not into structs: RT has "Type" and "type" in one object.
	var history struct{ Items []map[string]any }
	a.call("GET", "ticket/"+ticket+"/history?per_page=100&fields=Type,TimeTaken,Data,Creator", a.Worker, nil, &history)
	for _, h := range history.Items {
		if h["Type"] != "Comment" && h["Type"] != "Correspond" {
			continue
		}
		n := ticketstest.Note{Public: h["Type"] == "Correspond"}
		if err := json.Unmarshal([]byte(h["TimeTaken"].(string)), &n.Minutes); err != nil {
			a.t.Error(err)
		}
		if h["Creator"].(map[string]any)["id"] == "mainforte" && !strings.HasPrefix(h["Data"].(string), "Session d’assistance à distance (mf:01S:") {
			a.t.Errorf("the subject is %q", h["Data"])
		}
		var parts struct{ Items []struct{ ID string } }
		a.call("GET", "transaction/"+h["id"].(string)+"/attachments?per_page=100", a.Worker, nil, &parts)
		for _, p := range parts.Items {
			// Only one by one is a binary content whole.
			var part struct{ ContentType, Filename, Content string }
			a.call("GET", "attachment/"+p.ID, a.Worker, nil, &part)
			content, err := base64.StdEncoding.DecodeString(part.Content)
			if err != nil {
				a.t.Error(err)
			}
			switch {
			case strings.HasPrefix(part.ContentType, "multipart/"):
			case part.Filename != "":
				n.Files = append(n.Files, tickets.File{Name: part.Filename, Type: part.ContentType, Data: content})
			default:
				n.Text = tickets.Text(string(content))
			}
		}
		list = append(list, n)
	}
	return list
}

func TestARealRequestTrackerKeepsItsPromises(t *testing.T) {
	a := realRT(t)
	ticketstest.Run(t, func(t *testing.T) ticketstest.Desk {
		a := rtAPI{t, a.RT}
		line := ticketstest.NewLine(t, a.URL)
		at := func(url, token string, roots *x509.CertPool) tickets.System {
			d, err := tickets.NewSystem(tickets.Config{System: "rt", URL: url, Token: token, Timeout: time.Minute, Roots: roots})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		open := func(token string) tickets.System { return at(line.URL, token, nil) }
		word := "w" + strings.ReplaceAll(t.Name(), "/", "") + "x"
		id := a.ticket("Imprimante bloquée " + word)
		return ticketstest.Desk{
			System: open(a.Worker), Ticket: id, Word: word, Notes: a.notes, Line: line, Secrets: []string{a.Worker},
			Reader: open(a.Reader), Wrong: open("1-99-0123456789abcdef0123456789abcdef"), Big: 1 << 20, Many: 4,
			At: func(url string, roots *x509.CertPool) tickets.System { return at(url, a.Worker, roots) },
			Rename: func(id, subject string) {
				// RT's own bound, before it is told.
				subject = strings.ToValidUTF8(subject[:min(len(subject), 200)], "")
				a.call("PUT", "ticket/"+id, a.Worker, map[string]string{"Subject": subject}, nil)
			},
			Close: func(id string) { a.call("PUT", "ticket/"+id, a.Worker, map[string]string{"Status": "resolved"}, nil) },
			Foreign: func(id, text string) {
				a.call("POST", "ticket/"+id+"/comment", a.Other, map[string]string{"Subject": text, "Content": text, "ContentType": "text/plain"}, nil)
			},
		}
	})
}

// The scrip of docs/desks, in a real Request Tracker.
func TestARealRequestTrackerTellsWhatHappens(t *testing.T) {
	a := realRT(t)
	d, err := tickets.NewSystem(tickets.Config{System: "rt", URL: a.URL, Token: a.Worker, HookSecret: hookSecret})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan tickets.HookEvent, 20)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		e, err := tickets.HooksOf(d).ParseHook(r.Header, body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		told <- e
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	const script = "../../docs/desks/rt/hook.pl"
	for range 2 { // a second time replaces the first
		if err := a.Script(script, srv.URL+"/hooks/rt", hookSecret); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		if err := a.Script(script, "--remove"); err != nil {
			t.Error(err)
		}
	}()
	for _, bad := range [][]string{{"http://desk.example.org/x", hookSecret}, {srv.URL + "/'", hookSecret}, {srv.URL + "/x", "whsec_'"}, {}} {
		if err := a.Script(script, bad...); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	ids := map[string]bool{}
	next := func(ticket, kind, assignee string) {
		t.Helper()
		select { // a scrip runs before RT answers
		case e := <-told:
			if e.Ticket != ticket || e.Kind != kind || e.Assignee != assignee || ids[e.Delivery] || time.Since(e.At) > time.Minute {
				t.Errorf("got %+v, want %s of %s by %q", e, kind, ticket, assignee)
			}
			ids[e.Delivery] = true
		default:
			t.Errorf("%s of %s was not told", kind, ticket)
		}
	}
	id := a.ticket("Imprimante « bloquée »")
	next(id, tickets.HookOpened, "")
	if _, err := d.Append(bg, id, tickets.Note{Key: "mf:01S:end", Lang: "en", Text: "not told"}); err != nil {
		t.Error(err)
	}
	a.call("PUT", "ticket/"+id, a.Worker, map[string]string{"Subject": "another"}, nil)
	next(id, tickets.HookChanged, "")
	a.call("PUT", "ticket/"+id, a.Worker, map[string]string{"Owner": "mainforte"}, nil)
	next(id, tickets.HookAssigned, "mainforte@desk.test")
	a.call("PUT", "ticket/"+id, a.Worker, map[string]string{"Status": "resolved"}, nil)
	next(id, tickets.HookClosed, "mainforte@desk.test")
	a.call("PUT", "ticket/"+id, a.Worker, map[string]string{"Status": "open"}, nil)
	next(id, tickets.HookOpened, "mainforte@desk.test")
	if len(told) != 0 {
		t.Errorf("%d more were told: %+v", len(told), <-told)
	}
}
