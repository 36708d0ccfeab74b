package ui

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Console is the conversation in words, for a terminal and for screen readers:
// plain lines, no cursor movement, no colour. Everything that the windows can do
// is a line here; console.help and console.end list them.
type Console struct {
	mu       sync.Mutex
	out      io.Writer
	texts    *Texts
	commands chan Command
	done     chan struct{}
	once     sync.Once
	now      func() time.Time

	asking  *Event    // the open question
	asked   string    // "server" when an address is asked for, "contact" whether the person called
	since   time.Time // of the contact
	hint    string
	live    bool          // a session stands
	people  []Participant // who is in the session
	files   []File
	steps   []Step
	private []string
	ended   *Event
}

// NewConsole speaks on out and listens on in.
func NewConsole(in io.Reader, out io.Writer, texts *Texts) *Console {
	c := &Console{out: out, texts: texts, commands: make(chan Command, 16), done: make(chan struct{}), now: time.Now}
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
	word, rest, _ := strings.Cut(line, " ")
	word, rest = strings.ToLower(word), strings.TrimSpace(rest)
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
	case c.asked == "contact":
		return c.contact(word)
	case c.asking != nil:
		q := c.asking
		c.asking = nil
		cmd := Command{ID: q.ID, Answer: "deny"}
		if word == "a" || word == "allow" || word == "autoriser" {
			if rest == "" || q.Folder != "" {
				cmd.Answer = "allow"
			}
			if rest != q.Folder {
				cmd.Folder = rest
			}
		}
		return cmd, true
	case word == "q" || word == "quit":
		return Command{Do: "quit"}, true
	case word == "" || c.ended != nil && !c.live:
		return c.goodbye(word, rest)
	}
	return c.session(word, rest)
}

// contact is the answer to whether the person called. It takes the time that it
// takes to read the warning; only a clear yes goes on.
func (c *Console) contact(word string) (Command, bool) {
	if left := ContactTime - c.now().Sub(c.since); left > 0 {
		c.line(c.texts.T("contact.wait", "seconds", strconv.Itoa(int((left+time.Second-1)/time.Second))))
		return Command{}, false
	}
	switch word {
	case "y", "yes", "o", "oui":
		c.asked = ""
		return Command{Do: "called"}, true
	case "n", "no", "non", "q", "quit":
		c.asked = ""
		return Command{Do: "not_called"}, true
	}
	c.ask(c.texts.T("contact.console"))
	return Command{}, false
}

// session is what can be said while somebody helps.
func (c *Console) session(word, rest string) (Command, bool) {
	nothing := func(key string) (Command, bool) {
		c.line(c.texts.T(key))
		return Command{}, false
	}
	switch word {
	case "s", "stop", "arrêter":
		if !slices.ContainsFunc(c.people, func(p Participant) bool { return p.ID == rest }) {
			rest = "" // "stop now": whatever is meant by it, nobody goes on
		}
		return Command{Do: "stop", Participant: rest}, true
	case "i":
		return Command{Do: "cancel_invite"}, true
	case "c":
		return Command{Do: "revoke", Grant: "control"}, true
	}
	if !c.live {
		return Command{}, false
	}
	switch word {
	case "?", "h", "help", "aide":
		return nothing("console.help")
	case "t":
		return c.take(rest)
	case "m":
		if rest != "" {
			return Command{Do: "say", Text: rest}, true
		}
	case "f":
		if rest != "" {
			return Command{Do: "give", Paths: []string{rest}}, true
		}
	case "l":
		if len(c.files) == 0 {
			return nothing("files.empty")
		}
		for i, f := range c.files {
			c.line(fmt.Sprintf("%d: %s, %s", i+1, f.Name, c.texts.Transfer(f)))
		}
		return Command{}, false
	case "x", "o", "d":
		f, ok := pick(c.files, rest)
		if !ok {
			return nothing("console.none")
		}
		if word == "x" {
			return Command{Do: "cancel_file", ID: f.ID}, true
		}
		return Command{Do: "open_folder", ID: f.ID}, true
	case "ok", "no", "non", "done", "fait":
		s, found := pick(c.steps, rest)
		if !found {
			return nothing("console.none")
		}
		answer := map[string]string{"ok": "approve", "no": "refuse", "non": "refuse", "done": "done", "fait": "done"}[word]
		return Command{Do: "step", ID: s.ID, Answer: answer}, true
	case "k":
		return Command{Do: "keep_steps", Path: rest}, true
	case "w":
		if rest == "" {
			c.line(c.texts.T("private.label") + " " + strings.Join(c.private, "; "))
			return Command{}, false
		}
		list := []string{}
		for w := range strings.SplitSeq(rest, ";") {
			if w = strings.TrimSpace(w); w != "" {
				list = append(list, w)
			}
		}
		c.private = list
		return Command{Do: "private", Texts: list}, true
	}
	return nothing("console.unknown")
}

// take lists what is allowed, or takes one of it back.
func (c *Console) take(which string) (Command, bool) {
	n := 0
	for _, p := range c.people {
		for _, g := range p.Grants {
			if g.State != "allowed" {
				continue
			}
			if n++; which == strconv.Itoa(n) {
				return Command{Do: "revoke", Grant: g.Name, Participant: p.ID}, true
			}
			if which == "" {
				c.line(fmt.Sprintf("%d: %s, %s", n, p.Technician.Name, c.texts.Grant(g.Name)))
			}
		}
	}
	if which != "" || n == 0 {
		c.line(c.texts.T("console.none"))
	}
	return Command{}, false
}

// pick is one of a list by its number, as it was read out.
func pick[T any](list []T, number string) (one T, ok bool) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(list) {
		return one, false
	}
	return list[n-1], true
}

// goodbye is what can be said when the session is over.
func (c *Console) goodbye(word, rest string) (Command, bool) {
	if c.ended == nil || word == "" {
		return Command{}, false
	}
	r := c.ended.Receipt
	switch {
	case r == nil:
	case len(word) == 1 && word[0] >= '1' && word[0] <= '5':
		return Command{Do: "rate", Score: int(word[0] - '0'), Text: rest}, true
	case word == "k":
		if rest == "" {
			rest = c.receiptPath()
		}
		return Command{Do: "keep_receipt", Path: rest}, true
	case word == "d":
		for l := range strings.Lines(r.Text) {
			c.line(l)
		}
		return Command{}, false
	case word == "r" && rest != "":
		return Command{Do: "report", Text: rest}, true
	default:
		c.line(c.texts.T("console.end"))
	}
	return Command{}, false
}

// receiptPath is where the receipt is kept unless the person says otherwise.
func (c *Console) receiptPath() string {
	return filepath.Join(Documents(), FileName(c.ended.Receipt.Name))
}

// line prints one, without what could move the cursor.
func (c *Console) line(s string) { fmt.Fprintln(c.out, printable(s)) }

// ask prints what a line shall be typed to.
func (c *Console) ask(s string) { fmt.Fprint(c.out, printable(s)) }

// Show prints an event in words.
func (c *Console) Show(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.texts
	switch e.Name {
	case "hello":
		c.forget()
		if e.Unknown {
			c.showContact(e)
		}
	case "hang_up":
		c.asked = ""
		c.line(t.T("hang_up.title") + ". " + t.T("hang_up.nothing"))
		c.line(t.T("hang_up.then"))
		c.line(t.T("hang_up.gone"))
	case "server":
		c.asked, c.hint = "server", e.Hint
		c.line(e.Text)
		if e.Hint != "" {
			c.line(t.T("server.hint", "server", e.Hint))
		} else {
			c.line(t.T("server.prompt"))
		}
	case "status", "error":
		c.line(e.Text)
	case "code":
		c.forget()
		c.showCode(e)
	case "ask":
		c.asking = &e
		c.showAsk(e)
	case "withdrawn":
		c.asking = nil
		c.line("")
	case "session":
		c.forget()
		c.live = true
	case "participants":
		c.live, c.people = true, e.Participants
		c.showPeople()
		if e.Key != "" {
			c.line(t.T("session.panic", "key", t.Keys(e.Key)))
		}
	case "invite":
		if e.Code == "" {
			c.line(t.T("invite.over"))
			break
		}
		c.line(e.Text)
		c.line(t.T("invite.code", "code", e.Code))
		c.line(t.T("invite.console"))
	case "chat":
		c.showChat(e.Chat)
	case "file":
		c.showFile(e.File)
	case "held":
		if e.Held == nil {
			c.line(t.T("held.over"))
			break
		}
		c.line(t.T("held." + e.Held.Why))
	case "private":
		c.private = e.Texts
	case "steps":
		c.steps = e.Steps
		for i, s := range e.Steps {
			state := ""
			switch {
			case s.State == "asked":
				state = " " + t.T("steps.ask") + " (ok " + strconv.Itoa(i+1) + ")"
			case t.Has("steps." + s.State):
				state = " (" + t.T("steps."+s.State) + ")"
			}
			c.line(fmt.Sprintf("%d. %s%s", i+1, s.Text, state))
		}
	case "ended":
		c.forget()
		c.ended = &e
		c.showEnded(e)
	}
}

// forget what belongs to a session.
func (c *Console) forget() {
	c.asking, c.asked, c.live, c.people, c.files, c.steps, c.private, c.ended = nil, "", false, nil, nil, nil, nil, nil
}

func (c *Console) showContact(e Event) {
	t := c.texts
	c.asked, c.since = "contact", c.now()
	c.line("")
	c.line(t.T("ask.server") + t.T("colon") + e.Server)
	c.line(t.T("contact.unknown"))
	c.line(t.T("contact.question"))
	for i := 1; t.Has(fmt.Sprint("contact.advice.", i)); i++ {
		c.line("- " + t.T(fmt.Sprint("contact.advice.", i)))
	}
	c.line(t.T("contact.wait", "seconds", strconv.Itoa(int(ContactTime/time.Second))))
	c.ask(t.T("contact.console"))
}

func (c *Console) showCode(e Event) {
	t := c.texts
	if e.Text != "" {
		c.line(e.Text)
	}
	c.line(t.T("code.title") + t.T("colon"))
	c.line("")
	c.line("    " + e.Code)
	c.line("")
	if e.Expires != nil {
		c.line(t.T("code.valid", "time", Clock(*e.Expires)))
	}
	c.line(t.T("code.safety"))
}

func (c *Console) showAsk(e Event) {
	t := c.texts
	c.line("")
	c.line(t.T("ask.server") + t.T("colon") + e.Server)
	if e.Ticket != nil {
		c.line(t.T("ask.ticket") + t.T("colon") + e.Ticket.Number + " " + e.Ticket.Subject)
	} else {
		c.line(t.T("ask.no_ticket"))
	}
	if e.Technician != nil && e.Technician.Organisation != "" {
		c.line(t.T("ask.who", "name", e.Technician.Name, "organisation", e.Technician.Organisation))
	}
	if e.Technician != nil && e.Technician.SignedIn != "" {
		c.line(t.SignedIn(*e.Technician))
	}
	c.line(t.T("ask.scam"))
	c.line(e.Text)
	if e.Folder != "" {
		c.line(t.T("folder.label") + " " + e.Folder)
		c.line(t.T("console.folder"))
	}
	c.ask(t.T("ask.console"))
}

func (c *Console) showPeople() {
	t := c.texts
	for _, p := range c.people {
		s := t.T(Standing(p.Grants), "name", p.Technician.Name)
		if len(c.people) > 1 {
			what := t.T("participant." + p.Kind)
			if !p.Connected {
				what = t.T("participant.away")
			}
			s = p.ID + ": " + s + " (" + what + ")"
		}
		c.line(s)
	}
	c.line(t.T("session.console"))
	if len(c.people) > 1 {
		c.line(t.T("session.console.one"))
	}
}

func (c *Console) showChat(l *Chat) {
	if l == nil {
		return
	}
	who := c.texts.T("talk.you")
	if l.From != "" {
		who = l.Name
	}
	at, _ := time.Parse(time.RFC3339, l.At) // without a time Clock shows a dash
	who = c.texts.T("talk.line", "name", who, "time", Clock(at)) + c.texts.T("colon")
	for text := range strings.Lines(l.Text) {
		c.line(who + text)
		who = "    "
	}
}

// showFile tells of a transfer's beginning and end, not of every step between.
func (c *Console) showFile(f *File) {
	if f == nil {
		return
	}
	i := slices.IndexFunc(c.files, func(o File) bool { return o.ID == f.ID })
	news := i < 0 || c.files[i].State != f.State
	if i < 0 {
		i = len(c.files)
		c.files = append(c.files, File{})
	}
	c.files[i] = *f
	if news {
		c.line(fmt.Sprintf("%d: %s, %s", i+1, f.Name, c.texts.Transfer(*f)))
	}
}

func (c *Console) showEnded(e Event) {
	t := c.texts
	c.line("")
	c.line(t.T("ended.title") + ". " + e.Text)
	if e.Technician != nil {
		key := "ended.who"
		if e.Refused() {
			key = "ended.asked"
		}
		c.line(t.T(key, "name", e.Technician.Name))
	}
	if e.Duration > 0 {
		c.line(t.T("ended.duration", "duration", t.Duration(e.Duration)))
	}
	if e.Ticket != nil {
		c.line(t.T("ended.ticket", "number", e.Ticket.Number))
	}
	if e.Session != "" {
		c.line(t.T("ended.session", "session", e.Session))
	}
	c.line(t.T("ended.nothing"))
	c.line(t.T("goodbye.gone"))
	if r := e.Receipt; r != nil {
		c.line(t.T("goodbye.path") + " " + c.receiptPath())
		if r.Link != "" {
			c.line(t.T("goodbye.link") + t.T("colon") + r.Link)
		}
		if r.Report != "" {
			c.line(t.T("wrong.open") + " " + r.Report)
		}
		if !e.Refused() {
			c.line(t.T("goodbye.question") + " " + t.T("goodbye.scale"))
		}
		c.line(t.T("console.end"))
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
		if unicode.IsPrint(r) || unicode.Is(unicode.Zs, r) {
			return r
		}
		return -1
	}, s)
}

// FileName is a name for a file out of what somebody called it: never a path.
func FileName(s string) string {
	s = strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`/\:*?"<>|`, r):
			return '-'
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s), " .-")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:100])
	}
	if s == "" {
		return "mainforte.txt"
	}
	return s
}
