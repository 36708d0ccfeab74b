package wine

import "testing"

// TestComebackUnderWine: what is kept for one return lies sealed in the person's
// profile, and Windows' own RunOnce starts it.
func TestComebackUnderWine(t *testing.T) {
	tests(t, "host/comeback", "TestWhatIsKeptIsTakenOnce", "TestWhatIsTakenBackLeavesNothing", "TestTooLateIsTooLate",
		"TestWhatIsDamagedIsRefused", "TestWindowsStartsWhatTheEntryNames")
}
