package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// Migrations only go forward: an auditor's database is never rolled back, a
// mistake is mended by the next file. Their names are NNNN_what.sql.
//
// Every file of one database has its twin of the same name for the other.
//
//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// folders of the migrations of each database.
var folders = map[goose.Dialect]string{
	goose.DialectSQLite3:  "migrations/sqlite",
	goose.DialectPostgres: "migrations/postgres",
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect) error {
	files, err := fs.Sub(migrations, folders[dialect])
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, files,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	// An admin command beside a server that starts migrates at the same moment;
	// the one that comes second finds the tables made and looks again.
	for try := 1; ; try++ {
		_, err = p.Up(ctx)
		if err == nil || try == 5 {
			break
		}
		time.Sleep(time.Duration(try) * 50 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("bringing the schema up to date: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("the database is of a newer program (schema %d, this program knows %d)", current, target)
	}
	return nil
}
