// Package shape puts a real program behind a bad line: it runs in a network
// namespace whose only way out is a line of ours, with a rate, a queue, a delay
// and random loss in each direction, all of which can be changed while it runs.
//
//	this namespace ── TUN ── Line, in this process ── TUN ── the program's namespace
//	10.x.y.1                 rate, queue, delay, loss        10.x.y.2
//
// [Open] makes the two ends and the line between them, [Line.Program] a program
// that runs behind it, [Line.Reach] lets it reach what listens on this side's
// loopback, and [Line.Set] says how bad the line is. Nothing of it outlives this
// process: the devices go with their descriptors, the namespace with the last
// program in it.
//
// The kernel's own emulator (netem) is not needed, which many kernels lack; root
// is, or a user namespace as netns.Enter makes. Not modelled: reordering, bursts
// of loss, and a radio's jitter.
package shape
