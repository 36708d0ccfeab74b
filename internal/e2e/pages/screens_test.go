//go:build !prove

package pages

// screens are two for each language, each width and scheme once in each; task prove
// looks at all of them.
var screens = map[string][]screen{
	"en": {{scheme: "light", width: 1280}, {scheme: "dark", width: 320}},
	"fr": {{scheme: "dark", width: 1280}, {scheme: "light", width: 320}},
}

// sessionScreens are those for the pages of a session: the narrowest in the language of
// the longer words.
var sessionScreens = map[string][]screen{"fr": {{scheme: "dark", width: 320}}}
