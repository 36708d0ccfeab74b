package session_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// mover is the technician's side of the channel files.
type mover struct {
	t *testing.T
	v *gopeer.Viewer

	mu    sync.Mutex
	heard []*mfpb.FileMessage
	read  int // of heard
	more  chan struct{}
	// taken, if set, hears every message instead of heard.
	taken func(*mfpb.FileMessage)
}

// filesRig is a host whose files land in a folder of the test's, a technician and the log.
func filesRig(t *testing.T) (*rig, *mover, *relay, string) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "chosen")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	m := &mover{t: t, more: make(chan struct{}, 1)}
	r := start(t, func(_ *rig, cfg *session.Config) { cfg.Downloads = func() string { return dir } })
	v, s := r.live(func(o *gopeer.Options) { o.Tool = m.tool })
	m.v = v
	return r, m, s, dir
}

func (m *mover) tool(channel uint16, b []byte) {
	if channel != wire.ChannelFiles {
		return
	}
	msg := new(mfpb.FileMessage)
	if err := wire.Decode(b, wire.MaxTool, msg); err != nil {
		m.t.Errorf("the host sent what is no message: %v", err)
		return
	}
	m.mu.Lock()
	taken := m.taken
	if taken == nil {
		m.heard = append(m.heard, msg)
	}
	m.mu.Unlock()
	if taken != nil {
		taken(msg)
		return
	}
	select {
	case m.more <- struct{}{}:
	default:
	}
}

// next is the host's next message; progress is left out.
func (m *mover) next() *mfpb.FileMessage {
	m.t.Helper()
	late := time.After(patience)
	for {
		m.mu.Lock()
		for m.read < len(m.heard) {
			msg := m.heard[m.read]
			m.read++
			if msg.GetProgress() == nil {
				m.mu.Unlock()
				return msg
			}
		}
		m.mu.Unlock()
		select {
		case <-m.more:
		case <-late:
			m.t.Fatal("the host says nothing about files")
		}
	}
}

func (m *mover) send(msg *mfpb.FileMessage) {
	m.t.Helper()
	b, err := proto.Marshal(msg)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.v.SendRaw(wire.ChannelFiles, b); err != nil {
		m.t.Log(err) // it was cut
	}
}

func (m *mover) offer(id uint64, files ...*mfpb.FileEntry) {
	m.t.Helper()
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Offer{Offer: &mfpb.FileOffer{Id: id, Files: files}}})
}

func (m *mover) chunk(id uint64, file, offset int, content []byte) {
	m.t.Helper()
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Chunk{Chunk: &mfpb.FileChunk{Id: id, File: uint32(file), Offset: uint64(offset), Content: content}}})
}

func (m *mover) done(id uint64, file int, content []byte) {
	m.t.Helper()
	sum := sha256.Sum256(content)
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: id, File: uint32(file), Sha256: sum[:]}}})
}

func entry(size int, path ...string) *mfpb.FileEntry {
	return &mfpb.FileEntry{Path: path, Size: uint64(size)}
}

// answered expects the host's answer to an offer.
func (m *mover) answered(id uint64, want mfpb.FileReason) {
	m.t.Helper()
	if a := m.next().GetAnswer(); a == nil || a.Id != id || a.Refused != want {
		m.t.Fatalf("the host answered %v, want %v", a, want)
	}
}

// allowOne lets the person allow a grant, and returns the question.
func (r *rig) allowOne(v *gopeer.Viewer, grant string) ui.Event {
	r.t.Helper()
	if err := v.Ask(grant); err != nil {
		r.t.Fatal(err)
	}
	q := r.window.Answer(r.t, grant, "allow")
	if err := v.WaitGrant(ctx(r.t), grant, gopeer.Allowed); err != nil {
		r.t.Fatal(err)
	}
	return q
}

// fileShown waits until the person is shown a transfer in a state.
func (r *rig) fileShown(state string) *ui.File {
	r.t.Helper()
	return r.window.WaitFor(r.t, "a transfer that is "+state, func(e ui.Event) bool { return e.Name == "file" && e.File.State == state }).File
}

// in is what is in a folder, by name.
func in(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			rel, _ := filepath.Rel(dir, path)
			all[filepath.ToSlash(rel)] = string(b)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// fileEvent waits for one line of the log.
func fileEvent(s *relay, kind string) map[string]any {
	s.t.Helper()
	e := s.event(kind)
	data := map[string]any{}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		s.t.Fatal(err)
	}
	return data
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8(sha256.Sum256([]byte{byte(seed), byte(seed >> 8)}))
	_, _ = rng.Read(b)
	return b
}

func TestATechniciansFilesLandInThePersonsFolder(t *testing.T) {
	r, m, s, dir := filesRig(t)
	if q := r.allowOne(m.v, "file_in"); q.Folder != dir || !strings.Contains(q.Text, "PUT FILES") {
		t.Errorf("the person is asked %q about %q", q.Text, q.Folder)
	}
	content := random(1, 300_000)
	m.offer(1, entry(len(content), "Docs", "../a.bin"), entry(0, "Docs", "empty"))
	m.answered(1, 0)
	for at := 0; at < len(content); at += wire.MaxFileChunk {
		m.chunk(1, 0, at, content[at:min(at+wire.MaxFileChunk, len(content))])
	}
	m.done(1, 0, content)
	m.done(1, 1, nil)
	sum := sha256.Sum256(content)
	if d := m.next().GetDone(); d == nil || !bytes.Equal(d.Sha256, sum[:]) {
		t.Fatalf("the host has %v", d)
	}
	if d := m.next().GetDone(); d == nil || d.File != 1 {
		t.Fatalf("the host has %v", d)
	}
	if f := r.fileShown("done"); f.Name != "Docs" || f.Done != f.Size || f.Way != "in" || f.Path != filepath.Join(dir, "Docs") {
		t.Errorf("the person sees %+v", f)
	}
	if got := in(t, dir); len(got) != 2 || got["Docs/_a.bin"] != string(content) {
		t.Errorf("the folder holds %d files", len(got))
	}
	if d := fileEvent(s, "file.received"); d["sha256"] != hex.EncodeToString(sum[:]) || d["size"] != float64(len(content)) || d["way"] != "in" || d["participant"] != "1" {
		t.Errorf("the log says %v", d)
	}
}

func TestThePersonChoosesAnotherFolder(t *testing.T) {
	r, m, _, dir := filesRig(t)
	other := t.TempDir()
	ok(t, m.v.Ask("file_in"))
	q := r.window.WaitFor(t, "a question", func(e ui.Event) bool { return e.Name == "ask" && e.Grant == "file_in" })
	r.window.Say(ui.Command{ID: q.ID, Answer: "allow", Folder: other})
	ok(t, m.v.WaitGrant(ctx(t), "file_in", gopeer.Allowed))
	m.offer(1, entry(1, "a"))
	m.answered(1, 0)
	m.chunk(1, 0, 0, []byte("x"))
	m.done(1, 0, []byte("x"))
	r.fileShown("done")
	if in(t, other)["a"] != "x" || len(in(t, dir)) != 0 {
		t.Error("the file landed elsewhere")
	}
}

// TestForgedFilesChangeNothing is C53, C54 and C57: without the grant no message on
// the channel writes or reads anything, whatever it says.
func TestForgedFilesChangeNothing(t *testing.T) {
	r, m, s, dir := filesRig(t)
	secret := filepath.Join(filepath.Dir(dir), "secret")
	ok(t, os.WriteFile(secret, []byte("no"), 0o644))
	m.offer(1, entry(1, "a"))
	m.answered(1, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
	m.chunk(1, 0, 0, []byte("x"))
	m.done(1, 0, []byte("x"))
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Resume{Resume: &mfpb.FileResume{Id: 1}}})
	m.answered(1, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2}}})
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Progress{Progress: &mfpb.FileProgress{Id: 2}}})
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: 2}}})
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Cancel{Cancel: &mfpb.FileCancel{Id: 2}}})
	m.send(&mfpb.FileMessage{Optional: true})
	// Nothing leaves, even if the person's window says so, before they allowed it.
	r.window.Say(ui.Command{Do: "give", Paths: []string{secret}})
	m.offer(3, entry(1, "b"))
	m.answered(3, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
	if got := in(t, filepath.Dir(dir)); len(got) != 1 {
		t.Errorf("files were made: %q", got)
	}
	if d := fileEvent(s, "file.refused"); d["reason"] != "NOT_ALLOWED" {
		t.Errorf("the log says %v", d)
	}
	// One way's grant is not the other's.
	r.allowOne(m.v, "file_out")
	m.offer(5, entry(1, "c"))
	m.answered(5, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
	r.window.Say(ui.Command{Do: "give", Paths: []string{secret}})
	if o := m.next().GetOffer(); o == nil || o.Id != 2 || len(o.Files) != 1 || o.Files[0].Path[0] != "secret" {
		t.Errorf("the host offers %v", o)
	}
}

// TestWhatIsOutOfOrderEndsTheSession: C54, C56.
func TestWhatIsOutOfOrderEndsTheSession(t *testing.T) {
	for name, say := range map[string]func(m *mover){
		"a chunk beyond the size":   func(m *mover) { m.chunk(1, 0, 0, []byte("xyz")) },
		"a chunk that is not next":  func(m *mover) { m.chunk(1, 0, 1, []byte("x")) },
		"a chunk of another file":   func(m *mover) { m.chunk(1, 7, 0, []byte("x")) },
		"an empty chunk":            func(m *mover) { m.chunk(1, 0, 0, nil) },
		"a chunk that is too large": func(m *mover) { m.chunk(1, 0, 0, make([]byte, wire.MaxFileChunk+1)) },
		"a file that is not whole":  func(m *mover) { m.done(1, 0, []byte("x")) },
		"an id of the host's":       func(m *mover) { m.offer(2, entry(1, "a")) },
		"an id again":               func(m *mover) { m.offer(1, entry(1, "a")) },
		"no file":                   func(m *mover) { m.offer(3) },
		"no name":                   func(m *mover) { m.offer(3, entry(1)) },
		"no body":                   func(m *mover) { m.send(&mfpb.FileMessage{}) },
	} {
		t.Run(name, func(t *testing.T) {
			r, m, _, dir := filesRig(t)
			r.allowOne(m.v, "file_in")
			m.offer(1, entry(2, "a"))
			m.answered(1, 0)
			say(m)
			if _, err := m.v.WaitEnd(ctx(t)); err != nil {
				t.Fatal(err)
			}
			r.window.Wait(t, "ended")
			if got := in(t, dir); len(got) != 0 {
				t.Errorf("left: %q", got)
			}
		})
	}
}

// TestAnOfferThatIsTooMuchIsRefused: C56.
func TestAnOfferThatIsTooMuchIsRefused(t *testing.T) {
	r, m, _, dir := filesRig(t)
	r.allowOne(m.v, "file_in")
	m.offer(1, &mfpb.FileEntry{Path: []string{"a"}, Size: 1 << 52})
	m.answered(1, mfpb.FileReason_FILE_REASON_NO_ROOM)
	if f := r.fileShown("failed"); !strings.Contains(f.Text, "room") {
		t.Errorf("the person reads %q", f.Text)
	}
	m.offer(3, &mfpb.FileEntry{Path: []string{"a"}, Size: 1<<64 - 1})
	m.answered(3, mfpb.FileReason_FILE_REASON_TOO_MANY)
	m.offer(5, entry(1, slices.Repeat([]string{"d"}, 20)...))
	m.answered(5, mfpb.FileReason_FILE_REASON_TOO_MANY)
	part := slices.Repeat([]*mfpb.FileEntry{entry(0, "x")}, 500)
	for i := range 6 {
		m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Offer{Offer: &mfpb.FileOffer{Id: 7, Files: part, More: i < 5}}})
	}
	m.answered(7, mfpb.FileReason_FILE_REASON_TOO_MANY)
	m.offer(9, entry(5, "a"))
	m.answered(9, 0)
	m.offer(11, entry(5, "b"))
	m.answered(11, mfpb.FileReason_FILE_REASON_BUSY)
	r.window.Say(ui.Command{Do: "stop"})
	r.window.Wait(t, "ended")
	if got := in(t, dir); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

// TestAnotherHashIsRemoved: C58.
func TestAnotherHashIsRemoved(t *testing.T) {
	r, m, s, dir := filesRig(t)
	r.allowOne(m.v, "file_in")
	m.offer(1, entry(1, "a"))
	m.answered(1, 0)
	m.chunk(1, 0, 0, []byte("x"))
	m.done(1, 0, []byte("y"))
	if c := m.next().GetCancel(); c.GetReason() != mfpb.FileReason_FILE_REASON_HASH {
		t.Errorf("the host said %v", c)
	}
	r.fileShown("failed")
	if d := fileEvent(s, "file.cancelled"); d["reason"] != "HASH" {
		t.Errorf("the log says %v", d)
	}
	if got := in(t, dir); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

// TestWhatIsTakenBackLeavesNothing: C59, for each way in which a transfer ends.
func TestWhatIsTakenBackLeavesNothing(t *testing.T) {
	for name, end := range map[string]func(r *rig, m *mover, id string){
		"revoked":   func(r *rig, _ *mover, _ string) { r.window.Say(ui.Command{Do: "revoke", Grant: "file_in"}) },
		"cancelled": func(r *rig, _ *mover, id string) { r.window.Say(ui.Command{Do: "cancel_file", ID: id}) },
		"stopped":   func(r *rig, _ *mover, _ string) { r.window.Say(ui.Command{Do: "stop"}) },
		"by the technician": func(_ *rig, m *mover, _ string) {
			m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Cancel{Cancel: &mfpb.FileCancel{Id: 1, Reason: mfpb.FileReason_FILE_REASON_HASH}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, m, s, dir := filesRig(t)
			r.allowOne(m.v, "file_in")
			m.offer(1, entry(100, "d", "a"))
			m.answered(1, 0)
			m.chunk(1, 0, 0, []byte("x"))
			f := r.window.WaitFor(t, "a running transfer", func(e ui.Event) bool { return e.Name == "file" && e.File.State == "running" }).File
			end(r, m, f.ID)
			r.fileShown("cancelled")
			m.chunk(1, 0, 1, []byte("y")) // on its way
			if d := fileEvent(s, "file.cancelled"); d["way"] != "in" {
				t.Errorf("the log says %v", d)
			}
			if got := in(t, filepath.Dir(dir)); len(got) != 0 {
				t.Errorf("left: %q", got)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
				t.Errorf("left: %v, %v", entries, err)
			}
		})
	}
}

// TestATransferGoesOnAfterCuts: a random file in random chunks over a connection that
// is cut again and again is the same file.
func TestATransferGoesOnAfterCuts(t *testing.T) {
	r, m, _, dir := filesRig(t)
	r.allowOne(m.v, "file_in")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	content := random(seed, 900_000+rng.IntN(100_000))
	m.offer(1, entry(len(content), "a"))
	m.answered(1, 0)
	at := 0
	for cuts := 0; at < len(content); {
		n := min(1+rng.IntN(wire.MaxFileChunk), len(content)-at)
		m.chunk(1, 0, at, content[at:at+n])
		at += n
		if cuts < 3 && rng.IntN(25) == 0 {
			cuts++
			m.v.Cut()
			ok(t, m.v.Connect(ctx(t)))
			ok(t, m.v.WaitChannels(ctx(t)))
			m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Resume{Resume: &mfpb.FileResume{Id: 1}}})
			a := m.next().GetAnswer()
			if a == nil || a.Refused != 0 || a.Offset > uint64(at) {
				t.Fatalf("the host stands at %v, we at %d", a, at)
			}
			at = int(a.Offset)
		}
	}
	m.done(1, 0, content)
	if d := m.next().GetDone(); d == nil {
		t.Fatal("no word that it is whole")
	}
	if in(t, dir)["a"] != string(content) {
		t.Error("another file has arrived")
	}
}

// TestThePersonsFilesReachTheTechnician: given files come whole, also over cuts.
func TestThePersonsFilesReachTheTechnician(t *testing.T) {
	r, m, s, _ := filesRig(t)
	r.allowOne(m.v, "file_out")
	from := t.TempDir()
	content := random(7, 6<<20) // more than the window
	ok(t, os.MkdirAll(filepath.Join(from, "folder", "sub"), 0o755))
	ok(t, os.WriteFile(filepath.Join(from, "folder", "big"), content, 0o644))
	ok(t, os.WriteFile(filepath.Join(from, "folder", "sub", "empty"), nil, 0o644))
	taker := &taker{m: m, cutAt: []int{200_000, 2_000_000, 5_000_000}, files: map[string][]byte{}, over: make(chan struct{})}
	m.mu.Lock()
	m.taken = taker.hear
	m.mu.Unlock()
	r.window.Say(ui.Command{Do: "give", Paths: []string{filepath.Join(from, "folder")}})
	select {
	case <-taker.over:
	case <-time.After(patience):
		t.Fatal("it did not arrive")
	}
	if !bytes.Equal(taker.files["folder/big"], content) || len(taker.files) != 2 {
		t.Errorf("%d files arrived, and not what was given", len(taker.files))
	}
	if f := r.fileShown("done"); f.Name != "folder" || f.Way != "out" {
		t.Errorf("the person sees %+v", f)
	}
	sum := sha256.Sum256(content)
	if d := fileEvent(s, "file.sent"); d["sha256"] != hex.EncodeToString(sum[:]) {
		t.Errorf("the log says %v", d)
	}
}

// taker receives what the host gives, and loses the connection where it is told to.
type taker struct {
	m     *mover
	cutAt []int // bytes of the present file
	offer *mfpb.FileOffer
	files map[string][]byte
	file  int
	now   []byte
	lost  bool
	over  chan struct{}
}

func (k *taker) hear(msg *mfpb.FileMessage) {
	where := func() {
		k.lost = false
		k.m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: k.offer.Id, File: uint32(k.file), Offset: uint64(len(k.now))}}})
	}
	switch b := msg.Body.(type) {
	case *mfpb.FileMessage_Offer:
		k.offer = b.Offer
		where()
	case *mfpb.FileMessage_Resume:
		where()
	case *mfpb.FileMessage_Chunk:
		if k.lost {
			return
		}
		if int(b.Chunk.File) != k.file || b.Chunk.Offset != uint64(len(k.now)) {
			k.m.t.Errorf("file %d at %d, want %d at %d", b.Chunk.File, b.Chunk.Offset, k.file, len(k.now))
			return
		}
		k.now = append(k.now, b.Chunk.Content...)
		if len(k.cutAt) > 0 && len(k.now) >= k.cutAt[0] {
			k.cutAt, k.lost = k.cutAt[1:], true
			go func() {
				k.m.v.Cut()
				if err := k.m.v.Connect(k.m.t.Context()); err != nil {
					k.m.t.Error(err)
				}
			}()
			return
		}
		k.m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Progress{Progress: &mfpb.FileProgress{Id: k.offer.Id, File: uint32(k.file), Offset: uint64(len(k.now))}}})
	case *mfpb.FileMessage_Done:
		if k.lost {
			return
		}
		sum := sha256.Sum256(k.now)
		if !bytes.Equal(sum[:], b.Done.Sha256) {
			k.m.t.Error("another hash")
		}
		k.files[strings.Join(k.offer.Files[k.file].Path, "/")] = k.now
		k.m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: k.offer.Id, File: uint32(k.file), Sha256: sum[:]}}})
		k.file, k.now = k.file+1, nil
		if k.file == len(k.offer.Files) {
			close(k.over)
		}
	}
}

// TestTakingBackStopsWhatGoesOut: C57, C59: after the person has taken file_out back
// nothing more leaves.
func TestTakingBackStopsWhatGoesOut(t *testing.T) {
	r, m, s, _ := filesRig(t)
	r.allowOne(m.v, "file_out")
	big := filepath.Join(t.TempDir(), "big")
	ok(t, os.WriteFile(big, random(9, 8<<20), 0o644))
	r.window.Say(ui.Command{Do: "give", Paths: []string{big}})
	r.window.Say(ui.Command{Do: "give", Paths: []string{big}})
	if o := m.next().GetOffer(); o == nil {
		t.Fatal("nothing was offered")
	}
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2}}})
	for m.next().GetChunk() == nil {
	}
	r.window.Say(ui.Command{Do: "revoke", Grant: "file_out"})
	for {
		msg := m.next()
		if c := msg.GetCancel(); c != nil {
			if c.Reason != mfpb.FileReason_FILE_REASON_NOT_ALLOWED {
				t.Errorf("cancelled with %v", c)
			}
			break
		}
	}
	if d := fileEvent(s, "file.cancelled"); d["way"] != "out" || d["reason"] != "NOT_ALLOWED" {
		t.Errorf("the log says %v", d)
	}
	m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 4}}})
	m.offer(1, entry(1, "a")) // the host has heard everything before it when it answers
	m.answered(1, mfpb.FileReason_FILE_REASON_NOT_ALLOWED)
}

// TestAFileThatChangesWhileItIsSentIsStopped says so on both sides.
func TestAFileThatChangesWhileItIsSentIsStopped(t *testing.T) {
	for name, c := range map[string]struct {
		change func(path string) error
		want   mfpb.FileReason
	}{
		"it grows":    {func(p string) error { return os.WriteFile(p, []byte("longer"), 0o644) }, mfpb.FileReason_FILE_REASON_CHANGED},
		"it vanishes": {os.Remove, mfpb.FileReason_FILE_REASON_GONE},
	} {
		t.Run(name, func(t *testing.T) {
			r, m, _, _ := filesRig(t)
			r.allowOne(m.v, "file_out")
			path := filepath.Join(t.TempDir(), "a")
			ok(t, os.WriteFile(path, []byte("x"), 0o644))
			r.window.Say(ui.Command{Do: "give", Paths: []string{path}})
			m.next()
			ok(t, c.change(path))
			m.send(&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 2}}})
			if got := m.next().GetCancel(); got.GetReason() != c.want {
				t.Errorf("the technician is told %v", got)
			}
			if f := r.fileShown("failed"); f.Text == "" || strings.HasPrefix(f.Text, "files.") {
				t.Errorf("the person reads %q", f.Text)
			}
			// The rest of the session goes on.
			r.paint(3, 3, 0x123456)
			r.sees(m.v, 3, 3, 0x123456)
		})
	}
}
