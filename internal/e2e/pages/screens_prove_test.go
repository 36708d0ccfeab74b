//go:build prove

package pages

import "github.com/chromedp/cdproto/emulation"

var every = []screen{
	{scheme: "light", width: 1280}, {scheme: "dark", width: 1280},
	{scheme: "light", width: 320}, {scheme: "dark", width: 320},
	{scheme: "light", width: 768}, {scheme: "dark", width: 3840},
	{scheme: "light", width: 1280, more: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}},
	{scheme: "dark", width: 1024, more: []*emulation.MediaFeature{{Name: "prefers-contrast", Value: "more"}}},
}

var screens = map[string][]screen{"en": every, "fr": every}

var sessionScreens = screens
