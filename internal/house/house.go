// Package house holds the rules of this house as tests: which package may
// import which, what stands at the top, that every package says what it is for.
// docs/architecture.md draws the same picture.
package house
