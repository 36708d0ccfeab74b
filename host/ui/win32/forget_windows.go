package win32

import (
	"bytes"
	"slices"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// remembered is where the system's dialogs for files write down in the person's
// registry which program asked, for which folder and for which file.
const remembered = `Software\Microsoft\Windows\CurrentVersion\Explorer\ComDlg32`

// unremembered shows a dialog and takes back what it wrote below a key: nothing of
// this app stays on the computer. Whatever stood there before stands there again.
func unremembered(key string, show func()) {
	before := make(branch)
	before.read(key, branchDepth)
	show()
	after := make(branch)
	after.read(key, branchDepth)
	for path, values := range after {
		if _, was := before[path]; was {
			values.become(path, before[path])
		}
	}
	fresh := make([]string, 0, len(after))
	for path := range after {
		if _, was := before[path]; !was {
			fresh = append(fresh, path)
		}
	}
	slices.Sort(fresh)
	for _, path := range slices.Backward(fresh) { // a key comes after those that it lies in
		_ = registry.DeleteKey(registry.CURRENT_USER, path) // what cannot be deleted is the system's to keep
	}
}

// branchDepth bounds how deep a branch is read: the dialogs' keys lie two deep.
const branchDepth = 4

// branch is a key of the person's registry and those within it, by their paths.
type branch map[string]values

type values map[string]value

type value struct {
	kind uint32
	data []byte
}

func (b branch) read(path string, depth int) {
	k, err := registry.OpenKey(registry.CURRENT_USER, path, registry.READ)
	if err != nil {
		return // not there, or not ours to read, and so not ours to write
	}
	defer k.Close()
	b[path] = make(values)
	names, _ := k.ReadValueNames(-1) // what cannot be read is not put back either
	for _, name := range names {
		n, kind, err := k.GetValue(name, nil)
		if err != nil {
			continue
		}
		data := make([]byte, n)
		if n, _, err = k.GetValue(name, data); err == nil {
			b[path][name] = value{kind, data[:n]}
		}
	}
	if depth == 0 {
		return
	}
	within, _ := k.ReadSubKeyNames(-1)
	for _, name := range within {
		b.read(path+`\`+name, depth-1)
	}
}

// become writes back the values that a key had.
func (v values) become(path string, was values) {
	k, err := registry.OpenKey(registry.CURRENT_USER, path, registry.SET_VALUE)
	if err != nil {
		return
	}
	defer k.Close()
	for name := range v {
		if _, old := was[name]; !old {
			_ = k.DeleteValue(name)
		}
	}
	for name, old := range was {
		if now, there := v[name]; there && now.kind == old.kind && bytes.Equal(now.data, old.data) {
			continue
		}
		switch old.kind { // those that the dialogs write
		case registry.SZ:
			_ = k.SetStringValue(name, windows.UTF16ToString(units(old.data)))
		case registry.BINARY:
			_ = k.SetBinaryValue(name, old.data)
		case registry.DWORD:
			if len(old.data) == 4 {
				_ = k.SetDWordValue(name, uint32(old.data[0])|uint32(old.data[1])<<8|uint32(old.data[2])<<16|uint32(old.data[3])<<24)
			}
		}
	}
}

// units are the UTF-16 units of a text in the registry.
func units(b []byte) []uint16 {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	return u
}
