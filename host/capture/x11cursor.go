//go:build linux || freebsd || netbsd || openbsd

package capture

import (
	"context"
	"fmt"
	"image"

	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
)

// Pointer implements Pointing.
func (x *X11) Pointer() (image.Point, bool) {
	r, err := xproto.QueryPointer(x.c, x.root).Reply()
	if err != nil || !r.SameScreen {
		return image.Point{}, false
	}
	return image.Pt(int(r.RootX), int(r.RootY)), true
}

// NextCursor implements Source.
func (x *X11) NextCursor(ctx context.Context) (Cursor, error) {
	x.cursor.Lock()
	defer x.cursor.Unlock()
	for {
		if x.shown {
			select {
			case <-x.shape:
			case <-ctx.Done():
				return Cursor{}, ctx.Err()
			case <-x.lost:
				return Cursor{}, fmt.Errorf("%w: the X server is gone", ErrLost)
			}
		}
		r, err := xfixes.GetCursorImage(x.c).Reply()
		if err != nil {
			return Cursor{}, x.failed("read the cursor", err)
		}
		if x.shown && r.CursorSerial == x.serial {
			continue
		}
		x.shown, x.serial = true, r.CursorSerial
		return cursorFrom(r.CursorImage, int(r.Width), int(r.Height), int(r.Xhot), int(r.Yhot)), nil
	}
}
