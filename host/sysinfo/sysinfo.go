// Package sysinfo reads what this computer is: system, hardware, disks, network,
// installed updates. [Read] is for a person who allowed it; what it reads goes to
// the technician and, if they attach it, into the ticket.
//
// It never names running programs, files, accounts or wireless networks, and
// reads no serial numbers. Every item stands alone: what cannot be read says why,
// and keeps nothing else from being read. A [Sheet] is at most wire.MaxSystem bytes
// of JSON.
package sysinfo

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
)

// Why an item could not be read.
const (
	Unsupported = "unsupported" // this system has no such thing, or no way to ask for it
	Denied      = "denied"      // the system keeps it from this account
	Failed      = "failed"
	Late        = "late" // it took too long
)

// ErrUnsupported is returned by what this system does not have.
var ErrUnsupported = errors.New("sysinfo: not on this system")

// Bounds of a sheet.
const (
	maxRows    = 64 // of one key
	maxUpdates = 200
	maxTexts   = 16
)

// itemTime is how long one item may take; a disk may be a network that is away.
const itemTime = 3 * time.Second

// Sheet is what was read.
type Sheet struct {
	V    int   `json:"v"`  // 1
	At   int64 `json:"at"` // Unix milliseconds
	Rows []Row `json:"rows"`
}

// Row is one fact. Key is one of os, arch, hostname, uptime, cpu, memory, disk,
// display, network, update, timezone, locale; which fields hold depends on it.
type Row struct {
	Key     string   `json:"key"`
	Name    string   `json:"name,omitempty"` // disk, network, update: which
	Text    []string `json:"text,omitempty"`
	Size    uint64   `json:"size,omitempty"` // bytes
	Free    uint64   `json:"free,omitempty"` // bytes
	Count   int      `json:"count,omitempty"`
	Seconds int64    `json:"seconds,omitempty"`
	Missing string   `json:"missing,omitempty"` // why it could not be read
}

// item reads the rows of one key.
type item struct {
	key  string
	read func() ([]Row, error)
}

// items in the order in which they are shown; the system's own stand in system.
func items() []item {
	s := system
	return []item{
		{"os", s.os}, {"arch", arch}, {"hostname", hostname}, {"uptime", s.uptime}, {"cpu", s.cpu}, {"memory", s.memory},
		{"disk", s.disks}, {"display", displays}, {"network", network}, {"timezone", timezone}, {"locale", s.locale},
		{"update", s.updates},
	}
}

// Read reads everything that can be read until ctx ends.
func Read(ctx context.Context) Sheet { return read(ctx, items()) }

func read(ctx context.Context, items []item) Sheet {
	s := Sheet{V: 1, At: time.Now().UnixMilli()}
	for _, it := range items {
		rows, why := one(ctx, it)
		if why != "" {
			rows = []Row{{Missing: why}}
		}
		most := maxRows
		if it.key == "update" {
			most = maxUpdates
		}
		for _, r := range rows[:min(len(rows), most)] {
			r.Key = it.key
			s.Rows = append(s.Rows, tidy(r))
		}
	}
	return s.bounded()
}

// one reads one item, or says why it cannot.
func one(ctx context.Context, it item) ([]Row, string) {
	if it.read == nil {
		return nil, Unsupported
	}
	type result struct {
		rows []Row
		err  error
	}
	done := make(chan result, 1) // one that never returns is left to itself
	go func() {
		defer func() {
			if recover() != nil {
				done <- result{err: errors.New("sysinfo: a fault while reading")}
			}
		}()
		rows, err := it.read()
		done <- result{rows, err}
	}()
	late := time.NewTimer(itemTime)
	defer late.Stop()
	select {
	case r := <-done:
		switch {
		case errors.Is(r.err, ErrUnsupported) || errors.Is(r.err, fs.ErrNotExist):
			return nil, Unsupported
		case errors.Is(r.err, fs.ErrPermission):
			return nil, Denied
		case r.err != nil:
			return nil, Failed
		case len(r.rows) == 0:
			return nil, Unsupported
		}
		return r.rows, ""
	case <-late.C:
	case <-ctx.Done():
	}
	return nil, Late
}

// tidy makes a row's texts fit to be shown.
func tidy(r Row) Row {
	r.Name = wire.Clean(r.Name)
	var texts []string
	for _, t := range r.Text {
		if t = wire.Clean(t); t != "" && len(texts) < maxTexts {
			texts = append(texts, t)
		}
	}
	r.Text = texts
	return r
}

// bounded takes rows away from the end, updates first, until the sheet is small
// enough.
func (s Sheet) bounded() Sheet {
	for len(s.Rows) > 0 {
		b, err := json.Marshal(s)
		if err == nil && len(b) <= wire.MaxSystem {
			break
		}
		s.Rows = s.Rows[:len(s.Rows)-max(1, len(s.Rows)/8)]
	}
	return s
}

// Count tells how many facts there are, and how many could not be read.
func (s Sheet) Count() (items, missing int) {
	for _, r := range s.Rows {
		if r.Missing != "" {
			missing++
		} else {
			items++
		}
	}
	return items, missing
}

func arch() ([]Row, error) { return []Row{{Text: []string{runtime.GOARCH}}}, nil }

func hostname() ([]Row, error) {
	name, err := os.Hostname()
	return []Row{{Text: []string{name}}}, err
}

func timezone() ([]Row, error) {
	now := time.Now()
	return []Row{{Text: []string{now.Format("MST"), now.Format("UTC-07:00")}}}, nil
}

// network lists the addresses of the interfaces that are up.
func network() ([]Row, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, i := range list {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		r := Row{Name: i.Name}
		for _, a := range addresses {
			r.Text = append(r.Text, a.String())
		}
		slices.Sort(r.Text)
		rows = append(rows, r)
	}
	return rows, nil
}
