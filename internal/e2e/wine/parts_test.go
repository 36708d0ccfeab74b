package wine

import "testing"

func TestClipboardUnderWine(t *testing.T) {
	tests(t, "host/clipboard", "TestWindowsPassesTheSuite", "TestWindowsPassesTheSuite/nothing_from_before_is_told",
		"TestAPasswordManagersCopyIsNotTold", "TestBitmapsGoBothWays", "TestAClipboardThatIsHeld", "TestAProgramThatHangs", "TestAHundredMegabytes")
}

func TestOverlayUnderWine(t *testing.T) {
	tests(t, "host/overlay", "TestWindowsPassesTheSuite", "TestWindowsPassesTheSuite/marks_are_seen_where_they_are_drawn",
		"TestTheOverlayTakesNoInput", "TestOwnWindowsAreNeverCovered")
}
