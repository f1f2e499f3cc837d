package observe_test

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// asset is a chaincode that reads, writes, and tries to write what it must not.
type asset struct{}

func (asset) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (asset) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	if _, err := stub.GetState("a"); err != nil {
		return shim.Error(err.Error())
	}
	if err := stub.PutState("a", []byte("1")); err != nil {
		return shim.Error(err.Error())
	}
	if err := stub.DelPrivateData("secrets", "a"); err == nil {
		return shim.Error("private data was deleted")
	}
	return shim.Success(nil)
}

// run runs a transaction of the chaincode, on a network whose peer has hooks.
func run(hooks handler.Hooks) {
	ctx := context.Background()
	rt := inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, s, asset{})
	})
	network, err := peer.NewNetwork(ctx, peer.NetworkConfig{
		Support: func(string) chaincodesupport.Config { return chaincodesupport.Config{Hooks: hooks} },
	})
	check(err)
	check(network.Deploy(ctx, "", peer.Chaincode{Name: "asset", Runtime: rt}))
	alice, err := network.Client("alice@Org1MSP", nil)
	check(err)
	_, err = network.Submit(ctx, alice, peer.Call{Chaincode: "asset"})
	check(err)
	check(network.Close(ctx))
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
	}
}

// A counter of requests, by chaincode, type and outcome, in Prometheus.
func Example_prometheus() {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chaincode_requests_total"}, []string{"chaincode", "type", "success"})

	count := func(ctx context.Context, r handler.Request, next handler.RequestFunc) ([]byte, error) {
		payload, err := next(ctx)
		requests.WithLabelValues(r.Transaction.Chaincode, r.Type.String(), fmt.Sprint(err == nil)).Inc()
		return payload, err
	}
	run(handler.Hooks{Requests: []handler.RequestInterceptor{count}})

	registry := prometheus.NewRegistry()
	check(registry.Register(requests))
	families, err := registry.Gather()
	check(err)
	for _, m := range families[0].Metric {
		var labels []string
		for _, l := range m.Label {
			labels = append(labels, l.GetValue())
		}
		fmt.Println(strings.Join(labels, " "), m.Counter.GetValue())
	}
	// Output:
	// asset false DEL_STATE 1
	// asset true GET_STATE 1
	// asset true PUT_STATE 1
}

// A span for each request, in OpenTelemetry. The context carries the span to the ledger, and to chaincode that is called.
func Example_span() {
	spans := tracetest.NewSpanRecorder()
	tracer := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)).Tracer("peer")

	trace := func(ctx context.Context, r handler.Request, next handler.RequestFunc) ([]byte, error) {
		ctx, span := tracer.Start(ctx, r.Type.String())
		defer span.End()
		span.SetAttributes(attribute.String("chaincode", r.Transaction.Chaincode), attribute.String("txid", r.Transaction.TxID))
		payload, err := next(ctx)
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		return payload, err
	}
	run(handler.Hooks{Requests: []handler.RequestInterceptor{trace}})

	var lines []string
	for _, s := range spans.Ended() {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(s.Name(), " ", s.Attributes()[0].Value.AsString(), " ", s.Status().Description)))
	}
	sort.Strings(lines)
	fmt.Println(strings.Join(lines, "\n"))
	// Output:
	// DEL_STATE asset collection mychannel/asset/secrets could not be found
	// GET_STATE asset
	// PUT_STATE asset
}
