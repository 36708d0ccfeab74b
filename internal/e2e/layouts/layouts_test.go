package layouts

import (
	"fmt"
	"testing"
	"time"
)

// all are the layouts that the product promises.
var all = []layout{"us", "fr", "ca", "ch", "de", "es", "fr/bepo"}

// TestWhatIsTypedArrives: some pairs of layouts, chosen so that each layout is
// on either side and every kind of difference is there.
func TestWhatIsTypedArrives(t *testing.T) {
	s := newScene(t, 4*time.Minute)
	for _, pair := range [][2]layout{
		{"us", "us"}, {"fr", "us"}, {"us", "fr"}, {"ca", "fr"}, {"fr", "ca"}, {"de", "us"}, {"ch", "fr/bepo"},
		{"es", "de"}, {"fr/bepo", "us"}, {"us", "fr/bepo"}, {"fr/bepo", "es"}, {"ca", "ch"},
	} {
		for _, p := range programs {
			t.Run(fmt.Sprintf("%s on %s in %s", pair[0], pair[1], p.name), func(t *testing.T) {
				s.t = t
				s.must(s.both(pair[0], pair[1]))
				s.must(s.run(p))
			})
		}
	}
}
