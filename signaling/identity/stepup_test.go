package identity

import (
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// heard is a log that remembers what was written to it.
type heard struct {
	Log
	events []audit.Event
}

func (l *heard) AppendTx(tx store.Tx, events ...audit.Event) (int64, error) {
	l.events = append(l.events, events...)
	return l.Log.AppendTx(tx, events...)
}

// The log tells a recovery code from a code of the app.
func TestTheLogTellsHowItWasProven(t *testing.T) {
	l := &heard{}
	h := open(t, func(c *Config) { l.Log, c.Log = c.Log, l })
	token, _ := h.user(t, Technician, "ann")
	token, err := h.StepUpByPassword(t.Context(), mustCheck(t, h, token), good, home)
	if err != nil {
		t.Fatal(err)
	}
	a, token, recovery := h.enrol(t, token)
	for _, code := range []string{a.code(t), recovery[0]} {
		if token, err = h.StepUp(t.Context(), mustCheck(t, h, token), code, home); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range l.events {
		if e.Type == "auth.stepped_up" {
			got = append(got, e.Data["method"].(string))
		}
	}
	if want := []string{"password", "code", "recovery"}; !slices.Equal(got, want) {
		t.Errorf("the log tells %q, want %q", got, want)
	}
}

// What the database does not answer is no wrong code, and no reason to prove more.
func TestTroubleOfTheDatabaseIsTold(t *testing.T) {
	s := &slow{}
	h := open(t, func(c *Config) { s.Store, c.Store = c.Store, s })
	token, in := h.user(t, Technician, "ann")
	err := h.store.Update(t.Context(), func(tx store.Tx) error {
		return h.useRecovery(lame{tx}, in.User, recoverySum(in.User.ID, "x"), h.now)
	})
	if !errors.Is(err, errLame) {
		t.Errorf("a recovery code: %v", err)
	}
	in = mustCheck(t, h, token)
	s.meanwhile = func() { h.exec(t, `alter table factors rename to elsewhere`) }
	if _, err := h.StepUpByPassword(t.Context(), in, good, home); err == nil || errors.Is(err, ErrStepUp) {
		t.Errorf("a password: %v", err)
	}
}

var errLame = errors.New("the database is lame")

// lame does not know how many rows it changed.
type lame struct{ store.Tx }

func (lame) Exec(string, ...any) (sql.Result, error) { return lame{}, nil }
func (lame) LastInsertId() (int64, error)            { return 0, errLame }
func (lame) RowsAffected() (int64, error)            { return 0, errLame }
