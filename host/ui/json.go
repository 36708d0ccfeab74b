package ui

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
)

// maxLine bounds a line of commands.
const maxLine = 64 << 10

// JSON is the conversation as one JSON object a line: events out, commands in.
// It is what `host --console=json` speaks and what the window child hears.
type JSON struct {
	mu       sync.Mutex
	out      *json.Encoder
	commands chan Command
	done     chan struct{}
	once     sync.Once
}

// NewJSON reads commands from in until it ends and writes events to out. A line
// that is not a command is answered by an "error" event and otherwise ignored.
func NewJSON(in io.Reader, out io.Writer) *JSON {
	j := &JSON{out: json.NewEncoder(out), commands: make(chan Command, 16), done: make(chan struct{})}
	j.out.SetEscapeHTML(false)
	go j.read(in)
	return j
}

func (j *JSON) read(in io.Reader) {
	defer close(j.commands)
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 0, 4096), maxLine)
	for sc.Scan() {
		line := sc.Bytes()
		if len(line) == 0 {
			continue
		}
		var c Command
		if err := json.Unmarshal(line, &c); err != nil {
			j.Show(Event{Name: "error", Reason: "PROTOCOL", Text: "not a command: " + err.Error()})
			continue
		}
		select {
		case j.commands <- c:
		case <-j.done:
			return
		}
	}
	if sc.Err() != nil {
		j.Show(Event{Name: "error", Reason: "TOO_LARGE", Text: "a line was too long"})
	}
}

// Show writes one line. A reader that went away is noticed by its commands ending.
func (j *JSON) Show(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.out.Encode(e)
}

// Commands is closed when the input ends.
func (j *JSON) Commands() <-chan Command { return j.commands }

// Close stops taking commands. The reader's goroutine ends with its input.
func (j *JSON) Close() error {
	j.once.Do(func() { close(j.done) })
	return nil
}
