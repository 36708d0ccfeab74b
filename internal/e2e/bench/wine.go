package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// underWine runs the benchmark of the Windows host and makes rows of what it
// reports. Wine is not Windows: the figures say what the program itself needs.
func underWine(ctx context.Context) ([]Row, error) {
	root, err := stage.Root(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "HostUnderWine", "-benchtime", "1x", "./internal/e2e/wine")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("the Windows host under Wine: %w\n%s", err, out)
	}
	metrics := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				metrics[fields[i+1]] = v
			}
		}
	}
	const note = "under Wine"
	rows := []Row{
		{Name: "Windows host: start to code", Unit: "ms-to-code", Target: 2000},
		{Name: "Windows host: RSS before a session", Unit: "MB-before", Target: 60},
		{Name: "Windows host: RSS in session", Unit: "MB-session", Target: 150},
		{Name: "Windows host: CPU before a session", Unit: "%-before", Target: 0.5},
		{Name: "Windows host: CPU in an idle session", Unit: "%-idle", Target: 1},
		{Name: "Windows host: size", Unit: "MB-exe", Target: 20},
	}
	for i := range rows {
		v, ok := metrics[rows[i].Unit]
		if !ok {
			return nil, fmt.Errorf("the benchmark under Wine reports no %s:\n%s", rows[i].Unit, out)
		}
		rows[i].Value, rows[i].AtMost, rows[i].Note = v, true, note
		rows[i].Unit, _, _ = strings.Cut(rows[i].Unit, "-")
	}
	return rows, nil
}
