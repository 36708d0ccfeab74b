package win32

import (
	"strings"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/ui/face"
)

// grant does what only the window can do: the system's own dialogs, which every
// screen reader knows, and opening a page. The input.Guard covers them as well:
// they are windows of this process.
func (n *native) grant(w face.Wish) {
	if w.Kind == "open" {
		win.ShellExecute(n.hwnd, utf16("open"), utf16(w.Name), nil, nil, win.SW_SHOWNORMAL)
		return
	}
	var paths []string
	unremembered(remembered, func() {
		switch w.Kind {
		case "files":
			paths = n.chooseFiles()
		case "folder":
			paths = n.chooseFolder(n.text("folder.label"))
		case "save":
			paths = n.chooseName(w.Name)
		}
	})
	if _, there := natives.Load(n.hwnd); !there {
		return // the window went away meanwhile
	}
	n.win.say(n.face.Chosen(w, paths)...)
	n.render()
}

// longestList is room for the names of many files, in characters.
const longestList = 64 << 10

func (n *native) dialog(buf []uint16) win.OPENFILENAME {
	d := win.OPENFILENAME{HwndOwner: n.hwnd, LpstrFile: &buf[0], NMaxFile: uint32(len(buf)),
		Flags: win.OFN_EXPLORER | win.OFN_NOCHANGEDIR | win.OFN_HIDEREADONLY | win.OFN_DONTADDTORECENT | win.OFN_PATHMUSTEXIST}
	d.LStructSize = uint32(unsafe.Sizeof(d))
	return d
}

// chooseFiles returns what the person chose, nothing if they left the dialog.
func (n *native) chooseFiles() []string {
	buf := make([]uint16, longestList)
	d := n.dialog(buf)
	d.Flags |= win.OFN_FILEMUSTEXIST | win.OFN_ALLOWMULTISELECT
	if !win.GetOpenFileName(&d) {
		return nil
	}
	return chosen(buf)
}

// chosen reads a dialog's answer: one path, or a folder and names in it, each
// with a NUL behind it and one more at the end.
func chosen(buf []uint16) []string {
	var parts []string
	for len(buf) > 0 && buf[0] != 0 {
		s := windows.UTF16ToString(buf)
		parts = append(parts, s)
		end := 0
		for end < len(buf) && buf[end] != 0 {
			end++
		}
		buf = buf[min(end+1, len(buf)):]
	}
	if len(parts) < 2 {
		return parts
	}
	folder := strings.TrimSuffix(parts[0], `\`)
	for i, name := range parts[1:] {
		parts[i+1] = folder + `\` + name
	}
	return parts[1:]
}

// chooseName asks where a file shall be kept that is called name unless the
// person says otherwise.
func (n *native) chooseName(name string) []string {
	buf := make([]uint16, 4096)
	copy(buf[:len(buf)-1], windows.StringToUTF16(strings.ReplaceAll(name, "\x00", "")))
	d := n.dialog(buf)
	d.Flags |= win.OFN_OVERWRITEPROMPT
	if i := strings.LastIndex(name, "."); i > 0 {
		d.LpstrDefExt = utf16(name[i+1:])
	}
	if !win.GetSaveFileName(&d) {
		return nil
	}
	return []string{windows.UTF16ToString(buf)}
}

// chooseFolder returns the folder that the person chose.
func (n *native) chooseFolder(title string) []string {
	const folders, newDialog = 0x0001, 0x0040 // BIF_RETURNONLYFSDIRS, BIF_NEWDIALOGSTYLE
	win.OleInitialize()                       // the new dialog needs it; this thread is the window's alone
	list := win.SHBrowseForFolder(&win.BROWSEINFO{HwndOwner: n.hwnd, LpszTitle: utf16(title), UlFlags: folders | newDialog})
	if list == 0 {
		return nil
	}
	defer win.CoTaskMemFree(list)
	buf := make([]uint16, 32<<10)
	if !win.SHGetPathFromIDList(list, &buf[0]) {
		return nil
	}
	return []string{windows.UTF16ToString(buf)}
}

// dropped are files that the person dragged onto the window.
func (n *native) dropped(drop win.HDROP) {
	defer win.DragFinish(drop)
	const howMany = 0xffffffff
	var paths []string
	for i := range win.DragQueryFile(drop, howMany, nil, 0) {
		buf := make([]uint16, 32<<10)
		win.DragQueryFile(drop, i, &buf[0], uint(len(buf)))
		paths = append(paths, windows.UTF16ToString(buf))
	}
	n.win.say(n.face.Dropped(paths)...)
	n.render()
}
