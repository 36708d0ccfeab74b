//go:build prove

package session_test

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const gigabyte = 1 << 30

// pattern fills b, whole words, with the bytes of a long file from an offset: the same
// wherever they are read, and no two pieces alike.
func pattern(b []byte, offset int) {
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], uint64(offset+i)*0x9E3779B97F4A7C15)
	}
}

// wholeSum is the hash of the whole file.
func wholeSum() []byte {
	sum, b := sha256.New(), make([]byte, 1<<20)
	for at := 0; at < gigabyte; at += len(b) {
		pattern(b, at)
		sum.Write(b)
	}
	return sum.Sum(nil)
}

// TestProveAGigabyteArrivesAfterThreeCuts: from the technician into the person's
// folder, over three lost connections, with an equal hash.
func TestProveAGigabyteArrivesAfterThreeCuts(t *testing.T) {
	r, m, _, dir := filesRig(t)
	r.allowOne(m.v, "file_in")
	var mu sync.Mutex
	acked, word := 0, make(chan *mfpb.FileMessage, 16)
	m.mu.Lock()
	m.taken = func(msg *mfpb.FileMessage) {
		if p := msg.GetProgress(); p != nil {
			mu.Lock()
			acked = int(p.GetOffset())
			mu.Unlock()
			return
		}
		word <- msg
	}
	m.mu.Unlock()
	next := func() *mfpb.FileMessage {
		select {
		case msg := <-word:
			return msg
		case <-time.After(patience):
			t.Fatal("the host says nothing")
			return nil
		}
	}
	began := time.Now()
	m.offer(1, entry(gigabyte, "long"))
	if a := next().GetAnswer(); a == nil || a.Refused != 0 {
		t.Fatalf("answered %v", a)
	}
	cuts := []int{gigabyte / 5, gigabyte / 2, gigabyte - 100_000}
	chunk := make([]byte, wire.MaxFileChunk)
	for at := 0; at < gigabyte; {
		for { // no more under way than a viewer would have
			mu.Lock()
			ahead := at - acked
			mu.Unlock()
			if ahead < 4<<20 {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
		n := min(len(chunk), gigabyte-at)
		pattern(chunk[:n], at)
		m.chunk(1, 0, at, chunk[:n])
		at += n
		if len(cuts) > 0 && at >= cuts[0] {
			cuts = cuts[1:]
			m.v.Cut()
			ok(t, m.v.Connect(ctx(t)))
			ok(t, m.v.WaitChannels(ctx(t)))
			m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Resume{Resume: &mfpb.FileResume{Id: 1}}})
			a := next().GetAnswer()
			if a == nil || a.Refused != 0 || int(a.Offset) > at {
				t.Fatalf("the host stands at %v, we at %d", a, at)
			}
			t.Logf("cut at %d, goes on at %d", at, a.Offset)
			at = int(a.Offset)
			mu.Lock()
			acked = at
			mu.Unlock()
		}
	}
	sum := wholeSum()
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: 1, Sha256: sum}}})
	if next().GetDone() == nil {
		t.Fatal("no word that it is whole")
	}
	t.Logf("%.1f MB/s", gigabyte/1e6/time.Since(began).Seconds())
	sameFile(t, filepath.Join(dir, "long"), sum)
}

func sameFile(t *testing.T, path string, sum []byte) {
	t.Helper()
	f, err := os.Open(path)
	ok(t, err)
	defer f.Close()
	got := sha256.New()
	if n, err := io.Copy(got, f); err != nil || n != gigabyte || string(got.Sum(nil)) != string(sum) {
		t.Errorf("%d bytes landed, %v, or with another hash", n, err)
	}
}

// TestProveAGigabyteIsGivenAfterThreeCuts: from the person to the technician.
func TestProveAGigabyteIsGivenAfterThreeCuts(t *testing.T) {
	r, m, _, _ := filesRig(t)
	r.allowOne(m.v, "file_out")
	path := filepath.Join(t.TempDir(), "long")
	f, err := os.Create(path)
	ok(t, err)
	b := make([]byte, 1<<20)
	for at := 0; at < gigabyte; at += len(b) {
		pattern(b, at)
		_, err := f.Write(b)
		ok(t, err)
	}
	ok(t, f.Close())

	g := &gatherer{sum: sha256.New(), cut: make(chan int, 1), over: make(chan []byte, 1), cuts: []int{gigabyte / 5, gigabyte / 2, gigabyte - 100_000}, m: m}
	m.mu.Lock()
	m.taken = g.hear
	m.mu.Unlock()
	began := time.Now()
	r.window.Say(ui.Command{Do: "give", Paths: []string{path}})
	for {
		select {
		case at := <-g.cut:
			t.Logf("cut at %d", at)
			m.v.Cut()
			ok(t, m.v.Connect(ctx(t)))
			ok(t, m.v.WaitChannels(ctx(t)))
		case theirs := <-g.over:
			t.Logf("%.1f MB/s", gigabyte/1e6/time.Since(began).Seconds())
			if got := g.sum.Sum(nil); string(got) != string(theirs) || string(got) != string(wholeSum()) {
				t.Error("another hash")
			}
			return
		case <-time.After(2 * time.Minute):
			t.Fatal("it does not go on")
		}
	}
}

// gatherer is a viewer that takes one file and keeps its hash.
type gatherer struct {
	m    *mover
	id   uint64
	at   int
	told int
	sum  hash.Hash
	cuts []int
	dead bool // until the next connection asks
	cut  chan int
	over chan []byte
}

func (g *gatherer) where() {
	g.m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: g.id, Offset: uint64(g.at)}}})
}

func (g *gatherer) hear(msg *mfpb.FileMessage) {
	switch b := msg.Body.(type) {
	case *mfpb.FileMessage_Offer:
		g.id = b.Offer.GetId()
		g.where()
	case *mfpb.FileMessage_Resume:
		g.dead = false
		g.told = g.at
		g.where()
	case *mfpb.FileMessage_Chunk:
		if g.dead || int(b.Chunk.GetOffset()) != g.at {
			return // of the connection that was cut
		}
		g.sum.Write(b.Chunk.GetContent())
		g.at += len(b.Chunk.GetContent())
		if g.at-g.told >= 128<<10 {
			g.told = g.at
			g.m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Progress{Progress: &mfpb.FileProgress{Id: g.id, Offset: uint64(g.at)}}})
		}
		if len(g.cuts) > 0 && g.at >= g.cuts[0] {
			g.cuts, g.dead = g.cuts[1:], true
			g.cut <- g.at
		}
	case *mfpb.FileMessage_Done:
		if !g.dead {
			g.over <- b.Done.GetSha256()
		}
	}
}
