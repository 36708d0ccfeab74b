package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/mainforte/mainforte/signaling/audit/formats"
	"github.com/mainforte/mainforte/signaling/supervise"
)

type trendsAnswer struct {
	From       time.Time          `json:"from"`
	Until      time.Time          `json:"until"`
	Sessions   int                `json:"sessions"`
	All        satisfactionAnswer `json:"all"`
	Teams      []groupAnswer      `json:"teams"`
	Topics     []groupAnswer      `json:"topics"`
	Problems   []trendingAnswer   `json:"problems"`
	Requesters int                `json:"requesters"`
	Back       int                `json:"back"`
	BackDays   int                `json:"back_days"`
	Few        int                `json:"few"`
}

// satisfactionAnswer has no Pleased and no Mean where there are too few answers, or all
// are about one technician.
type satisfactionAnswer struct {
	Answers  int      `json:"answers"`
	Pleased  *int     `json:"pleased"` // percent
	Mean     *float64 `json:"mean"`    // to the tenth
	Comments int      `json:"comments"`
}

type groupAnswer struct {
	ID   string `json:"id"` // "": none
	Name string `json:"name"`
	satisfactionAnswer
}

type trendingAnswer struct {
	Words    string `json:"words"`
	Sessions int    `json:"sessions"`
	Tickets  int    `json:"tickets"`
	Back     int    `json:"back"`
	satisfactionAnswer
}

func satisfactionOf(s supervise.Satisfaction) satisfactionAnswer {
	a := satisfactionAnswer{Answers: s.Answers, Comments: s.Comments}
	if s.Told() {
		pleased := (100*s.Pleased + s.Answers/2) / s.Answers
		mean := float64((10*s.Sum+s.Answers/2)/s.Answers) / 10
		a.Pleased, a.Mean = &pleased, &mean
	}
	return a
}

func groupsOf(list []supervise.Group, lang string) []groupAnswer {
	out := make([]groupAnswer, len(list))
	for i, g := range list {
		name := g.Name
		if lang == "fr" {
			name = g.French
		}
		out[i] = groupAnswer{g.ID, name, satisfactionOf(g.Satisfaction)}
	}
	return out
}

var errInvalidTime = &problem{http.StatusUnprocessableEntity, "INVALID_TIME"}

// trendsOf counts the trends of the time that is asked for.
func (s *Server) trendsOf(c *call) (trendsAnswer, error) {
	q := c.URL.Query()
	from, err := time.Parse(time.RFC3339, q.Get("from"))
	if err != nil {
		return trendsAnswer{}, errInvalidTime
	}
	until, err := time.Parse(time.RFC3339, q.Get("until"))
	if err != nil || !from.Before(until) || until.Sub(from) > supervise.LongestTrend {
		return trendsAnswer{}, errInvalidTime
	}
	t, err := supervise.Count(c.Context(), s.house.store, from, until)
	if err != nil {
		return trendsAnswer{}, err
	}
	a := trendsAnswer{
		From: t.From.UTC(), Until: t.Until.UTC(), Sessions: t.Sessions, All: satisfactionOf(t.All),
		Teams: groupsOf(t.Teams, c.lang), Topics: groupsOf(t.Topics, c.lang), Problems: make([]trendingAnswer, len(t.Problems)),
		Requesters: t.Requesters, Back: t.Back, BackDays: int(supervise.BackWithin / (24 * time.Hour)), Few: supervise.Few,
	}
	for i, p := range t.Problems {
		a.Problems[i] = trendingAnswer{p.Words, p.Sessions, p.Tickets, p.Back, satisfactionOf(p.Satisfaction)}
	}
	return a, nil
}

// trends are for the page, and for programs of those who make what people ask for help with.
func (s *Server) trends(w http.ResponseWriter, c *call) error {
	a, err := s.trendsOf(c)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, a)
	return nil
}

// exportTrends gives the same out as a table.
func (s *Server) exportTrends(w http.ResponseWriter, c *call) error {
	a, err := s.trendsOf(c)
	if err != nil {
		return err
	}
	b := []byte("kind,id,name,sessions,tickets,requesters_back,answers,pleased_percent,mean,comments\r\n")
	line := func(kind, id, name, sessions, tickets, back string, s satisfactionAnswer) {
		pleased, mean := "", ""
		if s.Pleased != nil {
			pleased, mean = strconv.Itoa(*s.Pleased), strconv.FormatFloat(*s.Mean, 'f', 1, 64)
		}
		for i, cell := range []string{kind, id, name, sessions, tickets, back, strconv.Itoa(s.Answers), pleased, mean, strconv.Itoa(s.Comments)} {
			if i > 0 {
				b = append(b, ',')
			}
			b = formats.AppendCell(b, cell)
		}
		b = append(b, "\r\n"...)
	}
	line("all", "", "", strconv.Itoa(a.Sessions), "", strconv.Itoa(a.Back), a.All)
	for _, g := range a.Teams {
		line("team", g.ID, g.Name, "", "", "", g.satisfactionAnswer)
	}
	for _, g := range a.Topics {
		line("topic", g.ID, g.Name, "", "", "", g.satisfactionAnswer)
	}
	for _, p := range a.Problems {
		line("problem", "", p.Words, strconv.Itoa(p.Sessions), strconv.Itoa(p.Tickets), strconv.Itoa(p.Back), p.satisfactionAnswer)
	}
	return attached(w, exports["csv"][0], "trends-"+a.From.Format(time.DateOnly)+"-"+a.Until.Format(time.DateOnly)+".csv", b)
}
