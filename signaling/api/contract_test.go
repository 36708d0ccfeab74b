package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/mainforte/mainforte/signaling/identity"
)

// The contract: whatever a visitor of these tests asks for, the answer is held to
// openapi.yaml. The schemas of OpenAPI 3.1 are JSON Schema 2020-12, so the document
// is one schema resource, and each answer is validated at its own place in it.

type object = map[string]any

// general are the statuses that any route for programs may answer without saying so:
// see the description at the head of the document.
var general = []int{400, 401, 403, 413, 415, 500, 503}

// contract is openapi.yaml, ready to be held against answers.
type contract struct {
	doc     object
	schemas *jsonschema.Compiler
	mux     *http.ServeMux // path to pattern

	mu   sync.Mutex
	made map[string]*jsonschema.Schema
	good map[string]bool // patterns that answered with a status under 300
}

// promised is the one contract of this package's tests.
var promised = sync.OnceValue(func() *contract {
	c := &contract{schemas: jsonschema.NewCompiler(), mux: http.NewServeMux(), made: map[string]*jsonschema.Schema{}, good: map[string]bool{}}
	if err := yaml.Unmarshal(OpenAPI, &c.doc); err != nil {
		panic(err)
	}
	exact(c.doc)
	raw, err := json.Marshal(c.doc)
	if err != nil {
		panic(err)
	}
	res, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		panic(err)
	}
	c.schemas.AssertFormat()
	c.schemas.AssertContent()
	if err := c.schemas.AddResource("openapi.json", res); err != nil {
		panic(err)
	}
	for path, ops := range c.doc["paths"].(object) {
		for method := range ops.(object) {
			p := strings.ToUpper(method) + " " + path
			if path == "/" {
				p += "{$}"
			}
			c.mux.HandleFunc(p, func(http.ResponseWriter, *http.Request) {})
		}
	}
	return c
})

// exact closes every schema of an object that names its members, so that one which
// is answered and not described is found. Parts of an allOf stay open, and the whole
// is closed.
func exact(doc object) {
	parts := map[string]bool{} // names of schemas that are parts of others
	var find func(v any)
	find = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				find(e)
			}
		case object:
			if all, ok := v["allOf"].([]any); ok {
				for _, e := range all {
					if ref, ok := e.(object)["$ref"].(string); ok {
						parts[ref[strings.LastIndexByte(ref, '/')+1:]] = true
					}
				}
			}
			for _, e := range v {
				find(e)
			}
		}
	}
	find(doc)
	var shut func(v any, part bool)
	shut = func(v any, part bool) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				shut(e, part)
			}
		case object:
			_, named := v["properties"].(object)
			_, open := v["additionalProperties"]
			all, whole := v["allOf"].([]any)
			if (named && !open || whole) && !part {
				v["unevaluatedProperties"] = false
			}
			for k, e := range v {
				if k != "allOf" {
					shut(e, false)
				}
			}
			for _, e := range all {
				shut(e, true)
			}
		}
	}
	for name, s := range doc["components"].(object)["schemas"].(object) {
		shut(s, parts[name])
	}
	for _, part := range []any{doc["paths"], doc["components"].(object)["responses"], doc["components"].(object)["requestBodies"]} {
		shut(part, false)
	}
}

// at follows $ref to what stands there, and says where that is.
func (c *contract) at(place string) (object, string) {
	var v any = c.doc
	for _, step := range strings.Split(strings.TrimPrefix(place, "#/"), "/") {
		m, _ := v.(object)
		if v = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]; v == nil {
			return nil, place
		}
	}
	m, _ := v.(object)
	if ref, ok := m["$ref"].(string); ok {
		return c.at(ref)
	}
	return m, place
}

// schema is the compiled one at a place.
func (c *contract) schema(place string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.made[place]; s != nil {
		return s, nil
	}
	s, err := c.schemas.Compile("openapi.json" + place)
	if err == nil {
		c.made[place] = s
	}
	return s, err
}

// holds validates a body against the content that is described at a place.
func (c *contract) holds(place, kind string, body []byte) error {
	described, place := c.at(place)
	content, _ := described["content"].(object)
	if len(content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("a body where none is described: %.100s", body)
		}
		return nil
	}
	if _, ok := content["application/octet-stream"]; ok && len(content) == 1 {
		return nil // a file to save, of whatever type its format has
	}
	media, _, err := mime.ParseMediaType(kind)
	if err != nil {
		return fmt.Errorf("Content-Type %q: %w", kind, err)
	}
	if _, ok := content[media]; !ok {
		return fmt.Errorf("it is %s, which is not among %v", media, slices.Sorted(maps.Keys(content)))
	}
	place += "/content/" + strings.ReplaceAll(media, "/", "~1") + "/schema"
	if described, _ := c.at(place); described == nil || media != "application/json" {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	s, err := c.schema(place)
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// check holds one answer, and the request that it is for, to the document.
func (c *contract) check(req *http.Request, sent []byte, resp *http.Response, body []byte) error {
	_, pattern := c.mux.Handler(req)
	switch {
	case !isProgram(req.URL.Path), resp.StatusCode == http.StatusSwitchingProtocols:
		return nil
	case resp.StatusCode == http.StatusTemporaryRedirect && path.Clean(req.URL.Path) != req.URL.Path:
		return nil // ServeMux's own way to the clean path
	case pattern == "": // no such route
		return c.holds("#/components/responses/Error", resp.Header.Get("Content-Type"), body)
	}
	method, route, _ := strings.Cut(pattern, " ")
	if strings.HasPrefix(route, "/ws/") {
		return nil // refused by the WebSocket handler, in plain text
	}
	op := "#/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(route) + "/" + strings.ToLower(method)
	status := strconv.Itoa(resp.StatusCode)
	place := op + "/responses/" + status
	if described, _ := c.at(place); described == nil {
		if resp.StatusCode == http.StatusSeeOther && followed(req) {
			return nil
		}
		if !slices.Contains(general, resp.StatusCode) {
			return fmt.Errorf("%s answers %s, which is not described", pattern, status)
		}
		place = "#/components/responses/Error"
	}
	if err := c.holds(place, resp.Header.Get("Content-Type"), body); err != nil {
		return fmt.Errorf("%s answers %s, and not as described: %w\n%.400s", pattern, status, err, body)
	}
	if resp.StatusCode >= 300 {
		return nil
	}
	c.mu.Lock()
	c.good[pattern] = true
	c.mu.Unlock()
	// What was taken must be as described too: else the document lacks a member.
	if described, _ := c.at(op + "/requestBody"); described != nil && string(sent) != "null" {
		if err := c.holds(op+"/requestBody", req.Header.Get("Content-Type"), sent); err != nil {
			return fmt.Errorf("%s takes what is not described: %w\n%.400s", pattern, err, sent)
		}
	}
	return nil
}

// told holds one event of a stream to the document.
func (c *contract) told(pattern string, data []byte) error {
	method, route, _ := strings.Cut(pattern, " ")
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	s, err := c.schema("#/paths/" + strings.ReplaceAll(route, "/", "~1") + "/" + strings.ToLower(method) + "/responses/200/content/text~1event-stream/schema")
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.good[pattern] = true
	c.mu.Unlock()
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%s tells what is not described: %w\n%.400s", pattern, err, data)
	}
	return nil
}

// Every route is described and everything described is a route, the two agree on the
// names in paths, every $ref leads somewhere, and every schema is one.
func TestTheDocumentIsSound(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), promised()
	described := map[string]bool{}
	for path, ops := range c.doc["paths"].(object) {
		for method, v := range ops.(object) {
			p := strings.ToUpper(method) + " " + strings.Replace(path, "/", "/{$}", map[bool]int{true: 1}[path == "/"])
			described[p] = true
			if !slices.Contains(s.routes, p) {
				t.Errorf("%s is described and is no route", p)
			}
			op := v.(object)
			if op["summary"] == "" || op["responses"] == nil {
				t.Errorf("%s has no summary or no responses", p)
			}
			named := map[string]bool{}
			list, _ := op["parameters"].([]any)
			for _, e := range list {
				m := e.(object)
				if ref, ok := m["$ref"].(string); ok {
					m, _ = c.at(ref)
				}
				if m["in"] == "path" {
					named[m["name"].(string)] = true
					if m["required"] != true {
						t.Errorf("%s: %s is in the path and not required", p, m["name"])
					}
				}
			}
			for _, step := range strings.Split(path, "/") {
				if name, ok := strings.CutPrefix(step, "{"); ok {
					if name = strings.TrimSuffix(name, "}"); !named[name] {
						t.Errorf("%s: {%s} is not described", p, name)
					}
					delete(named, name)
				}
			}
			if len(named) > 0 {
				t.Errorf("%s: %v are not in its path", p, named)
			}
			_, takes := op["requestBody"]
			if takes != (method == "post" || method == "put") && !strings.HasSuffix(path, "/leave") {
				t.Errorf("%s: a body is described: %v", p, takes)
			}
		}
	}
	for _, p := range s.routes {
		if !described[p] {
			t.Errorf("%s is not described", p)
		}
	}
	var walk func(v any, place string)
	walk = func(v any, place string) {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				walk(e, place+"/"+strconv.Itoa(i))
			}
		case object:
			if ref, ok := v["$ref"].(string); ok {
				if there, _ := c.at(ref); there == nil {
					t.Errorf("%s leads to %s, which is not there", place, ref)
				}
			}
			for k, e := range v {
				here := place + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
				if k == "schema" {
					if _, err := c.schema(here); err != nil {
						t.Errorf("%s: %v", here, err)
					}
				}
				walk(e, here)
			}
		}
	}
	walk(c.doc, "#")
	for name := range c.doc["components"].(object)["schemas"].(object) {
		if _, err := c.schema("#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The contract finds what it is there for.
func TestTheContractIsHeld(t *testing.T) {
	t.Parallel()
	c := promised()
	for name, a := range map[string]struct {
		method, path, sent string
		status             int
		kind, body         string
		want               string // in the error; empty: none
	}{
		"as described":        {"PUT", "/api/v1/me/lang", `{"lang":"en"}`, 204, "", "", ""},
		"a general refusal":   {"PUT", "/api/v1/me/lang", `{`, 400, "application/json", `{"error":{"code":"BAD_JSON","message":"x"}}`, ""},
		"another status":      {"PUT", "/api/v1/me/lang", `{"lang":"en"}`, 200, "application/json", `{}`, "not described"},
		"a body":              {"PUT", "/api/v1/me/lang", `{"lang":"en"}`, 204, "text/plain", "x", "a body where none"},
		"an unknown code":     {"PUT", "/api/v1/me/lang", `{`, 422, "application/json", `{"error":{"code":"NEW","message":"x"}}`, "not as described"},
		"another type":        {"GET", "/api/v1/teams", "", 200, "text/html", "<p>", "not among"},
		"a member too few":    {"GET", "/api/v1/teams", "", 200, "application/json", `{"teams":[{"id":"1","name":"a","tier":1}]}`, "members"},
		"a member too many":   {"GET", "/api/v1/teams", "", 200, "application/json", `{"teams":[],"more":true}`, "more"},
		"one in a whole":      {"GET", "/api/v1/sessions", "", 200, "application/json", `{"sessions":[{"id":"1","technician":"a","started":"2026-01-01T00:00:00Z","ended":null,"reason":null,"ticket":{"id":"","number":"","subject":""},"participants":[],"events":1,"extra":1}],"more":false}`, "extra"},
		"no time":             {"GET", "/api/v1/waiting", "", 200, "application/json", `{"waiting":[],"target_ms":1,"now":"soon"}`, "date-time"},
		"a request too large": {"PUT", "/api/v1/me/lang", `{"lang":"en","why":1}`, 204, "", "", "takes what is not described"},
		"no such route":       {"GET", "/api/v1/none", "", 404, "application/json", `{"error":"NOT_FOUND"}`, "object"},
	} {
		req, err := http.NewRequest(a.method, "http://x"+a.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		err = c.check(req, []byte(a.sent), &http.Response{StatusCode: a.status, Header: http.Header{"Content-Type": {a.kind}}}, []byte(a.body))
		if (err == nil) != (a.want == "") || err != nil && !strings.Contains(err.Error(), a.want) {
			t.Errorf("%s: %v, want %q", name, err, a.want)
		}
	}
}

// TestMain asks, after all tests and only then, whether every route for programs was
// seen to answer well: what is never answered in a test is held to nothing.
func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	if set := func(name string) bool { return flag.Lookup(name).Value.String() != "" }; status == 0 && !set("test.run") && !set("test.skip") && !set("test.bench") && !set("test.list") && !set("test.fuzz") {
		c := promised()
		for _, p := range slices.Sorted(slices.Values(identity.Patterns())) {
			_, path, _ := strings.Cut(p, " ")
			if strings.HasPrefix(path, "/api/") && !c.good[p] {
				fmt.Printf("no test of this package saw %s answer well: what openapi.yaml says of it nobody checked\n", p)
				status = 1
			}
		}
	}
	os.Exit(status)
}
