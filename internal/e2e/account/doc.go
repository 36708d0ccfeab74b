// Package account walks the pages of one's own sign-in in a real browser: a passkey,
// an authenticator app, recovery codes, and the proof that is asked for again.
package account
