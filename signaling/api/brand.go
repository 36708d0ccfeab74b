package api

import (
	"cmp"
	"net/http"

	"github.com/mainforte/mainforte/signaling/brand"
	"github.com/mainforte/mainforte/signaling/store"
)

var (
	errBrandLong    = &problem{http.StatusUnprocessableEntity, "BRAND_LONG"}
	errBrandHalf    = &problem{http.StatusUnprocessableEntity, "BRAND_HALF"}
	errBrandChanged = &problem{http.StatusConflict, "BRAND_CHANGED"}
)

// organisation is how the help desk calls itself; may be empty.
func (s *Server) organisation() string {
	b, _ := s.brand.Shown()
	return cmp.Or(b.Name, s.cfg.Organisation)
}

// showBrand is GET /api/v1/brand.
func (s *Server) showBrand(w http.ResponseWriter, _ *call) error {
	b, version := s.brand.Shown()
	answer(w, http.StatusOK, struct {
		Version int64 `json:"version"`
		brand.Brand
		Configured string `json:"configured"` // the name without one of the page
	}{version, b, s.cfg.Organisation})
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
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if in.Version == nil || in.Name == nil || in.English == nil || in.Français == nil {
		return errBadJSON
	}
	b := brand.Brand{Name: *in.Name, English: *in.English, Français: *in.Français}
	may := func(tx store.Tx) error { return s.house.users.FreshTx(tx, *c.in) }
	if err := s.brand.Set(c.Context(), c.actor(), *in.Version, b, may); err != nil {
		return err
	}
	return s.showBrand(w, c)
}
