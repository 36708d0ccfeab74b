package winthread

import "golang.org/x/sys/windows"

// UnderWine tells whether this Windows is Wine, which says so itself.
var UnderWine = windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
