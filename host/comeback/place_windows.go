package comeback

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Here is the person's own place.
func Here() (Place, error) {
	dir, err := os.UserCacheDir() // %LOCALAPPDATA%
	if err != nil {
		return Place{}, err
	}
	return Place{
		file:  filepath.Join(dir, "Mainforte", "return"),
		entry: entry{`Software\Microsoft\Windows\CurrentVersion\RunOnce`, "Mainforte"},
		boot:  bootID(),
	}, nil
}

// bootID is when Windows was started, by the clock as it went then: Windows moves its
// boot time with each correction of the clock, and says how far it has moved it.
// After "Shut down" with fast startup the kernel goes on, and so does its boot time:
// then only the start entry comes back.
func bootID() string {
	const timeOfDay = 3 // SystemTimeOfDayInformation
	var info struct {
		boot, now, zone     int64
		zoneID, _           uint32
		bootBias, sleepBias uint64
	}
	var n uint32
	if err := windows.NtQuerySystemInformation(timeOfDay, unsafe.Pointer(&info), uint32(unsafe.Sizeof(info)), &n); err != nil || info.boot == 0 {
		return ""
	}
	if uintptr(n) < unsafe.Sizeof(info) {
		info.bootBias = 0 // older than Windows XP, or Wine
	}
	return strconv.FormatInt(info.boot-int64(info.bootBias), 16)
}

// entry is a value of RunOnce: Windows deletes it and then starts its command, when
// the person signs in.
type entry struct{ key, name string }

// maxCommand is how long a command of RunOnce may be.
const maxCommand = 260

func (entry) dirs() []string  { return nil }
func (entry) paths() []string { return nil }

func (e entry) write(command []string) error {
	words := make([]string, len(command))
	for i, w := range command {
		words[i] = windows.EscapeArg(w)
	}
	if i := 0; !strings.HasPrefix(words[i], `"`) {
		words[i] = `"` + words[i] + `"` // the program, whatever is in its path
	}
	line := strings.Join(words, " ")
	if len(line) > maxCommand {
		return fmt.Errorf("comeback: the path of the program is too long: %s", command[0])
	}
	k, _, err := registry.CreateKey(registry.CURRENT_USER, e.key, registry.SET_VALUE)
	if err != nil {
		return err
	}
	return errors.Join(k.SetStringValue(e.name, line), k.Close())
}

func (e entry) remove() error {
	k, err := registry.OpenKey(registry.CURRENT_USER, e.key, registry.SET_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer k.Close()
	if err := k.DeleteValue(e.name); err != nil && !errors.Is(err, registry.ErrNotExist) {
		return err
	}
	return nil
}

// private: the folder is in the person's profile.
func private(dir string) error {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return errors.Join(fmt.Errorf("%w: the folder %s", ErrForeign, dir), err)
	}
	return nil
}

// owned: who wrote it is told by the seal.
func owned(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: the file %s", ErrForeign, info.Name())
	}
	return nil
}

func open(path string) (*os.File, error) { return os.Open(path) }

func settle(string) {}

// seal encrypts for this person on this computer (DPAPI): it makes a blob of DPAPI's,
// after its length in 4 bytes (LE), as DPAPI itself does not look at what follows one.
func seal(b []byte) ([]byte, error) {
	var out windows.DataBlob
	in := blob(b)
	err := windows.CryptProtectData(&in, nil, nil, 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	runtime.KeepAlive(b)
	if err != nil {
		return nil, fmt.Errorf("comeback: seal: %w", err)
	}
	return append(binary.LittleEndian.AppendUint32(nil, out.Size), taken(out)...), nil
}

func unseal(b []byte) ([]byte, error) {
	if len(b) < 4 || int64(binary.LittleEndian.Uint32(b)) != int64(len(b)-4) { // C84
		return nil, ErrSpoilt
	}
	b = b[4:]
	var out windows.DataBlob
	in := blob(b)
	err := windows.CryptUnprotectData(&in, nil, nil, 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	runtime.KeepAlive(b)
	if err != nil {
		return nil, fmt.Errorf("comeback: unseal: %w", err)
	}
	return taken(out), nil
}

func blob(b []byte) windows.DataBlob {
	return windows.DataBlob{Size: uint32(len(b)), Data: unsafe.SliceData(b)}
}

// taken copies what the system allocated, and gives it back without its content.
func taken(d windows.DataBlob) []byte {
	if d.Data == nil {
		return nil
	}
	theirs := unsafe.Slice(d.Data, d.Size)
	b := append([]byte(nil), theirs...)
	clear(theirs)
	_, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(d.Data)))
	return b
}
