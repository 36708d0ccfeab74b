// Package viewer embeds what runs in the technician's browser during a session:
// the custom element <remote-session>, which also takes the code, and the
// Worker that receives, decodes and paints the picture. It is plain TypeScript
// without a framework and knows nothing of web. `task build` makes dist from
// src; a fresh clone holds a placeholder, so that `go build` works before npm.
package viewer

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files holds viewer.js, what it fetches once a code is typed (room-HASH.js), what both
// use (common-HASH.js), worker.js, and their packed copies (.br).
func Files() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// Built tells whether the embedded files are the real ones.
func Built() bool {
	_, err := fs.Stat(dist, "dist/viewer.js")
	return err == nil
}
