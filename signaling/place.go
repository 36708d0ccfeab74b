package main

import (
	"flag"

	"github.com/mainforte/mainforte/signaling/api"
)

// placeFlags defines where a server's data is, for every command that opens it.
func placeFlags(f *flag.FlagSet, p *api.Place, data string) {
	f.StringVar(&p.Data, "data", data, "`DIR` of the server's data: the keys, and the database unless --database says otherwise")
	f.StringVar(&p.Database, "database", "", "`URL` of a PostgreSQL, postgres://USER@HOST/NAME, instead of a file in --data; its password stands in a file: ?password_file=FILE, or PGPASSFILE")
}
