package session

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

var notifyAddrChange = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("NotifyAddrChange")

// theNews is Windows' word that an address changed: a look at the addresses themselves
// takes it milliseconds. It is of IPv4 alone, and a network that has only the other may
// change as well.
var theNews = &news{told: new(addressChange).came}

// addressChange is an event that Windows sets when an address changes, which is looked
// at and not waited for. It stays until the process ends, as what it is told by must.
type addressChange struct {
	overlapped windows.Overlapped
	handle     windows.Handle
	armed      bool
}

// came tells whether it was set since it was asked last, or cannot be relied on.
func (c *addressChange) came() bool {
	if c.armed {
		r, err := windows.WaitForSingleObject(c.overlapped.HEvent, 0)
		if err == nil && r != windows.WAIT_OBJECT_0 {
			return false
		}
	}
	c.armed = c.arm()
	return true
}

// arm asks to be told of the next change.
func (c *addressChange) arm() bool {
	if c.overlapped.HEvent == 0 {
		event, err := windows.CreateEvent(nil, 1, 0, nil)
		if err != nil {
			return false
		}
		c.overlapped.HEvent = event
	}
	if windows.ResetEvent(c.overlapped.HEvent) != nil || notifyAddrChange.Find() != nil {
		return false
	}
	r, _, _ := notifyAddrChange.Call(uintptr(unsafe.Pointer(&c.handle)), uintptr(unsafe.Pointer(&c.overlapped)))
	return windows.Errno(r) == windows.ERROR_IO_PENDING
}
