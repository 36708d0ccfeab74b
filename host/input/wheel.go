//go:build linux

package input

const notch = 120 // units of a wheel in one notch

// turn adds to what is left of a wheel and takes whole notches out. A turn the
// other way starts anew.
func turn(rest *int, by int) int {
	if by != 0 && *rest != 0 && (by < 0) != (*rest < 0) {
		*rest = 0
	}
	*rest += by
	n := *rest / notch
	*rest -= n * notch
	return n
}
