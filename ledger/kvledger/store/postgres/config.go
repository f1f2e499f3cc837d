package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pkg/errors"
)

// Config says where a store is, and what it may use.
type Config struct {
	// URL says how to connect, as a postgres:// URL or as libpq's keywords and values. Required. As with libpq, it may name
	// several servers. The environment's PG variables and the password file supply what it doesn't say.
	URL string
	// Schema is the schema of the tables. It must exist. Empty means the connection's current one.
	Schema string
	// Table is the name of the table, which has up to 58 bytes. Empty means ccpeer_ledger. Stores with different tables have
	// nothing to do with each other.
	Table string
	// MaxConns is how many connections the store may have, at least 3. 0 is 16. One is for commits, and one for looking at
	// the head. Each other one is for the snapshots that are open on one head.
	MaxConns int
	// Timeout is how long Commit tries, which must be enough for a failover. It is also how long a read may take, or a
	// snapshot may wait for a connection. 0 is 30 seconds.
	Timeout time.Duration
}

const (
	defaultTable    = "ccpeer_ledger"
	defaultMaxConns = 16
	defaultTimeout  = 30 * time.Second

	minConns = 3
	// otherConns is how many connections no snapshot may take.
	otherConns = 2

	// PostgreSQL cuts longer names off.
	maxName    = 63
	headSuffix = "_head"
)

// complete returns the configuration with defaults in place of zero values.
func (c Config) complete() (Config, error) {
	if c.Table == "" {
		c.Table = defaultTable
	}
	if c.MaxConns == 0 {
		c.MaxConns = defaultMaxConns
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	switch {
	case c.URL == "":
		return c, errors.New("Config.URL is required")
	case len(c.Table) > maxName-len(headSuffix):
		return c, errors.Errorf("Config.Table has %d bytes, more than %d", len(c.Table), maxName-len(headSuffix))
	case c.MaxConns < minConns:
		return c, errors.Errorf("Config.MaxConns is %d, less than %d", c.MaxConns, minConns)
	case c.Timeout < 0:
		return c, errors.Errorf("Config.Timeout is %s, less than 0", c.Timeout)
	}
	return c, nil
}

// pool returns the connections' configuration.
func (c Config) pool() (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, errors.Wrap(err, "parse Config.URL")
	}
	cfg.MaxConns, cfg.MinConns, cfg.MinIdleConns = int32(min(c.MaxConns, 1<<20)), 0, 0
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	cfg.ConnConfig.OnNotice = noteWarning
	// Statements are planned once per connection, perhaps when the table is still empty. They all go by the key.
	for name, value := range map[string]string{"enable_seqscan": "off", "jit": "off"} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	return cfg, nil
}

// warningKey is where a connection keeps the last warning.
const warningKey = "warning"

// noteWarning keeps what the server warns of. If a transaction is committed without the standby, the server says so only by
// a warning, in its own language.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[warningKey] = n.Message
	}
}

// takeWarning returns and forgets the last warning, or returns nil.
func takeWarning(c *pgconn.PgConn) error {
	message, ok := c.CustomData()[warningKey].(string)
	if !ok {
		return nil
	}
	delete(c.CustomData(), warningKey)
	return errors.Errorf("the server warns: %s", message)
}
