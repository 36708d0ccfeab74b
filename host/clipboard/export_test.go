package clipboard

// What Windows keeps on its clipboard, for tests on any system.
var (
	FromUTF16 = fromUTF16
	ToUTF16   = toUTF16
	FromDIB   = fromDIB
	ToDIB     = toDIB
)
