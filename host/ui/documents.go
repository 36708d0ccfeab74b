package ui

import (
	"os"
	"path/filepath"
	"strings"
)

// Documents is the folder where the person keeps what they save: their documents,
// else their downloads, else their home; empty if there is none of them.
func Documents() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	named := userFolders(home)
	for _, dir := range []string{named["XDG_DOCUMENTS_DIR"], filepath.Join(home, "Documents"), named["XDG_DOWNLOAD_DIR"], filepath.Join(home, "Downloads"), home} {
		if info, err := os.Stat(dir); dir != "" && err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

// userFolders are the names that a Linux desktop gave the person's folders, in
// their language (xdg-user-dirs).
func userFolders(home string) map[string]string {
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	b, err := os.ReadFile(filepath.Join(config, "user-dirs.dirs"))
	if err != nil {
		return nil
	}
	named := map[string]string{}
	for l := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(l), "=")
		value = strings.Trim(value, `"`)
		if rest, ok := strings.CutPrefix(value, "$HOME"); ok {
			value = filepath.Join(home, rest)
		}
		if strings.HasPrefix(name, "XDG_") && filepath.IsAbs(value) {
			named[name] = value
		}
	}
	return named
}
