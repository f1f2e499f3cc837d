package system

import (
	"fmt"
	"math"
	"strconv"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// getChainInfo is the one function of qscc that needs no third argument.
const getChainInfo = "GetChainInfo"

// qscc runs a function, whose arguments are its name, a channel's ID, and what is asked for (Fabric: core/scc/qscc, query.go). The
// channel is the one in the arguments, whatever the proposal's is.
func qscc(c *call) *pb.Response {
	if len(c.args) < 2 {
		return shim.Error(fmt.Sprintf("Incorrect number of arguments, %d", len(c.args)))
	}
	function, channelID := c.function(), string(c.args[1])
	if c.err != nil {
		return shim.Error(fmt.Sprintf("Failed getting signed proposal from stub, %s: %s", channelID, c.err))
	}
	name, err := c.invoked()
	switch {
	case err != nil:
		return shim.Error(fmt.Sprintf("Failed to identify the called chaincode: %s", err))
	case name != QSCC:
		return shim.Error(fmt.Sprintf("Rejecting invoke of QSCC from another chaincode because of potential for deadlocks, original invocation for '%s'", name))
	case function != getChainInfo && len(c.args) < 3:
		return shim.Error("missing 3rd argument for " + function)
	}
	channel := c.cfg.Channel(channelID)
	if channel == nil {
		return shim.Error("Invalid chain ID, " + channelID)
	}
	if err := c.check("qscc/"+function, channelID); err != nil {
		return shim.Error(fmt.Sprintf("access denied for [%s][%s]: [%s]", function, channelID, err))
	}
	return c.query(channel.Ledger)
}

// query runs a function of qscc that may be run.
func (c *call) query(l Ledger) *pb.Response {
	switch function := c.function(); function {
	case "GetTransactionByID":
		return c.transaction(l, string(c.args[2]))
	case "GetBlockByNumber":
		return c.block(l, string(c.args[2]))
	case "GetBlockByHash":
		return c.blockByHash(l, c.args[2])
	case getChainInfo:
		info, err := l.Info(c.ctx)
		return answer(info, prefixed(err, "Failed to get block info with error "))
	case "GetBlockByTxID":
		return c.blockByTxID(l, string(c.args[2]))
	default:
		return shim.Error(fmt.Sprintf("Requested function %s not found.", function))
	}
}

func (c *call) transaction(l Ledger, txID string) *pb.Response {
	tx, err := l.Transaction(c.ctx, txID)
	if errors.Is(err, ErrNotFound) {
		err = errors.Errorf("no such transaction ID [%s] in index", txID)
	}
	return answer(tx, prefixed(err, "Failed to get transaction with id "+txID+", error "))
}

func (c *call) block(l Ledger, text string) *pb.Response {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return shim.Error(fmt.Sprintf("Failed to parse block number with error %s", err))
	}
	b, err := c.numbered(l, number)
	return answer(b, prefixed(err, fmt.Sprintf("Failed to get block number %d, error ", number)))
}

// numbered returns a block. The greatest number stands for the newest one.
func (c *call) numbered(l Ledger, number uint64) (*pb.Block, error) {
	if number == math.MaxUint64 {
		info, err := l.Info(c.ctx)
		if err != nil {
			return nil, err
		}
		number = info.GetHeight() - 1
	}
	b, err := l.Block(c.ctx, number)
	if errors.Is(err, ErrNotFound) {
		err = errors.Errorf("no such block number [%d] in index", number)
	}
	return b, err
}

func (c *call) blockByHash(l Ledger, hash []byte) *pb.Response {
	b, err := l.BlockByHash(c.ctx, hash)
	if errors.Is(err, ErrNotFound) {
		err = errors.Errorf("no such block hash [%x] in index", hash)
	}
	return answer(b, prefixed(err, "Failed to get block hash "+string(hash)+", error "))
}

func (c *call) blockByTxID(l Ledger, txID string) *pb.Response {
	b, err := l.BlockByTxID(c.ctx, txID)
	if errors.Is(err, ErrNotFound) {
		err = errors.Errorf("no such transaction ID [%s] in index", txID)
	}
	return answer(b, prefixed(err, "Failed to get block for txID "+txID+", error "))
}

// prefixed is an error with a text before its own.
func prefixed(err error, text string) error {
	if err == nil {
		return nil
	}
	return errors.New(text + err.Error())
}
