package api

import (
	"net/http"
	"time"

	"github.com/mainforte/mainforte/signaling/phrases"
	"github.com/mainforte/mainforte/signaling/tickets"
)

type phraseAnswer struct {
	ID      string    `json:"id"`
	Lang    string    `json:"lang"`
	Name    string    `json:"name"`
	Body    string    `json:"body"`
	Version int64     `json:"version"`
	Updated time.Time `json:"updated"`
}

func phraseOf(t phrases.Text) phraseAnswer {
	return phraseAnswer{t.ID, t.Lang, t.Name, t.Body, t.Version, t.Updated.UTC()}
}

// listPhrases is GET /api/v1/phrases: the canned texts of a language.
func (s *Server) listPhrases(w http.ResponseWriter, c *call) error {
	lang := c.URL.Query().Get("lang")
	if lang != "en" && lang != "fr" {
		return errInvalidLang
	}
	list, more, err := s.house.book.Texts(c.Context(), lang, c.URL.Query().Get("q"))
	if err != nil {
		return err
	}
	out := make([]phraseAnswer, len(list))
	for i, t := range list {
		out[i] = phraseOf(t)
	}
	answer(w, http.StatusOK, map[string]any{"phrases": out, "more": more})
	return nil
}

func (s *Server) addPhrase(w http.ResponseWriter, c *call) error {
	var in struct {
		Lang string `json:"lang"`
		Name string `json:"name"`
		Body string `json:"body"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	t, err := s.house.book.Add(c.Context(), c.actor(), phrases.Text{Lang: in.Lang, Name: in.Name, Body: in.Body})
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, phraseOf(t))
	return nil
}

func (s *Server) setPhrase(w http.ResponseWriter, c *call) error {
	var in struct {
		Lang    string `json:"lang"`
		Name    string `json:"name"`
		Body    string `json:"body"`
		Version int64  `json:"version"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	t, err := s.house.book.Set(c.Context(), c.actor(), phrases.Text{ID: c.PathValue("id"), Lang: in.Lang, Name: in.Name, Body: in.Body, Version: in.Version})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, phraseOf(t))
	return nil
}

func (s *Server) removePhrase(w http.ResponseWriter, c *call) error {
	if err := s.house.book.Remove(c.Context(), c.actor(), c.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type codeAnswer struct {
	Code    string `json:"code"`
	Outcome string `json:"outcome"`
	En      string `json:"en"`
	Fr      string `json:"fr"`
	Version int64  `json:"version"`
}

// listResolutions is GET /api/v1/resolutions: the outcomes there are, and the codes that
// say more about them.
func (s *Server) listResolutions(w http.ResponseWriter, c *call) error {
	list, err := s.house.book.Codes(c.Context())
	if err != nil {
		return err
	}
	out := make([]codeAnswer, len(list))
	for i, k := range list {
		out[i] = codeAnswer(k)
	}
	answer(w, http.StatusOK, map[string]any{"outcomes": tickets.Resolutions(), "codes": out})
	return nil
}

func (s *Server) setResolution(w http.ResponseWriter, c *call) error {
	var in struct {
		Outcome string `json:"outcome"`
		En      string `json:"en"`
		Fr      string `json:"fr"`
		Version int64  `json:"version"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	k, err := s.house.book.SetCode(c.Context(), c.actor(), phrases.Code{Code: c.PathValue("id"), Outcome: in.Outcome, En: in.En, Fr: in.Fr, Version: in.Version})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, codeAnswer(k))
	return nil
}

func (s *Server) removeResolution(w http.ResponseWriter, c *call) error {
	if err := s.house.book.RemoveCode(c.Context(), c.actor(), c.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
