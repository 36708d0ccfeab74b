package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

func TestWhatIsPackedIsTheSame(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := strings.Repeat("export const greeting = 'Bonjour';\n", 300)
	script := write("assets/a.js", text)
	tiny := write("assets/b.css", "a")
	write("assets/b.css.br", "of an older one")
	picture := write("c.png", text)
	gone := write("assets/gone.js.br", "x")
	for range 2 {
		if err := pack(folder); err != nil {
			t.Fatal(err)
		}
		small, err := os.ReadFile(script + extension)
		if err != nil || len(small)*10 > len(text) {
			t.Fatalf("%d bytes, %v", len(small), err)
		}
		if whole, err := io.ReadAll(brotli.NewReader(bytes.NewReader(small))); err != nil || string(whole) != text {
			t.Errorf("it holds something else, %v", err)
		}
		for _, path := range []string{tiny + extension, picture + extension, gone, script + extension + extension} {
			if _, err := os.Stat(path); err == nil {
				t.Errorf("%s is there", filepath.Base(path))
			}
		}
	}
	if err := pack(filepath.Join(folder, "none")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
