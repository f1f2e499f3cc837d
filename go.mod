module github.com/ccpeer/ccpeer

go 1.25.0

require (
	github.com/looplab/fsm v1.0.3
	github.com/pkg/errors v0.9.1
	github.com/tidwall/btree v1.8.2
	go.uber.org/goleak v1.3.0
	go.uber.org/zap v1.28.0
	go.yaml.in/yaml/v3 v3.0.5
	golang.org/x/sys v0.43.0
	google.golang.org/grpc v1.82.0
	google.golang.org/protobuf v1.36.12
)

require (
	go.uber.org/multierr v1.10.0 // indirect
	golang.org/x/net v0.53.0 // indirect
	golang.org/x/text v0.36.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260414002931-afd174a4e478 // indirect
)
