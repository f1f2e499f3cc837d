// Package limit holds tables of settings: what each is called, the least that it may be, and what 0 means.
package limit

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pkg/errors"
)

// Row is one setting, either a duration or a number.
type Row struct {
	Name     string
	Duration *time.Duration
	Number   *int
	// Least is the least value that may be given. It is a number of nanoseconds where the setting is a duration.
	Least int64
	// Default is what 0 means. 0: nothing else.
	Default int64
}

// Duration returns the row of a duration, which must not be negative.
func Duration(name string, v *time.Duration, def time.Duration) Row {
	return Row{Name: name, Duration: v, Default: int64(def)}
}

// Number returns the row of a number, which must not be negative.
func Number(name string, v *int, def int) Row {
	return Row{Name: name, Number: v, Default: int64(def)}
}

// From returns the row for a number that may be as little as least.
func (r Row) From(least int64) Row {
	r.Least = least
	return r
}

// Check returns an error that names the first setting of a table that is less than it may be.
func Check(table []Row) error {
	for _, r := range table {
		switch {
		case r.Duration != nil && *r.Duration < time.Duration(r.Least):
			return errors.Errorf("%s is %s, want %d or more", r.Name, *r.Duration, r.Least)
		case r.Number != nil && *r.Number < int(r.Least):
			return errors.Errorf("%s is %d, want %d or more", r.Name, *r.Number, r.Least)
		}
	}
	return nil
}

// Complete replaces each 0 by what it means.
func Complete(table []Row) {
	for _, r := range table {
		switch {
		case r.Duration != nil && *r.Duration == 0:
			*r.Duration = time.Duration(r.Default)
		case r.Number != nil && *r.Number == 0:
			*r.Number = int(r.Default)
		}
	}
}

// String is the default as documents say it: 30 s, 4 MiB, 2,500, or none.
func (r Row) String() string {
	switch n := r.Default; {
	case n == 0:
		return "none"
	case r.Duration != nil:
		return fmt.Sprintf("%d s", n/int64(time.Second))
	case n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1000:
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	default:
		return strconv.FormatInt(n, 10)
	}
}
