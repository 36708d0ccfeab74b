package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// start: both kinds of host, from their start to the code, their memory, and what
// the one with a window does while it waits.
func (r *rig) start() ([]Row, error) {
	rows := []Row{
		atMost("host: start to code (without window)", "s", r.codeTime.Seconds(), 2),
		atMost("host: RSS waiting (without window)", "MB", r.rss[0], 120),
		atMost("host: RSS in session (without window)", "MB", r.rss[1], 220),
	}
	began := time.Now()
	p, err := r.far.Run(r.ctx, r.files.Host, "--server", r.server.URL, "--lang", "en")
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Stop() }()
	if err := spoke(r.ctx, p); err != nil {
		return nil, err
	}
	code := time.Since(began)
	time.Sleep(5 * time.Second) // it gives back what starting took
	pids, err := family(p.Cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	sum := func(of func(int) (float64, error)) (all float64, err error) {
		for _, pid := range pids {
			v, err := of(pid)
			if err != nil {
				return 0, err
			}
			all += v
		}
		return all, nil
	}
	const watched = 20 * time.Second
	before, err := sum(cpuSeconds)
	if err != nil {
		return nil, err
	}
	time.Sleep(watched)
	after, err := sum(cpuSeconds)
	if err != nil {
		return nil, err
	}
	rss, err := sum(rssMB)
	if err != nil {
		return nil, err
	}
	rows = append(rows,
		atMost("host with its window: start to code", "s", code.Seconds(), 2),
		atMost("host with its window: RSS waiting", "MB", rss, 120),
		atMost("host with its window: CPU waiting", "% of a core", 100*(after-before)/watched.Seconds(), 0.5))
	rows[4].Note = fmt.Sprintf("%d processes", len(pids))
	return rows, nil
}

// spoke waits until a host's terminal has heard the code.
func spoke(ctx context.Context, p *stage.Process) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(p.Out.String(), "code") {
			return ctx.Err()
		}
	}
	return errors.New("the host with a window shows no code: " + p.Out.String())
}

// family is a process and its children.
func family(pid int) ([]int, error) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // each thread has its own
	if err != nil {
		return nil, err
	}
	pids := []int{pid}
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // the thread has ended
			return nil, err
		}
		for _, f := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(f)
			if err != nil {
				return nil, err
			}
			pids = append(pids, child)
		}
	}
	if len(pids) == 1 {
		return nil, errors.New("the window is no process of its own")
	}
	return pids, nil
}
