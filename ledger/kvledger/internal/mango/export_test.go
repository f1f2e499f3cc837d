package mango

import "regexp/syntax"

// DecodeSmall and DecodeLarge decode JSON as what is small and what is large is decoded.
func DecodeSmall(data []byte) (value any, rest []byte, err error) {
	rest, err = decode(nil, data, &value)
	return value, rest, err
}

// DecodeLarge is the other one.
func DecodeLarge(data []byte) (value any, rest []byte, err error) { return decodeLarge(nil, data) }

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
