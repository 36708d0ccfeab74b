package hostile_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/viewer"
)

// chromium is one browser for every attack; each loads its own page in it.
var chromium *stage.Browser

func TestMain(m *testing.M) {
	if !viewer.Built() {
		fmt.Fprintln(os.Stderr, "hostile: the viewer is not built; run `task build:web` first")
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	chromium, err = stage.StartBrowser(context.Background(), stage.BrowserOptions{Width: 900, Height: 700})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer chromium.Close()
	code := m.Run()
	for _, line := range chromium.Console() {
		// Whatever a server did, nothing was about to run in the page (P8).
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "TrustedScript") || strings.HasPrefix(line, "exception") {
			fmt.Fprintln(os.Stderr, "hostile: a page complains:", line)
			code = 1
		}
	}
	return code
}
