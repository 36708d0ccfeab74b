package bundle

import (
	"encoding/base64"
	"errors"
	"strconv"
)

// A million lines are read with this instead of encoding/json, which would take
// most of the time of a verification. Its own tests hold it to encoding/json.

// errForm: the bytes are not of the one form that the log writes.
var errForm = errors.New("not of the form that the log writes")

// line is a line of events.jsonl. Its parts are within the line.
type line struct {
	leaf, personal, salt []byte // personal nil: none; salt in base64
	state                string
}

// leaf is what verifying needs of a leaf.
type leaf struct {
	commit  []byte // base64, nil: none
	data    []byte
	index   int64
	session []byte
	typ     []byte
}

// cursor reads forward through bytes of a fixed form.
type cursor struct {
	b   []byte
	bad bool
}

// lit takes a text that must stand here.
func (c *cursor) lit(s string) {
	if !c.try(s) {
		c.bad = true
	}
}

// try takes a text if it stands here.
func (c *cursor) try(s string) bool {
	if c.bad || len(c.b) < len(s) || string(c.b[:len(s)]) != s {
		return false
	}
	c.b = c.b[len(s):]
	return true
}

// token takes what stands before the closing quote; there is nothing escaped in it.
func (c *cursor) token() []byte {
	for i, x := range c.b {
		if x == '"' {
			t := c.b[:i]
			c.b = c.b[i+1:]
			return t
		}
		if x < 0x20 || x == '\\' {
			break
		}
	}
	c.bad = true
	return nil
}

// digits takes a whole number without sign or leading zero.
func (c *cursor) digits() int64 {
	i := 0
	for i < len(c.b) && '0' <= c.b[i] && c.b[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(string(c.b[:i]), 10, 64)
	if err != nil || i > 1 && c.b[0] == '0' {
		c.bad = true
		return 0
	}
	c.b = c.b[i:]
	return n
}

// object takes everything to the brace that closes the one that stands here.
func (c *cursor) object() []byte {
	if c.bad || len(c.b) == 0 || c.b[0] != '{' {
		c.bad = true
		return nil
	}
	depth := 0
	for i := 0; i < len(c.b); i++ {
		switch c.b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				o := c.b[:i+1]
				c.b = c.b[i+1:]
				return o
			}
		case '"':
			for i++; i < len(c.b) && c.b[i] != '"'; i++ {
				if c.b[i] == '\\' {
					i++
				}
			}
		}
	}
	c.bad = true
	return nil
}

// scanLine takes a line apart, without its newline.
func scanLine(b []byte) (l line, err error) {
	c := cursor{b: b}
	c.lit(`{"leaf":`)
	l.leaf = c.object()
	if c.try(`,"personal":`) {
		l.personal = c.object()
		c.lit(`,"salt":"`)
		l.salt = c.token()
	}
	c.lit(`,"state":"`)
	l.state = string(c.token())
	c.lit(`}`)
	if c.bad || len(c.b) != 0 {
		return line{}, errForm
	}
	return l, nil
}

// scanLeaf reads a leaf in the fixed order of its members.
func scanLeaf(b []byte) (l leaf, err error) {
	c := cursor{b: b}
	c.lit(`{"actor":{"kind":"`)
	c.token()
	c.lit(`,"ref":"`)
	c.token()
	c.lit(`},`)
	if c.try(`"commit":"`) {
		l.commit = c.token()
		c.lit(`,`)
		if len(l.commit) != 44 {
			c.bad = true
		}
	}
	c.lit(`"data":`)
	l.data = c.object()
	c.lit(`,"id":"`)
	c.token()
	c.lit(`,"index":`)
	l.index = c.digits()
	c.lit(`,"mono_ms":`)
	c.digits()
	c.lit(`,"origin":"`)
	c.token()
	c.lit(`,"outcome":"`)
	c.token()
	c.lit(`,"session":"`)
	l.session = c.token()
	c.lit(`,"t":"`)
	c.token()
	c.lit(`,"ticket":"`)
	c.token()
	c.lit(`,"type":"`)
	l.typ = c.token()
	c.lit(`,"v":1}`)
	if c.bad || len(c.b) != 0 {
		return leaf{}, errForm
	}
	return l, nil
}

// appendLine writes a line of events.jsonl, with its newline.
func appendLine(b []byte, l line, salt []byte) []byte {
	b = append(append(b, `{"leaf":`...), l.leaf...)
	if l.personal != nil {
		b = append(append(b, `,"personal":`...), l.personal...)
		b = append(b, `,"salt":"`...)
		b = base64.StdEncoding.AppendEncode(b, salt)
		b = append(b, '"')
	}
	b = append(append(b, `,"state":"`...), l.state...)
	return append(b, "\"}\n"...)
}
