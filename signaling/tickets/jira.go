package tickets

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// jira is Jira Service Management in the cloud, by version 3 of its interface,
// with an account's address and API token. The key of a note is its last
// paragraph; the link to the session is a remote link, which repeats itself
// without doubling.
type jira struct {
	*client
	cfg  Config
	self self
}

func newJira(c Config) (System, error) {
	if err := c.need("user", c.User, "token", c.Token); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	cl.auth = func(r *http.Request) { r.SetBasicAuth(c.User, c.Token) }
	cl.fault = func(status int, said string) error {
		if status == http.StatusBadRequest && strings.Contains(said, "permission") {
			return ErrForbidden
		}
		return nil
	}
	return &jira{client: cl, cfg: c}, nil
}

// jiraKey is what people call an issue; it is also an id of ours.
var jiraKey = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,30}-[1-9][0-9]{0,9}$`)

// Name implements System.
func (*jira) Name() string { return "jira" }

// Caps implements System. No files: whoever sees a request sees what is attached
// to the issue, also when the comment is internal.
func (*jira) Caps() Caps { return Caps{HTML: true, Links: true, Public: true, Search: true} }

func (d *jira) whoami(ctx context.Context) (string, error) {
	var got struct {
		ID string `json:"accountId"`
	}
	_, err := d.do(ctx, request{method: "GET", path: "/rest/api/3/myself", into: &got})
	if err == nil && got.ID == "" {
		err = d.failed(ErrTransient, "the answer does not say who we are")
	}
	return got.ID, err
}

// Check implements System.
func (d *jira) Check(ctx context.Context) error {
	_, err := d.whoami(ctx)
	return err
}

type jiraIssue struct {
	Key    string `json:"key"`
	Fields struct {
		Summary string `json:"summary"`
		Status  struct {
			Category struct {
				Key string `json:"key"`
			} `json:"statusCategory"`
		} `json:"status"`
		Reporter struct {
			Name string `json:"displayName"`
		} `json:"reporter"`
		Created string `json:"created"`
		Updated string `json:"updated"`
	} `json:"fields"`
}

const jiraFields = "summary,status,reporter,created,updated"

func (d *jira) ticket(i jiraIssue) (Ticket, error) {
	if !jiraKey.MatchString(i.Key) || i.Fields.Status.Category.Key == "" {
		return Ticket{}, d.failed(ErrTransient, "the answer is no issue")
	}
	t := Ticket{
		ID: i.Key, Number: i.Key, Subject: line(i.Fields.Summary), Requester: line(i.Fields.Reporter.Name), Lang: d.cfg.Lang,
		Open: i.Fields.Status.Category.Key != "done",
	}
	const layout = "2006-01-02T15:04:05.999-0700"
	t.Created, _ = time.Parse(layout, i.Fields.Created)
	t.Updated, _ = time.Parse(layout, i.Fields.Updated)
	return t, nil
}

// Get implements System. Which language a requester reads is not told to others:
// it is that of the configuration.
func (d *jira) Get(ctx context.Context, id string) (Ticket, error) {
	if !jiraKey.MatchString(id) {
		return Ticket{}, fmt.Errorf("%w: jira: %.40q", ErrNotFound, id)
	}
	var got jiraIssue
	if _, err := d.do(ctx, request{method: "GET", path: "/rest/api/3/issue/" + id, query: url.Values{"fields": {jiraFields}}, into: &got}); err != nil {
		return Ticket{}, err
	}
	return d.ticket(got)
}

// Search implements System.
func (d *jira) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	if key := strings.ToUpper(strings.TrimSpace(query)); jiraKey.MatchString(key) {
		t, err := d.Get(ctx, key)
		if err == nil {
			return []Ticket{t}, nil
		}
		if !isKind(err)(ErrNotFound) {
			return nil, err
		}
	}
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	var and []string
	for _, w := range words {
		// Words have no quotes; a hyphen at the end of one would be an operator.
		and = append(and, `summary ~ "`+w+`*"`)
	}
	var got struct{ Issues []jiraIssue }
	if _, err := d.do(ctx, request{method: "GET", path: "/rest/api/3/search/jql", query: url.Values{
		"jql": {strings.Join(and, " AND ") + " ORDER BY updated DESC"}, "fields": {jiraFields}, "maxResults": {"100"},
	}, into: &got}); err != nil {
		return nil, err
	}
	return found(got.Issues, d.ticket, words, limit)
}

// adfText is the text of a document, a line for each block.
func adfText(n adf) string {
	switch n.Type {
	case "text":
		return n.Text
	case "hardBreak":
		return "\n"
	}
	var b strings.Builder
	for _, c := range n.Content {
		b.WriteString(adfText(c))
	}
	switch n.Type {
	case "paragraph", "heading", "codeBlock":
		return b.String() + "\n"
	}
	return b.String()
}

// jiraPage is how many comments are read at once, and jiraPages how often.
const jiraPage, jiraPages = 100, 50

// Find implements System.
func (d *jira) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !jiraKey.MatchString(ticket) {
		return "", false, nil
	}
	me, err := d.self.get(func() (string, error) { return d.whoami(ctx) })
	if err != nil {
		return "", false, err
	}
	seen := 0
	for range jiraPages {
		var got struct {
			Total    *int `json:"total"`
			Comments []struct {
				ID     string `json:"id"`
				Author struct {
					ID string `json:"accountId"`
				} `json:"author"`
				Body adf `json:"body"`
			} `json:"comments"`
		}
		if _, err := d.do(ctx, request{method: "GET", path: "/rest/api/3/issue/" + ticket + "/comment", into: &got, max: maxHistory, query: url.Values{
			"startAt": {strconv.Itoa(seen)}, "maxResults": {strconv.Itoa(jiraPage)}, "orderBy": {"-created"},
		}}); err != nil {
			return "", false, err
		}
		if got.Total == nil {
			return "", false, d.failed(ErrTransient, "the answer has no comments")
		}
		for _, c := range got.Comments {
			if c.Author.ID == me && endsWith(adfText(c.Body), key) {
				return c.ID, true, nil
			}
		}
		if seen += len(got.Comments); len(got.Comments) == 0 || seen >= *got.Total {
			return "", false, nil
		}
	}
	return "", false, d.failed(ErrTransient, "the comments of the issue do not end")
}

// Append implements System. Finished issues take comments too, unless their
// workflow says otherwise.
func (d *jira) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if !jiraKey.MatchString(ticket) {
		return "", fmt.Errorf("%w: jira: %.40q", ErrNotFound, ticket)
	}
	at := "/rest/api/3/issue/" + ticket
	if session, err := sessionOf(n.Key); err == nil && n.Link != "" {
		// The same globalId changes the link that is there. Without the right to
		// link there is the one in the text.
		_, err := d.do(ctx, request{method: "POST", path: at + "/remotelink", json: map[string]any{
			"globalId": "mf:" + session, "object": map[string]string{"url": n.Link, "title": locales[langOr(n.Lang, d.cfg.Lang)]["title"]},
		}})
		if err != nil && !isKind(err)(ErrForbidden) && !isKind(err)(ErrInvalid) {
			return "", err
		}
	}
	var got struct {
		ID     string `json:"id"`
		Public *bool  `json:"jsdPublic"`
	}
	if _, err := d.do(ctx, request{method: "POST", path: at + "/comment", into: &got, status: []int{http.StatusCreated}, json: map[string]any{
		"body":       ADF(n.Document().signed(n.Key)),
		"properties": []any{map[string]any{"key": "sd.public.comment", "value": map[string]bool{"internal": !n.Public}}},
	}}); err != nil {
		return "", err
	}
	if !number(got.ID) || got.Public == nil {
		return "", d.failed(ErrTransient, "the note was taken, but its number not told")
	}
	if *got.Public && !n.Public {
		// Outside a service project nothing is internal. What the requester was
		// not to read is taken back at once.
		if _, err := d.do(ctx, request{method: "DELETE", path: at + "/comment/" + got.ID, status: []int{http.StatusNoContent}}); err != nil {
			return "", err
		}
		return "", d.failed(ErrForbidden, "the comment did not become internal, and was taken back: is the issue's project a service project?")
	}
	return got.ID, nil
}
