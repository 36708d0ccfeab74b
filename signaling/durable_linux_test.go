package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A server under load, its system calls written down by strace: whatever it
// acknowledged had been written to the log of pages before, and a sync of that
// log began after this writing and ended before the acknowledgement was sent.
func TestNothingIsAcknowledgedBeforeItIsSynced(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("%v: install strace (Debian: apt-get install strace)", err)
	}
	const clients, each = 8, 20
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	// This test is the server too, when it is called so; see TestMain.
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "signaling")
	if err := os.Symlink(me, program); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(strace, "-f", "-qq", "-y", "-s", "8192", "-o", trace, "-e", "signal=none",
		"-e", "trace=write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range",
		program, "serve", "--no-turn", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"))
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	link := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		for sc := bufio.NewScanner(errs); sc.Scan(); {
			fmt.Fprintln(&all, sc.Text())
			if s := strings.TrimSpace(sc.Text()); strings.Contains(s, "/signin/") {
				link <- s
			}
		}
		if err := cmd.Wait(); err != nil {
			ended <- fmt.Errorf("%w\n%s", err, all.Bytes())
			return
		}
		ended <- nil
	}()
	var base, token string
	select {
	case s := <-link:
		base, token, _ = strings.Cut(s, "/signin/")
	case err := <-ended:
		t.Fatalf("the server ended: %v", err)
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	call := func(path, body string) string {
		resp, err := client.Post(base+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return ""
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode/100 != 2 {
			t.Errorf("%s: %s, %v: %s", path, resp.Status, err, text)
		}
		return string(text)
	}
	call("/api/v1/signin/link", `{"token":"`+token+`","name":"Zoe","password":"correct horse battery"}`)
	link2, err := exec.Command(program, "admin", "link", "--role", "technician", "--data", filepath.Join(dir, "data"), "--base", base).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ = strings.Cut(strings.TrimSpace(string(link2)), "/signin/")
	call("/api/v1/signin/link", `{"token":"`+token+`","name":"Ann","password":"correct horse battery"}`)
	var wg sync.WaitGroup
	marker := func(c, i int) string { return fmt.Sprintf("durable-%d-%03d;", c, i) }
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				call("/api/v1/tickets", `{"subject":"`+marker(c, i)+`","requester":"","lang":"en"}`)
			}
		})
	}
	wg.Wait()
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("the server: %v", err)
	}
	calls := readTrace(t, trace)
	syncs := 0
	for _, s := range calls {
		if s.syncs() {
			syncs++
		}
	}
	for c := range clients {
		for i := range each {
			if why := acknowledged(calls, marker(c, i)); why != "" {
				t.Errorf("%s %s", marker(c, i), why)
			}
		}
	}
	t.Logf("%d acknowledged, %d syncs", clients*each, syncs)
}

// acknowledged says what is wrong with the way of a text from the log of pages to
// the client.
func acknowledged(calls []syscallLine, text string) string {
	written, sent := -1, -1
	for i, c := range calls {
		if !strings.Contains(c.text, text) {
			continue
		}
		switch {
		case c.onto("mainforte.db-wal") && written < 0:
			written = i
		case strings.Contains(c.text, "HTTP/1.1 201") && sent < 0:
			sent = i
		}
	}
	switch {
	case written < 0:
		return "was never written"
	case sent < 0:
		return "was never acknowledged"
	}
	for _, c := range calls[written:] {
		if c.syncs() && c.begin > calls[written].end && c.end < calls[sent].begin {
			return ""
		}
	}
	return "was acknowledged before it was synced"
}

// syscallLine is one system call: where in the trace it began and ended.
type syscallLine struct {
	text       string
	begin, end int
}

func (s syscallLine) onto(file string) bool {
	return strings.Contains(s.text[:min(len(s.text), 300)], "/"+file+">")
}

func (s syscallLine) syncs() bool {
	return strings.HasPrefix(s.text, "f") && strings.Contains(s.text, "sync(") && s.onto("mainforte.db-wal") && strings.HasSuffix(s.text, "= 0")
}

var traced = regexp.MustCompile(`^(\d+) +(.*)$`)

// readTrace puts together what strace writes in two halves when another thread
// comes between. The calls are in the order in which they began.
func readTrace(t *testing.T, path string) (calls []syscallLine) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]int{} // by thread, into calls
	for n, l := range strings.Split(string(b), "\n") {
		m := traced.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		thread, text := m[1], m[2]
		if rest, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
			open[thread] = len(calls)
			calls = append(calls, syscallLine{rest, n, 1 << 30})
			continue
		}
		if _, rest, ok := strings.Cut(text, " resumed>"); ok && strings.HasPrefix(text, "<... ") {
			if i, ok := open[thread]; ok {
				calls[i].text += rest
				calls[i].end = n
				delete(open, thread)
			}
			continue
		}
		calls = append(calls, syscallLine{text, n, n})
	}
	if len(calls) == 0 {
		t.Fatal("strace has written nothing")
	}
	return calls
}
