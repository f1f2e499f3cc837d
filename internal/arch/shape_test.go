package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// The limits of a page: a function that doesn't fit on a screen, a file that nobody reads to its end, and a type that owns too much
// are hard to hold in a head.
const (
	maxFunctionLines = 60
	maxFileLines     = 500
	maxMethods       = 30
	maxFields        = 25
)

// givenByFabric are types whose methods are not ours to choose.
var givenByFabric = map[string]bool{"shim.stub": true}

// shape is what is measured of the code of all modules, tests and generated code apart.
type shape struct {
	root    string
	fset    *token.FileSet
	methods map[string]int // by folder and type
	fields  map[string]int
	// lines of functions, by position, and of files
	functions, files map[string]int
	exported         int // top-level names of packages that are not internal
}

func measure(t *testing.T, root string) *shape {
	t.Helper()
	s := &shape{
		root: root, fset: token.NewFileSet(), methods: map[string]int{}, fields: map[string]int{},
		functions: map[string]int{}, files: map[string]int{},
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".pb.go") {
			return nil
		}
		return s.file(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shape) file(path string) error {
	f, err := parser.ParseFile(s.fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder, err := filepath.Rel(s.root, filepath.Dir(path))
	if err != nil {
		return err
	}
	folder = filepath.ToSlash(folder)
	s.files[folder+"/"+filepath.Base(path)] = s.line(f.FileEnd)
	public := f.Name.Name != "main" && !strings.Contains("/"+folder+"/", "/internal/") && !strings.HasPrefix(folder, "examples")
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			s.function(folder, d, public)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				s.spec(folder, spec, public)
			}
		}
	}
	return nil
}

func (s *shape) function(folder string, d *ast.FuncDecl, public bool) {
	name := folder + "." + d.Name.Name
	if d.Recv != nil {
		typ := folder + "." + receiver(d.Recv.List[0].Type)
		s.methods[typ]++
		name = typ + "." + d.Name.Name
	} else if public && d.Name.IsExported() {
		s.exported++
	}
	s.functions[name] = s.line(d.End()) - s.line(d.Pos())
}

func (s *shape) spec(folder string, spec ast.Spec, public bool) {
	var names []*ast.Ident
	switch d := spec.(type) {
	case *ast.TypeSpec:
		names = []*ast.Ident{d.Name}
		if st, ok := d.Type.(*ast.StructType); ok {
			s.fields[folder+"."+d.Name.Name] = st.Fields.NumFields()
		}
	case *ast.ValueSpec:
		names = d.Names
	}
	for _, n := range names {
		if public && n.IsExported() {
			s.exported++
		}
	}
}

func (s *shape) line(p token.Pos) int { return s.fset.Position(p).Line }

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return "?"
}

// widest returns what is largest, and how large it is.
func widest(sizes map[string]int) (name string, size int) {
	for n, s := range sizes {
		if s > size || s == size && n < name {
			name, size = n, s
		}
	}
	return name, size
}

// TestShape holds types, functions and files to the sizes above. With -v it says what is largest.
func TestShape(t *testing.T) {
	s := measure(t, "../..")
	for name := range givenByFabric {
		delete(s.methods, name)
	}
	for _, kind := range []struct {
		what  string
		sizes map[string]int
		limit int
	}{
		{"methods of a type", s.methods, maxMethods},
		{"fields of a struct", s.fields, maxFields},
		{"lines of a function", s.functions, maxFunctionLines},
		{"lines of a file", s.files, maxFileLines},
	} {
		for name, size := range kind.sizes {
			if size > kind.limit {
				t.Errorf("%s: %s has %d, the limit is %d: split it by who owns what", kind.what, name, size, kind.limit)
			}
		}
		name, size := widest(kind.sizes)
		t.Logf("%s: %d at most, %s", kind.what, size, name)
	}
	t.Logf("exported top-level names of public packages: %d", s.exported)
}
