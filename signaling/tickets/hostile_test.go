package tickets

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// answering is a desk that answers everything alike.
type answering struct {
	status       int
	kind, body   string
	retry, where string
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Request: r, Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: -1, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {a.kind}, "Retry-After": {a.retry}, "Location": {a.where}},
	}, nil
}

// through makes a client's requests end in rt instead of the network.
func (c *client) through(rt http.RoundTripper) { c.http.Transport = rt }

var kinds = []error{ErrNotFound, ErrClosed, ErrTransient, ErrAuth, ErrForbidden, ErrConflict, ErrTooLarge, ErrInvalid, ErrConfig}

// FuzzWhatADeskAnswers gives each adapter the same answer to all that it asks.
// Whatever it is, the error has a type, and a ticket is one line of clean text
// with the id that was asked for.
func FuzzWhatADeskAnswers(f *testing.F) {
	for _, body := range []string{
		"", "null", "[]", "{}", `"x"`, `[null]`, `{"items":[{"id":"7","Subject":"a\u202e\nb","Requestor":[]}]}`, `{"items":[{"id":"../7"}]}`,
		`{"id":7,"number":"22007","title":"x\u0000","customer_id":-1}`, `[{"id":7,"state_type_id":5}]`, `{"ticket":{"id":7,"subject":"<b>"},"users":[null]}`,
		`{"issue":{"id":7,"subject":"\ud800","journals":[{"id":1,"user":{"id":1},"notes":"mf:01S:end"}]}}`, `{"session_token":"x","session":{"glpiID":"7"},"totalcount":1,"data":[{"1":"x","2":7,"12":9999999999999999999}]}`,
		`{"result":{"sys_id":"00000000000000000000000000000007","number":"INC7"}}`, `{"result":[{"sys_id":"x","user_name":"y"}]}`, `{"access_token":"t"}`,
		`{"accountId":"a","key":"HELP-7","fields":{"summary":"x","status":{"statusCategory":{"key":"done"}}},"total":1e9,"comments":[{"id":"1","author":{"accountId":"a"},"body":{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"mf:01S:end"}]}]}}]}`,
		`{"Ticket":[{"TicketID":7,"TicketNumber":"007","StateType":"open","Article":[{"ArticleID":"1","CreateBy":21,"Subject":"x (mf:01S:end)"}]}],"SessionID":"s","TicketID":"7","ArticleID":9,"SessionData":[{"Key":"UserID","Value":"21"}]}`,
		`{"Error":{"ErrorCode":"TicketGet.AccessDenied","ErrorMessage":"\u202e"}}`, `{"code":0,"objects":{"UserRequest::7":{"key":7,"fields":{"ref":"R-7","title":"x","operational_status":"ongoing","private_log":{"entries":[{"user_id":21,"message_html":"<p>mf:01S:end</p>"}]}}}}}`,
		`{"code":1,"message":"Error: Invalid login"}`, `{"code":100,"message":"Error: Invalid object UserRequest::7"}`, `{"code":0,"objects":[1]}`,
		`{"id":7,"name":"x","status":{"id":2},"team":[{"role":"requester","name":"z\u0000"}],"access_token":"t"}`, `[{"item":{"id":1,"content":"<p>mf:01S:end</p>","user":{"id":7}}},{"id":2}]`,
		`{"id":"7","jsdPublic":true}`, `{"upload":{"token":"t"},"audit":{"events":[{"id":1,"type":"Comment"}]}}`, `{"issues":[{"key":"a/b"}]}`, strings.Repeat("[", 20_000), `{"error":` + strings.Repeat(`{"a":`, 5000),
	} {
		f.Add(200, "application/json", body, "7", "http://127.0.0.1:1/")
		f.Add(201, "application/json", body, "", "/REST/2.0/transaction/9")
		f.Add(400, "application/json; charset=utf-8", body, "", "")
		f.Add(404, "text/html", body, "x", "")
	}
	names := slices.DeleteFunc(Systems(), func(s string) bool { return s == "email" })
	f.Fuzz(func(t *testing.T, status int, kind, body, retry, where string) {
		if status < 200 || status > 599 || len(body) > 1<<16 || strings.ContainsAny(kind+retry+where, "\r\n\x00") {
			return
		}
		for _, name := range names {
			c := Config{System: name, URL: "https://desk.example.org", User: "u", Password: "p", Token: "t"}
			switch name {
			case "webhook":
				c.Token = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
			case "glpi11":
				c.ClientID, c.ClientSecret = "i", "s"
			case "itop":
				c.ClientID = "21"
			}
			d, err := NewSystem(c)
			if err != nil {
				t.Fatal(err)
			}
			d.(interface{ through(http.RoundTripper) }).through(answering{status, kind, body, retry, where})
			id := map[string]string{"servicenow": "00000000000000000000000000000007", "jira": "HELP-7"}[name]
			if id == "" {
				id = "7"
			}
			got, err := d.Get(t.Context(), id)
			if err == nil && (got.ID != id || line(got.Subject) != got.Subject || line(got.Requester) != got.Requester || line(got.Number) != got.Number || got.Lang != "en" && got.Lang != "fr") {
				t.Errorf("%s: %+v", name, got)
			}
			list, err2 := d.Search(t.Context(), "x", 5)
			for _, k := range list {
				if line(k.Subject) != k.Subject || k.ID == "" || k.ID != line(k.ID) || strings.ContainsAny(k.ID, "/?&# ") {
					t.Errorf("%s: found %+v", name, k)
				}
			}
			_, _, err3 := d.Find(t.Context(), id, "mf:01S:end")
			remote, err4 := d.Append(t.Context(), id, Note{Key: "mf:01S:end", Lang: "en", Text: "x", Link: "https://help.example.org", Minutes: 1})
			if err4 == nil && (remote == "" || len(remote) > 40) {
				t.Errorf("%s: the note is %q", name, remote)
			}
			for _, err := range []error{err, err2, err3, err4, d.Check(t.Context())} {
				if err != nil && !slices.ContainsFunc(kinds, isKind(err)) {
					t.Errorf("%s: an error of no type: %v", name, err)
				}
				if asked := (ErrRateLimited{}); errors.As(err, &asked) && (asked.After < 0 || asked.After > maxRetry) {
					t.Errorf("%s: %s", name, strconv.Quote(retry))
				}
			}
		}
	})
}
