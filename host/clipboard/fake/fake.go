// Package fake stands in for a desktop's clipboard in tests: the test is the
// program that copies and pastes.
package fake

import (
	"context"
	"slices"
	"sync"

	"github.com/mainforte/mainforte/host/clipboard"
)

// Clipboard implements clipboard.Clipboard.
type Clipboard struct {
	mu       sync.Mutex
	content  clipboard.Content
	watching bool
	closed   bool
	serial   uint64
	newest   uint64 // that may be read; 0: none
	reads    int
	news     chan clipboard.Item
}

// New is an empty clipboard.
func New() *Clipboard { return &Clipboard{news: make(chan clipboard.Item, 1)} }

// Copy is a program's copying; secret: it marks it so.
func (f *Clipboard) Copy(c clipboard.Content, secret bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.content, f.newest = c, 0
	if secret || !f.watching || f.closed {
		return
	}
	f.serial++
	f.newest = f.serial
	select {
	case <-f.news:
	default:
	}
	f.news <- clipboard.Item{Serial: f.serial, Kind: c.Kind}
}

// Paste is what a program would paste.
func (f *Clipboard) Paste() clipboard.Content {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.content
}

// Reads is how often the content was read.
func (f *Clipboard) Reads() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// Put implements clipboard.Clipboard.
func (f *Clipboard) Put(c clipboard.Content) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return clipboard.ErrClosed
	}
	f.content, f.newest = clipboard.Content{Kind: c.Kind, Data: slices.Clone(c.Data)}, 0
	return nil
}

// Watch implements clipboard.Clipboard.
func (f *Clipboard) Watch(on bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return clipboard.ErrClosed
	}
	f.watching = on
	if !on {
		f.newest = 0
	}
	return nil
}

// News implements clipboard.Clipboard.
func (f *Clipboard) News() <-chan clipboard.Item { return f.news }

// Get implements clipboard.Clipboard.
func (f *Clipboard) Get(_ context.Context, it clipboard.Item) (clipboard.Content, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return clipboard.Content{}, clipboard.ErrClosed
	case it.Serial == 0 || it.Serial != f.newest:
		return clipboard.Content{}, clipboard.ErrGone
	}
	f.reads++
	return clipboard.Clean(f.content)
}

// Close implements clipboard.Clipboard.
func (f *Clipboard) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.news)
	}
	return nil
}
