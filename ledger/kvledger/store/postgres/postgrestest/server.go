package postgrestest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pkg/errors"
)

const (
	superuser = "tester"
	// port is part of the socket's name.
	port = "5432"
	// startTimeout is how long a server may take until it can be connected to.
	startTimeout = 30 * time.Second
)

// Server is a PostgreSQL server. It must be made by Start. Its methods must not be called at the same time.
type Server struct {
	bin, dir string
	user     *syscall.SysProcAttr
	args     []string

	process *os.Process
	exited  chan struct{}
	log     bytes.Buffer // may be read once exited is closed
}

// Start starts a server, and returns when it can be connected to. Stop must be called.
func Start(cfg Config) (*Server, error) {
	s, err := newServer()
	if err != nil {
		return nil, errors.Wrap(err, "make a PostgreSQL server")
	}
	s.args = cfg.args(s.dir, s.data())
	if cfg.Primary != nil {
		err = s.copy(cfg.Primary)
	} else {
		err = s.initialize()
	}
	if err == nil {
		err = s.Restart()
	}
	if err != nil {
		s.Stop()
		return nil, errors.Wrap(err, "start a PostgreSQL server")
	}
	return s, nil
}

// newServer makes the folder of a server.
func newServer() (*Server, error) {
	bin, err := findPrograms()
	if err != nil {
		return nil, err
	}
	attr, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// Not testing's own folder: others than root can't get there. The name of a socket can't be long, either.
	dir, err := os.MkdirTemp("", "postgres")
	if err != nil {
		return nil, err
	}
	if err := give(dir, attr); err != nil {
		_ = os.RemoveAll(dir) // it is empty
		return nil, err
	}
	return &Server{bin: bin, dir: dir, user: attr}, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// URL says how to connect to the server for reading and writing, in libpq's keywords and values. With others, it is the
// first of all that can be written to which is connected to.
func (s *Server) URL(others ...*Server) string {
	return connection(readWrite, append([]*Server{s}, others...)...)
}

// ReadURL says how to connect to the server whether or not it can be written to: a standby can't.
func (s *Server) ReadURL() string { return connection(anyServer, s) }

// Socket is the path of the server's socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL."+port) }

// Crash ends the server as a crash does: what is under way is cut off, and Restart has to recover.
func (s *Server) Crash() { s.end(syscall.SIGQUIT) }

// Shutdown ends the server in an orderly way. Connections are closed, what is under way is rolled back.
func (s *Server) Shutdown() { s.end(syscall.SIGINT) }

// Stop ends the server, if it is running, and leaves nothing of it.
func (s *Server) Stop() {
	s.Crash()
	_ = os.RemoveAll(s.dir) // what can't be removed is in the folder for temporary files
}

// end sends the server a signal, and waits.
func (s *Server) end(how syscall.Signal) {
	if s.process == nil {
		return
	}
	_ = s.process.Signal(how) // it may have ended
	<-s.exited
	s.process = nil
}

// Restart starts the server again after Crash or Shutdown, and returns when it can be connected to.
func (s *Server) Restart() error {
	if s.process != nil {
		return errors.New("the server is running")
	}
	cmd := s.command("postgres", s.args...)
	s.log.Reset()
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	started, exited := make(chan error), make(chan struct{})
	go func() {
		// The thread is what dieWithParent watches.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log says more
		}
		close(exited)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.process, s.exited = cmd.Process, exited
	return s.awaitConnection()
}

func (s *Server) awaitConnection() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.ReadURL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			s.process = nil
			return errors.Errorf("postgres has ended:\n%s", &s.log)
		case <-ctx.Done():
			s.Crash()
			return errors.Wrapf(err, "connect to postgres:\n%s", &s.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// initialize makes an empty database cluster. That is not synced: it is nothing yet.
func (s *Server) initialize() error {
	return s.run("initdb", "--no-sync", "--auth=trust", "--username="+superuser, "--encoding=UTF8", "--no-locale", "--pgdata", s.data())
}

// copy makes a standby.
func (s *Server) copy(primary *Server) error {
	return s.run("pg_basebackup", "--no-sync", "--checkpoint=fast", "--write-recovery-conf",
		"--host", primary.dir, "--username="+superuser, "--pgdata", s.data())
}

func (s *Server) run(program string, args ...string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := s.command(program, args...).CombinedOutput()
	if err != nil {
		return errors.Wrapf(err, "%s: %s", program, out)
	}
	return nil
}

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + s.bin}
	cmd.SysProcAttr = s.user
	return cmd
}
