package formats

import (
	"strings"

	"github.com/mainforte/mainforte/signaling/audit"
)

// ecs is the Elastic Common Schema. What it has no field for stands under
// mainforte.
type ecs struct{ o Options }

const ecsVersion = "8.17.0"

func (ecs) Head() []byte { return nil }

// ecsKinds are event.category and event.type of a group of types, and of single
// types where they differ, within the types that ECS expects of a category. What
// is in no group here is a session's info.
var ecsKinds = map[string][2][]string{
	"session":            {{"session"}, {"info"}},
	"session.requested":  {{"session"}, {"start"}},
	"session.paired":     {{"session"}, {"start"}},
	"session.ended":      {{"session"}, {"end"}},
	"participant":        {{"session"}, {"info"}},
	"participant.joined": {{"session"}, {"start"}},
	"participant.left":   {{"session"}, {"end"}},
	"auth":               {{"authentication"}, {"info"}},
	"auth.login":         {{"authentication"}, {"start"}},
	"auth.failed":        {{"authentication"}, {"start"}},
	"auth.logout":        {{"authentication"}, {"end"}},
	"auth.disabled":      {{"iam"}, {"user", "change"}},
	"auth.link_created":  {{"iam"}, {"user", "info"}},
	"auth.link_used":     {{"iam"}, {"user", "creation"}},
	"factor":             {{"iam"}, {"user", "change"}},
	"token":              {{"iam"}, {"admin", "change"}},
	"log":                {{"configuration"}, {"info"}},
	"log.viewed":         {{"database"}, {"access"}},
	"log.verify":         {{"database"}, {"access"}},
	"log.exported":       {{"database"}, {"access"}},
	"log.key_rotated":    {{"configuration"}, {"change"}},
	"policy":             {{"configuration"}, {"change"}},
	"brand":              {{"configuration"}, {"change"}},
	"desk":               {{"configuration"}, {"change"}},
	"desk.checked":       {{"configuration"}, {"access"}},
	"legal_hold":         {{"configuration"}, {"change"}},
	"retention":          {{"database"}, {"change"}},
}

// kindOf looks a type up, then its group.
func kindOf[T any](table map[string]T, typ string) (T, bool) {
	if k, ok := table[typ]; ok {
		return k, true
	}
	group, _, _ := strings.Cut(typ, ".")
	k, ok := table[group]
	return k, ok
}

func (f ecs) Append(b []byte, n audit.Line) ([]byte, error) {
	r, err := f.o.read(n)
	if err != nil {
		return nil, err
	}
	kind, ok := kindOf(ecsKinds, r.Type)
	if !ok {
		kind = [2][]string{{"session"}, {"info"}}
	}
	event := object{
		"kind": "event", "action": r.Type, "category": kind[0], "type": kind[1], "dataset": "mainforte.log", "module": "mainforte",
		"id": r.ID, "sequence": r.Index, "hash": hash(n),
		"outcome": map[string]string{"ok": "success", "deny": "failure", "fail": "failure"}[r.Outcome],
	}
	o := object{"@timestamp": stamp(r), "ecs": object{"version": ecsVersion}, "event": event}
	o.put("user", object{"roles": []string{r.Actor.Kind}}.put("id", r.Actor.Ref).put("name", f.o.who(r)))
	o.put("source", object{}.put("ip", address(r, "address", "viewer_address")))
	o.put("destination", object{}.put("ip", address(r, "host_address")))
	o.put("observer", object{"vendor": "Mainforte", "product": "signaling"}.put("name", f.o.Origin).put("version", f.o.Version))
	o.put("mainforte", object{"origin": r.Origin, "outcome": r.Outcome, "ms": r.MonoMS, "personal_state": f.o.state(n)}.
		put("session", r.Session).put("ticket", r.Ticket).put("data", r.Data).put("personal", r.Personal))
	return o.line(b), nil
}
