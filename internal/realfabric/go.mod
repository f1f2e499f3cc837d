module github.com/ccpeer/ccpeer/internal/realfabric

go 1.26.0

require (
	github.com/ccpeer/ccpeer v0.1.0
	go.uber.org/goleak v1.3.0
	google.golang.org/protobuf v1.36.12
)

require github.com/pkg/errors v0.9.1

require go.yaml.in/yaml/v3 v3.0.5 // indirect
