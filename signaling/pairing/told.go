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

// told adds to the summary what only the sealed parts of the log hold, the files,
// the chat as the policy wants it, and what the person answered already, and what was
// attached. It returns the files that the note carries.
func (s *session) told(tx store.Tx, sum *tickets.Summary) ([]tickets.File, error) {
	var rated int64
	if err := tx.QueryRow("select count(*) from audit_leaves where session = ? and type = 'session.rated'", s.id).Scan(&rated); err != nil {
		return nil, err
	}
	if rated > 0 || s.tally.Used["told"] > 0 {
		events, err := s.desk.cfg.Log.EventsTx(tx, s.id)
		if err != nil {
			return nil, err
		}
		var lines int64
		for _, e := range events {
			s.tell(e, sum)
			if e.Type == "chat.line" && number(e, "part") <= 1 {
				lines++
			}
		}
		sum.Lines = max(sum.Lines, lines) // the host counts at its end, which may be lost
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

// number is a whole number in the data of an event, as the log reads it; 0 if it is
// none.
func number(e audit.Record, name string) int64 {
	n, _ := e.Data[name].(int64)
	return n
}

// tell adds one line of the log.
func (s *session) tell(e audit.Record, sum *tickets.Summary) {
	text := func(m map[string]any, name string) string { v, _ := m[name].(string); return v }
	switch e.Type {
	case "file.received", "file.sent":
		sum256, err := hex.DecodeString(text(e.Data, "sha256"))
		if err == nil && len(sum.Files) < maxShared {
			sum.Files = append(sum.Files, tickets.Shared{
				Name: text(e.Personal, "name"), Size: number(e, "size"), SHA256: sum256, FromPerson: e.Type == "file.sent",
			})
		}
	case "steps.approved":
		if step := text(e.Personal, "text"); step != "" && len(sum.Steps) < maxSteps {
			sum.Steps = append(sum.Steps, step)
		}
	case "session.rated":
		sum.Score, sum.Remark = int(number(e, "score")), text(e.Personal, "text")
	case "chat.line":
		if noted, _ := e.Data["noted"].(bool); !noted || len(sum.Chat) >= maxSaid {
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
