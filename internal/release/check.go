package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// check does with the modules, as the tree has them, what strangers do with what is published.
func check(ctx context.Context, t *tree, out io.Writer) (err error) {
	version, err := t.version()
	if err != nil {
		return err
	}
	if bad := t.violations(version); len(bad) > 0 {
		return errors.Errorf("this can't be released as %s:\n  %s", version, strings.Join(bad, "\n  "))
	}
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return errors.Wrap(err, "make a folder")
	}
	defer func() {
		if removing := os.RemoveAll(dir); err == nil {
			err = errors.Wrap(removing, "clean up")
		}
	}()
	s, err := newStranger(ctx, dir, out)
	if err != nil {
		return err
	}
	for _, folder := range published() {
		if err := t.writeProxy(s.proxy(), t.find(folder), version); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context, *tree, string) error{s.getModules, s.buildPrograms, s.install} {
		if err := step(ctx, t, version); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(out, "%s can be released\n", version)
	return nil
}

// getModules gets the packages of each module that has some to import into a module of its own, and builds them: with no
// more than the versions that the module requires.
func (s *stranger) getModules(ctx context.Context, t *tree, version string) error {
	for _, folder := range published() {
		m := t.find(folder)
		packages, err := t.packages(ctx, m)
		if err != nil {
			return err
		}
		if len(packages) == 0 {
			continue
		}
		_, _ = fmt.Fprintf(s.out, "%s, go %s, packages: %d\n", pathOf(folder), m.file.Go.Version, len(packages))
		dir, err := s.module(ctx, "get-"+path.Base(pathOf(folder)))
		if err != nil {
			return err
		}
		wanted := make([]string, len(packages))
		for i, p := range packages {
			wanted[i] = p + "@" + version
		}
		if _, err := s.run(ctx, dir, "go", append([]string{"get"}, wanted...)...); err != nil {
			return err
		}
		if _, err := s.run(ctx, dir, "go", append([]string{"build"}, packages...)...); err != nil {
			return err
		}
	}
	return nil
}

// packages returns the paths of a module's packages that others can import.
func (t *tree) packages(ctx context.Context, m *mod) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-f", `{{if ne .Name "main"}}{{.ImportPath}}{{end}}`, "./...")
	cmd.Dir = t.dir(m)
	text, err := cmd.Output()
	if err != nil {
		return nil, errors.Wrapf(err, "list the packages of %s", pathOf(m.folder))
	}
	return slices.DeleteFunc(strings.Fields(string(text)), func(p string) bool {
		return strings.Contains(p+"/", "/internal/")
	}), nil
}

// examples returns the folders of the programs that a stranger may copy from here: those of the README among them, and the
// chaincodes that the program's demo wants.
func (t *tree) examples() ([]string, error) {
	folder := filepath.Join(t.root, "examples")
	programs, err := filepath.Glob(filepath.Join(folder, "*", "main.go"))
	if err != nil || len(programs) == 0 {
		return nil, errors.Errorf("there are no programs in %s (%v)", folder, err)
	}
	for i, file := range programs {
		programs[i] = filepath.Dir(file)
	}
	return append(programs, filepath.Join(folder, "chaincode", "asset"), filepath.Join(folder, "chaincode", "market")), nil
}

// buildPrograms copies the examples into a module, and builds them there.
func (s *stranger) buildPrograms(ctx context.Context, t *tree, version string) error {
	_, _ = fmt.Fprintln(s.out, "the examples, in a module of one's own")
	dir, err := s.module(ctx, "examples")
	if err != nil {
		return err
	}
	programs, err := t.examples()
	if err != nil {
		return err
	}
	for _, program := range programs {
		if err := copyProgram(filepath.Join(dir, filepath.Base(program)), program); err != nil {
			return errors.Wrapf(err, "copy %s", program)
		}
	}
	for _, args := range [][]string{
		{"get", rootPath + "@" + version},
		{"mod", "tidy"},
		{"mod", "verify"},
		{"build", "-o", s.bin() + string(filepath.Separator), "./..."},
	} {
		if _, err := s.run(ctx, dir, "go", args...); err != nil {
			return err
		}
	}
	return s.expect(ctx, `block 3: 200 "||"`, "quickstart")
}

// copyProgram copies the code of a program, and not its tests.
func copyProgram(to, from string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	for _, f := range files {
		if f.IsDir() || strings.HasSuffix(f.Name(), "_test.go") {
			continue // a program of its own, or what isn't a part of it
		}
		text, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// install installs the program, and tries it with the chaincodes that are built.
func (s *stranger) install(ctx context.Context, _ *tree, version string) error {
	_, _ = fmt.Fprintln(s.out, "the program")
	if _, err := s.run(ctx, s.dir, "go", "install", pathOf("cmd/ccpeer")+"@"+version); err != nil {
		return err
	}
	if err := s.expect(ctx, "ccpeer [command]", "ccpeer", "--help"); err != nil {
		return err
	}
	return s.expect(ctx, "calls came out as they should", "ccpeer", "demo", "--ledger", "memory")
}

// expect runs a program that is built or installed, and wants a text in what it prints.
func (s *stranger) expect(ctx context.Context, want, program string, args ...string) error {
	got, err := s.run(ctx, s.dir, filepath.Join(s.bin(), program), args...)
	if err == nil && !strings.Contains(got, want) {
		err = errors.Errorf("%s %s does not print %q, but:\n%s", program, strings.Join(args, " "), want, got)
	}
	return err
}
