package wire

// Version is the newest protocol version spoken here, MinVersion the oldest.
const (
	Version    = 1
	MinVersion = 1
)

// Protocol names version 1 where a name is wanted: the data channels' protocol
// field and the domain separation of every key and signature.
const Protocol = "mf/1"

// Size limits in bytes, PROTOCOL.md §1.2. A message over its limit ends the
// connection with REASON_TOO_LARGE before it is parsed.
const (
	MaxFrame       = 64 << 10 // one WebSocket frame, either direction
	MaxSealed      = 48 << 10 // one SealedBody before sealing
	MaxControl     = 16 << 10 // one Control on channel ctl
	MaxCursor      = 64 << 10 // one CursorUpdate on channel cursor
	MaxInput       = 4 << 10  // one input event on channels in and in-fast
	MaxTileMessage = 16 << 10 // one picture message to the viewer
	MaxTileAnswer  = 64       // one picture message to the host
	MaxTilePart    = 1112     // one part on the channel tiles-fast: a packet holds it
	MaxTool        = 20 << 10 // one message on files, clip, talk or marks: 16 KiB of content and its frame
	MaxFileChunk   = 16 << 10 // the content of one FileChunk
	MaxInputText   = 1024     // the UTF-8 of one text event
	MaxKeyText     = 32       // the UTF-8 of one key event
	MaxEventData   = 4 << 10  // HostEvent.data and HostEvent.personal, each
)

// NameLimit is the longest name, subject or title that is shown, in code
// points after [Clean].
const NameLimit = 256

// ChatLimit is the longest line of the chat in code points, after [CleanText].
const ChatLimit = 4000

// Limits of what a host sends on the channel talk, bytes.
const (
	MaxTalkPart   = 16 << 10 // of a thing
	MaxPicture    = 16 << 20 // a picture of the screen, PNG
	MaxSystem     = 32 << 10 // what the computer is, JSON
	MaxAttachment = 8 << 20  // a picture that the server takes for the ticket
)

// MaxCursorSide is the longest side of a cursor shape in pixels.
const MaxCursorSide = 96

// MaxPictureSide is the longest side of a picture in pixels.
const MaxPictureSide = 16384

// Lengths in bytes of the fields that have exactly one.
const (
	ClaimSize  = 16 // claim ids
	SIDSize    = 16 // the viewer's CPace session id
	ShareSize  = 32 // a CPace share, ristretto255
	TagSize    = 64 // a CPace tag, HMAC-SHA-512
	NonceSize  = 16 // one side's half of an attach
	ProofSize  = 32 // a certificate proof, HMAC-SHA-256
	ResumeSize = 32 // a resume token
)

// Channel is one data channel of PROTOCOL.md §1.8. All are negotiated: both
// sides create them with these ids, and a channel that is not in [Channels] is
// closed at once.
type Channel struct {
	ID       uint16
	Label    string
	Reliable bool // reliable and ordered; else unordered without retransmits
	Max      int  // the longest message on it, bytes
}

// Ids of the data channels.
const (
	ChannelControl   = 0
	ChannelInput     = 1
	ChannelInputFast = 2
	ChannelCursor    = 3
	ChannelTiles     = 4
	ChannelTilesFast = 5
	ChannelFiles     = 6
	ChannelClip      = 7
	ChannelTalk      = 8
	ChannelMarks     = 9
)

// Labels of the data channels.
const (
	LabelControl   = "ctl"
	LabelInput     = "in"
	LabelInputFast = "in-fast"
	LabelCursor    = "cursor"
	LabelTiles     = "tiles"
	LabelTilesFast = "tiles-fast"
	LabelFiles     = "files"
	LabelClip      = "clip"
	LabelTalk      = "talk"
	LabelMarks     = "marks"
)

// Channels are all data channels of a session, by id.
func Channels() [10]Channel {
	return [10]Channel{
		{ChannelControl, LabelControl, true, MaxControl},
		{ChannelInput, LabelInput, true, MaxInput},
		{ChannelInputFast, LabelInputFast, false, MaxInput},
		{ChannelCursor, LabelCursor, true, MaxCursor},
		{ChannelTiles, LabelTiles, true, MaxTileMessage},
		{ChannelTilesFast, LabelTilesFast, false, MaxTilePart},
		{ChannelFiles, LabelFiles, true, MaxTool},
		{ChannelClip, LabelClip, true, MaxTool},
		{ChannelTalk, LabelTalk, true, MaxTool},
		{ChannelMarks, LabelMarks, true, MaxTool},
	}
}
