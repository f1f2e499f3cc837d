package shim

import (
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

const (
	compositePrefix = "\x00"               // begins every composite key
	separator       = "\x00"               // ends every part of one
	maxRune         = string(utf8.MaxRune) // sorts after everything that a composite key may contain
	firstSimpleKey  = "\x01"               // sent for an empty start: past all composite keys
)

// CreateCompositeKey joins objectType and attributes to a key that sorts by them, in this order, apart from simple keys.
// Each must be valid UTF-8 without U+0000 and U+10FFFF.
func CreateCompositeKey(objectType string, attributes []string) (string, error) {
	if err := checkAttribute(objectType); err != nil {
		return "", err
	}
	var key strings.Builder
	key.WriteString(compositePrefix + objectType + separator)
	for _, a := range attributes {
		if err := checkAttribute(a); err != nil {
			return "", err
		}
		key.WriteString(a + separator)
	}
	return key.String(), nil
}

func splitCompositeKey(key string) (string, []string, error) {
	rest, begun := strings.CutPrefix(key, compositePrefix)
	rest, ended := strings.CutSuffix(rest, separator)
	if !begun || !ended {
		return "", nil, errors.Errorf("not a composite key: %q", key)
	}
	parts := strings.Split(rest, separator)
	return parts[0], parts[1:], nil
}

func checkAttribute(s string) error {
	if !utf8.ValidString(s) {
		return errors.Errorf("not a valid utf8 string: [%x]", s)
	}
	for i, r := range s {
		if r == 0 || r == utf8.MaxRune {
			return errors.Errorf("input contains unicode %#U starting at position [%d]. %#U and %#U are not allowed in the input attribute of a composite key",
				r, i, 0, utf8.MaxRune)
		}
	}
	return nil
}

// simpleRange returns the range as it is sent. Composite keys are not for simple ranges.
func simpleRange(start, end string) (string, string, error) {
	if start == "" {
		start = firstSimpleKey
	}
	for _, key := range []string{start, end} {
		if strings.HasPrefix(key, compositePrefix) {
			return "", "", errors.Errorf("first character of the key [%s] contains a null character which is not allowed", key)
		}
	}
	return start, end, nil
}

// compositeRange returns the range of all keys that begin with a partial composite key.
func compositeRange(objectType string, attributes []string) (string, string, error) {
	key, err := CreateCompositeKey(objectType, attributes)
	return key, key + maxRune, err
}
