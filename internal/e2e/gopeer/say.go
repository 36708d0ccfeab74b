package gopeer

import (
	"context"

	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Ask asks for a grant.
func (v *Viewer) Ask(name string) error {
	return v.Control(&mfpb.Control{Body: &mfpb.Control_Ask{Ask: &mfpb.AskGrant{Name: name}}})
}

// GiveBack gives a grant back.
func (v *Viewer) GiveBack(name string) error {
	return v.Control(&mfpb.Control{Body: &mfpb.Control_GiveBack{GiveBack: &mfpb.GiveBack{Name: name}}})
}

// AskInvite asks for an invite code.
func (v *Viewer) AskInvite(kind mfpb.ParticipantKind) error {
	return v.Control(&mfpb.Control{Body: &mfpb.Control_AskInvite{AskInvite: &mfpb.AskInvite{Kind: kind}}})
}

// CancelInvite makes the code worthless.
func (v *Viewer) CancelInvite() error {
	return v.Control(&mfpb.Control{Body: &mfpb.Control_CancelInvite{CancelInvite: &mfpb.CancelInvite{}}})
}

// HandOver gives control to another participant.
func (v *Viewer) HandOver(participant string) error {
	return v.Control(&mfpb.Control{Body: &mfpb.Control_HandOver{HandOver: &mfpb.HandOver{Participant: participant}}})
}

// Watch says which display is looked at; nil: all of them.
func (v *Viewer) Watch(display *uint32) error {
	return v.Control(&mfpb.Control{Optional: true, Body: &mfpb.Control_Watch{Watch: &mfpb.Watch{Display: display}}})
}

// Measure wants figures, or no more of them.
func (v *Viewer) Measure(on bool) error {
	return v.Control(&mfpb.Control{Optional: true, Body: &mfpb.Control_Measure{Measure: &mfpb.Measure{On: on}}})
}

// Bye ends the session.
func (v *Viewer) Bye(why mfpb.Reason) error {
	return v.Control(&mfpb.Control{Body: &mfpb.Control_Bye{Bye: &mfpb.Bye{Reason: why}}})
}

// Control sends any message on ctl.
func (v *Viewer) Control(m *mfpb.Control) error {
	a, err := v.attached()
	if err != nil {
		return err
	}
	return a.control(m)
}

// Seal sends any sealed body by way of the server.
func (v *Viewer) Seal(body *mfpb.SealedBody) error {
	a, err := v.attached()
	if err != nil {
		return err
	}
	return a.Seal(body)
}

// SendRaw sends bytes on a channel.
func (v *Viewer) SendRaw(channel uint16, b []byte) error {
	a, err := v.attached()
	if err != nil {
		return err
	}
	return a.channels[channel].Send(b)
}

// PeerConnection is pion's, of the present attach; nil before it.
func (v *Viewer) PeerConnection() *webrtc.PeerConnection {
	a, err := v.attached()
	if err != nil {
		return nil
	}
	return a.pc
}

// Motion moves the pointer.
func (v *Viewer) Motion(x, y int) error {
	a, err := v.attached()
	if err != nil {
		return err
	}
	a.inputs.Lock()
	defer a.inputs.Unlock()
	a.motion++
	return a.event(wire.InputEvent{Kind: wire.InputMotion, Seq: a.motion, X: uint16(x), Y: uint16(y)}, wire.ChannelInputFast)
}

// Button presses or releases a button (0 left, 1 middle, 2 right) at a place.
func (v *Viewer) Button(button uint8, x, y int, down bool) (seq uint32, err error) {
	return v.ordered(wire.InputEvent{Kind: wire.InputButton, X: uint16(x), Y: uint16(y), Button: button, Down: down})
}

// Wheel turns the wheel by 1/120 of a notch.
func (v *Viewer) Wheel(x, y, dx, dy int) (seq uint32, err error) {
	return v.ordered(wire.InputEvent{Kind: wire.InputWheel, X: uint16(x), Y: uint16(y), DX: int16(dx), DY: int16(dy)})
}

// Key presses or releases a key by its HID usage; text is what it types here.
func (v *Viewer) Key(usage uint16, text string, down bool) (seq uint32, err error) {
	return v.ordered(wire.InputEvent{Kind: wire.InputKey, Usage: usage, Text: text, Down: down})
}

// Type types UTF-8 text.
func (v *Viewer) Type(text string) (seq uint32, err error) {
	return v.ordered(wire.InputEvent{Kind: wire.InputText, Text: text})
}

// Release lets go of everything.
func (v *Viewer) Release() (seq uint32, err error) {
	return v.ordered(wire.InputEvent{Kind: wire.InputRelease})
}

// ordered sends an event as a browser does: on in, and at once again on in-fast.
func (v *Viewer) ordered(ev wire.InputEvent) (uint32, error) {
	a, err := v.attached()
	if err != nil {
		return 0, err
	}
	a.inputs.Lock()
	defer a.inputs.Unlock()
	a.seq++
	ev.Seq, ev.Motion = a.seq, a.motion
	if ev.Kind != wire.InputButton && ev.Kind != wire.InputWheel {
		ev.Motion = 0
	}
	if ev.Kind != wire.InputText {
		if err := a.event(ev, wire.ChannelInputFast); err != nil {
			return 0, err
		}
	}
	return a.seq, a.event(ev, wire.ChannelInput)
}

func (a *attach) event(ev wire.InputEvent, channel uint16) error {
	b, err := wire.AppendInput(nil, &ev)
	if err != nil {
		return err
	}
	return a.channels[channel].Send(b)
}

// WaitAck waits until the host has applied or refused every event up to seq.
func (v *Viewer) WaitAck(ctx context.Context, seq uint32) error {
	return v.wait(ctx, "an input ack", func() bool { return v.at.acked >= seq })
}

// WaitChannels waits until the data channels are open, proven or not.
func (v *Viewer) WaitChannels(ctx context.Context) error {
	return v.wait(ctx, "the data channels", func() bool { return v.at.opened == len(v.at.channels) })
}
