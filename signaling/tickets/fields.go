package tickets

import (
	"slices"
)

// Field is one that a system knows, as it is called in a desks file.
type Field struct {
	Name   string
	Need   bool
	Secret bool
	Of     []string // the values that there are, the first if empty; nil: any text
}

// Names of fields whose values are secret.
var secretNames = []string{"password", "token", "app_token", "client_secret", "hook_secret"}

// fieldsOf are the fields of a system beside url, lang, hook_secret, per_minute and the
// authorities, which all have; "!" is behind what it cannot do without.
var fieldsOf = map[string][]string{
	"email":      {"from!", "to!", "user", "password", "subject"},
	"freshdesk":  {"token!"},
	"glpi":       {"token!", "app_token"},
	"glpi11":     {"client_id!", "client_secret!", "user!", "password!"},
	"itop":       {"user!", "password", "token", "table", "client_id"},
	"jira":       {"user!", "token!"},
	"redmine":    {"token!", "format"},
	"rt":         {"token!"},
	"servicenow": {"client_id", "client_secret", "user", "password", "table", "format"},
	"webhook":    {"token!"},
	"zammad":     {"token!"},
	"zendesk":    {"user", "token!"},
	"znuny":      {"user!", "password!"},
}

// formats are the values of the field of that name.
var formats = map[string][]string{"redmine": {"textile", "markdown"}, "servicenow": {"code", "plain"}}

// Fields are those that a system knows, in the order in which one fills them in. The
// address comes first and is of every system; nil: there is no such system.
func Fields(system string) []Field {
	names, ok := fieldsOf[system]
	if !ok {
		return nil
	}
	list := []Field{{Name: "url", Need: true}}
	for _, n := range names {
		f := Field{Name: n}
		if last := len(n) - 1; n[last] == '!' {
			f.Name, f.Need = n[:last], true
		}
		if f.Secret = slices.Contains(secretNames, f.Name); f.Name == "format" {
			f.Of = formats[system]
		}
		list = append(list, f)
	}
	list = append(list, Field{Name: "lang", Of: []string{"en", "fr"}})
	if _, deaf := hookless[system]; !deaf {
		list = append(list, Field{Name: "hook_secret", Secret: true})
	}
	return append(list, Field{Name: "per_minute"}, Field{Name: "ca"})
}
