// Package otherclock puts the clocks of programs forward that run as processes of their own. Such a program looks at a file that says how
// far. A program for Node does so if it is told to load a script first, and one in Go if it was built with a package time of its own.
package otherclock

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// Variable is the environment variable that names the file.
const Variable = "CHAINCODETEST_CLOCK"

// Ahead is how far a clock is put forward: to another year, month, day, weekday, hour, minute and second.
const Ahead = 400*24*time.Hour + time.Hour + time.Minute + time.Second

// Clock is a file that says how far programs are ahead. The zero Clock is usable.
type Clock struct {
	mu      sync.Mutex
	file    *os.File
	forward int // for how many it is
}

// File returns the name of the file, which is made if it isn't there. Programs may read it until Close.
func (c *Clock) File() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil {
		return c.file.Name(), nil
	}
	file, err := os.CreateTemp("", "chaincodetest-clock-*")
	if err != nil {
		return "", err
	}
	c.file = file
	return file.Name(), c.write(0)
}

// Forward puts the clocks of all programs forward until the function that it returns is called. Several may do so at once.
func (c *Clock) Forward() (back func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return func() {}, nil
	}
	if c.forward == 0 {
		if err := c.write(Ahead); err != nil {
			return nil, err
		}
	}
	c.forward++
	return c.back, nil
}

func (c *Clock) back() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forward--; c.forward == 0 && c.file != nil {
		_ = c.write(0) // it could be written before; and if not, clocks are ahead, which no test may depend on
	}
}

// write needs the lock.
func (c *Clock) write(ahead time.Duration) error {
	_, err := c.file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(ahead/time.Second)), 0) //nolint:gosec // it is no less than 0
	return errors.Wrap(err, "put clocks forward")
}

// Close removes the file.
func (c *Clock) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	name := c.file.Name()
	err := c.file.Close()
	c.file = nil
	if removed := os.Remove(name); err == nil {
		err = removed
	}
	return err
}

//go:embed clock.js
var script []byte

// Node returns the environment for a program that may be one for Node, and that looks at a clock's file. Other programs don't notice.
// env is the environment that was wanted, as KEY=value.
func Node(env []string, file string) ([]string, error) {
	name, err := keep("clock.js", script)
	if err != nil {
		return nil, err
	}
	options := "NODE_OPTIONS="
	var with []string
	for _, kv := range env {
		if strings.HasPrefix(kv, options) {
			options = kv + " "
			continue
		}
		with = append(with, kv)
	}
	return append(with, options+`--require "`+filepath.ToSlash(name)+`"`, Variable+"="+file), nil
}

//go:embed ahead.go.txt
var source []byte

// now is where package time asks what time it is.
var now = regexp.MustCompile(`(?m)^(func Now\(\) Time \{\n\tsec, nsec, mono := \w+\(\)\n)`)

// Overlay returns the name of a file for go build -overlay. What is built with it, by the Go of a GOROOT, looks at a clock's file if
// Variable names one.
func Overlay(goroot string) (string, error) {
	if runtime.GOOS == "windows" {
		return "", errors.New("the clock can't be put forward on Windows")
	}
	original := filepath.Join(goroot, "src", "time", "time.go")
	text, err := os.ReadFile(original) //nolint:gosec // it is Go's own
	if err != nil {
		return "", err
	}
	if !now.Match(text) {
		return "", errors.Errorf("%s isn't as it is known: the clock can't be put forward with this version of Go", original)
	}
	changed, err := keep("time.go", now.ReplaceAll(text, []byte("${1}\tsec += secondsAhead()\n")))
	if err != nil {
		return "", err
	}
	added, err := keep("ahead.go", source)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		original: changed, filepath.Join(filepath.Dir(original), "chaincodetest_ahead.go"): added,
	}})
	if err != nil {
		return "", err
	}
	return keep("overlay.json", overlay)
}

// keep writes a file, whose folder's name follows from what it has, and returns its name. So it is there once, and stays for later
// builds.
func keep(name string, content []byte) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(content)
	folder := filepath.Join(cache, "chaincodetest", "clock", hex.EncodeToString(sum[:8]))
	file := filepath.Join(folder, name)
	if there, err := os.ReadFile(file); err == nil && string(there) == string(content) { //nolint:gosec // we have named it
		return file, nil
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", err
	}
	next, err := os.CreateTemp(folder, name)
	if err != nil {
		return "", err
	}
	_, err = next.Write(content)
	if closed := next.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	return file, errors.Wrapf(err, "keep %s", name)
}
