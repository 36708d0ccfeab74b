package picture

import (
	"bytes"
	"unsafe"
)

// asBytes is the memory of p. Equality of rows is decided on bytes because
// bytes.Equal is vector code; slices.Equal on uint32 is not and takes 8 times
// as long on a whole picture.
func asBytes(p []uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p))), len(p)*4)
}

// equal says whether two rows of the same length show the same.
func equal(a, b []uint32) bool { return bytes.Equal(asBytes(a), asBytes(b)) }

// asWords is the memory of p as pairs of pixels; an odd last pixel is left out.
func asWords(p []uint32) []uint64 {
	if len(p) < 2 {
		return nil
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(p))), len(p)/2)
}

// differ compares one row of a whole tile.
func differ(a, b []uint32) bool {
	p, q := (*[tile / 2]uint64)(unsafe.Pointer(&a[:tile][0])), (*[tile / 2]uint64)(unsafe.Pointer(&b[:tile][0]))
	return (p[0]^q[0])|(p[1]^q[1])|(p[2]^q[2])|(p[3]^q[3])|(p[4]^q[4])|(p[5]^q[5])|(p[6]^q[6])|(p[7]^q[7]) != 0
}
