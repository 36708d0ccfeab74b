package api

import (
	"net/http"
	"time"
)

// streamWrite bounds how long a browser may take to read what is sent to it.
const streamWrite = 10 * time.Second

// serveEvents answers with server-sent events until the browser is gone or what it listens
// to is over. data is told of what came, or of the end (open is false): an empty text
// ends the answer, and so does one without more. beat says from time to time whether to
// go on.
func serveEvents[T any](s *Server, w http.ResponseWriter, c *call, from <-chan T, data func(item T, open bool) (text string, more bool), beat func() bool) error {
	line := http.NewResponseController(w)
	// The server's own limits are for answers that end.
	if err := line.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy would wait for more
	write := func(text string) bool {
		if err := line.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return false
		}
		_, err := w.Write([]byte(text))
		return err == nil && line.Flush() == nil
	}
	tick := time.NewTicker(s.beat)
	defer tick.Stop()
	for event := ": here\n\n"; write(event); {
		select {
		case <-c.Context().Done():
			return nil
		case item, open := <-from:
			text, more := data(item, open)
			if text == "" {
				return nil
			}
			if event = "data: " + text + "\n\n"; !more {
				write(event)
				return nil
			}
		case <-tick.C:
			if !beat() {
				return nil
			}
			event = ":\n\n"
		}
	}
	return nil
}
