module github.com/ccpeer/ccpeer/internal/release

go 1.26.0

require (
	github.com/pkg/errors v0.9.1
	go.uber.org/goleak v1.3.0
	golang.org/x/mod v0.43.0
)
