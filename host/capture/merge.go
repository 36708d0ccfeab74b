package capture

import (
	"bytes"
	"unsafe"
)

// rgb is the part of a pixel that shows: systems leave anything in the top byte.
const rgb = 0x00ffffff

// mergeRow makes dst what src shows and returns the columns that changed, none
// if from == to. It first compares bytes, which is vector code and answers for
// most rows of most updates.
func mergeRow(dst, src []uint32) (from, to int) {
	if bytes.Equal(asBytes(dst), asBytes(src)) {
		return 0, 0
	}
	for to = len(dst); from < to && dst[from] == src[from]&rgb; from++ {
	}
	for to > from && dst[to-1] == src[to-1]&rgb {
		to--
	}
	d, s := dst[from:to], src[from:to]
	if pairs := len(d) / 2; pairs > 0 {
		dp := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(d))), pairs)
		sp := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(s))), pairs)
		for i, v := range sp {
			dp[i] = v & (rgb<<32 | rgb)
		}
	}
	if len(d)%2 == 1 {
		d[len(d)-1] = s[len(d)-1] & rgb
	}
	return from, to
}

func asBytes(p []uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p))), len(p)*4)
}
