package stage

import "github.com/jezek/xgb"

// Dial connects to a display for somebody who reads no events: they are thrown
// away. Every client gets one for each change of the keyboard, whether it asked or
// not, and after 5,000 that wait xgb takes no answers either.
func Dial(display string) (*xgb.Conn, error) {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			if ev, err := c.WaitForEvent(); ev == nil && err == nil {
				return // closed
			}
		}
	}()
	return c, nil
}
