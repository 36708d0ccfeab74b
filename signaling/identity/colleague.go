package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// Colleague is somebody who works on tickets, as the others see them.
type Colleague struct {
	User
	Away  time.Time // since when they say so; zero: they do not
	Seen  time.Time // when one of their sign-ins was last used, to the minute; zero: none stands
	Teams []string  // ids, in no order
}

// Works tells whether a role works on tickets.
func (r Role) Works() bool { return r == Technician || r == Supervisor }

// Colleagues are those whose accounts are open and whose role works on tickets, by
// name.
func (d *Directory) Colleagues(ctx context.Context) (list []Colleague, err error) {
	now := d.cfg.Now()
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query(`select u.id, u.name, u.role, u.lang, u.away,
			coalesce((select max(s.last_seen) from signins s where s.user_id = u.id and s.expires > ? and s.last_seen > ?), '')
			from users u where u.disabled is null and u.role in ('technician', 'supervisor') order by u.search, u.id`,
			store.FormatTime(now), store.FormatTime(now.Add(-d.cfg.Idle)))
		if err != nil {
			return err
		}
		at := map[string]int{}
		for rows.Next() {
			var c Colleague
			var away, seen string
			if err := rows.Scan(&c.ID, &c.Name, &c.Role, &c.Lang, &away, &seen); err != nil {
				return err
			}
			for to, from := range map[*time.Time]string{&c.Away: away, &c.Seen: seen} {
				if *to, err = store.ParseTime(from); err != nil {
					return err
				}
			}
			at[c.ID] = len(list)
			list = append(list, c)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		members, err := tx.Query(`select user_id, team_id from team_members order by team_id`)
		if err != nil {
			return err
		}
		for members.Next() {
			var user, team string
			if err := members.Scan(&user, &team); err != nil {
				return err
			}
			if i, ok := at[user]; ok {
				list[i].Teams = append(list[i].Teams, team)
			}
		}
		return errors.Join(members.Err(), members.Close())
	})
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return list, nil
}

// SetAway keeps that somebody says to be away, or to be there again. It is in no log:
// that only grows, and would be a diary of who was at their desk when.
func (d *Directory) SetAway(ctx context.Context, user string, away bool) error {
	since := ""
	if away {
		since = store.FormatTime(d.cfg.Now())
	}
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		// Who is away already has been so since then.
		_, err := tx.Exec(`update users set away = ? where id = ? and (away = '') <> (? = '')`, since, user, since)
		return err
	})
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return nil
}

// Away tells whether somebody says to be away.
func (d *Directory) Away(ctx context.Context, user string) (away bool, err error) {
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		var n int64
		err := tx.QueryRow(`select count(*) from users where id = ? and away <> ''`, user).Scan(&n)
		away = n > 0
		return err
	})
	return away, err
}
