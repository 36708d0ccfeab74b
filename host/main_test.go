package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"host": main,
		// The same app as somebody else may have called it.
		"mainforte-127.0.0.1":                main,
		"Mainforte-help.example.org (1).exe": main,
		// And an organisation's build.
		"Mainforte-evil.example.exe": func() { organisationServer = "help.example.org"; main() },
		"misbuilt":                   func() { organisationServer = "help desk"; main() },
	})
}

// TestScripts types at the app and reads what it says.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			s := helpDesk(t, "127.0.0.1")
			env.Defer(s.Close)
			other := helpDesk(t, "evil.example")
			env.Defer(other.Close)
			env.Setenv("SERVER", s.URL)
			env.Setenv("PORT", s.URL[strings.LastIndex(s.URL, ":")+1:])
			env.Setenv("OTHER", other.URL)
			for _, v := range []string{"DISPLAY", "LANG", "LC_ALL", "LC_MESSAGES"} {
				env.Setenv(v, "")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"talk": talk},
	})
}

// helpDesk is a server that gives nameplates under the name it is told.
func helpDesk(t *testing.T, name string) *httptest.Server {
	up := websocket.Upgrader{}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		say := func(m *mfpb.ServerToHost) {
			b, err := wire.Encode(m, wire.MaxFrame)
			if err != nil {
				t.Error(err)
			}
			_ = c.WriteMessage(websocket.BinaryMessage, b)
		}
		say(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Hello{Hello: wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_SERVER})}})
		say(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Welcome{Welcome: &mfpb.Welcome{PublicHost: name}}})
		for {
			_, b, err := c.ReadMessage()
			if err != nil {
				return
			}
			m := new(mfpb.HostMessage)
			if wire.Decode(b, wire.MaxFrame, m) == nil && m.GetPlateRequest() != nil {
				say(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Plate{Plate: &mfpb.Plate{Nameplate: "482"}}})
			}
		}
	}))
}

// talk FILE PROGRAM [ARG...] holds a conversation: a line "? REGEXP" waits for a
// line that the program says, "! TEXT" types one, "exit N" expects its end.
func talk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: talk file program [arg...]")
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = nil
	for _, v := range []string{"PATH", "HOME", "DISPLAY", "LANG", "LC_ALL"} {
		cmd.Env = append(cmd.Env, v+"="+ts.Getenv(v))
	}
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if p := filepath.Join(dir, args[1]); fileExists(p) {
			cmd.Path, cmd.Err = p, nil
			break
		}
	}
	stdin, err := cmd.StdinPipe()
	ts.Check(err)
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer func() {
		timer.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := make(chan string, 256)
	go func() {
		defer close(lines)
		for sc := bufio.NewScanner(stdout); sc.Scan(); {
			lines <- sc.Text()
		}
	}()
	var heard []string
	for _, step := range strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n") {
		verb, rest, _ := strings.Cut(step, " ")
		switch verb {
		case "?":
			re, err := regexp.Compile(rest)
			ts.Check(err)
			found := false
			for line := range lines {
				heard = append(heard, line)
				if found = re.MatchString(line); found {
					break
				}
			}
			if !found {
				ts.Fatalf("it never said %q; it said:\n%s", rest, strings.Join(heard, "\n"))
			}
		case "!":
			_, err := stdin.Write([]byte(rest + "\n"))
			ts.Check(err)
		case "exit":
			for line := range lines {
				heard = append(heard, line)
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); rest != string(rune('0'+got)) {
				ts.Fatalf("exit code %d, want %s; it said:\n%s", got, rest, strings.Join(heard, "\n"))
			}
		}
	}
}

func fileExists(p string) bool { _, err := os.Stat(p); return err == nil }

func TestTheGoodbyeIsReadBeforeTheAppLeaves(t *testing.T) {
	fault := errors.New("no server")
	for _, c := range []struct {
		opt       options
		isConsole bool
		err       error
		want      bool
	}{
		{options{}, false, nil, true},
		{options{}, false, fault, true}, // a window says what went wrong
		{options{}, true, nil, true},    // the window could not be opened
		{options{console: "words"}, true, nil, true},
		{options{console: "words"}, true, fault, false},
		{options{console: "json"}, true, nil, false},
		{options{console: "json", stay: true}, true, nil, true},
	} {
		if got := stays(c.opt, c.isConsole, c.err); got != c.want {
			t.Errorf("%+v, %v, %v: %v", c.opt, c.isConsole, c.err, got)
		}
	}
}

// saying hands on what a program writes, and lets a test wait for a word of it.
type saying struct {
	mu   sync.Mutex
	all  strings.Builder
	news chan struct{}
}

func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.all.Write(p)
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *saying) wait(t *testing.T, word string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		all := s.all.String()
		s.mu.Unlock()
		if strings.Contains(all, word) {
			return
		}
		select {
		case <-s.news:
		case <-late:
			t.Fatalf("it never said %q; it said:\n%s", word, all)
		}
	}
}

// TestOurOwnWindowIsKnownInEverySession is C30 and C82: the window says once which it
// is, and what is in it, and a session may read that; the next one is told.
func TestOurOwnWindowIsKnownInEverySession(t *testing.T) {
	heard := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-heard
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	given := make(chan session.Config, 2)
	newHost = func(cfg session.Config) *session.Host {
		given <- cfg
		cfg.Patience = time.Nanosecond // this server is never there
		return session.New(cfg)
	}
	defer func() { newHost = session.New }()
	in, type_ := io.Pipe()
	out, faults := &saying{news: make(chan struct{}, 1)}, &saying{news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"host", "--console=json", "--stay", "--lang", "en", "--server", server.URL}, &streams{in: in, out: out, err: faults})
	}()
	say := func(line string) {
		if _, err := io.WriteString(type_, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if cfg := <-given; len(cfg.Windows) > 0 || cfg.Near != "" {
		t.Errorf("the first session is told %x, %q", cfg.Windows, cfg.Near)
	}
	out.wait(t, `"hello"`)
	say(`{"window":"0x4d"}`)
	say(`{"near":"focus"}`)
	say(`{"do":"private","texts":["read"]}`) // answered when it has read what came before
	out.wait(t, `"private"`)
	close(heard)
	faults.wait(t, "host:")
	say(`{"window":"0x4e"}`) // between two sessions
	say(`{"near":"none"}`)
	say(`{"do":"again"}`)
	if cfg := <-given; !slices.Equal(cfg.Windows, []uint64{0x4d, 0x4e}) || cfg.Near != "none" {
		t.Errorf("the second session is told %x, %q", cfg.Windows, cfg.Near)
	}
	cancel()
	<-code
}

// TestHandsAreNothingElse: called as hands, the program opens no conversation.
func TestHandsAreNothingElse(t *testing.T) {
	var out, err bytes.Buffer
	s := standardStreams()
	s.in, s.out, s.err = strings.NewReader(""), &out, &err
	if code := run(t.Context(), []string{"host", "--hands", "mainforte-00000000000000000000000000000000"}, s); code != exitError || out.Len() > 0 || err.Len() == 0 {
		t.Errorf("it ended with %d and said %q, %q", code, out.String(), err.String())
	}
}
