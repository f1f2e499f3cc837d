package main

import (
	"strings"

	"github.com/pkg/errors"
)

// parseList reads a list of survivors: a mutant's name a line, and below it, indented, why it is harmless. Lines that begin
// with # are comments. It returns the reasons by name.
func parseList(text string) (map[string]string, error) {
	reasons := map[string]string{}
	name := ""
	for n, line := range strings.Split(text, "\n") {
		indented := strings.HasPrefix(line, "\t")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !indented && name != "" && reasons[name] == "":
			return nil, errors.Errorf("line %d: survivor %q has no reason: write below it, indented, why it is harmless", n+1, name)
		case !indented:
			if _, ok := reasons[line]; ok {
				return nil, errors.Errorf("line %d: survivor %q is there twice: remove one", n+1, line)
			}
			name, reasons[line] = line, ""
		case name == "":
			return nil, errors.Errorf("line %d: reason %q belongs to no survivor: write the survivor above it", n+1, line)
		default:
			reasons[name] = strings.TrimSpace(reasons[name] + " " + line)
		}
	}
	if name != "" && reasons[name] == "" {
		return nil, errors.Errorf("survivor %q has no reason: write below it, indented, why it is harmless", name)
	}
	return reasons, nil
}
