package pairing

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

// The disk is really full here: a small file system of its own, filled up to the
// last block in mid-session, and emptied again.
func TestADiskThatIsReallyFull(t *testing.T) {
	storetest.OnlySQLite(t, "the disk is filled where the file is")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a file system of its own needs the right to mount: %v", err)
	}
	// Registered first, so unmounted last, when the bench has closed its files.
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	b := newBenchIn(t, dir)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	h.acked(t, 1)

	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{64 << 10, 4 << 10, 1} {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, io.ErrShortWrite) {
					t.Fatal(err)
				}
				break
			}
		}
	}
	f.Close()

	// The log still has what room its files hold already; then it has none.
	for n := 0; !strings.Contains(b.output.String(), "it is tried again"); n++ {
		if n == 2000 {
			t.Fatal("the full disk was not noticed")
		}
		h.event("input.summary", "ok", `{"keys":1}`)
		time.Sleep(12 * time.Millisecond)
	}
	sent := h.seq
	other, w := b.host(), b.viewer("bob")
	b.store.full.Store(true) // only so that advance does not wait for the journal
	b.advance(31 * time.Second)
	b.store.full.Store(false)
	if want[*mfpb.End](t, v.peer).Reason != mfpb.Reason_REASON_LOG_UNAVAILABLE {
		t.Error("the viewer was told something else")
	}
	for {
		m, err := h.next(soon)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := bodyOf(m).(*mfpb.End); ok {
			if e.Reason != mfpb.Reason_REASON_LOG_UNAVAILABLE {
				t.Errorf("the host was told %v", e.Reason)
			}
			break
		}
	}
	// And no new session begins.
	other.paired(b.confirmed(other, w))
	wantEnd(t, other.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	wantEnd(t, w.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)

	h.close(mfpb.Reason_REASON_LOG_UNAVAILABLE)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	h.acked(t, sent)
	if r := b.ended(h.session); r.Reason != "LOG_UNAVAILABLE" {
		t.Errorf("ended with %s", r.Reason)
	}
	got := b.types(h.session)
	if n := strings.Count(got, "input.summary"); uint64(n) != sent-1 || strings.Contains(got, "log.gap") {
		t.Errorf("%d of %d events stand in the log: %s", n, sent-1, got)
	}
	if r, err := b.log.Verify(t.Context()); err != nil || !r.OK() {
		t.Errorf("the log does not verify: %+v %v", r, err)
	}
	b.notes(1)
}
