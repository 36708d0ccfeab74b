package tickets

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// redmine is Redmine 5, by its REST interface, with the key of an account that
// may add notes and set them private. The key of a note is its last line.
type redmine struct {
	*client
	cfg    Config
	render func(Doc) string

	mu   sync.Mutex
	may  map[int64]bool // projects in which our notes can be private
	self self

	levels   map[int64]Priority // by the id that this Redmine gave them; under mu
	levelsAt time.Time
}

func newRedmine(c Config) (System, error) {
	if err := c.need("token", c.Token); err != nil {
		return nil, err
	}
	d := &redmine{cfg: c, may: map[int64]bool{}}
	switch c.Format {
	case "", "textile":
		d.render = Textile
	case "markdown":
		d.render = Markdown
	default:
		return nil, fmt.Errorf("%w: format of redmine is textile or markdown, as in its general settings, not %q", ErrConfig, c.Format)
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	cl.bare = true // errors have a status and nothing else
	cl.auth = func(r *http.Request) { r.Header.Set("X-Redmine-API-Key", c.Token) }
	d.client = cl
	return d, nil
}

// Name implements System.
func (*redmine) Name() string { return "redmine" }

// Caps implements System. No files: whoever sees an issue sees what is attached
// to it, also when it came with a private note (5.0 moves it to a public journal).
func (*redmine) Caps() Caps { return Caps{Public: true, Search: true} }

type redmineUser struct {
	User struct {
		ID          int64
		Admin       bool
		Memberships []struct {
			Project struct{ ID int64 }
			Roles   []struct{ ID int64 }
		}
	}
}

func (d *redmine) user(ctx context.Context) (u redmineUser, err error) {
	_, err = d.do(ctx, request{method: "GET", path: "/users/current.json", query: url.Values{"include": {"memberships"}}, into: &u})
	if err == nil && u.User.ID <= 0 {
		err = d.failed(ErrTransient, "the answer does not say who we are")
	}
	return u, err
}

func (d *redmine) me(ctx context.Context) (string, error) {
	return d.self.get(func() (string, error) {
		u, err := d.user(ctx)
		return strconv.FormatInt(u.User.ID, 10), err
	})
}

// private makes sure that a note for a project can be private. Redmine drops the
// wish silently where the right is missing, and the requester would read what
// was not for him.
func (d *redmine) private(ctx context.Context, project int64) error {
	d.mu.Lock()
	ok := d.may[project]
	d.mu.Unlock()
	if ok {
		return nil
	}
	u, err := d.user(ctx)
	if err != nil {
		return err
	}
	ok = u.User.Admin
	for _, m := range u.User.Memberships {
		for _, r := range m.Roles {
			if m.Project.ID != project || ok {
				continue
			}
			var got struct {
				Role struct{ Permissions []string }
			}
			if _, err := d.do(ctx, request{method: "GET", path: "/roles/" + strconv.FormatInt(r.ID, 10) + ".json", into: &got}); err != nil {
				return err
			}
			has := func(right string) bool { return slices.Contains(got.Role.Permissions, right) }
			ok = has("set_notes_private") && has("view_private_notes") && (has("add_issue_notes") || has("edit_issues"))
		}
	}
	if !ok {
		return d.failed(ErrForbidden, "no role of the account in the project has add_issue_notes, set_notes_private and view_private_notes")
	}
	d.mu.Lock()
	d.may[project] = true
	d.mu.Unlock()
	return nil
}

// Check implements System: the key is valid, and the account is in a project.
func (d *redmine) Check(ctx context.Context) error {
	u, err := d.user(ctx)
	if err == nil && !u.User.Admin && len(u.User.Memberships) == 0 {
		err = d.troubled(TroubleNothing, "", ErrForbidden, "the account of the key is in no project")
	}
	return err
}

type redmineIssue struct {
	ID      int64 `json:"id"`
	Project struct {
		ID int64 `json:"id"`
	} `json:"project"`
	Status struct {
		Closed bool `json:"is_closed"`
	} `json:"status"`
	Author struct {
		Name string `json:"name"`
	} `json:"author"`
	Priority struct {
		ID int64 `json:"id"`
	} `json:"priority"`
	Due      string    `json:"due_date"`
	Subject  string    `json:"subject"`
	Created  time.Time `json:"created_on"`
	Updated  time.Time `json:"updated_on"`
	Journals []struct {
		ID   int64 `json:"id"`
		User struct {
			ID int64 `json:"id"`
		} `json:"user"`
		Notes string `json:"notes"`
	} `json:"journals"`
}

func (d *redmine) issue(ctx context.Context, id, include string) (redmineIssue, error) {
	if !number(id) {
		return redmineIssue{}, fmt.Errorf("%w: redmine: %.40q", ErrNotFound, id)
	}
	var got struct{ Issue redmineIssue }
	r := request{method: "GET", path: "/issues/" + id + ".json", into: &got, max: maxHistory}
	if include != "" {
		r.query = url.Values{"include": {include}}
	}
	_, err := d.do(ctx, r)
	if err == nil && strconv.FormatInt(got.Issue.ID, 10) != id {
		err = d.failed(ErrTransient, "the answer is no issue")
	}
	return got.Issue, err
}

// levelsFor is how long the names of priorities are known, and a failure to read them.
const levelsFor = 10 * time.Minute

// priorities of this Redmine: an admin names and orders them, and says which is the
// usual one. A desk that does not tell them only costs the priority.
func (d *redmine) priorities(ctx context.Context) map[int64]Priority {
	d.mu.Lock()
	known, fresh := d.levels, d.now().Sub(d.levelsAt) < levelsFor
	d.mu.Unlock()
	if fresh {
		return known
	}
	var got struct {
		List []struct {
			ID      int64 `json:"id"`
			Default bool  `json:"is_default"`
		} `json:"issue_priorities"`
	}
	_, err := d.do(ctx, request{method: "GET", path: "/enumerations/issue_priorities.json", into: &got})
	if err != nil {
		got.List = nil
		if ctx.Err() != nil {
			return known // it was our patience that ended
		}
	}
	usual := 0
	for i, p := range got.List {
		if p.Default {
			usual = i
		}
	}
	levels := make(map[int64]Priority, len(got.List))
	for i, p := range got.List {
		levels[p.ID] = max(Low, min(Normal+Priority(i-usual), Urgent))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.levels, d.levelsAt = levels, d.now()
	return levels
}

func (d *redmine) ticket(i redmineIssue, levels map[int64]Priority) Ticket {
	id := strconv.FormatInt(i.ID, 10)
	return Ticket{
		Priority: levels[i.Priority.ID], Due: dayOf(i.Due),
		ID: id, Number: id, Subject: line(i.Subject), Requester: line(i.Author.Name), Lang: d.cfg.Lang,
		Open: !i.Status.Closed, Created: i.Created, Updated: i.Updated,
	}
}

// Get implements System. Redmine tells nobody but admins which language a user
// reads: it is that of the configuration.
func (d *redmine) Get(ctx context.Context, id string) (Ticket, error) {
	i, err := d.issue(ctx, id, "")
	if err != nil {
		return Ticket{}, err
	}
	return d.ticket(i, d.priorities(ctx)), nil
}

// Search implements System.
func (d *redmine) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	words := searchWords(query)
	if len(words) == 0 {
		return nil, nil
	}
	if one, err := byNumber(ctx, d, words, ErrNotFound, ErrForbidden); one != nil || err != nil {
		return one, err
	}
	longest := slices.MaxFunc(words, func(a, b string) int { return len(a) - len(b) })
	var got struct{ Issues []redmineIssue }
	if _, err := d.do(ctx, request{method: "GET", path: "/issues.json", query: url.Values{
		"subject": {"~" + longest}, "status_id": {"*"}, "limit": {"100"}, "sort": {"updated_on:desc"},
	}, into: &got}); err != nil {
		return nil, err
	}
	var list []Ticket
	levels := d.priorities(ctx)
	for _, i := range got.Issues {
		if t := d.ticket(i, levels); i.ID > 0 && matches(t, words) {
			list = append(list, t)
		}
	}
	return list[:min(len(list), bounded(limit))], nil
}

// Find implements System.
func (d *redmine) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if _, err := sessionOf(key); err != nil || !number(ticket) {
		return "", false, nil
	}
	me, err := d.me(ctx)
	if err != nil {
		return "", false, err
	}
	i, err := d.issue(ctx, ticket, "journals")
	if err != nil {
		return "", false, err
	}
	for _, j := range i.Journals {
		if strconv.FormatInt(j.User.ID, 10) == me && endsWith(html.UnescapeString(j.Notes), key) {
			return strconv.FormatInt(j.ID, 10), true, nil
		}
	}
	return "", false, nil
}

// Append implements System: closed issues take notes too.
func (d *redmine) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	i, err := d.issue(ctx, ticket, "")
	if err != nil {
		return "", err
	}
	if !n.Public {
		if err := d.private(ctx, i.Project.ID); err != nil {
			return "", err
		}
	}
	body := map[string]any{"notes": d.render(n.Document().signed(n.Key)), "private_notes": !n.Public}
	if _, err := d.do(ctx, request{
		method: "PUT", path: "/issues/" + ticket + ".json", json: map[string]any{"issue": body}, status: []int{http.StatusNoContent},
	}); err != nil {
		return "", err
	}
	// Redmine does not say which journal it became.
	id, ok, err := d.Find(ctx, ticket, n.Key)
	if err == nil && !ok {
		err = d.failed(ErrTransient, "the note was taken, but is not there")
	}
	return id, err
}
