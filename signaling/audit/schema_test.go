package audit

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write schema/event.v1.json from the table of types")

type object = map[string]any

// members turns a specification such as "grant n:n" into properties.
func members(spec string) object {
	out := object{}
	for _, m := range strings.Fields(spec) {
		name, kind, _ := strings.Cut(m, ":")
		out[name] = object{"$ref": "#/$defs/" + map[string]string{"": "token", "n": "number", "b": "truth"}[kind]}
	}
	return out
}

// makeSchema is the schema as the table of types and the rules of leaf.go say it.
func makeSchema() []byte {
	keys := func(m map[string]bool) (list []string) {
		for k := range m {
			list = append(list, k)
		}
		slices.Sort(list)
		return list
	}
	var rules []any
	for _, name := range Types() {
		ty, _ := Type(name)
		rule := object{"description": ty.Doc}
		if ty.Data != "" {
			rule["properties"] = object{"data": object{"properties": members(ty.Data)}}
		}
		if ty.Host {
			rule["description"] = ty.Doc + " (the host may report it)"
		}
		if ty.Personal != "" {
			rule["description"] = fmt.Sprint(rule["description"], "; sealed: ", ty.Personal)
		}
		rules = append(rules, object{
			"if":   object{"properties": object{"type": object{"const": name}}},
			"then": rule,
		})
	}
	hash := object{"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}
	key := object{"type": "string", "pattern": fmt.Sprintf("^[A-Za-z0-9_.:+/=-]{0,%d}$", maxKey)}
	leaf := []string{"actor", "data", "id", "index", "mono_ms", "origin", "outcome", "session", "t", "ticket", "type", "v"}
	b, err := json.MarshalIndent(object{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"$id":                  "urn:mainforte:event:v1",
		"title":                "Mainforte session log, event, version 1",
		"description":          "A leaf of the log: canonical JSON (RFC 8785), public, without personal data. Its SHA-256 after a zero byte is the leaf hash of RFC 6962.",
		"type":                 "object",
		"required":             leaf,
		"additionalProperties": false,
		"properties": object{
			"actor": object{"type": "object", "required": []string{"kind", "ref"}, "additionalProperties": false, "properties": object{
				"kind": object{"enum": keys(kinds)}, "ref": key,
			}},
			"commit":  object{"$ref": "#/$defs/hash", "description": "HMAC-SHA-256 of the personal part's canonical JSON under its salt; absent if there is none"},
			"data":    object{"type": "object", "propertyNames": object{"pattern": fmt.Sprintf("^[A-Za-z0-9_.:+/=-]{1,%d}$", maxKey)}, "additionalProperties": object{"$ref": "#/$defs/value"}},
			"id":      object{"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$", "description": "ULID"},
			"index":   object{"type": "integer", "minimum": 0, "maximum": maxSafe},
			"mono_ms": object{"type": "integer", "minimum": 0, "maximum": maxSafe},
			"origin":  object{"enum": keys(origins)},
			"outcome": object{"enum": keys(outcomes)},
			"session": key,
			"t":       object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z$`},
			"ticket":  key,
			"type":    object{"enum": Types()},
			"v":       object{"const": 1},
		},
		"allOf": rules,
		"$defs": object{
			"hash":   hash,
			"token":  object{"type": "string", "pattern": fmt.Sprintf("^[A-Za-z0-9_.:+/=-]{0,%d}$", maxToken)},
			"number": object{"type": "number", "minimum": -maxSafe, "maximum": maxSafe},
			"truth":  object{"type": "boolean"},
			"value": object{"anyOf": []any{
				object{"$ref": "#/$defs/token"}, object{"$ref": "#/$defs/number"}, object{"$ref": "#/$defs/truth"}, object{"type": "null"},
				object{"type": "array", "items": object{"$ref": "#/$defs/value"}},
				object{"type": "object", "additionalProperties": object{"$ref": "#/$defs/value"}},
			}},
			"line": object{
				"description": "a line of events.jsonl; state: none (the event has no personal part), present, withheld (the export leaves it out), purged (a later retention.purged says so), missing (gone without one)",
				"type":        "object", "required": []string{"leaf", "state"}, "additionalProperties": false,
				"properties": object{
					"leaf": object{"$ref": "#"}, "personal": object{"type": "object"}, "salt": object{"$ref": "#/$defs/hash"},
					"state": object{"enum": []string{"none", "present", "withheld", "purged", "missing"}},
				},
			},
		},
	}, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

func TestTheSchemaIsTheTableOfTypes(t *testing.T) {
	want := makeSchema()
	if *update {
		if err := os.WriteFile("schema/event.v1.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(Schema(), want) {
		t.Error("schema/event.v1.json is stale: go test ./signaling/audit -run Schema -update")
	}
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:mainforte:event:v1", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:mainforte:event:v1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, leaf []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(leaf))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func TestLeavesAreValidBySchema(t *testing.T) {
	l, _, _ := opened(t)
	s := schema(t)
	for _, name := range Types() {
		ty, _ := Type(name)
		e := event(name, "S")
		e.Data = map[string]any{"more": []any{"a", 1, nil, map[string]any{"b": true}}}
		for _, m := range strings.Fields(ty.Data) {
			n, kind, _ := strings.Cut(m, ":")
			e.Data[n] = map[string]any{"": "x", "n": 7, "b": true}[kind]
		}
		if len(name)%2 == 0 {
			e.Personal = nil
		}
		appendAll(t, l, e)
	}
	list := events(t, l, "S")
	if len(list) != len(Types()) {
		t.Fatalf("%d of %d", len(list), len(Types()))
	}
	for _, r := range list {
		if err := valid(t, s, r.Leaf); err != nil {
			t.Errorf("%s: %v", r.Leaf, err)
		}
	}
	good := string(list[0].Leaf)
	for what, bad := range map[string]string{
		"another version":  strings.Replace(good, `"v":1`, `"v":2`, 1),
		"an unknown type":  strings.Replace(good, list[0].Type, "session.imagined", 1),
		"prose":            strings.Replace(good, `["a"`, `["a b"`, 1),
		"one member more":  strings.Replace(good, `"v":1`, `"v":1,"w":1`, 1),
		"one member fewer": strings.Replace(good, `,"ticket":""`, "", 1),
		"text for a count": strings.Replace(good, `"index":0`, `"index":"0"`, 1),
	} {
		if bad == good || valid(t, s, []byte(bad)) == nil {
			t.Errorf("%s is valid: %s", what, bad)
		}
	}
}

// Every event that the code writes as a literal is one of the schema's, with the
// members that the schema names: a new member needs its word in the table.
func TestEveryEventInTheCodeStandsInTheSchema(t *testing.T) {
	found := map[string]int{}
	for _, top := range []string{"../../signaling", "../../host/session"} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "audit/types.go") {
				return err
			}
			f, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			for _, decl := range f.Decls {
				wordsOf(decl, func(types []string, data *ast.CompositeLit) {
					for _, name := range types {
						found[name]++
						ty, ok := Type(name)
						if !ok {
							t.Errorf("%s writes %s, which is no type", path, name)
						}
						if data == nil {
							continue
						}
						for _, e := range data.Elts {
							k, ok := text(e.(*ast.KeyValueExpr).Key)
							if ok && !slices.ContainsFunc(strings.Fields(ty.Data), func(m string) bool { n, _, _ := strings.Cut(m, ":"); return n == k }) {
								t.Errorf("%s: %s carries %q, which the table of types does not know", path, name, k)
							}
						}
					}
				})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The search must find what is known to be there, in every way of writing it.
	for _, name := range []string{"session.paired", "consent.granted", "control.handed_over", "auth.login", "ticket.note_written", "input.summary", "session.rejected"} {
		if found[name] == 0 {
			t.Errorf("the search does not find %s", name)
		}
	}
}

// wordsOf calls see for every place that names types of events: a call or an
// Event literal with its data, where that is written in the same place.
func wordsOf(n ast.Node, see func(types []string, data *ast.CompositeLit)) {
	ast.Inspect(n, func(n ast.Node) bool {
		var parts []ast.Expr
		switch n := n.(type) {
		case *ast.CallExpr:
			parts = n.Args
		case *ast.CompositeLit:
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					if k, ok := kv.Key.(*ast.Ident); ok && (k.Name == "Type" || k.Name == "Data") {
						parts = append(parts, kv.Value)
					}
				}
			}
		case *ast.AssignStmt:
			parts = n.Rhs
		}
		var types []string
		var data *ast.CompositeLit
		for _, p := range parts {
			if s, ok := text(p); ok && eventName(s) {
				types = append(types, s)
			}
			if c, ok := p.(*ast.CompositeLit); ok {
				if _, ok := c.Type.(*ast.MapType); ok && data == nil {
					data = c
				}
			}
		}
		if len(types) > 0 {
			see(types, data)
		}
		return true
	})
}

func text(e ast.Expr) (string, bool) {
	b, ok := e.(*ast.BasicLit)
	if !ok || b.Kind != gotoken.STRING {
		return "", false
	}
	s, err := strconv.Unquote(b.Value)
	return s, err == nil
}

// eventName tells whether s could be a type: a group that exists, and a word.
func eventName(s string) bool {
	group, word, ok := strings.Cut(s, ".")
	if !ok || word == "" || strings.ContainsAny(word, ".:/ ") {
		return false
	}
	return slices.ContainsFunc(Types(), func(t string) bool { return strings.HasPrefix(t, group+".") })
}
