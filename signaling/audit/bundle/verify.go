package bundle

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// Trust is what somebody brings who does not take the folder's word for it.
type Trust struct {
	Key    string     // a verifier key of the log, of now or of before a rotation
	Ticket [][32]byte // roots from ticket notes
	// Authorities vouch for timestamp authorities; with them there must be a
	// timestamp. nil: none is asked for.
	Authorities *x509.CertPool
}

// ReadTicket finds the roots in the text of a ticket note, or in a root alone:
// 32 bytes in base64 that stand free.
func ReadTicket(text string) [][32]byte {
	var roots [][32]byte
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r > 'z' || !wordBytes[r] }) {
		if h, err := tlog.ParseHash(word); err == nil && len(word) == 44 && !slices.Contains(roots, [32]byte(h)) {
			roots = append(roots, h)
		}
	}
	return roots
}

// wordBytes are what a root and what it could be a part of consist of.
var wordBytes = func() (set ['z' + 1]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:" {
		set[c] = true
	}
	return set
}()

// Problem is one thing that is not what was signed.
type Problem struct {
	Name   string // the file, or "record 17" of it
	Detail string // for a person, in English
}

func (p Problem) String() string { return p.Name + ": " + p.Detail }

// Report is what Verify saw.
type Report struct {
	Origin  string
	Size    int64
	Root    [32]byte
	Created time.Time // of the export, by its own word
	// Signer tells whether the key in Trust vouches for all of it.
	Signer bool
	// Stamped is when a timestamp authority saw the checkpoint, by its own word;
	// StampProven tells that the Authorities in Trust vouch for it.
	Stamped     time.Time
	StampedBy   string
	StampProven bool
	// Ticket is how many records the roots in Trust vouch for; 0: none.
	Ticket                          int64
	Present, Withheld, Purged, None int64
	Policies                        map[string]int64 // purged personal parts by policy
	Rotations                       int
	Extra                           []string  // files that nobody signed; at most 10
	Problems                        []Problem // the first is the first; at most 20
	More                            bool
}

// OK tells whether nothing is wrong; Proven, that somebody outside vouches for it.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Proven tells whether what was brought vouches for it.
func (r *Report) Proven() bool { return r.OK() && (r.Signer || r.Ticket > 0) }

const (
	maxProblems = 20
	maxExtra    = 10
	maxWaiting  = 1 << 24 // purged sessions, and purged parts outside sessions, whose purge must still come
	maxPolicies = 256
)

// Verify holds the folder to its signature, and its signature to what is trusted.
// It reads everything once, in memory that grows only by a word for each session
// whose purge comes later in the log, and a hash for each. The error is about not being able to
// look; what is wrong stands in the Report.
func Verify(dir string, trust Trust) (Report, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Report{}, fmt.Errorf("bundle: %w", err)
	}
	defer func() { _ = root.Close() }()
	if trust.Key != "" {
		if _, err := note.NewVerifier(trust.Key); err != nil {
			return Report{}, fmt.Errorf("bundle: the key to trust: %w", err)
		}
	}
	v := &verifier{root: root, trust: trust, report: Report{Policies: map[string]int64{}}, want: map[[32]byte]bool{},
		sessions: map[string]*waiting{}}
	for _, t := range trust.Ticket {
		v.want[t] = true
	}
	if err := v.run(); err != nil {
		return Report{}, err
	}
	return v.report, nil
}

// errStop: no more can be said.
var errStop = errors.New("bundle: stopped")

type verifier struct {
	root   *os.Root
	trust  Trust
	report Report

	manifest manifest
	listed   bool // the manifest holds
	keys     []string
	key      string // that signed
	tree     tree
	point    audit.Tree // what the checkpoint vouches for

	chain    []string // keys as the leaves tell them
	want     map[[32]byte]bool
	sessions map[string]*waiting // purged parts whose purge has not come yet
	outside  []int64             // the same, outside sessions
}

type waiting struct{ first, n int64 }

// record is how a problem names one.
func record(index int64) string { return fmt.Sprintf("record %d", index) }

func (v *verifier) problem(name, format string, args ...any) {
	if len(v.report.Problems) >= maxProblems {
		v.report.More = true
		return
	}
	v.report.Problems = append(v.report.Problems, Problem{name, fmt.Sprintf(format, args...)})
}

func (v *verifier) run() error {
	err := v.frame()
	if err == nil {
		err = v.records()
	}
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	if err == nil {
		v.close()
	}
	return v.extra()
}

// frame reads what stands beside the records.
func (v *verifier) frame() error {
	files := map[string][]byte{}
	for _, name := range append([]string{manifestFile}, listed...) {
		if name == eventsFile {
			continue
		}
		b, err := v.read(name, maxSmall)
		if err != nil {
			v.problem(name, "%v", err)
			if name == manifestFile || name == checkpointFile || name == keysFile {
				return errStop
			}
			continue
		}
		files[name] = b
	}
	keysErr := v.readKeys(files[keysFile])
	if err := v.signatures(files[checkpointFile], files[manifestFile], keysErr); err != nil {
		return err
	}
	if v.listed {
		for _, name := range listed {
			if b, ok := files[name]; ok && sha256.Sum256(b) != v.manifest.sums[name] {
				v.problem(name, "is not the file that was signed in the manifest")
			}
		}
	}
	v.stamped(files[checkpointFile])
	if b, ok := files[pemFile]; ok {
		want, err := toPEM(v.key)
		if err != nil || !bytes.Equal(b, want) {
			v.problem(pemFile, "is not the key that signed")
		}
	}
	return nil
}

// stamped reads the timestamp, if there is one.
func (v *verifier) stamped(point []byte) {
	want, there := v.manifest.sums[stampFile]
	if !there || !v.listed {
		if v.trust.Authorities != nil {
			v.problem(stampFile, "there is none")
		}
		return
	}
	b, err := v.read(stampFile, maxStamp)
	if err != nil {
		v.problem(stampFile, "%v", err)
		return
	}
	s, err := readStamp(b, point)
	switch {
	case sha256.Sum256(b) != want:
		v.problem(stampFile, "is not the file that was signed in the manifest")
		return
	case err != nil:
		v.problem(stampFile, "%v", err)
		return
	}
	v.report.Stamped, v.report.StampedBy = s.at, s.by
	if v.trust.Authorities == nil {
		return
	}
	if err := s.prove(v.trust.Authorities); err != nil {
		v.problem(stampFile, "is not from an authority that you trust: %v", err)
		return
	}
	v.report.StampProven = true
}

// readKeys takes the list of keys, which must be exactly what was written.
func (v *verifier) readKeys(b []byte) error {
	text, ok := strings.CutSuffix(string(b), "\n")
	if !ok {
		return errors.New("is cut off")
	}
	name := ""
	for _, k := range strings.Split(text, "\n") {
		ver, err := note.NewVerifier(k)
		if err != nil {
			return fmt.Errorf("holds %.40q: %w", k, err)
		}
		if name != "" && ver.Name() != name {
			return errors.New("holds keys of two logs")
		}
		name = ver.Name()
		v.keys = append(v.keys, k)
	}
	return nil
}

// signatures finds the key that signed and what it signed, and says which of the
// three files is wrong if they do not fit.
func (v *verifier) signatures(point, list []byte, keysErr error) error {
	var candidates []string
	if keysErr == nil {
		candidates = slices.Clone(v.keys)
		slices.Reverse(candidates) // the last one is to be the first
	}
	if v.trust.Key != "" && !slices.Contains(candidates, v.trust.Key) {
		candidates = append(candidates, v.trust.Key)
	}
	if keysErr != nil {
		v.problem(keysFile, "%v", keysErr)
	}
	var pointErr, listErr error
	for i, key := range candidates {
		v.point, pointErr = audit.OpenCheckpoint(string(point), key)
		v.manifest, listErr = openManifest(list, key)
		if pointErr != nil && listErr != nil {
			continue
		}
		v.key, v.listed = key, listErr == nil
		if i > 0 && keysErr == nil {
			v.problem(keysFile, "its last key is not the one that signed")
		}
		break
	}
	switch {
	case v.key == "" && keysErr != nil:
		return errStop
	case v.key == "" && v.trust.Key != "" && !slices.Contains(v.keys, v.trust.Key):
		v.problem(checkpointFile, "is signed neither by the key you gave nor by one in %s: %v", keysFile, pointErr)
		return errStop
	case v.key == "":
		v.problem(keysFile, "none of its keys signed the checkpoint or the manifest: %v", pointErr)
		return errStop
	case pointErr != nil:
		v.problem(checkpointFile, "%v", pointErr)
		// The manifest still tells what there was.
		v.point = audit.Tree{Size: v.manifest.size, Root: v.manifest.root}
	case listErr != nil:
		v.problem(manifestFile, "%v", listErr)
	case v.manifest.size != v.point.Size || v.manifest.root != tlog.Hash(v.point.Root):
		v.problem(manifestFile, "lists another export than the checkpoint signs")
	}
	v.report.Origin, _, _ = strings.Cut(string(point), "\n")
	v.report.Size, v.report.Root, v.report.Created = v.point.Size, v.point.Root, v.manifest.created
	return nil
}

// open opens a file, and nothing that only looks like one: opening a pipe waits
// for ever.
func (v *verifier) open(name string) (*os.File, error) {
	name = filepath.FromSlash(name)
	info, err := v.root.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("is missing")
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return nil, errors.New("is no file")
	}
	f, err := v.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return f, nil
}

// read reads a small file whole.
func (v *verifier) read(name string, limit int64) ([]byte, error) {
	f, err := v.open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, errors.New("is longer than it can be")
	}
	return b, nil
}

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

// records reads events.jsonl and the tiles: one goroutine cuts lines, several
// check them a tile at a time, and this one puts the tree together in order.
func (v *verifier) records() error {
	f, err := v.open(eventsFile)
	if err != nil {
		v.problem(eventsFile, "%v", err)
		return errStop
	}
	defer func() { _ = f.Close() }()
	v.tree.full = v.tile

	workers := max(2, runtime.GOMAXPROCS(0))
	work := make(chan *batch, workers)
	order := make(chan *batch, 4*workers) // bounds what is in flight
	free := make(chan *batch, 6*workers)
	stop := make(chan struct{})
	sum := sha256.New()
	var readErr error
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	wg.Go(func() {
		defer close(work)
		defer close(order)
		readErr = cut(f, sum, v.point.Size, free, func(b *batch) bool {
			b.done = make(chan struct{})
			select {
			case order <- b:
			case <-stop:
				return false
			}
			work <- b // a worker takes it: they end only when this is closed
			return true
		})
	})
	for range workers {
		wg.Go(func() {
			for b := range work {
				v.check(b)
				close(b.done)
			}
		})
	}
	for b := range order {
		<-b.done
		if err := v.take(b); err != nil {
			return err
		}
		select {
		case free <- b:
		default:
		}
	}
	var bad lineError
	switch {
	case errors.As(readErr, &bad):
		v.problem(record(bad.index), "%s: %s", eventsFile, bad.what)
		return errStop
	case readErr != nil:
		return fmt.Errorf("bundle: reading %s: %w", eventsFile, readErr)
	}
	if err := v.tree.end(); err != nil {
		return err
	}
	if v.listed && [32]byte(sum.Sum(nil)) != v.manifest.sums[eventsFile] && v.report.OK() {
		v.problem(eventsFile, "is not the file that was signed in the manifest")
	}
	return nil
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

// take adds a batch to the tree, in order.
func (v *verifier) take(b *batch) error {
	stop := false
	for _, f := range b.found {
		v.problem(f.Name, "%s", f.Detail)
		stop = stop || f.stop
	}
	if stop {
		return errStop
	}
	for i, h := range b.hashes {
		r := &b.entries[i]
		at := b.n*tileSize + int64(i)
		if string(r.leaf.typ) == "log.key_rotated" {
			v.rotated(at, r)
		}
		if err := v.tree.push(h); err != nil {
			return err
		}
		v.count(at, r)
		if len(v.want) > 0 && string(r.leaf.typ) == "session.ended" {
			if root := [32]byte(v.tree.root()); v.want[root] {
				delete(v.want, root)
				v.report.Ticket = at + 1
			}
		}
	}
	return nil
}

// rotated follows the chain of keys.
func (v *verifier) rotated(at int64, r *entry) {
	name := record(at)
	k, err := audit.ReadRotation(r.leaf.data)
	switch {
	case err != nil:
		v.problem(name, "%v", err)
		return
	case k.Size != at || tlog.Hash(k.Root) != v.tree.root():
		v.problem(name, "it changes the key of another log")
	case len(v.chain) > 0 && v.chain[len(v.chain)-1] != k.Old:
		v.problem(name, "it changes the key from one that was not in force")
	}
	if len(v.chain) == 0 {
		v.chain = append(v.chain, k.Old)
	}
	if len(v.chain) < maxSmall {
		v.chain = append(v.chain, k.New)
	}
	v.report.Rotations++
}

// count follows what was purged to the purge that says so.
func (v *verifier) count(at int64, r *entry) {
	switch r.state {
	case string(audit.Present):
		v.report.Present++
	case withheld:
		v.report.Withheld++
	case string(audit.None):
		v.report.None++
	case string(audit.Purged):
		v.report.Purged++
		v.wait(at, string(r.leaf.session))
	}
	if string(r.leaf.typ) != "retention.purged" {
		return
	}
	d, err := audit.ReadPurge(r.leaf.data)
	if err != nil {
		v.problem(record(at), "%v", err)
		return
	}
	if s := string(r.leaf.session); s != "" {
		if w := v.sessions[s]; w != nil {
			v.policy(d.Why, w.n)
			delete(v.sessions, s)
		}
		return
	}
	v.outside = slices.DeleteFunc(v.outside, func(at int64) bool {
		if at < d.From || at > d.To {
			return false
		}
		v.policy(d.Why, 1)
		return true
	})
}

func (v *verifier) policy(why string, n int64) {
	if _, ok := v.report.Policies[why]; !ok && len(v.report.Policies) >= maxPolicies {
		why = "others"
	}
	v.report.Policies[why] += n
}

// wait notes a purged part until its purge comes.
func (v *verifier) wait(at int64, session string) {
	switch {
	case session == "" && len(v.outside) < maxWaiting:
		v.outside = append(v.outside, at)
	case session != "" && v.sessions[session] != nil:
		v.sessions[session].n++
	case session != "" && len(v.sessions) < maxWaiting:
		v.sessions[session] = &waiting{at, 1}
	default:
		v.problem(record(at), "more purged parts than can be followed")
	}
}

// tile holds a tile above the leaves to the tree. Those of the leaves were read
// with the lines.
func (v *verifier) tile(level int, n int64, hashes []tlog.Hash) error {
	if level == 0 {
		return nil
	}
	name := tilePath(level, n, len(hashes))
	b, err := v.read(name, int64(len(hashes)*tlog.HashSize))
	if err == nil && len(b) != len(hashes)*tlog.HashSize {
		err = errors.New("is cut off")
	}
	if err != nil {
		v.problem(name, "%v", err)
		return nil
	}
	for i := range hashes {
		if !bytes.Equal(hashes[i][:], b[i*tlog.HashSize:][:tlog.HashSize]) {
			below := int64(1) << (8 * level)
			first := (n*tileSize + int64(i)) * below
			v.problem(name, "records %d to %d are not those that were hashed together", first, first+below-1)
			return nil
		}
	}
	return nil
}

// close says what can be said once everything was read.
func (v *verifier) close() {
	if v.tree.root() != tlog.Hash(v.point.Root) && v.report.OK() {
		v.problem(checkpointFile, "the %d records are consistent with each other and are not those that were signed", v.tree.size)
	}
	first := int64(-1)
	least := func(at int64) {
		if first < 0 || at < first {
			first = at
		}
	}
	for _, w := range v.sessions {
		least(w.first)
	}
	for _, w := range v.outside {
		least(w)
	}
	if first >= 0 {
		v.problem(record(first), "its personal part is said to be purged, and no later purge says so: MISSING")
	}
	if len(v.chain) == 0 {
		v.chain = []string{v.key}
	}
	if !slices.Equal(v.chain, v.keys) && v.report.OK() {
		v.problem(keysFile, "does not list the keys that the log itself names")
	}
	if v.trust.Key != "" {
		v.report.Signer = slices.Contains(v.chain, v.trust.Key) && v.chain[len(v.chain)-1] == v.key
		if !v.report.Signer {
			v.problem(checkpointFile, "is not signed by the key you gave, nor by one that it vouched for")
		}
	}
	for _, t := range v.trust.Ticket {
		if v.want[t] {
			v.problem("ticket", "no session of this log ended with the root %s", base64.StdEncoding.EncodeToString(t[:]))
		}
	}
}

// extra looks for files that nobody signed. They prove nothing and harm nothing.
func (v *verifier) extra() error {
	_, stamped := v.manifest.sums[stampFile]
	known := map[string]bool{manifestFile: true, stampFile: stamped}
	for _, n := range listed {
		known[n] = true
	}
	err := fs.WalkDir(v.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !known[name] && !isTile(name, v.report.Size) && len(v.report.Extra) < maxExtra {
			v.report.Extra = append(v.report.Extra, name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

// isTile tells whether a path is one of a log of this size.
func isTile(name string, size int64) bool {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(name, "tile/"), "/")
	level := -1
	if kind != "entries" {
		var err error
		if level, err = strconv.Atoi(kind); err != nil || level < 0 || level > maxLevels {
			return false
		}
	}
	digits, _, _ := strings.Cut(rest, ".p/")
	n, err := strconv.ParseInt(strings.NewReplacer("x", "", "/", "").Replace(digits), 10, 64)
	hashes := size >> (8 * max(level, 0))
	if err != nil || n < 0 || n*tileSize >= hashes {
		return false
	}
	return name == tilePath(level, n, int(min(hashes-n*tileSize, tileSize)))
}
