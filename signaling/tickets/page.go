package tickets

import (
	"net/url"
	"strings"
)

// pages are where a ticket stands in its desk, for people: below the desk's url,
// by {id} or {number}, or by {table}. A system without a line has no such page.
var pages = map[string]string{
	"freshdesk":  "/a/tickets/{id}",
	"glpi":       "/front/ticket.form.php?id={id}",
	"jira":       "/browse/{id}",
	"redmine":    "/issues/{id}",
	"rt":         "/Ticket/Display.html?id={id}",
	"servicenow": "/nav_to.do?uri={table}.do%3Fsysparm_query%3Dnumber%3D{number}",
	"zammad":     "/#ticket/zoom/{id}",
	"zendesk":    "/agent/tickets/{id}",
}

// page is the address of a ticket for people, "" if there is none.
func (c Config) page(t Ticket) string {
	form := pages[c.System]
	base, err := c.base()
	if form == "" || err != nil {
		return ""
	}
	table := c.Table
	if table == "" {
		table = "incident"
	}
	return safeURL(strings.TrimRight(base.String(), "/") + strings.NewReplacer(
		"{id}", url.QueryEscape(t.ID), "{number}", url.QueryEscape(t.Number), "{table}", url.QueryEscape(table),
	).Replace(form))
}
