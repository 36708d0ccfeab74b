// Package words walks in a real browser what a technician writes with and works fast by:
// the command palette, canned texts, the closing sheet with its preview, and the
// solutions of earlier sessions.
package words
