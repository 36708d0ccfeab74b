package bundle

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// batch is the lines of one tile, and what a worker finds out about them.
type batch struct {
	n       int64    // tile
	lines   [][]byte // without newlines
	buf     []byte   // below lines
	hashes  []tlog.Hash
	entries []entry
	found   []finding // in order
	done    chan struct{}
}

// entry is what the order of records needs to know.
type entry struct {
	state string
	leaf  leaf
}

// finding is a Problem of a record, or of a file (index -1).
type finding struct {
	index int64
	Problem
	stop bool // what follows makes no sense
}

func (b *batch) problem(index int64, stop bool, name, format string, args ...any) {
	b.found = append(b.found, finding{index, Problem{name, fmt.Sprintf(format, args...)}, stop})
}

// lineError: a line that cannot be one.
type lineError struct {
	index int64
	what  string
}

func (e lineError) Error() string { return e.what }

// cut reads lines and hands them out, 256 at a time; exactly size lines, each
// with its newline.
func cut(f io.Reader, sum hash.Hash, size int64, free chan *batch, give func(*batch) bool) error {
	r := bufio.NewReaderSize(io.TeeReader(f, sum), 1<<20)
	var ends []int
	for at := int64(0); at < size; {
		var b *batch
		select {
		case b = <-free:
		default:
			b = &batch{}
		}
		*b = batch{n: at / tileSize, buf: b.buf[:0], lines: b.lines[:0], hashes: b.hashes[:0], entries: b.entries[:0]}
		ends = ends[:0]
		for len(ends) < tileSize && at < size {
			start := len(b.buf)
			for {
				part, err := r.ReadSlice('\n')
				b.buf = append(b.buf, part...)
				if err == nil {
					break
				}
				switch {
				case errors.Is(err, io.EOF) && len(b.buf) == start:
					return early(b, ends, give, lineError{at, fmt.Sprintf("is gone: the file ends after %d of %d", at, size)})
				case errors.Is(err, io.EOF):
					return early(b, ends, give, lineError{at, "is cut off"})
				case !errors.Is(err, bufio.ErrBufferFull):
					return err
				}
				if len(b.buf)-start > maxLine {
					return early(b, ends, give, lineError{at, "is longer than a line can be"})
				}
			}
			ends = append(ends, len(b.buf))
			at++
		}
		if !b.hand(ends, give) {
			return nil
		}
	}
	if _, err := r.ReadByte(); err == nil {
		return lineError{size, fmt.Sprintf("is one too many: %d were signed", size)}
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// early hands out what was read before a line that cannot be one.
func early(b *batch, ends []int, give func(*batch) bool, err error) error {
	if len(ends) > 0 {
		b.hand(ends, give)
	}
	return err
}

func (b *batch) hand(ends []int, give func(*batch) bool) bool {
	start := 0
	for _, end := range ends {
		b.lines = append(b.lines, b.buf[start:end-1])
		start = end
	}
	return give(b)
}

// check looks at one tile's lines: each against its entry and its hash. Of the
// three the two that agree are right, so that the third can be named; whether
// they are what was signed the root tells.
func (v *verifier) check(b *batch) {
	first := b.n * tileSize
	width := int(min(v.point.Size-first, tileSize))
	hashFile, entryFile := tilePath(0, b.n, width), tilePath(-1, b.n, width)
	stored, err := v.read(hashFile, int64(width*tlog.HashSize))
	if err == nil && len(stored) != width*tlog.HashSize {
		err = errors.New("is cut off")
	}
	if err != nil {
		stored = nil
		b.problem(-1, false, hashFile, "%v", err)
	}
	raw, err := v.read(entryFile, tileSize*(maxLeaf+2))
	var entries [][]byte
	if err == nil {
		entries, err = splitEntries(raw, width)
	}
	if err != nil {
		entries = nil
		b.problem(-1, false, entryFile, "%v", err)
	}
	for i, text := range b.lines {
		v.line(b, first+int64(i), text, i, stored, entries, hashFile, entryFile)
	}
}

// splitEntries takes a bundle apart, C2SP tlog-tiles.
func splitEntries(b []byte, width int) ([][]byte, error) {
	list := make([][]byte, 0, width)
	for range width {
		if len(b) < 2 {
			return nil, errors.New("is cut off")
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; len(b) < n {
			return nil, errors.New("is cut off")
		}
		list = append(list, b[:n:n])
		b = b[n:]
	}
	if len(b) != 0 {
		return nil, errors.New("holds more than its leaves")
	}
	return list, nil
}

func (v *verifier) line(b *batch, index int64, text []byte, i int, stored []byte, entries [][]byte, hashFile, entryFile string) {
	l, err := scanLine(text)
	var p leaf
	if err == nil {
		p, err = scanLeaf(l.leaf)
	}
	mine := tlog.RecordHash(l.leaf)
	var tiled, stands *tlog.Hash
	if stored != nil {
		h := tlog.Hash(stored[i*tlog.HashSize:][:tlog.HashSize])
		tiled = &h
	}
	if entries != nil {
		h := mine
		if err != nil || !bytes.Equal(entries[i], l.leaf) {
			h = tlog.RecordHash(entries[i])
		}
		stands = &h
	}
	is := func(h *tlog.Hash, what tlog.Hash) bool { return h != nil && *h == what }
	right := mine
	switch {
	case err != nil, !is(tiled, mine) && !is(stands, mine) && (tiled != nil || stands != nil):
		// Neither bears this line out.
		moved := err == nil && p.index != index
		switch {
		case err != nil:
			b.problem(index, false, record(index), "%s: the line is %v", eventsFile, err)
		case moved:
			b.problem(index, true, record(index), "%s: the line of record %d stands in its place", eventsFile, p.index)
		case tiled != nil && stands != nil && *tiled != *stands:
			b.problem(index, false, record(index), "%s, %s and %s all differ", eventsFile, entryFile, hashFile)
		default:
			b.problem(index, false, record(index), "%s: the event was changed", eventsFile)
		}
		if tiled != nil {
			right = *tiled
		} else if stands != nil {
			right = *stands
		}
		b.keep(right, entry{})
		return
	case tiled != nil && !is(tiled, mine):
		b.problem(index, false, hashFile, "the hash of record %d was changed", index)
	case stands != nil && !is(stands, mine):
		b.problem(index, false, entryFile, "the leaf of record %d was changed", index)
	}
	switch {
	case p.index != index:
		b.problem(index, false, record(index), "it says that it is record %d", p.index)
	default:
		v.personal(b, index, l, p)
	}
	// What the order needs outlives the buffer.
	r := entry{state: l.state, leaf: leaf{commit: p.commit, index: p.index, typ: p.typ, session: p.session, data: p.data}}
	b.keep(right, r)
}

func (b *batch) keep(h tlog.Hash, r entry) {
	b.hashes = append(b.hashes, h)
	b.entries = append(b.entries, r)
}

// personal holds a personal part to its commitment, and its state to the leaf.
func (v *verifier) personal(b *batch, index int64, l line, p leaf) {
	bad := func(format string, args ...any) {
		b.problem(index, false, record(index), eventsFile+": "+format, args...)
	}
	switch l.state {
	case string(audit.Present):
		salt, err := base64.StdEncoding.Strict().DecodeString(string(l.salt))
		commit, err2 := base64.StdEncoding.DecodeString(string(p.commit))
		switch {
		case l.personal == nil || err != nil || len(salt) != 32 || err2 != nil || p.commit == nil:
			bad("a personal part is said to be there and is not")
		case !bytes.Equal(audit.Commitment(salt, l.personal), commit):
			bad("the personal part is not the one that the leaf commits to")
		case v.listed && !v.manifest.personal:
			bad("it holds a personal part, which this export leaves out")
		}
	case string(audit.None), withheld, string(audit.Purged), string(audit.Missing):
		switch {
		case l.personal != nil:
			bad("a personal part is said to be %s and is there", l.state)
		case (l.state == string(audit.None)) != (p.commit == nil):
			bad("its state is %s, the leaf says otherwise", l.state)
		case l.state == withheld && v.listed && v.manifest.personal:
			bad("its personal part was taken out")
		case l.state == string(audit.Missing):
			bad("its personal part is MISSING, and no purge says so")
		}
	default:
		bad("%.20q is no state", l.state)
	}
}
