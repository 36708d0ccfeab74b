package wine

import "testing"

func TestClipboardUnderWine(t *testing.T) {
	tests(t, "host/clipboard", "TestWindowsPassesTheSuite", "TestWindowsPassesTheSuite/nothing_from_before_is_told",
		"TestAPasswordManagersCopyIsNotTold", "TestBitmapsGoBothWays", "TestAClipboardThatIsHeld", "TestAProgramThatHangs", "TestAHundredMegabytes")
}
