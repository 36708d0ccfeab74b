package capture

//lint:file-ignore U1000 the structures have the fields that they have in C

import "unsafe"

// What is called of DXGI and Direct3D 11, by its slot in the table of methods, and
// the structures that are passed. A test holds both against the headers of
// mingw-w64, since nothing here runs under Wine.

// method is the slot of a method in its interface's table.
type method uintptr

const (
	comQueryInterface method = 0
	comRelease        method = 2

	factoryEnumAdapters1 method = 12
	adapterEnumOutputs   method = 7
	outputGetDesc        method = 7
	outputDuplicate      method = 22

	duplicationGetDesc      method = 7
	duplicationAcquire      method = 8
	duplicationDirtyRects   method = 9
	duplicationMoveRects    method = 10
	duplicationReleaseFrame method = 14
	deviceCreateTexture2D   method = 5
	contextMap              method = 14
	contextUnmap            method = 15
	contextCopySubresource  method = 46
)

// guid is GUID.
type guid struct {
	a    uint32
	b, c uint16
	d    [8]byte
}

var (
	iidFactory1  = guid{0x770aae78, 0xf26f, 0x4dba, [8]byte{0xa8, 0x29, 0x25, 0x3c, 0x83, 0xd1, 0xb3, 0x87}}
	iidOutput1   = guid{0x00cddea8, 0x939b, 0x4b83, [8]byte{0xa3, 0x40, 0xa6, 0x85, 0x22, 0x66, 0x66, 0xcc}}
	iidTexture2D = guid{0x6f15aaf2, 0xd208, 0x4e89, [8]byte{0x9a, 0xb4, 0x48, 0x95, 0x35, 0xd3, 0x4f, 0x9c}}
)

// rect is RECT.
type rect struct{ left, top, right, bottom int32 }

// outputDesc is DXGI_OUTPUT_DESC.
type outputDesc struct {
	device   [32]uint16
	desktop  rect
	attached int32
	rotation rotation
	monitor  uintptr
}

// duplicationDesc is DXGI_OUTDUPL_DESC.
type duplicationDesc struct {
	width, height              uint32
	rate                       [2]uint32
	format, scanlines, scaling uint32
	rotation                   rotation
	inMemory                   int32
}

// frameInfo is DXGI_OUTDUPL_FRAME_INFO.
type frameInfo struct {
	presented, pointed int64 // when, or 0
	accumulated        uint32
	coalesced, masked  int32
	x, y, visible      int32
	metadata, shape    uint32 // bytes
}

// moveRect is DXGI_OUTDUPL_MOVE_RECT.
type moveRect struct {
	fromX, fromY int32
	to           rect
}

// textureDesc is D3D11_TEXTURE2D_DESC.
type textureDesc struct {
	width, height, mips, layers, format uint32
	samples, quality                    uint32
	usage, bind, access, misc           uint32
}

// box is D3D11_BOX.
type box struct{ left, top, front, right, bottom, back uint32 }

// mapped is D3D11_MAPPED_SUBRESOURCE.
type mapped struct {
	data       unsafe.Pointer
	row, depth uint32 // bytes
}

// Numbers of the headers, by their names there.
const (
	formatBGRA   = 87      // DXGI_FORMAT_B8G8R8A8_UNORM
	usageStaging = 3       // D3D11_USAGE_STAGING
	accessRead   = 0x20000 // D3D11_CPU_ACCESS_READ
	mapRead      = 1       // D3D11_MAP_READ
	sdkVersion   = 7       // D3D11_SDK_VERSION
	driverOfIts  = 0       // D3D_DRIVER_TYPE_UNKNOWN: that of the adapter given

	errUnsupported  = 0x887A0004 // DXGI_ERROR_UNSUPPORTED
	errRemoved      = 0x887A0005 // DXGI_ERROR_DEVICE_REMOVED
	errNotNow       = 0x887A0022 // DXGI_ERROR_NOT_CURRENTLY_AVAILABLE
	errAccessLost   = 0x887A0026 // DXGI_ERROR_ACCESS_LOST
	errWaitTimeout  = 0x887A0027 // DXGI_ERROR_WAIT_TIMEOUT
	errDisconnected = 0x887A0028 // DXGI_ERROR_SESSION_DISCONNECTED
	errAccessDenied = 0x80070005 // E_ACCESSDENIED: another desktop has the screen
)
