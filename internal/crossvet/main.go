// Command crossvet does what go vet does with GOOS set to another system, in a tenth of the time. go vet has the compiler make the
// code of everything that a package imports, the standard library included, although nobody will run it. This program checks the
// types of all that from the source, and then runs the same analyzers. What it can't see is what only code generation or a linker
// finds, such as a function whose assembly is missing. No code here has any.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"

	"github.com/pkg/errors"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/packages"
)

// settings are the flags and arguments.
type settings struct {
	dir      string // in which patterns are looked for; "" is the working directory
	system   string
	tests    bool
	patterns []string
}

func main() {
	var s settings
	flag.StringVar(&s.system, "os", "", "the operating `system`, as GOOS names it")
	flag.BoolVar(&s.tests, "tests", true, "check tests, too")
	flag.Parse()
	s.patterns = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stderr, s); err != nil {
		fmt.Fprintln(os.Stderr, "crossvet:", err)
		os.Exit(1) //nolint:gocritic // nothing is left for stop to do
	}
}

// run checks the packages that the patterns match, and writes what is wrong.
func run(ctx context.Context, w io.Writer, s settings) error {
	if s.system == "" || len(s.patterns) == 0 {
		return errors.New("name an operating system, and packages")
	}
	found, err := packages.Load(&packages.Config{
		Context: ctx,
		Mode:    packages.LoadAllSyntax | packages.NeedModule,
		Dir:     s.dir,
		Env:     append(os.Environ(), "GOOS="+s.system, "CGO_ENABLED=0"),
		Tests:   s.tests,
	}, s.patterns...)
	if err != nil {
		return errors.Wrap(err, "load packages")
	}
	if len(found) == 0 {
		return errors.Errorf("no packages match %q", s.patterns)
	}
	if wrong := complain(w, found); wrong > 0 {
		return errors.Errorf("%d faults keep it from being built for %s", wrong, s.system)
	}
	graph, err := checker.Analyze(suite(), found, nil)
	if err != nil {
		return errors.Wrap(err, "analyze")
	}
	if err := graph.PrintText(w, -1); err != nil {
		return errors.Wrap(err, "write")
	}
	if wrong := count(graph); wrong > 0 {
		return errors.Errorf("go vet finds %d faults for %s", wrong, s.system)
	}
	return nil
}

// suite returns the analyzers of the go vet that this tree is built with. x/tools is ahead of it.
func suite() []*analysis.Analyzer {
	ahead := []string{"scannererr", "sqlrowserr"}
	return slices.DeleteFunc(slices.Clone(vet.Suite), func(a *analysis.Analyzer) bool { return slices.Contains(ahead, a.Name) })
}

// complain writes what is wrong with packages and with what they import, once each, and returns how much that is.
func complain(w io.Writer, found []*packages.Package) int {
	var said []string
	packages.Visit(found, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			text := e.Error()
			if !slices.Contains(said, text) { // a package and the same with its tests have the same faults
				said = append(said, text)
				_, _ = fmt.Fprintln(w, text)
			}
		}
	})
	return len(said)
}

// count returns how often the analyzers have found something, or have failed.
func count(g *checker.Graph) int {
	wrong := 0
	for _, a := range g.Roots {
		wrong += len(a.Diagnostics)
		if a.Err != nil {
			wrong++
		}
	}
	return wrong
}
