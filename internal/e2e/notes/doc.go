// Package notes proves that each session leaves its events in the log and one
// note in its ticket, and neither twice, whatever happens on the way: the server
// is killed, the desk's replies are lost, the desk asks for a pause.
//
// The server is the real program, killed with SIGKILL and started again on its
// data; hosts are those of gohost, viewers those of gopeer; the desks are the
// embedded one, strict fakes and, in `task prove`, a real Request Tracker behind
// a line that loses and limits.
package notes
