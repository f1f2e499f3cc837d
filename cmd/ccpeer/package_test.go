package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"testing"
)

// packageText returns a chaincode package, as peer lifecycle chaincode package makes them, with these files of code.
func packageText(t testing.TB, label, kind string, code map[string]string) string {
	t.Helper()
	metadata := fmt.Sprintf(`{"type":%q,"label":%q,"path":""}`, kind, label)
	return archiveText(t, map[string]string{"metadata.json": metadata, "code.tar.gz": archiveText(t, code)})
}

// archiveText returns a .tar.gz.
func archiveText(t testing.TB, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for name, text := range files {
		if err := tw.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range []func() error{tw.Close, gz.Close} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
