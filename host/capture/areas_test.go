package capture_test

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mainforte/mainforte/host/capture"
)

func TestAreasKeepWhatIsFarApart(t *testing.T) {
	var a capture.Areas
	page, caret := image.Rect(0, 0, 1600, 1000), image.Rect(1632, 400, 1640, 416)
	a.Add(image.Rectangle{})
	a.Add(image.Rect(0, 0, 1600, 500))
	a.Add(caret)
	a.Add(image.Rect(0, 510, 1600, 1000)) // near the first
	if got := a.All(); len(got) != 2 || !slices.Contains(got, page) || !slices.Contains(got, caret) {
		t.Errorf("%v", got)
	}
	if got, want := a.Bounds(), page.Union(caret); got != want {
		t.Errorf("bounds %v, want %v", got, want)
	}
	if a.Clear(); len(a.All()) != 0 || !a.Bounds().Empty() {
		t.Errorf("cleared: %v", a.All())
	}
}

func TestAreasHoldAllThatWasAdded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	for range 300 {
		var a capture.Areas
		var added []image.Rectangle
		for range 1 + rng.IntN(30) {
			at := image.Pt(rng.IntN(2000), rng.IntN(1000))
			r := image.Rectangle{Min: at, Max: at.Add(image.Pt(1+rng.IntN(200), 1+rng.IntN(100)))}
			a.Add(r)
			added = append(added, r)
		}
		for _, r := range added {
			if !slices.ContainsFunc(a.All(), r.In) {
				t.Fatalf("%v is in none of %v", r, a.All())
			}
		}
		for i, r := range a.All() {
			for _, o := range a.All()[:i] {
				if r.Inset(-16).Overlaps(o) {
					t.Fatalf("%v and %v are near", r, o)
				}
			}
		}
	}
}
