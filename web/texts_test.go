package web

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

func TestCataloguesSayTheSameThings(t *testing.T) {
	en, fr := catalogues["en"], catalogues["fr"]
	for key, text := range en {
		other, ok := fr[key]
		if !ok {
			t.Errorf("%q is missing in French", key)
			continue
		}
		a, b := placeholder.FindAllString(text, -1), placeholder.FindAllString(other, -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%q: English fills in %v, French %v", key, a, b)
		}
		if strings.TrimSpace(text) == "" || strings.TrimSpace(other) == "" {
			t.Errorf("%q is empty", key)
		}
	}
	for key := range fr {
		if _, ok := en[key]; !ok {
			t.Errorf("%q is missing in English", key)
		}
	}
}

// A key that stands twice would silently lose its first text.
func TestKeysStandOnce(t *testing.T) {
	for _, lang := range Langs() {
		b, err := os.ReadFile("locales/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		keys := regexp.MustCompile(`(?m)^\s*"([^"]+)":`).FindAllStringSubmatch(string(b), -1)
		if len(keys) != len(catalogues[lang]) {
			t.Errorf("%s: %d lines, %d keys", lang, len(keys), len(catalogues[lang]))
		}
	}
}

func TestTextRefusesAMissingKey(t *testing.T) {
	if _, err := catalogues["en"].text("no.such.key"); err == nil {
		t.Error("no error")
	}
	if _, err := catalogues["en"].text("product", "n"); err == nil {
		t.Error("a name without a value: no error")
	}
}
