package session

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// tool is something that person and technician do together besides seeing and
// driving: files, the clipboard, talk, marks. It has a channel and grants of its
// own. One stands for a session and all its participants; but for hear, its
// methods run on the loop.
type tool interface {
	// channel is where its messages travel.
	channel() uint16
	// grants are those that it can serve on this computer: the person is asked for
	// each, and every other one is denied (C32).
	grants() []string
	// hear takes one message of a participant whose proof has passed (C25). It runs
	// on that channel's own goroutine and may wait: nobody but this participant
	// waits for it, and nothing but this channel. What needs a grant asks
	// participant.may first, and again on the loop if it acts there. An error takes
	// the participant out, but for wire.ErrSkip.
	hear(k *link, msg []byte) error
	// connected: a participant's connection stands and is proven, for the first time or anew.
	connected(p *participant)
	// settled: a grant that it serves was allowed or taken away. When it is taken
	// away, nothing of it happens any more when settled returns.
	settled(p *participant, grant string, allowed bool)
	// left: a participant is out, and none of its grants stands.
	left(p *participant)
	// command is what the person said; false: it is not for this tool.
	command(c ui.Command) bool
	// close gives back everything: the session is over. It may be called twice.
	close()
}

// asker is a tool that minds when a question is open: nothing of it may stand in
// the question's way. It is told before the question is shown, and after it closed;
// and how it stands when a window of ours shows up, which nothing may stand over.
type asker interface{ asked(open bool) }

// tellAsked tells those who mind whether a question is open.
func (l *live) tellAsked(open bool) {
	for _, t := range l.tools {
		if a, ok := t.(asker); ok {
			a.asked(open)
		}
	}
}

// welcomer is a tool that has to know when the person says yes to a participant
// for the first time.
type welcomer interface{ welcomed(p *participant) }

// toolMakers make a session's tools. A maker returns nil where the tool has no
// use, as where this computer lacks what it needs.
var toolMakers = []func(*live) tool{
	newFiles,
	newClips,
	newMarks,
	newTalk,
	newRaiser,
	newComebacks,
}

// maxToolBuffered is how many bytes a tool's channel may hold: little enough that
// it empties in a moment, and that the picture is not kept waiting behind it.
const maxToolBuffered = 256 << 10

// openTools makes the tools of a session.
func (l *live) openTools() {
	for _, make := range toolMakers {
		if t := make(l); t != nil {
			l.tools = append(l.tools, t)
		}
	}
}

// toolOn is the tool of a channel, or nil.
func (l *live) toolOn(channel uint16) tool {
	for _, t := range l.tools {
		if t.channel() == channel {
			return t
		}
	}
	return nil
}

// toolFor is the tool that serves a grant, or nil.
func (l *live) toolFor(grant string) tool {
	for _, t := range l.tools {
		if slices.Contains(t.grants(), grant) {
			return t
		}
	}
	return nil
}

// everyGrant is what a participant can be allowed on this computer.
func (l *live) everyGrant() []*grant {
	list := []*grant{{name: grantView}, {name: grantControl}}
	for _, t := range l.tools {
		for _, name := range t.grants() {
			list = append(list, &grant{name: name})
		}
	}
	for _, g := range list {
		if l.rulesOut(g.name) {
			g.state = mfpb.GrantState_GRANT_STATE_RULED_OUT
		}
	}
	return list
}

// may tells whether a grant stands, from any goroutine. What it allows may be
// taken away in the next moment: a tool's settled waits until that has an effect.
func (p *participant) may(name string) bool { // C42
	g := p.grant(name)
	return g != nil && g.open.Load()
}

// hearTool gives one message to the channel's tool. Where there is none, as on an
// older host, it is dropped.
func (l *link) hearTool(channel uint16) func(webrtc.DataChannelMessage) error {
	t := l.h.live.toolOn(channel)
	return func(m webrtc.DataChannelMessage) error {
		if t == nil {
			return nil
		}
		select {
		case <-l.ready: // a tool hears of a connection before it hears from it
		case <-l.gone:
			return nil
		}
		if err := t.hear(l, m.Data); !errors.Is(err, wire.ErrSkip) {
			return err
		}
		return nil // a newer viewer's, and it may be skipped
	}
}

// tell sends a message on a tool's channel, from any goroutine. It never waits;
// who sends much looks at DataChannel.BufferedAmount against maxToolBuffered.
func (l *link) tell(channel uint16, m proto.Message) error {
	b, err := wire.Encode(m, wire.MaxTool)
	if err != nil {
		return err
	}
	dc := l.bulk[channel]
	if dc == nil || dc.ReadyState() != webrtc.DataChannelStateOpen {
		return fmt.Errorf("channel %d: %w", channel, webrtc.ErrConnectionClosed)
	}
	return dc.Send(b)
}
