// Package netns puts server, host and technician into networks of their own, as
// they stand in the world: each in its Linux network namespace, the two sides
// behind home routers with address translation and a firewall, the server on the
// open net between them.
//
//	host ── hostgate ──┐          ┌── techgate ── technician (this process)
//	192.168.10.20      ├── inet ──┤               192.168.20.30
//	2001:db8:10::20    │          │               2001:db8:20::30
//	                 server
//	                 203.0.113.5, 2001:db8:5::5
//
// [Enter] runs the test binary again with private network and mount namespaces,
// and as their root, so that nothing is left behind whatever happens. [New] builds
// the net; [Net.Program] makes a program that runs in one place of it.
//
// It needs the programs ip, nft, mount and nsenter, and a kernel that gives
// namespaces to whoever runs the tests; Enter says what is missing.
package netns

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Place is a namespace.
type Place string

// Places of a net. The technician's is this process's own.
const (
	Server   Place = "server"
	Host     Place = "host"
	HostGate Place = "hostgate"
	TechGate Place = "techgate"
	inet     Place = "inet"
	tech     Place = ""
)

// Addresses of a net, and the server's name.
const (
	Name    = "help.test"
	Server4 = "203.0.113.5"
	Server6 = "2001:db8:5::5"
	Host4   = "192.168.10.20"
	Host6   = "2001:db8:10::20"
	Tech4   = "192.168.20.30"
	Tech6   = "2001:db8:20::30"
)

// Options of a net. The zero value has IPv4 and lets UDP through.
type Options struct {
	IPv6Only  bool // no IPv4 anywhere; no translation then, firewalls only
	Mixed     bool // the host has IPv4 only, the technician IPv6 only, the server both
	BlockUDP  bool // both routers drop all of it, and count
	Symmetric bool // the routers give every connection another port
}

const inside = "MAINFORTE_NETNS"

// Inside tells whether this process was started by Enter.
func Inside() bool { return os.Getenv(inside) != "" }

// Enter runs this process's program again, with the same arguments, in namespaces
// of its own, and returns its exit code. The error says why that cannot be.
func Enter() (int, error) {
	for _, p := range []string{"ip", "nft", "mount", "nsenter"} {
		if _, err := exec.LookPath(p); err != nil {
			return 0, fmt.Errorf("netns: %q is not installed (packages iproute2, nftables, mount, util-linux): %w", p, err)
		}
	}
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	probe := exec.Command("true")
	probe.SysProcAttr = attr
	if err := probe.Run(); err != nil {
		return 0, fmt.Errorf("netns: this system gives no namespaces to user %d: %w", os.Geteuid(), err)
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.SysProcAttr = attr
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// Prepare makes the mounts of this process private; call it first inside.
func Prepare() error {
	// X servers find a free display by their sockets. Those of another network are
	// not seen, and their files would be taken away: they need a folder of their own.
	const sockets = "/tmp/.X11-unix"
	if err := os.MkdirAll(sockets, 0o1777); err != nil {
		return fmt.Errorf("netns: %w", err)
	}
	var s script
	s.do("mount", "--make-rprivate", "/")
	s.do("mount", "-t", "tmpfs", "tmpfs", "/run")
	s.do("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", sockets)
	s.do("ip", "link", "set", "lo", "up")
	hosts := filepath.Join("/run", "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n::1 localhost\n"+Server4+" "+Name+"\n"+Server6+" "+Name+"\n"), 0o644); s.err == nil {
		s.err = err
	}
	s.do("mount", "--bind", hosts, "/etc/hosts")
	return s.err
}

// Net is a built network. End it with Close.
type Net struct {
	dir string
	o   Options
}

// New builds a network; programs go to dir.
func New(dir string, o Options) (*Net, error) {
	n := &Net{dir: dir, o: o}
	if err := n.build(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// Close takes the network down. Our own end of it goes first: with its gate alone
// it would go some time later, and be in the way of the next.
func (n *Net) Close() error {
	var err error
	if run("ip", "link", "show", "net") == nil {
		err = run("ip", "link", "del", "net")
	}
	for _, p := range []Place{Server, Host, HostGate, TechGate, inet} {
		if _, missing := os.Stat(filepath.Join("/run/netns", string(p))); missing == nil {
			err = errors.Join(err, run("ip", "netns", "del", string(p)))
		}
	}
	return err
}

// build makes places, wires, addresses and routes, in this order.
func (n *Net) build() error {
	var s script
	for _, p := range []Place{inet, Server, HostGate, Host, TechGate} {
		s.do("ip", "netns", "add", string(p))
		s.in(p, "ip", "link", "set", "lo", "up")
	}
	n.wire(&s, inet, "toserver", Server, "net", "203.0.113.1/24", Server4+"/24", "2001:db8:5::1/64", Server6+"/64")
	n.wire(&s, inet, "tohost", HostGate, "wan", "198.51.100.1/24", "198.51.100.2/24", "2001:db8:a::1/64", "2001:db8:a::2/64")
	n.wire(&s, inet, "totech", TechGate, "wan", "192.0.2.1/24", "192.0.2.2/24", "2001:db8:b::1/64", "2001:db8:b::2/64")
	n.wire(&s, HostGate, "lan", Host, "net", "192.168.10.1/24", Host4+"/24", "2001:db8:10::1/64", Host6+"/64")
	n.wire(&s, TechGate, "lan", tech, "net", "192.168.20.1/24", Tech4+"/24", "2001:db8:20::1/64", Tech6+"/64")
	for p, via := range map[Place][2]string{
		Server: {"203.0.113.1", "2001:db8:5::1"}, HostGate: {"198.51.100.1", "2001:db8:a::1"}, TechGate: {"192.0.2.1", "2001:db8:b::1"},
		Host: {"192.168.10.1", "2001:db8:10::1"}, tech: {"192.168.20.1", "2001:db8:20::1"},
	} {
		n.route(&s, p, via[0], via[1])
	}
	// IPv6 is not translated: the homes are reached under their own addresses.
	if _, has6 := n.families(HostGate); has6 {
		s.in(inet, "ip", "route", "add", "2001:db8:10::/64", "via", "2001:db8:a::2")
	}
	if _, has6 := n.families(TechGate); has6 {
		s.in(inet, "ip", "route", "add", "2001:db8:20::/64", "via", "2001:db8:b::2")
	}
	for _, p := range []Place{inet, HostGate, TechGate} {
		s.in(p, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
	}
	for _, p := range []Place{HostGate, TechGate} {
		s.in(p, "nft", n.firewall(p))
	}
	return s.err
}

// firewall is that of a home: what was not asked for from within does not come in.
// That goes for the router itself too: if it answered, Linux would remember the
// other side's first packet, and give ours another port when it leaves.
func (n *Net) firewall(p Place) string {
	udp, nat := "", ""
	if n.o.BlockUDP {
		udp = "meta l4proto udp counter name dropped drop;"
	}
	if has4, _ := n.families(p); has4 {
		how := "masquerade"
		if n.o.Symmetric {
			how = "masquerade fully-random"
		}
		nat = `chain out { type nat hook postrouting priority srcnat; oifname "wan" ` + how + `; };`
	}
	return `table inet home { counter dropped { };
		chain through { type filter hook forward priority filter; policy accept; ` + udp + `
			ct state established,related accept; iifname "wan" drop; };
		chain self { type filter hook input priority filter; policy accept; iifname "wan" ct state new drop; };
		` + nat + ` }`
}

// families tells which versions of IP a place has.
func (n *Net) families(p Place) (v4, v6 bool) {
	switch {
	case n.o.IPv6Only:
		return false, true
	case !n.o.Mixed || p == Host || p == HostGate:
		return true, false
	case p == tech || p == TechGate:
		return false, true
	}
	return true, true
}

// wire connects two places and gives both ends their addresses.
func (n *Net) wire(s *script, a Place, aIf string, b Place, bIf string, a4, b4, a6, b6 string) {
	args := []string{"link", "add", aIf, "netns", string(a), "type", "veth", "peer", "name", bIf}
	if b != tech {
		args = append(args, "netns", string(b))
	}
	s.do("ip", args...)
	for _, e := range []struct {
		p         Place
		i, v4, v6 string
	}{{a, aIf, a4, a6}, {b, bIf, b4, b6}} {
		has4, has6 := n.families(e.p)
		if has4 {
			s.in(e.p, "ip", "addr", "add", e.v4, "dev", e.i)
		}
		if has6 {
			s.in(e.p, "ip", "addr", "add", e.v6, "dev", e.i, "nodad")
		}
		s.in(e.p, "ip", "link", "set", e.i, "up")
	}
}

// route sends everything that a place does not know to its neighbour.
func (n *Net) route(s *script, p Place, via4, via6 string) {
	has4, has6 := n.families(p)
	if has4 {
		s.in(p, "ip", "route", "add", "default", "via", via4)
	}
	if has6 {
		s.in(p, "ip", "-6", "route", "add", "default", "via", via6)
	}
}

// MoveHost gives the host's computer another address on its network, as another
// access point would; what stood on the old one is cut.
func (n *Net) MoveHost(from, to string) error {
	var s script
	s.in(Host, "ip", "addr", "del", from+"/24", "dev", "net")
	s.in(Host, "ip", "addr", "add", to+"/24", "dev", "net")
	s.in(Host, "ip", "route", "replace", "default", "via", "192.168.10.1")
	return s.err
}

// Dropped is how many UDP packets a router has dropped.
func (n *Net) Dropped(router Place) (packets uint64, err error) {
	out, err := output("nsenter", "--net=/run/netns/"+string(router), "nft", "-j", "list", "counter", "inet", "home", "dropped")
	if err != nil {
		return 0, err
	}
	var list struct {
		Nftables []struct{ Counter struct{ Packets uint64 } }
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return 0, fmt.Errorf("netns: %w", err)
	}
	for _, e := range list.Nftables {
		packets += e.Counter.Packets
	}
	return packets, nil
}

// Program makes a program that runs another one in a place, with the arguments it
// is given, and returns its path.
func (n *Net) Program(p Place, file string) (string, error) {
	path := filepath.Join(n.dir, string(p)+"-"+filepath.Base(file))
	text := fmt.Sprintf("#!/bin/sh\nexec nsenter --net=/run/netns/%s -- '%s' \"$@\"\n", p, file)
	return path, os.WriteFile(path, []byte(text), 0o755)
}

// script runs commands until one fails.
type script struct{ err error }

func (s *script) do(name string, args ...string) {
	if s.err == nil {
		s.err = run(name, args...)
	}
}

func (s *script) in(p Place, name string, args ...string) {
	if p != tech {
		args = append([]string{"--net=/run/netns/" + string(p), name}, args...)
		name = "nsenter"
	}
	s.do(name, args...)
}

func run(name string, args ...string) error {
	_, err := output(name, args...)
	return err
}

func output(name string, args ...string) ([]byte, error) {
	var errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("netns: %s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out, nil
}
