package main

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// idleHosts: memory of the server for each waiting host.
func (r *rig) idleHosts() ([]Row, error) {
	const n = 6000
	// A server of its own: another one's memory still holds what sign-in needed.
	addr, err := stage.FreeAddr()
	if err != nil {
		return nil, err
	}
	server, err := stage.StartServer(r.ctx, r.files.Signaling, addr, filepath.Join(r.dir, "idle"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = server.Stop() }()
	pid := server.Cmd.Process.Pid
	before, err := rssMB(pid)
	if err != nil {
		return nil, err
	}
	hello, err := proto.Marshal(&mfpb.HostMessage{Body: &mfpb.HostMessage_Hello{Hello: &mfpb.Hello{MinVersion: 1, MaxVersion: 1, Kind: mfpb.Kind_KIND_HOST, Software: "bench"}}})
	if err != nil {
		return nil, err
	}
	plate, err := proto.Marshal(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: &mfpb.PlateRequest{}}})
	if err != nil {
		return nil, err
	}
	var conns []*websocket.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	u := url.URL{Scheme: "ws", Host: server.Addr, Path: "/ws/host"}
	dialer := websocket.Dialer{ReadBufferSize: 512, WriteBufferSize: 512}
	for i := range n {
		// The server bounds the sockets of one address: each few hosts have their own.
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i/100), 1)}}
		dialer.NetDialContext = from.DialContext
		c, _, err := dialer.DialContext(r.ctx, u.String(), nil)
		if err != nil {
			return nil, fmt.Errorf("host %d: %w", len(conns), err)
		}
		conns = append(conns, c)
		for _, m := range [][]byte{hello, plate} {
			if err := c.WriteMessage(websocket.BinaryMessage, m); err != nil {
				return nil, err
			}
		}
		for range 3 { // Hello, Welcome, Plate
			if _, _, err := c.ReadMessage(); err != nil {
				return nil, fmt.Errorf("host %d: %w", len(conns), err)
			}
		}
	}
	// What connecting cost is garbage until the runtime's own collection, which
	// comes at the latest every two minutes, and some seconds to give it back.
	select {
	case <-time.After(150 * time.Second):
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	}
	after, err := rssMB(pid)
	if err != nil {
		return nil, err
	}
	return []Row{{Name: "server: RSS of an idle host", Unit: "kB", Value: (after - before) * 1024 / n, Target: 5.5, AtMost: true,
		Note: fmt.Sprintf("%d hosts, %.0f → %.0f MB after the runtime's own collection", n, before, after)}}, nil
}
