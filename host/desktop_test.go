package main

import (
	"testing"

	"github.com/mainforte/mainforte/host/capture/fake"
	"github.com/mainforte/mainforte/host/input"
	inputfake "github.com/mainforte/mainforte/host/input/fake"
)

// eyes count how often they are told that a change is near.
type eyes struct {
	*fake.Source
	nudges int
}

func (e *eyes) Nudge() { e.nudges++ }

func TestEveryMoveOfTheHandsIsFollowedByALook(t *testing.T) {
	e := &eyes{Source: fake.New(t, 300, 200)}
	defer e.Close()
	hands := nudging{inputfake.New(t), e}
	defer hands.Close()
	for name, move := range map[string]func() error{
		"Move":   func() error { return hands.Move(5, 5) },
		"Button": func() error { return hands.Button(input.Left, true) },
		"Wheel":  func() error { return hands.Wheel(0, 120) },
		"Key":    func() error { return hands.Key(input.Key{Usage: 0x04, Text: "a"}, true) },
		"Text":   func() error { return hands.Text("a") },
	} {
		before := e.nudges
		if err := move(); err != nil {
			t.Fatal(err)
		}
		if e.nudges != before+1 {
			t.Errorf("%s: %d nudges", name, e.nudges-before)
		}
	}
	if err := hands.Button(input.Left, false); err != nil {
		t.Error(err)
	}
	if err := hands.Key(input.Key{Usage: 0x04}, false); err != nil {
		t.Error(err)
	}
}
