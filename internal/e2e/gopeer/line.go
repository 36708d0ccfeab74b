package gopeer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Line carries signaling messages between a viewer and a server, or whatever
// stands for one. Send may be called from any goroutine, Receive by one.
type Line interface {
	Send(*mfpb.ViewerMessage) error
	// Receive waits for a message; io.EOF or another error is the line's end.
	Receive() (*mfpb.ServerToViewer, error)
	Close() error
}

type webSocket struct {
	conn *websocket.Conn
	mu   sync.Mutex
}

// Dial opens a line to a real server's /ws/viewer. header carries the session
// cookie and the Origin.
func Dial(ctx context.Context, url string, header http.Header, config *tls.Config) (Line, error) {
	d := websocket.Dialer{HandshakeTimeout: 10 * time.Second, TLSClientConfig: config}
	conn, resp, err := d.DialContext(ctx, url, header)
	if resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("%w: status %d", err, resp.StatusCode)
		}
		return nil, err
	}
	conn.SetReadLimit(wire.MaxFrame)
	return &webSocket{conn: conn}, nil
}

func (w *webSocket) Send(m *mfpb.ViewerMessage) error {
	b, err := wire.Encode(m, wire.MaxFrame)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conn.WriteMessage(websocket.BinaryMessage, b)
}

func (w *webSocket) Receive() (*mfpb.ServerToViewer, error) {
	_, b, err := w.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	m := new(mfpb.ServerToViewer)
	return m, wire.Decode(b, wire.MaxFrame, m)
}

func (w *webSocket) Close() error { return w.conn.Close() }

// Pipe is a line in memory: what the viewer sends comes out of ToServer, what
// is put into FromServer the viewer receives.
type Pipe struct {
	ToServer   chan *mfpb.ViewerMessage
	FromServer chan *mfpb.ServerToViewer
	closed     chan struct{}
	once       sync.Once
}

// NewPipe makes a line in memory.
func NewPipe() *Pipe {
	return &Pipe{ToServer: make(chan *mfpb.ViewerMessage, 256), FromServer: make(chan *mfpb.ServerToViewer, 256), closed: make(chan struct{})}
}

func (p *Pipe) Send(m *mfpb.ViewerMessage) error {
	select {
	case p.ToServer <- m:
		return nil
	case <-p.closed:
		return io.ErrClosedPipe
	}
}

func (p *Pipe) Receive() (*mfpb.ServerToViewer, error) {
	select {
	case m := <-p.FromServer:
		return m, nil
	case <-p.closed:
		return nil, io.EOF
	}
}

// Close ends the line for both sides.
func (p *Pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Closed is closed with the line.
func (p *Pipe) Closed() <-chan struct{} { return p.closed }
