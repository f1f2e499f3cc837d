package builder_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
)

// trace is the body of a script that appends its name, and where it is, to a file.
func trace(path, name string) string { return "echo " + name + " >> '" + path + "'" }

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The builders are asked in order, and the first that accepts builds.
func TestDetectOrder(t *testing.T) {
	did := filepath.Join(t.TempDir(), "did")
	var builders []builder.Builder
	for _, b := range []struct{ name, detect string }{{"first", "exit 1"}, {"second", `grep -q '"type":"golang"' "$2/metadata.json"`}, {"third", accept}} {
		builders = append(builders, newBuilder(t, b.name, map[string]string{
			"detect": trace(did, "detect-"+b.name) + "\n" + b.detect, "build": trace(did, "build-"+b.name), "release": trace(did, "release-"+b.name),
		}))
	}
	rt := newRuntime(t, builder.Config{Builders: builders})
	if b := build(t, rt, newPackage(t, "golang")); b.Builder != "second" {
		t.Errorf("built by %s", b.Builder)
	}
	if b := build(t, rt, newPackage(t, "java")); b.Builder != "third" {
		t.Errorf("built by %s", b.Builder)
	}
	want := "detect-first detect-second build-second release-second detect-first detect-second detect-third build-third release-third"
	if got := strings.Join(strings.Fields(read(t, did)), " "); got != want {
		t.Errorf("done: %s\nwant: %s", got, want)
	}
}

// What the scripts are called with, and what is in it.
func TestContract(t *testing.T) {
	t.Setenv("BUILDER_TEST_WANTED", "w")
	t.Setenv("BUILDER_TEST_SECRET", "s")
	t.Setenv("LIBPATH", "/lib")
	look := filepath.Join(t.TempDir(), "look")
	report := `echo "$(basename "$0") $#" >> '` + look + `'; `
	b := newBuilder(t, "b", map[string]string{
		"detect":  report + `test -f "$1/src/main.go"; cat "$2/metadata.json" >> '` + look + `'`,
		"build":   report + `test -f "$1/src/main.go"; test -f "$2/metadata.json"; test -z "$(ls "$3")"; env > "$3/env"; cat > "$3/stdin"`,
		"release": report + `test -f "$1/env"; test -z "$(ls "$2")"; echo x > "$2/released"`,
	})
	b.PropagateEnvironment = []string{"BUILDER_TEST_WANTED", "BUILDER_TEST_UNSET", "PATH"}
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{b}})
	p := newPackage(t, "golang", file{name: "src/main.go", text: "package main"})
	build(t, rt, p)
	if want := "detect 2\n" + metadata("asset_1.0", "golang") + "build 3\nrelease 2\n"; read(t, look) != want {
		t.Errorf("scripts saw %q, want %q", read(t, look), want)
	}
	dir := builder.Folder(rt, p.ID)
	if filepath.Base(dir) != strings.Replace(p.ID, ":", "-", 1) || read(t, filepath.Join(dir, "build-info.json")) != `{"builder_name":"b"}` {
		t.Errorf("%s has %s", dir, read(t, filepath.Join(dir, "build-info.json")))
	}
	if read(t, filepath.Join(dir, "release", "released")) != "x\n" || read(t, filepath.Join(dir, "bld", "stdin")) != "" {
		t.Error("what was built is not what is kept")
	}
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(read(t, filepath.Join(dir, "bld", "env"))), "\n") {
		name, _, _ := strings.Cut(line, "=")
		if !slices.Contains([]string{"PWD", "OLDPWD", "SHLVL", "_"}, name) { // the shell's own
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range []string{"LD_LIBRARY_PATH", "TMPDIR"} {
		if _, ok := os.LookupEnv(name); ok {
			t.Skipf("%s is set", name)
		}
	}
	if want := []string{"BUILDER_TEST_WANTED", "LIBPATH", "PATH"}; !slices.Equal(names, want) {
		t.Errorf("environment has %q, want %q", names, want)
	}
}

// Without any variable to pass on, a script gets none, not all.
func TestEmptyEnvironment(t *testing.T) {
	for _, name := range []string{"LD_LIBRARY_PATH", "LIBPATH", "PATH", "TMPDIR"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	if env := builder.Environ(builder.Builder{}); env == nil || len(env) > 0 {
		t.Errorf("environment is %#v", env)
	}
}

func TestBuildFails(t *testing.T) {
	for name, test := range map[string]struct {
		scripts map[string]string
		want    []string
	}{
		"detect": {map[string]string{"detect": "echo not mine >&2; exit 3"},
			[]string{`no builder is for chaincode of type "golang": bin/detect of builder "b" exited with 3: not mine`}},
		"build": {map[string]string{"build": `echo half > "$3/half"; for i in $(seq 30); do echo "line $i" >&2; done; exit 4`},
			[]string{`bin/build of builder "b" exited with 4: line 11 | line 12`, "| line 30"}},
		"release": {map[string]string{"release": `echo half > "$2/half"; printf 'no \033[1m\007space' >&2; exit 5`},
			[]string{`bin/release of builder "b" exited with 5: no \x07space`}},
		"build that dies":            {map[string]string{"build": "kill -9 $$"}, []string{`bin/build of builder "b" exited with 137 (killed)`}},
		"no interpreter":             {map[string]string{"build": ""}, []string{`start bin/build of builder "b": there is no "/no/such/shell", the interpreter in the first line of `}},
		"release that is no program": {map[string]string{"release": ""}, []string{`bin/release of builder "b", `, "is not executable"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := newBuilder(t, "b", test.scripts)
			rt := newRuntime(t, builder.Config{Builders: []builder.Builder{b}, Dir: dir})
			spoil(t, b, test.scripts)
			p := newPackage(t, "golang", file{name: "a/b"})
			for range 2 { // nothing is kept, a failure neither
				_, err := rt.Build(t.Context(), p)
				wantText(t, err, append(test.want, "build "+p.ID+": ")...)
				wantEmpty(t, dir)
			}
			if _, err := rt.Built(p.ID); !errors.Is(err, builder.ErrNotBuilt) {
				t.Errorf("Built: %v", err)
			}
		})
	}
}

// spoil makes scripts without a body unusable, after New has seen them.
func spoil(t *testing.T, b builder.Builder, scripts map[string]string) {
	t.Helper()
	for script, body := range scripts {
		path, mode := filepath.Join(b.Path, "bin", script), os.FileMode(0o700)
		if body != "" {
			continue
		}
		if script == "release" {
			mode = 0o600
		}
		if err := os.WriteFile(path, []byte("#!/no/such/shell\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}

// The error can be looked at.
func TestScriptError(t *testing.T) {
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{newBuilder(t, "b", map[string]string{"build": "echo a >&2; echo b; exit 4"})}})
	_, err := rt.Build(t.Context(), newPackage(t, "golang"))
	var failed *builder.ScriptError
	if !errors.As(err, &failed) || failed.Builder != "b" || failed.Script != "build" || failed.Code != 4 || failed.Cause != nil ||
		!slices.Equal(slices.Sorted(slices.Values(failed.LastLines)), []string{"a", "b"}) { // the two streams are read at once
		t.Errorf("error is %#v", failed)
	}
}

// A build is stopped by the caller's context, or when it takes too long, with all of its process group.
func TestBuildIsStopped(t *testing.T) {
	for _, script := range []string{"detect", "build", "release"} {
		t.Run(script, func(t *testing.T) {
			address, next := watch(t)
			dir := t.TempDir()
			rt := newRuntime(t, builder.Config{Dir: dir, Grace: time.Second,
				Builders: []builder.Builder{newBuilder(t, "b", map[string]string{script: child(t, "parent", address)})}})
			ctx, cancel := context.WithCancelCause(t.Context())
			built := make(chan error, 1)
			p := newPackage(t, "golang")
			go func() {
				_, err := rt.Build(ctx, p)
				built <- err
			}()
			_, a := next()
			_, b := next()
			why := errors.New("the peer closes")
			cancel(why)
			err := <-built
			wantText(t, err, "bin/"+script+` of builder "b" exited with 143 (terminated), it was stopped: the peer closes`)
			if !errors.Is(err, why) {
				t.Errorf("%v is not its cause", err)
			}
			wantGone(t, a)
			wantGone(t, b)
			wantEmpty(t, dir)
		})
	}
}

func TestBuildTimeout(t *testing.T) {
	address, _ := watch(t)
	rt := newRuntime(t, builder.Config{BuildTimeout: 100 * time.Millisecond,
		Builders: []builder.Builder{newBuilder(t, "b", map[string]string{"build": child(t, "idle", address)})}})
	_, err := rt.Build(t.Context(), newPackage(t, "golang"))
	wantText(t, err, "it was stopped: it has not been built within 100ms")
}

// A build outlives its peer, and is not done again.
func TestRestartReusesBuild(t *testing.T) {
	did, dir := filepath.Join(t.TempDir(), "did"), t.TempDir()
	b := newBuilder(t, "b", map[string]string{"build": trace(did, "built")})
	p := newPackage(t, "golang")
	if _, err := newRuntime(t, builder.Config{Builders: []builder.Builder{b}, Dir: dir}).Built(p.ID); !errors.Is(err, builder.ErrNotBuilt) {
		t.Errorf("Built before: %v", err)
	}
	for _, builders := range [][]builder.Builder{{b}, {b}, {newBuilder(t, "other", nil), b}} {
		if got := build(t, newRuntime(t, builder.Config{Builders: builders, Dir: dir}), p); got.Builder != "b" {
			t.Errorf("built by %s", got.Builder)
		}
	}
	if got := read(t, did); got != "built\n" {
		t.Errorf("built more than once: %q", got)
	}
	_, err := newRuntime(t, builder.Config{Builders: []builder.Builder{newBuilder(t, "new", nil)}, Dir: dir}).Built(p.ID)
	wantText(t, err, `was already built with builder "b", but that builder is no longer available`)
}

// Callers that come while a package is being built wait for it, and one may go away. Another package isn't held up.
func TestBuildOnce(t *testing.T) {
	did := filepath.Join(t.TempDir(), "did")
	address, next := watch(t)
	slow := `if grep -q slow "$2/metadata.json"; then ` + trace(did, "built") + `; (` + child(t, "idle", address) + `); fi`
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{newBuilder(t, "b", map[string]string{"build": slow})}})
	p := newPackage(t, "slow")
	var group sync.WaitGroup
	errs := make(chan error, 4)
	for range 4 {
		group.Go(func() {
			_, err := rt.Build(t.Context(), p)
			errs <- err
		})
	}
	_, running := next()
	build(t, rt, newPackage(t, "quick"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rt.Build(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone got %v", err)
	}
	_ = running.Close()
	group.Wait()
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := read(t, did); got != "built\n" {
		t.Errorf("built more than once: %q", got)
	}
}

// F121: two peers have one folder for their builds. The second one leaves alone what the first one is building and running, and
// both get their builds, also of the same package.
func TestTwoPeersOneFolder(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("folders can't be locked here")
	}
	dir := t.TempDir()
	building, nextBuild := watch(t)
	running, nextRun := watch(t)
	b := newBuilder(t, "b", map[string]string{
		"build": `test ! -f "$1/slow" || (` + child(t, "idle", building) + `); echo built > "$3/done"`,
		"run":   `test -f "$2/chaincode.json" && ` + child(t, "idle", running),
	})
	cfg := builder.Config{Builders: []builder.Builder{b}, Dir: dir, PeerAddress: "127.0.0.1:7052"}
	first, quick, slow := newRuntime(t, cfg), newPackage(t, "golang"), newPackage(t, "golang", file{name: "slow"})
	build(t, first, quick)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran, built := make(chan error, 1), make(chan error, 2)
	go func() { ran <- first.Run(ctx, quick.ID, nil) }()
	nextRun()
	raceToBuild := func(r *builder.Runtime) {
		_, err := r.Build(t.Context(), slow)
		built <- err
	}
	go raceToBuild(first)
	_, one := nextBuild()
	used := scratchIn(t, dir)
	second := newRuntime(t, cfg)
	if now := scratchIn(t, dir); len(used) != 2 || !slices.Equal(now, used) {
		t.Errorf("the second peer has made %q of %q", now, used)
	}
	go raceToBuild(second)
	_, other := nextBuild()
	for _, c := range []io.Closer{one, other} {
		_ = c.Close()
		if err := <-built; err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if got := read(t, filepath.Join(builder.Folder(second, slow.ID), "bld", "done")); got != "built\n" {
		t.Errorf("the build has %q", got)
	}
	if left := scratchIn(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func scratchIn(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, ".scratch-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A build that somebody has damaged is reported, not replaced.
func TestDamagedBuild(t *testing.T) {
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{newBuilder(t, "b", nil)}})
	p := newPackage(t, "golang")
	build(t, rt, p)
	info := filepath.Join(builder.Folder(rt, p.ID), "build-info.json")
	if err := os.WriteFile(info, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := rt.Build(t.Context(), p)
	wantText(t, err, "decode build info of asset_1.0:")
	if err := os.Remove(info); err != nil {
		t.Fatal(err)
	}
	_, err = rt.Build(t.Context(), p)
	wantText(t, err, "read build info of asset_1.0:")
}

// A builder may leave folders that can't be written to, as Go's module cache. To root that makes no difference.
func TestRemoveAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, locked := range []string{"a/b", "a"} {
		if err := os.Chmod(filepath.Join(dir, locked), 0o500); err != nil {
			t.Fatal(err)
		}
	}
	if err := builder.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	ok, runs := newBuilder(t, "ok", nil), newBuilder(t, "runs", map[string]string{"run": accept})
	noDetect, noBuild, notExecutable := newBuilder(t, "x", nil), newBuilder(t, "x", nil), newBuilder(t, "x", nil)
	for _, err := range []error{os.Remove(filepath.Join(noDetect.Path, "bin", "detect")), os.Remove(filepath.Join(noBuild.Path, "bin", "build")),
		os.Chmod(filepath.Join(notExecutable.Path, "bin", "build"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	unnamed, relative, odd := ok, ok, ok
	unnamed.Name, relative.Path, odd.PropagateEnvironment = "", "builders/ok", []string{"SECRET=x"}
	one := func(b builder.Builder) []builder.Builder { return []builder.Builder{b} }
	occupied := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(occupied, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	negative := builder.Config{Builders: one(ok), Dir: "/x"}
	negative.Dial.MaxRecvMsgSize = -1
	for _, test := range []struct {
		cfg  builder.Config
		want string
	}{
		{builder.Config{Dir: "/x"}, "there are no Builders"},
		{builder.Config{Dir: "/x", Builders: []builder.Builder{ok, ok}}, `there are two builders "ok"`},
		{builder.Config{Dir: "/x", Builders: one(unnamed)}, "has no name"},
		{builder.Config{Dir: "/x", Builders: one(relative)}, "is not absolute"},
		{builder.Config{Dir: "/x", Builders: one(odd)}, "is not the name of a variable"},
		{builder.Config{Dir: "/x", Builders: one(noDetect)}, "bin/detect"},
		{builder.Config{Dir: "/x", Builders: one(noBuild)}, "bin/build"},
		{builder.Config{Dir: "/x", Builders: one(notExecutable)}, "is not executable"},
		{builder.Config{Dir: "/x", Builders: one(runs)}, "PeerAddress is required"},
		{builder.Config{Dir: "x", Builders: one(ok)}, "is not an absolute path"},
		{builder.Config{Dir: "/x", Builders: one(ok), BuildTimeout: -1}, "build timeout -1ns is negative"},
		{builder.Config{Dir: "/x", Builders: one(ok), Grace: -1}, "grace time -1ns is negative"},
		{negative, "message size limit -1 is negative"},
		{builder.Config{Dir: occupied, Builders: one(ok)}, "not a directory"},
	} {
		rt, err := builder.New(test.cfg)
		if rt != nil {
			t.Errorf("%+v is accepted", test.cfg)
		}
		if strings.Contains(test.want, "not a directory") {
			wantText(t, err, "make folder for builds", test.want)
			continue
		}
		wantText(t, err, "configure builder runtime: ", test.want)
	}
}

// Limits are the most that there may be.
func TestArchiveAtItsLimit(t *testing.T) {
	data := targz(t, file{name: "a", text: "1"}, file{name: "b/c", text: "2"}) // and the folder b
	for files, fits := range map[int]bool{2: false, 3: true} {
		if err := builder.UnpackUnchecked(data, builder.Limits{SourceSize: 1 << 20, SourceFiles: files}, t.TempDir()); (err == nil) != fits {
			t.Errorf("3 files and folders, of which %d may be: %v", files, err)
		}
	}
	const size = 6 << 9 // three headers or contents of 512 bytes, twice, and two blocks of zeros at the end
	for n, fits := range map[int64]bool{size - 1: false, size: true} {
		if err := builder.UnpackUnchecked(data, builder.Limits{SourceSize: n, SourceFiles: 10}, t.TempDir()); (err == nil) != fits {
			t.Errorf("%d bytes, of which %d may be: %v", size, n, err)
		}
	}
}
