package capture

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"image"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// monitorInfo is MONITORINFOEX.
type monitorInfo struct {
	size          uint32
	monitor, work [4]int32
	flags         uint32
	device        [32]uint16
}

// found collects what EnumDisplayMonitors tells.
type found struct{ list []monitorInfo }

var foundMonitor = windows.NewCallback(func(monitor, _ uintptr, _ *[4]int32, to *found) uintptr {
	info := monitorInfo{size: uint32(unsafe.Sizeof(monitorInfo{}))}
	if _, err := call(getMonitorInfo, monitor, uintptr(unsafe.Pointer(&info))); err == nil {
		to.list = append(to.list, info)
	}
	return 1 // go on
})

// monitors lists the monitors within the virtual screen, moved so that its
// corner is 0, 0; from left to right, then from the top. An unreadable list is
// one monitor.
func monitors(area image.Rectangle) []Display {
	var all found
	_, err := call(enumDisplayMonitors, 0, 0, foundMonitor, uintptr(unsafe.Pointer(&all)))
	var displays []Display
	for _, m := range all.list {
		r := image.Rect(int(m.monitor[0]), int(m.monitor[1]), int(m.monitor[2]), int(m.monitor[3])).Intersect(area)
		if r.Empty() {
			continue
		}
		device := windows.UTF16ToString(m.device[:]) // \\.\DISPLAY1
		id := fnv.New32a()
		id.Write([]byte(device))
		displays = append(displays, Display{
			ID: id.Sum32(), Name: cmp.Or(strings.TrimPrefix(device, `\\.\`), fmt.Sprint("monitor ", len(displays)+1)),
			Bounds: r.Sub(area.Min),
		})
	}
	if err != nil || len(displays) == 0 {
		return []Display{{Name: "screen", Bounds: image.Rectangle{Max: area.Size()}}}
	}
	slices.SortFunc(displays, func(a, b Display) int {
		return cmp.Or(cmp.Compare(a.Bounds.Min.X, b.Bounds.Min.X), cmp.Compare(a.Bounds.Min.Y, b.Bounds.Min.Y))
	})
	return displays
}
