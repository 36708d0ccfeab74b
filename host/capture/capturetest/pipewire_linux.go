package capturetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// PipeWire is a PipeWire daemon of its own with its session manager, as a
// Wayland desktop has one, and monitors that GStreamer paints.
type PipeWire struct {
	t   testing.TB
	dir string
	env []string
}

// patience is how long a program of the system's may take to do its part.
const patience = 20 * time.Second

// NewPipeWire starts the daemon and its manager; they end with the test.
func NewPipeWire(t testing.TB) *PipeWire {
	t.Helper()
	p := &PipeWire{t: t, dir: t.TempDir()}
	p.env = append(os.Environ(), "XDG_RUNTIME_DIR="+p.dir, "HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir, "XDG_STATE_HOME="+p.dir,
		"DBUS_SESSION_BUS_ADDRESS="+NewBus(t)) // without one the manager gives up
	p.start("pipewire")
	p.until("listen", func() bool { _, err := os.Stat(p.socket()); return err == nil })
	p.start("wireplumber")
	return p
}

func (p *PipeWire) socket() string { return filepath.Join(p.dir, "pipewire-0") }

// Connect makes a connection as the portal's OpenPipeWireRemote does.
func (p *PipeWire) Connect() (*os.File, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: p.socket(), Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.File()
}

// Monitor adds one that shows what a videotestsrc with these properties paints,
// in a pixel format of GStreamer's such as BGRx. It returns PipeWire's number of
// it and how to take it away.
func (p *PipeWire) Monitor(w, h int, format, properties string) (node uint32, unplug func()) {
	p.t.Helper()
	name := fmt.Sprintf("monitor-%d", time.Now().UnixNano())
	args := append([]string{"-q", "videotestsrc", "is-live=true"}, strings.Fields(properties)...)
	args = append(args, "!", fmt.Sprintf("video/x-raw,format=%s,width=%d,height=%d,framerate=30/1", format, w, h),
		"!", "pipewiresink", "mode=provide", "stream-properties=p,media.class=Video/Source,node.name="+name)
	unplug = p.start("gst-launch-1.0", args...)
	p.until("have "+name, func() bool {
		cmd := exec.Command("pw-cli", "ls", "Node")
		cmd.Env = p.env
		out, _ := cmd.Output() // of a daemon that is starting
		for line := range strings.Lines(string(out)) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), "id "); ok {
				n, _, _ = strings.Cut(n, ",")
				if id, err := strconv.ParseUint(n, 10, 32); err == nil {
					node = uint32(id)
				}
			}
			if strings.Contains(line, `"`+name+`"`) {
				return true
			}
		}
		return false
	})
	return node, unplug
}

// start runs a program until the test or the function that it returns ends it.
func (p *PipeWire) start(name string, args ...string) (end func()) {
	p.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.SysProcAttr = p.env, dieWithParent()
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	end = func() {
		_ = cmd.Process.Kill() // perhaps it has ended
		<-ended
	}
	p.t.Cleanup(end)
	return end
}

func (p *PipeWire) until(what string, done func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("PipeWire did not %s in %v", what, patience)
		}
	}
}
