package raise

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/input"
)

// Supported tells whether this system has such rights.
const Supported = true

const (
	pipes      = `\\.\pipe\`
	meetTime   = 15 * time.Second // from the person's yes to the other end of the pipe
	askTime    = 2 * time.Minute  // for the person's answer to the system's question
	answerTime = 5 * time.Second  // for one request
)

var pipeName = regexp.MustCompile(`^mainforte-[0-9a-f]{32}$`)

// Start asks the person, by the system's own question, and returns the hands that
// came of a yes. It returns ErrRefused for a no, ErrForeign if something else
// answers; ctx ends the wait.
func Start(ctx context.Context) (*Hands, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(ctx, program)
}

// start does so with a program; a test's is another one.
func start(ctx context.Context, program string) (*Hands, error) {
	var random [16]byte
	rand.Read(random[:]) // never fails since Go 1.24
	name := "mainforte-" + hex.EncodeToString(random[:])
	pipe, err := listen(name)
	if err != nil {
		return nil, fmt.Errorf("raise: the pipe: %w", err)
	}
	keep := false
	defer func() {
		if !keep {
			_ = windows.CloseHandle(pipe)
		}
	}()
	process, err := execute(ctx, program, Argument+" "+name)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(process)
	if err := meet(ctx, pipe, process); err != nil {
		return nil, errors.Join(err, stop(process))
	}
	if err := theOne(pipe, process); err != nil {
		return nil, errors.Join(err, stop(process))
	}
	client, err := windows.GetProcessId(process)
	if err != nil {
		return nil, errors.Join(err, stop(process))
	}
	keep = true
	return NewHands(&timed{File: os.NewFile(uintptr(pipe), name), process: client}), nil
}

// timed is a pipe whose other end is not waited for longer than a request may take.
type timed struct {
	*os.File
	process uint32
}

func (t *timed) Write(b []byte) (int, error) {
	if err := t.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, err
	}
	return t.File.Write(b)
}

// listen makes the pipe: for one other end, on this computer, of this user or an
// administrator.
func listen(name string) (windows.Handle, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return 0, err
	}
	sd, err := windows.SecurityDescriptorFromString("D:P(A;;GA;;;" + user.User.Sid.String() + ")(A;;GA;;;BA)")
	if err != nil {
		return 0, err
	}
	path, err := windows.UTF16PtrFromString(pipes + name)
	if err != nil {
		return 0, err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	return windows.CreateNamedPipe(path, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_FIRST_PIPE_INSTANCE|windows.FILE_FLAG_OVERLAPPED,
		windows.PIPE_TYPE_BYTE|windows.PIPE_WAIT|windows.PIPE_REJECT_REMOTE_CLIENTS, 1, 4096, 4096, 0, sa)
}

// shellExecuteInfo is SHELLEXECUTEINFOW.
type shellExecuteInfo struct {
	size                              uint32
	mask                              uint32
	window                            uintptr
	verb, file, parameters, directory *uint16
	show                              int32
	instance                          uintptr
	list                              uintptr
	class                             *uint16
	classKey                          uintptr
	hotKey                            uint32
	icon                              uintptr
	process                           windows.Handle
}

var procShellExecuteEx = windows.NewLazySystemDLL("shell32.dll").NewProc("ShellExecuteExW")

// execute starts a program by the verb "runas" and returns its process. The system
// asks the person meanwhile: nothing takes that question back but their answer.
func execute(ctx context.Context, program, argument string) (windows.Handle, error) {
	type outcome struct {
		process windows.Handle
		err     error
	}
	came := make(chan outcome, 1)
	go func() {
		process, err := runas(program, argument)
		came <- outcome{process, err}
	}()
	late := time.NewTimer(askTime)
	defer late.Stop()
	select {
	case o := <-came:
		return o.process, o.err
	case <-ctx.Done():
	case <-late.C:
	}
	go func() { // a yes that comes too late starts hands that find no pipe, and end
		if o := <-came; o.err == nil {
			_ = errors.Join(stop(o.process), windows.CloseHandle(o.process))
		}
	}()
	return 0, errors.Join(ErrRefused, ctx.Err())
}

func runas(program, argument string) (windows.Handle, error) {
	const noClose, noAsync, noInterface = 0x40, 0x100, 0x400 // SEE_MASK_NOCLOSEPROCESS, _NOASYNC, _FLAG_NO_UI
	verb, _ := windows.UTF16PtrFromString("runas")
	file, err := windows.UTF16PtrFromString(program)
	if err != nil {
		return 0, err
	}
	parameters, err := windows.UTF16PtrFromString(argument)
	if err != nil {
		return 0, err
	}
	info := shellExecuteInfo{mask: noClose | noAsync | noInterface, verb: verb, file: file, parameters: parameters}
	info.size = uint32(unsafe.Sizeof(info))
	if ok, _, err := procShellExecuteEx.Call(uintptr(unsafe.Pointer(&info))); ok == 0 {
		if errors.Is(err, windows.ERROR_CANCELLED) {
			return 0, ErrRefused
		}
		return 0, fmt.Errorf("raise: start: %w", err)
	}
	if info.process == 0 {
		return 0, errors.New("raise: nothing was started")
	}
	return info.process, nil
}

// meet waits until somebody opens the other end of the pipe.
func meet(ctx context.Context, pipe, process windows.Handle) error {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(event)
	overlapped := &windows.Overlapped{HEvent: event}
	switch err := windows.ConnectNamedPipe(pipe, overlapped); {
	case err == nil, errors.Is(err, windows.ERROR_PIPE_CONNECTED):
		return nil
	case !errors.Is(err, windows.ERROR_IO_PENDING):
		return err
	}
	for end := time.Now().Add(meetTime); time.Now().Before(end) && ctx.Err() == nil; {
		switch which, err := windows.WaitForMultipleObjects([]windows.Handle{event, process}, false, 100); {
		case which == windows.WAIT_OBJECT_0:
			var n uint32
			return windows.GetOverlappedResult(pipe, overlapped, &n, true) // Wine 8 may say so a moment early
		case which == windows.WAIT_OBJECT_0+1:
			_ = windows.CancelIoEx(pipe, overlapped)
			return fmt.Errorf("%w: it ended at once", ErrGone)
		case which != uint32(windows.WAIT_TIMEOUT):
			return fmt.Errorf("raise: wait: %w", err)
		}
	}
	_ = windows.CancelIoEx(pipe, overlapped)
	var n uint32
	_ = windows.GetOverlappedResult(pipe, overlapped, &n, true) // the system is done with overlapped
	return errors.Join(fmt.Errorf("%w: it does not come", ErrGone), ctx.Err())
}

// theOne tells whether the other end of the pipe is the process that was started, and
// runs this program.
func theOne(pipe, process windows.Handle) error {
	var client uint32
	if err := windows.GetNamedPipeClientProcessId(pipe, &client); err != nil {
		return err
	}
	started, err := windows.GetProcessId(process)
	if err != nil || started != client { // C87
		return errors.Join(fmt.Errorf("%w: process %d, not %d", ErrForeign, client, started), err)
	}
	return same(client) // C87
}

// stop ends a process that may not stay; one with more rights than this ends by itself,
// for its pipe is closed.
func stop(process windows.Handle) error {
	_ = windows.TerminateProcess(process, 1)
	return nil
}

// same tells whether a process runs this program's own file.
func same(process uint32) error {
	theirs, err := fileOf(process)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	own, err := fileOf(windows.GetCurrentProcessId())
	if err != nil {
		return err
	}
	if !strings.EqualFold(theirs, own) {
		return fmt.Errorf("%w: %s", ErrForeign, theirs)
	}
	return nil
}

// fileOf is the file that a process runs.
func fileOf(process uint32) (string, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, process)
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(h)
	path := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(path))
	if err := windows.QueryFullProcessImageName(h, 0, &path[0], &n); err != nil {
		return "", err
	}
	return windows.UTF16ToString(path[:n]), nil
}

// Run is the other process: it injects what the host sends by the pipe of that name,
// until the pipe or the host ends.
func Run(name string) error {
	if !pipeName.MatchString(name) {
		return errors.New("raise: not a pipe of this program's")
	}
	path, err := windows.UTF16PtrFromString(pipes + name)
	if err != nil {
		return err
	}
	const identify = 0x00110000 // SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION: the host cannot act as this process
	pipe, err := windows.CreateFile(path, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OVERLAPPED|identify, 0)
	if err != nil {
		return err
	}
	conn := os.NewFile(uintptr(pipe), name)
	defer conn.Close()
	var host uint32
	if err := windows.GetNamedPipeServerProcessId(pipe, &host); err != nil {
		return err
	}
	if err := same(host); err != nil { // C87
		return err
	}
	process, err := windows.OpenProcess(windows.SYNCHRONIZE, false, host)
	if err != nil {
		return err
	}
	go func() { // a pipe may outlive its process in somebody else's hands
		_, _ = windows.WaitForSingleObject(process, windows.INFINITE)
		_ = conn.Close()
	}()
	hands := input.OpenSendInput(input.VirtualKeys)
	err = Serve(conn, hands)
	if errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.Errno(windows.ERROR_BROKEN_PIPE)) {
		return nil
	}
	return err
}
