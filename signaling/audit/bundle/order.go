package bundle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

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
