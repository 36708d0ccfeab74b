package tickets

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config is how a desk is reached. Which fields a system needs is told by the
// error of [NewSystem] and in docs/tickets.md; a field that a system does not know is
// ignored.
type Config struct {
	System string // "rt", "zammad", ...: see [Systems]
	URL    string // of the desk's start page, https://desk.example.org/rt

	User, Password         string
	Token, AppToken        string
	ClientID, ClientSecret string

	// HookSecret is what the desk vouches with for what it tells by itself, see
	// [Hooks]; empty: it is not listened to. Two, parted by a space, both count,
	// for the time of a change.
	HookSecret string

	// From and To are the addresses of the notes' sender and of the desk, and
	// Subject tells a desk which ticket is meant, "[#{ticket}]" if empty: email.
	From, To, Subject string

	// Lang is what a requester reads where the desk cannot tell, "en" or "fr";
	// empty is "en".
	Lang string
	// Table is the kind of record: ServiceNow ("incident" if empty).
	Table string
	// Format is how notes are written: Redmine ("textile", "markdown"),
	// ServiceNow ("code", "plain").
	Format string

	// Allow names addresses of this machine, of the local link or of a cloud's
	// metadata service that the desk may have; a literal address or "localhost"
	// in URL is allowed as it stands. Other addresses need no permission.
	Allow []netip.Prefix
	// PlainHTTP permits http:// to another machine: credentials and notes can
	// then be read on the way.
	PlainHTTP bool
	// OfPage is set for what was typed on a page, not written where the server runs:
	// then only Allow permits such addresses, also in URL itself, and plain text goes
	// to addresses in Allow and to no others.
	OfPage bool
	// Roots are the authorities that may vouch for the desk; nil: the system's.
	Roots   *x509.CertPool
	Timeout time.Duration // of one request; 0: 15 s
}

// NewSystem returns the desk that c describes, without calling it: Check does. The
// error is an ErrConfig that names the field.
func NewSystem(c Config) (System, error) {
	switch c.Lang {
	case "":
		c.Lang = "en"
	case "en", "fr":
	default:
		return nil, fmt.Errorf("%w: lang is en or fr, not %q", ErrConfig, c.Lang)
	}
	open, ok := systems[c.System]
	if !ok {
		return nil, fmt.Errorf("%w: system %q is not known; there are %s", ErrConfig, c.System, strings.Join(Systems(), ", "))
	}
	if err := c.checkHooks(); err != nil {
		return nil, err
	}
	return open(c)
}

// need returns an ErrConfig for the first field that is empty; pairs are names
// and values.
func (c Config) need(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if strings.TrimSpace(pairs[i+1]) == "" {
			return fmt.Errorf("%w: %s needs %s", ErrConfig, c.System, pairs[i])
		}
	}
	return nil
}

// base parses URL; plain http is for this machine, or where the admin says so.
func (c Config) base() (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(c.URL, "/"))
	switch {
	case c.URL == "" || err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w: %s needs url, like https://desk.example.org", ErrConfig, c.System)
	case u.User != nil:
		return nil, fmt.Errorf("%w: credentials do not belong into the url of %s", ErrConfig, c.System)
	case u.Scheme == "https":
	case u.Scheme == "http" && c.plain(u.Hostname()):
	default:
		return nil, fmt.Errorf("%w: the url of %s must be https, or %w allowed", ErrConfig, c.System, errPlain)
	}
	if c.OfPage {
		return u, c.guard(u.Hostname(), u.Scheme == "http").literal()
	}
	return u, nil
}

// errPlain is what goes over the line as it stands.
var errPlain = errors.New("plain http")

// plain tells whether plain text to a host is thinkable; on a page the guard decides,
// address by address.
func (c Config) plain(host string) bool {
	if c.OfPage {
		return len(c.Allow) > 0
	}
	return c.PlainHTTP || local(host)
}

// guard of what is dialled for a host.
func (c Config) guard(host string, plain bool) guard {
	return guard{host: host, allow: c.Allow, page: c.OfPage, plain: plain}
}

// local tells whether a host name names this machine.
func local(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// langOf makes a desk's name of a language one of ours.
func (c Config) langOf(name string) string {
	switch name = strings.ToLower(name); {
	case name == "fr", strings.HasPrefix(name, "fr-"), strings.HasPrefix(name, "fr_"), strings.HasPrefix(name, "french"):
		return "fr"
	case name == "":
		return c.Lang
	}
	return "en"
}

// systems are the desks that NewSystem knows.
var systems = map[string]func(Config) (System, error){
	"email":      newEmail,
	"freshdesk":  newFreshdesk,
	"glpi":       newGLPI,
	"glpi11":     newGLPI11,
	"itop":       newITop,
	"jira":       newJira,
	"redmine":    newRedmine,
	"rt":         newRT,
	"servicenow": newServiceNow,
	"webhook":    newWebhook,
	"zammad":     newZammad,
	"zendesk":    newZendesk,
	"znuny":      newZnuny,
}

// Systems are the names that Config.System may have, in order.
func Systems() []string { return slices.Sorted(maps.Keys(systems)) }
