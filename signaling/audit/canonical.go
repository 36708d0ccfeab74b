package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of an event. A leaf stays well under the 64 KiB of a tile entry.
const (
	maxData     = 4 << 10
	maxPersonal = 8 << 10
	maxDepth    = 6
	maxToken    = 128
	maxKey      = 64
)

// maxSafe is the largest whole number that JSON readers keep exactly, RFC 8785 §3.2.2.3.
const maxSafe = 1<<53 - 1

// canonical appends v as canonical JSON, RFC 8785. Keys are ASCII tokens, so that
// sorting by bytes is sorting by UTF-16 units. With public set, strings must be
// tokens: this is what keeps personal data out of leaves.
func canonical(b []byte, v any, public bool, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrBadEvent, maxDepth)
	}
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		if public {
			if err := token(v, maxToken); err != nil {
				return nil, err
			}
			if _, err := netip.ParseAddr(v); err == nil {
				return nil, fmt.Errorf("%w: an address is personal", ErrBadEvent)
			}
		}
		return appendString(b, v), nil
	case int:
		return appendInt(b, int64(v))
	case int64:
		return appendInt(b, v)
	case int32:
		return appendInt(b, int64(v))
	case uint32:
		return appendInt(b, int64(v))
	case uint64:
		if v > maxSafe {
			return nil, fmt.Errorf("%w: a number beyond 2^53", ErrBadEvent)
		}
		return strconv.AppendUint(b, v, 10), nil
	case float64:
		return appendFloat(b, v)
	case map[string]any:
		b = append(b, '{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if k == "" {
				return nil, fmt.Errorf("%w: an empty name", ErrBadEvent)
			}
			if err := token(k, maxKey); err != nil {
				return nil, err
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			var err error
			if b, err = canonical(b, v[k], public, depth+1); err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
		}
		return append(b, '}'), nil
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = canonical(b, e, public, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case nil:
		return append(b, "null"...), nil
	}
	return viaJSON(b, v, public, depth)
}

// viaJSON takes any other type by the way encoding/json sees it.
func viaJSON(b []byte, v any, public bool, depth int) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadEvent, err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadEvent, err)
	}
	return canonical(b, plain, public, depth)
}

func appendInt(b []byte, n int64) ([]byte, error) {
	if n > maxSafe || n < -maxSafe {
		return nil, fmt.Errorf("%w: a number beyond 2^53", ErrBadEvent)
	}
	return strconv.AppendInt(b, n, 10), nil
}

func appendFloat(b []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%w: not a number", ErrBadEvent)
	}
	// From 1e21 on ECMAScript writes an exponent: such a number is no count.
	if f == math.Trunc(f) && math.Abs(f) < 1e21 {
		if math.Abs(f) > maxSafe {
			return nil, fmt.Errorf("%w: a number beyond 2^53", ErrBadEvent)
		}
		return strconv.AppendInt(b, int64(f), 10), nil
	}
	text, err := json.Marshal(f) // ECMAScript's form, as RFC 8785 asks
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadEvent, err)
	}
	return append(b, text...), nil
}

// IsToken tells whether s may stand as a string in Event.Data.
func IsToken(s string) bool {
	_, err := canonical(nil, s, true, 0)
	return err == nil
}

// token refuses text that could be prose, a name or an address of somebody.
func token(s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%w: longer than %d", ErrBadEvent, limit)
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("_.:+/=-", c) >= 0:
		default:
			return fmt.Errorf("%w: only letters, digits and _.:+/=- may stand in the public part", ErrBadEvent)
		}
	}
	return nil
}

// appendString writes s by RFC 8785 §3.2.2.2. What is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 0x20:
			b = append(b, c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, fmt.Sprintf(`\u%04x`, c)...)
		}
	}
	return append(b, '"')
}

// readObject reads canonical JSON back; whole numbers become int64.
func readObject(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	return numbers(m).(map[string]any), nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // a number beyond float64 reads as infinite; canonical writes none
		return f
	case map[string]any:
		for k, e := range v {
			v[k] = numbers(e)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = numbers(e)
		}
		return v
	}
	return v
}
