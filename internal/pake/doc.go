// Package pake turns six digits that a person reads aloud into keys that
// nobody in the middle has, and keeps the session's signaling under them.
// PROTOCOL.md §1.4 to §1.6 of the wire package is its specification.
//
// The viewer begins, the host answers, both check the other's tag:
//
//	v, err := pake.NewViewer(secret, server, nameplate)     // viewer: sends v.SID, v.Share, v.AD
//	h := pake.NewHost(secret, server, nameplate, signing)   // host
//	share, ad, tag, err := h.Answer(v.SID(), v.Share(), v.AD())
//	vkeys, vtag, err := v.Finish(share, ad, tag)            // ErrWrongCode: nothing more is sent
//	hkeys, err := h.Confirm(vtag)                           // ErrWrongCode: a try is gone
//
// A [Viewer] and a [Host] stand for exactly one guess: the second call of
// Finish, Answer or Confirm fails. Counting the guesses is the host's job.
//
// Each attach (the first, and one after every lost connection) derives fresh
// keys with [Keys.Attach]; the [Link] it returns seals and opens the bodies of
// that attach in order, and proves the DTLS certificates that are in use.
// [Keys] live in memory only; [Keys.Wipe] ends them.
//
// CPace is CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21; the draft's own
// vectors are in testdata, beside transcripts of whole pairings that the
// browser's half in viewer/src/pake must reproduce byte for byte. The draft's
// example of key confirmation accepts one's own share and tag echoed back, so
// a share equal to one's own is refused and both roles are checked.
//
// The signaling server must not be able to use the secret: nothing outside
// host imports this package.
package pake
