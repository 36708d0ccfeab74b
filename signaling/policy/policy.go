// Package policy is what a server allows its sessions at most: which grants nobody
// gets, how long a session may be, who must have a second factor.
//
// A [Policy] only ever narrows. What it leaves open still needs the yes of the person
// who is helped, and their own app is what enforces that nothing else happens: it is
// told the policy when a session opens, and then neither asks the person for what is
// ruled out nor gives it (PROTOCOL.md §5.1). What no policy can give, because no such
// thing exists: access without the person, a hidden session, a joined one.
//
// An admin puts a policy in force ([Keeper.Set]) with a fresh proof of who they are;
// what was and what is stand in the session log. A session goes by the policy that was
// in force when it began.
//
// Presets are data, one file each in presets/: where to begin in a sector, and no
// legal advice.
package policy

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
)

// Policy is what may be at most. The zero value rules nothing out.
type Policy struct {
	RuledOut []string        `json:"ruled_out"` // grants that nobody gets, in the order of Grants
	Minutes  int             `json:"minutes"`   // of a session; 0: no limit
	Factor   []identity.Role `json:"factor"`    // who must have a second factor or a passkey, in the order of identity.Roles
}

// Grants are those that a policy may rule out: all that the host knows but view,
// without which there is no session.
func Grants() []string {
	return []string{
		"control", "clipboard_in", "clipboard_out", "file_in", "file_out", "annotate", "screenshot", "sysinfo", "elevate", "reconnect",
	}
}

// Bounds of Minutes.
const (
	minMinutes = 5
	maxMinutes = 24 * 60
)

// ErrPolicy: a policy breaks the rules above.
var ErrPolicy = errors.New("policy: not a proper policy")

// tidy is a policy whose lists are in order, without anything twice.
func (p Policy) tidy() (Policy, error) {
	out := Policy{RuledOut: []string{}, Minutes: p.Minutes, Factor: []identity.Role{}}
	for _, g := range p.RuledOut {
		if !slices.Contains(Grants(), g) {
			return Policy{}, fmt.Errorf("%w: %.40q is no grant that can be ruled out", ErrPolicy, g)
		}
	}
	for _, r := range p.Factor {
		if _, ok := identity.ParseRole(string(r)); !ok {
			return Policy{}, fmt.Errorf("%w: %.40q is no role", ErrPolicy, r)
		}
	}
	if p.Minutes != 0 && (p.Minutes < minMinutes || p.Minutes > maxMinutes) {
		return Policy{}, fmt.Errorf("%w: %d minutes; it must be between %d and %d, or 0 for no limit", ErrPolicy, p.Minutes, minMinutes, maxMinutes)
	}
	for _, g := range Grants() {
		if slices.Contains(p.RuledOut, g) {
			out.RuledOut = append(out.RuledOut, g)
		}
	}
	for _, r := range identity.Roles() {
		if slices.Contains(p.Factor, r) {
			out.Factor = append(out.Factor, r)
		}
	}
	return out, nil
}

// equal compares two tidy policies.
func (p Policy) equal(q Policy) bool {
	return slices.Equal(p.RuledOut, q.RuledOut) && p.Minutes == q.Minutes && slices.Equal(p.Factor, q.Factor)
}

// Life is how long a session may be; 0: no limit.
func (p Policy) Life() time.Duration { return time.Duration(p.Minutes) * time.Minute }

// Requires tells whether a role must have a second factor or a passkey.
func (p Policy) Requires(r identity.Role) bool { return slices.Contains(p.Factor, r) }

// Preset is a policy to begin with.
type Preset struct {
	Name string `json:"name"`
	Policy
	// Retention names the preset of package retention that goes with it.
	Retention string `json:"retention"`
}

//go:embed presets/*.json
var presetFiles embed.FS

// Presets are those that come with the program, by name.
func Presets() []Preset {
	entries, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(err) // our own folder, embedded
	}
	var list []Preset
	for _, e := range entries {
		text, err := presetFiles.ReadFile("presets/" + e.Name())
		var p Preset
		if err == nil {
			p, err = parsePreset(text)
		}
		if err != nil {
			panic(fmt.Sprintf("policy: presets/%s: %v", e.Name(), err)) // our own file, embedded
		}
		list = append(list, p)
	}
	return list
}

func parsePreset(text []byte) (p Preset, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Preset{}, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Preset{}, fmt.Errorf("%w: something follows it", ErrPolicy)
	}
	p.Policy, err = p.tidy()
	return p, err
}

// Called is the name of the preset that a policy is, line by line; "" if it is none.
func (p Policy) Called() string {
	for _, known := range Presets() {
		if known.equal(p) {
			return known.Name
		}
	}
	return ""
}

// joined is a list as one token of the log.
func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return strings.Join(words, "+")
}
