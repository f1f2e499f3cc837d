// Command protogen makes the Go code of the .proto files. It is the code of protoc-gen-go behind a compiler of .proto files, and
// does what buf generate does. But buf is so large that to build it took longer than everything else that checks the generated code.
//
// Its module's go.mod says which protoc-gen-go it is.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"

	"github.com/bufbuild/protocompile"
	"github.com/pkg/errors"
	gengo "google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// modulePath is what the import paths of generated packages begin with. The rest is the folder below the module's.
const modulePath = "github.com/ccpeer/ccpeer"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: protogen SOURCES OUT: makes below the folder OUT the code of the .proto files below SOURCES")
		os.Exit(2) //nolint:gocritic // nothing is left for stop to do
	}
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

// run makes the code of the .proto files below a folder, and writes it below another one.
func run(ctx context.Context, sources, out string) error {
	names, err := protoFiles(sources)
	if err != nil {
		return err
	}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{sources}}),
		SourceInfoMode: protocompile.SourceInfoStandard, // has the comments
	}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return errors.Wrap(err, "compile")
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: names, Parameter: proto.String("module=" + modulePath)}
	for _, f := range compiled {
		request.ProtoFile = addFile(request.ProtoFile, f)
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return errors.Wrap(err, "read descriptors")
	}
	for _, f := range plugin.Files {
		if f.Generate {
			gengo.GenerateFile(plugin, f)
		}
	}
	response := plugin.Response()
	if response.Error != nil {
		return errors.Errorf("generate: %s", response.GetError())
	}
	return write(out, response.File)
}

func write(out string, files []*pluginpb.CodeGeneratorResponse_File) error {
	for _, f := range files {
		path := filepath.Join(out, filepath.FromSlash(f.GetName()))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return errors.Wrap(err, "make a folder")
		}
		if err := os.WriteFile(path, []byte(f.GetContent()), 0o644); err != nil { //nolint:gosec // a file of the repository
			return errors.Wrap(err, "write")
		}
	}
	return nil
}

// protoFiles returns the names of the .proto files below a folder, as other files import them.
func protoFiles(folder string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*", "*.proto"))
	if err != nil || len(names) == 0 {
		return nil, errors.Errorf("there are no .proto files in the folders of %q (%v)", folder, err)
	}
	for i, name := range names {
		rel, err := filepath.Rel(folder, name)
		if err != nil {
			return nil, errors.Wrap(err, "name a .proto file")
		}
		names[i] = filepath.ToSlash(rel)
	}
	return names, nil
}

// addFile appends a file after those that it imports, which is the order that a plugin wants. A file comes once.
func addFile(files []*descriptorpb.FileDescriptorProto, f protoreflect.FileDescriptor) []*descriptorpb.FileDescriptorProto {
	if slices.ContainsFunc(files, func(have *descriptorpb.FileDescriptorProto) bool { return have.GetName() == f.Path() }) {
		return files
	}
	for i := range f.Imports().Len() {
		files = addFile(files, f.Imports().Get(i).FileDescriptor)
	}
	return append(files, protodesc.ToFileDescriptorProto(f))
}
