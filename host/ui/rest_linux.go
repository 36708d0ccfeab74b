package ui

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// Rest gives back the memory that starting took: what Go's heap holds for nothing,
// and the pages of programs and libraries that were needed once, such as those of a
// compiler of shaders on a computer without a graphics card. The kernel has them
// still, and maps what is needed again. It is for a process that is up and waits.
//
// Of files only this program's own and those whose path holds one of names are let
// go, and only mappings that nobody can have written to.
func Rest(names ...string) {
	debug.FreeOSMemory()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return // no /proc: it stays as it is
	}
	defer f.Close()
	own, _ := os.Readlink("/proc/self/exe") // "": only the names count
	ours := func(path string) bool {
		if path != "" && path == own {
			return true
		}
		for _, n := range names {
			if strings.Contains(path, n) {
				return true
			}
		}
		return false
	}
	var from, to uintptr
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if a, b, perms, path, ok := mapping(line); ok {
			from, to = 0, 0
			if !strings.Contains(perms, "w") && ours(path) {
				from, to = a, b
			}
			continue
		}
		var dirty int
		if _, err := fmt.Sscanf(line, "Anonymous: %d kB", &dirty); err == nil && dirty == 0 && from < to {
			_ = madvise(from, to-from, unix.MADV_DONTNEED) // else it stays
		}
	}
}

// mapping reads the first line of a mapping in /proc/PID/smaps, proc_pid_smaps(5).
func mapping(line string) (from, to uintptr, perms, path string, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 || strings.HasSuffix(fields[0], ":") {
		return 0, 0, "", "", false
	}
	if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
		return 0, 0, "", "", false
	}
	return from, to, fields[1], strings.Join(fields[5:], " "), true
}

func madvise(from, n uintptr, advice int) error {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, n, uintptr(advice)); errno != 0 {
		return errno
	}
	return nil
}
