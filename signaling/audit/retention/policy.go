// Package retention lets what is personal in the log grow no older than a policy
// says, and destroys it with its keys when it is due.
//
// A [Policy] has one age for each kind of personal part: those of sessions
// (names, addresses), counted from the session's end, and those of events outside
// sessions (sign-ins, refused claims), counted from their day. The public leaves
// stay for ever: they hold nothing personal, and every proof needs them. What a
// policy destroys it says in the log, so a verification tells "purged under
// policy P" from "missing".
//
// Presets are data, one file each in presets/. They are a beginning and not legal
// advice; docs/audit.md says of each what it covers and what it does not.
//
// A legal hold (audit.Log.Hold) goes before every policy. A clock that jumps
// destroys nothing: see [Keeper.Run].
package retention

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Policy is how long personal parts are kept, in days; 0: for ever.
type Policy struct {
	Name     string `json:"name"`          // stands in the log as the reason of each purge
	Sessions int    `json:"sessions_days"` // after the end of the session
	Outside  int    `json:"outside_days"`  // after the day of the event
}

// maxDays is a hundred years: what is longer is a typing mistake.
const maxDays = 36525

// ErrPolicy: a policy breaks the rules above.
var ErrPolicy = errors.New("retention: not a proper policy")

// Check holds a policy to the rules.
func (p Policy) Check() error {
	if len(p.Name) == 0 || len(p.Name) > 32 {
		return fmt.Errorf("%w: its name has between 1 and 32 characters", ErrPolicy)
	}
	for _, c := range p.Name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", c) {
			return fmt.Errorf("%w: its name consists of small letters, digits and -", ErrPolicy)
		}
	}
	for _, d := range []int{p.Sessions, p.Outside} {
		if d < 0 || d > maxDays {
			return fmt.Errorf("%w: %d days; it must be between 1 and %d, or 0 for ever", ErrPolicy, d, maxDays)
		}
	}
	return nil
}

// Parse reads a policy. Every member must be there, and no other.
func Parse(text []byte) (Policy, error) {
	var p struct {
		Name     *string `json:"name"`
		Sessions *int    `json:"sessions_days"`
		Outside  *int    `json:"outside_days"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Policy{}, fmt.Errorf("%w: something follows it", ErrPolicy)
	}
	if p.Name == nil || p.Sessions == nil || p.Outside == nil {
		return Policy{}, fmt.Errorf("%w: name, sessions_days and outside_days must all be there", ErrPolicy)
	}
	made := Policy{*p.Name, *p.Sessions, *p.Outside}
	return made, made.Check()
}

//go:embed presets/*.json
var presetFiles embed.FS

// Presets are the policies that come with the program, by name.
func Presets() []Policy {
	entries, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(err) // our own folder, embedded
	}
	var list []Policy
	for _, e := range entries {
		text, err := presetFiles.ReadFile("presets/" + e.Name())
		if err == nil {
			var p Policy
			if p, err = Parse(text); err == nil {
				list = append(list, p)
			}
		}
		if err != nil {
			panic(fmt.Sprintf("retention: presets/%s: %v", e.Name(), err)) // our own file, embedded
		}
	}
	return list
}

// Preset finds one by its name.
func Preset(name string) (Policy, bool) {
	list := Presets()
	i := slices.IndexFunc(list, func(p Policy) bool { return p.Name == name })
	if i < 0 {
		return Policy{}, false
	}
	return list[i], true
}
