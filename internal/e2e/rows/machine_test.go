package rows

import (
	"encoding/binary"
	"fmt"
	"testing"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mainforte/mainforte/signaling/store/storetest"
)

// machine is SQLite itself, without database/sql, which does not tell how many steps a
// statement took.
type machine struct {
	tls *libc.TLS
	db  uintptr
}

func openMachine(t testing.TB, path string) *machine {
	t.Helper()
	m := &machine{tls: libc.NewTLS()}
	name, err := libc.CString(path)
	if err != nil {
		t.Fatal(err)
	}
	at := m.tls.Alloc(8)
	if rc := sqlite3.Xsqlite3_open_v2(m.tls, name, at, sqlite3.SQLITE_OPEN_READONLY, 0); rc != sqlite3.SQLITE_OK {
		t.Fatalf("SQLite opens %s: %d", path, rc)
	}
	m.db = pointer(at)
	libc.Xfree(m.tls, name)
	t.Cleanup(func() {
		sqlite3.Xsqlite3_close_v2(m.tls, m.db)
		m.tls.Close()
	})
	return m
}

// pointer is what SQLite has written at a place.
func pointer(at uintptr) uintptr { return uintptr(binary.NativeEndian.Uint64(libc.GoBytes(at, 8))) }

// steps runs a statement to its end and counts the steps of SQLite's machine.
func (m *machine) steps(t testing.TB, a storetest.Asked) int {
	t.Helper()
	must := func(rc int32) {
		t.Helper()
		if rc != sqlite3.SQLITE_OK {
			t.Fatalf("%s: %s", libc.GoString(sqlite3.Xsqlite3_errmsg(m.tls, m.db)), a.Query)
		}
	}
	query, err := libc.CString(a.Query)
	if err != nil {
		t.Fatal(err)
	}
	at := m.tls.Alloc(8)
	defer m.tls.Free(8)
	must(sqlite3.Xsqlite3_prepare_v2(m.tls, m.db, query, -1, at, 0))
	libc.Xfree(m.tls, query)
	stmt := pointer(at)
	defer sqlite3.Xsqlite3_finalize(m.tls, stmt)
	for i, arg := range a.Args {
		place := int32(i + 1)
		switch v := arg.(type) {
		case int64:
			must(sqlite3.Xsqlite3_bind_int64(m.tls, stmt, place, v))
		case int:
			must(sqlite3.Xsqlite3_bind_int64(m.tls, stmt, place, int64(v)))
		case string, []byte:
			text := fmt.Sprintf("%s", v)
			p, err := libc.CString(text)
			if err != nil {
				t.Fatal(err)
			}
			defer libc.Xfree(m.tls, p)
			if _, ok := v.([]byte); ok {
				must(sqlite3.Xsqlite3_bind_blob(m.tls, stmt, place, p, int32(len(text)), 0))
			} else {
				must(sqlite3.Xsqlite3_bind_text(m.tls, stmt, place, p, int32(len(text)), 0))
			}
		default:
			t.Fatalf("an argument of type %T: %s", arg, a.Query)
		}
	}
	for {
		rc := sqlite3.Xsqlite3_step(m.tls, stmt)
		if rc == sqlite3.SQLITE_DONE {
			return int(sqlite3.Xsqlite3_stmt_status(m.tls, stmt, sqlite3.SQLITE_STMTSTATUS_VM_STEP, 0))
		}
		if rc != sqlite3.SQLITE_ROW {
			must(rc)
		}
	}
}
