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
	commit, get, getLittle              string
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
	// The shortest values come first, so that a large one keeps none of the others out. A length is known without the value.
	q.getLittle = fmt.Sprintf(`SELECT k, CASE WHEN sum(length(v)) OVER (ORDER BY length(v), k ROWS UNBOUNDED PRECEDING) <= $2 THEN v END,
		length(v) FROM %s WHERE k = ANY ($1::bytea[])`, q.table)
	return q
}

// page returns the statement that reads a page: of the pairs from p.lo on, at most p.size, and none once those before it have
// p.bytes bytes of values. If the values are for an answer, the one that would be more than that is left out: only its
// length is there.
func (q statements) page(p *page) (sql string, args []any) {
	end, order, columns := "", "", "k, v"
	args = []any{[]byte(p.lo)}
	if p.hi != "" {
		args = append(args, []byte(p.hi))
		end = " AND k < $2"
	}
	args = append(args, p.size)
	if p.options.Reverse {
		order = " DESC"
	}
	if p.options.KeysOnly {
		columns = "k"
	}
	inner := fmt.Sprintf("SELECT %s FROM %s WHERE k >= $1%s ORDER BY k%s LIMIT $%d", columns, q.table, end, order, len(args))
	if p.options.KeysOnly {
		return inner, args
	}
	args = append(args, p.bytes())
	limit := fmt.Sprint("$", len(args))
	if p.options.Reserve {
		columns = "k, CASE WHEN before + length(v) <= " + limit + " THEN v END, length(v)"
	}
	return fmt.Sprintf(`SELECT %[4]s FROM (
			SELECT k, v, sum(length(v)) OVER (ORDER BY k%[2]s ROWS UNBOUNDED PRECEDING) - length(v) AS before FROM (%[1]s) AS page
		) AS counted WHERE before < %[3]s ORDER BY k%[2]s`, inner, order, limit, columns), args
}
