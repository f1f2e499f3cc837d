package discovery

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// compactText is a message in the form that it has in errors of Fabric up to 2.5: the compact text of Go's first protobuf library, which
// ends in a blank (golang/protobuf, CompactTextString). Later versions of Fabric have another one, which differs from build to build.
func compactText(m proto.Message) string {
	var w strings.Builder
	writeMessage(&w, m.ProtoReflect())
	return w.String()
}

func writeMessage(w *strings.Builder, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !m.Has(field) {
			continue
		}
		if !field.IsList() {
			writeField(w, field, m.Get(field))
			continue
		}
		for list, j := m.Get(field).List(), 0; j < list.Len(); j++ {
			writeField(w, field, list.Get(j))
		}
	}
}

func writeField(w *strings.Builder, field protoreflect.FieldDescriptor, value protoreflect.Value) {
	fmt.Fprintf(w, "%s:", field.Name())
	switch field.Kind() {
	case protoreflect.MessageKind:
		w.WriteByte('<')
		writeMessage(w, value.Message())
		w.WriteByte('>')
	case protoreflect.StringKind:
		writeQuoted(w, value.String())
	case protoreflect.BytesKind:
		writeQuoted(w, string(value.Bytes()))
	case protoreflect.EnumKind:
		if name := field.Enum().Values().ByNumber(value.Enum()); name != nil {
			w.WriteString(string(name.Name()))
		} else {
			fmt.Fprint(w, value.Enum())
		}
	default:
		fmt.Fprint(w, value.Interface())
	}
	w.WriteByte(' ')
}

func writeQuoted(w *strings.Builder, s string) {
	w.WriteByte('"')
	for _, c := range []byte(s) {
		switch short := strings.IndexByte("\n\r\t\"\\", c); {
		case short >= 0:
			w.WriteString([]string{`\n`, `\r`, `\t`, `\"`, `\\`}[short])
		case c >= ' ' && c < 0x7f:
			w.WriteByte(c)
		default:
			fmt.Fprintf(w, `\%03o`, c)
		}
	}
	w.WriteByte('"')
}
