package pairing

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Bounds of what a note tells of the log.
const (
	maxShared = 200
	maxSaid   = 1000
	maxSteps  = 200
)

// told adds to the summary what only the sealed parts of the log hold, the files
// and the chat as the policy wants it, and what was attached. It returns the files
// that the note carries.
func (s *session) told(tx store.Tx, sum *tickets.Summary) ([]tickets.File, error) {
	if s.tally.Used["told"] > 0 {
		events, err := s.desk.cfg.Log.EventsTx(tx, s.id)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			s.tell(e, sum)
		}
	}
	list, err := tickets.AttachmentsTx(tx, s.id)
	if err != nil {
		return nil, err
	}
	var files []tickets.File
	for _, a := range list {
		if a.Kind == tickets.AttachedSystem {
			sum.System = strings.Split(string(a.Body), "\n")
			continue
		}
		p := tickets.Picture{Name: tickets.PictureName(s.ticket.Lang, len(files)+1), Size: a.Size, SHA256: a.SHA256}
		if link := s.desk.cfg.Picture; link != nil {
			p.Link = link(s.id, a.ID)
		}
		sum.Pictures = append(sum.Pictures, p)
		files = append(files, tickets.File{Name: p.Name, Type: "image/png", Ref: a.ID})
	}
	return files, nil
}

// tell adds one line of the log.
func (s *session) tell(e audit.Record, sum *tickets.Summary) {
	text := func(m map[string]any, name string) string { v, _ := m[name].(string); return v }
	number := func(name string) int64 {
		v, _ := e.Data[name].(interface{ Int64() (int64, error) })
		if v != nil {
			n, _ := v.Int64()
			return n
		}
		f, _ := e.Data[name].(float64)
		return int64(f)
	}
	switch e.Type {
	case "file.received", "file.sent":
		sum256, err := hex.DecodeString(text(e.Data, "sha256"))
		if err == nil && len(sum.Files) < maxShared {
			sum.Files = append(sum.Files, tickets.Shared{
				Name: text(e.Personal, "name"), Size: number("size"), SHA256: sum256, FromPerson: e.Type == "file.sent",
			})
		}
	case "steps.approved":
		if step := text(e.Personal, "text"); step != "" && len(sum.Steps) < maxSteps {
			sum.Steps = append(sum.Steps, step)
		}
	case "chat.line":
		if s.desk.cfg.Policy.Chat != tickets.ChatNoted || len(sum.Chat) >= maxSaid {
			return
		}
		said := tickets.Said{Text: text(e.Personal, "text"), At: s.started.Add(time.Duration(e.MonoMS) * time.Millisecond)}
		if id := text(e.Data, "participant"); id != "" {
			said.Name = id
			for _, p := range s.participants {
				if p.id() == id {
					said.Name = p.name
				}
			}
		} else {
			said.Name = wire.Clean(s.ticket.Requester)
		}
		sum.Chat = append(sum.Chat, said)
	}
}
