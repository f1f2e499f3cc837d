//go:build unix

package process

// EachLine and Printable let the tests feed what no process could print in time.
var (
	EachLine  = eachLine
	Printable = printable
)
