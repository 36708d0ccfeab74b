package ui

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Console is the conversation in words, for a terminal and for screen readers:
// plain lines, no cursor movement, no colour.
type Console struct {
	mu       sync.Mutex
	out      io.Writer
	texts    *Texts
	commands chan Command
	done     chan struct{}
	once     sync.Once

	asking string // id of the open question
	asked  string // "server" when an address is asked for
	hint   string
	people []Participant // who is in the session
}

// NewConsole speaks on out and listens on in.
func NewConsole(in io.Reader, out io.Writer, texts *Texts) *Console {
	c := &Console{out: out, texts: texts, commands: make(chan Command, 16), done: make(chan struct{})}
	go c.read(in)
	return c
}

func (c *Console) read(in io.Reader) {
	defer close(c.commands)
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 0, 4096), maxLine)
	for sc.Scan() {
		cmd, ok := c.command(strings.TrimSpace(sc.Text()))
		if !ok {
			continue
		}
		select {
		case c.commands <- cmd:
		case <-c.done:
			return
		}
	}
}

// command reads a line in the light of what is being asked. Only a clear yes allows.
func (c *Console) command(line string) (Command, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	word := strings.ToLower(line)
	switch {
	case c.asked == "server":
		if line == "" {
			line = c.hint
		}
		if line == "" {
			return Command{}, false
		}
		c.asked = ""
		return Command{Do: "server", Server: line}, true
	case c.asking != "":
		id := c.asking
		c.asking = ""
		answer := "deny"
		if word == "a" || word == "allow" || word == "autoriser" {
			answer = "allow"
		}
		return Command{ID: id, Answer: answer}, true
	case word == "s" || word == "stop" || word == "arrêter":
		return Command{Do: "stop"}, true
	case strings.HasPrefix(word, "s ") || strings.HasPrefix(word, "stop ") || strings.HasPrefix(word, "arrêter "):
		_, who, _ := strings.Cut(word, " ")
		who = strings.TrimSpace(who)
		if !slices.ContainsFunc(c.people, func(p Participant) bool { return p.ID == who }) {
			who = "" // "stop now": whatever is meant by it, nobody goes on
		}
		return Command{Do: "stop", Participant: who}, true
	case word == "i":
		return Command{Do: "cancel_invite"}, true
	case word == "c":
		return Command{Do: "revoke", Grant: "control"}, true
	case word == "q" || word == "quit":
		return Command{Do: "quit"}, true
	}
	return Command{}, false
}

// Show prints an event in words.
func (c *Console) Show(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.texts
	line := func(s string) { fmt.Fprintln(c.out, printable(s)) }
	switch e.Name {
	case "server":
		c.asked, c.hint = "server", e.Hint
		if e.Text != "" {
			line(e.Text)
		}
		if e.Hint != "" {
			line(t.T("server.hint", "server", e.Hint))
		} else {
			line(t.T("server.prompt"))
		}
	case "status":
		line(e.Text)
	case "code":
		if e.Text != "" {
			line(e.Text)
		}
		line(t.T("code.title") + t.T("colon"))
		line("")
		line("    " + e.Code)
		line("")
		if e.Expires != nil {
			line(t.T("code.valid", "time", Clock(*e.Expires)))
		}
		line(t.T("code.safety"))
	case "ask":
		c.asking = e.ID
		line("")
		line(t.T("ask.server") + t.T("colon") + e.Server)
		if e.Ticket != nil {
			line(t.T("ask.ticket") + t.T("colon") + e.Ticket.Number + " " + e.Ticket.Subject)
		} else {
			line(t.T("ask.no_ticket"))
		}
		if e.Technician != nil && e.Technician.Organisation != "" {
			line(t.T("ask.who", "name", e.Technician.Name, "organisation", e.Technician.Organisation))
		}
		if e.Technician != nil && e.Technician.SignedIn != "" {
			line(t.SignedIn(*e.Technician))
		}
		line(t.T("ask.scam"))
		line(e.Text)
		fmt.Fprint(c.out, t.T("ask.console"))
	case "withdrawn":
		c.asking = ""
		line("")
	case "participants":
		c.people = e.Participants
		for _, p := range e.Participants {
			s := t.T(Standing(p.Grants), "name", p.Technician.Name)
			if len(e.Participants) > 1 {
				what := t.T("participant." + p.Kind)
				if !p.Connected {
					what = t.T("participant.away")
				}
				s = p.ID + ": " + s + " (" + what + ")"
			}
			line(s)
		}
		line(t.T("session.console"))
		if len(e.Participants) > 1 {
			line(t.T("session.console.one"))
		}
	case "invite":
		if e.Code == "" {
			line(t.T("invite.over"))
			break
		}
		line(e.Text)
		line(t.T("invite.code", "code", e.Code))
		line(t.T("invite.console"))
	case "ended":
		c.asking = ""
		line("")
		line(t.T("ended.title") + ". " + e.Text)
		if e.Duration > 0 {
			line(t.T("ended.duration", "duration", t.Duration(e.Duration)))
		}
		if e.Ticket != nil {
			line(t.T("ended.ticket", "number", e.Ticket.Number))
		}
		if e.Session != "" {
			line(t.T("ended.session", "session", e.Session))
		}
		line(t.T("ended.nothing"))
	case "error":
		line(e.Text)
	}
}

// Commands is closed when the input ends.
func (c *Console) Commands() <-chan Command { return c.commands }

// Close stops taking commands. The reader's goroutine ends with its input.
func (c *Console) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

// Standing is the text key of the sentence that says what the technician can do.
func Standing(grants []Grant) string {
	key := "session.paused"
	for _, g := range grants {
		if g.State != "allowed" {
			continue
		}
		if g.Name == "control" {
			return "session.controlled"
		}
		if g.Name == "view" {
			key = "session.seen"
		}
	}
	return key
}

// printable keeps hostile names from moving the terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}
