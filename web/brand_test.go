package web

import (
	"strings"
	"testing"
)

// A logo as wide as a name stands alone and says it; any other stands beside it, and is
// not said twice.
func TestALogoSaysTheNameOnce(t *testing.T) {
	b := Brand{Name: `Ville & "Fils"`, Sheet: "/brand/x.css", Logo: "/brand/x.png", Width: 300, Height: 60, Plate: "light"}
	const escaped = "Ville &amp; &#34;Fils&#34;"
	page := landing(t, LandingData{Lang: "fr", Brand: b, PublicHost: "help.example.org"})
	for _, want := range []string{
		`<img class="logo on-light" src="/brand/x.png" width="300" height="60" alt="` + escaped + `">`, `<link rel="stylesheet" href="/brand/x.css">`, "Mainforte",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, "<span>"+escaped) || strings.Contains(page, `class="mark"`) {
		t.Error("a wide logo does not stand alone")
	}
	if strings.Index(page, "/brand/x.css") < strings.Index(page, "landing.css") {
		t.Error("the colour comes before what it replaces")
	}
	b.Width, b.Plate = 119, ""
	page = landing(t, LandingData{Lang: "fr", Brand: b})
	if !strings.Contains(page, `height="60" alt=""><span>`+escaped) {
		t.Error("a logo like a sign stands without the name")
	}
	page = landing(t, LandingData{Lang: "fr"})
	if !strings.Contains(page, `class="mark"`) || !strings.Contains(page, "<span>Mainforte</span>") || strings.Contains(page, "/brand/") {
		t.Error("without a brand it is not the product's page")
	}
}

func TestTheBrandStandsInTheHeadOfABuiltPage(t *testing.T) {
	const built = "<html><head><title>x</title></head><body></head></body></html>"
	got, err := Branded([]byte(built), Brand{})
	if err != nil || string(got) != built {
		t.Errorf("without a brand: %s %v", got, err)
	}
	got, err = Branded([]byte(built), Brand{Name: `"><script>`, Sheet: "/brand/x.css", Logo: "/brand/x.png", Width: 60, Height: 50})
	const want = `<html><head><title>x</title><link rel="stylesheet" href="/brand/x.css"><meta name="mf-brand" content="&#34;&gt;&lt;script&gt;" data-logo="/brand/x.png" data-width="60" data-height="50" data-plate=""></head>`
	if err != nil || !strings.HasPrefix(string(got), want) {
		t.Errorf("%s %v", got, err)
	}
	if _, err := Branded([]byte("<p>"), Brand{Name: "x"}); err == nil {
		t.Error("a page without a head has a brand")
	}
}
