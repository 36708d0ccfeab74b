//go:build prove

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/shape"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// soak is what docs/measured/soak.json holds.
type soak struct {
	Time    string   `json:"time"`
	Seed    uint64   `json:"seed"`
	Line    string   `json:"line"`
	Minutes float64  `json:"minutes"`
	Lost    uint64   `json:"packets_lost"`
	Packets uint64   `json:"packets"`
	Typed   int      `json:"characters_typed"`
	Clicks  int      `json:"clicks"`
	Moves   int      `json:"windows_moved"`
	Paints  int      `json:"pictures_painted"`
	Host    []uint64 `json:"host_rss_kb"` // one a minute
	Page    []uint64 `json:"page_rss_kb"` // all processes of the browser
}

// TestProveHalfAnHourOnALineThatLoses works for 30 minutes, or MAINFORTE_SOAK,
// at 2 % loss and 50 ms: typing, clicking, scrolling, dragging, doing nothing.
// Every minute the technician's picture must be the person's, pixel for pixel; in
// the end every character has arrived once and in order, no key or button is
// down, and neither the host nor the page has grown.
func TestProveHalfAnHourOnALineThatLoses(t *testing.T) {
	life := 30 * time.Minute
	if s := os.Getenv("MAINFORTE_SOAK"); s != "" {
		var err error
		if life, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	const rtt, loss = 50 * time.Millisecond, 0.02
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	w := newWorldFor(t, "en", life+5*time.Minute, screenWidth, screenHeight)
	record := soak{Time: time.Now().UTC().Format(time.RFC3339), Seed: seed, Line: fmt.Sprintf("%v round trip, %g %% loss", rtt, 100*loss)}

	typed := filepath.Join(t.TempDir(), "typed.txt")
	term, err := w.desktop.Run(w.ctx, "xterm", "-geometry", "70x10+10+30", "-u8", "-e",
		"sh", "-c", "stty -echo; while IFS= read -r line; do printf '%s\\n' \"$line\" >> "+typed+"; printf '%s\\n' \"$line\"; done")
	w.must(err)
	w.toSession("A long afternoon", "Zoé Côté")
	line, err := shape.Open(seed)
	w.must(err)
	t.Cleanup(func() { _ = line.Close() })
	w.must(line.Reach(strings.TrimPrefix(w.url, "http://")))
	w.file, err = line.Program(t.TempDir(), programs.Host)
	w.must(err)
	w.typeCode(w.startHost())
	w.answer("view", "allow")
	w.state("live")
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	line.Both(rtt, loss, 0)
	painter, err := stage.NewPainter(w.desktop.Display, 400, 250, 500, 380, seed)
	w.must(err)
	t.Cleanup(painter.Close)
	w.until("the terminal has the keyboard", func() bool {
		w.must(w.browser.ClickAt(w.on(100, 80)))
		time.Sleep(300 * time.Millisecond)
		focus, _ := w.desktop.Output(w.ctx, "xdotool", "getwindowfocus", "getwindowname")
		return strings.TrimSpace(string(focus)) == "sh"
	}, func() string { return term.Out.String() })
	var want strings.Builder
	work := []func(){
		func() { // a line of text
			for range 5 + rng.IntN(25) {
				r := rune("abcdefghijklmnopqrstuvwxyz 0123456789"[rng.IntN(37)])
				w.must(w.browser.Keys(string(r)))
				want.WriteRune(r)
				record.Typed++
				time.Sleep(time.Duration(10+rng.IntN(90)) * time.Millisecond)
			}
			w.must(w.browser.Keys("\r"))
			want.WriteRune('\n')
		},
		func() { // pictures and a scroll
			for range 1 + rng.IntN(30) {
				w.must(painter.Paint())
				record.Paints++
				time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
			}
		},
		func() { // a window is dragged
			x, y := 300+rng.IntN(200), 200+rng.IntN(100)
			dx, dy := rng.IntN(15)-7, rng.IntN(15)-7
			for range 10 + rng.IntN(30) {
				x, y = x+dx, y+dy
				w.must(painter.Move(x, y))
				record.Moves++
				time.Sleep(16 * time.Millisecond)
			}
			w.must(painter.Move(400, 250))
		},
		func() { // the pointer wanders and clicks, which the terminal takes as marking text
			for range 5 + rng.IntN(20) {
				at := w.on(20+rng.IntN(390), 60+rng.IntN(110))
				w.must(w.browser.Mouse("mouseMoved", at, false))
				if rng.IntN(4) == 0 {
					w.must(w.browser.ClickAt(at))
					record.Clicks++
				}
				time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
			}
		},
		func() { time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond) },
	}
	browser := chromedp.FromContext(w.browser.Context()).Browser.Process().Pid
	minute := time.Now()
	for end := time.Now().Add(life); time.Now().Before(end); {
		work[rng.IntN(len(work))]()
		if len(record.Host) == 0 || time.Since(minute) >= time.Minute {
			minute = time.Now()
			w.exact(fmt.Sprintf("minute-%02d", len(record.Host)))
			record.Host = append(record.Host, resident(t, w.host.Cmd.Process.Pid))
			record.Page = append(record.Page, resident(t, browser))
			record.Minutes = life.Minutes() - time.Until(end).Minutes()
		}
	}
	w.until("every character has arrived, once and in order", func() bool {
		got, _ := os.ReadFile(typed)
		return string(got) == want.String()
	}, func() string {
		got, _ := os.ReadFile(typed)
		return fmt.Sprintf("%d of %d bytes", len(got), want.Len())
	})
	w.until("no key and no button is down", func() bool { return nothingDown(t, w.desktop.Display) })
	w.exact("end")
	in, out := line.Counts()
	record.Lost, record.Packets = in.Lost+out.Lost, in.Packets+out.Packets
	if record.Lost == 0 {
		t.Error("the line lost nothing")
	}
	flat(t, "host", record.Host)
	flat(t, "page", record.Page)

	w.must(w.host.Say(ui.Command{Do: "stop"}))
	w.state("ended")
	b, err := json.MarshalIndent(record, "", "  ")
	w.must(err)
	t.Logf("%s", b)
	root, err := stage.Root(w.ctx)
	w.must(err)
	w.must(os.WriteFile(filepath.Join(root, "docs", "measured", "soak.json"), append(b, '\n'), 0o644))
}

// flat fails when memory grew: the last third against the second one, which begins
// when all caches are warm.
func flat(t *testing.T, what string, kb []uint64) {
	t.Helper()
	third := len(kb) / 3
	if third == 0 {
		t.Logf("%s: %d samples are too few to tell whether it grows", what, len(kb))
		return
	}
	median := func(v []uint64) uint64 {
		v = slices.Clone(v)
		slices.Sort(v)
		return v[len(v)/2]
	}
	before, after := median(kb[third:2*third]), median(kb[2*third:])
	if after > before+before/10 {
		t.Errorf("the %s grew from %d to %d kB", what, before, after)
	}
}

// resident is the memory of a process and all below it, kB.
func resident(t *testing.T, pid int) (kb uint64) {
	t.Helper()
	below := map[int][]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		// "PID (name, which may hold anything) state PPID ..."
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			below[parent] = append(below[parent], child)
		}
	}
	for all := []int{pid}; len(all) > 0; all = all[1:] {
		all = append(all, below[all[0]]...)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", all[0]))
		if err != nil {
			continue
		}
		if _, rss, ok := strings.Cut(string(status), "VmRSS:"); ok {
			n, _ := strconv.ParseUint(strings.Fields(rss)[0], 10, 64)
			kb += n
		}
	}
	if kb == 0 {
		t.Fatalf("process %d has no memory", pid)
	}
	return kb
}

// nothingDown asks the X server which keys and buttons are held.
func nothingDown(t *testing.T, display string) bool {
	t.Helper()
	c, err := stage.Dial(display)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	keys, err := xproto.QueryKeymap(c).Reply()
	if err != nil {
		t.Fatal(err)
	}
	pointer, err := xproto.QueryPointer(c, xproto.Setup(c).DefaultScreen(c).Root).Reply()
	if err != nil {
		t.Fatal(err)
	}
	const buttons = xproto.KeyButMaskButton1 | xproto.KeyButMaskButton2 | xproto.KeyButMaskButton3
	return !slices.ContainsFunc(keys.Keys, func(b byte) bool { return b != 0 }) && pointer.Mask&buttons == 0
}
