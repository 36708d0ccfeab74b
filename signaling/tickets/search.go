package tickets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// maxHistory bounds the history of one ticket, in bytes: notes are looked for in
// it, so it must be read whole.
const maxHistory = 32 << 20

// searchWords are the words of a query without anything that a desk's own query
// language could take for an operator.
func searchWords(query string) []string {
	words := strings.FieldsFunc(line(query), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && r != '-' && r != '_' && r != '.'
	})
	var list []string
	for _, w := range words {
		if w = strings.Trim(w, "-_."); w != "" && w != "AND" && w != "OR" && w != "NOT" {
			list = append(list, w)
		}
	}
	return list[:min(len(list), 8)]
}

// byNumber is the ticket of a query that is one number, if there is one. An error
// of one of the kinds in passed means that there is none.
func byNumber(ctx context.Context, s System, words []string, passed ...error) ([]Ticket, error) {
	if len(words) != 1 || !number(words[0]) {
		return nil, nil
	}
	t, err := s.Get(ctx, words[0])
	switch {
	case err == nil:
		return []Ticket{t}, nil
	case slices.ContainsFunc(passed, isKind(err)):
		return nil, nil
	}
	return nil, err
}

// matches tells whether every word stands in number or subject.
func matches(t Ticket, words []string) bool {
	text := fold(t.Number + "\n" + t.Subject)
	for _, w := range words {
		if !strings.Contains(text, fold(w)) {
			return false
		}
	}
	return true
}

// found are those of a desk's answers that match all words, whatever the desk made
// of them, at most limit. An answer that read cannot take ends it.
func found[T any](answers []T, read func(T) (Ticket, error), words []string, limit int) ([]Ticket, error) {
	var list []Ticket
	for _, a := range answers {
		t, err := read(a)
		if err != nil {
			return nil, err
		}
		if matches(t, words) {
			list = append(list, t)
		}
	}
	return list[:min(len(list), bounded(limit))], nil
}

// bounded is a limit that may be 0 or too large.
func bounded(limit int) int {
	if limit <= 0 || limit > maxList {
		return maxList
	}
	return limit
}

// langOr is lang, or other where lang is none of ours.
func langOr(lang, other string) string {
	if locales[lang] == nil {
		return other
	}
	return lang
}

// loose is an id of a desk that writes one and the same as a number here and as a
// text there.
type loose string

func (l *loose) UnmarshalJSON(b []byte) error {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		*l = ""
	case string:
		*l = loose(v)
	case json.Number:
		*l = loose(v)
	default:
		return fmt.Errorf("%w: an id that is a %T", ErrTransient, v)
	}
	return nil
}
