//go:build window

package main

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// textScale is how much larger than the monitor asks for the person wants all
// text. On X11 desktops put that into Xft.dpi, which Gio follows (v0.10.3); on
// Wayland it is GNOME's setting alone. GDK_DPI_SCALE is GTK's own.
func textScale() float32 {
	scale := number(os.Getenv("GDK_DPI_SCALE"))
	if os.Getenv("WAYLAND_DISPLAY") != "" {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		out, _ := exec.CommandContext(ctx, "gsettings", "get", "org.gnome.desktop.interface", "text-scaling-factor").Output()
		scale *= number(string(out))
	}
	return max(0.5, min(scale, 3))
}

// number reads one; what is none is 1.
func number(s string) float32 {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
	if err != nil || n <= 0 {
		return 1
	}
	return float32(n)
}
