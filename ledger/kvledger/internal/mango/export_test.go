package mango

import (
	"math"
	"regexp/syntax"
)

// Decode decodes JSON whatever its depth.
func Decode(data []byte) (value any, rest []byte, err error) {
	return decodeDeep(nil, data, math.MaxInt)
}

// SizeOf is what a pattern is taken for before it is compiled.
func SizeOf(parsed *syntax.Regexp) int { return sizeOf(parsed) }

// CompilePattern returns the match of a pattern that reads text by runes, whatever the text's length, and false for no pattern.
func CompilePattern(text string) (match func(string) bool, ok bool) {
	p, ok, err := new(patterns).compile(text)
	if !ok || err != nil {
		return nil, false
	}
	return func(text string) bool { return p.read(nil, text) }, true
}
