// Command bench is `task bench`: figures of a whole session on this machine.
//
// A host on one X server, Chromium in a real window on another, the server in
// between. Times run from the page's own event to the changed pixel on the
// technician's X screen (DAMAGE there), and, for moving pictures, from the pixel
// on the host's screen to the same pixel on the technician's. For the bad lines
// the host runs behind one of ours (package shape). The load average is printed
// with the figures: a busy machine makes them worthless.
//
// docs/benchmarks.md describes workloads and method. Each part takes less than 90
// seconds; the figures of parts that did not run stay in the file as they were.
//
// Usage: bench [-json FILE] [-keys N] [-runs N] [-only NAME,…] [-programs DIR] [-list]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jezek/xgb"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// part is a group of figures that are measured together.
type part struct {
	name string
	what string
	rig  kind
	run  func(*rig) ([]Row, error)
}

// kind is what a part stands on.
type kind int

const (
	alone  kind = iota // no session
	near               // a session on one machine
	behind             // a session whose host is behind a line
)

func parts(keys int) []part {
	p := []part{
		{"start", "host: start to code, memory", near, (*rig).start},
		{"latency", "key and click → screen", near, func(r *rig) ([]Row, error) { return r.latency(keys) }},
		{"moving", "sprite, text scroll, window drag: frames, age, bytes, CPU", near, (*rig).moving},
		{"programs", "a page in Chromium, a window under openbox", near, (*rig).programs},
		{"video", "a film of 1080p", near, (*rig).video},
		{"quiet", "idle and typing", near, (*rig).quiet},
		{"hog", "keys beside busy loops", near, func(r *rig) ([]Row, error) { return r.underLoad(keys) }},
		{"two", "keys beside a second session in the same browser", near, func(r *rig) ([]Row, error) { return r.two(keys) }},
		{"first", "consent → first picture", near, (*rig).first},
		{"settle", "still pictures: until every pixel is exact", near, (*rig).settle},
		{"files", "a file each way over 20 Mbit/s, 40 ms round trip, and keys meanwhile", behind, func(r *rig) ([]Row, error) { return r.transfers(keys) }},
		{"settle4", "the same over 4 Mbit/s, 20 ms round trip", behind, (*rig).settleSlowly},
	}
	for _, l := range lines {
		p = append(p, part{l.name, l.what, behind, func(r *rig) ([]Row, error) { return r.badLine(l, keys) }})
	}
	return append(p,
		part{"events", "the session log on both databases", alone, (*rig).events},
		part{"server", "the server's memory for idle hosts", alone, (*rig).idleHosts},
		part{"wine", "the Windows host under Wine", alone, func(r *rig) ([]Row, error) { return underWine(r.ctx) }},
	)
}

func main() {
	out := flag.String("json", "bin/bench.json", "file for the figures; the samples go beside it")
	keys := flag.Int("keys", 200, "keys and clicks to time")
	runs := flag.Int("runs", 1, "how often each part runs: the figures are the medians")
	only := flag.String("only", "", "names of parts, with commas; none: all of them")
	programs := flag.String("programs", "", "folder with mainforte-host and mainforte-signaling; none: they are built")
	list := flag.Bool("list", false, "print the names of the parts")
	flag.Parse()
	xgb.Logger.SetOutput(io.Discard) // it says on each connection that there is no authority file
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *list {
		for _, p := range parts(*keys) {
			fmt.Printf("%-10s %s\n", p.name, p.what)
		}
		return
	}
	if err := run(ctx, options{*out, *only, *programs, *runs}, parts(*keys)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	out, only, programs string
	runs                int
}

func run(ctx context.Context, o options, all []part) (err error) {
	names := strings.FieldsFunc(o.only, func(r rune) bool { return r == ',' })
	for _, n := range names {
		if !slices.ContainsFunc(all, func(p part) bool { return p.name == n }) {
			return fmt.Errorf("no part is called %q; -list prints them", n)
		}
	}
	rep, err := readReport(o.out)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mainforte-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	files := stage.Programs{Host: filepath.Join(o.programs, "mainforte-host"), Signaling: filepath.Join(o.programs, "mainforte-signaling")}
	if o.programs == "" {
		if files, err = stage.Build(ctx, dir); err != nil {
			return err
		}
	}
	var r *rig
	defer func() { r.close() }()
	for _, p := range all {
		if names != nil && !slices.Contains(names, p.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", p.name)
		f := Figures{Part: p.name, Time: time.Now().UTC().Format(time.RFC3339), Load: load(), Runs: o.runs}
		var rows [][]Row
		for i := range o.runs {
			if r == nil || r.kind != p.rig || i > 0 && p.rig == near {
				r.close()
				sub := filepath.Join(dir, fmt.Sprintf("%s-%d", p.name, i))
				if r, err = newRig(ctx, sub, files, p.rig); err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
			}
			got, err := p.run(r)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			rows = append(rows, got)
		}
		f.After = load()
		f.Rows = medians(rows)
		rep.put(f)
		// What was measured is kept, whatever happens to the parts after it.
		if err := rep.write(o.out); err != nil {
			return err
		}
		if err := writeSamples(o.out, p.name, rows); err != nil {
			return err
		}
		f.print(os.Stdout)
	}
	return nil
}
