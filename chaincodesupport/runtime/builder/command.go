package builder

import (
	"context"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// lastLines is how many lines of each of a script's streams an error keeps.
const lastLines = 20

// command is a script, and what it is called with.
type command struct {
	builder *Builder
	pkg     string // the ID of the package that it is for
	script  string
	args    []string
	log     *zap.Logger
}

// run runs a script until it and every process of its group have ended, and returns how it ended. ctx ends it. An error says
// that the script could not be started, or that it is unknown how it ended.
func (r *Runtime) run(ctx context.Context, c command) (*group.Exit, error) {
	p, err := group.Start(group.Config{
		Path:      c.builder.script(c.script),
		Args:      c.args,
		Env:       c.builder.environ(),
		Log:       c.log,
		Level:     r.cfg.OutputLevel,
		Room:      r.rooms.Room(c.pkg),
		LastLines: lastLines,
		Grace:     r.cfg.Grace,
	})
	if err != nil {
		return nil, errors.WithMessagef(err, "start bin/%s of builder %q", c.script, c.builder.Name)
	}
	exit, err := p.Wait(ctx)
	if err != nil {
		return nil, errors.WithMessagef(err, "run bin/%s of builder %q", c.script, c.builder.Name)
	}
	return exit, nil
}

// failure returns the error for a script that should have ended otherwise. cause is why the peer has stopped it, or nil.
func (c command) failure(exit *group.Exit, cause error) *ScriptError {
	return &ScriptError{Exit: exit.Exit, Builder: c.builder.Name, Script: c.script, Cause: cause}
}
