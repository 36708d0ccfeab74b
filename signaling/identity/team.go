package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Tiers of teams.
const (
	MinTier = 1
	MaxTier = 3
)

// MaxTeams is how many teams there can be.
const MaxTeams = 500

// Team is people who share work. A user is in any number of teams.
type Team struct {
	ID      string // ULID
	Name    string // hostile text
	Tier    int    // MinTier to MaxTier: 1 hears first
	Members int    // whose accounts are open
}

// Errors of teams; also ErrBadName and ErrNameTaken.
var (
	ErrNoTeam       = errors.New("identity: there is no such team")
	ErrBadTier      = errors.New("identity: there is no such tier")
	ErrTooManyTeams = errors.New("identity: there are too many teams")
	errTeamName     = fmt.Errorf("a team's name: %w", ErrBadName)
)

// Teams are all teams, by tier and name.
func (d *Directory) Teams(ctx context.Context) (list []Team, err error) {
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query(`select t.id, t.name, t.tier, (select count(*) from team_members m join users u on u.id = m.user_id
			where m.team_id = t.id and u.disabled is null) from teams t order by t.tier, t.name_key`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var t Team
			if err := rows.Scan(&t.ID, &t.Name, &t.Tier, &t.Members); err != nil {
				return err
			}
			list = append(list, t)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return list, nil
}

// checkTeam cleans what was typed.
func checkTeam(t *Team) error {
	t.Name = wire.Clean(t.Name)
	switch {
	case t.Name == "" || utf8.RuneCountInString(t.Name) > maxName || nameKey(t.Name) == "":
		return errTeamName
	case t.Tier < MinTier || t.Tier > MaxTier:
		return ErrBadTier
	}
	return nil
}

func (d *Directory) logTeam(tx store.Tx, what string, by audit.Actor, t Team) error {
	return d.log(tx, audit.Event{
		Type: "team." + what, Outcome: "ok", Origin: "server", Time: d.cfg.Now(), Actor: by,
		Data: map[string]any{"team": t.ID, "tier": t.Tier}, Personal: map[string]any{"name": t.Name},
	})
}

// NewTeam makes a team of that name and tier. Errors: ErrBadName, ErrBadTier,
// ErrNameTaken, ErrTooManyTeams, or one of the store.
func (d *Directory) NewTeam(ctx context.Context, by audit.Actor, t Team) (Team, error) {
	if err := checkTeam(&t); err != nil {
		return Team{}, err
	}
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		t, err = d.makeTeam(tx, by, t)
		return err
	})
	if err != nil {
		return Team{}, fmt.Errorf("identity: %w", err)
	}
	return t, nil
}

func (d *Directory) makeTeam(tx store.Tx, by audit.Actor, t Team) (Team, error) {
	var n int64
	if err := tx.QueryRow(`select count(*) from teams`).Scan(&n); err != nil {
		return Team{}, err
	}
	if n >= MaxTeams {
		return Team{}, ErrTooManyTeams
	}
	t.ID, t.Members = newID(d.cfg.Now()), 0
	_, err := tx.Exec(`insert into teams (id, name, name_key, tier, created) values (?, ?, ?, ?, ?)`,
		t.ID, t.Name, nameKey(t.Name), t.Tier, store.FormatTime(d.cfg.Now()))
	if errors.Is(err, store.ErrExists) {
		return Team{}, ErrNameTaken
	}
	if err != nil {
		return Team{}, err
	}
	return t, d.logTeam(tx, "created", by, t)
}

// SetTeam gives the team of t.ID another name and tier. Errors: ErrNoTeam and those
// of NewTeam.
func (d *Directory) SetTeam(ctx context.Context, by audit.Actor, t Team) error {
	if err := checkTeam(&t); err != nil {
		return err
	}
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var was Team
		err := tx.QueryRow(`select name, tier from teams where id = ?`, t.ID).Scan(&was.Name, &was.Tier)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoTeam
		}
		if err != nil || was.Name == t.Name && was.Tier == t.Tier {
			return err
		}
		_, err = tx.Exec(`update teams set name = ?, name_key = ?, tier = ? where id = ?`, t.Name, nameKey(t.Name), t.Tier, t.ID)
		if errors.Is(err, store.ErrExists) {
			return ErrNameTaken
		}
		if err != nil {
			return err
		}
		return d.logTeam(tx, "changed", by, t)
	})
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return nil
}

// RemoveTeam takes a team away; its members keep their accounts. Errors: ErrNoTeam,
// or one of the store.
func (d *Directory) RemoveTeam(ctx context.Context, by audit.Actor, id string) error {
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		t := Team{ID: id}
		err := tx.QueryRow(`select name, tier from teams where id = ?`, id).Scan(&t.Name, &t.Tier)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoTeam
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`delete from team_members where team_id = ?`, id); err != nil {
			return err
		}
		if _, err := tx.Exec(`delete from teams where id = ?`, id); err != nil {
			return err
		}
		return d.logTeam(tx, "removed", by, t)
	})
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return nil
}

// SetTeams puts a user into these teams and no others. Errors: ErrNoUser, ErrNoTeam,
// or one of the store.
func (d *Directory) SetTeams(ctx context.Context, by audit.Actor, id string, teams []string) (Account, error) {
	return d.change(ctx, id, func(tx store.Tx, a Account) ([]string, error) {
		for _, t := range a.Teams {
			if !slices.Contains(teams, t) {
				if err := d.leave(tx, by, id, t); err != nil {
					return nil, err
				}
			}
		}
		for i, t := range teams {
			if !slices.Contains(a.Teams, t) && !slices.Contains(teams[:i], t) {
				if err := d.join(tx, by, id, t, false); err != nil {
					return nil, err
				}
			}
		}
		return nil, nil
	})
}

// join puts a user into a team; provided by a sign-in provider, or not.
func (d *Directory) join(tx store.Tx, by audit.Actor, user, team string, provided bool) error {
	flag := 0
	if provided {
		flag = 1
	}
	var n int64
	if err := tx.QueryRow(`select count(*) from teams where id = ?`, team).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return ErrNoTeam
	}
	r, err := tx.Exec(`insert into team_members (team_id, user_id, provided) values (?, ?, ?) on conflict do nothing`, team, user, flag)
	if err != nil {
		return err
	}
	if in, err := r.RowsAffected(); err != nil || in == 0 {
		return err
	}
	return d.logMember(tx, "team.joined", by, user, team)
}

func (d *Directory) leave(tx store.Tx, by audit.Actor, user, team string) error {
	if _, err := tx.Exec(`delete from team_members where team_id = ? and user_id = ?`, team, user); err != nil {
		return err
	}
	return d.logMember(tx, "team.left", by, user, team)
}

func (d *Directory) logMember(tx store.Tx, what string, by audit.Actor, user, team string) error {
	return d.log(tx, audit.Event{
		Type: what, Outcome: "ok", Origin: "server", Time: d.cfg.Now(), Actor: by,
		Data: map[string]any{"user": user, "team": team},
	})
}

// joinAll puts a new user into the teams of a link that are there still.
func (d *Directory) joinAll(tx store.Tx, by audit.Actor, user, teams string) error {
	for _, t := range strings.Fields(teams) {
		if err := d.join(tx, by, user, t, false); err != nil && !errors.Is(err, ErrNoTeam) {
			return err
		}
	}
	return nil
}
