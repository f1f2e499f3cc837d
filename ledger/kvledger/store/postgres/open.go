package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pkg/errors"
)

// ErrForeign says that the database has a table of the store's name that doesn't belong to a store.
var ErrForeign = errors.New("the table is not a store's")

// ErrFormat says that the store was written in a format that this version of the package doesn't know.
var ErrFormat = errors.New("the store has another format")

// Open opens the store in a database, or creates one there. It needs a server that can be written to. If the server has a
// synchronous standby, Open waits for it until ctx ends. If errors.Is finds ErrForeign or ErrFormat in the error, nothing
// was changed.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	poolConfig, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, errors.Wrap(err, "open connection pool")
	}
	q, err := prepare(ctx, pool, cfg)
	if err == nil {
		// What was committed without its standby must not be seen before the standby has it.
		_, err = settle(ctx, pool, q)
	}
	if err != nil {
		pool.Close()
		return nil, errors.Wrapf(err, "open store in table %s", cfg.Table)
	}
	return newStore(cfg, pool, q), nil
}

// prepare finds out what server and tables there are, and creates these if they are missing.
func prepare(ctx context.Context, pool *pgxpool.Pool, cfg Config) (statements, error) {
	var version string
	var schema *string
	if err := pool.QueryRow(ctx, "SELECT version(), current_schema()").Scan(&version, &schema); err != nil {
		return statements{}, errors.Wrap(err, "ask for version")
	}
	if cfg.Schema != "" {
		schema = &cfg.Schema
	}
	if schema == nil {
		return statements{}, errors.New("the connection has no current schema, Config.Schema must say one")
	}
	keyOrder := ""
	if strings.Contains(version, "-YB-") {
		keyOrder = " ASC" // the first column is hashed otherwise; PostgreSQL knows no ASC here
	}
	q := newStatements(*schema, cfg.Table, keyOrder)
	exists, err := q.inspect(ctx, pool)
	if err != nil || exists {
		return q, err
	}
	createErr := q.create(ctx, pool)
	// Another process may have been faster.
	exists, err = q.inspect(ctx, pool)
	switch {
	case err == nil && !exists && createErr != nil:
		err = errors.Wrap(createErr, "create tables")
	case err == nil && !exists:
		err = errors.New("the tables vanish")
	}
	return q, err
}

// inspect reports whether the tables are there. It is an error if something else is there.
func (q statements) inspect(ctx context.Context, pool *pgxpool.Pool) (exists bool, err error) {
	table, head, err := q.columns(ctx, pool)
	if err == nil && (table == "") != (head == "") {
		table, head, err = q.columns(ctx, pool) // if another process has created both meanwhile, both are there now
	}
	switch {
	case err != nil:
		return false, err
	case table == "" && head == "":
		return false, nil
	case table != tableColumns:
		return false, errors.Wrapf(ErrForeign, "columns of %s are (%s)", q.table, table)
	case !strings.HasPrefix(head, "one boolean, format integer"):
		return false, errors.Wrapf(ErrForeign, "columns of %s are (%s)", q.head, head)
	}
	var found int
	err = pool.QueryRow(ctx, q.readFormat).Scan(&found)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, errors.Wrapf(ErrForeign, "%s has no row", q.head)
	case err != nil:
		return false, errors.Wrap(err, "read format")
	case found != format:
		return false, errors.Wrapf(ErrFormat, "%s says %d, not %d", q.head, found, format)
	case head != headColumns:
		return false, errors.Wrapf(ErrForeign, "columns of %s are (%s)", q.head, head)
	}
	return true, nil
}

// columns returns the columns of both tables, one after the other.
func (q statements) columns(ctx context.Context, pool *pgxpool.Pool) (table, head string, err error) {
	if table, err = columns(ctx, pool, q.table); err != nil {
		return "", "", err
	}
	head, err = columns(ctx, pool, q.head)
	return table, head, err
}

// columns returns the names and types of a table's columns, or "" if there is no such table.
func columns(ctx context.Context, pool *pgxpool.Pool, table string) (string, error) {
	var all string
	err := pool.QueryRow(ctx, `SELECT coalesce(string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum), '')
		FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`, table).Scan(&all)
	if err != nil {
		return "", errors.Wrapf(err, "look for table %s", table)
	}
	return all, nil
}

func (q statements) create(ctx context.Context, pool *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, sql := range []string{q.createTable, q.createHead, q.insertHead} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}
