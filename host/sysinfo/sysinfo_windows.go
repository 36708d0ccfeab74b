package sysinfo

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

type win struct{}

var system = win{}

var (
	kernel32          = windows.NewLazySystemDLL("kernel32.dll")
	globalMemory      = kernel32.NewProc("GlobalMemoryStatusEx")
	tickCount         = kernel32.NewProc("GetTickCount64")
	userDefaultLocale = kernel32.NewProc("GetUserDefaultLocaleName")
)

// texts reads strings of a registry key; what is not there is empty.
func texts(path string, names ...string) ([]string, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	out := make([]string, len(names))
	for i, n := range names {
		if s, _, err := k.GetStringValue(n); err == nil {
			out[i] = s
		} else if v, _, err := k.GetIntegerValue(n); err == nil {
			out[i] = strconv.FormatUint(v, 10)
		}
	}
	return out, nil
}

func (win) os() ([]Row, error) {
	v, err := texts(`SOFTWARE\Microsoft\Windows NT\CurrentVersion`, "ProductName", "DisplayVersion", "CurrentBuild", "UBR")
	if err != nil {
		return nil, err
	}
	// The registry of Windows 11 still says 10; its builds begin at 22000.
	if n, err := strconv.Atoi(v[2]); err == nil && n >= 22000 {
		v[0] = strings.Replace(v[0], "Windows 10", "Windows 11", 1)
	}
	build := v[2]
	if v[3] != "" {
		build += "." + v[3]
	}
	return []Row{{Text: []string{v[0], v[1], build}}}, nil
}

func (win) uptime() ([]Row, error) {
	if err := tickCount.Find(); err != nil {
		return nil, ErrUnsupported
	}
	ms, _, _ := tickCount.Call()
	return []Row{{Seconds: int64(ms) / 1000}}, nil
}

func (win) cpu() ([]Row, error) {
	v, err := texts(`HARDWARE\DESCRIPTION\System\CentralProcessor\0`, "ProcessorNameString")
	if err != nil {
		return nil, err
	}
	return []Row{{Text: v, Count: runtime.NumCPU()}}, nil
}

// memoryStatus is MEMORYSTATUSEX.
type memoryStatus struct {
	length, load                                         uint32
	total, free, totalPage, freePage, totalV, freeV, ext uint64
}

func (win) memory() ([]Row, error) {
	m := memoryStatus{length: uint32(unsafe.Sizeof(memoryStatus{}))}
	if ok, _, err := globalMemory.Call(uintptr(unsafe.Pointer(&m))); ok == 0 {
		return nil, err
	}
	return []Row{{Size: m.total, Free: m.free}}, nil
}

// disks are those of this computer: a drive of the network may be away.
func (win) disks() ([]Row, error) {
	drives, err := windows.GetLogicalDrives()
	if err != nil {
		return nil, err
	}
	var rows []Row
	for i := range 26 {
		root := string(rune('A'+i)) + `:\`
		name, err := windows.UTF16PtrFromString(root)
		if drives&(1<<i) == 0 || err != nil {
			continue
		}
		if kind := windows.GetDriveType(name); kind != windows.DRIVE_FIXED {
			continue
		}
		var free, size, all uint64
		if windows.GetDiskFreeSpaceEx(name, &free, &size, &all) != nil {
			continue
		}
		system := make([]uint16, 32)
		_ = windows.GetVolumeInformation(name, nil, 0, nil, nil, nil, &system[0], uint32(len(system))) // else without it
		rows = append(rows, Row{Name: root[:2], Text: []string{windows.UTF16ToString(system)}, Size: size, Free: free})
	}
	return rows, nil
}

func (win) locale() ([]Row, error) {
	var name [85]uint16 // LOCALE_NAME_MAX_LENGTH
	if userDefaultLocale.Find() == nil {
		if n, _, _ := userDefaultLocale.Call(uintptr(unsafe.Pointer(&name[0])), uintptr(len(name))); n > 0 {
			return []Row{{Text: []string{windows.UTF16ToString(name[:])}}}, nil
		}
	}
	if v := os.Getenv("LANG"); v != "" {
		return []Row{{Text: []string{v}}}, nil
	}
	return nil, ErrUnsupported
}

// installed is CBS's state of a package that is in place.
const installed = 112

// updates reads the packages of component based servicing, the newest first. WMI
// says the same, and takes seconds.
func (win) updates() ([]Row, error) {
	const path = `SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages`
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(20_000)
	if err != nil && len(names) == 0 {
		return nil, err
	}
	newest := map[string]time.Time{}
	for _, n := range names {
		name := updateName(n)
		if name == "" {
			continue
		}
		p, err := registry.OpenKey(k, n, registry.QUERY_VALUE)
		if err != nil {
			continue
		}
		state, _, _ := p.GetIntegerValue("CurrentState")
		high, _, _ := p.GetIntegerValue("InstallTimeHigh")
		low, _, _ := p.GetIntegerValue("InstallTimeLow")
		_ = p.Close()
		if state != installed {
			continue
		}
		ft := windows.Filetime{HighDateTime: uint32(high), LowDateTime: uint32(low)}
		if at := time.Unix(0, ft.Nanoseconds()); at.After(newest[name]) {
			newest[name] = at
		}
	}
	rows := make([]Row, 0, len(newest))
	for name, at := range newest {
		rows = append(rows, Row{Name: name, Text: []string{at.UTC().Format("2006-01-02")}})
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(b.Text[0]+b.Name, a.Text[0]+a.Name) })
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: no package of an update", ErrUnsupported)
	}
	return rows, nil
}
