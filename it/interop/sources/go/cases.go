package main

import (
	"context"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type end struct {
	connection *grpc.ClientConn
	service    pb.TestServiceClient
	name       string
}

// The first ones are grpc-go's own; what is seen by the server is not among them.
var cases = []struct {
	name string
	run  func(end)
}{
	{"empty_unary", func(to end) { interop.DoEmptyUnaryCall(to.service) }},
	{"large_unary", func(to end) { interop.DoLargeUnaryCall(to.service) }},
	{"client_streaming", func(to end) { interop.DoClientStreaming(to.service) }},
	{"server_streaming", func(to end) { interop.DoServerStreaming(to.service) }},
	{"ping_pong", func(to end) { interop.DoPingPong(to.service) }},
	{"empty_stream", func(to end) { interop.DoEmptyStream(to.service) }},
	{"timeout_on_sleeping_server", func(to end) { interop.DoTimeoutOnSleepingServer(to.service) }},
	{"cancel_after_begin", func(to end) { interop.DoCancelAfterBegin(to.service) }},
	{"cancel_after_first_response", func(to end) { interop.DoCancelAfterFirstResponse(to.service) }},
	{"status_code_and_message", func(to end) { interop.DoStatusCodeAndMessage(to.service) }},
	{"special_status_message", func(to end) { interop.DoSpecialStatusMessage(to.service) }},
	{"unimplemented_method", func(to end) { interop.DoUnimplementedMethod(to.connection) }},
	{"unimplemented_service", func(to end) {
		interop.DoUnimplementedService(pb.NewUnimplementedServiceClient(to.connection))
	}},
	{"custom_metadata", func(to end) { interop.DoCustomMetadata(to.service) }},
	{"gzip_unary", func(to end) { interop.DoLargeUnaryCall(to.service, grpc.UseCompressor(gzip.Name)) }},
	{"gzip_stream", func(to end) { interop.DoPingPong(to.service, grpc.UseCompressor(gzip.Name)) }},
	{"cancel_seen", cancelSeen},
	{"deadline_seen", deadlineSeen},
	{"deadline_ends", deadlineEnds},
}

func call(which, address, name string) {
	connection, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	for _, each := range cases {
		if each.name == which {
			each.run(end{connection, pb.NewTestServiceClient(connection), name + "." + which})
			return
		}
	}
	log.Fatal("no case ", which)
}

// named has the server say what it sees of the call.
func (to end) named(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-seen", to.name)
}

// openStream has an answer; the next one is so late that the server is about it when the call is given up: a client of
// Node says first that it sends no more, and a server that waits for it would be done.
func (to end) openStream(ctx context.Context) pb.TestService_FullDuplexCallClient {
	stream, err := to.service.FullDuplexCall(to.named(ctx))
	if err == nil {
		err = stream.Send(&pb.StreamingOutputCallRequest{ResponseParameters: []*pb.ResponseParameters{{Size: 1}, {Size: 1, IntervalUs: 60_000_000}}})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		log.Fatal(err)
	}
	return stream
}

func ends(stream pb.TestService_FullDuplexCallClient, code codes.Code) {
	if _, err := stream.Recv(); status.Code(err) != code {
		log.Fatalf("%v, expected %v", err, code)
	}
}

func cancelSeen(to end) {
	ctx, cancel := context.WithCancel(context.Background())
	stream := to.openStream(ctx)
	cancel()
	ends(stream, codes.Canceled)
	// What has to go out for it goes out before the connection closes.
	interop.DoEmptyUnaryCall(to.service)
}

func deadlineSeen(to end) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := to.service.UnaryCall(to.named(ctx), &pb.SimpleRequest{}); err != nil {
		log.Fatal(err)
	}
}

func deadlineEnds(to end) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	ends(to.openStream(ctx), codes.DeadlineExceeded)
	interop.DoEmptyUnaryCall(to.service)
}
