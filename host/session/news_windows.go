package session

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// sureTime is after how long the addresses are looked at although nothing was told: the
// news is of IPv4 alone, and a network that has only the other may change as well. With
// looks at every second beat that is each two seconds, also where one comes a little
// early: a session that must find other ways has a second left of its three.
const sureTime = 5*lookTime - lookTime/2

var notifyAddrChange = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("NotifyAddrChange")

// addressNews is Windows' word that an address changed, in an event that is looked at
// and not waited for. A look at the addresses themselves takes it milliseconds. It
// stays until the process ends, as what it is told by must.
type addressNews struct {
	mu         sync.Mutex
	overlapped windows.Overlapped
	handle     windows.Handle
	armed      bool
	looked     time.Time
}

var theNews addressNews

// addressesMayDiffer tells whether the computer's addresses may be others than at the
// look before.
func addressesMayDiffer() bool { return theNews.came(time.Now()) }

func (n *addressNews) came(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	told := true
	if n.armed {
		r, err := windows.WaitForSingleObject(n.overlapped.HEvent, 0)
		told = err != nil || r == windows.WAIT_OBJECT_0
	}
	if told {
		n.armed = n.arm()
	}
	if !told && now.Sub(n.looked) < sureTime {
		return false
	}
	n.looked = now
	return true
}

// arm asks to be told of the next change.
func (n *addressNews) arm() bool {
	if n.overlapped.HEvent == 0 {
		event, err := windows.CreateEvent(nil, 1, 0, nil)
		if err != nil {
			return false
		}
		n.overlapped.HEvent = event
	}
	if windows.ResetEvent(n.overlapped.HEvent) != nil || notifyAddrChange.Find() != nil {
		return false
	}
	r, _, _ := notifyAddrChange.Call(uintptr(unsafe.Pointer(&n.handle)), uintptr(unsafe.Pointer(&n.overlapped)))
	return windows.Errno(r) == windows.ERROR_IO_PENDING
}
