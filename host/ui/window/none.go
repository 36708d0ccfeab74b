//go:build !window

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "built without the tag window: no window")
	os.Exit(3)
}
