package files

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// room is how many bytes the person may still write on a folder's volume.
func room(folder string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, err
	}
	return free, nil
}

func full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// held tells whether another program may have a file open: what scans or shows new
// files does so for a moment, and then they can be neither renamed nor removed.
func held(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// mark writes the mark of the web, zone 3: Windows then warns before a received
// file is run. A file system without streams (FAT) cannot carry it.
func mark(file string) {
	_ = os.WriteFile(file+":Zone.Identifier", []byte("[ZoneTransfer]\r\nZoneId=3\r\n"), 0o600)
}

// Downloads is the person's folder for what comes from elsewhere: the known folder
// Downloads, else the profile's.
func Downloads() string {
	if dir, err := windows.KnownFolderPath(windows.FOLDERID_Downloads, 0); err == nil {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		return home
	}
	return os.TempDir()
}

// Reveal opens a folder in the Explorer, and never a file.
func Reveal(folder string) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() || !filepath.IsAbs(folder) {
		return errors.Join(ErrGone, err)
	}
	verb, name := windows.StringToUTF16Ptr("explore"), windows.StringToUTF16Ptr(folder)
	return windows.ShellExecute(0, verb, name, nil, nil, windows.SW_SHOWNORMAL)
}
