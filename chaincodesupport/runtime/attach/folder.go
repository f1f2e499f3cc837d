package attach

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/shimenv"
)

// The folder belongs to the user, and so may what is in it. Nothing is removed or overwritten that a Runtime has not
// written.
//
// How is that known after a peer was killed, when nothing but the files is left? The file that the shell sources tells. It
// is written first and removed last, and begins with a line that only we write. If it is there, files with our names are
// ours. If it isn't, or if there is anything else, the folder is refused and left as it is.

// envName is the file that a shell sources.
const envName = "chaincode.env"

// header is the first line of that file.
const header = "# What ccpeer tells chaincode that is started by hand: source this file in the shell that starts it.\n"

// folder is a folder that has the files, and nothing else.
type folder struct {
	*os.Root
	written []string
}

// openFolder opens the folder dir, and makes it empty.
func openFolder(dir string) (_ *folder, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{Root: root}
	if err := f.clear(dir); err != nil {
		_ = root.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

// clear removes what an earlier Runtime has left in dir. If there is anything else in it, nothing is removed.
func (f *folder) clear(dir string) error {
	info, err := f.Stat(".")
	if err != nil {
		return err
	}
	if isOpenToOthers(info) {
		return errors.Errorf("folder %q is open to others than its owner: say chmod 700", dir)
	}
	inside, err := fs.ReadDir(f.FS(), ".")
	if err != nil || len(inside) == 0 {
		return err
	}
	names := append([]string{envName}, shimenv.FileNames()...)
	for _, e := range inside {
		if !slices.Contains(names, e.Name()) || !e.Type().IsRegular() {
			return errors.Errorf("folder %q has %q in it, which is not ours: give an empty one", dir, e.Name())
		}
	}
	// A power failure leaves an empty file.
	if text, err := f.ReadFile(envName); err != nil || len(text) > 0 && !strings.HasPrefix(string(text), header) {
		return errors.Errorf("folder %q has files in it that are not ours: give an empty one", dir)
	}
	for _, name := range slices.Backward(names) {
		if err := f.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// write writes everything that the chaincode is told.
func (f *folder) write(s *shimenv.Settings) error {
	for _, file := range append([]shimenv.File{{Name: envName, Content: script(s.Environ())}}, s.Files()...) {
		// O_EXCL follows no link, and overwrites nothing.
		w, err := f.OpenFile(file.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		f.written = append(f.written, file.Name)
		_, err = w.Write(file.Content)
		if closeErr := w.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end removes what was written. It returns the first error, but tries to remove all files.
func (f *folder) end() (err error) {
	for _, name := range slices.Backward(f.written) {
		if removeErr := f.Remove(name); err == nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = removeErr
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// script returns the text that a POSIX shell sources to have env, of KEY=value, in its environment.
func script(env []string) []byte {
	var b strings.Builder
	b.WriteString(header)
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		b.WriteString("export " + name + "=" + quote(value) + "\n")
	}
	return []byte(b.String())
}

// quote makes one word of a text. A shell finds nothing to expand in it.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
