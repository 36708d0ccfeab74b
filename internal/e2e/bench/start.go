package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	// On a screen of its own, so that a session there leaves the other one as it is.
	desk, err := stage.StartDesktop(r.ctx, width, height)
	if err != nil {
		return nil, err
	}
	defer desk.Stop()
	began := time.Now()
	p, err := desk.Run(r.ctx, r.files.Host, "--server", r.server.URL, "--lang", "en")
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
	err = r.inWindow(desk, p, func() (err error) { rss, err = sum(rssMB); return err })
	if err != nil {
		return nil, err
	}
	return append(rows, atMost("host with its window: RSS in session", "MB", rss, 220)), nil
}

// inWindow does something in a session, in a tab of its own, with a host that has a
// window: the person says yes on the keyboard of their screen.
func (r *rig) inWindow(desk *stage.Desktop, host *stage.Process, do func() error) error {
	tab, err := r.browser.Tab()
	if err != nil {
		return err
	}
	defer tab.Close()
	other := &rig{ctx: r.ctx, browser: tab, ticket: r.ticket}
	hands, err := openHands(desk.Display)
	if err != nil {
		return err
	}
	defer hands.close()
	state := func(state string) func() error {
		return func() error {
			return tab.Wait(20*time.Second, fmt.Sprintf("%s?.state === %q", stage.Element("remote-session"), state))
		}
	}
	press := func(key byte) func() error {
		return func() error {
			time.Sleep(time.Second) // a question can be answered after a moment, and the focus moves a frame later
			return errors.Join(hands.press(key, false, true), hands.press(key, false, false))
		}
	}
	return steps(
		other.again,
		func() error { return tab.Fill("#code", codeDigits.FindString(host.Out.String())) },
		func() error { return tab.Keys("\r") },
		state("asking"),
		press(keyTab), press(keyReturn), // from no, which is the default, to yes
		state("live"),
		func() error { time.Sleep(5 * time.Second); return nil }, // the picture settles
		do,
		r.browser.Front,
	)
}

var codeDigits = regexp.MustCompile(`\d[\d ]{9,}\d`)

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
