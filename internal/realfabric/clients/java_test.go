package clients_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

const (
	// javaJars are what the program in Java needs, as Maven finds it, and sums what they are to be: Maven has no lock file.
	javaJars, javaSums = "java/target/classpath", "java/classpath.sum"
	// resolver is what Maven finds it with.
	resolver = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
)

// java is the command of the program in Java. It has Maven fetch what that needs, where that has not been done yet, and compiles it.
func java(t *testing.T) []string {
	t.Helper()
	path, javac := command(t, "java"), command(t, "javac")
	readSources(t, "java/src/*.java", "java/pom.xml", javaSums)
	jars := jars(t)
	sources, err := filepath.Glob("java/src/*.java")
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	if err := runs(exec.Command(javac, append([]string{"--release", "17", "-d", classes, "-cp", jars}, sources...)...)); err != nil {
		t.Fatal(err)
	}
	return []string{path, "-cp", classes + string(os.PathListSeparator) + jars, "Main"}
}

// jars is the classpath that Maven has found, of files that are what they are to be.
func jars(t *testing.T) string {
	t.Helper()
	mvn := command(t, "mvn")
	find := func() error {
		cmd := exec.Command(mvn, "--batch-mode", "--quiet", "--file", "java/pom.xml", resolver, "-Dmdep.outputFile=target/classpath")
		return runs(cmd)
	}
	if err := once("java/pom.xml", "java/target/installed.xml", find); err != nil {
		t.Fatal(err)
	}
	found, err := sums()
	if os.IsNotExist(err) { // somebody has removed Maven's files since
		if err = find(); err == nil {
			found, err = sums()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if golden.Update() {
		if err := os.WriteFile(javaSums, []byte(found), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(javaSums)
	if err != nil {
		t.Fatal(err)
	}
	if found != string(want) {
		t.Fatalf("Maven found\n%s\nwant\n%s", found, want)
	}
	b, err := os.ReadFile(javaJars)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sums are the jars' SHA-256 and names, a line each.
func sums() (string, error) {
	b, err := os.ReadFile(javaJars)
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, file := range filepath.SplitList(string(b)) {
		jar, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(jar), filepath.Base(file))
	}
	return lines.String(), nil
}
