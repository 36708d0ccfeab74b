// Command pack leaves a packed copy beside every built file that a browser is sent,
// NAME.br beside NAME (RFC 7932): what a technician waits for is bytes, and the server
// has better things to do than to pack the same file for each. The same files make the
// same bytes.
//
// Usage: pack FOLDER ...
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/andybalholm/brotli"
)

// Extension of a packed copy.
const extension = ".br"

// packed are the kinds of files that are text.
var packed = []string{".css", ".js", ".json", ".svg"}

func main() {
	for _, folder := range os.Args[1:] {
		if err := pack(folder); err != nil {
			fmt.Fprintln(os.Stderr, "pack:", err)
			os.Exit(1)
		}
	}
}

// pack packs what lies in a folder and below, and removes copies of what is gone.
func pack(folder string) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch ext := filepath.Ext(path); {
		case ext == extension:
			if _, err := os.Stat(path[:len(path)-len(extension)]); err != nil {
				return os.Remove(path)
			}
		case slices.Contains(packed, ext):
			return packFile(path)
		}
		return nil
	})
}

// packFile packs one file. A copy that would not be smaller is not made.
func packFile(path string) error {
	whole, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var small bytes.Buffer
	w := brotli.NewWriterLevel(&small, brotli.BestCompression)
	if _, err := w.Write(whole); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if small.Len() >= len(whole) {
		if err := os.Remove(path + extension); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	return os.WriteFile(path+extension, small.Bytes(), 0o644)
}
