package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/stun/v4"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/relay"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"signaling": main})
}

// The scripts in testdata read like a session at a terminal. $ADDR is a free
// address on loopback. Beside the usual commands they have
//
//	ready URL              wait until a server answers
//	get STATUS URL [CA]    fetch; the body goes to stdout
//	post STATUS URL JSON   post; the body goes to stdout
//	bearer FILE STATUS URL  fetch with the API token in a file
//	ulid FILE              take the first id in a file into $ID
//	socket URL             open /ws/host and keep it until `farewell`
//	trim FILE              take the token of the link in a file into $TOKEN
//	farewell               expect the server to say that it goes away
//	database               put the address of an empty PostgreSQL into $DATABASE
//	stun ADDR [CA]         expect the relay to answer on the port of the pages
func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("ADDR", l.Addr().String())
			return l.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "get": get, "post": post, "bearer": asProgram, "ulid": ulid, "socket": socket, "farewell": farewell, "trim": trim, "stun": askRelay,
			"database": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Setenv("DATABASE", storetest.Postgres(t).Database(t, ts.Getenv("WORK")))
			},
		},
	})
}

func ready(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(args[0] + "/healthz")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no answer: %v", err)
		}
	}
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	client := &http.Client{Timeout: 10 * time.Second}
	if len(args) > 2 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(ts.ReadFile(args[2]))) {
			ts.Fatalf("no certificate in %s", args[2])
		}
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	}
	var resp *http.Response
	var err error
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if resp, err = client.Get(args[1]); err == nil || neg || time.Now().After(deadline) {
			break
		}
	}
	if neg {
		if err == nil {
			ts.Fatalf("an answer came: %s", resp.Status)
		}
		return
	}
	show(ts, args[0], resp, err)
}

func post(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Post(args[1], "application/json", strings.NewReader(args[2]))
	show(ts, args[0], resp, err)
}

func asProgram(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest("GET", args[2], nil)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[0])))
	resp, err := http.DefaultClient.Do(req)
	show(ts, args[1], resp, err)
}

func ulid(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("ID", regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`).FindString(ts.ReadFile(args[0])))
}

func show(ts *testscript.TestScript, status string, resp *http.Response, err error) {
	if err != nil {
		ts.Fatalf("%v", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(ts.Stdout(), resp.Body); err != nil {
		ts.Fatalf("%v", err)
	}
	if want, err := strconv.Atoi(status); err != nil || resp.StatusCode != want {
		ts.Fatalf("%s, want %s", resp.Status, status)
	}
}

var lines sync.Map // open sockets by $ADDR

func socket(ts *testscript.TestScript, _ bool, args []string) {
	ws, _, err := websocket.DefaultDialer.Dial(args[0], nil)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	b, err := proto.Marshal(&mfpb.HostMessage{Body: &mfpb.HostMessage_Hello{Hello: wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_HOST})}})
	if err != nil {
		ts.Fatalf("%v", err)
	}
	if err := ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
		ts.Fatalf("%v", err)
	}
	line := make(chan string, 1)
	go func() {
		defer ws.Close()
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				line <- fmt.Sprint(err)
				return
			}
		}
	}()
	lines.Store(ts.Getenv("ADDR"), line)
}

func farewell(ts *testscript.TestScript, _ bool, args []string) {
	v, ok := lines.Load(ts.Getenv("ADDR"))
	if !ok {
		ts.Fatalf("no socket is open")
	}
	select {
	case got := <-v.(chan string):
		if !strings.Contains(got, "close 1001") {
			ts.Fatalf("the line ended with %s", got)
		}
	case <-time.After(6 * time.Second):
		ts.Fatalf("the line is still open")
	}
}

// askRelay asks for its own address, RFC 8489 §2; with ! nobody may answer.
func askRelay(ts *testscript.TestScript, neg bool, args []string) {
	c, err := net.DialTimeout("tcp", args[0], 5*time.Second)
	if err != nil {
		ts.Fatalf("%v", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		ts.Fatalf("%v", err)
	}
	if len(args) > 1 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(ts.ReadFile(args[1]))) {
			ts.Fatalf("no certificate in %s", args[1])
		}
		c = tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{relay.ALPN}})
	}
	if _, err := c.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
		ts.Fatalf("%v", err)
	}
	b := make([]byte, 20)
	_, err = io.ReadFull(c, b)
	if neg {
		if err == nil {
			ts.Fatalf("an answer came: %x", b)
		}
		return
	}
	if err != nil || b[0] != 1 || b[1] != 1 {
		ts.Fatalf("no answer: %x %v", b, err)
	}
}

// trim takes the token out of a printed link into $TOKEN.
func trim(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	i := strings.Index(text, "/signin/")
	if i < 0 {
		ts.Fatalf("no link in %q", text)
	}
	ts.Setenv("TOKEN", strings.Fields(text[i+len("/signin/"):])[0])
}

func TestPlainHTTPStaysOnLoopback(t *testing.T) {
	for listen, ok := range map[string]bool{
		"127.0.0.1:0": true, "[::1]:0": true, "localhost:0": true, "127.8.9.1:1": true,
		"0.0.0.0:80": false, ":80": false, "[::]:80": false, "192.0.2.1:80": false, "help.example.org:80": false, "[::ffff:192.0.2.1]:80": false,
		"127.0.0.1.evil.example:80": false, "nonsense": false,
	} {
		o := options{listen: listen, place: api.Place{Data: "data"}, grace: maxGrace}
		if _, err := o.check(); (err == nil) != ok {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

func TestBaseIsThePublicNameAndThePort(t *testing.T) {
	for _, c := range []struct {
		name   string
		secure bool
		port   int
		want   string
	}{
		{"127.0.0.1", false, 8080, "http://127.0.0.1:8080"},
		{"help.example.org", true, 443, "https://help.example.org"},
		{"help.example.org", true, 8443, "https://help.example.org:8443"},
		{"::1", false, 8080, "http://[::1]:8080"},
		{"2001:db8::1", true, 443, "https://[2001:db8::1]"},
	} {
		o := options{publicHost: c.name}
		if got := o.base(c.secure, &net.TCPAddr{IP: net.IPv4zero, Port: c.port}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestDownloadsLieBesideTheData(t *testing.T) {
	o := options{listen: "127.0.0.1:0", place: api.Place{Data: "/srv/mainforte/data/"}, grace: maxGrace}
	if _, err := o.check(); err != nil || o.downloads != "/srv/mainforte/downloads" {
		t.Errorf("%s %v", o.downloads, err)
	}
}

func TestWhereTheRelayAnswers(t *testing.T) {
	for _, c := range []struct {
		host   string
		secure bool
		want   string
	}{
		{"127.0.0.1", false, "127.0.0.1:0"},
		{"localhost", false, "localhost:0"},
		{"", true, ":3478"},
		{"0.0.0.0", true, ":3478"},
		{"::", true, ":3478"},
		{"help.example.org", true, ":3478"},
		{"192.0.2.1", true, "192.0.2.1:3478"},
		{"2001:db8::1", true, "[2001:db8::1]:3478"},
	} {
		var o turnOptions
		if err := o.check(c.host, c.secure); err != nil || o.listen != c.want {
			t.Errorf("%+v: %s, %v", c, o.listen, err)
		}
	}
}
