// The host is the app that the assisted person runs once: it shows a code, asks
// before anything is seen or touched, and ends without a trace.
//
//	host [--server ADDRESS] [--lang en|fr] [--ca FILE] [--console|--console=json] [--stay] [--show-configuration] [--version]
//	host --come-back [--console|--console=json]
//
// Without --server the address is asked for; if the file's own name holds one
// (mainforte-help.example.org), that is offered, as a hint. Whichever way a server
// was named, the person is first asked whether they called it, unless it is on
// this computer. An organisation's build has its server compiled in, calls no
// other, and need not ask. No flag and no file allows anything in advance: only
// the person does, in the window or on the console. See host/session for what
// happens then.
//
// --hands is what a host says that starts this program once more with an administrator's
// rights: it is hands then, and nothing else (host/raise).
//
// --come-back is what the start entry of host/comeback says, once, after a restart that
// a session may go on after: the app takes what it kept once its window is open, and
// asks. Where nothing is kept it ends. An app that the person starts by hand before takes it as well, if the
// system was restarted since it was kept.
//
// On Windows it is a windowed program: --console opens a console of its own,
// unless its streams were redirected; they are then used as they are, so that
// other programs can speak with it.
//
// It exits with 0 when the session or the person ended it, 1 when there could
// be no session, 2 when it was called wrongly.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"image"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/raise"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// patience is how long a server is tried that never answered.
const patience = 20 * time.Second

// console is the --console flag: absent, words, or json.
type console string

func (c *console) String() string   { return string(*c) }
func (c *console) IsBoolFlag() bool { return true }
func (c *console) Set(s string) error {
	switch s {
	case "true":
		*c = "words"
	case "false":
		*c = ""
	case "words", "json":
		*c = console(s)
	default:
		return errors.New("want --console or --console=json")
	}
	return nil
}

// newHost is session.New; a test looks at what it is given.
var newHost = session.New

// windowHere is openWindow; a test has none, or one that is open already.
var windowHere = openWindow

type options struct {
	server  *url.URL
	lang    string
	tls     *tls.Config
	pem     []byte // the authority in tls, if it is not the system's
	console console
	verbose bool

	showConfiguration bool
	langTyped         bool
	ca                string
	stay              bool
	comeBack          bool
}

func main() {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go heed(signals, stop)
	s := standardStreams()
	code := run(ctx, os.Args, s)
	s.close(code)
	os.Exit(code)
}

func run(ctx context.Context, args []string, s *streams) int {
	if len(args) == 3 && args[1] == raise.Argument {
		return hands(args[2], s)
	}
	opt, code, done := parse(args, s.out, s.err)
	if done {
		return code
	}
	if opt.showConfiguration {
		if err := opt.configuration(args[0]).write(s.out); err != nil {
			return exitError
		}
		return exitOK
	}
	waits := waits(&opt)
	if !waits && opt.comeBack {
		return exitOK // once is enough
	}
	if !waits {
		sweep()
	}
	texts := ui.Load(opt.lang)
	window, isConsole, code := open(ctx, opt, texts, s)
	if window == nil {
		return code
	}
	defer window.Close()
	var back *session.Return
	var sorry string
	if waits { // taken by an app that runs: one that cannot leaves it for the next
		if back, sorry = comeBack(&opt); back == nil && sorry == "" && opt.comeBack {
			return exitOK // another one was faster
		}
	}
	talk := &conversation{window: window, texts: texts, hint: hint(args[0])}
	if sorry != "" {
		window.Show(ui.Event{Name: "error", Text: texts.T(sorry)})
		if isConsole || !talk.again(ctx, nil) {
			return exitError
		}
	}
	called := map[string]bool{} // servers that the person said they had called

	log := slog.New(slog.DiscardHandler)
	if opt.verbose {
		log = slog.New(slog.NewTextHandler(s.err, nil))
	}
	server := opt.server
	for {
		if server == nil {
			if server = talk.askServer(ctx); server == nil {
				return exitOK
			}
		}
		host := newHost(session.Config{
			Server: server, Unknown: back == nil && !known(server) && !called[server.Host], Lang: texts.Lang, Window: window,
			OpenDesktop: desktopFor(isConsole), OpenPerson: openPerson, OpenClipboard: openClipboard(), OpenOverlay: overlayHere(),
			Shot:       func(ctx context.Context) (*image.RGBA, error) { return capture.Shot(ctx, "") },
			OpenReturn: openReturn(opt, isConsole), Return: back, Raise: raiseHere(),
			TLS: opt.tls, Patience: patience, Windows: talk.windows, Near: talk.near, Software: "mainforte-host/" + versionText(), Log: log,
		})
		back = nil
		err := host.Run(ctx)
		talk.windows, talk.near = host.Own() // it reads the one window's words while it runs
		if errors.Is(err, session.ErrQuit) {
			return exitOK
		}
		if errors.Is(err, session.ErrNotCalled) {
			if !isConsole {
				talk.next(ctx, "") // the person reads what to do, and leaves
			}
			return exitOK
		}
		if err != nil {
			fmt.Fprintln(s.err, "host:", err)
		}
		called[server.Host] = err == nil
		switch {
		case err != nil && opt.server == nil && errors.Is(err, session.ErrServer) && ctx.Err() == nil:
			talk.why = texts.T("error.no_server", "server", server.Host)
			server = nil // perhaps it was mistyped
		case stays(opt, isConsole, err) && talk.again(ctx, host.Goodbye()): // it stays for the person to read
		case err != nil:
			return exitError
		default:
			return exitOK
		}
	}
}

// stays tells whether the app goes on when a run is over, for the person to read, keep
// and answer: a window always, words after a session; a program says that it wants to.
func stays(opt options, isConsole bool, err error) bool {
	return !isConsole || opt.stay || opt.console != "json" && err == nil
}

// known tells whether a server needs no first question: it is the one that an
// organisation's build was made for, or on this computer. An address that somebody
// typed, passed or put into a file's name needs it.
func known(server *url.URL) bool { return organisationServer != "" || session.Local(server) }

// parse reads the command line; done tells that there is nothing more to do.
func parse(args []string, stdout, stderr io.Writer) (opt options, code int, done bool) {
	f := flag.NewFlagSet("host", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: host [--server ADDRESS] [--lang en|fr] [--ca FILE] [--console|--console=json] [--stay] [--show-configuration] [--version]")
		f.PrintDefaults()
	}
	address := f.String("server", "", "the help desk to call: `help.example.org`")
	lang := f.String("lang", "", "`en` or fr; otherwise the system's language")
	f.BoolVar(&opt.comeBack, "come-back", false, "go on once with the session that may go on after a restart; the app's own start entry says so")
	ca := f.String("ca", "", "a PEM `file` with the authority that signed the server's certificate, instead of the system's")
	show := f.Bool("version", false, "print the version and exit")
	f.BoolVar(&opt.showConfiguration, "show-configuration", false, "print what this program would go by, and where it has it from, as JSON, and exit")
	f.BoolVar(&opt.verbose, "verbose", false, "write what happens to standard error, for developers")
	f.BoolVar(&opt.stay, "stay", false, "with --console=json: stay after a session, for the receipt, the question and another code, as otherwise")
	f.Var(&opt.console, "console", "speak on the terminal instead of a window; =json for one JSON object a line")
	if err := f.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opt, exitOK, true
		}
		return opt, exitUsage, true
	}
	wrong := func(format string, a ...any) (options, int, bool) {
		fmt.Fprintf(stderr, "host: "+format+"\n", a...)
		return opt, exitUsage, true
	}
	if *show {
		fmt.Fprintln(stdout, "mainforte host", versionText(), wire.Protocol)
		return opt, exitOK, true
	}
	if f.NArg() > 0 {
		return wrong("unexpected argument %q", f.Arg(0))
	}
	switch *lang {
	case "", "en", "fr":
		opt.lang, opt.langTyped = *lang, *lang != ""
	default:
		return wrong("no texts in %q: en or fr", *lang)
	}
	if opt.lang == "" {
		opt.lang = systemLang()
	}
	var err error
	if organisationServer != "" {
		if opt.server, err = session.ParseServer(organisationServer); err != nil {
			return wrong("this build is for a help desk that cannot be called: %v", err)
		}
		if *address != "" {
			return wrong("this build calls %s and no other help desk", opt.server.Host)
		}
	} else if *address != "" {
		if opt.server, err = session.ParseServer(*address); err != nil {
			return wrong("%v", err)
		}
	}
	if opt.comeBack && (*address != "" || *ca != "") {
		return wrong("--come-back goes back to where the session was")
	}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return wrong("%v", err)
		}
		if err := opt.trust(pem); err != nil {
			return wrong("%s: %v", *ca, err)
		}
		opt.ca = *ca
	}
	return opt, 0, false
}

// trust makes an authority the one that must have signed the server's certificate.
func (opt *options) trust(pem []byte) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("holds no certificate")
	}
	opt.tls, opt.pem = &tls.Config{RootCAs: roots}, pem
	return nil
}

// open begins the conversation: in the window if there can be one, else on the
// console. The window is nil when nobody could hear either, which the person was then
// told if there is any way, and when it is open already; the app then ends with code.
func open(ctx context.Context, opt options, texts *ui.Texts, s *streams) (w ui.Window, isConsole bool, code int) {
	if opt.console == "" {
		window, err := windowHere(texts.Lang)
		if err == nil {
			if s.heard() {
				window = ui.NewEcho(window, s.out, texts)
			}
			return window, false, 0
		}
		if errors.Is(err, ui.ErrAlready) {
			fmt.Fprintln(s.out, texts.T("error.already"))
			return nil, false, exitOK
		}
		fmt.Fprintln(s.err, "host:", err)
		if !s.instead(ctx, texts, err) {
			return nil, false, exitError
		}
		fmt.Fprintln(s.out, texts.T("error.window"))
	} else if err := s.needConsole(); err != nil {
		fmt.Fprintln(s.err, "host:", err)
		return nil, false, exitError
	}
	if opt.console == "json" {
		return ui.NewJSON(s.in, s.out), true, 0
	}
	return ui.NewConsole(s.in, s.out, texts), true, 0
}

// conversation is what is said outside a session.
type conversation struct {
	window  ui.Window
	texts   *ui.Texts
	hint    string
	why     string   // what was wrong with the last address
	windows []uint64 // our own, as the window names them
	near    string   // what the window said last of what is in it
}

// askServer asks for the address until it is one; nil is the person's leaving.
func (c *conversation) askServer(ctx context.Context) *url.URL {
	for {
		c.window.Show(ui.Event{Name: "server", Lang: c.texts.Lang, Hint: c.hint, Text: c.why})
		cmd, ok := c.next(ctx, "server")
		if !ok {
			return nil
		}
		u, err := session.ParseServer(cmd.Server)
		if err == nil {
			c.why = ""
			return u
		}
		c.why = c.texts.T("server.bad")
	}
}

// again waits at the end of a session: for the wish for another, or for the window
// to close. What the person says of the session meanwhile, bye does.
func (c *conversation) again(ctx context.Context, bye *session.Goodbye) bool {
	for bye != nil {
		cmd, ok := bye.Wait(ctx)
		switch {
		case ok && (cmd.Do == "quit" || cmd.Do == "again"):
			return cmd.Do == "again"
		case ok:
			c.note(cmd)
		default:
			bye = nil // its time is over; the window stays
		}
	}
	_, ok := c.next(ctx, "again")
	return ok
}

// next waits for one kind of command, or for none; ok is false when the person leaves.
func (c *conversation) next(ctx context.Context, do string) (cmd ui.Command, ok bool) {
	for {
		select {
		case cmd, ok = <-c.window.Commands():
		case <-ctx.Done():
			return cmd, false
		}
		switch {
		case !ok || cmd.Do == "quit":
			return cmd, false
		case cmd.Do == do && do != "":
			return cmd, true
		default:
			c.note(cmd)
		}
	}
}

// note keeps what a command tells of our own window.
func (c *conversation) note(cmd ui.Command) {
	if cmd.Near != "" {
		c.near = cmd.Near
	}
	if cmd.Window == "" || len(c.windows) >= 64 {
		return
	}
	if id, err := strconv.ParseUint(cmd.Window, 0, 64); err == nil {
		c.windows = append(c.windows, id)
	}
}
