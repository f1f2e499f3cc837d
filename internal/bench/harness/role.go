package harness

import (
	"io"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/bench/child"
)

// role starts what a child process is for.
type role func(args []string) (child.Service, error)

const (
	echoRole       = "echo"
	echoCallerRole = "echo caller"
	peerRole       = "peer"
	chaincodeRole  = "chaincode"
	inProcessRole  = "peer in process"
)

func roles() map[string]role {
	return map[string]role{
		child.SpinRole: child.Spin,
		echoRole:       echo,
		echoCallerRole: echoCaller,
		peerRole:       servePeer,
		chaincodeRole:  runChaincode,
		inProcessRole:  runInProcess,
	}
}

// IsChild reports whether a program with these arguments (without its name) was started by the harness as a child: it
// must then call RunChild and end.
func IsChild(args []string) bool { return len(args) >= 2 && args[0] == child.Marker }

// RunChild is the main function of a child. It returns when in ends.
func RunChild(args []string, in io.Reader, out io.Writer) error {
	start, ok := roles()[args[1]]
	if !ok {
		return errors.Errorf("unknown role %q", args[1])
	}
	service, err := start(args[2:])
	return child.Serve(in, out, service, err)
}
