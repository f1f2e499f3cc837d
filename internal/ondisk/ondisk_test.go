package ondisk_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/ondisk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSync(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, dir} {
		if err := ondisk.Sync(path); err != nil {
			t.Error(err)
		}
	}
	if err := ondisk.Sync(filepath.Join(dir, "absent")); err == nil && runtime.GOOS != "windows" {
		t.Error("what isn't there was written to disk")
	}
}
