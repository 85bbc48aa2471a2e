package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

func serve(port string) {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, asked interface{}, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (
			answer interface{}, err error) {
			see(ctx, func() { answer, err = handle(ctx, asked) })
			return answer, err
		}),
		grpc.StreamInterceptor(func(service interface{}, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) (
			err error) {
			see(stream.Context(), func() { err = handle(service, stream) })
			return err
		}))
	pb.RegisterTestServiceServer(server, interop.NewTestServer())
	log.Fatal(server.Serve(listener))
}

// see says of a named call how much time it had when it came, and whether it was given up before it was over.
func see(ctx context.Context, handle func()) {
	received, _ := metadata.FromIncomingContext(ctx)
	names := received.Get("x-seen")
	if len(names) == 0 {
		handle()
		return
	}
	left := "none"
	if deadline, has := ctx.Deadline(); has {
		left = fmt.Sprint(time.Until(deadline).Milliseconds())
	}
	var once sync.Once
	say := func(ended string) {
		once.Do(func() { fmt.Printf("seen %s deadline=%s ended=%s\n", names[0], left, ended) })
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			say("cancelled")
		case <-over:
		}
	}()
	handle()
	if ctx.Err() == nil {
		say("ok")
	}
	close(over)
}
