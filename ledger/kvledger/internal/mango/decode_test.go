package mango_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// hardJSON are values that decoders differ about.
func hardJSON() []string {
	return []string{
		`{"a":[1,-0,1.5e+3,0.1E-7,true,false,null,"x",{},[],{"b":{"c":[[]]}}],"a":2}`, " [ 1 , 2 ] x", `{"a" : 1 , "b":[ ]}]`, `"é\ud83d\ude00\u00e9\n"`,
		`"\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\ude00\ud83d"`, "\"\xff\xc3\"", "\"\xe2\x82\"", `"\u12"`, `"\u`, `"\`, `"\x"`, "\"\x01\"", `"a`, `{"a":}`, `{"a" 1}`,
		`{1:2}`, `{,}`, `[,]`, `[1,]`, `{"a":1,}`, `[1 2]`, `01`, `1.`, `-`, `+1`, `.5`, `1e`, `tru`, `nulll`, `NaN`, ``, ` `, `{`, `[`, `{"a"`, `[1`, `null`, `"\u0000"`, `"\\ud83d\ude00"`,
	}
}

// jsonDecode decodes as package json does.
func jsonDecode(data string) (value any, rest string, err error) {
	d := json.NewDecoder(strings.NewReader(data))
	d.UseNumber()
	err = d.Decode(&value)
	return value, data[d.InputOffset():], err
}

func sameDecoded(t *testing.T, data string) {
	t.Helper()
	if first := strings.TrimLeft(data, " \t\r\n"); first == "" || !strings.ContainsAny(first[:1], `{["`) {
		data = "[" + data + "]" // package json takes 01 for two values, but not within others
	}
	want, wantRest, wantErr := jsonDecode(data)
	got, rest, err := mango.Decode([]byte(data))
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%.200q: %v, want %v", data, err, wantErr)
	}
	if err == nil && (!reflect.DeepEqual(got, want) || string(rest) != wantRest) {
		t.Fatalf("%.200q: %.200v and %.100q, want %.200v and %.100q", data, got, rest, want, wantRest)
	}
}

// TestDecode decodes as package json does, also where a string is cut into pieces.
func TestDecode(t *testing.T) {
	for _, data := range hardJSON() {
		sameDecoded(t, data)
	}
	const piece = 64 << 10
	for _, part := range []string{`\ud83d\ude00`, `\ud83d`, `\ude00`, `\\ud83d\ude00`, "é", "\x80", "\xff", "日本", `\n`, "x"} {
		for shift := range 13 {
			text := strings.Repeat("x", piece-20+shift) + strings.Repeat(part, 20)
			whole, _, err := mango.Decode([]byte(`{"a":["` + text + `"]}`))
			if err != nil {
				t.Fatal(err)
			}
			// Package json doesn't cut it.
			end, _, err := jsonDecode(`"` + strings.Repeat(part, 20) + `"`)
			if err != nil {
				t.Fatal(err)
			}
			if got := whole.(map[string]any)["a"].([]any)[0]; got != text[:piece-20+shift]+end.(string) {
				t.Errorf("%q after %d bytes is not what it is elsewhere", part, piece-20+shift)
			}
		}
	}
}

// TestDecodeDeepest decodes as many levels as package json.
func TestDecodeDeepest(t *testing.T) {
	for _, levels := range []int{9_999, 10_000, 10_001} {
		sameDecoded(t, strings.Repeat("[", levels)+strings.Repeat("]", levels))
	}
}

// TestLimitsOfLargeDocument has what is too deep, or has too many digits, far behind in a document.
func TestLimitsOfLargeDocument(t *testing.T) {
	for _, far := range []int{1, 64<<10 - 10, 64 << 10, 200_000} {
		begin := `{"x":"` + strings.Repeat("x", far) + `","a":`
		deep, digits := strings.Repeat("[", mango.MaxDepth), strings.Repeat("7", mango.MaxDigits+1)
		for value, want := range map[string]error{
			deep + strings.Repeat("]", mango.MaxDepth): mango.ErrTooDeep, digits: mango.ErrLongNumber,
		} {
			if _, err := mango.NewDocument("k", []byte(begin+value+"}")); !errors.Is(err, want) {
				t.Errorf("after %d bytes: %v, want %v", far, err, want)
			}
		}
	}
}

// FuzzDecode compares the decoder with that of package json.
func FuzzDecode(f *testing.F) {
	for _, data := range hardJSON() {
		f.Add(data)
	}
	f.Fuzz(sameDecoded)
}

// TestPatternSize counts what is compiled, before it is.
func TestPatternSize(t *testing.T) {
	for _, text := range hardPatterns() {
		parsed, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		// Two are there in any case: the one that fails, and the match.
		if got, want := mango.SizeOf(parsed)+2, len(compiled.Inst); got < want || got > 4*want+400 {
			t.Errorf("%s: %d instructions, want %d", text, got, want)
		}
	}
}

func hardPatterns() []string {
	return []string{
		"", "a", "abc", "^abc$", "^x", "x{0}^x", "a*b", "(a?){50}(a?){40}b", "(ab|cd|e){2,7}", "x{3,}y", "(?i)straße", `\bx\B`, `(?m)^x$`, `(?s).*x`, "[a-z]{1,20}", `\pL+`, `[^x]`,
		"((a{3}){3}){3}", "(|a)*", "a|^b", "foo?", "fo+", `\.x`, "é+", "x$", "(?:a|b|ab)*c",
	}
}

// TestReadMatch matches by runes as package regexp does by bytes.
func TestReadMatch(t *testing.T) {
	for _, pattern := range hardPatterns() {
		match, ok := mango.CompilePattern(pattern)
		if !ok {
			t.Fatalf("%s is no pattern", pattern)
		}
		re := regexp.MustCompile(pattern)
		for _, text := range []string{"", "x", "ax", "xa", "a\nx\nb", "abcd", "xxxy", "STRASSE straße STRAßE", "zzfooo", "aab", "aaabb c", "é", "日本x", "\xffx", ".x", "ababc", strings.Repeat("a", 90) + "b"} {
			if got := match(text); got != re.MatchString(text) {
				t.Errorf("%s on %q: %v", pattern, text, got)
			}
		}
	}
}
