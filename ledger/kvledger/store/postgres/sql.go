package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// format is the version of the tables' format.
const format = 1

const (
	tableColumns = "k bytea, v bytea"
	headColumns  = "one boolean, format integer, blocks bigint, epoch bigint, recent bigint[]"
)

// A transaction begins in the same round trip as its first query, which is what fixes what it sees.
const (
	begin    = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	rollback = "ROLLBACK"
)

// statements are the SQL of a store: that of its table and its head.
type statements struct {
	table, head string // quoted, with the schema

	createTable, createHead, insertHead string
	readFormat, readHead, settle        string
	commit, get                         string
}

func newStatements(schema, table, keyOrder string) statements {
	q := statements{
		table: pgx.Identifier{schema, table}.Sanitize(), head: pgx.Identifier{schema, table + headSuffix}.Sanitize(),
	}
	q.createTable = fmt.Sprintf("CREATE TABLE %s (k bytea NOT NULL, v bytea NOT NULL, PRIMARY KEY (k%s))", q.table, keyOrder)
	q.createHead = fmt.Sprintf(`CREATE TABLE %s (one boolean PRIMARY KEY CHECK (one), format integer NOT NULL,
		blocks bigint NOT NULL, epoch bigint NOT NULL, recent bigint[] NOT NULL)`, q.head)
	q.insertHead = fmt.Sprintf("INSERT INTO %s VALUES (true, %d, 0, 0, '{}')", q.head, format)
	q.readFormat = "SELECT format FROM " + q.head
	q.readHead = "SELECT blocks, epoch FROM " + q.head
	// That it changes nothing doesn't matter: it is a write, so it waits for the standby, and for those before it.
	q.settle = fmt.Sprintf("UPDATE %s SET blocks = blocks RETURNING blocks, epoch, recent", q.head)
	// A concurrent commit holds the head's row, so that the first part waits for it, and then finds another head. The
	// others do nothing unless the first one has found the row.
	q.commit = fmt.Sprintf(`WITH moved AS (
			UPDATE %[2]s SET blocks = $3, epoch = $4, recent = (array_prepend($4, recent))[1:%[3]d]
			WHERE blocks = $1 AND epoch = $2 RETURNING 1
		), written AS (
			INSERT INTO %[1]s (k, v) SELECT k, v FROM unnest($5::bytea[], $6::bytea[]) AS w (k, v)
			WHERE EXISTS (SELECT FROM moved) ON CONFLICT (k) DO UPDATE SET v = excluded.v
		), deleted AS (
			DELETE FROM %[1]s WHERE k = ANY ($7::bytea[]) AND EXISTS (SELECT FROM moved)
		) SELECT FROM moved`, q.table, q.head, remote.KeptEpochs)
	q.get = fmt.Sprintf("SELECT k, v FROM %s WHERE k = ANY ($1::bytea[])", q.table)
	return q
}

// page returns the statement that reads a page: of the pairs from $1 on and before $2, at most $3, and none once those
// before it have $4 bytes of values. Without values there is no $4, and without an end no $2.
func (q statements) page(bounded, reverse, keysOnly bool) string {
	next, end, order := 2, "", ""
	if bounded {
		next, end = 3, " AND k < $2"
	}
	if reverse {
		order = " DESC"
	}
	columns := "k, v"
	if keysOnly {
		columns = "k"
	}
	page := fmt.Sprintf("SELECT %s FROM %s WHERE k >= $1%s ORDER BY k%s LIMIT $%d", columns, q.table, end, order, next)
	if keysOnly {
		return page
	}
	return fmt.Sprintf(`SELECT k, v FROM (
			SELECT k, v, sum(length(v)) OVER (ORDER BY k%[2]s ROWS UNBOUNDED PRECEDING) - length(v) AS before FROM (%[1]s) AS page
		) AS counted WHERE before < $%[3]d ORDER BY k%[2]s`, page, order, next+1)
}
