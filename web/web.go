// Package web is everything a browser shows except the remote desktop itself.
//
// There are two kinds of pages. The landing page and the error pages are for
// the person who needs help: Go templates, filled in here, that need no
// JavaScript and none of the built front end ([Landing], [Error], [NotBuilt]).
// The pages of sign-in, account, console, audit, supervisor and admin are for people who
// sign in, the receipt page for whoever holds a receipt:
// Svelte sources in src, which `task build` turns into dist ([Files]). A fresh
// clone holds a placeholder in dist, so that `go build` works before npm
// ([Built]).
//
// Both kinds draw from the same sources: static/tokens.css is the one visual
// language, locales/*.json the one catalogue of texts in English and French.
//
// [Files] is laid out as the server serves it:
//
//	signin.html account.html console.html …   the pages, once built
//	assets/NAME-HASH.js, .css, .svg       built; the name changes with the content
//	assets/NAME-HASH.js.br                the same, packed (internal/pack)
//	assets/tokens.css, base.css, …        from static; linked with ?v= of their content
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

//go:embed all:dist
var dist embed.FS

//go:embed static
var static embed.FS

// Pages that a build must have made.
var pages = []string{"signin.html", "account.html", "console.html", "audit.html", "receipt.html", "supervise.html", "admin.html", "words.html"}

// Files holds the built pages at its root and everything they and the
// landing page refer to in the folder assets.
func Files() fs.FS { return overlay{} }

// Built tells whether the embedded front end is the real one. If it is not,
// answer its pages with [NotBuilt].
func Built() bool {
	for _, p := range pages {
		if _, err := fs.Stat(dist, "dist/"+p); err != nil {
			return false
		}
	}
	return true
}

// overlay is dist, and static as if it lay in dist/assets.
type overlay struct{}

func (overlay) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := dist.Open(join("dist", name))
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if rest, ok := strings.CutPrefix(name, "assets"); ok && (rest == "" || rest[0] == '/') {
		return static.Open("static" + rest)
	}
	return nil, err
}

// Names are the files that [Files] serves under names of their own, sorted: no packed copy, and nothing that a fresh
// clone holds in their place.
func Names() (names []string, err error) {
	for _, part := range []struct {
		files fs.FS
		dir   string
		as    string
	}{{dist, "dist", ""}, {static, "static", "assets/"}} {
		walked := fs.WalkDir(part.files, part.dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") && !strings.HasSuffix(name, ".br") {
				names = append(names, part.as+strings.TrimPrefix(name, part.dir+"/"))
			}
			return err
		})
		err = errors.Join(err, walked)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

func join(dir, name string) string {
	if name == "." {
		return dir
	}
	return dir + "/" + name
}

// assetURL is the address of a file of static. It changes with the content, so
// that the server may let browsers keep it for ever.
func assetURL(name string) (string, error) {
	b, err := static.ReadFile("static/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return "/assets/" + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}
