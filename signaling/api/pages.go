package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

// landing is the page for the person who needs help.
func (s *Server) landing(w http.ResponseWriter, c *call) error {
	if l := c.URL.Query().Get("lang"); l == "en" || l == "fr" {
		s.langCookie(w, l)
	}
	return s.landingPage(w, c, c.lang, "", "/wait")
}

// landingPage is that for a ticket, if there is one; wait is where its reader can wait
// for a technician.
func (s *Server) landingPage(w http.ResponseWriter, c *call, lang, ticket, wait string) error {
	var b page
	said, _ := s.brand.Shown()
	err := web.Landing(&b, web.LandingData{
		Lang: lang, Brand: s.branded(), PublicHost: s.cfg.PublicHost,
		UserAgent: c.UserAgent(), Downloads: s.downloads(), Ticket: ticket, Wait: wait, Sentence: said.Sentence(lang),
	})
	if err != nil {
		return err
	}
	b.serve(w, http.StatusOK)
	return nil
}

const pageType = "text/html; charset=utf-8"

// page holds a page until it is known to be whole.
type page []byte

func (p *page) Write(b []byte) (int, error) {
	*p = append(*p, b...)
	return len(b), nil
}

func (p page) serve(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", pageType)
	w.Header().Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	w.Write(p) //nolint:errcheck // the other side has gone
}

// page serves one of the built pages, or says that they are not built.
func (s *Server) page(name string) route {
	return func(w http.ResponseWriter, c *call) error {
		var b page
		if !web.Built() {
			if err := web.NotBuilt(&b, c.lang, s.branded()); err != nil {
				return err
			}
			b.serve(w, http.StatusServiceUnavailable)
			return nil
		}
		built, err := fs.ReadFile(web.Files(), name)
		if err != nil {
			return err
		}
		if b, err = web.Branded(built, s.branded()); err != nil {
			return err
		}
		b.serve(w, http.StatusOK)
		return nil
	}
}

// types of the files we serve. The system's own table differs from machine to
// machine, and nosniff makes a wrong one fatal.
var types = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".json": "application/json",
	".map": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp",
	".ico": "image/x-icon", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm",
}

// file serves one embedded file, packed for browsers that unpack it, and not again to
// one that holds it already.
func file(w http.ResponseWriter, r *http.Request, files fs.FS, name, cache string) error {
	kind, ok := types[path.Ext(name)]
	if !ok || !fs.ValidPath(name) {
		return errNotFound
	}
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return errNotFound // also a folder: there are no listings
	}
	sum := sha256.Sum256(b)
	tag := hex.EncodeToString(sum[:16])
	h := w.Header()
	h.Set("Cache-Control", cache)
	h.Set("Vary", "Accept-Encoding")
	if takes(r, "br") {
		if small, err := fs.ReadFile(files, name+packed); err == nil {
			b, tag = small, tag+"-br"
			h.Set("Content-Encoding", "br")
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	if strings.Contains(r.Header.Get("If-None-Match"), `"`+tag+`"`) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b) //nolint:errcheck // the other side has gone
	return nil
}

// packed is how the name of a packed copy ends, which `task build` makes.
const packed = ".br"

// takes says whether a browser unpacks a coding (RFC 9110 §12.5.3).
func takes(r *http.Request, coding string) bool {
	for _, list := range r.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(list, ",") {
			name, rest, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(name), coding) {
				continue
			}
			weight, weighed := strings.CutPrefix(strings.ReplaceAll(rest, " ", ""), "q=")
			q, err := strconv.ParseFloat(weight, 64)
			return !weighed || err == nil && q > 0
		}
	}
	return false
}

// asset is a file that the pages refer to: its name or its query changes with
// its content.
func (s *Server) asset(w http.ResponseWriter, c *call) error {
	return file(w, c.Request, web.Files(), strings.TrimPrefix(c.URL.Path, "/"), "public, max-age=31536000, immutable")
}

// workerPolicy is the Content-Security-Policy of the Worker that paints: it loads
// nothing, and may compile the WebAssembly that it holds, which pages may not.
const workerPolicy = "default-src 'none'; script-src 'wasm-unsafe-eval'; require-trusted-types-for 'script'; trusted-types 'none'"

// viewerFile is a script of the viewer: the names of viewer.js and worker.js do not
// change.
func (s *Server) viewerFile(w http.ResponseWriter, c *call) error {
	if c.URL.Path == "/viewer/worker.js" {
		w.Header().Set("Content-Security-Policy", workerPolicy)
	}
	return file(w, c.Request, viewer.Files(), strings.TrimPrefix(c.URL.Path, "/viewer/"), "no-cache")
}

func (s *Server) healthz(w http.ResponseWriter, _ *call) error {
	answer(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}

// readyz tells whether the server can do its work, and if not, what is missing.
func (s *Server) readyz(w http.ResponseWriter, c *call) error {
	state := func(ok bool, no string) string {
		if ok {
			return "ok"
		}
		return no
	}
	parts := map[string]string{
		"store":  state(s.house.local.Check(c.Context()) == nil, "not available"),
		"web":    state(web.Built(), "front end not built"),
		"viewer": state(viewer.Built(), "front end not built"),
	}
	status := http.StatusOK
	for _, p := range parts {
		if p != "ok" {
			status = http.StatusServiceUnavailable
		}
	}
	answer(w, status, map[string]any{"ready": status == http.StatusOK, "parts": parts})
	return nil
}

// hostFile is what `task build` calls the host: mainforte-host, with or without
// system and architecture, and .exe on Windows.
const hostFile = "mainforte-host"

// downloads are the host programs that are there now.
func (s *Server) downloads() []web.Download {
	if s.cfg.Downloads == "" {
		return nil
	}
	entries, err := os.ReadDir(s.cfg.Downloads)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("the downloads cannot be listed", "error", err)
		}
		return nil
	}
	var out []web.Download
	for _, e := range entries {
		system := hostSystem(e.Name())
		info, err := e.Info()
		if system == "" || err != nil || !info.Mode().IsRegular() {
			continue
		}
		out = append(out, web.Download{OS: system, Name: s.downloadName(system), Size: info.Size(), File: e.Name()})
	}
	return out
}

// hostSystem is the system that a host program of this name runs on, "" if the
// name is not a host program's. Nothing else in the folder is given out.
func hostSystem(name string) string {
	rest, ok := strings.CutPrefix(name, hostFile)
	if !ok {
		return ""
	}
	exe := strings.HasSuffix(rest, ".exe")
	rest = strings.TrimSuffix(rest, ".exe")
	if rest == "" {
		switch {
		case exe:
			return web.Windows
		case runtime.GOOS == "darwin":
			return web.MacOS
		case runtime.GOOS == "linux":
			return web.Linux
		}
		return ""
	}
	parts := strings.Split(strings.TrimPrefix(rest, "-"), "-")
	if rest[0] != '-' || len(parts) > 2 || slices.Contains(parts, "") {
		return ""
	}
	switch {
	case parts[0] == "windows" && exe:
		return web.Windows
	case parts[0] == "linux" && !exe:
		return web.Linux
	case (parts[0] == "darwin" || parts[0] == "macos") && !exe:
		return web.MacOS
	}
	return ""
}

// downloadName is what the browser calls the file: the host takes this server's
// name from it, as a hint that it shows.
func (s *Server) downloadName(system string) string {
	name := "Mainforte"
	if !strings.Contains(s.cfg.PublicHost, ":") {
		name += "-" + s.cfg.PublicHost
	}
	if system == web.Windows {
		name += ".exe"
	}
	return name
}

// smaller opens what `task build` left beside a program, the same in fewer bytes, for
// a browser that can unpack it and wants the whole. It is nil if there is none, or
// if it is of another program: gzip gives its file the time of what it packed, and a
// program out of a package may be new and yet bear an old time.
func smaller(root *os.Root, name string, program fs.FileInfo, r *http.Request) (*os.File, int64) {
	if r.Header.Get("Range") != "" || !takes(r, "gzip") {
		return nil, 0
	}
	f, err := root.Open(name + ".gz")
	if err != nil {
		return nil, 0
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || !info.ModTime().Equal(program.ModTime()) {
		_ = f.Close()
		return nil, 0
	}
	return f, info.Size()
}

func (s *Server) download(w http.ResponseWriter, c *call) error {
	name := c.PathValue("file")
	system := hostSystem(name)
	if system == "" || s.cfg.Downloads == "" {
		return errNotFound
	}
	root, err := os.OpenRoot(s.cfg.Downloads)
	if err != nil {
		return errNotFound
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return errNotFound
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errNotFound
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+s.downloadName(system)+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Vary", "Accept-Encoding")
	if small, size := smaller(root, name, info, c.Request); small != nil {
		defer small.Close()
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10)) // ServeContent would not say it
		if c.Request.Method != http.MethodHead {
			_, _ = io.Copy(w, small) // a browser that goes away tells nobody
		}
		return nil
	}
	http.ServeContent(w, c.Request, "", info.ModTime().Truncate(time.Second), f)
	return nil
}
