package kvledger

import (
	"fmt"
	"strconv"
)

// maxShown is how many bytes of a key or a name are in an error. Chaincode chooses how long those are. An error goes to the
// chaincode, to its client and to the log, and each of them may repeat it.
const maxShown = 128

// shown is a key or a name as errors show it. %q is in quotes, %x in hexadecimal digits, and %s as it is. A long one is cut.
type shown string

var _ fmt.Formatter = shown("")

// Format implements fmt.Formatter.
func (s shown) Format(f fmt.State, verb rune) {
	text, cut := string(s), ""
	if len(text) > maxShown {
		text, cut = text[:maxShown], "..."
	}
	switch verb {
	case 'q':
		text = strconv.Quote(text)
	case 'x':
		text = fmt.Sprintf("%x", text)
	}
	_, _ = f.Write([]byte(text + cut)) // fmt's own buffer
}
