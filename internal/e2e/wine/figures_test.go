package wine

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkHostUnderWine is what the Windows host costs, as far as Wine can
// tell: how long until the code is shown, the memory before and in a session,
// and the share of a core while nobody does anything, in a session with the view
// granted. Wine's own server works for the host and is counted apart.
//
//	go test -run '^$' -bench HostUnderWine -benchtime 1x ./internal/e2e/wine
func BenchmarkHostUnderWine(b *testing.B) {
	size, err := os.Stat(host(b))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s := newScene(b, "en")
		s.toSession()
		began := time.Now()
		s.host, err = s.desktop.Start(s.ctx, host(b), "--server", s.url, "--lang", "en")
		s.must(err)
		b.Cleanup(s.host.Kill)
		code := ""
		for code == "" && time.Since(began) < time.Minute {
			code = regexp.MustCompile(`\d[\d ]{9,}\d`).FindString(s.host.Output())
			time.Sleep(2 * time.Millisecond)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-code")
		time.Sleep(3 * time.Second)
		b.ReportMetric(s.memory(), "MB-before")
		b.ReportMetric(s.busy(10*time.Second), "%-before")

		s.must(s.browser.Fill("#code", code))
		s.must(s.browser.Keys("\r"))
		s.press("ask.allow")
		s.state("live")
		s.exact("figures")
		time.Sleep(10 * time.Second) // what the start of a session takes is no idling
		const watched = 20 * time.Second
		server := s.serverTicks()
		b.ReportMetric(s.busy(watched), "%-idle")
		b.ReportMetric(float64(s.serverTicks()-server)/watched.Seconds(), "%-wineserver")
		b.ReportMetric(s.memory(), "MB-session")
		b.ReportMetric(float64(size.Size())/1e6, "MB-exe")
		load, err := os.ReadFile("/proc/loadavg")
		s.must(err)
		b.Logf("load average %s", load)
	}
}

// memory is what the host's process has of the machine's, in MB.
func (s *scene) memory() float64 {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.host.Cmd.Process.Pid))
	s.must(err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	s.must(err)
	return float64(kB) / 1000
}

// busy is the share of a core, in percent, that the host takes for a time.
func (s *scene) busy(d time.Duration) float64 {
	s.t.Helper()
	pid := s.host.Cmd.Process.Pid
	before := s.ticks(pid)
	time.Sleep(d)
	return float64(s.ticks(pid)-before) / d.Seconds()
}

// ticks is the processor time of a process in 1/100 s.
func (s *scene) ticks(pid int) int {
	s.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s.must(err)
	// "PID (name) state ...": user and system time are the 14th and 15th field.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	s.must(err)
	system, err := strconv.Atoi(fields[12])
	s.must(err)
	return user + system
}

// serverTicks is the processor time of this prefix's wineserver.
func (s *scene) serverTicks() int {
	s.t.Helper()
	processes, err := os.ReadDir("/proc")
	s.must(err)
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if strings.HasPrefix(string(name), "wineserver") && strings.Contains(string(env), "WINEPREFIX="+prefix.dir+"\x00") {
			return s.ticks(pid)
		}
	}
	s.t.Fatal("there is no wineserver")
	return 0
}
