// Command up is `task up`: the whole product on this machine in one terminal.
//
// It starts the server on 127.0.0.1:8080 and a host: on $DISPLAY with its
// window, or, where there is no display, on a private X server with a small
// desktop, and then this terminal is where the person answers. It prints the
// console's sign-in link and the code, and takes everything down on Ctrl-C.
// The data lives in a temporary folder that is removed at the end, unless
// --data names one to keep.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address of the server")
	data := flag.String("data", "", "folder to keep the server's data in; empty: a temporary one")
	lang := flag.String("lang", "", "language of the host: en or fr; empty: the system's")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *data, *lang); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, data, lang string) error {
	root, err := stage.Root(ctx)
	if err != nil {
		return err
	}
	bin := filepath.Join(root, "bin")
	if data == "" {
		data, err = os.MkdirTemp("", "mainforte-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(data)
	}
	// Everything lives on its own context: the order below takes it down, not the signal.
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server, err := stage.StartServer(alive, filepath.Join(bin, "mainforte-signaling"), listen, data, "--downloads", bin)
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop() }()
	link, err := server.Link(ctx, "technician")
	if err != nil {
		return err
	}
	audit, err := server.Link(ctx, "auditor")
	if err != nil {
		return err
	}
	fmt.Printf("\n  Technician   %s\n  Auditor      %s\n  Person       %s/\n\n", link, audit, server.URL)

	display, args := os.Getenv("DISPLAY"), []string{"--server", server.URL}
	if lang != "" {
		args = append(args, "--lang", lang)
	}
	if display == "" {
		desktop, err := stage.StartDesktop(alive, 1280, 800)
		if err != nil {
			return err
		}
		defer desktop.Stop()
		display = desktop.Display
		if _, err := desktop.Run(alive, "xterm", "-geometry", "90x30+60+60", "-fa", "Monospace", "-fs", "11"); err != nil {
			return err
		}
		fmt.Printf("  No display here: the host runs on a private one (%s), and you answer for the person in this terminal.\n\n", display)
		args = append(args, "--console")
	}
	for enough := false; !enough && ctx.Err() == nil; {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "mainforte-host"), args...)
		cmd.Env = append(os.Environ(), "DISPLAY="+display)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 5 * time.Second
		if err := cmd.Run(); err != nil && ctx.Err() == nil {
			return fmt.Errorf("the host: %w", err)
		}
		// Ctrl-C reaches the host and us at the same moment; whoever is first.
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
			enough = !again(ctx)
		}
	}
	fmt.Println("\nStopped; nothing is left running.")
	return nil
}

// again asks whether to start another host after a session has ended.
func again(ctx context.Context) bool {
	fmt.Print("\nPress Enter for another code, Ctrl-C to stop everything. ")
	line := make(chan bool, 1)
	go func() {
		var b [256]byte
		n, err := os.Stdin.Read(b[:])
		line <- err == nil && bytes.ContainsRune(b[:n], '\n')
	}()
	select {
	case <-ctx.Done():
		return false
	case ok := <-line:
		return ok
	}
}
