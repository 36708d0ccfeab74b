package session

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/sysinfo"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// thingEvery is the least time between two things of a kind for one participant, thingTime
// the longest that one may take to be made.
const (
	thingEvery = time.Second
	thingTime  = 20 * time.Second
)

// thingAhead bounds the bytes of a thing that wait to leave: the chat goes the
// same way, and the picture beside it.
const thingAhead = 64 << 10

// thing is something that was asked for, on its way to a participant.
type thing struct {
	k     *link
	id    uint32
	kind  mfpb.TalkKind
	grant string

	cancel context.CancelFunc
	mu     sync.Mutex // held while a message of it is sent
	over   bool
}

// stop ends a thing; nil is none. When it returns, nothing more of it is sent.
func (t *thing) stop() {
	if t == nil {
		return
	}
	t.cancel()
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
}

// tell sends one message of a thing unless it was stopped.
func (t *thing) tell(m *mfpb.TalkMessage) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.over && t.k.p.may(t.grant) && t.k.tell(wire.ChannelTalk, m) == nil // C72
}

var thingGrants = map[mfpb.TalkKind]string{
	mfpb.TalkKind_TALK_KIND_PICTURE: grantScreenshot,
	mfpb.TalkKind_TALK_KIND_SYSTEM:  grantSysinfo,
}

// errTooLargeThing: it would be longer than the other side takes.
var errTooLargeThing = errors.New("session: it is too large")

// asks is a participant's wish for a thing.
func (t *talk) asks(k *link, s *seat, m *mfpb.TalkAsk) {
	h := t.l.h
	refuse := func(why mfpb.TalkTrouble) {
		_ = k.tell(wire.ChannelTalk, &mfpb.TalkMessage{Body: &mfpb.TalkMessage_Thing{Thing: &mfpb.TalkThing{Id: m.GetId(), Kind: m.GetKind(), Trouble: why}}})
	}
	grant, now := thingGrants[m.GetKind()], h.clock.Now()
	switch {
	case grant == "" || !k.p.allowed(grant): // C72
		refuse(mfpb.TalkTrouble_TALK_TROUBLE_DENIED)
		return
	case s.thing != nil || now.Sub(s.last[m.GetKind()]) < thingEvery:
		refuse(mfpb.TalkTrouble_TALK_TROUBLE_BUSY)
		return
	}
	s.last[m.GetKind()] = now
	ctx, cancel := context.WithTimeout(h.ctx, thingTime)
	th := &thing{k: k, id: m.GetId(), kind: m.GetKind(), grant: grant, cancel: cancel}
	s.thing = th
	area := t.area(m.GetDisplay())
	h.spawn(func() {
		defer cancel()
		var made made
		var err error
		if th.kind == mfpb.TalkKind_TALK_KIND_PICTURE {
			made, err = h.picture(ctx, area)
		} else {
			made, err = h.system(ctx)
		}
		cancel()
		sent := make(chan bool, 1)
		h.post(k.gone, func() { sent <- t.begin(s, th, made, err) })
		select {
		case ok := <-sent:
			if !ok {
				return
			}
		case <-k.gone:
			return
		case <-h.stopped: // what was posted last may never be done
			return
		}
		th.deliver(made.data)
		h.post(k.gone, func() {
			if s.thing == th {
				s.thing = nil
			}
		})
	})
}

// made is a thing as it was made, and what the log says of it.
type made struct {
	data  []byte
	facts map[string]any
}

// begin writes a thing down and tells the person, before its first byte leaves.
func (t *talk) begin(s *seat, th *thing, m made, err error) bool {
	h := t.l.h
	if s.thing != th || t.l.over {
		return false
	}
	answer := &mfpb.TalkThing{Id: th.id, Kind: th.kind}
	if err != nil {
		h.log.Warn("what was asked for could not be made", "kind", th.kind.String(), "error", err)
		answer.Trouble = mfpb.TalkTrouble_TALK_TROUBLE_FAILED
		if errors.Is(err, errTooLargeThing) {
			answer.Trouble = mfpb.TalkTrouble_TALK_TROUBLE_LARGE
		}
		s.thing = nil
		th.tell(&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Thing{Thing: answer}})
		return false
	}
	sum := sha256.Sum256(m.data)
	answer.Size, answer.Sha256 = uint32(len(m.data)), sum[:]
	m.facts["participant"], m.facts["bytes"] = th.k.p.id, len(m.data)
	if th.kind == mfpb.TalkKind_TALK_KIND_PICTURE {
		m.facts["sha256"] = hex.EncodeToString(sum[:])
		t.l.note("screenshot.taken", "ok", m.facts, nil)
		h.statusOf("status.screenshot", th.k.p)
	} else {
		t.l.note("sysinfo.read", "ok", m.facts, nil)
		h.statusOf("status.sysinfo", th.k.p)
	}
	return th.tell(&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Thing{Thing: answer}})
}

// deliver sends the parts, never more ahead than thingAhead.
func (t *thing) deliver(data []byte) {
	dc := t.k.bulk[wire.ChannelTalk]
	low := make(chan struct{}, 1)
	dc.SetBufferedAmountLowThreshold(thingAhead / 2)
	dc.OnBufferedAmountLow(func() {
		select {
		case low <- struct{}{}:
		default:
		}
	})
	for len(data) > 0 {
		for dc.BufferedAmount() > thingAhead {
			select {
			case <-low:
			case <-t.k.gone:
				return
			}
		}
		n := min(len(data), wire.MaxTalkPart)
		if !t.tell(&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Part{Part: &mfpb.TalkPart{Id: t.id, Data: data[:n]}}}) {
			return
		}
		data = data[n:]
	}
}

// area is what a display shows, in pixels of the picture; empty: all of it.
func (t *talk) area(display uint32) image.Rectangle {
	if t.l.desk != nil {
		for _, d := range t.l.desk.displays {
			if d.ID == display && display != 0 {
				return d.Bounds
			}
		}
	}
	return image.Rectangle{}
}

// picture takes one picture of the screen as PNG.
func (h *Host) picture(ctx context.Context, area image.Rectangle) (made, error) {
	img, err := h.cfg.Shot(ctx)
	if err != nil {
		return made{}, fmt.Errorf("a picture of the screen: %w", err)
	}
	seen := image.Image(img)
	if area = area.Intersect(img.Rect); !area.Empty() {
		seen = img.SubImage(area)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, seen); err != nil {
		return made{}, fmt.Errorf("a picture of the screen: %w", err)
	}
	if b.Len() > wire.MaxPicture {
		return made{}, errTooLargeThing
	}
	return made{b.Bytes(), map[string]any{"width": seen.Bounds().Dx(), "height": seen.Bounds().Dy()}}, nil
}

// system reads what the computer is, as JSON.
func (h *Host) system(ctx context.Context) (made, error) {
	sheet := sysinfo.Read(ctx)
	b, err := json.Marshal(sheet)
	if err != nil {
		return made{}, err
	}
	if len(b) > wire.MaxSystem {
		return made{}, errTooLargeThing
	}
	items, missing := sheet.Count()
	return made{b, map[string]any{"items": items, "missing": missing}}, nil
}
