package session

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/mainforte/mainforte/host/input"
)

// passwordClasses are the programs whose windows ask for a password, by the class
// of the window in lower case: X11's WM_CLASS (either name), then that of Windows.
var passwordClasses = []string{
	"pinentry", "gcr-prompter", "polkit-gnome-authentication-agent-1", "polkit-kde-authentication-agent-1",
	"polkit-mate-authentication-agent-1", "lxpolkit", "lxqt-policykit-agent", "xfce-polkit", "ssh-askpass", "x11-ssh-askpass",
	"gnome-ssh-askpass", "ksshaskpass", "lxqt-openssh-askpass", "kdesu", "kdesudo", "gksu", "gksudo", "lxqt-sudo",
	"kwalletd5", "kwalletd6", "kwallet-query", "keepassxc", "keepass2",
	"credential dialog xaml host", "$$$secure uap dummy window class for interim dialog",
}

// passwordPrograms are those of Windows, by the file of the program.
var passwordPrograms = []string{
	"credentialuibroker", "consent", "logonui", "keepass", "keepassxc", "1password", "bitwarden", "dashlane", "nordpass", "enpass",
}

// privateWords is the list that the person begins with: what the windows of banks
// are called, in the languages of this app. A window counts whose title, class or program
// has one of them, word by word; case and accents do not matter.
var privateWords = []string{
	"bank", "banking", "e-banking", "online banking", "credit union", "building society", "paypal", "hsbc", "barclays", "lloyds",
	"natwest", "santander", "citibank", "wells fargo", "bank of america", "capital one", "scotiabank", "bmo", "rbc", "cibc",
	"banque", "bancaire", "banques", "caisse d'épargne", "caisse populaire", "crédit agricole", "crédit mutuel", "crédit lyonnais", "lcl",
	"société générale", "bnp paribas", "boursorama", "boursobank", "fortuneo", "desjardins", "postfinance", "ubs", "raiffeisen", "bcge", "bcv",
}

// Bounds of the person's list.
const (
	maxPrivate     = 200
	maxPrivateWord = 100 // characters
)

// isPasswordPrompt tells whether a window asks for a password: the field that has
// the keyboard hides what is typed, or its class or program is one that asks.
func isPasswordPrompt(f input.Front) bool { // C66
	if f.Secret || slices.Contains(passwordPrograms, strings.ToLower(f.Program)) {
		return true
	}
	class := strings.ToLower(f.Class)
	for _, known := range passwordClasses {
		if class == known {
			return true
		}
		for _, name := range strings.Fields(class) {
			// "pinentry-gtk-2", "org.kde.ksshaskpass"
			if name == known || known == "pinentry" && strings.HasPrefix(name, known) || strings.HasSuffix(name, "."+known) {
				return true
			}
		}
	}
	return false
}

// isPrivate tells whether a window is one of the person's list.
func isPrivate(f input.Front, list []string) bool { // C67
	text := " " + plainWords(f.Title) + " " + plainWords(f.Class) + " " + plainWords(f.Program) + " "
	return slices.ContainsFunc(list, func(word string) bool {
		word = plainWords(word)
		return word != "" && strings.Contains(text, " "+word+" ")
	})
}

// plainWords are the words of a text in lower case and without accents, one space
// between them.
func plainWords(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// cleanPrivate bounds a list that came from the window.
func cleanPrivate(list []string) []string {
	clean := make([]string, 0, min(len(list), maxPrivate))
	for _, word := range list {
		word = strings.TrimSpace(word)
		if r := []rune(word); len(r) > maxPrivateWord {
			word = string(r[:maxPrivateWord])
		}
		if plainWords(word) != "" && !slices.Contains(clean, word) && len(clean) < maxPrivate {
			clean = append(clean, word)
		}
	}
	return clean
}
