package committer

import (
	"fmt"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// Refusal is why a transaction is invalid.
type Refusal struct {
	// Block is the number of the transaction's block, and Position where it stands in it, from 0.
	Block    uint64
	Position int
	// TxID is the ID that it claims to have. It is empty if it can't be decoded.
	TxID string
	// Code is the code that it has in the block.
	Code kvledger.ValidationCode
	// Reason says more. Only people should read it. It is nil if it was the ledger that has found it invalid.
	Reason error
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Reason == nil {
		return r.Code.String()
	}
	return r.Code.String() + ": " + r.Reason.Error()
}

// Unwrap returns the reason.
func (r *Refusal) Unwrap() error { return r.Reason }

func refuse(code kvledger.ValidationCode, format string, args ...any) error {
	return &Refusal{Code: code, Reason: fmt.Errorf(format, args...)}
}

func refuseBecause(code kvledger.ValidationCode, reason error) error {
	return &Refusal{Code: code, Reason: reason}
}

// report tells of a block that is committed.
func (v *validation) report(codes []kvledger.ValidationCode) {
	c, number, valid := v.committer, v.of.GetHeader().GetNumber(), 0
	for i, code := range codes {
		if code == kvledger.Valid {
			valid++
			continue
		}
		r := Refusal{Block: number, Position: i, TxID: v.txs[i].channel.GetTxId(), Code: code}
		if before := v.txs[i].refusal; before != nil && before.Code == code {
			r.Reason = before.Reason
		}
		c.refusals.Log(c.cfg.Logger, zap.WarnLevel, "invalid transaction", zap.String("txID", fmt.Sprintf("%.8q", r.TxID)),
			zap.Uint64("block", number), zap.Int("position", i), zap.Stringer("code", code), zap.NamedError("reason", cut(r.Reason)))
		if c.cfg.Refused != nil {
			c.cfg.Refused(r)
		}
	}
	c.cfg.Logger.Info("committed block", zap.String("channel", c.cfg.ChannelID), zap.Uint64("block", number),
		zap.Int("transactions", len(codes)), zap.Int("valid", valid))
}

// cut shortens a reason, which strangers have a say in.
func cut(reason error) error {
	const most = 500
	if reason == nil {
		return nil
	}
	if text := reason.Error(); len(text) > most {
		return errors.New(text[:most] + "…")
	}
	return reason
}
