package mango

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strings"
)

// MaxColumns is how many bytes of a document's columns an index has. What is longer is cut: a store need not hold keys of
// any length.
const MaxColumns = 1000

// Tags of values in columns, in the order of the types. The end of a list or an object comes before all of them.
const (
	tagEnd = iota
	tagNull
	tagFalse
	tagTrue
	tagNumber
	tagString
	tagArray
	tagObject
)

// appendColumn appends a decoded JSON value so that bytes are ordered as compare orders values, and equal where it finds
// them equal. No value's bytes are the beginning of another's, so that what follows them never matters.
func appendColumn(w *work, b []byte, v any) []byte { return appendBeginning(w, b, v, math.MaxInt) }

// appendBeginning is appendColumn, but it may stop once there are most bytes: values are long at times, and columns cut.
func appendBeginning(w *work, b []byte, v any, most int) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, tagNull)
	case bool:
		if v {
			return append(b, tagTrue)
		}
		return append(b, tagFalse)
	case json.Number:
		return appendNumber(append(b, tagNumber), parseNumber(v))
	case string:
		return appendEnded(append(b, tagString), v[:min(len(v), most)])
	case []any:
		b = append(b, tagArray)
		for i := 0; i < len(v) && len(b) < most && w.spend(1); i++ {
			b = appendBeginning(w, b, v[i], most)
		}
		return append(b, tagEnd)
	case map[string]any:
		b = append(b, tagObject)
		for _, name := range sortedNames(w, v) {
			if len(b) >= most || !w.spend(1) {
				break
			}
			b = appendBeginning(w, appendBeginning(w, b, name, most), v[name], most)
		}
		return append(b, tagEnd)
	}
	return b // there are no other decoded values
}

// appendEscaped appends bytes in which a zero byte is told from the end that appendEnded adds.
func appendEscaped(b []byte, data string) []byte {
	for {
		i := strings.IndexByte(data, 0)
		if i < 0 {
			return append(b, data...)
		}
		b = append(append(b, data[:i+1]...), 0xff)
		data = data[i+1:]
	}
}

func appendEnded(b []byte, data string) []byte { return append(appendEscaped(b, data), 0, 0) }

// Kinds of numbers, in their order.
const (
	numberMinusInfinity = iota
	numberNegative
	numberZero
	numberPositive
	numberInfinity
)

// appendNumber appends a number's exact value, 0.m * 2^exponent: first the sign, then the exponent, then m without zeros at
// its end. Of a negative number the latter two are inverted.
func appendNumber(b []byte, n number) []byte {
	sign, exponent, mantissa := n.split()
	switch {
	case exponent > math.MaxInt16 && sign < 0:
		return append(b, numberMinusInfinity)
	case exponent > math.MaxInt16:
		return append(b, numberInfinity)
	case sign == 0:
		return append(b, numberZero)
	case sign > 0:
		b = append(b, numberPositive)
	default:
		b = append(b, numberNegative)
	}
	from := len(b)
	b = binary.BigEndian.AppendUint16(b, uint16(exponent+1<<15))
	b = appendEnded(b, string(mantissa))
	if sign < 0 {
		for i := range b[from:] {
			b[from+i] ^= 0xff
		}
	}
	return b
}

// split returns a number's sign, and the exponent and the bytes of m, whose first bit is set, such that it is 0.m *
// 2^exponent. The exponent is math.MaxInt for what is infinite.
func (n number) split() (sign, exponent int, mantissa []byte) {
	var m uint64
	switch {
	case n.isFloat && math.IsInf(n.float, 0):
		return int(math.Copysign(1, n.float)), math.MaxInt, nil
	case n.isFloat:
		fraction, e := math.Frexp(math.Abs(n.float))
		sign, exponent, m = sgn(n.float), e, uint64(math.Ldexp(fraction, 64))
	case n.large != nil:
		size := n.large.BitLen()
		whole := new(big.Int).Lsh(new(big.Int).Abs(n.large), uint(-size&7))
		return n.large.Sign(), size, trimZeros(whole.Bytes())
	default:
		m = uint64(n.small)
		if n.small < 0 {
			m = -m
		}
		exponent = bits.Len64(m)
		sign, m = sgn(n.small), m<<(64-exponent)
	}
	return sign, exponent, trimZeros(binary.BigEndian.AppendUint64(nil, m))
}

func sgn[T int64 | float64](n T) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// cutColumns cuts columns that are too long.
func cutColumns(b []byte) []byte { return b[:min(len(b), MaxColumns):min(len(b), MaxColumns)] }

// after returns the first bytes that are after all those that begin with prefix, or nil if there are none.
func after(prefix []byte) []byte {
	b := slices.Clone(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return b[:i+1]
		}
	}
	return nil
}
