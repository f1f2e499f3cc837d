package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pkg/errors"
)

// server is a PostgreSQL server in a temporary folder, which also has its socket: it uses no port.
type server struct {
	bin, dir string
	user     *syscall.SysProcAttr
	args     []string

	process *os.Process
	exited  chan struct{}
	log     bytes.Buffer // may be read once exited is closed
}

// newServer makes the folder of a server.
func newServer(args ...string) (*server, error) {
	bin, err := findPrograms()
	if err != nil {
		return nil, err
	}
	attr, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// Not testing's own folder: others than root can't get there.
	dir, err := os.MkdirTemp("", "postgres")
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, dir: dir, user: attr, args: args}
	if c := attr.Credential; c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			s.remove()
			return nil, err
		}
	}
	return s, nil
}

// findPrograms finds where the newest server's programs are: Debian doesn't put them in PATH.
func findPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(all) == 0 {
		return "", errors.New("the tests need a PostgreSQL server's programs (initdb, postgres, pg_basebackup): install the package postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return filepath.Dir(slices.MaxFunc(all, func(a, b string) int { return version(a) - version(b) })), nil
}

// unprivileged says as whom the server runs: it refuses to be root's.
func unprivileged() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attr, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr, nil
	}
	return nil, errors.New("the tests run as root, and there is no user postgres or nobody to run a server as")
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// url says how to connect to the servers; the first one that can be written to is taken.
func url(servers ...*server) string {
	var hosts, ports []string
	for _, s := range servers {
		hosts, ports = append(hosts, s.dir), append(ports, "5432")
	}
	return fmt.Sprintf("host=%s port=%s user=tester dbname=postgres target_session_attrs=read-write",
		strings.Join(hosts, ","), strings.Join(ports, ","))
}

// anyURL says how to connect to a server whether or not it can be written to.
func anyURL(s *server) string { return strings.Replace(url(s), "read-write", "any", 1) }

func (s *server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + s.bin}
	cmd.SysProcAttr = s.user
	return cmd
}

func (s *server) run(program string, args ...string) error {
	// The thread is what Pdeathsig watches.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := s.command(program, args...).CombinedOutput()
	if err != nil {
		return errors.Wrapf(err, "%s: %s", program, out)
	}
	return nil
}

// initialize makes an empty database cluster.
func (s *server) initialize() error {
	return s.run("initdb", "--no-sync", "--auth=trust", "--username=tester", "--encoding=UTF8", "--no-locale", "--pgdata", s.data())
}

// copyOf makes a standby of a server that runs.
func (s *server) copyOf(primary *server) error {
	return s.run("pg_basebackup", "--no-sync", "--checkpoint=fast", "--write-recovery-conf",
		"--host", primary.dir, "--username=tester", "--pgdata", s.data())
}

// start starts the server and waits until it can be connected to.
func (s *server) start() error {
	args := append([]string{"-D", s.data(), "-c", "listen_addresses=", "-c", "unix_socket_directories=" + s.dir}, s.args...)
	cmd := s.command("postgres", args...)
	s.log.Reset()
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	started, exited := make(chan error), make(chan struct{})
	go func() {
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
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, anyURL(s))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-exited:
			return errors.Errorf("postgres has ended:\n%s", &s.log)
		case <-ctx.Done():
			s.stop(syscall.SIGQUIT)
			return errors.Wrapf(err, "connect to postgres:\n%s", &s.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server: SIGINT is pg_ctl's mode fast, and SIGQUIT is immediate.
func (s *server) stop(how syscall.Signal) {
	if s.process == nil {
		return
	}
	_ = s.process.Signal(how) // it may have ended
	<-s.exited
	s.process = nil
}

// remove ends the server and leaves nothing of it.
func (s *server) remove() {
	s.stop(syscall.SIGQUIT)
	_ = os.RemoveAll(s.dir) // what can't be removed is in the folder for temporary files
}
