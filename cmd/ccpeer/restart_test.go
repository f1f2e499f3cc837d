package main

import (
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres/postgrestest"
)

// anyPort has a peer listen where nobody else does.
var anyPort = []string{"--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--gateway", "127.0.0.1:0"}

// TestServeRestart kills a peer, and looks at what the next one has.
func TestServeRestart(t *testing.T) {
	t.Parallel()
	for name, flag := range map[string]func(t *testing.T) string{
		"default": func(*testing.T) string { return "" },
		"pebble":  func(t *testing.T) string { return "pebble:" + filepath.Join(t.TempDir(), "a", "b") },
		"postgres": func(t *testing.T) string {
			server, err := postgrestest.Start(postgrestest.Config{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Stop)
			return "postgres:" + server.URL()
		},
		"etcd": func(t *testing.T) string {
			cluster, err := etcdtest.Start(t.Context(), etcdtest.Config{Nodes: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := cluster.Stop(); err != nil {
					t.Error(err)
				}
			})
			return "etcd:" + strings.Join(cluster.Endpoints(), ",")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, args := t.TempDir(), append([]string{"--ledger", flag(t)}, anyPort...)
			s := servePeerWithData(t, data, append(args, "-C", "mychannel,other")...)
			if s.channels != "mychannel (1 block), other (1 block)" {
				t.Errorf("the channels are %s", s.channels)
			}
			if want := "pebble:" + filepath.Join(data, "ccpeer", "peer"); name == "default" && s.ledger != want {
				t.Errorf("the ledger is %s, want %s", s.ledger, want)
			}
			var txID string
			for _, call := range []string{`{"Args":["put","k","blue"]}`, `{"Args":["put","k","red"]}`} {
				r := ccpeer(t, "invoke", "-C", "other", "-n", "probe", "-c", call, "--api", s.api)
				r.check(t, exitOK, "(VALID)")
				_, txID, _ = strings.Cut(r.stdout, "txid [")
				txID, _, _ = strings.Cut(txID, "]")
			}
			s.kill(t)

			s = servePeerWithData(t, data, args...)                     // the other channel needs no flag any more
			if s.channels != "mychannel (2 blocks), other (4 blocks)" { // the last ones say that it listens elsewhere now
				t.Errorf("the channels are then %s", s.channels)
			}
			checkRestarted(t, s, txID)
			s.stop(t)
		})
	}
}

// checkRestarted looks at what a peer has on channel other that was restarted after two transactions.
func checkRestarted(t *testing.T, s *served, txID string) {
	t.Helper()
	for args, want := range map[string]string{
		`query|-n|probe|-c|{"Args":["get","k"]}`: "red\n",
		"state|-n|probe|k":                       "  version  block 2, transaction 0\n",
		"block|1":                                "block 1 of other: 1 transaction, 1 valid\n",
		"block|2":                                "  0  " + txID + "  ",
		"block":                                  "Z  VALID  CONFIG\n",
		"tx|" + txID:                             "probe\n  write  k = red\n",
	} {
		ccpeer(t, append(strings.Split(args, "|"), "-C", "other", "--api", s.api)...).check(t, exitOK, want)
	}
	history := ccpeer(t, "state", "-C", "other", "-n", "probe", "k", "--api", s.api)
	if blue, red := strings.LastIndex(history.stdout, "blue"), strings.LastIndex(history.stdout, "red"); red < 0 || blue < red {
		t.Errorf("the history is %s, want red and then blue", history.stdout)
	}
	// What is read goes on where it was.
	ccpeer(t, "invoke", "-C", "other", "-n", "probe", "-c", `{"Args":["put","k","green"]}`, "--api", s.api).check(t, exitOK, "(VALID)")
	ccpeer(t, "block", "4", "-C", "other", "--api", s.api).check(t, exitOK, "block 4 of other")
}

func TestServeInMemory(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for range 2 {
		s := servePeerWithData(t, data, append(anyPort, "--ledger", "memory")...)
		if s.ledger != "memory" || s.channels != "mychannel (1 block)" {
			t.Errorf("the ledger is %s with %s", s.ledger, s.channels)
		}
		ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":["put","k","blue"]}`, "--api", s.api).check(t, exitOK, "(VALID)")
		s.stop(t)
	}
	if left := listing(t, data); len(left) > 1 {
		t.Errorf("files were made: %v", left)
	}
}

// listing returns what is in a folder, with the contents.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := []byte{}
		if info.Mode().IsRegular() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		files[path] = fmt.Sprintf("%s %q", info.Mode(), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestServeRefusesFolders is about folders that must stay as they are.
func TestServeRefusesFolders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"foreign", func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			write1(t, filepath.Join(dir, "notes.txt"), "mine")
		}, "the folder is in use for something else: choose a new or an empty one"},
		{"another format", func(t *testing.T, dir string) {
			write1(t, filepath.Join(dir, "CCPEER-STORE"), "ccpeer store: pebble, format 99\n")
		}, "the store has another format: use the version that it was written by"},
		{"damaged", func(t *testing.T, dir string) {
			manifests, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
			if err != nil || len(manifests) == 0 {
				t.Fatal("there is no manifest", err)
			}
			for _, path := range manifests {
				write1(t, path, strings.Repeat("damaged ", 9))
			}
		}, "the store is damaged: restore the folder from a backup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "ledger")
			s := servePeer(t, append(anyPort, "--ledger", "pebble:"+dir)...)
			ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":["put","k","blue"]}`, "--api", s.api).check(t, exitOK, "(VALID)")
			s.stop(t)
			c.spoil(t, dir)
			refuses(t, dir, c.want)
		})
	}
}

// write1 writes a file, and makes its folder.
func write1(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// refuses checks that a folder is refused in a sentence, and left as it is.
func refuses(t *testing.T, dir, want string) {
	t.Helper()
	before := listing(t, dir)
	r := ccpeer(t, append([]string{"serve", "--dev", "--ledger", "pebble:" + dir}, anyPort...)...)
	r.check(t, exitFailed, want)
	if !strings.HasPrefix(r.stderr, "Error: open data folder "+dir+": ") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("standard error is %q, want a line that names the folder", r.stderr)
	}
	if after := listing(t, dir); !maps.Equal(before, after) {
		t.Errorf("the folder was %v and is %v", before, after)
	}
}

func TestServeRefusesWhatIsInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ledger")
	s := servePeer(t, append(anyPort, "--ledger", "pebble:"+dir)...)
	refuses(t, dir, "the store is open already: is a peer running? Give another folder with --ledger")
	ccpeer(t, "query", "-n", "probe", "-c", `{"Args":["get","k"]}`, "--api", s.api).check(t, exitOK, "\n")
	s.stop(t)
}

// TestServeWithoutServer is about servers that aren't there, or say nothing.
func TestServeWithoutServer(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ ledger, want string }{
		{"postgres://me:secret@" + gone.Addr().String() + "/db", "no server answers there: dial tcp"},
		{"postgres://me:secret@" + silent.Addr().String() + "/db", "no answer within 5s"},
		{"postgres:host=/nowhere user=me password=secret", "no server answers there: dial unix"},
		{"etcd:" + gone.Addr().String(), "no server answers there: dial tcp"},
		{"etcd:" + silent.Addr().String(), "no answer within 5s"},
	} {
		t.Run(c.ledger, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			r := ccpeer(t, append([]string{"serve", "--dev", "--ledger", c.ledger}, anyPort...)...)
			r.check(t, exitFailed, c.want)
			if strings.Contains(r.stderr+r.stdout, "secret") {
				t.Errorf("the password is printed: %s", r.stderr)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
