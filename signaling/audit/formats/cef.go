package formats

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mainforte/mainforte/signaling/audit"
)

// cef is one line an event:
//
//	CEF:0|Mainforte|signaling|VERSION|TYPE|what it means|severity|extension
type cef struct{ o Options }

func (cef) Head() []byte { return nil }

// severity is of 0 to 10.
var severity = map[string]int{"ok": 3, "deny": 6, "fail": 8}

func (f cef) Append(b []byte, n audit.Line) ([]byte, error) {
	r, err := f.o.read(n)
	if err != nil {
		return nil, err
	}
	name := r.Type
	if t, ok := audit.Type(r.Type); ok {
		name, _, _ = strings.Cut(t.Doc, "; data:")
	}
	b = fmt.Appendf(b, "CEF:0|Mainforte|signaling|%s|%s|%s|%d|", header(f.o.Version), header(r.Type), header(name), severity[r.Outcome])
	first := true
	put := func(key, value string) {
		if value == "" {
			return
		}
		if !first {
			b = append(b, ' ')
		}
		first = false
		b = append(append(append(b, key...), '='), extension(value)...)
	}
	custom := func(n int, label, value string) {
		if value != "" {
			put(fmt.Sprintf("cs%dLabel", n), label)
			put(fmt.Sprintf("cs%d", n), value)
		}
	}
	put("rt", strconv.FormatInt(r.Time.UnixMilli(), 10))
	put("externalId", strconv.FormatInt(r.Index, 10))
	put("act", r.Type)
	put("outcome", map[string]string{"ok": "success", "deny": "denied", "fail": "failure"}[r.Outcome])
	put("dvchost", f.o.Origin)
	put("suid", r.Actor.Ref)
	put("suser", f.o.who(r))
	put("spriv", r.Actor.Kind)
	put("src", address(r, "address", "viewer_address"))
	put("dst", address(r, "host_address"))
	custom(1, "session", r.Session)
	custom(2, "ticket", r.Ticket)
	custom(3, "origin", r.Origin)
	custom(4, "leafHash", hash(n))
	custom(5, "data", compact(r.Data))
	custom(6, "personalState", f.o.state(n))
	if len(r.Personal) > 0 {
		put("msg", compact(r.Personal))
	}
	return append(b, '\n'), nil
}

// header escapes what would end a field, extension what would end a value.
var (
	headerText    = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\r", " ", "\n", " ")
	extensionText = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\r", `\r`, "\n", `\n`)
)

func header(s string) string    { return headerText.Replace(s) }
func extension(s string) string { return extensionText.Replace(s) }
