package pairing

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Times of a line. A host that waits for an hour costs one ping every pingEvery.
const (
	helloIn    = 10 * time.Second // from the upgrade to Hello
	pingEvery  = 25 * time.Second
	pongWithin = 2*pingEvery + 10*time.Second // two pings may get lost
	writeIn    = 10 * time.Second
	lingerFor  = 2 * time.Second // after our close frame, for the other side's
)

// Bounds of a line.
const (
	maxQueued  = 512 << 10 // bytes waiting to be written
	maxPerSec  = 100       // messages a second, on average
	maxAtOnce  = 400       // and in a burst
	closeAway  = websocket.CloseGoingAway
	closeFault = websocket.ClosePolicyViolation
	closeDone  = websocket.CloseNormalClosure
)

// upgrader is gorilla in its lean form: 4.85 kB an idle connection instead of
// 17. The small read buffer replaces net/http's own, write buffers are pooled,
// and nothing is compressed (a small frame must not become a large message).
var upgrader = websocket.Upgrader{
	ReadBufferSize:  512,
	WriteBufferSize: 1024,
	WriteBufferPool: &sync.Pool{},
	// Origins are checked before (C1, C2), where a missing one counts too.
	CheckOrigin: func(*http.Request) bool { return true },
}

// line is one WebSocket. It is the only thing that touches the *websocket.Conn:
// gorilla panics on concurrent writes, so nothing else may write to it.
//
// Sending never blocks: a message is queued, and a goroutine writes for as long
// as something is queued. An idle line has one goroutine, the reader.
type line struct {
	ws    *websocket.Conn
	addr  netip.Addr
	host  bool // of a host, else of a viewer
	owner *sync.WaitGroup
	rate  *rate.Limiter
	slot  int // second of the ping wheel

	mu      sync.Mutex
	out     []frame
	queued  int
	writing bool
	closing bool // a close frame is queued or written; nothing may follow it
	greeted bool
}

type frame struct {
	kind int
	data []byte
}

// cost counts an empty frame too: a flood of pings must fill the queue.
func (f frame) cost() int { return len(f.data) + 64 }

// newLine takes the connection over; the HTTP handler may return. owner is
// waited for by whoever ends the server.
func newLine(w http.ResponseWriter, r *http.Request, host bool, owner *sync.WaitGroup) (*line, error) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	l := &line{ws: ws, host: host, owner: owner, addr: remote(r), rate: rate.NewLimiter(maxPerSec, maxAtOnce)}
	ws.SetReadDeadline(time.Now().Add(helloIn))
	ws.SetPongHandler(func(string) error {
		l.alive()
		return nil
	})
	// gorilla's own handlers write from the reader; ours go through the queue.
	ws.SetPingHandler(func(s string) error {
		if !l.rate.Allow() {
			return errors.New("pairing: too many pings")
		}
		l.alive()
		l.push(frame{websocket.PongMessage, []byte(s)})
		return nil
	})
	ws.SetCloseHandler(func(code int, _ string) error {
		l.close(code)
		return nil
	})
	return l, nil
}

func remote(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// alive pushes the read deadline out, unless the line is closing: then the
// linger time stands. Before Hello, pings buy no time.
func (l *line) alive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closing && l.greeted {
		l.ws.SetReadDeadline(time.Now().Add(pongWithin))
	}
}

func (l *line) greet() {
	l.mu.Lock()
	l.greeted = true
	l.mu.Unlock()
	l.alive()
}

// read hands each message to receive until the line ends. A frame over the limit
// is answered and never parsed.
func (l *line) read(receive func([]byte)) {
	defer func() {
		l.mu.Lock()
		l.closing = true // no new writer: whoever waits for this line counts on it
		l.mu.Unlock()
		l.ws.Close()
	}()
	for {
		kind, r, err := l.ws.NextReader()
		if err != nil {
			return
		}
		if l.isClosing() {
			// What still comes is taken off the wire, or closing the socket with
			// unread bytes would reset it and lose our last words.
			if _, err := io.Copy(io.Discard, r); err != nil {
				return
			}
			continue
		}
		b, err := io.ReadAll(io.LimitReader(r, wire.MaxFrame+1))
		switch {
		case err != nil:
			return
		case len(b) > wire.MaxFrame:
			l.fault(mfpb.Reason_REASON_TOO_LARGE)
		case kind != websocket.BinaryMessage:
			l.fault(mfpb.Reason_REASON_PROTOCOL)
		case !l.rate.Allow():
			l.fault(mfpb.Reason_REASON_RATE_LIMITED)
		default:
			l.alive()
			receive(b)
		}
	}
}

// send queues a message. A line whose other side does not read is closed.
func (l *line) send(m proto.Message) {
	b, err := wire.Encode(m, wire.MaxFrame)
	if err != nil {
		// Only a relayed body can be that large, and it came in one frame: it
		// grew by at most the few bytes of another envelope.
		l.fault(mfpb.Reason_REASON_TOO_LARGE)
		return
	}
	l.push(frame{websocket.BinaryMessage, b})
}

// end queues the End of this line's direction.
func (l *line) end(r mfpb.Reason) {
	if l.host {
		l.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_End{End: &mfpb.End{Reason: r}}})
	} else {
		l.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_End{End: &mfpb.End{Reason: r}}})
	}
}

// fault ends the line because of what the other side did.
func (l *line) fault(r mfpb.Reason) {
	l.end(r)
	l.close(closeFault)
}

func (l *line) ping() { l.push(frame{websocket.PingMessage, nil}) }

// close queues a close frame, after which nothing is sent. The reader goes on
// until the other side closed too, for lingerFor at most.
func (l *line) close(code int) {
	if code == websocket.CloseNoStatusReceived || code < 1000 {
		code = closeDone
	}
	l.push(frame{websocket.CloseMessage, websocket.FormatCloseMessage(code, "")})
}

// cut ends the line at once, without a word.
func (l *line) cut() { l.ws.Close() }

func (l *line) isClosing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}

func (l *line) push(f frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return
	}
	if f.kind == websocket.CloseMessage {
		l.closing = true
		l.ws.SetReadDeadline(time.Now().Add(lingerFor))
	}
	if l.queued += f.cost(); l.queued > maxQueued {
		l.closing = true
		l.out = nil
		l.ws.Close()
		return
	}
	l.out = append(l.out, f)
	if !l.writing {
		l.writing = true
		l.owner.Go(l.write)
	}
}

// write empties the queue and ends.
func (l *line) write() {
	for {
		l.mu.Lock()
		if len(l.out) == 0 {
			l.out, l.queued, l.writing = nil, 0, false
			l.mu.Unlock()
			return
		}
		f := l.out[0]
		l.out = l.out[1:]
		l.queued -= f.cost()
		l.mu.Unlock()

		err := l.ws.SetWriteDeadline(time.Now().Add(writeIn))
		if err == nil {
			if f.kind == websocket.BinaryMessage {
				err = l.ws.WriteMessage(f.kind, f.data)
			} else {
				err = l.ws.WriteControl(f.kind, f.data, time.Now().Add(writeIn))
			}
		}
		if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
			l.ws.Close()
			l.mu.Lock()
			l.closing, l.out, l.queued, l.writing = true, nil, 0, false
			l.mu.Unlock()
			return
		}
	}
}
