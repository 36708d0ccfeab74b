package hostile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Entry is one frame, or the end of a line.
type Entry struct {
	Line *Line
	// Told is what the server said; else it is what it heard.
	Told bool
	// Raw is the frame, Body the message in it: *mfpb.Claim, … or nil for none.
	Raw  []byte
	Body proto.Message
	// Closed is how the line ended.
	Closed error
}

func (e Entry) String() string {
	what := "what is no message"
	if e.Body != nil {
		what = string(e.Body.ProtoReflect().Descriptor().Name())
	}
	switch {
	case e.Closed != nil:
		return fmt.Sprintf("%v: closed: %v", e.Line.Side, e.Closed)
	case e.Told:
		return fmt.Sprintf("%v ← %s", e.Line.Side, what)
	}
	return fmt.Sprintf("%v → %s", e.Line.Side, what)
}

// record keeps everything in the order in which it happened.
type record struct {
	mu      sync.Mutex
	entries []Entry
	changed chan struct{} // closed and replaced at each entry
}

func (r *record) init() { r.changed = make(chan struct{}) }

func (r *record) add(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

// Record is everything so far: what each side told the server and was told.
func (s *Server) Record() []Entry {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return slices.Clone(s.record.entries)
}

// Await waits for the n-th entry, counted from 1, that ok accepts.
func (s *Server) Await(ctx context.Context, n int, ok func(Entry) bool) (Entry, error) {
	r := &s.record
	for {
		r.mu.Lock()
		found := 0
		for _, e := range r.entries {
			if ok(e) {
				if found++; found == n {
					r.mu.Unlock()
					return e, nil
				}
			}
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			var b strings.Builder
			for _, e := range s.Record() {
				fmt.Fprintf(&b, "\n\t%v", e)
			}
			return Entry{}, fmt.Errorf("hostile: what was waited for did not come: %w; there was%s", ctx.Err(), &b)
		}
	}
}

// Heard accepts entries in which a side said a message of this kind:
// Await(ctx, 1, hostile.Heard[*mfpb.PakeReply]).
func Heard[M proto.Message](e Entry) bool {
	_, ok := e.Body.(M)
	return ok && !e.Told
}

// Told accepts entries in which the server said a message of this kind.
func Told[M proto.Message](e Entry) bool {
	_, ok := e.Body.(M)
	return ok && e.Told
}

func bodyOf(m proto.Message) proto.Message {
	r := m.ProtoReflect()
	f := r.WhichOneof(r.Descriptor().Oneofs().ByName("body"))
	if f == nil {
		return nil
	}
	return r.Get(f).Message().Interface()
}

func valueOf(m proto.Message) protoreflect.Value {
	return protoreflect.ValueOfMessage(m.ProtoReflect())
}
