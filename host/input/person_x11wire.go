//go:build linux

package input

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/jezek/xgb"
)

// xgb reads every event as 32 bytes, and those of XInput are longer: it would take
// the rest for messages. So they are taken out of the stream before xgb sees it.

const (
	x11Reply        = 1
	x11GenericEvent = 35
	maxGeneric      = 64 << 10 // bytes; the longest that XInput has is far below
)

// genericConn is the connection under an xgb.Conn, without generic events.
type genericConn struct {
	net.Conn
	r     *bufio.Reader
	begun bool
	rest  int // bytes of the present message that xgb has still to read
	event func([]byte)
	buf   []byte
}

func newGenericConn(c net.Conn, event func([]byte)) *genericConn {
	return &genericConn{Conn: c, r: bufio.NewReaderSize(c, 4096), event: event}
}

func (c *genericConn) Read(p []byte) (int, error) {
	for c.rest == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err := c.r.Read(p[:min(len(p), c.rest)])
	c.rest -= n
	return n, err
}

// next looks at the beginning of the next message.
func (c *genericConn) next() error {
	if !c.begun { // the answer to the connection setup
		b, err := c.r.Peek(8)
		if err != nil {
			return err
		}
		c.begun = true
		c.rest = 8 + 4*int(binary.LittleEndian.Uint16(b[6:]))
		return nil
	}
	b, err := c.r.Peek(32)
	if err != nil {
		return err
	}
	more := 4 * int(binary.LittleEndian.Uint32(b[4:]))
	switch {
	case b[0] == x11Reply:
		c.rest = 32 + more
	case b[0]&0x7f != x11GenericEvent:
		c.rest = 32
	case more > maxGeneric:
		return fmt.Errorf("input: an event of %d bytes", more)
	default:
		if len(c.buf) < 32+more {
			c.buf = make([]byte, 32+more)
		}
		if _, err := io.ReadFull(c.r, c.buf[:32+more]); err != nil {
			return err
		}
		c.event(c.buf[:32+more])
	}
	return nil
}

// dialGeneric connects to a display; event gets every generic event, on the
// connection's reader, and may not keep it.
func dialGeneric(display string, event func([]byte)) (*xgb.Conn, error) {
	quietXgb()
	if display == "" {
		display = os.Getenv("DISPLAY")
	}
	host, rest, ok := cutLast(display, ":")
	number, _, _ := strings.Cut(rest, ".")
	if n, err := strconv.Atoi(number); !ok || err != nil || n < 0 || strings.ContainsAny(host, "/") {
		return nil, fmt.Errorf("input: not an X display: %q", display)
	}
	var c net.Conn
	var err error
	if host == "" || host == "unix" {
		host = ""
		c, err = net.Dial("unix", "/tmp/.X11-unix/X"+number)
	} else {
		n, _ := strconv.Atoi(number)
		c, err = net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(6000+n)))
	}
	if err != nil {
		return nil, fmt.Errorf("input: connect to X display %q: %w", display, err)
	}
	cookie, err := xCookie(host, number)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("input: read the X authority file: %w", err), c.Close())
	}
	// Without a cookie xgb looks for one itself, finds none, and tries without.
	conn, err := xgb.NewConnNetWithCookieHex(newGenericConn(c, event), hex.EncodeToString(cookie))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("input: connect to X display %q: %w", display, err), c.Close())
	}
	return conn, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// xCookie is the display's MIT-MAGIC-COOKIE-1 from the authority file, or nil.
// Its format: Xau's README; family, then address, number, name and data, each
// with its length, big-endian.
func xCookie(host, number string) ([]byte, error) {
	name := os.Getenv("XAUTHORITY")
	if name == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, os.ErrNotExist
		}
		name = home + "/.Xauthority"
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return findCookie(io.LimitReader(f, 1<<20), host, number)
}

func findCookie(f io.Reader, host, number string) ([]byte, error) {
	const local, wild = 256, 65535
	if host == "" || host == "localhost" {
		var err error
		if host, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	r := bufio.NewReader(f)
	field := func() (string, error) {
		var n [2]byte
		if _, err := io.ReadFull(r, n[:]); err != nil {
			return "", err
		}
		b := make([]byte, binary.BigEndian.Uint16(n[:]))
		_, err := io.ReadFull(r, b)
		return string(b), err
	}
	for {
		var family [2]byte
		if _, err := io.ReadFull(r, family[:]); err == io.EOF {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		var fields [4]string
		for i := range fields {
			var err error
			if fields[i], err = field(); err != nil {
				return nil, err
			}
		}
		of := binary.BigEndian.Uint16(family[:])
		if (of == wild || of == local && fields[0] == host) && (fields[1] == "" || fields[1] == number) &&
			fields[2] == "MIT-MAGIC-COOKIE-1" && len(fields[3]) == 16 {
			return []byte(fields[3]), nil
		}
	}
}
