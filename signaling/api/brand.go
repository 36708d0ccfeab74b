package api

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/mainforte/mainforte/signaling/brand"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/web"
)

var (
	errBrandAddress = &problem{http.StatusUnprocessableEntity, "BRAND_ADDRESS"}
	errBrandChanged = &problem{http.StatusConflict, "BRAND_CHANGED"}
	errBrandColour  = &problem{http.StatusUnprocessableEntity, "BRAND_COLOUR"}
	errBrandHalf    = &problem{http.StatusUnprocessableEntity, "BRAND_HALF"}
	errBrandLong    = &problem{http.StatusUnprocessableEntity, "BRAND_LONG"}
	errLogoBlank    = &problem{http.StatusUnprocessableEntity, "LOGO_BLANK"}
	errLogoBroken   = &problem{http.StatusUnprocessableEntity, "LOGO_BROKEN"}
	errLogoKind     = &problem{http.StatusUnprocessableEntity, "LOGO_KIND"}
	errLogoLarge    = &problem{http.StatusRequestEntityTooLarge, "LOGO_LARGE"}
	errLogoSides    = &problem{http.StatusUnprocessableEntity, "LOGO_SIDES"}
	errNoLogo       = &problem{http.StatusUnprocessableEntity, "NO_LOGO"}
	errNoName       = &problem{http.StatusUnprocessableEntity, "NO_NAME"}
)

// organisation is how the help desk calls itself; may be empty.
func (s *Server) organisation() string {
	b, _ := s.brand.Shown()
	return cmp.Or(b.Name, s.cfg.Organisation)
}

// brandFiles is where the files of the brand are.
const brandFiles = "/brand/"

// branded is how the help desk shows itself on a page.
func (s *Server) branded() web.Brand {
	b := web.Brand{Name: s.organisation()}
	if name := s.brand.Sheet(); name != "" {
		b.Sheet = brandFiles + name
	}
	if l, ok := s.brand.Logo(); ok {
		b.Logo, b.Width, b.Height, b.Plate = brandFiles+l.ID+brand.LogoEnd, l.Width, l.Height, l.Plate
	}
	return b
}

// brandPolicy is the Content-Security-Policy of the files of the brand, for who opens one
// by itself.
const brandPolicy = "default-src 'none'; sandbox"

// brandFile is GET /brand/{file}: the stylesheet or the logo that is shown now. Its name
// is the hash of what is in it.
func (s *Server) brandFile(w http.ResponseWriter, c *call) error {
	f, ok := s.brand.File(c.PathValue("file"))
	if !ok {
		return errNotFound
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	blob(w, types[path.Ext(f.Name)], f.Body)
	return nil
}

// blob sends a file of the brand.
func blob(w http.ResponseWriter, kind string, b []byte) {
	h := w.Header()
	h.Set("Content-Security-Policy", brandPolicy)
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b) //nolint:errcheck // the other side has gone
}

// showBrand is GET /api/v1/brand.
func (s *Server) showBrand(w http.ResponseWriter, _ *call) error {
	b, version := s.brand.Shown()
	var picture *logoShape
	if l, ok := s.brand.Logo(); ok {
		picture = &logoShape{l.ID, l.Width, l.Height, l.Plate}
	}
	answer(w, http.StatusOK, struct {
		Version int64 `json:"version"`
		brand.Brand
		Configured string     `json:"configured"` // the name without one of the page
		Picture    *logoShape `json:"picture"`    // of Logo; null: none
		Sheet      string     `json:"sheet"`      // path of the stylesheet; empty: none
	}{version, b, s.cfg.Organisation, picture, s.branded().Sheet})
	return nil
}

// setBrand is PUT /api/v1/brand, by an admin who has just proven who they are: what it
// says stands before everybody who looks for help.
func (s *Server) setBrand(w http.ResponseWriter, c *call) error {
	// All of it, for it is all written anew: what is left out would be wiped out.
	var in struct {
		Version  *int64  `json:"version"`
		Name     *string `json:"name"`
		English  *string `json:"sentence"`
		Français *string `json:"phrase"`
		Accent   *string `json:"accent"`
		Logo     *string `json:"logo"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if in.Version == nil || in.Name == nil || in.English == nil || in.Français == nil || in.Accent == nil || in.Logo == nil {
		return errBadJSON
	}
	b := brand.Brand{Name: *in.Name, English: *in.English, Français: *in.Français, Accent: *in.Accent, Logo: *in.Logo}
	if b.Logo != "" && strings.TrimSpace(cmp.Or(b.Name, s.cfg.Organisation)) == "" {
		return errNoName // who does not see the logo hears the name
	}
	may := func(tx store.Tx) error { return s.house.users.FreshTx(tx, *c.in) }
	if err := s.brand.Set(c.Context(), c.actor(), *in.Version, b, may); err != nil {
		return err
	}
	return s.showBrand(w, c)
}

// logoShape is a logo as a program sees it.
type logoShape struct {
	Logo   string `json:"logo"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Plate  string `json:"plate"`
}

// addLogo is POST /api/v1/brand/logo: a picture, to be looked at and then shown by
// setBrand. What is kept and answered is the one that this server drew of it.
func (s *Server) addLogo(w http.ResponseWriter, c *call) error {
	// Any picture, so that one of a kind that is not taken gets its own sentence.
	kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "image/") {
		return errWrongType
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, c.Body, brand.MaxLogo))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return errLogoLarge
	}
	if err != nil {
		return errLogoBroken
	}
	var l brand.Logo
	if err := inTurn(c.Context(), func() (err error) { l, err = brand.ReadLogo(b); return err }); err != nil {
		return err
	}
	if err := s.brand.Add(c.Context(), l); err != nil {
		return err
	}
	answer(w, http.StatusCreated, logoShape{l.ID, l.Width, l.Height, l.Plate})
	return nil
}

// addedLogo is GET /api/v1/brand/logo/{id}: one that was added, before it is shown.
func (s *Server) addedLogo(w http.ResponseWriter, c *call) error {
	l, err := s.brand.Added(c.Context(), c.PathValue("id"))
	if errors.Is(err, brand.ErrNoLogo) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	blob(w, types[brand.LogoEnd], l.PNG)
	return nil
}

// judgeColour is GET /api/v1/brand/palette?colour=: whether a colour can be the accent,
// which one can, and what light pages and dark ones make of that. Without a colour it is
// what they look like by themselves.
func (s *Server) judgeColour(w http.ResponseWriter, c *call) error {
	var chosen brand.Judgement
	wanted := c.URL.Query().Get("colour")
	if wanted != "" {
		colour, err := brand.ParseColour(wanted)
		if err != nil {
			return err
		}
		if chosen, err = brand.Judge(colour); err != nil {
			return err
		}
	}
	tokens := func(dark bool, s brand.Shade) (map[string]string, error) {
		all, err := web.Tokens(dark)
		if wanted != "" && err == nil {
			all["mf-accent"], all["accent-hover"], all["accent-soft"] = s.Accent.String(), s.Hover.String(), s.Soft.String()
		}
		return all, err
	}
	light, err := tokens(false, chosen.Palette.Light)
	if err != nil {
		return err
	}
	dark, err := tokens(true, chosen.Palette.Dark)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"colour": light["mf-accent"], "why": chosen.Why, "light": light, "dark": dark})
	return nil
}
