package wire_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// envelopes are all messages that travel alone, with their limits.
func envelopes() map[proto.Message]int {
	return map[proto.Message]int{
		&mfpb.HostMessage{}: wire.MaxFrame, &mfpb.ServerToHost{}: wire.MaxFrame, &mfpb.ViewerMessage{}: wire.MaxFrame,
		&mfpb.ServerToViewer{}: wire.MaxFrame, &mfpb.SealedBody{}: wire.MaxSealed, &mfpb.Control{}: wire.MaxControl, &mfpb.CursorUpdate{}: wire.MaxCursor,
		&mfpb.MarkMessage{}: wire.MaxTool,
	}
}

func seeds(f *testing.F) {
	x := readIndex(f)
	for _, m := range x.Messages {
		f.Add(golden(f, m.File))
	}
	for _, m := range x.Input {
		f.Add(golden(f, m.File))
	}
	for _, m := range append(x.Picture, x.Parts...) {
		f.Add(golden(f, m.File))
	}
	for _, m := range x.Answers {
		f.Add(golden(f, m.File))
	}
	for _, m := range refused() {
		f.Add(m.message)
	}
}

func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for m, limit := range envelopes() {
			if wire.Decode(b, limit, m) != nil || wire.Unknown(m) != nil {
				continue
			}
			again, err := wire.Encode(m, 2*limit)
			if err != nil {
				t.Fatalf("%T: what was read cannot be written: %v", m, err)
			}
			if second := proto.Clone(m); wire.Decode(again, 2*limit, second) != nil || !proto.Equal(m, second) {
				t.Fatalf("%T: what was written reads as %v, not %v", m, second, m)
			}
		}
	})
}

func FuzzParseInput(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		ev := wire.InputEvent{Seq: 99, Text: "left over"}
		if err := wire.ParseInput(b, &ev); err != nil {
			if ev != (wire.InputEvent{}) {
				t.Fatalf("%v leaves %+v", err, ev)
			}
			return
		}
		if again, err := wire.AppendInput(nil, &ev); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x, %v", b, again, err)
		}
	})
}

func FuzzParseShown(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		stamp, err := wire.ParseShown(b)
		if err != nil {
			return
		}
		again := wire.AppendShown(nil, stamp)
		again[1] = b[1]
		if !bytes.Equal(again, b) || !wire.IsShown(b) {
			t.Fatalf("%x is written as %x", b, again)
		}
	})
}

func FuzzParsePicture(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := wire.ParseStart(b); err == nil {
			again := wire.AppendStart(nil, s)
			again[1] = b[1]
			if !bytes.Equal(again, b) {
				t.Fatalf("%x is written as %x", b, again)
			}
		}
		if p, err := wire.ParsePiece(b); err == nil {
			again := append(wire.AppendPiece(nil, p.Update, p.Last), p.Data...)
			again[1] |= b[1] & wire.FlagOptional
			if !bytes.Equal(again, b) {
				t.Fatalf("%x is written as %x", b, again)
			}
		}
		if p, err := wire.ParsePart(b); err == nil {
			again := wire.AppendPart(nil, p)
			again[1] |= b[1] & wire.FlagOptional
			if !bytes.Equal(again, b) {
				t.Fatalf("%x is written as %x", b, again)
			}
		}
		if v, err := wire.ParseVideo(b); err == nil {
			again := wire.AppendVideo(nil, v)
			again[1] = b[1]
			if !bytes.Equal(again, b) {
				t.Fatalf("%x is written as %x", b, again)
			}
		}
	})
}

func FuzzParseTileAnswer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := wire.ParseTileAnswer(b)
		if err != nil {
			return
		}
		var again []byte
		switch a.Kind {
		case wire.AnswerHello:
			again = wire.AppendHello(nil)
		case wire.AnswerAck:
			again = wire.AppendAck(nil, a.Update)
			if a.Parts {
				again = wire.AppendAckOfParts(nil, a.Update)
			}
		case wire.AnswerRestart:
			again = wire.AppendRestart(nil)
		}
		if len(again) != len(b) || !bytes.Equal(again[2:], b[2:]) || again[0] != b[0] {
			t.Fatalf("%x is written as %x", b, again)
		}
	})
}

func FuzzParseHostAD(f *testing.F) {
	f.Add(wire.HostAD(run(1, 32)))
	f.Add(wire.ViewerAD())
	f.Fuzz(func(t *testing.T, ad []byte) {
		if key, err := wire.ParseHostAD(ad); err == nil && !bytes.Equal(wire.HostAD(key), ad) {
			t.Fatalf("%x is taken for a host's", ad)
		}
	})
}
