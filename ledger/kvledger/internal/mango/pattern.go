package mango

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/pkg/errors"
)

// Limits of a query's regular expressions. A pattern of a few bytes, such as (a{1000}){3}, can be a program of any size. To match
// takes as long as program and text are long together. So there are limits for both.
const (
	// MaxPatternBytes is how long a pattern may be.
	MaxPatternBytes = 8 << 10
	// MaxPatterns is how many patterns a query may have.
	MaxPatterns = 1000
	// MaxPatternSize is how many instructions the programs of a query's patterns may have together. A class of characters
	// counts one more for each five of its ranges.
	MaxPatternSize = 20_000
	// MaxMatchWork is how many instructions times characters a match may take. CouchDB has a limit like it, of its own kind.
	MaxMatchWork = 1 << 31
	// quickMatch is up to what work a match need not be stopped.
	quickMatch = 16 * workStep
)

// patterns counts the patterns of a query, and the instructions that they may still have.
type patterns struct{ count, size int }

// pattern is a regular expression that can be stopped.
type pattern struct {
	*regexp.Regexp
	size   int    // instructions, at most
	prefix string // each match begins with it
	seek   bool   // matches may begin at any place, so one of the prefix is where to begin to look
}

// compile compiles a pattern, if there is room for it. The size is counted before, on what was parsed. The error is nil and
// ok is false for a pattern that is wrong.
func (p *patterns) compile(text string) (compiled *pattern, ok bool, err error) {
	p.count++
	if len(text) > MaxPatternBytes || p.count > MaxPatterns {
		return nil, false, errors.Wrapf(ErrLargePattern, "pattern %d, %d bytes long: %d patterns of %d bytes are the most",
			p.count, len(text), MaxPatterns, MaxPatternBytes)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, false, nil //nolint:nilerr // ok says so; CouchDB has its own error for it
	}
	size := sizeOf(parsed)
	if p.size += size; p.size > MaxPatternSize {
		return nil, false, errors.Wrapf(ErrLargePattern, "%s needs %d instructions, and all patterns together %d: %d are the most",
			cut(text), size, p.size, MaxPatternSize)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, false, nil //nolint:nilerr // as above
	}
	c := &pattern{Regexp: re, size: size}
	c.prefix, _ = re.LiteralPrefix()
	// What is behind a ^ would match at once where the text is cut, and so would some things that a backslash begins.
	c.seek = strings.HasPrefix(text, c.prefix) && !strings.ContainsAny(text, `^\`)
	return c, true, nil
}

// sizeOf returns how many instructions a program has, at most, as package syntax compiles it.
func sizeOf(re *syntax.Regexp) int {
	const tooLarge = MaxPatternSize + 1
	size := 2 // of the node itself, or before and after what it captures or repeats
	switch re.Op {
	case syntax.OpLiteral:
		size += len(re.Rune)
	case syntax.OpCharClass:
		size += len(re.Rune) / 10
	}
	for _, sub := range re.Sub {
		size = min(size+sizeOf(sub), tooLarge)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(1, re.Min+1, re.Max)
	}
	return min(size, tooLarge)
}

// match says whether there is a match. What takes long is read by runes, and so ends with the work.
func (p *pattern) match(w *work, text string) bool {
	// Neither is large enough for an overflow.
	if steps := p.size * len(text); steps <= quickMatch {
		return w.spend(steps/16+1) && p.MatchString(text)
	}
	return p.read(w, text)
}

// read is match for what takes long.
func (p *pattern) read(w *work, text string) bool {
	start := strings.Index(text, p.prefix)
	if start < 0 {
		return false
	}
	if p.seek {
		text = text[start:]
	}
	if p.size*len(text) > MaxMatchWork {
		w.fail(errors.Wrapf(ErrLongMatch, "a pattern of %d instructions on a string of %d bytes: %d times both is the most",
			p.size, len(text), MaxMatchWork))
		return false
	}
	return p.MatchReader(&runes{Reader: strings.NewReader(text), work: w, cost: p.size})
}

// runes reads a text until the work ends. To the matcher that is the text's end.
type runes struct {
	*strings.Reader
	work *work
	cost int // of each character
}

func (r *runes) ReadRune() (rune, int, error) {
	if !r.work.spend(r.cost) {
		return 0, 0, r.work.ended()
	}
	return r.Reader.ReadRune()
}
