package main

import (
	"bytes"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	"go.yaml.in/yaml/v3"
)

// value is a value in a YAML file, which JSON is too. Its readers refuse what they don't know, and say where it stands.
type value struct {
	file string // as the user has named it
	dir  string // the file's, absolute
	key  string // chaincodes.asset.restart; "" for the whole file
	node *yaml.Node
}

// reader reads a value into what it has been made for.
type reader func(value) error

// readYAML reads the one value that is in a file.
func readYAML(file string, read reader) error {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return errors.Wrap(err, "find the folder of the configuration file")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return errors.Wrap(err, "read the configuration file")
	}
	return parseYAML(value{file: file, dir: dir}, text, read)
}

func parseYAML(v value, text []byte, read reader) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	if err := d.Decode(&document); err == io.EOF {
		return errors.Errorf("%s: there is nothing in it", v.file)
	} else if err != nil {
		return errors.Errorf("%s: this is not YAML: %s", v.file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(&more); err != io.EOF {
		return errors.Errorf("%s: something follows the first document: want one", v.file)
	}
	v.node = resolved(document.Content[0])
	return read(v)
}

// resolved is what an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// inside is a value in v.
func (v value) inside(key string, n *yaml.Node) value {
	v.key = strings.TrimPrefix(v.key+"."+key, ".")
	v.node = resolved(n)
	return v
}

// wrong says what is wrong with a value.
func (v value) wrong(format string, args ...any) error { return v.setting("").wrong(format, args...) }

// setting is a text with the place that it stands in.
func (v value) setting(text string) setting {
	from := v.file + ":" + strconv.Itoa(v.node.Line)
	if v.key != "" {
		from += ": " + v.key
	}
	return setting{text: text, from: from, dir: v.dir}
}

// entries reads a mapping whose keys are names that the user chooses.
func entries(read func(name string, v value) error) reader {
	return func(v value) error {
		if v.node.Kind != yaml.MappingNode {
			return v.wrong("%s: want keys with values, one a line", v.describe())
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(v.node.Content); i += 2 {
			name := resolved(v.node.Content[i])
			at := v
			at.node = name
			if name.Kind != yaml.ScalarNode {
				return at.wrong("a key is no text")
			}
			if seen[name.Value] {
				return at.wrong("key %s is there twice", quote(name.Value))
			}
			seen[name.Value] = true
			if err := read(name.Value, v.inside(name.Value, v.node.Content[i+1])); err != nil {
				return err
			}
		}
		return nil
	}
}

// keys reads a mapping whose keys are these.
func keys(known map[string]reader) reader {
	return func(v value) error {
		return entries(func(name string, inside value) error {
			if read := known[name]; read != nil {
				return read(inside)
			}
			inside.key = v.key
			return inside.wrong("key %s is not known: want one of %s", quote(name), strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		})(v)
	}
}

// list reads a list.
func list(read reader) reader {
	return func(v value) error {
		if v.node.Kind != yaml.SequenceNode {
			return v.wrong("%s: want a list, in brackets or one a line behind dashes", v.describe())
		}
		for i, n := range v.node.Content {
			if err := read(v.inside(strconv.Itoa(i+1), n)); err != nil {
				return err
			}
		}
		return nil
	}
}

// describe is what to call a value that is of the wrong kind.
func (v value) describe() string {
	switch {
	case v.node.Kind == yaml.MappingNode:
		return "these are keys"
	case v.node.Kind == yaml.SequenceNode:
		return "this is a list"
	case v.node.ShortTag() == "!!null":
		return "there is no value"
	default:
		return quote(v.node.Value)
	}
}

// text is the text of a value that isn't empty; numbers are texts too, as they are written.
func (v value) text() (string, error) {
	if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() == "!!null" || v.node.Value == "" {
		return "", v.wrong("%s: want a text", v.describe())
	}
	return v.node.Value, nil
}

func intoText(to *string) reader {
	return func(v value) (err error) {
		*to, err = v.text()
		return err
	}
}

func intoSetting(to *setting) reader {
	return func(v value) error {
		text, err := v.text()
		*to = v.setting(text)
		return err
	}
}

// intoTexts reads a list of texts, which are then not nil.
func intoTexts(to *[]string) reader {
	return func(v value) error {
		*to = []string{}
		return list(func(v value) error {
			if v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!str" { // also an empty one
				*to = append(*to, v.node.Value)
				return nil
			}
			text, err := v.text()
			*to = append(*to, text)
			return err
		})(v)
	}
}

// intoPath reads a path, which is relative to the file.
func intoPath(to *string) reader {
	return func(v value) error {
		text, err := v.text()
		if err != nil {
			return err
		}
		if *to, err = v.setting(text).path(text); err != nil {
			return v.wrong("%s", err)
		}
		return nil
	}
}

func intoBool(to *bool) reader {
	return func(v value) error {
		if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() != "!!bool" {
			return v.wrong("%s: want true or false", v.describe())
		}
		*to = strings.EqualFold(v.node.Value, "true")
		return nil
	}
}

func intoDuration(to *time.Duration) reader {
	return func(v value) (err error) {
		if *to, err = time.ParseDuration(v.node.Value); err != nil || *to <= 0 || v.node.Kind != yaml.ScalarNode {
			return v.wrong("%s: want a time such as 500ms, 30s or 5m", v.describe())
		}
		return nil
	}
}

func intoCount(to *int) reader {
	return func(v value) (err error) {
		if *to, err = strconv.Atoi(v.node.Value); err != nil || *to <= 0 || v.node.Kind != yaml.ScalarNode {
			return v.wrong("%s: want a number, 1 or more", v.describe())
		}
		return nil
	}
}

// units are what sizes may have, in bytes.
var units = map[string]int{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

func intoSize(to *int) reader {
	return func(v value) error {
		number, unit := v.node.Value, 1
		for suffix, n := range units {
			if before, ok := strings.CutSuffix(number, suffix); ok {
				number, unit = strings.TrimSpace(before), n
				break
			}
		}
		n, err := strconv.Atoi(number)
		if err != nil || n <= 0 || n > math.MaxInt/unit || v.node.Kind != yaml.ScalarNode {
			return v.wrong("%s: want a number of bytes, or one such as 64KiB, 100MiB or 1GiB", v.describe())
		}
		*to = n * unit
		return nil
	}
}
