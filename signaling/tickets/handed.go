package tickets

import "strings"

// Handed is the text of the note about a ticket that from handed to somebody or to a
// team, and that by took, in lang ("en" or "fr"; anything else is English). Texts are
// hostile; said may be empty.
func Handed(lang, from, to, by, said string) string {
	key := "handed"
	if to == by {
		key = "handed.person"
	}
	return handed(lang, key, from, to, by, said)
}

// HandedBack is the text of the note about one that by hands back instead, with what
// was said both ways.
func HandedBack(lang, from, to, by, said, answer string) string {
	return handed(lang, "handed.asked", from, to, by, said) + "\n\n" + handed(lang, "handed.back", from, to, by, answer)
}

func handed(lang, key, from, to, by, said string) string {
	w := words(locales[langOr(lang, "en")])
	head := w.fill(key, "from", line(from), "to", line(to), "by", line(by))
	if strings.TrimSpace(said) == "" {
		return head
	}
	return head + "\n" + said
}
