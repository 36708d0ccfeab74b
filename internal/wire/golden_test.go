package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"image"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

var update = flag.Bool("update", false, "write golden files that are missing; those that exist never change")

// index is testdata/index.json: what every golden file decodes to. The browser
// reads it too (viewer/test/wire.test.ts).
type index struct {
	Limits   map[string]int        `json:"limits"`
	Messages []goldenMessage       `json:"messages"`
	Input    []goldenInput         `json:"input"`
	Picture  []goldenPicture       `json:"picture"`
	Parts    []goldenPicture       `json:"parts"`
	Answers  []goldenAnswer        `json:"answers"`
	Shown    []goldenShown         `json:"shown"`
	Refused  []goldenRefusal       `json:"refused"`
	Signed   []goldenClose         `json:"signed"`
	Channels []map[string]any      `json:"channels"`
	Reasons  map[string]int        `json:"reasons"`
	AD       map[string]goldenText `json:"ad"`
}

type goldenText = string // bytes in hex

type goldenMessage struct {
	File string          `json:"file"`
	Type string          `json:"type"`
	JSON json.RawMessage `json:"json"`
}

type goldenInput struct {
	File      string `json:"file"`
	Kind      uint8  `json:"kind"`
	Flags     uint8  `json:"flags"`
	Seq       uint32 `json:"seq"`
	Motion    uint32 `json:"motion"`
	X         uint16 `json:"x"`
	Y         uint16 `json:"y"`
	Button    uint8  `json:"button"`
	Down      bool   `json:"down"`
	DX        int16  `json:"dx"`
	DY        int16  `json:"dy"`
	Usage     uint16 `json:"usage"`
	Modifiers uint8  `json:"modifiers"`
	Locks     uint8  `json:"locks"`
	Text      string `json:"text"`
}

func (g goldenInput) event() wire.InputEvent {
	return wire.InputEvent{Kind: wire.InputKind(g.Kind), Flags: g.Flags, Seq: g.Seq, Motion: g.Motion, X: g.X, Y: g.Y, Button: g.Button,
		Down: g.Down, DX: g.DX, DY: g.DY, Usage: g.Usage, Modifiers: g.Modifiers, Locks: g.Locks, Text: g.Text}
}

type goldenShown struct {
	File      string `json:"file"`
	Timestamp uint32 `json:"timestamp"`
}

type goldenPicture struct {
	File       string `json:"file"`
	Kind       string `json:"kind"`
	Generation uint32 `json:"generation,omitempty"`
	Width      int    `json:"width,omitempty"`
	Height     int    `json:"height,omitempty"`
	WindowLog  uint8  `json:"windowLog,omitempty"`
	Update     uint32 `json:"update,omitempty"`
	Last       bool   `json:"last,omitempty"`
	Offset     uint16 `json:"offset,omitempty"`
	Data       string `json:"data,omitempty"` // hex
	// Video: x, y, width, height of the area, and of each rectangle.
	Timestamp uint32   `json:"timestamp,omitempty"`
	Area      *[4]int  `json:"area,omitempty"`
	Rects     [][4]int `json:"rects,omitempty"`
}

func corners(r image.Rectangle) [4]int { return [4]int{r.Min.X, r.Min.Y, r.Dx(), r.Dy()} }

// ofVideo describes v.
func ofVideo(file string, v wire.Video) goldenPicture {
	area := corners(v.Area)
	g := goldenPicture{File: file, Kind: "video", Timestamp: v.Timestamp, Area: &area}
	for _, r := range v.Rects {
		g.Rects = append(g.Rects, corners(r))
	}
	return g
}

type goldenAnswer struct {
	File    string `json:"file"`
	Kind    uint8  `json:"kind"`
	Version uint8  `json:"version"`
	Update  uint32 `json:"update"`
	Parts   bool   `json:"parts,omitempty"`
}

type refusal struct {
	message []byte
	how     string
}

type goldenRefusal struct {
	Name  string `json:"name"` // begins with the plane
	Hex   string `json:"hex"`
	Error string `json:"error"` // malformed, unknown, skip, version
}

type goldenClose struct {
	Session    string `json:"session"`
	Reason     int32  `json:"reason"`
	Events     uint64 `json:"events"`
	DurationMS int64  `json:"durationMs"`
	Message    string `json:"message"` // hex
	Key        string `json:"key"`
	Signature  string `json:"signature"`
}

func readIndex(t testing.TB) index {
	t.Helper()
	b, err := os.ReadFile("testdata/index.json")
	if err != nil {
		t.Fatal(err)
	}
	var x index
	if err := json.Unmarshal(b, &x); err != nil {
		t.Fatal(err)
	}
	return x
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bodyOf is the field of an envelope's body that is set.
func bodyOf(m proto.Message) protoreflect.FieldDescriptor {
	r := m.ProtoReflect()
	return r.WhichOneof(r.Descriptor().Oneofs().ByName("body"))
}

// TestGoldenFilesNeverChange writes what is missing with -update, and fails if
// today's code writes one byte of an existing file in another way.
func TestGoldenFilesNeverChange(t *testing.T) {
	var x index
	put := func(name string, b []byte) {
		t.Helper()
		path := filepath.Join("testdata", name)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && *update {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := golden(t, name); !bytes.Equal(got, b) {
			t.Errorf("%s: this code writes %x, the file holds %x", name, b, got)
		}
	}
	for _, m := range samples() {
		b, err := wire.Encode(m, wire.MaxFrame)
		if err != nil {
			t.Fatal(err)
		}
		name := string(m.ProtoReflect().Descriptor().Name()) + "." + string(bodyOf(m).Name()) + ".bin"
		put(name, b)
		js, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		x.Messages = append(x.Messages, goldenMessage{name, string(m.ProtoReflect().Descriptor().FullName()), js})
	}
	inputs := inputSamples()
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		e := inputs[name]
		b, err := wire.AppendInput(nil, &e)
		if err != nil {
			t.Fatal(name, err)
		}
		put("input."+name+".bin", b)
		x.Input = append(x.Input, goldenInput{"input." + name + ".bin", uint8(e.Kind), e.Flags, e.Seq, e.Motion, e.X, e.Y, e.Button, e.Down,
			e.DX, e.DY, e.Usage, e.Modifiers, e.Locks, e.Text})
	}
	for _, s := range []wire.Start{{Generation: 1, Width: 1920, Height: 1080, WindowLog: 18}, {Generation: 1<<32 - 1, Width: 16384, Height: 1, WindowLog: 23}, {Width: 1, Height: 16384, WindowLog: 10}} {
		name := "picture.start." + string(rune('a'+len(x.Picture))) + ".bin"
		put(name, wire.AppendStart(nil, s))
		x.Picture = append(x.Picture, goldenPicture{File: name, Kind: "start", Generation: s.Generation, Width: s.Width, Height: s.Height, WindowLog: s.WindowLog})
	}
	for _, p := range []wire.Piece{{Update: 7, Data: run(0x28, 20)}, {Update: 1<<32 - 1, Last: true, Data: run(0x01, 1)}, {Update: 1, Last: true}} {
		name := "picture.piece." + string(rune('a'+len(x.Picture)-3)) + ".bin"
		put(name, append(wire.AppendPiece(nil, p.Update, p.Last), p.Data...))
		x.Picture = append(x.Picture, goldenPicture{File: name, Kind: "piece", Update: p.Update, Last: p.Last, Data: hex.EncodeToString(p.Data)})
	}
	eight := make([]image.Rectangle, wire.MaxVideoRects)
	for i := range eight {
		eight[i] = image.Rect(16*i, 0, 16*i+16, 16384)
	}
	for i, v := range []wire.Video{
		{Timestamp: 0xFEDCBA98, Area: image.Rect(0, 0, 1920, 1080), Rects: []image.Rectangle{image.Rect(320, 160, 1600, 880)}},
		{Timestamp: 7},
		{Timestamp: 1, Area: image.Rect(0, 0, 16384, 16384), Rects: eight},
	} {
		name := "picture.video." + string(rune('a'+i)) + ".bin"
		put(name, wire.AppendVideo(nil, v))
		x.Picture = append(x.Picture, ofVideo(name, v))
	}
	for i, p := range []wire.Part{
		{Update: 7, Generation: 1, Data: run(0x28, 20)},
		{Update: 1<<32 - 1, Generation: 1<<32 - 1, Offset: 1<<16 - 1, Last: true, Data: run(0x01, wire.MaxTilePart-wire.PartHeader)},
	} {
		name := "part." + string(rune('a'+i)) + ".bin"
		put(name, wire.AppendPart(nil, p))
		x.Parts = append(x.Parts, goldenPicture{File: name, Kind: "part", Generation: p.Generation, Update: p.Update, Last: p.Last, Offset: p.Offset, Data: hex.EncodeToString(p.Data)})
	}
	put("answer.hello.bin", wire.AppendHello(nil))
	put("answer.ack.bin", wire.AppendAck(nil, 0xFEDCBA98))
	put("answer.ack.parts.bin", wire.AppendAckOfParts(nil, 0xFEDCBA98))
	put("answer.restart.bin", wire.AppendRestart(nil))
	x.Answers = []goldenAnswer{{"answer.hello.bin", 1, 1, 0, false}, {"answer.ack.bin", 2, 0, 0xFEDCBA98, false}, {"answer.ack.parts.bin", 2, 0, 0xFEDCBA98, true},
		{"answer.restart.bin", 3, 0, 0, false}}
	put("shown.bin", wire.AppendShown(nil, 0xFEDCBA98))
	x.Shown = []goldenShown{{"shown.bin", 0xFEDCBA98}}
	bad := refused()
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		x.Refused = append(x.Refused, goldenRefusal{name, hex.EncodeToString(bad[name].message), bad[name].how})
	}
	const session = "01JD9Z7P3V8W6M4Q2K0H5T1R9A"
	message := wire.CloseMessage(session, mfpb.Reason_REASON_PERSON_STOPPED, 42, 61_234)
	public := key.Public().(ed25519.PublicKey)
	x.Signed = []goldenClose{{session, int32(mfpb.Reason_REASON_PERSON_STOPPED), 42, 61_234, hex.EncodeToString(message),
		hex.EncodeToString(public), hex.EncodeToString(ed25519.Sign(key, message))}}
	x.AD = map[string]goldenText{"viewer": hex.EncodeToString(wire.ViewerAD()), "host": hex.EncodeToString(wire.HostAD(public)), "key": hex.EncodeToString(public)}
	x.Limits = map[string]int{"version": wire.Version, "minVersion": wire.MinVersion, "maxFrame": wire.MaxFrame, "maxSealed": wire.MaxSealed,
		"maxControl": wire.MaxControl, "maxCursor": wire.MaxCursor, "maxInput": wire.MaxInput, "maxTileMessage": wire.MaxTileMessage,
		"maxTileAnswer": wire.MaxTileAnswer, "maxTilePart": wire.MaxTilePart, "maxTool": wire.MaxTool, "maxFileChunk": wire.MaxFileChunk, "maxInputText": wire.MaxInputText, "maxKeyText": wire.MaxKeyText, "nameLimit": wire.NameLimit,
		"maxCursorSide": wire.MaxCursorSide, "maxPictureSide": wire.MaxPictureSide, "sidSize": wire.SIDSize, "shareSize": wire.ShareSize,
		"tagSize": wire.TagSize, "nonceSize": wire.NonceSize, "proofSize": wire.ProofSize}
	for _, c := range wire.Channels() {
		x.Channels = append(x.Channels, map[string]any{"id": c.ID, "label": c.Label, "reliable": c.Reliable, "max": c.Max})
	}
	x.Reasons = map[string]int{}
	for n := range mfpb.Reason_name {
		x.Reasons[wire.Name(mfpb.Reason(n))] = int(n)
	}

	b, err := json.MarshalIndent(x, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/index.json", append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if string(golden(t, "index.json")) != string(b)+"\n" {
		t.Error("testdata/index.json: this code describes the golden files in another way")
	}
}

// TestEveryBodyHasAGoldenFile keeps a new message from going without one.
func TestEveryBodyHasAGoldenFile(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{mfpb.File_signaling_proto, mfpb.File_session_proto,
		mfpb.File_files_proto, mfpb.File_clip_proto, mfpb.File_talk_proto, mfpb.File_marks_proto} {
		for i := range file.Messages().Len() {
			m := file.Messages().Get(i)
			body := m.Oneofs().ByName("body")
			if body == nil {
				continue
			}
			for j := range body.Fields().Len() {
				golden(t, string(m.Name())+"."+string(body.Fields().Get(j).Name())+".bin")
			}
		}
	}
}

func TestGoldenMessages(t *testing.T) {
	for _, g := range readIndex(t).Messages {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(g.Type))
		if err != nil {
			t.Fatal(err)
		}
		got, want := kind.New().Interface(), kind.New().Interface()
		b := golden(t, g.File)
		if err := wire.Decode(b, wire.MaxFrame, got); err != nil {
			t.Errorf("%s: %v", g.File, err)
			continue
		}
		if err := protojson.Unmarshal(g.JSON, want); err != nil {
			t.Fatal(g.File, err)
		}
		if !proto.Equal(got, want) || wire.Unknown(got) != nil {
			t.Errorf("%s decodes to %v, want %v", g.File, got, want)
		}
		if again, err := wire.Encode(got, wire.MaxFrame); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s is written as %x (%v)", g.File, again, err)
		}
	}
}

func TestGoldenInput(t *testing.T) {
	for _, g := range readIndex(t).Input {
		b, want := golden(t, g.File), g.event()
		var got wire.InputEvent
		if err := wire.ParseInput(b, &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", g.File, got, err, want)
		}
		if again, err := wire.AppendInput([]byte("x"), &want); err != nil || !bytes.Equal(again[1:], b) {
			t.Errorf("%s is written as %x (%v)", g.File, again, err)
		}
		if want.Kind == wire.InputAck && !bytes.Equal(wire.AppendInputAck(nil, want.Seq), b) {
			t.Errorf("%s: AppendInputAck differs", g.File)
		}
	}
}

func TestGoldenPicture(t *testing.T) {
	x := readIndex(t)
	for _, g := range x.Picture {
		b := golden(t, g.File)
		switch g.Kind {
		case "start":
			want := wire.Start{Generation: g.Generation, Width: g.Width, Height: g.Height, WindowLog: g.WindowLog}
			if got, err := wire.ParseStart(b); err != nil || got != want {
				t.Errorf("%s: %+v, %v", g.File, got, err)
			}
		case "piece":
			got, err := wire.ParsePiece(b)
			if err != nil || got.Update != g.Update || got.Last != g.Last || hex.EncodeToString(got.Data) != g.Data {
				t.Errorf("%s: %+v, %v", g.File, got, err)
			}
		case "video":
			got, err := wire.ParseVideo(b)
			if err != nil || !reflect.DeepEqual(ofVideo(g.File, got), g) {
				t.Errorf("%s: %+v, %v", g.File, got, err)
			}
		default:
			t.Errorf("%s: kind %q", g.File, g.Kind)
		}
	}
	for _, g := range x.Answers {
		want := wire.TileAnswer{Kind: g.Kind, Version: g.Version, Update: g.Update, Parts: g.Parts}
		if got, err := wire.ParseTileAnswer(golden(t, g.File)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", g.File, got, err)
		}
	}
}

func TestGoldenShown(t *testing.T) {
	for _, g := range readIndex(t).Shown {
		b := golden(t, g.File)
		if got, err := wire.ParseShown(b); err != nil || got != g.Timestamp || !wire.IsShown(b) {
			t.Errorf("%s: %d, %v", g.File, got, err)
		}
		// A host that knows no video skips it.
		if err := wire.ParseInput(b, new(wire.InputEvent)); !errors.Is(err, wire.ErrSkip) {
			t.Errorf("%s as input: %v", g.File, err)
		}
	}
}

func TestGoldenRefusals(t *testing.T) {
	errs := map[string]error{"malformed": wire.ErrMalformed, "unknown": wire.ErrUnknownMessage, "skip": wire.ErrSkip, "version": wire.ErrVersion}
	for _, g := range readIndex(t).Refused {
		b, err := hex.DecodeString(g.Hex)
		if err != nil || errs[g.Error] == nil {
			t.Fatal(g.Name, err)
		}
		plane, _, _ := strings.Cut(g.Name, " ")
		switch plane {
		case "input", "ack":
			ev := wire.InputEvent{Kind: wire.InputText, Text: "left over"}
			err = wire.ParseInput(b, &ev)
			if ev != (wire.InputEvent{}) {
				t.Errorf("%s: leaves %+v", g.Name, ev)
			}
		case "picture":
			err = parsePicture(b)
		case "part":
			err = parsePart(b)
		case "answer":
			_, err = wire.ParseTileAnswer(b)
		case "shown":
			_, err = wire.ParseShown(b)
		case "control":
			m := new(mfpb.Control)
			if err = wire.Decode(b, wire.MaxControl, m); err == nil {
				err = wire.Unknown(m)
			}
		default:
			t.Fatalf("%s: no such plane", g.Name)
		}
		if !errors.Is(err, errs[g.Error]) {
			t.Errorf("%s: %v, want %s", g.Name, err, g.Error)
		}
	}
}

// parsePicture reads a picture message as a viewer would: Go only writes them.
func parsePicture(b []byte) error {
	var err error
	switch {
	case len(b) < wire.PieceHeader:
		return wire.ErrMalformed
	case b[0] == wire.PictureStart:
		_, err = wire.ParseStart(b)
	case b[0] == wire.PicturePiece:
		_, err = wire.ParsePiece(b)
	case b[0] == wire.PictureVideo:
		_, err = wire.ParseVideo(b)
	case b[1]&wire.FlagOptional != 0:
		return wire.ErrSkip
	default:
		return wire.ErrUnknownMessage
	}
	return err
}

// parsePart reads a message of tiles-fast as a viewer would.
func parsePart(b []byte) error {
	switch {
	case len(b) < 2:
		return wire.ErrMalformed
	case b[0] == wire.PicturePart:
		_, err := wire.ParsePart(b)
		return err
	case b[1]&wire.FlagOptional != 0:
		return wire.ErrSkip
	}
	return wire.ErrUnknownMessage
}

func TestGoldenParts(t *testing.T) {
	for _, g := range readIndex(t).Parts {
		data, err := hex.DecodeString(g.Data)
		if err != nil {
			t.Fatal(g.File, err)
		}
		want := wire.Part{Update: g.Update, Generation: g.Generation, Offset: g.Offset, Last: g.Last, Data: data}
		if got, err := wire.ParsePart(golden(t, g.File)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", g.File, got, err)
		}
	}
	if _, err := wire.ParsePart(make([]byte, wire.MaxTilePart+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("a part that is too large: %v", err)
	}
}

func TestGoldenClose(t *testing.T) {
	for _, g := range readIndex(t).Signed {
		message := wire.CloseMessage(g.Session, mfpb.Reason(g.Reason), g.Events, g.DurationMS)
		if hex.EncodeToString(message) != g.Message {
			t.Errorf("close message is %x", message)
		}
		public, _ := hex.DecodeString(g.Key)
		signature, _ := hex.DecodeString(g.Signature)
		if !ed25519.Verify(public, message, signature) {
			t.Error("the signed close does not verify")
		}
	}
}
