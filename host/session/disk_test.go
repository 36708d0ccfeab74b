package session_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// deadDisk is a disk that stands still in one kind of work until it is let go on.
type deadDisk struct {
	what  string
	at    chan struct{} // closed once it stands still
	on    chan struct{}
	first sync.Once
	again sync.Once
}

// stalls makes the host's disk stand still.
func (r *rig) stalls(what string) *deadDisk {
	d := &deadDisk{what: what, at: make(chan struct{}), on: make(chan struct{})}
	r.host.Stall(func(now string) {
		if now == d.what {
			d.first.Do(func() { close(d.at) })
			<-d.on
		}
	})
	r.t.Cleanup(d.goOn)
	return d
}

func (d *deadDisk) goOn() { d.again.Do(func() { close(d.on) }) }

func (d *deadDisk) stands(t *testing.T) {
	t.Helper()
	select {
	case <-d.at:
	case <-time.After(patience):
		t.Fatalf("the disk was never asked to %s", d.what)
	}
}

// TestADeadDiskKeepsNobodyFromStopping is P5 and C59: whatever the disk is at, what the
// person takes back is taken back, and they can stop; nothing of it is sent or kept.
func TestADeadDiskKeepsNobodyFromStopping(t *testing.T) {
	in1 := func(r *rig, m *mover, dir string) {
		r.allowOne(m.v, "file_in")
		m.offer(1, entry(1, "a"))
	}
	written := func(r *rig, m *mover, dir string) {
		in1(r, m, dir)
		m.answered(1, 0)
		m.chunk(1, 0, 0, []byte("x"))
	}
	given := func(r *rig, m *mover, dir string) {
		path := filepath.Join(filepath.Dir(dir), "theirs")
		ok(t, os.WriteFile(path, []byte("x"), 0o644))
		r.allowOne(m.v, "file_out")
		r.window.Say(ui.Command{Do: "give", Paths: []string{path}})
	}
	for _, c := range []struct {
		what, grant string
		begin       func(*rig, *mover, string)
	}{
		{"open", "file_in", in1},
		{"write", "file_in", written},
		{"finish", "file_in", func(r *rig, m *mover, dir string) {
			written(r, m, dir)
			m.done(1, 0, []byte("x"))
		}},
		{"remove", "file_in", func(r *rig, m *mover, dir string) {
			written(r, m, dir)
			m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Cancel{Cancel: &mfpb.FileCancel{Id: 1}}})
		}},
		{"list", "file_out", given},
		{"read", "file_out", func(r *rig, m *mover, dir string) {
			given(r, m, dir)
			m.next()
			m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2}}})
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			r, m, s, dir := filesRig(t)
			disk := r.stalls(c.what)
			c.begin(r, m, dir)
			disk.stands(t)
			r.window.Say(ui.Command{Do: "revoke", Grant: c.grant})
			ok(t, m.v.WaitGrant(ctx(t), c.grant, gopeer.Revoked))
			r.paint(3, 3, 0x123456) // nor does the picture wait
			r.sees(m.v, 3, 3, 0x123456)
			r.window.Say(ui.Command{Do: "stop"})
			r.window.Wait(t, "ended")
			disk.goOn()
			r.ended(m.v, s)
			if got := in(t, dir); len(got) != 0 {
				t.Errorf("left: %q", got)
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			if slices.ContainsFunc(m.heard, func(f *mfpb.FileMessage) bool { return f.GetChunk() != nil || f.GetDone() != nil }) {
				t.Error("something was sent after it was taken back")
			}
		})
	}
}

// ended waits for the end that the person asked for.
func (r *rig) ended(v *gopeer.Viewer, s *relay) {
	r.t.Helper()
	if why := must[mfpb.Reason](r.t)(v.WaitEnd(ctx(r.t))); why != mfpb.Reason_REASON_PERSON_STOPPED {
		r.t.Errorf("the viewer was told %v", why)
	}
	r.logged(s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// An app whose disk never answers again still leaves.
func TestADiskThatNeverAnswersDoesNotKeepTheApp(t *testing.T) {
	r, m, _, _ := filesRig(t)
	disk := r.stalls("write")
	r.allowOne(m.v, "file_in")
	m.offer(1, entry(1, "a"))
	m.answered(1, 0)
	m.chunk(1, 0, 0, []byte("x"))
	disk.stands(t)
	r.window.Say(ui.Command{Do: "quit"})
	_ = r.wait()
}

// What was read before the receiver's connection was lost is not sent after it came
// back and stands elsewhere.
func TestWhatWasReadForAnOldConnectionIsNotSent(t *testing.T) {
	r, m, _, _ := filesRig(t)
	r.allowOne(m.v, "file_out")
	path := filepath.Join(t.TempDir(), "a")
	ok(t, os.WriteFile(path, random(3, 2*wire.MaxFileChunk), 0o644))
	r.window.Say(ui.Command{Do: "give", Paths: []string{path}})
	m.next()
	where := &mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2}}}
	disk := r.stalls("read")
	m.send(where)
	disk.stands(t)
	m.v.Cut()
	ok(t, m.v.Connect(ctx(t)))
	if m.next().GetResume() == nil {
		t.Fatal("nobody was asked where it stands")
	}
	m.send(where)
	m.offer(1, entry(1, "x")) // the host has heard what came before it when it answers
	m.answered(1, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
	disk.goOn()
	for at := uint64(0); at < 2*wire.MaxFileChunk; { // in pieces as the line takes them
		c := m.next().GetChunk()
		if c == nil || c.Offset != at || len(c.Content) == 0 {
			t.Fatalf("the host sent %v, want a chunk at %d", c.GetOffset(), at)
		}
		at += uint64(len(c.Content))
	}
}

// TestAnAnswerAfterALostWordGoesOn: the receiver has a file whose last word was lost
// with the connection, and then loses the next one too.
func TestAnAnswerAfterALostWordGoesOn(t *testing.T) {
	for name, second := range map[string][]byte{"a file": []byte("xyz"), "an empty one": nil} {
		t.Run(name, func(t *testing.T) {
			r, m, _, _ := filesRig(t)
			r.allowOne(m.v, "file_out")
			dir := t.TempDir()
			paths := []string{filepath.Join(dir, "empty"), filepath.Join(dir, "second")}
			ok(t, os.WriteFile(paths[0], nil, 0o644))
			ok(t, os.WriteFile(paths[1], second, 0o644))
			r.window.Say(ui.Command{Do: "give", Paths: paths})
			m.next()
			m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2}}})
			if d := m.next().GetDone(); d == nil || d.File != 0 {
				t.Fatalf("the host sent %v", d)
			}
			for range 3 { // each time it has the first file, and nothing of the second
				m.v.Cut()
				ok(t, m.v.Connect(ctx(t)))
				for m.next().GetResume() == nil {
				}
				m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2, File: 1}}})
				for msg := m.next(); msg.GetDone() == nil; msg = m.next() {
					if msg.GetChunk() == nil {
						t.Fatalf("the host sent %v", msg)
					}
				}
			}
			r.paint(3, 3, 0x123456)
			r.sees(m.v, 3, 3, 0x123456)
		})
	}
}

// The list is long and the word that it is unknown is short: once a question.
func TestAListComesAgainOnceAQuestion(t *testing.T) {
	r, m, _, _ := filesRig(t)
	r.allowOne(m.v, "file_out")
	path := filepath.Join(t.TempDir(), "a")
	ok(t, os.WriteFile(path, []byte("x"), 0o644))
	r.window.Say(ui.Command{Do: "give", Paths: []string{path}})
	m.next()
	unknown := &mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2, Refused: mfpb.FileReason_FILE_REASON_UNKNOWN}}}
	m.send(unknown) // nobody asked
	m.v.Cut()
	ok(t, m.v.Connect(ctx(t)))
	if msg := m.next(); msg.GetResume() == nil {
		t.Fatalf("the host said %v", msg)
	}
	m.send(unknown)
	if msg := m.next(); msg.GetOffer() == nil {
		t.Fatalf("the host said %v", msg)
	}
	m.send(unknown)
	m.send(unknown)
	m.offer(1, entry(1, "a"))
	m.answered(1, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
}

// TestWhatIsNotAllowedIsNotEvenKept: C53, C56: nor what is too deep or too long.
func TestWhatIsNotAllowedIsNotEvenKept(t *testing.T) {
	r, m, _, _ := filesRig(t)
	part := func(id uint64, more bool, files ...*mfpb.FileEntry) {
		m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Offer{Offer: &mfpb.FileOffer{Id: id, Files: files, More: more}}})
	}
	heard := func() { // the host has heard all before it when it answers
		m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Resume{Resume: &mfpb.FileResume{Id: 99}}})
		m.answered(99, mfpb.FileReason_FILE_REASON_UNKNOWN)
	}
	part(1, true, slices.Repeat([]*mfpb.FileEntry{entry(1, "a")}, 100)...)
	heard()
	if n := r.host.Listed(); n > 1 {
		t.Errorf("%d files of an offer without the grant are kept", n)
	}
	r.allowOne(m.v, "file_in") // too late for that one
	part(1, false, entry(1, "b"))
	m.answered(1, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
	long := string(make([]byte, 1025))
	for i, bad := range []*mfpb.FileEntry{entry(1, slices.Repeat([]string{"d"}, 14)...), entry(1, "d", long)} {
		id := uint64(3 + 2*i)
		part(id, true, entry(1, "a"), bad, entry(1, "c"))
		heard()
		if n := r.host.Listed(); n != 1 {
			t.Errorf("%d files are kept", n)
		}
		part(id, false, entry(1, "d"))
		m.answered(id, mfpb.FileReason_FILE_REASON_TOO_MANY)
	}
	part(7, false, entry(1, slices.Repeat([]string{"d"}, 13)...))
	m.answered(7, 0)
}

// Messages of a connection that is another's, or nobody's, change nothing.
func TestWhatAnOldConnectionBroughtIsNotRead(t *testing.T) {
	r, m, _, dir := filesRig(t)
	r.allowOne(m.v, "file_in")
	m.offer(1, entry(2, "a"))
	m.answered(1, 0)
	for name, msg := range map[string]*mfpb.FileMessage{
		"a chunk":     {Body: &mfpb.FileMessage_Chunk{Chunk: &mfpb.FileChunk{Id: 1, Content: []byte("x")}}},
		"a wrong one": {Body: &mfpb.FileMessage_Chunk{Chunk: &mfpb.FileChunk{Id: 1, Offset: 1, Content: []byte("x")}}},
		"its end":     {Body: &mfpb.FileMessage_Cancel{Cancel: &mfpb.FileCancel{Id: 1}}},
		"a word":      {Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: 1}}},
		"an offer":    {Body: &mfpb.FileMessage_Offer{Offer: &mfpb.FileOffer{Id: 2, Files: []*mfpb.FileEntry{entry(1, "b")}}}},
		"an answer":   {Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2}}},
	} {
		b, err := proto.Marshal(msg)
		ok(t, err)
		if n, err := r.host.HearLate(b, false); err != nil || n != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.chunk(1, 0, 0, []byte("xy"))
	m.done(1, 0, []byte("xy"))
	if d := m.next().GetDone(); d == nil {
		t.Fatalf("the host said %v", d)
	}
	if got := in(t, dir); len(got) != 1 || got["a"] != "xy" {
		t.Errorf("the folder holds %q", got)
	}
	b, err := proto.Marshal(&mfpb.FileMessage{Body: &mfpb.FileMessage_Cancel{Cancel: &mfpb.FileCancel{Id: 1}}})
	ok(t, err)
	if n, err := r.host.HearLate(b, true); err != nil || n != 0 {
		t.Errorf("who is out has %d couriers, %v", n, err)
	}
}
