package api

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/release"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

// ErrNotBuilt: this program holds placeholders instead of pages.
var ErrNotBuilt = errors.New("this program was built without its pages")

// viewerScripts are the names of the viewer's files. Without its two doors it is no
// viewer: a list that lacked one would have nothing to say against another's.
func viewerScripts(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "*.js")
	if err != nil {
		return nil, fmt.Errorf("the embedded viewer: %w", err)
	}
	for _, needed := range []string{"viewer.js", "worker.js"} {
		if !slices.Contains(names, needed) {
			return nil, fmt.Errorf("%w: there is no %s", ErrNotBuilt, needed)
		}
	}
	return names, nil
}

// Manifest is what this program sends to browsers: made of the very files that
// the routes read, so the two cannot differ.
func Manifest(version string) (release.Manifest, error) {
	if !web.Built() || !viewer.Built() {
		return release.Manifest{}, ErrNotBuilt
	}
	m := release.Manifest{Format: release.Format, Version: version, Headers: maps.Clone(strictHeaders)}
	names, err := web.Names()
	if err != nil {
		return release.Manifest{}, fmt.Errorf("the embedded pages: %w", err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(web.Files(), name)
		if err != nil {
			return release.Manifest{}, fmt.Errorf("the embedded pages: %w", err)
		}
		page, isPage := strings.CutSuffix(name, ".html")
		kind := types[path.Ext(name)]
		switch {
		case isPage:
			pattern := "GET /" + page
			m.Files = append(m.Files, release.Of("/"+page, b, pageType, contentPolicy, !identity.Public(pattern)))
		case kind != "" && strings.HasPrefix(name, "assets/"):
			m.Files = append(m.Files, release.Of("/"+name, b, kind, contentPolicy, false))
		}
	}
	scripts, err := viewerScripts(viewer.Files())
	if err != nil {
		return release.Manifest{}, err
	}
	for _, name := range scripts {
		b, err := fs.ReadFile(viewer.Files(), name)
		if err != nil {
			return release.Manifest{}, fmt.Errorf("the embedded viewer: %w", err)
		}
		rules := contentPolicy
		if name == "worker.js" {
			rules = workerPolicy
		}
		m.Files = append(m.Files, release.Of("/viewer/"+name, b, types[".js"], rules, false))
	}
	slices.SortFunc(m.Files, func(a, b release.File) int { return strings.Compare(a.Path, b.Path) })
	return m, nil
}
