package win32

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/mainforte/mainforte/host/ui"
)

// TestMain is also the window alone, for tests that look at it from outside:
// with MAINFORTE_WINDOW=en it shows the events it reads, one JSON object a line,
// and says the commands, until its input ends. MAINFORTE_CONTRAST=1 shows it in
// high contrast, which Wine 8 does not report.
func TestMain(m *testing.M) {
	if os.Getenv("MAINFORTE_CONTRAST") != "" {
		highContrast = func() bool { return true }
	}
	if lang := os.Getenv("MAINFORTE_WINDOW"); lang != "" {
		os.Exit(bridge(lang))
	}
	os.Exit(m.Run())
}

func bridge(lang string) int {
	w, err := Open(lang)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		out := json.NewEncoder(os.Stdout)
		for c := range w.Commands() {
			_ = out.Encode(c)
		}
		_ = os.Stdin.Close() // the window was closed: nothing more to hear
	}()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var e ui.Event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		w.Show(e)
	}
	_ = w.Close()
	<-said
	return 0
}
