// Command bench is `task bench`: figures of a whole session on this machine.
//
// A host on one X server, Chromium in a real window on another, the server in
// between. Times run from the page's own event to the changed pixel on the
// technician's X screen (DAMAGE there), and, for moving pictures, from the pixel
// on the host's screen to the same pixel on the technician's. The load average
// is printed with the figures: a busy machine makes them worthless.
//
// Usage: bench [-json FILE] [-keys N] [-only NAME,…]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jezek/xgb"
)

// Row is one figure.
type Row struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"`
	Target float64 `json:"target,omitempty"` // DESIGN's figure; 0: none
	AtMost bool    `json:"at_most"`          // the target is an upper bound
	Note   string  `json:"note,omitempty"`
}

func (r Row) verdict() string {
	if r.Target == 0 {
		return ""
	}
	if (r.Value <= r.Target) == r.AtMost || r.Value == r.Target {
		return "reached"
	}
	return "MISSED"
}

type report struct {
	Time  string `json:"time"`
	Load  string `json:"load_average_before"`
	After string `json:"load_average_after"`
	Rows  []Row  `json:"rows"`
}

func main() {
	out := flag.String("json", "bin/bench.json", "file for the figures")
	keys := flag.Int("keys", 80, "keys and clicks to time")
	only := flag.String("only", "", "names of parts, with commas: latency,moving,quiet,start,server,wine")
	flag.Parse()
	xgb.Logger.SetOutput(io.Discard) // it says on each connection that there is no authority file
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *keys, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, keys int, only string) error {
	rep := report{Time: time.Now().UTC().Format(time.RFC3339), Load: load()}
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	parts := []struct {
		name string
		run  func() ([]Row, error)
	}{
		{"start", b.start},
		{"latency", func() ([]Row, error) { return b.latency(keys) }},
		{"moving", b.moving},
		{"quiet", b.quiet},
		{"server", b.idleHosts},
		{"wine", func() ([]Row, error) { return underWine(ctx) }},
	}
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", p.name)
		rows, err := p.run()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		rep.Rows = append(rep.Rows, rows...)
	}
	rep.After = load()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "what\tmeasured\tunit\tfigure to reach\t\t\n")
	for _, r := range rep.Rows {
		target := ""
		if r.Target != 0 {
			target = fmt.Sprintf("%s %g", map[bool]string{true: "≤", false: "≥"}[r.AtMost], r.Target)
		}
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\t%s\t%s\n", r.Name, r.Value, r.Unit, target, r.verdict(), r.Note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("load average %s before, %s after; 1920 × 1080\n", rep.Load, rep.After)
	data, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(data, '\n'), 0o644)
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

// percentile of sorted or unsorted values, p from 0 to 1.
func percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return s[min(len(s)-1, int(p*float64(len(s))))]
}
