package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// Row is one figure.
type Row struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"`
	Target float64 `json:"target,omitempty"`  // DESIGN's figure; 0: none
	AtMost bool    `json:"at_most,omitempty"` // the target is an upper bound
	Note   string  `json:"note,omitempty"`

	samples []float64 // what it was made of, if it is of many
}

func (r Row) verdict() string {
	switch {
	case r.Target == 0:
		return ""
	case (r.Value <= r.Target) == r.AtMost || r.Value == r.Target:
		return "reached"
	}
	return "MISSED"
}

// atMost and atLeast are rows with a figure to reach.
func atMost(name, unit string, value, target float64) Row {
	return Row{Name: name, Unit: unit, Value: value, Target: target, AtMost: true}
}

func atLeast(name, unit string, value, target float64) Row {
	return Row{Name: name, Unit: unit, Value: value, Target: target}
}

// spread makes two rows of samples: p50 and another percentile.
func spread(name, unit string, samples []float64, p50, high, highTarget float64) []Row {
	a := atMost(name+" p50", unit, percentile(samples, .5), p50)
	b := atMost(fmt.Sprintf("%s p%g", name, high), unit, percentile(samples, high/100), highTarget)
	a.samples = samples
	a.Note = fmt.Sprintf("%d samples", len(samples))
	return []Row{a, b}
}

// Figures are those of one part.
type Figures struct {
	Part  string `json:"part"`
	Time  string `json:"time"`
	Load  string `json:"load_average_before"`
	After string `json:"load_average_after"`
	Runs  int    `json:"runs"`
	Rows  []Row  `json:"rows"`
}

type report struct {
	Machine string    `json:"machine"`
	Parts   []Figures `json:"parts"`
}

// readReport reads what an earlier run left; none is no error.
func readReport(file string) (rep report, err error) {
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		err = json.Unmarshal(b, &rep)
	}
	rep.Machine = machine()
	return rep, err
}

func (rep *report) put(f Figures) {
	for i := range rep.Parts {
		if rep.Parts[i].Part == f.Part {
			rep.Parts[i] = f
			return
		}
	}
	rep.Parts = append(rep.Parts, f)
}

func (rep *report) write(file string) error {
	for _, f := range rep.Parts {
		for i := range f.Rows {
			f.Rows[i].Value = round(f.Rows[i].Value)
		}
	}
	b, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// writeSamples writes the raw samples of a part: one list a run.
func writeSamples(file, part string, runs [][]Row) error {
	raw := map[string][][]float64{}
	for _, rows := range runs {
		for _, r := range rows {
			if r.samples == nil {
				continue
			}
			v := make([]float64, len(r.samples))
			for i, s := range r.samples {
				v[i] = round(s)
			}
			name := strings.TrimSuffix(r.Name, " p50")
			raw[name] = append(raw[name], v)
		}
	}
	if len(raw) == 0 {
		return nil
	}
	b, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	dir := strings.TrimSuffix(file, filepath.Ext(file)) + "-samples"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, part+".json"), append(b, '\n'), 0o644)
}

// medians are those of the rows of several runs, name by name.
func medians(runs [][]Row) []Row {
	rows := slices.Clone(runs[0])
	if len(runs) == 1 {
		return rows
	}
	for i := range rows {
		var same []Row
		for _, run := range runs {
			if j := slices.IndexFunc(run, func(r Row) bool { return r.Name == rows[i].Name }); j >= 0 {
				same = append(same, run[j])
			}
		}
		slices.SortFunc(same, func(a, b Row) int { return cmp.Compare(a.Value, b.Value) })
		rows[i] = same[len(same)/2]
		rows[i].Note = strings.TrimPrefix(fmt.Sprintf("%s; %.4g to %.4g", rows[i].Note, same[0].Value, same[len(same)-1].Value), "; ")
	}
	return rows
}

func (f Figures) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tmeasured\tunit\tto reach\t\t\n", f.Part)
	for _, r := range f.Rows {
		target := ""
		if r.Target != 0 {
			target = fmt.Sprintf("%s %g", map[bool]string{true: "≤", false: "≥"}[r.AtMost], r.Target)
		}
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\t%s\t%s\n", r.Name, r.Value, r.Unit, target, r.verdict(), r.Note)
	}
	_ = w.Flush()
	fmt.Fprintf(to, "load average %s before, %s after; %d run(s); %d × %d\n\n", f.Load, f.After, f.Runs, width, height)
}

func round(v float64) float64 { return math.Round(v*100) / 100 }

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

// machine names the processor and how many of it there are.
func machine() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	name, n := "", 0
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			name = strings.TrimSpace(value)
			n++
		}
	}
	return fmt.Sprintf("%d × %s", n, name)
}

// never stands for the time that nothing took because it did not happen: far
// from every figure to reach.
const never = 99999

// percentile of sorted or unsorted values, p from 0 to 1.
func percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return never
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return s[min(len(s)-1, int(p*float64(len(s))))]
}
