package gohost

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Event is one line of the host's log.
type Event struct {
	Type, Outcome string // an empty outcome is "ok"
	Data          map[string]any
	Personal      map[string]any
}

// Ended is the error of a session that somebody else ended.
type Ended struct{ Why mfpb.Reason }

func (e *Ended) Error() string { return "gohost: the session ended: " + wire.Name(e.Why) }

// Host is a waiting host, and then its session.
type Host struct {
	Code    string // as a person reads it aloud
	Session string
	Sent    uint64 // events written so far
	Resumed int    // times that it came back to its session to go on

	url      string
	software string
	conn     *websocket.Conn
	plate    string
	server   string
	secret   string
	key      ed25519.PrivateKey
	token    []byte
	acked    uint64
	kept     []*mfpb.HostEvent // those after acked
	began    time.Time
}

// Wait connects to a server as a program of this name and takes a code.
func Wait(ctx context.Context, url, software string) (*Host, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return nil, err
	}
	h := &Host{url: url, software: software, key: key, secret: fmt.Sprintf("%06d", n.Int64())}
	if err := h.dial(ctx); err != nil {
		return nil, err
	}
	if err := h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: &mfpb.PlateRequest{}}}); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	for h.plate == "" {
		m, err := h.receive()
		if err != nil {
			return nil, errors.Join(err, h.Close())
		}
		switch b := m.Body.(type) {
		case *mfpb.ServerToHost_Plate:
			h.plate = b.Plate.GetNameplate()
		case *mfpb.ServerToHost_End:
			return nil, errors.Join(&Ended{b.End.GetReason()}, h.Close())
		}
	}
	h.Code = h.plate + " " + h.secret
	return h, nil
}

// patience bounds each wait for the server; a connection that is silent for
// longer is taken for lost.
const patience = 20 * time.Second

// dial opens a line and says hello.
func (h *Host) dial(ctx context.Context) error {
	d := websocket.Dialer{HandshakeTimeout: patience}
	conn, resp, err := d.DialContext(ctx, h.url, nil)
	if resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
	if err != nil {
		return err
	}
	conn.SetReadLimit(wire.MaxFrame)
	h.conn = conn
	hello := wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_HOST, Lang: "fr", Software: h.software})
	if err := h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Hello{Hello: hello}}); err != nil {
		return errors.Join(err, h.Close())
	}
	for {
		m, err := h.receive()
		if err != nil {
			return errors.Join(err, h.Close())
		}
		if w, ok := m.Body.(*mfpb.ServerToHost_Welcome); ok {
			h.server = w.Welcome.GetPublicHost()
			return nil
		}
	}
}

func (h *Host) send(m *mfpb.HostMessage) error {
	b, err := wire.Encode(m, wire.MaxFrame)
	if err != nil {
		return err
	}
	_ = h.conn.SetWriteDeadline(time.Now().Add(patience))
	return h.conn.WriteMessage(websocket.BinaryMessage, b)
}

func (h *Host) receive() (*mfpb.ServerToHost, error) {
	_ = h.conn.SetReadDeadline(time.Now().Add(patience))
	_, b, err := h.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	m := new(mfpb.ServerToHost)
	return m, wire.Decode(b, wire.MaxFrame, m)
}

// Pair answers one claim and returns when the session is open.
func (h *Host) Pair(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = h.Close() })
	defer stop()
	p := pake.NewHost(h.secret, h.server, h.plate, h.key.Public().(ed25519.PublicKey))
	for {
		m, err := h.receive()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		switch b := m.Body.(type) {
		case *mfpb.ServerToHost_Claim:
			c := b.Claim
			share, ad, tag, err := p.Answer(c.GetSid(), c.GetShare(), c.GetAd())
			if err == nil {
				err = h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PakeReply{PakeReply: &mfpb.PakeReply{Claim: c.GetClaim(), Share: share, Ad: ad, Tag: tag}}})
			}
			if err != nil {
				return err
			}
		case *mfpb.ServerToHost_Confirm:
			keys, err := p.Confirm(b.Confirm.GetTag())
			if err != nil {
				return err
			}
			keys.Wipe() // there is no picture to send
			err = h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Paired{Paired: &mfpb.Paired{
				Claim: b.Confirm.GetClaim(), SigningKey: h.key.Public().(ed25519.PublicKey),
			}}})
			if err != nil {
				return err
			}
		case *mfpb.ServerToHost_Opened:
			h.Session, h.token, h.began = b.Opened.GetSession(), b.Opened.GetResumeToken(), time.Now()
			return nil
		case *mfpb.ServerToHost_ClaimFailed:
			return &Ended{b.ClaimFailed.GetReason()}
		case *mfpb.ServerToHost_End:
			return &Ended{b.End.GetReason()}
		}
	}
}

// Write writes events and returns when the server says that all of them are
// durable, however often its line is lost meanwhile. Event n of a session
// (from 1) is told as if it had happened n ms after the beginning, so that each
// can be told apart in the log. *Ended: the session is over.
func (h *Host) Write(ctx context.Context, events ...Event) error {
	for _, e := range events {
		data, err := object(e.Data)
		if err != nil {
			return err
		}
		personal, err := object(e.Personal)
		if err != nil {
			return err
		}
		if e.Outcome == "" {
			e.Outcome = "ok"
		}
		h.Sent++
		h.kept = append(h.kept, &mfpb.HostEvent{
			Seq: h.Sent, Time: time.Now().UnixNano(), MonoMs: int64(h.Sent), Type: e.Type, Outcome: e.Outcome, Data: data, Personal: personal,
		})
	}
	err := h.flow(len(h.kept) - len(events))
	for h.acked < h.Sent {
		if err == nil {
			err = h.step()
		}
		var over *Ended
		if errors.As(err, &over) {
			return err
		}
		if err != nil {
			if err = h.resume(ctx); err == nil {
				h.Resumed++
			}
		}
		if err != nil && ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	return nil
}

func object(m map[string]any) ([]byte, error) {
	if len(m) == 0 {
		return nil, nil
	}
	return json.Marshal(m)
}

// flow sends what is kept from the nth on.
func (h *Host) flow(n int) error {
	for _, e := range h.kept[n:] {
		if err := h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Event{Event: e}}); err != nil {
			return err
		}
	}
	return nil
}

// step takes one message of the server's.
func (h *Host) step() error {
	m, err := h.receive()
	if err != nil {
		return err
	}
	switch b := m.Body.(type) {
	case *mfpb.ServerToHost_EventAck:
		return h.ack(b.EventAck.GetSeq())
	case *mfpb.ServerToHost_End:
		return &Ended{b.End.GetReason()}
	}
	return nil
}

func (h *Host) ack(seq uint64) error {
	if seq > h.Sent {
		return fmt.Errorf("gohost: event %d is acknowledged, %d were sent", seq, h.Sent)
	}
	if seq > h.acked {
		h.kept = h.kept[seq-h.acked:]
		h.acked = seq
	}
	return nil
}

// resume dials until it has the session back, and sends again what is not
// durable. *Ended: the session is over, and the server has it in writing.
func (h *Host) resume(ctx context.Context) error {
	for {
		_ = h.Close()
		err := h.dial(ctx)
		if err == nil {
			err = h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Resume{Resume: &mfpb.HostResume{Session: h.Session, Token: h.token}}})
		}
		for err == nil {
			var m *mfpb.ServerToHost
			if m, err = h.receive(); err != nil {
				break
			}
			switch b := m.Body.(type) {
			case *mfpb.ServerToHost_End:
				return &Ended{b.End.GetReason()}
			case *mfpb.ServerToHost_EventAck:
				if err := h.ack(b.EventAck.GetSeq()); err != nil {
					return err
				}
				return h.flow(0)
			}
		}
		select {
		case <-time.After(time.Duration(50+mrand.IntN(150)) * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// End ends the session for a reason, signed, and returns when the server has the
// end in writing: a resume is then answered by it alone.
func (h *Host) End(ctx context.Context, why mfpb.Reason) error {
	ms := time.Since(h.began).Milliseconds()
	signed := &mfpb.HostMessage{Body: &mfpb.HostMessage_Close{Close: &mfpb.HostClose{
		Reason: why, Events: h.Sent, DurationMs: ms,
		Signature: ed25519.Sign(h.key, wire.CloseMessage(h.Session, why, h.Sent, ms)),
	}}}
	err := h.send(signed)
	for err == nil { // until the server's own End, or the line's
		err = h.step()
	}
	for ctx.Err() == nil {
		err := h.resume(ctx)
		var over *Ended
		if errors.As(err, &over) {
			return h.Close()
		}
		if err == nil {
			_ = h.send(signed) // the line may be lost again: then comes another one
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// Close loses the line without a word.
func (h *Host) Close() error { return h.conn.Close() }
