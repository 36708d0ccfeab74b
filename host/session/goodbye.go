package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
)

// goodbyeTime is how long the end stays for receipt and question, feedbackTime how
// long the server is tried with what the person says.
const (
	goodbyeTime  = 10 * time.Minute
	feedbackTime = 10 * time.Second
)

// maxSaid bounds what a person writes about a session, in code points.
const maxSaid = 500

// maxLate bounds what is said between the end of a session and Run's return.
const maxLate = 16

// Goodbye is what is left of a session when Run has returned: a receipt that the
// person can keep, one question, and a way to complain. The session is over, the
// line to the server closed; what the person says now goes there by one HTTPS
// request that the receipt's token vouches for.
type Goodbye struct {
	h     *Host
	token string
	late  []ui.Command
	rated bool
}

// Goodbye is nil unless there was a session. It may be called when Run has returned.
func (h *Host) Goodbye() *Goodbye {
	if h.live == nil || !h.live.over {
		return nil
	}
	_, token, _ := strings.Cut(h.live.receipt, "#")
	return &Goodbye{h: h, token: token, late: h.late}
}

// Wait does what the person says about the session that is over, for ten minutes
// at most. It returns the first command that is not about it: quit, again, or what
// names a window; ok is false when there is none.
func (g *Goodbye) Wait(ctx context.Context) (c ui.Command, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTime)
	defer cancel()
	for {
		if len(g.late) > 0 {
			c, g.late = g.late[0], g.late[1:]
		} else {
			select {
			case c, ok = <-g.h.cfg.Window.Commands():
				if !ok {
					return ui.Command{Do: "quit"}, true
				}
			case <-ctx.Done():
				return ui.Command{}, false
			}
		}
		if !g.do(ctx, c) {
			return c, true
		}
	}
}

// do tells whether a command was for it.
func (g *Goodbye) do(ctx context.Context, c ui.Command) bool {
	switch c.Do {
	case "keep_receipt":
		g.keep(c.Path)
	case "keep_steps":
		for _, t := range g.h.live.tools {
			t.command(c)
		}
	case "rate":
		g.rate(ctx, c.Score, c.Text)
	case "report":
		g.report(ctx, c.Text)
	case "stop", "revoke", "cancel_invite", "say", "private": // too late
	default:
		return c.Answer != "" // an answer to a question that is no more
	}
	return true
}

// keep writes the receipt where the person wants it, and never over another file.
func (g *Goodbye) keep(path string) {
	h := g.h
	r := h.live.goodbyeReceipt()
	landed, err := writeNew(path, r.Name, r.Text)
	if err != nil {
		h.log.Warn("the receipt was not written", "error", err)
		h.status("receipt.not_kept")
		return
	}
	h.status("receipt.kept", "path", landed)
}

// maxNames bounds the names that are tried for a file: "x (2).txt" and so on.
const maxNames = 1000

// writeNew writes a file that was not there before; path may be a folder. An empty
// one is the person's own.
func writeNew(path, name, text string) (landed string, err error) {
	if path == "" {
		if path, err = os.UserHomeDir(); err != nil {
			return "", err
		}
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, name)
	}
	ext := filepath.Ext(path)
	stem := strings.TrimSuffix(path, ext)
	for n := 1; n <= maxNames; n++ {
		landed = path
		if n > 1 {
			landed = fmt.Sprintf("%s (%d)%s", stem, n, ext)
		}
		f, err := os.OpenFile(landed, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = io.WriteString(f, text)
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(landed) // half a receipt is none; the first error tells
			return "", err
		}
		return landed, nil
	}
	return "", os.ErrExist
}

// rate tells the server what the person thinks of the session, once.
func (g *Goodbye) rate(ctx context.Context, score int, text string) {
	text = wire.CleanText(text, maxSaid)
	if score < 0 || score > 5 || score == 0 && text == "" || g.rated {
		return
	}
	if err := g.post(ctx, "feedback", map[string]any{"score": score, "text": text}); err != nil {
		g.h.log.Warn("what the person thinks did not arrive", "error", err)
		g.h.status("rate.lost")
		return
	}
	g.rated = true
	g.h.status("rate.thanks")
}

// report tells those who run the server that something was wrong.
func (g *Goodbye) report(ctx context.Context, text string) {
	text = wire.CleanText(text, 4*maxSaid)
	if text == "" {
		return
	}
	if err := g.post(ctx, "abuse", map[string]any{"text": text}); err != nil {
		g.h.log.Warn("a report did not arrive", "error", err)
		if to := g.h.live.abuse; to != "" {
			g.h.status("report.lost_to", "address", to)
			return
		}
		g.h.status("report.lost")
		return
	}
	g.h.status("report.thanks")
}

var errNoReceipt = errors.New("session: the server gave no receipt")

// post sends one thing about the session to the server that it was with.
func (g *Goodbye) post(ctx context.Context, what string, v any) error {
	if g.token == "" {
		return errNoReceipt
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, feedbackTime)
	defer cancel()
	to := url.URL{Scheme: "https", Host: g.h.cfg.Server.Host, Path: "/api/v1/receipts/" + g.token + "/" + what}
	if g.h.cfg.Server.Scheme == "ws" {
		to.Scheme = "http"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: g.h.cfg.TLS.Clone(), DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("session: the server answered %d", resp.StatusCode)
	}
	return nil
}

var receiptForm = regexp.MustCompile(`^/receipt#[A-Za-z0-9_.~=-]{1,800}$`)

// receiptPath is the server's path if it has the form of one: it becomes a link on
// the server that was dialled, and nowhere else.
func receiptPath(path string) string {
	if !receiptForm.MatchString(path) {
		return ""
	}
	return path
}

// reportAddress is the server's address for complaints if it is one that a person
// can be shown.
func reportAddress(s string) string {
	if u, err := url.Parse(s); err == nil && len(s) <= 256 && wire.Clean(s) == s &&
		(u.Scheme == "https" && u.Host != "" && u.User == nil || u.Scheme == "mailto" && u.Opaque != "") {
		return s
	}
	return ""
}

// deeds is what was done in a session, as the journal heard it.
// It goes through a restart (comeback.go), so its names are those of a file.
type deeds struct {
	Keys, Clicks, Wheel int64
	Chat                [2]int // lines of the person, of participants
	Pictures, Sheets    int
	Answers             []deed
	People              []attendance
	Files               []shared
	Clips               int
	More                int // files that are not in the list any more
}

// deed is one answer of the person's.
type deed struct {
	At          time.Time
	Participant string
	Grant, What string
}

// seen tells whether the person ever let anybody see the screen. The first answers
// are never among those that are left out.
func (d *deeds) seen() bool {
	return slices.ContainsFunc(d.Answers, func(a deed) bool { return a.Grant == grantView && a.What == "granted" })
}

// attendance is one participant's time in the session.
type attendance struct {
	ID, Name, Organisation string
	From, To               time.Time // to: zero, to the end
}

type shared struct {
	Name string
	In   bool // to the person
}

// Bounds of a receipt.
const (
	maxDeeds  = 200
	maxShared = 200
)

// add hears one line of the journal.
func (d *deeds) add(at time.Time, kind, outcome string, data, personal map[string]any) {
	text := func(m map[string]any, name string) string { s, _ := m[name].(string); return s }
	number := func(name string) int64 {
		switch n := data[name].(type) {
		case int:
			return int64(n)
		case int64:
			return n
		case uint64:
			return int64(min(n, 1<<62))
		}
		return 0
	}
	switch kind {
	case "input.summary":
		d.Keys, d.Clicks, d.Wheel = d.Keys+number("keys"), d.Clicks+number("clicks"), d.Wheel+number("wheel")
	case "consent.granted", "consent.denied", "consent.revoked", "consent.given_back", "control.handed_over":
		_, what, _ := strings.Cut(kind, ".")
		if len(d.Answers) < maxDeeds && text(data, "grant") != "unknown" {
			d.Answers = append(d.Answers, deed{at, text(data, "participant"), text(data, "grant"), what})
		}
	case "screenshot.taken":
		d.Pictures++
	case "sysinfo.read":
		d.Sheets++
	case "clipboard.sent", "clipboard.received":
		if outcome == "ok" {
			d.Clips++
		}
	case "file.received", "file.sent":
		if len(d.Files) == maxShared {
			d.More++
		} else if name := wire.Clean(text(personal, "name")); name != "" {
			d.Files = append(d.Files, shared{name, kind == "file.received"})
		}
	}
}

// goodbyeReceipt is what the person can keep.
func (l *live) goodbyeReceipt() *ui.Receipt {
	h, t, end := l.h, l.h.texts, l.h.endedAt
	var b strings.Builder
	row := func(s string) { b.WriteString(s + "\n") }
	field := func(key, value string) {
		if value != "" {
			row(t.T(key) + t.T("colon") + value)
		}
	}
	list := func(key string, items []string) {
		if len(items) > 0 {
			row("")
			row(t.T(key))
			for _, it := range items {
				row("- " + it)
			}
		}
	}
	day := func(at time.Time) string { return at.Local().Format("2006-01-02 15:04 MST") }
	row(t.T("receipt.title"))
	row("")
	field("receipt.server", h.server)
	if p := l.done.People; len(p) > 0 {
		field("receipt.organisation", p[0].Organisation)
	}
	if l.ticket != nil {
		field("ask.ticket", strings.TrimSpace(l.ticket.Number+" "+l.ticket.Subject))
	}
	field("receipt.began", day(l.since))
	field("receipt.lasted", t.Duration(end.Sub(l.since).Seconds()))
	field("receipt.ended", t.Ended(l.why, l.done.seen()))
	field("receipt.session", l.id)
	var people, answers, done []string
	names := map[string]string{}
	for _, p := range l.done.People {
		names[p.ID] = p.Name
		to := p.To
		if to.IsZero() {
			to = end
		}
		people = append(people, t.T("receipt.person", "name", p.Name, "from", ui.Clock(p.From), "to", ui.Clock(to)))
	}
	list("receipt.people", people)
	for _, a := range l.done.Answers {
		answers = append(answers, t.T("receipt.answer", "time", ui.Clock(a.At), "grant", t.T("grant."+a.Grant), "name", names[a.Participant], "what", t.T("receipt."+a.What)))
	}
	list("receipt.answers", answers)
	counts := []struct {
		key string
		n   int64
	}{
		{"receipt.keys", l.done.Keys}, {"receipt.clicks", l.done.Clicks}, {"receipt.clips", int64(l.done.Clips)},
		{"receipt.chat", int64(l.done.Chat[0] + l.done.Chat[1])}, {"receipt.pictures", int64(l.done.Pictures)}, {"receipt.sheets", int64(l.done.Sheets)},
	}
	for _, c := range counts {
		if c.n > 0 {
			done = append(done, t.T(c.key)+t.T("colon")+strconv.FormatInt(c.n, 10))
		}
	}
	for _, f := range l.done.Files {
		key := "receipt.file_out"
		if f.In {
			key = "receipt.file_in"
		}
		done = append(done, t.T(key, "name", f.Name))
	}
	if l.done.More > 0 {
		done = append(done, t.T("receipt.more", "n", strconv.Itoa(l.done.More)))
	}
	list("receipt.done", done)
	row("")
	row(t.T("receipt.never"))
	link := ""
	if l.receipt != "" {
		scheme := "https"
		if h.cfg.Server.Scheme == "ws" {
			scheme = "http"
		}
		link = scheme + "://" + h.cfg.Server.Host + l.receipt
		row("")
		row(t.T("receipt.link"))
		row(link)
	}
	if l.abuse != "" {
		row("")
		row(t.T("receipt.report", "address", strings.TrimPrefix(l.abuse, "mailto:")))
	}
	return &ui.Receipt{Text: b.String(), Link: link, Name: t.T("receipt.file", "date", end.Local().Format("2006-01-02")), Report: l.abuse}
}

// came and went keep who was there for the receipt.
func (l *live) came(p *participant) {
	l.done.People = append(l.done.People, attendance{ID: p.id, Name: p.technician.Name, Organisation: p.technician.Organisation, From: l.h.clock.Now()})
}

func (l *live) went(p *participant) {
	for i := range l.done.People {
		if a := &l.done.People[i]; a.ID == p.id && a.To.IsZero() {
			a.To = l.h.clock.Now()
		}
	}
}
