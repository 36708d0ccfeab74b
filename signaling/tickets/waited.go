package tickets

import "strings"

// Waited is the text of the note about somebody who was taken from the waiting room,
// in lang ("en" or "fr"; anything else is English). Texts are hostile.
func Waited(lang, name, trouble, phone, ticket string) string {
	w := words(locales[langOr(lang, "en")])
	lines := []string{w.fill("waited", "name", line(name)), line(trouble)}
	if phone = line(phone); phone != "" {
		lines = append(lines, w.fill("waited.phone", "phone", phone))
	}
	if ticket = line(ticket); ticket != "" {
		lines = append(lines, w.fill("waited.ticket", "number", ticket))
	}
	return strings.Join(lines, "\n")
}
