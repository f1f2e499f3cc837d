module github.com/ccpeer/ccpeer/internal/protogen

go 1.26.0

require (
	github.com/bufbuild/protocompile v0.14.1
	github.com/pkg/errors v0.9.1
	go.uber.org/goleak v1.3.0
	google.golang.org/protobuf v1.36.12
)

require golang.org/x/sync v0.8.0 // indirect
