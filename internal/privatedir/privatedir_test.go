//go:build unix

package privatedir_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/privatedir"
)

func TestTighten(t *testing.T) {
	for _, test := range []struct {
		mode, after, want fs.FileMode
		text              string
	}{
		{mode: 0o700, after: 0o700},
		{mode: 0o500, after: 0o500},
		{mode: 0o755, after: 0o700, want: 0o755},
		{mode: 0o750, after: 0o700, want: 0o750},
		{mode: 0o701, after: 0o700, want: 0o701},
		{mode: 0o722, after: 0o700, want: 0o722},
		{mode: 0o777, after: 0o700, want: 0o777},
		{mode: 0o770 | fs.ModeSetgid, after: 0o700 | fs.ModeSetgid, want: 0o770 | fs.ModeSetgid},
		{mode: 0o777 | fs.ModeSticky, after: 0o777 | fs.ModeSticky, text: "is shared with others (its mode is dtrwxrwxrwx): choose another one"},
	} {
		t.Run(test.mode.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, test.mode); err != nil {
				t.Fatal(err)
			}
			before, err := privatedir.Tighten(dir)
			if before&^fs.ModeDir != test.want || (err == nil) != (test.text == "") || err != nil && !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, %v, want %v and %q", before, err, test.want, test.text)
			}
			info, err := os.Stat(dir)
			if err != nil || info.Mode() != test.after|fs.ModeDir {
				t.Errorf("the mode is %v, %v, want %v", info.Mode(), err, test.after)
			}
		})
	}
	if _, err := privatedir.Tighten(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

// A folder of another user's can't be changed, unless by root. On Linux, /proc/sys is one that even root can't change.
func TestTightenOthersFolder(t *testing.T) {
	const dir = "/proc/sys"
	if _, err := os.Stat(dir); err != nil {
		t.Skip(err)
	}
	if _, err := privatedir.Tighten(dir); err == nil || !strings.Contains(err.Error(), "others have access to folder /proc/sys (its mode is dr-xr-xr-x): have its owner say chmod 700") {
		t.Errorf("got %v", err)
	}
}
