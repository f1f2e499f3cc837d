module github.com/ccpeer/ccpeer/internal/realfabric

go 1.26.0

require (
	github.com/ccpeer/ccpeer v0.1.0
	go.uber.org/goleak v1.3.0
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/pkg/errors v0.9.1
	google.golang.org/grpc v1.82.0
)

require (
	github.com/looplab/fsm v1.0.3 // indirect
	github.com/tidwall/btree v1.8.2 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.53.0 // indirect
	golang.org/x/sys v0.43.0 // indirect
	golang.org/x/text v0.36.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260414002931-afd174a4e478 // indirect
)
