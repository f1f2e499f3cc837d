package group

// EachLine and Printable let the tests feed what no process could print in time.
var (
	EachLine  = eachLine
	Printable = printable
)
