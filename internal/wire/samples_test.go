package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// run is n bytes that count up from first.
func run(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// key is the host's signing key of all golden files.
var key = ed25519.NewKeyFromSeed(run(0x40, 32))

// samples has one message for every body of every envelope. They are what the
// golden files are written from: add, never change.
func samples() []proto.Message {
	hello := func(k mfpb.Kind) *mfpb.Hello {
		return wire.Versions(&mfpb.Hello{Kind: k, Participant: "01JD9Z7P3V8W6M4Q2K0H5T1R9B",
			Capabilities: []string{"tiles/1", "cursor"}, Lang: "fr", Software: "mainforte-host 0.1.0"})
	}
	claim, nonce := run(0x10, 16), run(0x20, 16)
	public := key.Public().(ed25519.PublicKey)
	attach := &mfpb.Attach{Epoch: 2, Nonce: nonce}
	sealed := &mfpb.Sealed{Epoch: 2, Counter: 1<<53 + 1, Box: run(0x80, 48)}
	reply := &mfpb.PakeReply{Claim: claim, Share: run(0x01, 32), Ad: wire.HostAD(public), Tag: run(0x02, 64)}
	confirm := &mfpb.Confirm{Claim: claim, Tag: run(0x03, 64)}
	opened := &mfpb.Opened{Session: "01JD9Z7P3V8W6M4Q2K0H5T1R9A", ResumeToken: run(0x50, 32), Claim: claim}
	welcome := &mfpb.Welcome{PublicHost: "aide.exemple.ca", Organisation: "Centre d’aide", Now: 1764000000123, GraceS: 600}
	end := &mfpb.End{Reason: mfpb.Reason_REASON_PERSON_STOPPED}
	bye := &mfpb.Bye{Reason: mfpb.Reason_REASON_TECHNICIAN_ENDED}
	signature := ed25519.Sign(key, wire.CloseMessage(opened.Session, mfpb.Reason_REASON_PERSON_STOPPED, 42, 61_234))

	gone := &mfpb.ParticipantGone{Participant: "2", Reason: mfpb.Reason_REASON_LEFT}
	relay := &mfpb.Relay{Expires: 1764000600123, Servers: []*mfpb.IceServer{{Username: "1764000600:01JD9Z7P3V8W6M4Q2K0H5T1R9A:1",
		Urls: []string{"turn:aide.exemple.ca:3478?transport=udp", "turns:aide.exemple.ca:443?transport=tcp"}, Credential: "bXo="}}}

	return []proto.Message{
		&mfpb.HostMessage{Body: &mfpb.HostMessage_Hello{Hello: hello(mfpb.Kind_KIND_HOST)}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: &mfpb.PlateRequest{Why: mfpb.Reason_REASON_TOO_MANY_TRIES}}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_PakeReply{PakeReply: reply}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_ClaimRefused{ClaimRefused: &mfpb.ClaimRefused{Claim: claim, Reason: mfpb.Reason_REASON_CODE_EXPIRED}}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_Paired{Paired: &mfpb.Paired{Claim: claim, SigningKey: public}}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_Attach{Attach: attach}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_Sealed{Sealed: sealed}},
		&mfpb.HostMessage{Optional: true, Body: &mfpb.HostMessage_Event{Event: &mfpb.HostEvent{Seq: math.MaxUint64, Time: 1764000000123456789,
			MonoMs: 61_234, Type: "consent.granted", Outcome: "ok", Data: []byte(`{"grant":"view"}`), Personal: []byte(`{"name":"Zoé"}`)}}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_Close{Close: &mfpb.HostClose{Reason: mfpb.Reason_REASON_PERSON_STOPPED, Events: 42, DurationMs: 61_234, Signature: signature}}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_Resume{Resume: &mfpb.HostResume{Session: opened.Session, Token: opened.ResumeToken}}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateReturn{PlateReturn: &mfpb.PlateReturn{Why: mfpb.Reason_REASON_CODE_EXPIRED}}},
		&mfpb.HostMessage{Body: &mfpb.HostMessage_Gone{Gone: gone}},

		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Hello{Hello: hello(mfpb.Kind_KIND_SERVER)}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Welcome{Welcome: welcome}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Plate{Plate: &mfpb.Plate{Nameplate: "482", Expires: 1764000600123}}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Claim{Claim: &mfpb.ClaimStart{Claim: claim, Sid: run(0x30, 16), Share: run(0x04, 32), Ad: wire.ViewerAD(),
			Technician: &mfpb.Technician{Id: "7", Name: "Aïcha N’Diaye", SignedIn: "password", SignedInAt: 1763999000000},
			Ticket:     &mfpb.Ticket{Id: "12", Number: "INC0012345", Subject: "Imprimante <b>\u202Eune</b>"}}}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_ClaimFailed{ClaimFailed: &mfpb.ClaimFailed{Claim: claim, Reason: mfpb.Reason_REASON_VIEWER_GONE}}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Confirm{Confirm: confirm}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Opened{Opened: opened}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Attach{Attach: attach}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Sealed{Sealed: sealed}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_EventAck{EventAck: &mfpb.EventAck{Seq: 42}}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_End{End: end}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Viewer{Viewer: &mfpb.ViewerState{Connected: true}}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Relay{Relay: relay}},
		&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Gone{Gone: gone}},

		&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Hello{Hello: hello(mfpb.Kind_KIND_VIEWER)}},
		&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{Nameplate: "482", TicketId: "12", Sid: run(0x30, 16), Share: run(0x04, 32), Ad: wire.ViewerAD()}}},
		&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Verdict{Verdict: &mfpb.ClaimVerdict{Claim: claim, Reason: mfpb.Reason_REASON_WRONG_CODE}}},
		&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Confirm{Confirm: confirm}},
		&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Attach{Attach: attach}},
		&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Sealed{Sealed: sealed}},
		&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_End{End: end}},
		&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Resume{Resume: &mfpb.ViewerResume{Session: opened.Session, Token: opened.ResumeToken}}},

		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Hello{Hello: hello(mfpb.Kind_KIND_SERVER)}},
		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Welcome{Welcome: welcome}},
		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_ClaimResult{ClaimResult: &mfpb.ClaimResult{Reason: mfpb.Reason_REASON_NO_SUCH_CODE}}},
		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_PakeReply{PakeReply: reply}},
		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Opened{Opened: opened}},
		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Attach{Attach: attach}},
		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Sealed{Sealed: sealed}},
		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_End{End: end}},
		&mfpb.ServerToViewer{Optional: true, Body: &mfpb.ServerToViewer_Host{Host: &mfpb.HostState{}}},
		&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Relay{Relay: relay}},

		&mfpb.SealedBody{Body: &mfpb.SealedBody_Description{Description: &mfpb.Description{Type: "offer", Sdp: "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\n"}}},
		&mfpb.SealedBody{Body: &mfpb.SealedBody_Candidate{Candidate: &mfpb.Candidate{Candidate: "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host", SdpMid: "0", SdpMlineIndex: 1}}},
		&mfpb.SealedBody{Body: &mfpb.SealedBody_Bye{Bye: bye}},
		&mfpb.SealedBody{Optional: true, Body: &mfpb.SealedBody_RouteChanged{RouteChanged: &mfpb.RouteChanged{}}},

		&mfpb.Control{Body: &mfpb.Control_Proof{Proof: &mfpb.CertificateProof{Mac: run(0x60, 32)}}},
		&mfpb.Control{Body: &mfpb.Control_Hello{Hello: hello(mfpb.Kind_KIND_VIEWER)}},
		&mfpb.Control{Body: &mfpb.Control_Grants{Grants: &mfpb.Grants{Grants: []*mfpb.Grant{
			{Name: "view", State: mfpb.GrantState_GRANT_STATE_ALLOWED, Since: 1764000001000},
			{Name: "control", State: mfpb.GrantState_GRANT_STATE_ASKED}}}}},
		&mfpb.Control{Body: &mfpb.Control_Ask{Ask: &mfpb.AskGrant{Name: "control"}}},
		&mfpb.Control{Body: &mfpb.Control_GiveBack{GiveBack: &mfpb.GiveBack{Name: "control"}}},
		&mfpb.Control{Body: &mfpb.Control_Displays{Displays: &mfpb.Displays{Displays: []*mfpb.Display{
			{Id: 1, X: -1920, Y: math.MinInt32, Width: 1920, Height: 1080, Name: "DP-1"}}}}},
		&mfpb.Control{Optional: true, Body: &mfpb.Control_Notice{Notice: &mfpb.Notice{Code: mfpb.NoticeCode_NOTICE_CODE_KEY_NOT_TYPED}}},
		&mfpb.Control{Body: &mfpb.Control_Bye{Bye: bye}},
		&mfpb.Control{Body: &mfpb.Control_AskInvite{AskInvite: &mfpb.AskInvite{Kind: mfpb.ParticipantKind_PARTICIPANT_KIND_EXPERT}}},
		&mfpb.Control{Body: &mfpb.Control_CancelInvite{CancelInvite: &mfpb.CancelInvite{}}},
		&mfpb.Control{Body: &mfpb.Control_Invite{Invite: &mfpb.Invite{Kind: mfpb.ParticipantKind_PARTICIPANT_KIND_OBSERVER,
			Code: "482 913 706", Expires: 1764000600123, Reason: mfpb.Reason_REASON_CODE_EXPIRED}}},
		&mfpb.Control{Body: &mfpb.Control_Participants{Participants: &mfpb.Participants{Participants: []*mfpb.Participant{
			{Id: "1", Name: "Aïcha N’Diaye", Kind: mfpb.ParticipantKind_PARTICIPANT_KIND_LEAD, You: true, Connected: true,
				Grants: []*mfpb.Grant{{Name: "control", State: mfpb.GrantState_GRANT_STATE_HANDED_OVER, Since: 1764000002000}}},
			{Id: "2", Name: "<b>Paul</b>", Kind: mfpb.ParticipantKind_PARTICIPANT_KIND_EXPERT}}}}},
		&mfpb.Control{Body: &mfpb.Control_HandOver{HandOver: &mfpb.HandOver{Participant: "2"}}},
		&mfpb.Control{Optional: true, Body: &mfpb.Control_Watch{Watch: &mfpb.Watch{Display: proto.Uint32(3)}}},
		&mfpb.Control{Optional: true, Body: &mfpb.Control_Measure{Measure: &mfpb.Measure{On: true}}},
		&mfpb.Control{Optional: true, Body: &mfpb.Control_Figures{Figures: &mfpb.Figures{Ms: 1001, Updates: 30, Bytes: 1 << 40, CaptureUs: 700,
			EncodeUs: 2500, WayUs: 31_000, Acked: 29, WaitingBytes: 65_536, WaitingMs: 12, RttUs: 20_400}}},

		&mfpb.CursorUpdate{Body: &mfpb.CursorUpdate_Shape{Shape: &mfpb.CursorShape{Id: 3, Width: 2, Height: 2, HotX: 1, HotY: 1, Rgba: run(0xF0, 16)}}},
		&mfpb.CursorUpdate{Body: &mfpb.CursorUpdate_Use{Use: &mfpb.CursorUse{Id: 3}}},
		&mfpb.CursorUpdate{Body: &mfpb.CursorUpdate_Hidden{Hidden: &mfpb.CursorHidden{}}},
		&mfpb.CursorUpdate{Optional: true, Body: &mfpb.CursorUpdate_Place{Place: &mfpb.CursorPlace{X: 1919, Y: 7, Participant: "2"}}},
		&mfpb.FileMessage{Body: &mfpb.FileMessage_Offer{Offer: &mfpb.FileOffer{Id: 7, More: true, Files: []*mfpb.FileEntry{
			{Path: []string{"Été 2026", "Photos", "plage.jpg"}, Size: 3 << 30, Modified: 1795000000000}, {Path: []string{"vide"}},
		}}}},
		&mfpb.FileMessage{Body: &mfpb.FileMessage_Answer{Answer: &mfpb.FileAnswer{Id: 7, File: 1, Offset: 1<<53 - 1}}},
		&mfpb.FileMessage{Body: &mfpb.FileMessage_Chunk{Chunk: &mfpb.FileChunk{Id: 7, File: 1, Offset: 1 << 40, Content: run(0x40, 24)}}},
		&mfpb.FileMessage{Body: &mfpb.FileMessage_Progress{Progress: &mfpb.FileProgress{Id: 8, File: 1, Offset: 262144}}},
		&mfpb.FileMessage{Body: &mfpb.FileMessage_Done{Done: &mfpb.FileDone{Id: 7, File: 1, Sha256: run(0x60, 32)}}},
		&mfpb.FileMessage{Body: &mfpb.FileMessage_Resume{Resume: &mfpb.FileResume{Id: 7}}},
		&mfpb.FileMessage{Body: &mfpb.FileMessage_Cancel{Cancel: &mfpb.FileCancel{Id: 7, Reason: mfpb.FileReason_FILE_REASON_NO_ROOM}}},
		&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Taken{Taken: &mfpb.ClipTaken{Id: 7, Sha256: run(0x10, 32)}}},
		&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Offer{Offer: &mfpb.ClipOffer{Id: 7, Kind: mfpb.ClipKind_CLIP_KIND_PNG, Size: 16 << 20}}},
		&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Chunk{Chunk: &mfpb.ClipChunk{Id: 7, Data: []byte("é € 🦊")}}},
		&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Refused{Refused: &mfpb.ClipRefused{Id: 7, Why: mfpb.ClipWhy_CLIP_WHY_TOO_LARGE}}},
		&mfpb.ClipMessage{Body: &mfpb.ClipMessage_News{News: &mfpb.ClipNews{Id: 3, Kind: mfpb.ClipKind_CLIP_KIND_TEXT, Size: 5}}},
		&mfpb.ClipMessage{Body: &mfpb.ClipMessage_Fetch{Fetch: &mfpb.ClipFetch{Id: 3}}},
		&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Line{Line: &mfpb.TalkLine{Id: 12, Text: "Voyez-vous le bouton « Enregistrer » ?\nEn bas.", From: "1", Name: "Zoé", At: 1764000000123, Yours: 3}}},
		&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Taken{Taken: &mfpb.TalkTaken{Id: 12}}},
		&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Refused{Refused: &mfpb.TalkRefused{Id: 4, Why: mfpb.TalkRefusal_TALK_REFUSAL_QUICK}}},
		&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Kept{Kept: &mfpb.TalkKept{Record: mfpb.TalkRecord_TALK_RECORD_NOTE}}},
		&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Ask{Ask: &mfpb.TalkAsk{Id: 2, Kind: mfpb.TalkKind_TALK_KIND_PICTURE, Display: 1}}},
		&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Thing{Thing: &mfpb.TalkThing{Id: 2, Kind: mfpb.TalkKind_TALK_KIND_PICTURE, Size: 16, Sha256: run(0x60, 32)}}},
		&mfpb.TalkMessage{Body: &mfpb.TalkMessage_Part{Part: &mfpb.TalkPart{Id: 2, Data: run(0x70, 16)}}},
		&mfpb.MarkMessage{Body: &mfpb.MarkMessage_Wipe{Wipe: &mfpb.MarksWiped{}}},
		&mfpb.MarkMessage{Optional: true, Body: &mfpb.MarkMessage_Laser{Laser: &mfpb.MarkLaser{X: 1919, Y: 7}}},
		&mfpb.MarkMessage{Body: &mfpb.MarkMessage_Draw{Draw: &mfpb.MarkDrawn{Kind: mfpb.MarkKind_MARK_KIND_TEXT, Points: []uint32{100, 16383}, Text: "Cliquez « ici »"}}},
		&mfpb.MarkMessage{Body: &mfpb.MarkMessage_Undo{Undo: &mfpb.MarkUndone{}}},
		&mfpb.MarkMessage{Body: &mfpb.MarkMessage_AddSteps{AddSteps: &mfpb.StepsAdded{Texts: []string{"Ouvrez les réglages", "<b>2</b>"}, Picture: true}}},
		&mfpb.MarkMessage{Body: &mfpb.MarkMessage_MoveStep{MoveStep: &mfpb.StepMoved{Id: 3, Before: 1}}},
		&mfpb.MarkMessage{Body: &mfpb.MarkMessage_DropStep{DropStep: &mfpb.StepDropped{Id: 3}}},
		&mfpb.MarkMessage{Optional: true, Body: &mfpb.MarkMessage_Steps{Steps: &mfpb.Steps{Kept: true, Steps: []*mfpb.Step{
			{Id: 1, Text: "Ouvrez les réglages", State: mfpb.StepState_STEP_STATE_DONE, Picture: true},
			{Id: 2, Text: "<b>2</b>", State: mfpb.StepState_STEP_STATE_ASKED}}}}},
	}
}

// inputSamples has the edges of every input event.
func inputSamples() map[string]wire.InputEvent {
	return map[string]wire.InputEvent{
		"motion":         {Kind: wire.InputMotion, Seq: math.MaxUint32, X: 65535, Y: 1},
		"motion.origin":  {Kind: wire.InputMotion, Seq: 1},
		"button.down":    {Kind: wire.InputButton, Seq: 1, Motion: 7, X: 300, Y: 200, Button: wire.ButtonLeft, Down: true},
		"button.up":      {Kind: wire.InputButton, Seq: 2, Motion: math.MaxUint32, X: 300, Y: 200, Button: wire.ButtonForward},
		"wheel":          {Kind: wire.InputWheel, Seq: 3, Motion: 8, X: 1919, Y: 1079, DX: -1, DY: 120},
		"wheel.edges":    {Kind: wire.InputWheel, Seq: 4, DX: math.MaxInt16, DY: math.MinInt16},
		"key.a":          {Kind: wire.InputKey, Seq: 5, Usage: 0x04, Down: true, Modifiers: wire.ModShift, Locks: wire.LockNum, Text: "A"},
		"key.euro":       {Kind: wire.InputKey, Seq: 6, Usage: 0x08, Down: true, Modifiers: wire.ModAltGraph, Text: "€"},
		"key.enter":      {Kind: wire.InputKey, Seq: 7, Usage: 0x28, Modifiers: 31, Locks: 7},
		"key.last":       {Kind: wire.InputKey, Seq: 8, Usage: 0xE7, Down: true, Text: strings.Repeat("😀", 8)},
		"text":           {Kind: wire.InputText, Seq: 9, Text: "Bonjour, ça va ? @#€ 😀"},
		"text.longest":   {Kind: wire.InputText, Seq: 10, Text: strings.Repeat("é", 512)},
		"release":        {Kind: wire.InputRelease, Seq: 11},
		"alive":          {Kind: wire.InputAlive},
		"alive.optional": {Kind: wire.InputAlive, Flags: wire.FlagOptional},
		"ack":            {Kind: wire.InputAck, Seq: 0xFEDCBA98},
		"ack.none":       {Kind: wire.InputAck},
	}
}

// refused are messages that must be refused, and how, on the plane that the
// name begins with.
func refused() map[string]refusal {
	long := bytes.Repeat([]byte{0x61}, 33)
	return map[string]refusal{
		"input empty":                {nil, "malformed"},
		"input short header":         {[]byte{1, 0, 0, 0, 1, 0, 0}, "malformed"},
		"input motion short":         {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1}, "malformed"},
		"input motion trailing":      {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0}, "malformed"},
		"input motion without seq":   {[]byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0}, "malformed"},
		"input reserved bytes":       {[]byte{6, 0, 1, 0, 1, 0, 0, 0}, "malformed"},
		"input reserved bytes high":  {[]byte{6, 0, 0, 1, 1, 0, 0, 0}, "malformed"},
		"input reserved flag":        {[]byte{6, 1, 0, 0, 1, 0, 0, 0}, "malformed"},
		"input release without seq":  {[]byte{6, 0, 0, 0, 0, 0, 0, 0}, "malformed"},
		"input release trailing":     {[]byte{6, 0, 0, 0, 1, 0, 0, 0, 0}, "malformed"},
		"input alive with seq":       {[]byte{7, 0, 0, 0, 1, 0, 0, 0}, "malformed"},
		"input button number":        {[]byte{2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1}, "malformed"},
		"input button down":          {[]byte{2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, "malformed"},
		"input button without seq":   {[]byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, "malformed"},
		"input wheel without seq":    {[]byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "malformed"},
		"input key below page":       {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 1, 0, 0, 0}, "malformed"},
		"input key above page":       {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 0xE8, 0, 1, 0, 0, 0}, "malformed"},
		"input key down":             {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 2, 0, 0, 0}, "malformed"},
		"input key modifiers":        {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 1, 32, 0, 0}, "malformed"},
		"input key locks":            {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 1, 0, 8, 0}, "malformed"},
		"input key without seq":      {[]byte{4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0}, "malformed"},
		"input key text missing":     {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 1, 0, 0, 1}, "malformed"},
		"input key text trailing":    {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 1, 0, 0, 1, 'a', 'b'}, "malformed"},
		"input key text not UTF-8":   {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 1, 0, 0, 1, 0xC3}, "malformed"},
		"input key text too long":    {append([]byte{4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 1, 0, 0, 33}, long...), "malformed"},
		"input text empty":           {[]byte{5, 0, 0, 0, 1, 0, 0, 0, 0, 0}, "malformed"},
		"input text surrogate":       {[]byte{5, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0xED, 0xA0, 0x80}, "malformed"},
		"input text without seq":     {[]byte{5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 'a'}, "malformed"},
		"input text too long":        {append([]byte{5, 0, 0, 0, 1, 0, 0, 0, 1, 4}, bytes.Repeat([]byte{'a'}, 1025)...), "malformed"},
		"input unknown":              {[]byte{8, 0, 0, 0, 1, 0, 0, 0}, "unknown"},
		"input unknown optional":     {[]byte{8, 0x80, 0, 0, 1, 0, 0, 0, 9, 9}, "skip"},
		"ack short":                  {[]byte{128, 0, 0, 0, 1, 0, 0}, "malformed"},
		"ack trailing":               {[]byte{128, 0, 0, 0, 1, 0, 0, 0, 0}, "malformed"},
		"ack reserved bytes":         {[]byte{128, 0, 1, 0, 1, 0, 0, 0}, "malformed"},
		"ack reserved flag":          {[]byte{128, 1, 0, 0, 1, 0, 0, 0}, "malformed"},
		"ack unknown":                {[]byte{129, 0, 0, 0, 1, 0, 0, 0}, "unknown"},
		"ack unknown optional":       {[]byte{129, 0x80, 0, 0, 1, 0, 0, 0}, "skip"},
		"shown empty":                {nil, "malformed"},
		"shown short":                {[]byte{16, 0x80, 0, 0, 1, 0, 0}, "malformed"},
		"shown trailing":             {[]byte{16, 0x80, 0, 0, 1, 0, 0, 0, 0}, "malformed"},
		"shown flag":                 {[]byte{16, 1, 0, 0, 1, 0, 0, 0}, "malformed"},
		"shown reserved":             {[]byte{16, 0x80, 1, 0, 1, 0, 0, 0}, "malformed"},
		"shown another kind":         {[]byte{17, 0x80, 0, 0, 1, 0, 0, 0}, "malformed"},
		"picture empty":              {nil, "malformed"},
		"picture start short":        {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 16, 0, 1, 18, 0}, "malformed"},
		"picture start trailing":     {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 16, 0, 1, 18, 0, 0, 0}, "malformed"},
		"picture start width 0":      {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 1, 18, 0, 0}, "malformed"},
		"picture start height 0":     {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 1, 18, 0, 0}, "malformed"},
		"picture start width 16385":  {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 1, 64, 16, 0, 1, 18, 0, 0}, "malformed"},
		"picture start height 16385": {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 1, 64, 1, 18, 0, 0}, "malformed"},
		"picture start format":       {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 16, 0, 2, 18, 0, 0}, "malformed"},
		"picture start window 9":     {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 16, 0, 1, 9, 0, 0}, "malformed"},
		"picture start window 24":    {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 16, 0, 1, 24, 0, 0}, "malformed"},
		"picture start reserved":     {[]byte{1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 16, 0, 1, 18, 1, 0}, "malformed"},
		"picture start header":       {[]byte{1, 0, 1, 0, 1, 0, 0, 0, 16, 0, 16, 0, 1, 18, 0, 0}, "malformed"},
		"picture start flag":         {[]byte{1, 1, 0, 0, 1, 0, 0, 0, 16, 0, 16, 0, 1, 18, 0, 0}, "malformed"},
		"picture piece short":        {[]byte{2, 0, 0, 0, 1, 0, 0}, "malformed"},
		"picture piece reserved":     {[]byte{2, 0, 0, 1, 1, 0, 0, 0}, "malformed"},
		"picture piece flag":         {[]byte{2, 2, 0, 0, 1, 0, 0, 0}, "malformed"},
		"picture unknown":            {[]byte{99, 0, 0, 0, 1, 0, 0, 0}, "unknown"},
		"picture unknown optional":   {[]byte{99, 0x80, 0, 0, 1, 0, 0, 0}, "skip"},
		"picture video short":        {video(0, 0, 0, 0, 0)[:15], "malformed"},
		"picture video trailing":     {append(video(0, 0, 0, 0, 0), 0), "malformed"},
		"picture video flag":         {append([]byte{3, 1}, video(0, 0, 0, 0, 0)[2:]...), "malformed"},
		"picture video area alone":   {video(0, 0, 0, 16, 16), "malformed"},
		"picture video count":        {video(2, 0, 0, 64, 64, 0, 0, 16, 16), "malformed"},
		"picture video nine":         {video(9, slices.Repeat([]uint16{0, 0, 8, 8}, 10)...), "malformed"},
		"picture video area empty":   {video(1, 0, 0, 0, 64, 0, 0, 0, 16), "malformed"},
		"picture video area wide":    {video(1, 1, 0, 16384, 64, 1, 0, 16, 16), "malformed"},
		"picture video rect empty":   {video(1, 0, 0, 64, 64, 0, 0, 16, 0), "malformed"},
		"picture video rect outside": {video(1, 16, 16, 64, 64, 0, 16, 16, 16), "malformed"},
		"picture video rect over":    {video(1, 0, 0, 64, 64, 49, 0, 16, 16), "malformed"},
		"part empty":                 {nil, "malformed"},
		"part short":                 {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0}, "malformed"},
		"part without bytes":         {[]byte{4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, "malformed"},
		"part flag":                  {[]byte{4, 2, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9}, "malformed"},
		"part unknown":               {[]byte{2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9}, "unknown"},
		"part unknown optional":      {[]byte{99, 0x80}, "skip"},
		"answer empty":               {nil, "malformed"},
		"answer hello version":       {[]byte{1, 2, 0, 0}, "version"},
		"answer hello trailing":      {[]byte{1, 1, 0, 0, 0}, "malformed"},
		"answer hello reserved":      {[]byte{1, 1, 0, 1}, "malformed"},
		"answer ack short":           {[]byte{2, 0, 0, 0, 1, 0, 0}, "malformed"},
		"answer ack trailing":        {[]byte{2, 0, 0, 0, 1, 0, 0, 0, 0}, "malformed"},
		"answer ack flag":            {[]byte{2, 2, 0, 0, 1, 0, 0, 0}, "malformed"},
		"answer restart reserved":    {[]byte{3, 0, 1, 0}, "malformed"},
		"answer unknown":             {[]byte{4, 0, 0, 0}, "unknown"},
		"answer unknown optional":    {[]byte{4, 0x80, 0, 0, 7}, "skip"},
		"control empty":              {nil, "unknown"},
		"control not protobuf":       {[]byte{0x12, 0x7F}, "malformed"},
		"control bad text":           {[]byte{0x2A, 0x03, 0x0A, 0x01, 0xFF}, "malformed"},
		"control unknown":            {[]byte{0xA2, 0x06, 0x00}, "unknown"},
		"control unknown optional":   {[]byte{0x08, 0x01, 0xA2, 0x06, 0x00}, "skip"},
	}
}

// video is a video message with n as its count and these places in it.
func video(n int, places ...uint16) []byte {
	b := []byte{3, 0, byte(n), byte(n >> 8), 1, 0, 0, 0}
	for _, v := range places {
		b = append(b, byte(v), byte(v>>8))
	}
	return b
}
