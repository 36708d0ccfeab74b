package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Day is a date in words: "Monday 30 November 2026", "lundi 30 novembre 2026".
func Day(lang string, at time.Time) string {
	c := catalogues[known(lang)]
	day := strconv.Itoa(at.Day())
	if at.Day() == 1 {
		day += c["when.first"]
	}
	return c.must("when.day", "weekday", word(c["when.weekdays"], int(at.Weekday())), "day", day,
		"month", word(c["when.months"], int(at.Month())-1), "year", strconv.Itoa(at.Year()))
}

// word is the n-th of a list, from 0.
func word(list string, n int) string { return strings.Fields(list)[n] }

// Clock is a time of day: "14:05", "14 h 05".
func Clock(lang string, at time.Time) string {
	return catalogues[known(lang)].must("when.clock", "hour", strconv.Itoa(at.Hour()), "minute", fmt.Sprintf("%02d", at.Minute()))
}

// Span is a time from one moment to another, where the first one stands: "Monday 30
// November 2026, 14:00 to 14:45".
func Span(lang string, from, to time.Time) string {
	to = to.In(from.Location())
	c := catalogues[known(lang)]
	pairs := []string{"day", Day(lang, from), "from", Clock(lang, from), "to", Clock(lang, to)}
	if from.YearDay() == to.YearDay() {
		return c.must("when.span", pairs...)
	}
	return c.must("when.span_over", append(pairs, "then", Day(lang, to))...)
}

// Zone is where a clock stands at a time: "time zone America/Toronto, UTC−05:00".
func Zone(lang string, at time.Time) string {
	c := catalogues[known(lang)]
	if at.Location() == time.UTC {
		return c.must("when.utc")
	}
	offset := strings.Replace(at.Format("-07:00"), "-", "−", 1)
	return c.must("when.zone", "zone", at.Location().String(), "offset", offset)
}

// must is a text that is there: a test fills in every one that is asked for so.
func (t texts) must(key string, pairs ...string) string {
	s, err := t.text(key, pairs...)
	if err != nil {
		panic(err)
	}
	return s
}
