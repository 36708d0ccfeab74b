package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// The line on which files go, and how large they are.
const (
	fileRate = 20e6 // bit/s
	fileRTT  = 40 * time.Millisecond
	fileSize = 30 << 20
)

// sendFile makes the page choose a file of n bytes that do not compress.
const sendFile = `((n) => { const bytes = new Uint8Array(n); for (let i = 0; i < n; i += 65536) crypto.getRandomValues(bytes.subarray(i, Math.min(i + 65536, n)));
 const data = new DataTransfer(); data.items.add(new File([bytes], 'bench.bin'));
 const input = document.querySelector('remote-session').shadowRoot.querySelector('#files-input'); input.files = data.files; input.dispatchEvent(new Event('change'));
 delete window.showSaveFilePicker; delete window.showDirectoryPicker; return true })`

// transfers: how much of a line a file takes each way, and keys meanwhile.
func (r *rig) transfers(keys int) ([]Row, error) {
	r.line.Both(fileRTT, 0, fileRate)
	if err := r.browser.Click("#show-files"); err != nil {
		return nil, err
	}
	time.Sleep(time.Second)
	if err := r.place(); err != nil { // the pane may have moved the picture
		return nil, err
	}
	v, err := r.newReaction(600, 300, 256)
	if err != nil {
		return nil, err
	}
	defer v.close()
	if _, _, err := v.one(1, true); err != nil { // the keyboard is the picture's
		return nil, err
	}
	idle, err := v.measure(keys/4, keySpace, false)
	if err != nil {
		return nil, err
	}
	const what = "20 Mbit/s, 40 ms round trip"
	rows := spread(what+": key → screen", "ms", idle.screen, 0, 95, 0)
	for _, way := range []string{"in", "out"} {
		if err := r.beginTransfer(way); err != nil {
			return nil, fmt.Errorf("%s: %w", way, err)
		}
		began := time.Now()
		if _, _, err := v.one(1, true); err != nil { // the keyboard is the picture's again
			return nil, err
		}
		ended := make(chan error, 1)
		var took time.Duration
		go func() {
			err := r.transfer(way, "done")
			took = time.Since(began)
			ended <- err
		}()
		var t times
		for over := false; !over; {
			select {
			case err := <-ended:
				if err != nil {
					return nil, fmt.Errorf("%s: %w", way, err)
				}
				over = true
			default:
				if err := t.add(v.one(keySpace, false)); err != nil {
					return nil, err
				}
				time.Sleep(time.Duration(60+time.Now().UnixNano()%90) * time.Millisecond)
			}
		}
		name := map[string]string{"in": "a file to the person", "out": "a file from the person"}[way]
		rows = append(rows, atLeast(what+", "+name+": share of the line", "%", 100*fileSize*8/took.Seconds()/fileRate, 80))
		rows = append(rows, spread(what+", "+name+": key → screen", "ms", t.screen, 0, 95, 0)...)
	}
	return rows, nil
}

// beginTransfer returns when the first bytes of a file have passed.
func (r *rig) beginTransfer(way string) error {
	allow := func(grant, folder string) error {
		q, err := r.awaitEvent(func(e ui.Event) bool { return e.Name == "ask" && e.Grant == grant })
		if err != nil {
			return err
		}
		return r.host.Say(ui.Command{ID: q.ID, Answer: "allow", Folder: folder})
	}
	if way == "in" {
		return steps(
			func() error {
				_, err := stage.Eval[bool](r.browser, sendFile+fmt.Sprintf("(%d)", fileSize))
				return err
			},
			func() error { return allow("file_in", r.dir) },
			func() error { return r.transfer(way, "running") },
		)
	}
	bytes := make([]byte, fileSize)
	rand.Read(bytes)
	file := filepath.Join(r.dir, "given.bin")
	return steps(
		func() error { return os.WriteFile(file, bytes, 0o600) },
		func() error { return r.browser.Click("#ask-file") },
		func() error { return allow("file_out", "") },
		func() error { return r.host.Say(ui.Command{Do: "give", Paths: []string{file}}) },
		func() error { return r.browser.WaitFor(10*time.Second, "#accept-in-2") },
		func() error { return r.browser.Click("#accept-in-2") },
		func() error { return r.transfer(way, "running") },
	)
}

// transfer waits until the person is shown a transfer in a state.
func (r *rig) transfer(way, state string) error {
	_, err := r.awaitEvent(func(e ui.Event) bool { return e.Name == "file" && e.File.Way == way && e.File.State == state })
	return err
}

// awaitEvent is the first of the host's events that is such.
func (r *rig) awaitEvent(such func(ui.Event) bool) (ui.Event, error) {
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	e, _, err := r.host.Await(ctx, 0, such)
	return e, err
}
