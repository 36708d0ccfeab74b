package inputtest

import (
	"sync"

	"github.com/mainforte/mainforte/host/input"
)

// Heard is what an input.Person told.
type Heard struct {
	mu     sync.Mutex
	acted  int
	panics int
	front  []input.Front
}

// Ears hear for it.
func (h *Heard) Ears() input.Ears {
	return input.Ears{
		Acted: func() { h.mu.Lock(); h.acted++; h.mu.Unlock() },
		Panic: func() { h.mu.Lock(); h.panics++; h.mu.Unlock() },
		Front: func(f input.Front) { h.mu.Lock(); h.front = append(h.front, f); h.mu.Unlock() },
	}
}

// Counts are how often the person acted, and pressed the panic key.
func (h *Heard) Counts() (acted, panics int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acted, h.panics
}

// Last is the window that was in front last.
func (h *Heard) Last() input.Front {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.front) == 0 {
		return input.Front{Class: "nothing told"}
	}
	return h.front[len(h.front)-1]
}
