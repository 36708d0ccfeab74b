package release

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// C138: what a page adds is taken only in the one form, and a stylesheet only if it gives
// three properties a colour.
func TestTheStylesheetOfAHelpDeskIsHeldToItsForm(t *testing.T) {
	const page = "<html><head><title>x</title></head><body></body></html>"
	rule := func(accent, more string) string {
		return "{:root{--mf-accent:" + accent + ";--accent-hover:#000000;--accent-soft:#ffffff" + more + "}}\n"
	}
	const media = "@media screen and (prefers-contrast: no-preference)"
	good := media + rule("#0056a3", "") + media + " and (prefers-color-scheme: dark)" + rule("#79b5fc", "")
	for name, try := range map[string]struct {
		sheet, meta, want string
	}{
		"as it is made":         {good, `<meta name="mf-brand" content="A &#34; b">`, ""},
		"without a name":        {good, "", ""},
		"one more property":     {strings.Replace(good, "#ffffff", "#ffffff;--mf-danger:#0056a3", 1), "", "holds more than"},
		"something else":        {strings.Replace(good, "#0056a3", "url(/x)", 1), "", "holds more than"},
		"one more rule":         {good + "body{display:none}", "", "holds more than"},
		"for everybody":         {strings.ReplaceAll(good, " and (prefers-contrast: no-preference)", ""), "", "holds more than"},
		"a name out of its tag": {good, `<meta name="mf-brand" content="a"><b">`, "differs from the release"},
		"something between":     {good, `<meta name="robots" content="x">`, "differs from the release"},
	} {
		sum := sha256.Sum256([]byte(try.sheet))
		address := "/brand/" + hex.EncodeToString(sum[:]) + ".css"
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			kind, body := "text/html", "<p>"
			switch r.URL.Path {
			case "/page":
				body = strings.Replace(page, "</head>", `<link rel="stylesheet" href="`+address+`">`+try.meta+"</head>", 1)
			case address:
				kind, body = "text/css", try.sheet
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Security-Policy", "x")
			w.Write([]byte(body)) //nolint:errcheck // the other side has gone
		}))
		base, err := url.Parse(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Check(t.Context(), srv.Client(), base, Manifest{Files: []File{Of("/page", []byte(page), "text/html", "x", false)}}, "")
		srv.Close()
		if err != nil {
			t.Fatal(err)
		}
		found := len(r.Problems) > 0 && strings.Contains(r.Problems[0].Detail, try.want)
		if (try.want == "") != (len(r.Problems) == 0) || try.want != "" && !found {
			t.Errorf("%s: %v", name, r.Problems)
		}
	}
}
