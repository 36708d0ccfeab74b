package pages

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// screen is a way in which a page can be looked at.
type screen struct {
	scheme string
	width  int64
	more   []*emulation.MediaFeature
}

func (s screen) String() string {
	name := fmt.Sprintf("%s-%d", s.scheme, s.width)
	for _, m := range s.more {
		name += "-" + m.Value
	}
	return name
}

// looker looks at states of pages.
type looker struct {
	t       *testing.T
	b       *stage.Browser
	lang    string
	screens []screen
	axe     string
	shots   string // folder
	heard   int    // lines of the console looked at so far
	n       int
}

// trouble is what a page's own script can tell of it.
type trouble struct {
	Wide  []string // what reaches beyond the window
	Holes []string // texts with something missing
	Axe   []string
	Lang  string
}

// see looks at the state that the page is in now, on every screen.
func (l *looker) see(state string) {
	l.t.Helper()
	l.n++
	for _, s := range l.screens {
		l.on(s)
		if err := l.b.Wait(5*time.Second, settled); err != nil {
			l.t.Errorf("%s, %s %s: %v", state, l.lang, s, err)
		}
		if _, png, err := l.b.Screenshot(); err != nil {
			l.t.Error(err)
		} else if err := os.WriteFile(filepath.Join(l.shots, fmt.Sprintf("pages-%s-%02d-%s-%s.png", l.lang, l.n, state, s)), png, 0o644); err != nil {
			l.t.Error(err)
		}
		if _, err := stage.Eval[bool](l.b, l.axe+"\n;true"); err != nil {
			l.t.Fatal(err)
		}
		found, err := stage.Eval[trouble](l.b, look)
		if err != nil {
			l.t.Fatalf("%s, %s %s: %v", state, l.lang, s, err)
		}
		if found.Lang != l.lang {
			found.Holes = append(found.Holes, "the page says that it is in "+found.Lang)
		}
		for _, what := range slices.Concat(found.Wide, found.Holes, found.Axe) {
			l.t.Errorf("%s, %s %s: %s", state, l.lang, s, what)
		}
	}
	l.on(l.screens[0])
	l.quiet(state)
}

// on makes the window a screen.
func (l *looker) on(s screen) {
	l.t.Helper()
	features := append([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}}, s.more...)
	if _, err := chromedp.Call(l.b.Context(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		l.t.Fatal(err)
	}
	metrics := emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: 900, DeviceScaleFactor: 1}
	if _, err := chromedp.Call(l.b.Context(), emulation.SetDeviceMetricsOverride, metrics); err != nil {
		l.t.Fatal(err)
	}
}

// quiet demands that the page wrote nothing: an error, a rule broken of its Content
// Security Policy or of Trusted Types.
func (l *looker) quiet(state string) {
	l.t.Helper()
	lines := l.b.Console()
	for _, line := range lines[l.heard:] {
		// A status that the state is about is told by Chromium, too.
		if !strings.Contains(line, "Failed to load resource") {
			l.t.Errorf("%s, %s: the console says %q", state, l.lang, line)
		}
	}
	l.heard = len(lines)
}

// settled is true once fonts and layout are those of the screen.
const settled = `document.fonts.status === "loaded" && document.readyState === "complete"`

// look is JavaScript that tells a page's troubles.
const look = `(async () => {
  const name = (e) => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + " " + (e.textContent ?? "").trim().slice(0, 40);
  const all = [], walk = (root) => { for (const e of root.querySelectorAll("*")) { all.push(e); if (e.shadowRoot) walk(e.shadowRoot) } };
  walk(document);
  const Wide = [], Holes = [];
  const room = document.documentElement.clientWidth; // without a scroll bar
  if (document.documentElement.scrollWidth > room) Wide.push("the page is " + document.documentElement.scrollWidth + " wide in a window of " + room);
  for (const e of all) {
    if (!e.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (style.clipPath !== "none" || box.width <= 1) continue; // for screen readers alone
    // Nobody looks for what lies beside the window; only tabs, what is typed or quoted, and a remote screen may.
    if (/auto|scroll/.test(style.overflowX) && e.scrollWidth > e.clientWidth + 1 && !e.matches("textarea, pre, code, nav, #stage"))
      Wide.push(name(e) + " is to be scrolled sideways: " + e.scrollWidth + " in " + e.clientWidth);
    // What a box cuts off may be a picture's; but nobody comes to a control that it cuts off.
    let inside = "";
    for (let p = e.parentElement ?? e.getRootNode().host; p && !inside; p = p.parentElement ?? p.getRootNode().host) {
      const x = getComputedStyle(p).overflowX;
      if (x !== "visible") inside = x;
    }
    const reached = inside === "" || (/hidden|clip/.test(inside) && e.matches("button, a, input, select, textarea"));
    if (reached && box.right > room + 1 && style.position !== "fixed") Wide.push(name(e) + " ends at " + box.right);
    const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== "");
    if (text && style.overflowX === "hidden" && style.textOverflow !== "ellipsis" && e.scrollWidth > e.clientWidth + 1) Wide.push(name(e) + " is cut");
    if (text && style.overflowY === "hidden" && !style.webkitLineClamp.match(/\d/) && e.scrollHeight > e.clientHeight + 2) Wide.push(name(e) + " is cut below");
    for (const n of e.childNodes)
      if (n.nodeType === 3 && !["SCRIPT", "STYLE", "NOSCRIPT", "CODE"].includes(e.tagName) && /\bundefined\b|\bNaN\b|\[object |\{[a-z_]+\}|\bInvalid Date\b/.test(n.data)) Holes.push("hole: " + n.data.trim().slice(0, 80));
  }
  const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"] });
  const Axe = found.violations.flatMap((v) => v.nodes.map((n) => "axe " + v.id + ": " + n.target.flat().join(" ") + " " + n.any.concat(n.all, n.none).map((c) => c.message).join("; ").slice(0, 160)));
  return { Wide: Wide.slice(0, 5), Holes: Holes.slice(0, 5), Axe: Axe.slice(0, 8), Lang: document.documentElement.lang };
})()`

// hostile is text as nobody well-meaning writes it: markup, an instruction to the
// browser, direction marks, emoji, a word without an end.
var hostile = "<img src=x onerror=\"alert(1)\"><script>alert(2)</script>{{7*7}} \u202Egnirts \u2066a\u2069 👩🏽\u200d⚕️ Zoë " + strings.Repeat("W", 90)

// quoted is a JavaScript string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(b)
}
