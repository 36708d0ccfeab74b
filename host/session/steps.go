package session

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/png"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/host/overlay"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Bounds of the steps.
const (
	maxSteps    = 50  // in the list
	maxOffered  = 300 // in one session
	stepText    = 500 // characters
	shotTime    = 5 * time.Second
	shotBytes   = 256 << 10 // a picture that is more is made smaller
	shotPadding = 120       // pixels around a mark
	shotLeast   = 480       // the least width
)

// step is something that the person is shown how to do. They see it with its
// picture as soon as it is offered; until they approve it nobody else does, and it
// is written down nowhere (C77).
type step struct {
	id      uint32
	by      *participant
	text    string
	state   mfpb.StepState
	picture []byte // PNG; it never leaves this computer but in the file that the person keeps
}

// shownTo tells whether a helper may know of a step: its author, and once the person
// approved it everybody.
func (s *step) shownTo(p *participant) bool {
	approved := s.state == mfpb.StepState_STEP_STATE_APPROVED || s.state == mfpb.StepState_STEP_STATE_DONE
	return approved || s.by == p // C77
}

type stepList struct {
	list     []*step
	ever     uint32
	kept     bool
	shooting bool     // a picture is being made for a step
	next     []func() // what is offered meanwhile, in its order
}

var stepNames = map[mfpb.StepState]string{
	mfpb.StepState_STEP_STATE_ASKED: "asked", mfpb.StepState_STEP_STATE_APPROVED: "approved",
	mfpb.StepState_STEP_STATE_REFUSED: "refused", mfpb.StepState_STEP_STATE_DONE: "done",
}

// parseSteps cleans what is offered. The error is errProtocol.
func parseSteps(texts []string) ([]string, error) {
	if len(texts) == 0 || len(texts) > maxSteps {
		return nil, errProtocol
	}
	var clean []string
	for _, s := range texts {
		if s = wire.CleanLine(s, stepText); s != "" {
			clean = append(clean, s)
		}
	}
	if len(clean) == 0 {
		return nil, errProtocol
	}
	return clean, nil
}

// teaches tells who may offer steps: whoever sees the screen and came to help.
// Observers only see (C43).
func (p *participant) teaches() bool { return p.allowed(grantView) && p.kind != observer }

// addSteps puts steps to the person; the first may have a picture of what the
// screen shows around the sender's newest mark.
func (t *markTool) addSteps(p *participant, texts []string, picture bool) {
	if p.out || !p.teaches() {
		return
	}
	if t.steps.shooting { // one at a time: a picture of the whole screen is large
		if len(t.steps.next) < maxSteps {
			t.steps.next = append(t.steps.next, func() { t.addSteps(p, texts, picture) })
		}
		return
	}
	room := min(maxSteps-len(t.steps.list), maxOffered-int(t.steps.ever))
	texts = texts[:min(max(room, 0), len(texts))]
	if len(texts) == 0 {
		t.tellSteps(p)
		return
	}
	around, ok := t.around(p)
	shot := t.l.h.cfg.Shot
	if !picture || !ok || shot == nil {
		t.offer(p, texts, nil)
		return
	}
	h := t.l.h
	t.steps.shooting = true
	h.spawn(func() {
		ctx, cancel := context.WithTimeout(h.ctx, shotTime)
		defer cancel()
		var data []byte
		img, err := shot(ctx)
		if err == nil {
			data, err = crop(img, around)
		}
		if err != nil {
			h.log.Warn("no picture for a step", "error", err)
		}
		h.post(h.ctx.Done(), func() {
			if t.l.over {
				return
			}
			next := t.steps.next
			t.steps.shooting, t.steps.next = false, nil
			if !p.out && p.teaches() {
				t.offer(p, texts, data)
			}
			for _, add := range next {
				add()
			}
		})
	})
}

// offer puts steps on the list.
func (t *markTool) offer(p *participant, texts []string, picture []byte) {
	for _, text := range texts {
		if len(t.steps.list) >= maxSteps || t.steps.ever >= maxOffered {
			break
		}
		t.steps.ever++
		t.steps.list = append(t.steps.list, &step{id: t.steps.ever, by: p, text: text, state: mfpb.StepState_STEP_STATE_ASKED, picture: picture})
		t.l.note("steps.added", "ok", map[string]any{"participant": p.id, "step": t.steps.ever, "picture": picture != nil}, nil) // C77
		picture = nil
	}
	t.stepsChanged()
}

// around is the part of the screen that a participant's newest mark is in.
func (t *markTool) around(p *participant) (image.Rectangle, bool) {
	s := t.scribe(p)
	if s == nil {
		return image.Rectangle{}, false
	}
	i := t.newest(s)
	if i < 0 {
		return image.Rectangle{}, false
	}
	r := image.Rectangle{}
	for _, at := range t.marks[i].Points {
		r = r.Union(image.Rectangle{Min: at, Max: at.Add(image.Pt(1, 1))})
	}
	if t.marks[i].Kind == overlay.Text {
		r.Max = r.Max.Add(image.Pt(shotLeast/2, 0))
	}
	r = r.Inset(-shotPadding)
	if grow := shotLeast - r.Dx(); grow > 0 {
		r.Min.X -= grow / 2
		r.Max.X += grow - grow/2
	}
	return r, true
}

// crop cuts a part out as PNG, as small as it has to be.
func crop(img *image.RGBA, r image.Rectangle) ([]byte, error) {
	r = r.Intersect(img.Bounds())
	if r.Empty() {
		return nil, errProtocol
	}
	part := img.SubImage(r).(*image.RGBA)
	for {
		var b bytes.Buffer
		if err := png.Encode(&b, part); err != nil {
			return nil, err
		}
		if b.Len() <= shotBytes || part.Bounds().Dx() < 64 {
			return b.Bytes(), nil
		}
		part = halve(part)
	}
}

// halve makes a picture half as wide and high: a pixel is the mean of four.
func halve(from *image.RGBA) *image.RGBA {
	b := from.Bounds()
	to := image.NewRGBA(image.Rect(0, 0, max(b.Dx()/2, 1), max(b.Dy()/2, 1)))
	for y := range to.Rect.Dy() {
		for x := range to.Rect.Dx() {
			at := from.PixOffset(b.Min.X+min(2*x, b.Dx()-1), b.Min.Y+min(2*y, b.Dy()-1))
			right, below := 4, from.Stride
			if 2*x+1 >= b.Dx() {
				right = 0
			}
			if 2*y+1 >= b.Dy() {
				below = 0
			}
			for c := range 4 {
				sum := int(from.Pix[at+c]) + int(from.Pix[at+right+c]) + int(from.Pix[at+below+c]) + int(from.Pix[at+right+below+c])
				to.Pix[y*to.Stride+4*x+c] = byte(sum / 4)
			}
		}
	}
	return to
}

func (t *markTool) step(id uint32) int {
	return slices.IndexFunc(t.steps.list, func(s *step) bool { return s.id == id })
}

// moveStep puts a step before another one, or last.
func (t *markTool) moveStep(p *participant, id, before uint32) {
	i := t.step(id)
	if !p.teaches() || i < 0 || id == before || !t.steps.list[i].shownTo(p) {
		return
	}
	s := t.steps.list[i]
	t.steps.list = slices.Delete(t.steps.list, i, i+1)
	if to := t.step(before); to >= 0 {
		t.steps.list = slices.Insert(t.steps.list, to, s)
	} else {
		t.steps.list = append(t.steps.list, s)
	}
	t.stepsChanged()
}

// dropStep takes a step off the list. What the person approved is theirs.
func (t *markTool) dropStep(p *participant, id uint32) {
	i := t.step(id)
	if !p.teaches() || i < 0 || !t.steps.list[i].shownTo(p) {
		return
	}
	switch t.steps.list[i].state {
	case mfpb.StepState_STEP_STATE_ASKED, mfpb.StepState_STEP_STATE_REFUSED:
		t.steps.list = slices.Delete(t.steps.list, i, i+1)
		t.stepsChanged()
	}
}

// answer is what the person says about one step.
func (t *markTool) answer(c ui.Command) {
	id, err := strconv.ParseUint(c.ID, 10, 32)
	i := t.step(uint32(id))
	if err != nil || i < 0 {
		return
	}
	s := t.steps.list[i]
	data := map[string]any{"participant": s.by.id, "step": s.id}
	switch {
	case c.Answer == "approve" && s.state == mfpb.StepState_STEP_STATE_ASKED:
		s.state = mfpb.StepState_STEP_STATE_APPROVED
		data["picture"] = s.picture != nil
		personal := map[string]any{"text": s.text}
		t.l.note("steps.approved", "ok", data, personal)
	case c.Answer == "refuse" && s.state == mfpb.StepState_STEP_STATE_ASKED:
		s.state, s.picture = mfpb.StepState_STEP_STATE_REFUSED, nil
		t.l.note("steps.refused", "deny", data, nil)
	case c.Answer == "done" && s.state == mfpb.StepState_STEP_STATE_APPROVED:
		s.state = mfpb.StepState_STEP_STATE_DONE
		t.l.note("steps.done", "ok", data, nil)
	default:
		return
	}
	t.stepsChanged()
}

// stepsChanged shows everybody the list.
func (t *markTool) stepsChanged() {
	list := make([]ui.Step, 0, len(t.steps.list))
	for _, s := range t.steps.list {
		list = append(list, ui.Step{ID: fmt.Sprint(s.id), Text: s.text, Picture: s.picture, State: stepNames[s.state]})
	}
	t.l.h.show(ui.Event{Name: "steps", Steps: list})
	for _, p := range t.l.participants {
		t.tellSteps(p)
	}
}

// tellSteps tells one viewer the list.
func (t *markTool) tellSteps(p *participant) {
	if !p.up() || !p.teaches() {
		return
	}
	m := &mfpb.Steps{Kept: t.steps.kept}
	for _, s := range t.steps.list {
		if !s.shownTo(p) {
			continue
		}
		m.Steps = append(m.Steps, &mfpb.Step{Id: s.id, Text: s.text, State: s.state, Picture: s.picture != nil})
	}
	err := p.link.tell(wire.ChannelMarks, &mfpb.MarkMessage{Optional: true, Body: &mfpb.MarkMessage_Steps{Steps: m}})
	if err != nil {
		t.l.h.log.Info("steps not told", "error", err)
	}
}

// keep writes the steps that the person approved to a new file of their choice.
func (t *markTool) keep(path string) {
	h := t.l.h
	text, n := t.page(!strings.HasSuffix(strings.ToLower(path), ".md"))
	if n == 0 || path == "" {
		return
	}
	if t.l.over { // at the goodbye nobody is kept waiting by it
		h.keptSteps(writeNew(path, stepsName, text))
		return
	}
	h.spawn(func() {
		landed, err := writeNew(path, stepsName, text)
		h.post(h.ctx.Done(), func() {
			h.keptSteps(landed, err)
			if err != nil || t.l.over {
				return
			}
			t.steps.kept = true
			t.l.note("steps.kept", "ok", map[string]any{"steps": n}, nil)
			t.stepsChanged()
		})
	})
}

// stepsName is the file's name where the person names only a folder.
const stepsName = "mainforte.html"

// keptSteps tells the person what became of the file.
func (h *Host) keptSteps(landed string, err error) {
	if err != nil {
		h.show(ui.Event{Name: "error", Text: h.texts.T("error.steps", "detail", err.Error())})
		return
	}
	h.status("status.steps_kept", "path", landed)
}

// page is the list of approved steps as a file, and how many they are.
func (t *markTool) page(asHTML bool) (string, int) {
	var b strings.Builder
	title := t.l.h.texts.T("step.title")
	if asHTML {
		fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"%s\">\n<meta charset=\"utf-8\">\n<title>%s</title>\n<h1>%[2]s</h1>\n<ol>\n", t.l.h.texts.Lang, html.EscapeString(title))
	} else {
		fmt.Fprintf(&b, "# %s\n", title)
	}
	n := 0
	for _, s := range t.steps.list {
		if s.state != mfpb.StepState_STEP_STATE_APPROVED && s.state != mfpb.StepState_STEP_STATE_DONE { // C77
			continue
		}
		n++
		picture := ""
		if s.picture != nil {
			picture = "data:image/png;base64," + base64.StdEncoding.EncodeToString(s.picture)
		}
		if asHTML {
			fmt.Fprintf(&b, "<li><p>%s</p>", html.EscapeString(s.text))
			if picture != "" {
				fmt.Fprintf(&b, "<p><img alt=\"\" src=\"%s\"></p>", picture)
			}
			b.WriteString("</li>\n")
			continue
		}
		fmt.Fprintf(&b, "\n%d. %s\n", n, plainMarkdown.Replace(s.text))
		if picture != "" {
			fmt.Fprintf(&b, "\n   ![](%s)\n", picture)
		}
	}
	if asHTML {
		b.WriteString("</ol>\n</html>\n")
	}
	return b.String(), n
}

// plainMarkdown keeps what a technician wrote from becoming links, pictures or HTML.
var plainMarkdown = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`, "!", `\!`, "|", `\|`, "~", `\~`)
