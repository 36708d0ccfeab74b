package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed locales/*.json
var localeFiles embed.FS

// texts of one language by key; the TypeScript pages read the same files.
type texts map[string]string

// catalogues by language. The files are embedded and a test reads both.
var catalogues = map[string]texts{"en": mustTexts("en"), "fr": mustTexts("fr")}

// Langs are the languages there is a catalogue for; the first is the default.
func Langs() []string { return []string{"en", "fr"} }

func mustTexts(lang string) texts {
	b, err := localeFiles.ReadFile("locales/" + lang + ".json")
	if err != nil {
		panic(err)
	}
	var t texts
	if err := json.Unmarshal(b, &t); err != nil {
		panic(fmt.Sprintf("locales/%s.json: %v", lang, err))
	}
	return t
}

// known returns lang if there is a catalogue for it, else the default.
func known(lang string) string {
	if _, ok := catalogues[lang]; ok {
		return lang
	}
	return Langs()[0]
}

// text returns the sentence of key with each {name} replaced from the pairs.
// A key that does not exist is an error, so that a template with a typing
// mistake fails in its test and not before a person.
func (t texts) text(key string, pairs ...string) (string, error) {
	s, ok := t[key]
	if !ok {
		return "", fmt.Errorf("web: no text %q", key)
	}
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("web: text %q: a name without a value", key)
	}
	old := make([]string, 0, len(pairs))
	for i := 0; i < len(pairs); i += 2 {
		old = append(old, "{"+pairs[i]+"}", pairs[i+1])
	}
	return strings.NewReplacer(old...).Replace(s), nil
}
