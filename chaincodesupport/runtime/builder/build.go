package builder

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
	"go.uber.org/zap"
)

// A build is there as a whole, or not at all. Everything in this file is for that.
//
// A package is built in a workspace. That is a folder whose name says that it may be thrown away (scratch.go). When all
// scripts have succeeded, the workspace has the layout of a build. It is written to disk, and renamed to the name of its
// package. With the rename, the build comes to be. If you find a folder of that name, you need not ask whether it is complete.
//
// Packages are never rebuilt, because a package ID has the hash of what was built. So a build needs no lock. Only building
// does: claim makes sure that one caller builds each package while the others wait.

// workspace is where a package is built.
type workspace struct{ dir, source, metadata, output, release string }

// Build builds a package, unless it has been built before. If somebody is building it already, Build waits for them. A build
// that fails, or is stopped because ctx has ended, leaves nothing.
func (r *Runtime) Build(ctx context.Context, p *Package) (*Build, error) {
	release, err := r.claim(ctx, p.ID)
	if err != nil {
		return nil, errors.WithMessagef(err, "wait for the build of %s", p.ID)
	}
	defer release()
	if b, err := r.Built(p.ID); !errors.Is(err, ErrNotBuilt) {
		return b, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.BuildTimeout, errors.Errorf("it has not been built within %s", r.cfg.BuildTimeout))
	defer cancel()
	if err := r.build(ctx, p); err != nil {
		return nil, errors.WithMessagef(err, "build %s", p.ID)
	}
	return r.Built(p.ID)
}

// claim waits until nobody else builds a package, and keeps others from it until release is called. A caller that has waited
// looks whether there is a build by now. If not, it tries for itself, because the other one may have failed for a reason of
// its own.
func (r *Runtime) claim(ctx context.Context, packageID string) (release func(), err error) {
	for {
		r.mu.Lock()
		busy, ok := r.building[packageID]
		if !ok {
			done := make(chan struct{})
			r.building[packageID] = done
			r.mu.Unlock()
			return func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				delete(r.building, packageID)
				close(done)
			}, nil
		}
		r.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (r *Runtime) build(ctx context.Context, p *Package) (err error) {
	dir, done, err := r.scratch(ctx, func() (string, error) { return os.MkdirTemp(r.cfg.Dir, scratchPrefix) })
	if err != nil {
		return errors.Wrap(err, "make workspace")
	}
	defer func() {
		if removing := done(); err == nil {
			err = errors.Wrap(removing, "remove workspace")
		}
	}()
	w, err := unpack(p, dir)
	if err != nil {
		return err
	}
	b, err := r.detect(ctx, p, w)
	if err != nil {
		return err
	}
	if err := r.do(ctx, p.ID, b, "build", w.source, w.metadata, w.output); err != nil {
		return err
	}
	releases, err := b.has("release")
	if err != nil {
		return err
	}
	if releases {
		if err := r.do(ctx, p.ID, b, "release", w.output, w.release); err != nil {
			return err
		}
	}
	return r.keep(p.ID, b, w)
}

// unpack makes a workspace of an empty folder, with the package's code in it.
func unpack(p *Package, dir string) (w workspace, err error) {
	w.dir = dir
	for _, folder := range []struct {
		path *string
		name string
	}{{&w.source, "src"}, {&w.metadata, "metadata"}, {&w.output, outputFolder}, {&w.release, releaseFolder}} {
		*folder.path = filepath.Join(w.dir, folder.name)
		if err := os.Mkdir(*folder.path, 0o700); err != nil {
			return w, errors.Wrap(err, "make workspace")
		}
	}
	if err := os.WriteFile(filepath.Join(w.metadata, metadataFile), p.metadata, 0o600); err != nil {
		return w, errors.Wrap(err, "write metadata")
	}
	return w, errors.WithMessagef(p.code.unpack(w.source), "unpack %s", codeFile)
}

// detect returns the builder for a package.
func (r *Runtime) detect(ctx context.Context, p *Package, w workspace) (*Builder, error) {
	var refusals []string
	for i := range r.cfg.Builders {
		b := &r.cfg.Builders[i]
		err := r.do(ctx, p.ID, b, "detect", w.source, w.metadata)
		if err == nil || ctx.Err() != nil {
			return b, err
		}
		refusals = append(refusals, err.Error())
	}
	return nil, errors.Errorf("no builder is for chaincode of type %q: %s", p.Type, strings.Join(refusals, "; "))
}

// do runs a script that is expected to end, with status 0.
func (r *Runtime) do(ctx context.Context, packageID string, b *Builder, script string, args ...string) error {
	log := r.cfg.Logger.Named("chaincode.externalbuilder." + b.Name)
	c := command{builder: b, pkg: packageID, script: script, args: args, log: log.With(zap.String("chaincode", packageID), zap.String("script", script))}
	exit, err := r.run(ctx, c)
	if err != nil {
		return err
	}
	if exit.Code == 0 && ctx.Err() == nil {
		return nil
	}
	return c.failure(exit, context.Cause(ctx))
}

// keep turns a workspace into a build. Up to the rename, there is no build; after it, there is.
func (r *Runtime) keep(packageID string, b *Builder, w workspace) error {
	for _, dir := range []string{w.source, w.metadata} {
		if err := removeAll(dir); err != nil {
			return errors.Wrap(err, "remove source")
		}
	}
	info, err := json.Marshal(buildInfo{BuilderName: b.Name})
	if err != nil {
		return errors.Wrap(err, "encode build info")
	}
	if err := os.WriteFile(filepath.Join(w.dir, infoFile), info, 0o600); err != nil {
		return errors.Wrap(err, "write build info")
	}
	if err := r.disk.syncAll(w.dir); err != nil {
		return errors.Wrap(err, "write build to disk")
	}
	switch err := r.disk.rename(w.dir, r.folder(packageID)); {
	case errors.Is(err, fs.ErrExist): // another peer was quicker, and has built the same
		return nil
	case err != nil:
		return errors.Wrap(err, "keep build")
	}
	return errors.Wrap(r.disk.sync(r.cfg.Dir), "write build to disk")
}

// removeAll is like os.RemoveAll, but also removes folders that may not be written to, such as those of Go's module cache.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // if this fails, the second attempt says so
		}
		return nil
	})
	return os.RemoveAll(dir)
}
