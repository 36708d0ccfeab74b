package wine

import "testing"

// TestComebackUnderWine: what is kept for one return lies sealed in the person's
// profile, and Windows' own RunOnce starts it.
func TestComebackUnderWine(t *testing.T) {
	tests(t, "host/comeback", "TestWhatIsKeptIsTakenOnce", "TestWhatIsTakenBackLeavesNothing", "TestTooLateIsTooLate", "TestARestartIsTold",
		"TestWhatIsDamagedIsRefused", "TestWhatIsDamagedIsRefused/longer", "TestALongPathIsNotKept", "TestWindowsStartsWhatTheEntryNames")
}

// TestRaisedHandsUnderWine: another process injects, for the host that started it and
// for nobody else. Wine asks nobody: it shows no UAC.
func TestRaisedHandsUnderWine(t *testing.T) {
	tests(t, "host/raise", "TestRaisedHandsPassTheSuite", "TestRaisedHandsPassTheSuite/text_arrives_exactly",
		"TestTheHandsEndWithTheirGrant", "TestAnotherProgramIsRefused", "TestAnotherProcessOfTheSameProgramIsRefused")
}
