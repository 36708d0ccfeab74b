package session

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	dialTime  = 10 * time.Second
	writeTime = 10 * time.Second
	pingTime  = 15 * time.Second
	silence   = 40 * time.Second // without a message or pong the line is dead
	backoff   = 500 * time.Millisecond
	maxWait   = 15 * time.Second
	liveWait  = 4 * time.Second // in a session: somebody is being helped
	lineQueue = 256             // messages not yet written; more, and the line counts as dead
)

// line is one WebSocket connection to the server. Its reader hands messages to
// the loop, its writer writes what the loop queued.
type line struct {
	conn *websocket.Conn
	out  chan []byte
	gone chan struct{} // closed by the loop when it drops the line
	deaf chan struct{} // closed when the reader has ended
	once sync.Once
	why  mfpb.Reason // what the close frame says

	hello  bool // the server's Hello was accepted
	ready  bool // Welcome was accepted: messages may flow
	resume bool // HostResume was sent on this line
}

func dialledName(u *url.URL) (string, error) {
	if u == nil {
		return "", ErrAddress
	}
	name, err := wire.ServerName(u.Host)
	if err != nil {
		return "", fmt.Errorf("%w: %q", ErrAddress, u.Host)
	}
	if u.Scheme == "ws" && !loopback(name) {
		return "", fmt.Errorf("%w: %q is not on this computer, so it must be https", ErrAddress, u.Host)
	}
	return name, nil
}

// dial connects in the background; connected or lost follows.
func (h *Host) dial() {
	h.lineNo++
	no := h.lineNo
	if !h.met {
		h.status("status.connecting")
	}
	d := websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		HandshakeTimeout: dialTime,
		ReadBufferSize:   4096,
		WriteBufferSize:  4096,
		TLSClientConfig:  h.cfg.TLS.Clone(),
	}
	if d.TLSClientConfig == nil {
		d.TLSClientConfig = &tls.Config{}
	}
	d.TLSClientConfig.MinVersion = tls.VersionTLS12
	h.spawn(func() {
		conn, resp, err := d.DialContext(h.ctx, h.cfg.Server.String(), nil)
		if resp != nil {
			if resp.Body != nil {
				resp.Body.Close()
			}
			if err != nil {
				err = &answered{resp.StatusCode, err}
			}
		}
		ok := h.post(nil, func() {
			switch {
			case no != h.lineNo || h.done:
				if conn != nil {
					conn.Close()
				}
			case err != nil:
				h.unreachable(err)
			default:
				h.connected(conn)
			}
		})
		if !ok && conn != nil {
			conn.Close()
		}
	})
}

// unreachable waits a random time, longer after each failure (full jitter), and
// dials again; or gives up when there never was contact.
func (h *Host) unreachable(err error) {
	h.log.Info("no line to the server", "error", err)
	key := h.trouble(err)
	if key == "error.tls" || key == "error.clock" {
		if h.live == nil {
			h.show(ui.Event{Name: "error", Server: h.server, Text: h.texts.T(key, "server", h.server, "date", h.clock.Now().Format("2006-01-02"))})
			h.finish(fmt.Errorf("%w: %w: %w", ErrServer, ErrCertificate, err))
			return
		}
	} else if !h.met && h.live == nil && h.cfg.Patience > 0 && h.clock.Now().Sub(h.began) >= h.cfg.Patience {
		h.show(ui.Event{Name: "error", Server: h.server, Text: h.texts.T(key, "server", h.server)})
		h.finish(fmt.Errorf("%w: %w", ErrServer, err))
		return
	}
	if h.failures == 0 && !h.met {
		h.status(key)
	}
	ceiling := min(backoff<<min(h.failures, 8), maxWait)
	if h.live != nil {
		ceiling = min(ceiling, liveWait)
	}
	h.failures++
	h.alarm("dial", rand.N(ceiling)+10*time.Millisecond, h.dial)
}

// answered is a dial that came to something which speaks HTTP and opened no line.
type answered struct {
	status int
	err    error
}

func (a *answered) Error() string { return fmt.Sprintf("%v: status %d", a.err, a.status) }
func (a *answered) Unwrap() error { return a.err }

// trouble is the text that says why the server was not reached, as far as this
// side can tell.
func (h *Host) trouble(err error) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var bad *tls.CertificateVerificationError
	var page *answered
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "error.clock" // rather this computer's clock than a help desk's certificate
	case errors.As(err, &bad) || errors.As(err, &unknown):
		return "error.tls"
	case errors.As(err, &page) && (page.status == http.StatusServiceUnavailable || page.status == http.StatusTooManyRequests):
		return "error.busy"
	case errors.As(err, &page):
		return "error.blocked" // a page to sign in at, or a proxy that knows no WebSockets
	}
	return "error.no_server"
}

// connected starts a line: Hello, and HostResume in mid-session.
func (h *Host) connected(conn *websocket.Conn) {
	l := &line{conn: conn, out: make(chan []byte, lineQueue), gone: make(chan struct{}), deaf: make(chan struct{})}
	h.line = l
	h.spawn(func() { h.read(l) })
	h.spawn(l.write)
	hello := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_HOST, Lang: h.texts.Lang, Software: h.cfg.Software})
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Hello{Hello: hello}})
	if h.live != nil {
		l.resume = true
		h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Resume{Resume: &mfpb.HostResume{Session: h.live.id, Token: h.live.token}}})
	}
}

func (h *Host) read(l *line) {
	defer close(l.deaf)
	l.conn.SetReadLimit(wire.MaxFrame)
	alive := func() { _ = l.conn.SetReadDeadline(time.Now().Add(silence)) }
	l.conn.SetPongHandler(func(string) error { alive(); return nil })
	alive()
	for {
		kind, b, err := l.conn.ReadMessage()
		if err != nil {
			h.post(l.gone, func() {
				if h.line == l {
					if errors.Is(err, websocket.ErrReadLimit) {
						h.fault(wire.ErrTooLarge)
						return
					}
					h.lost(err)
				}
			})
			return
		}
		m := new(mfpb.ServerToHost)
		err = wire.Decode(b, wire.MaxFrame, m)
		if err == nil && kind != websocket.BinaryMessage {
			err = wire.ErrMalformed
		}
		if err == nil {
			err = wire.Unknown(m)
		}
		h.post(l.gone, func() {
			switch {
			case h.line != l || errors.Is(err, wire.ErrSkip):
			case err != nil:
				h.fault(err)
			default:
				h.receive(m)
			}
		})
		select {
		case <-l.gone: // read on until the server closes, see write
		default:
			alive()
		}
	}
}

func (l *line) write() {
	defer l.conn.Close()
	ping := time.NewTicker(pingTime)
	defer ping.Stop()
	put := func(b []byte) bool {
		_ = l.conn.SetWriteDeadline(time.Now().Add(writeTime))
		return l.conn.WriteMessage(websocket.BinaryMessage, b) == nil
	}
	for {
		select {
		case b := <-l.out:
			if !put(b) {
				return
			}
		case <-ping.C:
			if l.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)) != nil {
				return
			}
		case <-l.gone:
			for len(l.out) > 0 {
				if !put(<-l.out) {
					return
				}
			}
			code := websocket.CloseNormalClosure
			if l.why >= mfpb.Reason_REASON_PROTOCOL {
				code = websocket.ClosePolicyViolation
			}
			_ = l.conn.WriteControl(websocket.CloseMessage,
				websocket.FormatCloseMessage(code, l.why.String()), time.Now().Add(time.Second))
			// Closing with something unread would reset the connection and take
			// what we just wrote with it.
			_ = l.conn.SetReadDeadline(time.Now().Add(time.Second))
			<-l.deaf
			return
		}
	}
}

// close lets the writer finish what is queued and say why.
func (l *line) close(why mfpb.Reason) {
	l.once.Do(func() {
		l.why = why
		close(l.gone)
	})
}

// send queues one message to the server; without a line it is dropped, and
// what must not be lost (events) is kept by its sender.
func (h *Host) send(m *mfpb.HostMessage) {
	if h.line == nil {
		return
	}
	b, err := wire.Encode(m, wire.MaxFrame)
	if err != nil {
		h.log.Error("message not sent", "error", err)
		return
	}
	select {
	case h.line.out <- b:
	default: // the server reads nothing: as good as gone
		l := h.line
		l.conn.Close()
	}
}

// lost is the end of a line that we did not end.
func (h *Host) lost(err error) {
	h.log.Info("line to the server lost", "error", err)
	l := h.line
	h.line = nil
	l.close(mfpb.Reason_REASON_UNSPECIFIED)
	if h.live != nil {
		h.live.lineLost()
	} else {
		h.dropCode()
		if h.met {
			h.status("status.reconnecting")
		}
	}
	h.unreachable(err)
}

// fault is a message of the server's that may not stand.
func (h *Host) fault(err error) {
	why := wire.Reason(err)
	h.log.Warn("the server broke the protocol", "reason", wire.Name(why), "error", err)
	if h.live != nil {
		h.live.note("protocol.refused", "fail", map[string]any{"from": "server", "reason": wire.Name(why)}, nil)
		h.end(why)
		return
	}
	h.fail(why)
}

// fail ends the engine before there is a session.
func (h *Host) fail(why mfpb.Reason) {
	h.dropCode()
	h.show(ui.Event{Name: "error", Server: h.server, Reason: wire.Name(why), Text: h.texts.Reason(why)})
	if h.line != nil {
		h.line.close(why)
		h.line = nil
	}
	h.finish(&Ended{why})
}

// errProtocol is a message out of order or with a field that may not be.
var errProtocol = wire.NewError(mfpb.Reason_REASON_PROTOCOL, "session: the server's message is out of order")

// receive is one message of the server's.
func (h *Host) receive(m *mfpb.ServerToHost) {
	l := h.line
	if hello, ok := m.Body.(*mfpb.ServerToHost_Hello); ok {
		h.serverHello(l, hello.Hello)
		return
	}
	if !l.hello {
		h.fault(errProtocol)
		return
	}
	switch b := m.Body.(type) {
	case *mfpb.ServerToHost_Welcome:
		h.serverWelcome(l, b.Welcome)
		return
	case *mfpb.ServerToHost_End:
		h.serverEnd(b.End.GetReason())
		return
	}
	if !l.ready {
		h.fault(errProtocol)
		return
	}
	switch b := m.Body.(type) {
	case *mfpb.ServerToHost_Plate:
		h.plate(b.Plate)
	case *mfpb.ServerToHost_Claim:
		h.claimed(b.Claim)
	case *mfpb.ServerToHost_ClaimFailed:
		h.claimFailed(b.ClaimFailed)
	case *mfpb.ServerToHost_Confirm:
		h.confirm(b.Confirm)
	case *mfpb.ServerToHost_Opened:
		h.opened(b.Opened)
	default:
		if h.live == nil {
			h.fault(errProtocol)
			return
		}
		switch b := m.Body.(type) {
		case *mfpb.ServerToHost_Attach:
			h.attach(b.Attach)
		case *mfpb.ServerToHost_Sealed:
			h.sealed(b.Sealed)
		case *mfpb.ServerToHost_EventAck:
			h.acknowledged(b.EventAck.GetSeq())
		case *mfpb.ServerToHost_Viewer:
			h.viewerState(b.Viewer)
		case *mfpb.ServerToHost_Gone:
			h.gone(b.Gone)
		case *mfpb.ServerToHost_Relay:
			h.relays(b.Relay)
		default:
			h.fault(wire.ErrUnknownMessage)
		}
	}
}

func (h *Host) serverHello(l *line, m *mfpb.Hello) {
	if l.hello || m.GetKind() != mfpb.Kind_KIND_SERVER {
		h.fault(errProtocol)
		return
	}
	if _, err := wire.Negotiate(m); err != nil {
		h.fault(err)
		return
	}
	l.hello = true
}

func (h *Host) serverWelcome(l *line, m *mfpb.Welcome) {
	if l.ready {
		h.fault(errProtocol)
		return
	}
	if m.GetPublicHost() != h.server { // C10
		h.fault(wire.NewError(mfpb.Reason_REASON_SERVER_NAME, "session: the server is another one"))
		return
	}
	l.ready, h.met, h.failures = true, true, 0
	h.welcome = m
	if h.live != nil {
		h.live.lineBack()
		return
	}
	h.ask(mfpb.Reason_REASON_UNSPECIFIED)
}

// serverEnd is the server's End: of the session, or of what should become one.
func (h *Host) serverEnd(why mfpb.Reason) {
	why = fromServer(why)
	switch {
	case h.live != nil:
		h.end(why)
	case h.code != nil && h.code.used:
		h.unopened(why)
	case why == mfpb.Reason_REASON_RATE_LIMITED || why == mfpb.Reason_REASON_SERVER_STOPPING || why == mfpb.Reason_REASON_LOG_UNAVAILABLE:
		h.show(ui.Event{Name: "status", Reason: wire.Name(why), Text: h.texts.Reason(why)})
		h.failures = max(h.failures, 4)
		h.line.conn.Close() // its reader brings the loss
	default:
		h.fail(why)
	}
}

// fromServer keeps the server from speaking in the person's name, and to the
// reasons that there are: this one is signed and shown.
func fromServer(why mfpb.Reason) mfpb.Reason {
	if _, known := mfpb.Reason_name[int32(why)]; !known {
		return mfpb.Reason_REASON_PROTOCOL
	}
	switch why {
	case mfpb.Reason_REASON_UNSPECIFIED, mfpb.Reason_REASON_PERSON_STOPPED, mfpb.Reason_REASON_PERSON_DENIED, mfpb.Reason_REASON_NO_ANSWER,
		mfpb.Reason_REASON_HOST_QUIT, mfpb.Reason_REASON_CAPTURE_LOST:
		return mfpb.Reason_REASON_PROTOCOL
	}
	return why
}
