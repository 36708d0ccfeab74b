package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func TestTooLargeIsRefusedBeforeItIsParsed(t *testing.T) {
	garbage := bytes.Repeat([]byte{0xFF}, wire.MaxControl+1)
	m := &mfpb.Control{Optional: true}
	if err := wire.Decode(garbage, wire.MaxControl, m); !errors.Is(err, wire.ErrTooLarge) || !m.Optional {
		t.Errorf("one byte over the limit: %v, message %v", err, m)
	}
	if err := wire.Decode(garbage[1:], wire.MaxControl, m); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("garbage of just the limit: %v", err)
	}
	if _, err := wire.Encode(&mfpb.Sealed{Box: make([]byte, wire.MaxFrame)}, wire.MaxFrame); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("writing over the limit: %v", err)
	}
	if _, err := wire.Encode(&mfpb.AskGrant{Name: "\xff"}, wire.MaxFrame); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("writing text that is not UTF-8: %v", err)
	}
	var ev wire.InputEvent
	if err := wire.ParseInput(make([]byte, wire.MaxInput+1), &ev); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("input: %v", err)
	}
	if _, err := wire.ParsePiece(make([]byte, wire.MaxTileMessage+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("piece: %v", err)
	}
	if _, err := wire.ParseTileAnswer(make([]byte, wire.MaxTileAnswer+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("answer: %v", err)
	}
}

// TestSealedBodyFitsItsFrame: the longest sealed body must pass the socket.
func TestSealedBodyFitsItsFrame(t *testing.T) {
	m := &mfpb.HostMessage{Body: &mfpb.HostMessage_Sealed{Sealed: &mfpb.Sealed{Epoch: math.MaxUint32, Counter: math.MaxUint64, Box: make([]byte, wire.MaxSealed+16)}}}
	if _, err := wire.Encode(m, wire.MaxFrame); err != nil {
		t.Error(err)
	}
	shape := &mfpb.CursorShape{Id: math.MaxUint32, Width: 96, Height: 96, HotX: 95, HotY: 95, Rgba: make([]byte, 96*96*4)}
	if _, err := wire.Encode(&mfpb.CursorUpdate{Body: &mfpb.CursorUpdate_Shape{Shape: shape}}, wire.MaxCursor); err != nil {
		t.Error(err)
	}
}

func TestUnknownBodies(t *testing.T) {
	if err := wire.Unknown(&mfpb.Hello{}); err != nil {
		t.Errorf("a message that is no envelope: %v", err)
	}
	for _, m := range []proto.Message{&mfpb.HostMessage{}, &mfpb.ServerToHost{}, &mfpb.ViewerMessage{}, &mfpb.ServerToViewer{}, &mfpb.SealedBody{}, &mfpb.Control{}, &mfpb.CursorUpdate{}} {
		// Field 99 is a body of some later version; 8, 1 is optional = true.
		unknown := []byte{0x9A, 0x06, 0x00}
		if err := wire.Decode(unknown, wire.MaxFrame, m); err != nil || !errors.Is(wire.Unknown(m), wire.ErrUnknownMessage) {
			t.Errorf("%T: %v, %v", m, err, wire.Unknown(m))
		}
		if err := wire.Decode(append([]byte{8, 1}, unknown...), wire.MaxFrame, m); err != nil || !errors.Is(wire.Unknown(m), wire.ErrSkip) {
			t.Errorf("optional %T: %v, %v", m, err, wire.Unknown(m))
		}
	}
}

func TestNegotiate(t *testing.T) {
	for _, c := range []struct {
		lo, hi uint32
		want   uint32
		err    error
	}{
		{1, 1, 1, nil}, {1, 9, 1, nil}, {1, math.MaxUint32, 1, nil},
		{2, 3, 0, wire.ErrVersion}, {0, 0, 0, wire.ErrMalformed}, {0, 1, 0, wire.ErrMalformed}, {2, 1, 0, wire.ErrMalformed},
	} {
		got, err := wire.Negotiate(&mfpb.Hello{MinVersion: c.lo, MaxVersion: c.hi})
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%d to %d: %d, %v", c.lo, c.hi, got, err)
		}
	}
	if _, err := wire.Negotiate(nil); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("no hello: %v", err)
	}
	if v, err := wire.Negotiate(wire.Versions(&mfpb.Hello{})); v != wire.Version || err != nil {
		t.Errorf("our own hello: %d, %v", v, err)
	}
}

func TestErrorsCarryTheirReason(t *testing.T) {
	for err, want := range map[error]mfpb.Reason{
		nil:                 mfpb.Reason_REASON_UNSPECIFIED,
		io.ErrUnexpectedEOF: mfpb.Reason_REASON_INTERNAL,
		wire.ErrTooLarge:    mfpb.Reason_REASON_TOO_LARGE,
		wire.ErrMalformed:   mfpb.Reason_REASON_PROTOCOL,
		wire.ErrVersion:     mfpb.Reason_REASON_VERSION,
		wire.ErrServerName:  mfpb.Reason_REASON_SERVER_NAME,
		wire.ErrSkip:        mfpb.Reason_REASON_UNSPECIFIED,
		errors.Join(io.EOF, wire.ErrUnknownMessage):              mfpb.Reason_REASON_UNKNOWN_MESSAGE,
		fmt.Errorf("reading: %w", wire.ErrMalformedCode):         mfpb.Reason_REASON_MALFORMED_CODE,
		wire.NewError(mfpb.Reason_REASON_NO_ANSWER, "no answer"): mfpb.Reason_REASON_NO_ANSWER,
	} {
		if got := wire.Reason(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	for r, want := range map[mfpb.Reason]string{mfpb.Reason_REASON_WRONG_CODE: "WRONG_CODE", 0: "UNSPECIFIED", 9999: "9999"} {
		if got := wire.Name(r); got != want {
			t.Errorf("%d is named %q", r, got)
		}
	}
}

func TestLVIsTheDraftsLVCat(t *testing.T) {
	// draft-irtf-cfrg-cpace-21, lv_cat's own test vector, and a length of two bytes.
	if got := hex.EncodeToString(wire.AppendLV(nil, []byte("1234"), []byte("5"), nil, []byte("678"))); got != "043132333401350003363738" {
		t.Errorf("lv_cat is %s", got)
	}
	if got := wire.AppendLV(nil, make([]byte, 128)); !bytes.Equal(got[:2], []byte{0x80, 0x01}) || len(got) != 130 {
		t.Errorf("lv of 128 bytes begins %x", got[:2])
	}
}

func TestHostADHoldsExactlyARoleAndAKey(t *testing.T) {
	public := key.Public().(ed25519.PublicKey)
	good := wire.HostAD(public)
	if got, err := wire.ParseHostAD(good); err != nil || !bytes.Equal(got, public) {
		t.Fatalf("%x, %v", got, err)
	}
	bad := [][]byte{nil, wire.ViewerAD(), good[:len(good)-1], append(bytes.Clone(good), 0), public,
		wire.HostAD(public[:31]), wire.AppendLV(nil, []byte("mf/1 h0st"), public), wire.AppendLV(nil, []byte("mf/1 host"), make([]byte, 33)),
		wire.AppendLV(nil, []byte("mf/1 host"), public, nil)}
	long := bytes.Clone(good)
	long[10] = 0x21
	for _, ad := range append(bad, long) {
		if _, err := wire.ParseHostAD(ad); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%x is taken for a host's", ad)
		}
	}
}

func TestCloseMessagesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range []string{"", "A", "AB"} {
		for _, r := range []mfpb.Reason{0, 1, 256} {
			for _, n := range []uint64{0, 1, 1 << 40} {
				for _, d := range []int64{0, 1, 1 << 40, -1} {
					seen[string(wire.CloseMessage(s, r, n, d))] = true
				}
			}
		}
	}
	if len(seen) != 3*3*3*4 {
		t.Errorf("%d of %d closes have messages of their own", len(seen), 3*3*3*4)
	}
}

func TestChannelsHaveTheirPlaceAsID(t *testing.T) {
	for i, c := range wire.Channels() {
		if int(c.ID) != i || c.Label == "" || c.Max <= 0 || c.Reliable == (c.ID == wire.ChannelInputFast || c.ID == wire.ChannelTilesFast) {
			t.Errorf("channel %d is %+v", i, c)
		}
	}
}

func TestInputIsParsedWithoutAllocation(t *testing.T) {
	for name, e := range inputSamples() {
		b, err := wire.AppendInput(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		var ev wire.InputEvent
		most := 0.0
		if len(e.Text) > 1 {
			most = 1 // its copy
		}
		if n := testing.AllocsPerRun(100, func() { err = wire.ParseInput(b, &ev) }); n > most || err != nil {
			t.Errorf("%s: %v allocations, %v", name, n, err)
		}
	}
}

func TestInputTextIsACopy(t *testing.T) {
	b, _ := wire.AppendInput(nil, &wire.InputEvent{Kind: wire.InputText, Seq: 1, Text: "secret"})
	var ev wire.InputEvent
	if err := wire.ParseInput(b, &ev); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if ev.Text != "secret" {
		t.Errorf("the text became %q with its buffer", ev.Text)
	}
}

func TestInputOutOfRangeIsNotWritten(t *testing.T) {
	for _, e := range []wire.InputEvent{
		{}, {Kind: 8, Seq: 1}, {Kind: wire.InputMotion}, {Kind: wire.InputMotion, Seq: 1, Flags: 1},
		{Kind: wire.InputButton, Seq: 1, Button: 5}, {Kind: wire.InputKey, Seq: 1, Usage: 3}, {Kind: wire.InputKey, Seq: 1, Usage: 4, Modifiers: 32},
		{Kind: wire.InputKey, Seq: 1, Usage: 4, Locks: 8}, {Kind: wire.InputKey, Seq: 1, Usage: 4, Text: strings.Repeat("a", 33)},
		{Kind: wire.InputText, Seq: 1}, {Kind: wire.InputText, Seq: 1, Text: "\xff"}, {Kind: wire.InputText, Seq: 1, Text: strings.Repeat("a", 1025)},
		{Kind: wire.InputAlive, Seq: 1}, {Kind: wire.InputRelease},
	} {
		if b, err := wire.AppendInput(nil, &e); !errors.Is(err, wire.ErrMalformed) || len(b) != 0 {
			t.Errorf("%+v is written as %x, %v", e, b, err)
		}
	}
}
