package mango

import "encoding/json"

// Kept is about how many bytes the query keeps in memory.
func (q *Query) Kept() int { return q.kept }

// Kept is about how many bytes the position keeps in memory.
func (p Position) Kept() int { return len(p.Key) + sizeInMemory(p.Values) }

// What Go needs for values and conditions beside their bytes, about.
const (
	stringSize      = 16
	listSize        = 24
	itemSize        = 16
	emptySize       = 48 // an object without members
	objectSize      = 312
	memberSize      = 40
	inMemory        = 192 // a condition
	instructionSize = 100 // of a regular expression, of which most patterns have one for each byte
)

// sizeOfSelector is about how many bytes a selector takes.
func sizeOfSelector(s Selector) int {
	switch s := s.(type) {
	case *Condition:
		size := inMemory + 2*len(s.Field) + sizeInMemory(s.Arg) + sizeOfSelector(s.Elements)
		switch list, _ := s.Arg.([]any); s.Op {
		case OpIn, OpNin, OpAll:
			size += itemSize * len(list) // sorted
		case OpRegex:
			size += instructionSize * sizeInMemory(s.Arg)
		}
		return size
	case And:
		return sizeOfSelectors(s)
	case Or:
		return sizeOfSelectors(s)
	case Not:
		return itemSize + sizeOfSelector(s.Selector)
	}
	return 0
}

func sizeOfSelectors(parts []Selector) (size int) {
	for _, part := range parts {
		size += itemSize + sizeOfSelector(part)
	}
	return size
}

// sizeInMemory is about how many bytes a decoded value takes.
func sizeInMemory(value any) int {
	switch v := value.(type) {
	case string:
		return stringSize + len(v)
	case json.Number:
		return stringSize + len(v)
	case []any:
		size := listSize
		for _, item := range v {
			size += itemSize + sizeInMemory(item)
		}
		return size
	case map[string]any:
		if len(v) == 0 {
			return emptySize
		}
		size := objectSize
		for name, member := range v {
			size += memberSize + len(name) + sizeInMemory(member)
		}
		return size
	}
	return 0
}
