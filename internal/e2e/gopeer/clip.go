package gopeer

import (
	"context"
	"crypto/sha256"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Clip sends one message on the channel clip.
func (v *Viewer) Clip(m *mfpb.ClipMessage) error {
	b, err := wire.Encode(m, wire.MaxTool)
	if err != nil {
		return err
	}
	return v.SendRaw(wire.ChannelClip, b)
}

// SendClip sends a whole content, whoever allowed it.
func (v *Viewer) SendClip(id uint64, kind mfpb.ClipKind, data []byte) error {
	err := v.Clip(&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Offer{Offer: &mfpb.ClipOffer{Id: id, Kind: kind, Size: uint32(len(data))}}})
	for ; err == nil && len(data) > 0; data = data[min(len(data), 16<<10):] {
		err = v.Clip(&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Chunk{Chunk: &mfpb.ClipChunk{Id: id, Data: data[:min(len(data), 16<<10)]}}})
	}
	return err
}

// FetchClip asks for what a news told of.
func (v *Viewer) FetchClip(id uint64) error {
	return v.Clip(&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Fetch{Fetch: &mfpb.ClipFetch{Id: id}}})
}

// Clips are the messages that came on the channel clip.
func (v *Viewer) Clips() []*mfpb.ClipMessage {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]*mfpb.ClipMessage(nil), v.clips...)
}

// WaitClip waits for a message on the channel clip that is right.
func (v *Viewer) WaitClip(ctx context.Context, what string, right func(*mfpb.ClipMessage) bool) (m *mfpb.ClipMessage, err error) {
	err = v.wait(ctx, what, func() bool {
		for _, m = range v.clips {
			if right(m) {
				return true
			}
		}
		return false
	})
	return m, err
}

// WaitClipTaken waits until the host says that a content is on the clipboard.
func (v *Viewer) WaitClipTaken(ctx context.Context, id uint64, data []byte) error {
	sum := sha256.Sum256(data)
	_, err := v.WaitClip(ctx, "the content is taken", func(m *mfpb.ClipMessage) bool {
		return m.GetTaken().GetId() == id && string(m.GetTaken().GetSha256()) == string(sum[:])
	})
	return err
}

// WaitClipRefused waits until the host refuses a content, for a reason.
func (v *Viewer) WaitClipRefused(ctx context.Context, id uint64, why mfpb.ClipWhy) error {
	_, err := v.WaitClip(ctx, "the content is refused: "+why.String(), func(m *mfpb.ClipMessage) bool {
		return m.GetRefused() != nil && m.GetRefused().GetId() == id && m.GetRefused().GetWhy() == why
	})
	return err
}

// WaitClipContent waits for the whole of what was fetched as the nth.
func (v *Viewer) WaitClipContent(ctx context.Context, nth uint64) (data []byte, err error) {
	err = v.wait(ctx, "a content", func() bool {
		size := -1
		data = nil
		for _, m := range v.clips {
			if o := m.GetOffer(); o.GetId() == nth && o != nil {
				size = int(o.GetSize())
			}
			if c := m.GetChunk(); c.GetId() == nth {
				data = append(data, c.GetData()...)
			}
		}
		return len(data) == size
	})
	return data, err
}
