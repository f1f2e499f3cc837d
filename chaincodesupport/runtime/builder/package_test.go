package builder_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
)

func TestParsePackage(t *testing.T) {
	code := targz(t, file{name: "main.go", text: "package main"})
	for name, data := range map[string][]byte{
		"as Fabric makes it": packed(t, "asset_1.0", "golang", code),
		"with something else": targz(t, file{name: "code.tar.gz", text: string(code)}, file{name: "README", text: "x"},
			file{name: "metadata.json", text: metadata("asset_1.0", "golang")}),
	} {
		p, err := builder.ParsePackage(iotest.OneByteReader(bytes.NewReader(data)), builder.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.ID != packageID("asset_1.0", data) || p.Label != "asset_1.0" || p.Type != "golang" || p.Path != "asset/go" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestParsePackageRefuses(t *testing.T) {
	code, meta := string(targz(t)), metadata("a", "golang")
	long := strings.Repeat("a", 191)
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":        {nil, "read gzip header"},
		"no gzip":        {[]byte("PK\x03\x04 and so on"), "read gzip header"},
		"cut off":        {packed(t, "a", "golang", []byte(code))[:40], "unexpected EOF"},
		"no code":        {targz(t, file{name: "metadata.json", text: meta}), "did not find a code package inside the package"},
		"no metadata":    {targz(t, file{name: "code.tar.gz", text: code}), "did not find any package metadata (missing metadata.json)"},
		"two metadata":   {targz(t, file{name: "metadata.json", text: meta}, file{name: "metadata.json", text: meta}), `"metadata.json" is there twice`},
		"metadata link":  {targz(t, file{name: "metadata.json", text: "/etc/passwd", kind: tar.TypeSymlink}), "invalid file type"},
		"a folder":       {targz(t, file{name: "./"}), `tar entry "./" is not a regular file`},
		"no JSON":        {targz(t, file{name: "metadata.json", text: "{"}, file{name: "code.tar.gz", text: code}), "could not unmarshal metadata.json as json"},
		"no label":       {packed(t, "", "golang", []byte(code)), `invalid label ""`},
		"label with ..":  {packed(t, "../a", "golang", []byte(code)), `invalid label "../a". Label must be non-empty`},
		"label with /":   {packed(t, "a/b", "golang", []byte(code)), "invalid label"},
		"label with :":   {packed(t, "a:b", "golang", []byte(code)), "invalid label"},
		"label of lines": {packed(t, "a\n", "golang", []byte(code)), "invalid label"},
		"long label":     {packed(t, long, "golang", []byte(code)), "label has 191 bytes, the limit is 190"},
		"code no gzip":   {packed(t, "a", "golang", []byte("x")), "parse code.tar.gz of chaincode package: read gzip header"},
		"code cut off":   {packed(t, "a", "golang", []byte(code[:15])), "parse code.tar.gz"},
		"many files outside": {targz(t, func() (all []file) {
			for i := range 17 {
				all = append(all, file{name: strings.Repeat("x", i+1)})
			}
			return all
		}()...), "more than 16 files"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := builder.ParsePackage(bytes.NewReader(test.data), builder.Limits{})
			wantText(t, err, "chaincode package", test.want)
			if p != nil {
				t.Errorf("got %+v", p)
			}
		})
	}
	broken := errors.New("the disk is broken")
	if _, err := builder.ParsePackage(iotest.ErrReader(broken), builder.Limits{}); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

// hostile are archives that code.tar.gz must not be.
var hostile = map[string]struct {
	files []file
	want  string
}{
	"absolute":              {[]file{{name: "/etc/evil"}}, `absolute or escaping path "/etc/evil"`},
	"parent":                {[]file{{name: "../evil"}}, "absolute or escaping path"},
	"parent, later":         {[]file{{name: "a/../../evil"}}, "absolute or escaping path"},
	"just the parent":       {[]file{{name: "../", kind: tar.TypeDir}}, "absolute or escaping path"},
	"symbolic link":         {[]file{{name: "a", text: "/etc", kind: tar.TypeSymlink}, {name: "a/evil"}}, `invalid file type '2'`},
	"hard link":             {[]file{{name: "a", text: "/etc/passwd", kind: tar.TypeLink}}, "invalid file type '1'"},
	"device":                {[]file{{name: "a", kind: tar.TypeChar}}, "invalid file type '3'"},
	"pipe":                  {[]file{{name: "a", kind: tar.TypeFifo}}, "invalid file type '6'"},
	"file as the root":      {[]file{{name: ".", kind: tar.TypeReg}}, `"." is there twice`},
	"same file":             {[]file{{name: "a"}, {name: "a"}}, `"a" is there twice`},
	"same file, other name": {[]file{{name: "a/b"}, {name: "./a//b"}}, `"a/b" is there twice`},
	"file for a folder":     {[]file{{name: "a/b"}, {name: "a"}}, `"a" is there twice`},
	"folder for a file":     {[]file{{name: "a"}, {name: "a/"}}, `"a" is there twice`},
	"folder in a file":      {[]file{{name: "a"}, {name: "a/b"}}, `"a" is there twice`},
	"long name":             {[]file{{name: strings.Repeat("a/", 512) + "b"}}, "has 1025 bytes, the limit is 1024"},
	"long part":             {[]file{{name: strings.Repeat("a", 256)}}, "a part that is longer than 255 bytes"},
	"deep":                  {[]file{{name: strings.Repeat("a/", 20) + "b"}}, "more than 20 files and folders"},
	"many":                  {make21(), "more than 20 files and folders"},
	"large":                 {[]file{{name: "a", text: strings.Repeat("a", 17_000)}}, "archive unpacks to more than is allowed"},
	"large together": {[]file{{name: "a", text: strings.Repeat("a", 9_000)}, {name: "b", text: strings.Repeat("a", 9_000)}},
		"archive unpacks to more than is allowed"},
}

func make21() (all []file) {
	for i := range 21 {
		all = append(all, file{name: strings.Repeat("x", i+1)})
	}
	return all
}

var smallLimits = builder.Limits{SourceSize: 16 << 10, SourceFiles: 20}

func TestHostileCode(t *testing.T) {
	for name, test := range hostile {
		t.Run(name, func(t *testing.T) {
			data := packed(t, "a", "golang", targz(t, test.files...))
			p, err := builder.ParsePackage(bytes.NewReader(data), smallLimits)
			wantText(t, err, "parse code.tar.gz of chaincode package: ", test.want)
			if p != nil {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// block is a header of an archive as tar.Writer would not write it.
func block(name string, kind byte, size int) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], fmt.Sprintf("%07o\x00%07o\x00%07o\x00%011o\x00%011o\x00", 0o644, 0, 0, size, 0))
	b[156] = kind
	copy(b[257:], "ustar\x0000")
	sum := 8 * int(' ')
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// A sparse file says that it is large, and takes next to nothing in the archive.
func TestSparseFile(t *testing.T) {
	records := ""
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=hole", "GNU.sparse.realsize=1073741824"} {
		records += fmt.Sprintf("%d %s\n", len(r)+4, r)
	}
	pad := func(text string) []byte { return append([]byte(text), make([]byte, 512-len(text))...) }
	code := slices.Concat(block("x", tar.TypeXHeader, len(records)), pad(records),
		block("hole", tar.TypeReg, 512), pad("1\n1073741824\n0\n"), make([]byte, 1024))
	data := packed(t, "a", "golang", gzipped(t, code))
	_, err := builder.ParsePackage(bytes.NewReader(data), smallLimits)
	wantText(t, err, `"hole": archive unpacks to more than is allowed`)
	if _, err := builder.ParsePackage(bytes.NewReader(data), builder.Limits{SourceSize: 1<<30 + 1}); err != nil {
		t.Errorf("it is no sparse file: %v", err)
	}
}

func TestPackageSizeLimit(t *testing.T) {
	data := packed(t, "a", "golang", targz(t, file{name: "a", text: "b"}))
	if _, err := builder.ParsePackage(bytes.NewReader(data), builder.Limits{PackageSize: int64(len(data)) - 1}); err == nil {
		t.Error("a package over the limit is accepted")
	}
	// It fits, but what it holds does not.
	bomb := targz(t, file{name: "metadata.json", text: strings.Repeat(" ", 1<<20)})
	_, err := builder.ParsePackage(bytes.NewReader(bomb), builder.Limits{PackageSize: 64 << 10})
	wantText(t, err, "archive unpacks to more than is allowed")
}

// What is accepted is unpacked as it is, without what could be dangerous.
func TestUnpack(t *testing.T) {
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{newBuilder(t, "copy", map[string]string{"build": `cp -pR "$1/." "$3"`})}})
	p := newPackage(t, "any", file{name: "./"}, file{name: "src/"}, file{name: "src/"}, file{name: "src/main.go", text: "package main", mode: 0o644},
		file{name: "bin/tool", text: "#!/bin/sh", mode: 0o4755}, file{name: "locked", text: "x", mode: 0o0}, file{name: "..dots/a..b", text: "y"})
	build(t, rt, p)
	got := map[string]string{}
	for _, dir := range []string{"bld"} {
		fsys := os.DirFS(filepath.Join(builder.Folder(rt, p.ID), dir))
		err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(fsys, path)
			info, _ := d.Info()
			got[path] = info.Mode().String() + " " + string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"src/main.go": "-rw-r--r-- package main", "bin/tool": "-rwxr-xr-x #!/bin/sh", "locked": "-rw------- x", "..dots/a..b": "-rw------- y"}
	for path, is := range want {
		if got[path] != is {
			t.Errorf("%s is %q, want %q", path, got[path], is)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}
