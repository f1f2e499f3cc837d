package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres"
)

// openTimeout is how long a server may take to let its store be opened.
const openTimeout = 5 * time.Second

// ledgerForms are what --ledger may be.
const ledgerForms = "memory, pebble:FOLDER, postgres:URL or etcd:HOST:PORT,…"

// ledgerHelp says so in the help of a command, whose ledgers are by default in the folder of that name.
func ledgerHelp(folder string) string {
	dir, err := dataFolder(folder)
	if err != nil {
		dir = "none, since there is no home folder"
	}
	return `The ledger is kept in a folder among your data (XDG_DATA_HOME says where those are), by default:

  ` + dir + `

It is the same one wherever the command is run, so that what was committed is found again. One peer at a time can use it.
--ledger names another place:

  memory                                nowhere: it is gone when the peer is
  pebble:FOLDER                         a folder, which is created if it is not there
  postgres:URL, or a postgres:// URL    a PostgreSQL database; URL may be libpq's keywords and values, too,
                                        and the environment's PG variables supply what it doesn't say
  etcd:HOST:PORT,…                      an etcd cluster; all endpoints of it, separated by commas`
}

// place is where a ledger is kept. The zero place is in memory.
type place struct {
	kind string
	at   string // a folder, a URL, or endpoints separated by commas
	peer string // whose ledger it is, if not the first peer's
}

// of is where another peer has its ledger: beside the first one's.
func (p place) of(peerName string) place {
	if p.kind == inPebble {
		p.at = filepath.Join(p.at, "peers", peerName)
	}
	p.peer = peerName
	return p
}

const (
	inMemory   = "memory"
	inPebble   = "pebble"
	inPostgres = "postgres"
	inEtcd     = "etcd"
)

// parseLedger reads where a ledger is kept; without a text, it is in a folder of that name among the user's data.
func parseLedger(s setting, folder string) (place, error) {
	kind, at, _ := strings.Cut(s.text, ":")
	switch {
	case s.text == "":
		dir, err := dataFolder(folder)
		return place{kind: inPebble, at: dir}, err
	case s.text == inMemory:
		return place{}, nil
	case kind == inPebble && at != "":
		dir, err := s.path(at)
		return place{kind: inPebble, at: dir}, errors.Wrap(err, "find data folder")
	case strings.HasPrefix(s.text, "postgres://") || strings.HasPrefix(s.text, "postgresql://"):
		return parsePostgres(s, s.text)
	case kind == inPostgres && at != "":
		return parsePostgres(s, at)
	case kind == inEtcd && at != "":
		return parseEtcd(s, at)
	}
	return place{}, s.wrong("%s: want %s", hidePassword(s.text), ledgerForms)
}

// hidePassword is for what is wrong, and yet may have a password in it.
func hidePassword(s string) string {
	if at := strings.LastIndex(s, "@"); at >= 0 {
		return quote("…" + s[at:])
	}
	if strings.Contains(s, "password") {
		return "…"
	}
	return quote(s)
}

func parsePostgres(s setting, url string) (place, error) {
	if _, err := pgconn.ParseConfig(url); err != nil {
		// The error has the URL in it, and so the password.
		return place{}, s.wrong("postgres: this is no URL of a PostgreSQL database: want postgres://USER@HOST:PORT/DATABASE "+
			"or libpq's keywords and values, or another one of %s", ledgerForms)
	}
	return place{kind: inPostgres, at: url}, nil
}

func parseEtcd(s setting, endpoints string) (place, error) {
	for endpoint := range strings.SplitSeq(endpoints, ",") {
		host, port, err := net.SplitHostPort(withoutScheme(endpoint))
		if err != nil || host == "" || port == "" {
			return place{}, s.wrong("etcd: %s is no endpoint: want host:port, or another one of %s", hidePassword(endpoint), ledgerForms)
		}
	}
	return place{kind: inEtcd, at: endpoints}, nil
}

func withoutScheme(endpoint string) string {
	return strings.TrimPrefix(strings.TrimPrefix(endpoint, "https://"), "http://")
}

// dataFolder returns the folder of that name among this user's data of this program.
func dataFolder(name string) (string, error) {
	data := os.Getenv("XDG_DATA_HOME")
	if filepath.IsAbs(data) { // others are to be ignored, says the specification
		return filepath.Join(data, "ccpeer", name), nil
	}
	data, err := userData()
	if err != nil {
		return "", usagef("there is no home folder to keep the ledger in (%s): say with --ledger where: %s", err, ledgerForms)
	}
	return filepath.Join(data, "ccpeer", name), nil
}

// String is the place as --ledger wants it, but without a password.
func (p place) String() string {
	switch p.kind {
	case "":
		return inMemory
	case inPostgres:
		cfg, err := pgconn.ParseConfig(p.at)
		if err != nil {
			return inPostgres
		}
		database := cfg.Database
		if database == "" {
			database = cfg.User // as for the server
		}
		return "postgres, database " + database + " at " + net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
	}
	return p.kind + ":" + p.at
}

// identities returns the folder that keeps who the members of the organization are, as long as the ledger is kept. It is "" if it
// is not kept, or if there is no place for it.
func (p place) identities(log *zap.Logger) string {
	switch p.kind {
	case "":
		return ""
	case inPebble:
		return filepath.Join(p.at, "identities")
	}
	name := sha256.Sum256([]byte(p.String()))
	dir, err := dataFolder(filepath.Join("identities", hex.EncodeToString(name[:8])))
	if err != nil {
		log.Warn("there is no home folder: clients have new certificates when the peer is started again")
		return ""
	}
	return dir
}

// open opens the store at the place, which is created there if nothing is.
func (p place) open(ctx context.Context, log *zap.Logger) (store.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, err := p.openStore(ctx, log)
	if errors.Is(err, pebble.ErrLocked) {
		return nil, errors.Errorf("open data folder %s: the store is open already: is a peer running? Give another folder with --ledger", p.at)
	}
	if err == nil || p.kind == inPebble {
		return s, err // which names the folder
	}
	network, refusal := new(net.OpError), new(pgconn.PgError)
	switch {
	case errors.As(err, &refusal):
		return nil, errors.Errorf("open the ledger in %s: the server refuses: %s", p, refusal.Message)
	case errors.As(err, &network):
		return nil, errors.Errorf("open the ledger in %s: no server answers there: %s", p, network)
	case ctx.Err() != nil:
		return nil, errors.Errorf("open the ledger in %s: no answer within %s: is the server running, and is that where it is?", p, openTimeout)
	}
	return nil, errors.WithMessagef(err, "open the ledger in %s", p)
}

func (p place) openStore(ctx context.Context, log *zap.Logger) (store.Store, error) {
	switch p.kind {
	case inPebble:
		return pebble.Open(pebble.Config{Dir: p.at, Logger: log.Named(inPebble)})
	case inPostgres:
		cfg := postgres.Config{URL: p.at}
		if p.peer != "" { // a table's name has no room for long ones
			name := sha256.Sum256([]byte(p.peer))
			cfg.Table = "ccpeer_ledger_" + hex.EncodeToString(name[:8])
		}
		return postgres.Open(ctx, cfg)
	case inEtcd:
		endpoints := strings.Split(p.at, ",")
		if err := dialAny(ctx, endpoints); err != nil {
			return nil, err
		}
		cfg := etcd.Config{Endpoints: endpoints, Logger: log.Named(inEtcd)}
		if p.peer != "" {
			cfg.Prefix = "ccpeer-ledger-of-" + p.peer + "/"
		}
		return etcd.Open(ctx, cfg)
	}
	return memory.New(), nil
}

// dialAny returns an error if none of the endpoints can be connected to. The client of etcd would try for ever.
func dialAny(ctx context.Context, endpoints []string) (err error) {
	for _, endpoint := range endpoints {
		var c net.Conn
		if c, err = new(net.Dialer).DialContext(ctx, "tcp", withoutScheme(endpoint)); err == nil {
			return c.Close()
		}
	}
	return err
}
