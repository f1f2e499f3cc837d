package group

import (
	"bytes"
	"maps"
	"regexp"
	"sync"
	"time"
)

const (
	// outputBurst is how many bytes of its output a program may have logged at once. That is a long start, or a stack of
	// every goroutine.
	outputBurst = 1 << 20
	// outputRate is how many bytes it may have logged each second from then on.
	outputRate = 64 << 10
	// lineOverhead is what a log adds to a line.
	lineOverhead = 64
)

// Room is how much of a chaincode's output may still be logged. It is the same from one run of the chaincode to the next, so
// that ending and being started again makes no room. The zero value is room for a burst. It is safe for concurrent use.
//
// When it is used up, nothing is logged until there is room for a second's worth again. Otherwise a program that prints without
// end would get a line now and then, each beside one that says how much is missing.
type Room struct {
	mu   sync.Mutex
	used float64 // bytes of the burst
	at   time.Time
	full bool
}

// admit reports whether a line of n bytes may be logged now. If not, wait is how long it takes until lines may be logged again.
func (r *Room) admit(now time.Time, n int) (wait time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drain(now)
	cost := float64(n + lineOverhead)
	if r.full = r.full || r.used+cost > outputBurst; r.full {
		return r.recovery(), false
	}
	r.used += cost
	return 0, true
}

// recovered returns 0 if lines may be logged now, and otherwise how long that takes.
func (r *Room) recovered(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drain(now)
	return r.recovery()
}

// drain makes the room that time has brought. The caller holds mu.
func (r *Room) drain(now time.Time) {
	if passed := now.Sub(r.at); passed > 0 {
		r.used = max(0, r.used-outputRate*passed.Seconds())
		r.at = now
	}
	r.full = r.full && r.used > outputBurst-outputRate
}

// recovery is how long it takes until lines may be logged again. The caller holds mu.
func (r *Room) recovery() time.Duration {
	if !r.full {
		return 0
	}
	// A microsecond more, so that rounding doesn't make it too short.
	return time.Duration((r.used-(outputBurst-outputRate))/outputRate*float64(time.Second)) + time.Microsecond
}

// idle reports whether the room was unused for so long that it is as good as new.
func (r *Room) idle(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Sub(r.at) > outputBurst/outputRate*time.Second
}

// Rooms are those of several chaincodes. The zero value has none. It is safe for concurrent use.
type Rooms struct {
	mu sync.Mutex
	of map[string]*Room
}

// Room returns the room of a chaincode. It forgets those that are as good as new, so that it remembers no more chaincodes than
// have printed something lately.
func (r *Rooms) Room(chaincodeID string) *Room {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(r.of, func(_ string, room *Room) bool { return room.idle(now) })
	room := r.of[chaincodeID]
	if room == nil {
		room = &Room{at: now}
		if r.of == nil {
			r.of = map[string]*Room{}
		}
		r.of[chaincodeID] = room
	}
	return room
}

// flood is what a run of a program has printed and is not in the log.
type flood struct {
	room *Room
	tell func(lines, bytes int)

	mu          sync.Mutex // protects the fields below
	lines, size int        // left out, and not told yet
	timer       *time.Timer
	timers      sync.WaitGroup
	over        bool
}

// admit reports whether a line may be logged now. size is how many bytes of output it is, and n is how many of them are logged.
// What was left out before is told first.
func (f *flood) admit(n, size int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait, ok := f.room.admit(time.Now(), n)
	if ok {
		f.flush()
		return true
	}
	f.lines++
	f.size += size
	f.wait(wait)
	return false
}

// wait has what was left out told after a while, even if nothing is printed until then. mu is held.
func (f *flood) wait(d time.Duration) {
	if f.timer != nil || f.over {
		return
	}
	f.timers.Add(1)
	f.timer = time.AfterFunc(d, func() {
		defer f.timers.Done()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.timer = nil
		if f.over || f.lines == 0 {
			return
		}
		if d := f.room.recovered(time.Now()); d > 0 { // another run has printed meanwhile
			f.wait(d)
			return
		}
		f.flush()
	})
}

// flush tells what was left out. mu is held.
func (f *flood) flush() {
	if f.lines > 0 {
		f.tell(f.lines, f.size)
		f.lines, f.size = 0, 0
	}
}

// end tells what was left out last. Nothing may be printed any more.
func (f *flood) end() {
	f.mu.Lock()
	f.over = true
	if f.timer != nil && f.timer.Stop() {
		f.timers.Done()
	}
	f.flush()
	f.mu.Unlock()
	f.timers.Wait()
}

// control is a sequence by which a terminal changes colours or moves its cursor (ECMA-48, control sequences).
var control = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

// withoutColours returns a line without the sequences that only a terminal wants. Others stay, and are made printable later.
func withoutColours(line []byte) []byte {
	if bytes.IndexByte(line, 0x1b) < 0 {
		return line
	}
	return control.ReplaceAll(line, nil)
}
