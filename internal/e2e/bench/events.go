package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// events measures the session log by the benchmarks of its package: sealing, tree
// and flush included, on both databases. The PostgreSQL is one of its own, on this
// machine and its disk, over a Unix socket.
func (r *rig) events() ([]Row, error) {
	root, err := stage.Root(r.ctx)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, db := range []struct {
		name, env      string
		many, p99Limit float64
	}{{"SQLite", "sqlite", 10_000, 10}, {"PostgreSQL", "postgres", 2_000, 0}} {
		var got [3]float64
		for _, b := range []struct {
			bench, time string
			into        map[string]*float64
		}{
			{"AppendFrom64Writers", "5s", map[string]*float64{"events/s": &got[0]}},
			{"AppendAt500", "2500x", map[string]*float64{"p50-ms": &got[1], "p99-ms": &got[2]}},
		} {
			cmd := exec.CommandContext(r.ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark"+b.bench+"$", "-benchtime", b.time, "./signaling/audit")
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "MAINFORTE_TEST_STORE="+db.env)
			out, err := cmd.CombinedOutput()
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", b.bench, err, out)
			}
			for unit, to := range b.into {
				m := regexp.MustCompile(`([0-9.]+) ` + unit).FindSubmatch(out)
				if m == nil {
					return nil, errors.New(b.bench + " said nothing of " + unit + ":\n" + string(out))
				}
				if *to, err = strconv.ParseFloat(string(m[1]), 64); err != nil {
					return nil, err
				}
			}
		}
		rows = append(rows,
			atLeast(db.name+": durable events, 64 writers", "/s", got[0], db.many),
			Row{Name: db.name + ": an event every 2 ms p50", Unit: "ms", Value: got[1]},
			atMost(db.name+": an event every 2 ms p99", "ms", got[2], db.p99Limit),
		)
	}
	return rows, nil
}
