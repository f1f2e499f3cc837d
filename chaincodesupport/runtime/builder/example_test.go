//go:build unix

package builder_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// An operator's builder. This one's chaincode says something, and ends.
	for name, script := range map[string]string{
		"detect": `grep -q '"type":"greeting"' "$2/metadata.json"`,
		"build":  `cp "$1/greeting.txt" "$3"`,
		"run":    `cat "$1/greeting.txt" >&2; exit 1`,
	} {
		path := filepath.Join(dir, "greeter", "bin", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			fmt.Println(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			fmt.Println(err)
		}
	}
	rt, err := builder.New(builder.Config{
		Builders:    []builder.Builder{{Name: "greeter", Path: filepath.Join(dir, "greeter")}},
		Dir:         filepath.Join(dir, "builds"),
		PeerAddress: "127.0.0.1:7052",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := builder.ParsePackage(greetingPackage(), builder.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := rt.Build(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Label, p.Type, b.Builder)
	fmt.Println(rt.Run(context.Background(), p.ID, nil)) // as chaincodesupport does
	// Output:
	// greeting_1.0 greeting greeter
	// container exited with 1 (bin/run of builder "greeter"): hello
}

// greetingPackage returns what "peer lifecycle chaincode package" would have written to a file.
func greetingPackage() *bytes.Buffer {
	code := compressed("greeting.txt", "hello")
	return compressed("metadata.json", `{"type":"greeting","label":"greeting_1.0","path":""}`, "code.tar.gz", code.String())
}

// compressed returns an archive of files, each a name and a text.
func compressed(files ...string) *bytes.Buffer {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for ; len(files) > 0; files = files[2:] {
		if err := tw.WriteHeader(&tar.Header{Name: files[0], Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[1]))}); err != nil {
			fmt.Println(err)
		}
		if _, err := tw.Write([]byte(files[1])); err != nil {
			fmt.Println(err)
		}
	}
	for _, close := range []func() error{tw.Close, gz.Close} {
		if err := close(); err != nil {
			fmt.Println(err)
		}
	}
	return &b
}
