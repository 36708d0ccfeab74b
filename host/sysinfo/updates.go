package sysinfo

import (
	"regexp"
	"strings"
)

var kb = regexp.MustCompile(`(?i)KB[0-9]{6,8}`)

// updateName is the update that a package of component based servicing belongs
// to: "KB5034441", or "RollupFix 19041.3930" for the monthly ones, whose number
// their packages do not carry; "" for any other package.
func updateName(pkg string) string {
	if name := kb.FindString(pkg); name != "" {
		return strings.ToUpper(name)
	}
	parts := strings.Split(pkg, "~")
	if strings.Contains(strings.ToLower(parts[0]), "rollupfix") {
		version := strings.Split(parts[len(parts)-1], ".")
		return strings.TrimSpace("RollupFix " + strings.Join(version[:min(len(version), 2)], "."))
	}
	return ""
}
