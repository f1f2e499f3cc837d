package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// mutant is a program with one small fault. It is a file in which some bytes are replaced by others.
type mutant struct {
	folder   string // of the package, from the working directory
	file     string // its path from the working directory
	function string // that the fault is in, with its receiver's type
	line     int
	before   string // the line as it is
	after    string // the line as it would be
	text     []byte // the file as it would be
}

// String is how a mutant is named in the list of survivors. It has no line number, which would change with every edit above.
func (m *mutant) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s: %s => %s", filepath.ToSlash(m.file), m.function, m.before, m.after))
}

// order returns where a mutant stands in the order that a seed makes. It depends on the mutant alone. So a sample stays the
// same when something else is edited.
func (m *mutant) order(seed uint64) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s", seed, m) // which never fails
	// FNV's last bytes hardly reach the upper bits, which an order goes by.
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	return x ^ x>>33
}

// mutantsOf returns the mutants of a folder's package, in the order of the seed.
func mutantsOf(folder string, seed uint64) ([]*mutant, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, errors.Wrapf(err, "look for Go files in %q", folder)
	}
	var all []*mutant
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, errors.Wrap(err, "read source")
		}
		mutants, err := mutantsIn(path, text)
		if err != nil {
			return nil, err
		}
		all = append(all, mutants...)
	}
	if len(all) == 0 {
		return nil, errors.Errorf("folder %q has nothing to mutate: name a folder with Go code", folder)
	}
	slices.SortFunc(all, func(a, b *mutant) int { return cmp.Compare(a.order(seed), b.order(seed)) })
	return all, nil
}

// mutantsIn returns the mutants of a file.
func mutantsIn(path string, text []byte) ([]*mutant, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, errors.Wrap(err, "parse source")
	}
	s := &source{path: path, text: text, file: fset.File(parsed.FileStart)}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			s.function = "declarations"
			ast.Inspect(d, s.visitConstant)
			continue
		}
		s.function = f.Name.Name
		if f.Recv != nil {
			s.function = receiver(f.Recv.List[0].Type) + "." + s.function
		}
		ast.Inspect(f.Body, s.visit)
	}
	return s.mutants, nil
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return "?"
}

// source is a file whose mutants are collected.
type source struct {
	path     string
	text     []byte
	file     *token.File
	function string
	mutants  []*mutant
}

// others are what an operator is replaced by: a bound that is off by one, the opposite, the other sign.
var others = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">", token.EQL: "!=", token.NEQ: "==",
	token.LAND: "||", token.LOR: "&&", token.ADD: "-", token.SUB: "+",
}

// visit collects the mutants of a node.
func (s *source) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		s.replace(n.Cond.Pos(), n.Cond.End(), "!("+s.textOf(n.Cond)+")")
	case *ast.BinaryExpr:
		if other := others[n.Op]; other != "" {
			s.replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other)
		}
	case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
		s.replace(n.Pos(), n.End(), "")
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			s.replace(n.Pos(), n.End(), "")
		}
	default:
		return s.visitConstant(n)
	}
	return true
}

// visitConstant collects the mutants of a number.
func (s *source) visitConstant(n ast.Node) bool {
	if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.INT {
		if v, err := strconv.ParseInt(lit.Value, 0, 32); err == nil {
			s.replace(lit.Pos(), lit.End(), strconv.FormatInt(v+1, 10))
		}
	}
	return true
}

func (s *source) textOf(n ast.Node) string {
	return string(s.text[s.file.Offset(n.Pos()):s.file.Offset(n.End())])
}

// replace adds the mutant in which what is from pos to end is replaced.
func (s *source) replace(pos, end token.Pos, by string) {
	from, to := s.file.Offset(pos), s.file.Offset(end)
	// Lines keep their numbers, and failures of the compiler and of tests say where they are.
	by += strings.Repeat("\n", bytes.Count(s.text[from:to], []byte("\n"))-strings.Count(by, "\n"))
	text := slices.Concat(s.text[:from], []byte(by), s.text[to:])
	s.mutants = append(s.mutants, &mutant{
		folder: filepath.Dir(s.path), file: s.path, function: s.function, line: s.file.Line(pos),
		before: lineAt(s.text, from), after: lineAt(text, from), text: text,
	})
}

// lineAt returns the line of a text that an offset is in, without the space around it.
func lineAt(text []byte, offset int) string {
	begin := bytes.LastIndexByte(text[:offset], '\n') + 1
	line, _, _ := bytes.Cut(text[begin:], []byte("\n"))
	return strings.Join(strings.Fields(string(line)), " ")
}
