package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// setting is a text that a flag or a configuration file has given.
type setting struct {
	text string
	from string // "--listen", or "ccpeer.yaml:3: listen"; "" if nothing has given it
	dir  string // what paths are relative to, if that is not the working directory
}

func flagSetting(name, text string) setting { return setting{text: text, from: "--" + name} }

// wrong says what is wrong with the setting.
func (s setting) wrong(format string, args ...any) error {
	text := s.from + ": " + fmt.Sprintf(format, args...)
	if strings.HasPrefix(s.from, "--") {
		return usageError{text}
	}
	return errors.New(text)
}

// path makes a path that the setting has an absolute one. It knows ~/ too: in a file, and behind a colon, no shell replaces it.
func (s setting) path(path string) (string, error) {
	if inHome, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		return filepath.Join(home, inHome), err
	}
	if s.dir != "" && !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	return filepath.Abs(path)
}

// socket makes the path of a Unix socket absolute, if the setting is one.
func (s setting) socket() (string, error) {
	rest, ok := strings.CutPrefix(s.text, "unix:")
	path := strings.TrimPrefix(rest, "//")
	if !ok || path == "" {
		return s.text, nil
	}
	path, err := s.path(path)
	return "unix://" + path, err
}

// address reads a setting that is one.
func (s setting) address(parse func(string) (address, error)) (address, error) {
	text, err := s.socket()
	if err != nil {
		return address{}, s.wrong("%s", err)
	}
	a, err := parse(text)
	if err != nil {
		return a, s.wrong("%s", err)
	}
	return a, nil
}
