package hostile

import (
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// HostSays is an attack on one kind of message of a host's: do may change it in
// place, and false drops it.
//
//	hostile.HostSays(func(from *hostile.Line, m *mfpb.PakeReply) bool { … })
func HostSays[M proto.Message](do func(from *Line, m M) bool) Attack {
	return Attack{FromHost: only[*mfpb.HostMessage](do)}
}

// HostHears is an attack on one kind of message to a host.
func HostHears[M proto.Message](do func(to *Line, m M) bool) Attack {
	return Attack{ToHost: only[*mfpb.ServerToHost](do)}
}

// ViewerSays is an attack on one kind of message of a viewer's.
func ViewerSays[M proto.Message](do func(from *Line, m M) bool) Attack {
	return Attack{FromViewer: only[*mfpb.ViewerMessage](do)}
}

// ViewerHears is an attack on one kind of message to a viewer.
func ViewerHears[M proto.Message](do func(to *Line, m M) bool) Attack {
	return Attack{ToViewer: only[*mfpb.ServerToViewer](do)}
}

func only[E, M proto.Message](do func(*Line, M) bool) func(*Line, E) []E {
	return func(l *Line, e E) []E {
		if m, ok := bodyOf(e).(M); ok && !do(l, m) {
			return nil
		}
		return []E{e}
	}
}

// All joins attacks: what one lets through the next one sees.
func All(attacks ...Attack) Attack {
	var all Attack
	for _, a := range attacks {
		all = Attack{
			FromHost:   chain(all.FromHost, a.FromHost),
			ToHost:     chain(all.ToHost, a.ToHost),
			FromViewer: chain(all.FromViewer, a.FromViewer),
			ToViewer:   chain(all.ToViewer, a.ToViewer),
		}
	}
	return all
}

func chain[E proto.Message](first, then func(*Line, E) []E) func(*Line, E) []E {
	if first == nil || then == nil {
		if first == nil {
			return then
		}
		return first
	}
	return func(l *Line, e E) []E {
		var out []E
		for _, m := range first(l, e) {
			out = append(out, then(l, m)...)
		}
		return out
	}
}

// Silence relays nothing any more, in any direction, from the moment the
// function that it returns is called.
func Silence() (Attack, func()) {
	var silent bool // the server runs one function of an attack at a time
	return Attack{
		FromHost:   mute[*mfpb.HostMessage](&silent),
		ToHost:     mute[*mfpb.ServerToHost](&silent),
		FromViewer: mute[*mfpb.ViewerMessage](&silent),
		ToViewer:   mute[*mfpb.ServerToViewer](&silent),
	}, func() { silent = true }
}

func mute[E proto.Message](silent *bool) func(*Line, E) []E {
	return func(_ *Line, e E) []E {
		if *silent {
			return nil
		}
		return []E{e}
	}
}
