package tickets_test

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

// vendor is how a strict fake of a vendor's desk is put under the suite.
type vendor struct {
	// site starts a fresh fake.
	site func() (http.Handler, *fake.Site)
	// config is that of an account with a secret, at a url.
	config func(url, secret string) tickets.Config
	id     func(id int64) string    // of a ticket, as the desk has it
	text   func(body string) string // what a body reads, its key included
	mark   func(text string) string // text as somebody else would write it
}

func (v vendor) run(t *testing.T) {
	t.Helper()
	ticketstest.Run(t, func(t *testing.T) ticketstest.Desk {
		handler, site := v.site()
		site.Add(fake.Subject{ID: 1, Title: "another"})
		site.Add(fake.Subject{ID: 7, Title: "Imprimante bloquée", Requester: "Zoë Ölçü", French: true})
		srv := httptest.NewServer(handler)
		t.Cleanup(srv.Close)
		line := ticketstest.NewLine(t, srv.URL)
		at := func(url, secret string, roots *x509.CertPool) tickets.System {
			c := v.config(url, secret)
			c.Roots = roots
			d, err := tickets.NewSystem(c)
			if err != nil {
				t.Fatal(err)
			}
			if d.Name() != c.System {
				t.Errorf("%s is named %s", c.System, d.Name())
			}
			return d
		}
		open := func(secret string) tickets.System { return at(line.URL, secret, nil) }
		number := func(id string) int64 {
			for n := range int64(10) {
				if v.id(n) == id {
					return n
				}
			}
			t.Fatalf("no ticket %q", id)
			return 0
		}
		return ticketstest.Desk{
			System: open(fake.Worker), Ticket: v.id(7), Word: "Imprimante", Line: line, Secrets: []string{fake.Worker},
			Reader: open(fake.Reader), Wrong: open("wrong-0123456789abcdef"),
			At:      func(url string, roots *x509.CertPool) tickets.System { return at(url, fake.Worker, roots) },
			Rename:  func(id, subject string) { site.Rename(number(id), subject) },
			Close:   func(id string) { site.Close(number(id)) },
			Foreign: func(id, text string) { site.Say(number(id), v.mark(text)) },
			Notes: func(id string) (list []ticketstest.Note) {
				for _, n := range site.Notes(number(id)) {
					text := v.text(n.Body)
					// What is ours ends with its key.
					if before, last, ok := cutLast(text); ok && strings.HasPrefix(last, "mf:01S:") {
						text = strings.TrimSpace(before)
					}
					list = append(list, ticketstest.Note{Text: text, Public: n.Public, Minutes: n.Minutes, Files: n.Files})
				}
				return list
			},
		}
	})
}

func cutLast(text string) (before, last string, ok bool) {
	i := strings.LastIndexByte(text, '\n')
	if i < 0 {
		return "", text, false
	}
	return text[:i], text[i+1:], true
}

func decimal(id int64) string { return strconv.FormatInt(id, 10) }

func paragraphs(text string) string {
	return "<p>" + strings.ReplaceAll(text, "\n", "<br>") + "</p>"
}

func TestZammadKeepsItsPromises(t *testing.T) {
	vendor{
		site: func() (http.Handler, *fake.Site) { z := &fake.Zammad{}; return z, &z.Site },
		config: func(url, secret string) tickets.Config {
			return tickets.Config{System: "zammad", URL: url, Token: secret}
		},
		id: decimal, text: tickets.Text, mark: paragraphs,
	}.run(t)
}

func TestRedmineKeepsItsPromises(t *testing.T) {
	for _, format := range []string{"textile", "markdown"} {
		t.Run(format, func(t *testing.T) {
			vendor{
				site: func() (http.Handler, *fake.Site) { d := &fake.Redmine{}; return d, &d.Site },
				config: func(url, secret string) tickets.Config {
					return tickets.Config{System: "redmine", URL: url, Token: secret, Format: format, Lang: "fr"}
				},
				id: decimal, text: fake.Wiki, mark: func(text string) string { return text },
			}.run(t)
		})
	}
	if _, err := tickets.NewSystem(tickets.Config{System: "redmine", URL: "https://desk.example.org", Token: "x", Format: "html"}); !errors.Is(err, tickets.ErrConfig) {
		t.Errorf("got %v", err)
	}
}

func TestANoteThatCannotBePrivateIsNotWrittenToRedmine(t *testing.T) {
	site := &fake.Redmine{Open: true}
	site.Add(fake.Subject{ID: 7, Title: "x"})
	srv := httptest.NewServer(site)
	defer srv.Close()
	d, err := tickets.NewSystem(tickets.Config{System: "redmine", URL: srv.URL, Token: fake.Worker})
	if err != nil {
		t.Fatal(err)
	}
	n := tickets.Note{Key: "mf:01S:end", Lang: "en", Text: "not for the requester"}
	if _, err := d.Append(bg, "7", n); !errors.Is(err, tickets.ErrForbidden) || len(site.Notes(7)) != 0 {
		t.Errorf("%v, %d notes", err, len(site.Notes(7)))
	}
	n.Public = true
	if _, err := d.Append(bg, "7", n); err != nil || len(site.Notes(7)) != 1 {
		t.Errorf("%v, %d notes", err, len(site.Notes(7)))
	}
}

func TestZendeskKeepsItsPromises(t *testing.T) {
	for name, user := range map[string]string{"API token": fake.ZendeskUser, "OAuth": ""} {
		t.Run(name, func(t *testing.T) {
			vendor{
				site: func() (http.Handler, *fake.Site) { z := &fake.Zendesk{}; return z, &z.Site },
				config: func(url, secret string) tickets.Config {
					return tickets.Config{System: "zendesk", URL: url, User: user, Token: secret}
				},
				id: decimal, text: tickets.Text, mark: paragraphs,
			}.run(t)
		})
	}
}

func TestGLPIKeepsItsPromises(t *testing.T) {
	vendor{
		site: func() (http.Handler, *fake.Site) { g := &fake.GLPI{}; return g, &g.Site },
		config: func(url, secret string) tickets.Config {
			return tickets.Config{System: "glpi", URL: url, Token: secret, AppToken: fake.GLPIApp}
		},
		id: decimal, text: tickets.Text, mark: paragraphs,
	}.run(t)
}

func TestServiceNowKeepsItsPromises(t *testing.T) {
	read := func(body string) string {
		text, code := fake.Journal(body)
		if code {
			return tickets.Text(text)
		}
		return text
	}
	for name, config := range map[string]func(url, secret string) tickets.Config{
		"password": func(url, secret string) tickets.Config {
			user := map[string]string{fake.Reader: "reader", fake.Other: "other"}[secret]
			if user == "" {
				user = "worker"
			}
			return tickets.Config{System: "servicenow", URL: url, User: user, Password: secret}
		},
		"OAuth": func(url, secret string) tickets.Config {
			return tickets.Config{System: "servicenow", URL: url, ClientID: fake.ServiceNowClient, ClientSecret: secret}
		},
		"plain": func(url, secret string) tickets.Config {
			return tickets.Config{System: "servicenow", URL: url, ClientID: fake.ServiceNowClient, ClientSecret: secret, Format: "plain"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			vendor{
				site:   func() (http.Handler, *fake.Site) { s := &fake.ServiceNow{}; return s, &s.Site },
				config: config, id: fake.ServiceNowID, text: read, mark: func(text string) string { return text },
			}.run(t)
		})
	}
}

func TestAWorkNoteThatServiceNowDropsIsMissed(t *testing.T) {
	site := &fake.ServiceNow{Mute: true}
	site.Add(fake.Subject{ID: 7, Title: "x"})
	srv := httptest.NewServer(site)
	defer srv.Close()
	d, err := tickets.NewSystem(tickets.Config{System: "servicenow", URL: srv.URL, User: "worker", Password: fake.Worker})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Append(bg, fake.ServiceNowID(7), tickets.Note{Key: "mf:01S:end", Lang: "en", Text: "x"}); !errors.Is(err, tickets.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

func TestAForgottenSessionIsOpenedAgain(t *testing.T) {
	glpi, now, glpi11, znuny := &fake.GLPI{}, &fake.ServiceNow{}, &fake.GLPI11{}, &fake.Znuny{}
	for _, c := range []struct {
		handler http.Handler
		site    *fake.Site
		forget  func()
		config  tickets.Config
		id      string
	}{
		{glpi, &glpi.Site, glpi.Forget, tickets.Config{System: "glpi", Token: fake.Worker, AppToken: fake.GLPIApp}, "7"},
		{now, &now.Site, now.Forget, tickets.Config{System: "servicenow", ClientID: fake.ServiceNowClient, ClientSecret: fake.Worker}, fake.ServiceNowID(7)},
		{glpi11, &glpi11.Site, glpi11.Forget, tickets.Config{System: "glpi11", User: "worker", Password: fake.Worker, ClientID: fake.GLPI11Client, ClientSecret: fake.GLPI11Secret}, "7"},
		{znuny, &znuny.Site, znuny.Forget, tickets.Config{System: "znuny", User: "worker", Password: fake.Worker}, "7"},
	} {
		c.site.Add(fake.Subject{ID: 7, Title: "x"})
		srv := httptest.NewServer(c.handler)
		defer srv.Close()
		c.config.URL = srv.URL
		d, err := tickets.NewSystem(c.config)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if _, err := d.Append(bg, c.id, tickets.Note{Key: tickets.Marker("01S", strconv.Itoa(i)), Lang: "en", Text: "x"}); err != nil {
				t.Errorf("%s: %v", d.Name(), err)
			}
			c.forget()
			if _, ok, err := d.Find(bg, c.id, tickets.Marker("01S", strconv.Itoa(i))); !ok || err != nil {
				t.Errorf("%s: %v, %v", d.Name(), ok, err)
			}
			c.forget()
		}
		if n := len(c.site.Notes(7)); n != 3 {
			t.Errorf("%s: %d notes", d.Name(), n)
		}
	}
}

func TestJiraKeepsItsPromises(t *testing.T) {
	vendor{
		site: func() (http.Handler, *fake.Site) { j := &fake.Jira{}; return j, &j.Site },
		config: func(url, secret string) tickets.Config {
			return tickets.Config{System: "jira", URL: url, User: fake.JiraUser, Token: secret, Lang: "fr"}
		},
		id: fake.JiraKey, text: fake.ADFText, mark: fake.ADFOf,
	}.run(t)
}

func TestACommentThatIsNotInternalIsTakenBackFromJira(t *testing.T) {
	site := &fake.Jira{Plain: true}
	site.Add(fake.Subject{ID: 7, Title: "x"})
	srv := httptest.NewServer(site)
	defer srv.Close()
	d, err := tickets.NewSystem(tickets.Config{System: "jira", URL: srv.URL, User: fake.JiraUser, Token: fake.Worker})
	if err != nil {
		t.Fatal(err)
	}
	n := tickets.Note{Key: "mf:01S:end", Lang: "en", Text: "not for the requester", Link: "https://help.example.org/audit?session=01S"}
	if _, err := d.Append(bg, "HELP-7", n); !errors.Is(err, tickets.ErrForbidden) || len(site.Notes(7)) != 0 {
		t.Errorf("%v, %d notes", err, len(site.Notes(7)))
	}
	n.Public = true
	if _, err := d.Append(bg, "HELP-7", n); err != nil || len(site.Notes(7)) != 1 {
		t.Errorf("%v, %d notes", err, len(site.Notes(7)))
	}
	if l := site.Links(); len(l) != 1 || l[0] != n.Link {
		t.Errorf("links %q", l)
	}
}

func TestFreshdeskKeepsItsPromises(t *testing.T) {
	vendor{
		site: func() (http.Handler, *fake.Site) { f := &fake.Freshdesk{}; return f, &f.Site },
		config: func(url, secret string) tickets.Config {
			return tickets.Config{System: "freshdesk", URL: url, Token: secret}
		},
		id: decimal, text: tickets.Text, mark: paragraphs,
	}.run(t)
}

// login is the name of the account of a secret, as fakes know it.
func login(secret string) string {
	if user := map[string]string{fake.Reader: "reader", fake.Other: "other"}[secret]; user != "" {
		return user
	}
	return "worker"
}

func TestZnunyKeepsItsPromises(t *testing.T) {
	vendor{
		site: func() (http.Handler, *fake.Site) { z := &fake.Znuny{}; return z, &z.Site },
		config: func(url, secret string) tickets.Config {
			return tickets.Config{System: "znuny", URL: url, User: login(secret), Password: secret, Lang: "fr"}
		},
		id: decimal, text: tickets.Text, mark: paragraphs,
	}.run(t)
}

func TestGLPI11KeepsItsPromises(t *testing.T) {
	vendor{
		site: func() (http.Handler, *fake.Site) { g := &fake.GLPI11{}; return g, &g.Site },
		config: func(url, secret string) tickets.Config {
			return tickets.Config{System: "glpi11", URL: url, User: login(secret), Password: secret, ClientID: fake.GLPI11Client, ClientSecret: fake.GLPI11Secret, Lang: "fr"}
		},
		id: decimal, text: tickets.Text, mark: paragraphs,
	}.run(t)
}

func TestITopKeepsItsPromises(t *testing.T) {
	for name, config := range map[string]func(url, secret string) tickets.Config{
		"password": func(url, secret string) tickets.Config {
			return tickets.Config{System: "itop", URL: url, User: login(secret), Password: secret, Lang: "fr"}
		},
		"token": func(url, secret string) tickets.Config {
			return tickets.Config{System: "itop", URL: url, User: login(secret), Token: secret, Lang: "fr"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			vendor{
				site:   func() (http.Handler, *fake.Site) { i := &fake.ITop{}; return i, &i.Site },
				config: config, id: decimal, text: tickets.Text, mark: paragraphs,
			}.run(t)
		})
	}
}

// opened is a system on a fake with ticket 7.
func opened(t *testing.T, handler http.Handler, site *fake.Site, c tickets.Config) tickets.System {
	t.Helper()
	site.Add(fake.Subject{ID: 7, Title: "x"})
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	c.URL = srv.URL
	d, err := tickets.NewSystem(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAFollowupThatIsNotPrivateIsTakenBackFromGLPI11(t *testing.T) {
	site := &fake.GLPI11{Open: true}
	d := opened(t, site, &site.Site, tickets.Config{System: "glpi11", User: "worker", Password: fake.Worker, ClientID: fake.GLPI11Client, ClientSecret: fake.GLPI11Secret})
	n := tickets.Note{Key: "mf:01S:end", Lang: "en", Text: "not for the requester"}
	if _, err := d.Append(bg, "7", n); !errors.Is(err, tickets.ErrForbidden) || len(site.Notes(7)) != 0 {
		t.Errorf("%v, %d notes", err, len(site.Notes(7)))
	}
	n.Public = true
	if _, err := d.Append(bg, "7", n); err != nil || len(site.Notes(7)) != 1 {
		t.Errorf("%v, %d notes", err, len(site.Notes(7)))
	}
	// Where nobody tells who wrote it, it is not taken for ours, nor for nobody's.
	site.Mute = true
	if _, ok, err := d.Find(bg, "7", n.Key); ok || !errors.Is(err, tickets.ErrConfig) {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestAnAccountOfITopFindsItselfOrIsNamed(t *testing.T) {
	site := &fake.ITop{Shy: true}
	c := tickets.Config{System: "itop", User: "worker", Password: fake.Worker}
	d := opened(t, site, &site.Site, c)
	n := tickets.Note{Key: "mf:01S:end", Lang: "en", Text: "x"}
	if _, err := d.Append(bg, "7", n); !errors.Is(err, tickets.ErrForbidden) || len(site.Notes(7)) != 0 || !strings.Contains(err.Error(), "clientid") {
		t.Errorf("%v, %d notes", err, len(site.Notes(7)))
	}
	c.ClientID = "21"
	d = opened(t, site, &site.Site, c)
	if _, err := d.Append(bg, "7", n); err != nil {
		t.Error(err)
	}
	if _, ok, err := d.Find(bg, "7", n.Key); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	for what, change := range map[string]func(*tickets.Config){
		"table": func(c *tickets.Config) { c.Table = "User Request" }, "clientid": func(c *tickets.Config) { c.ClientID = "me" },
		"user": func(c *tickets.Config) { c.User = `" OR 1` }, "password": func(c *tickets.Config) { c.Password = "" },
	} {
		bad := c
		bad.URL = "https://desk.example.org"
		change(&bad)
		if _, err := tickets.NewSystem(bad); !errors.Is(err, tickets.ErrConfig) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	c.Table = "Incident" // a class that the fake does not have
	if err := opened(t, site, &site.Site, c).Check(bg); !errors.Is(err, tickets.ErrConfig) {
		t.Errorf("got %v", err)
	}
}

func TestAnEmptyFileDoesNotCostTheNoteInZnuny(t *testing.T) {
	site := &fake.Znuny{}
	d := opened(t, site, &site.Site, tickets.Config{System: "znuny", User: "worker", Password: fake.Worker})
	n := tickets.Note{Key: "mf:01S:end", Lang: "en", Text: "x", Files: []tickets.File{{Name: "empty.txt", Type: "text/plain"}, {Name: "a.txt", Type: "text/plain", Data: []byte("a")}}}
	if _, err := d.Append(bg, "7", n); err != nil {
		t.Fatal(err)
	}
	if notes := site.Notes(7); len(notes) != 1 || len(notes[0].Files) != 1 || notes[0].Files[0].Name != "a.txt" {
		t.Errorf("%+v", notes)
	}
}
