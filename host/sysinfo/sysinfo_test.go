package sysinfo

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/wire"
)

func TestWhatCannotBeReadSaysWhyAndStopsNothing(t *testing.T) {
	s := read(t.Context(), []item{
		{"os", func() ([]Row, error) { return []Row{{Text: []string{" A\u202esystem\n", ""}}}, nil }},
		{"cpu", nil},
		{"memory", func() ([]Row, error) { return nil, fs.ErrPermission }},
		{"disk", func() ([]Row, error) { panic("a driver") }},
		{"network", func() ([]Row, error) { return nil, errors.New("no") }},
		{"locale", func() ([]Row, error) { return []Row{{Text: []string{"fr"}}}, nil }},
	})
	var got []string
	for _, r := range s.Rows {
		got = append(got, r.Key+":"+strings.Join(r.Text, "|")+r.Missing)
	}
	if g, want := strings.Join(got, " "), "os:Asystem cpu:unsupported memory:denied disk:failed network:failed locale:fr"; g != want {
		t.Errorf("read %q, want %q", g, want)
	}
	if items, missing := s.Count(); items != 2 || missing != 4 {
		t.Errorf("counted %d and %d", items, missing)
	}
}

func TestASheetIsBounded(t *testing.T) {
	many := make([]Row, 5000)
	for i := range many {
		many[i] = Row{Name: strings.Repeat("é", 300), Text: []string{strings.Repeat("\"", 300)}}
	}
	s := read(t.Context(), []item{{"os", func() ([]Row, error) { return []Row{{Text: []string{"x"}}}, nil }}, {"update", func() ([]Row, error) { return many, nil }}})
	b, err := json.Marshal(s)
	if err != nil || len(b) > wire.MaxSystem || s.Rows[0].Key != "os" || len(s.Rows) < 10 {
		t.Errorf("%d bytes, %d rows, %v", len(b), len(s.Rows), err)
	}
}

// A real one: what every system has is there.
func TestThisComputer(t *testing.T) {
	s := Read(t.Context())
	for _, key := range []string{"os", "arch", "hostname", "timezone"} {
		found := false
		for _, r := range s.Rows {
			found = found || r.Key == key && len(r.Text) > 0
		}
		if !found {
			t.Errorf("no %s in %+v", key, s.Rows)
		}
	}
}

func TestUpdateNames(t *testing.T) {
	for pkg, want := range map[string]string{
		"Package_for_KB5034441~31bf3856ad364e35~amd64~~19041.3920.1.0": "KB5034441",
		"Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.3930.1.5": "RollupFix 19041.3930",
		"Package_1_for_kb4577586~31bf~amd64~~10.0.1.1":                 "KB4577586",
		"Microsoft-Windows-Foundation-Package~31bf~amd64~~10.0":        "",
		"": "",
	} {
		if got := updateName(pkg); got != want {
			t.Errorf("%q is %q, want %q", pkg, got, want)
		}
	}
}
