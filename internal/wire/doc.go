// Package wire is everything that crosses a wire between host, server and
// viewer, once. PROTOCOL.md beside this file says what is sent when, and what
// answers a message that may not stand; the Go code here and the TypeScript
// code in viewer/src/wire say how it looks. The golden files in testdata hold
// both to the same bytes.
//
// Most callers need four things:
//
//   - [Decode] reads one protobuf message under the size limit of its plane
//     ([MaxFrame], [MaxControl], …), [Unknown] tells what to do when its body
//     is one this version does not know, and [Encode] writes one.
//   - [Reason] turns any error of this module into the reason that is sent to
//     the other side; [NewError] makes a sentinel that carries one.
//   - [ParseInput] and [AppendInput] read and write input events; [ParseStart],
//     [ParsePiece] and [ParseTileAnswer] and their Append functions do so for
//     the picture. These are fixed layouts: no allocation a message.
//   - [ParseCode] and [FormatCode] know what a code looks like, [Clean] makes
//     text that came from the other side fit to be shown.
//
// What comes off the wire is hostile: every parser here is strict, bounded, and
// never panics. Version 1 is frozen by its golden files: fields and kinds are
// added, never changed.
package wire
