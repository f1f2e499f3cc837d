package builder_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
)

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	gz, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gz.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gunzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Nothing that a package holds makes ParsePackage panic; what it accepts can be unpacked, within the limits, and writes
// nothing outside; and what it refuses, unpacked all the same, writes nothing outside either. The fuzzer is given tar, since
// it would not find its way through gzip.
func FuzzParsePackage(f *testing.F) {
	f.Add([]byte(metadata("a", "ccaas")), gunzipped(f, targz(f, file{name: "a/b", text: "c"}, file{name: "d/"})))
	for _, test := range hostile {
		f.Add([]byte(metadata("a", "golang")), gunzipped(f, targz(f, test.files...)))
	}
	f.Fuzz(func(t *testing.T, meta, code []byte) {
		code = gzipped(t, code)
		data := targz(t, file{name: "metadata.json", text: string(meta)}, file{name: "code.tar.gz", text: string(code)})
		outside := t.TempDir()
		inside := filepath.Join(outside, "in", "side")
		if err := os.MkdirAll(inside, 0o700); err != nil {
			t.Fatal(err)
		}
		p, err := builder.ParsePackage(bytes.NewReader(data), smallLimits)
		if err != nil {
			_ = builder.UnpackUnchecked(code, smallLimits, inside)
		} else if err := builder.Unpack(p, inside); err != nil {
			t.Errorf("unpack what was accepted: %v", err)
		}
		wantInside(t, outside)
	})
}

// wantInside checks what is below a folder in which nothing but in/side should have anything.
func wantInside(t *testing.T, outside string) {
	var size int64
	files := 0
	err := filepath.WalkDir(outside, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(outside, path)
		switch {
		case name == "." || name == "in" || name == "in/side":
			return nil
		case len(name) < len("in/side/") || name[:len("in/side/")] != "in/side/":
			t.Errorf("%q is outside", name)
		case !d.IsDir() && !d.Type().IsRegular():
			t.Errorf("%q is a %s", name, d.Type())
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			size += info.Size()
		}
		files++
		return err
	})
	if err != nil || size > smallLimits.SourceSize || files > smallLimits.SourceFiles {
		t.Errorf("%d files of %d bytes, %v", files, size, err)
	}
}
