//go:build prove

package layouts

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// all are the layouts that the product promises.
var all = []layout{"us", "fr", "ca", "ch", "de", "es", "fr/bepo"}

// record is what docs/measured/layouts.json holds.
type record struct {
	Layouts  []layout `json:"layouts"`
	Programs []string `json:"programs"`
	Text     string   `json:"text"`
	Rounds   []round  `json:"rounds"`
}

// round is every layout on every other, in every program, once.
type round struct {
	Time    string   `json:"time"`
	Seed    uint64   `json:"seed"`
	Runs    int      `json:"runs"`
	Failed  []string `json:"failed"`
	Seconds float64  `json:"seconds"`
}

// TestProveEveryLayoutOnEveryOther is the whole matrix, 20 times over, each time
// in another order in one session while both sides change their layouts. With
// MAINFORTE_ROUNDS=n it adds n rounds to those on record.
func TestProveEveryLayoutOnEveryOther(t *testing.T) {
	root, err := stage.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "docs", "measured", "layouts.json")
	rec := record{Layouts: all, Text: text}
	for _, p := range programs {
		rec.Programs = append(rec.Programs, p.name)
	}
	rounds := 20
	if n := os.Getenv("MAINFORTE_ROUNDS"); n != "" {
		if rounds, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(file); err == nil {
			var before record
			if err := json.Unmarshal(b, &before); err != nil {
				t.Fatal(err)
			}
			rec.Rounds = before.Rounds
		}
	}
	s := newScene(t, time.Hour)
	for range rounds {
		r := s.round(uint64(time.Now().UnixNano()))
		rec.Rounds = append(rec.Rounds, r)
		t.Logf("round %d, seed %d: %d of %d failed in %.0f s", len(rec.Rounds), r.Seed, len(r.Failed), r.Runs, r.Seconds)
		b, err := json.MarshalIndent(rec, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *scene) round(seed uint64) round {
	r := round{Time: time.Now().UTC().Format(time.RFC3339), Seed: seed, Failed: []string{}}
	type pair struct{ technician, person layout }
	var pairs []pair
	for _, technician := range all {
		for _, person := range all {
			pairs = append(pairs, pair{technician, person})
		}
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	start := time.Now()
	for _, pair := range pairs {
		s.must(s.both(pair.technician, pair.person))
		for _, p := range programs {
			r.Runs++
			if err := s.run(p); err != nil {
				s.t.Errorf("%s on %s: %v", pair.technician, pair.person, err)
				r.Failed = append(r.Failed, fmt.Sprintf("%s on %s in %s", pair.technician, pair.person, p.name))
			}
		}
	}
	r.Seconds = time.Since(start).Seconds()
	return r
}
