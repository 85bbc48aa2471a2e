package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// raw carries messages as they are: no schema is needed.
type raw struct{}

func (raw) Name() string { return "raw" }

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

const (
	largest = 16 << 20
	large   = 4 << 20
)

// serveCalls: each method echoes its messages.
func serveCalls(port string) {
	listener, err := net.Listen("tcp", ":"+port)
	must(err)
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(largest), grpc.MaxSendMsgSize(largest))
	echo := func(_ any, stream grpc.ServerStream) error {
		for {
			var message []byte
			if err := stream.RecvMsg(&message); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if err := stream.SendMsg(&message); err != nil {
				return err
			}
		}
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "it.Echo",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "One", Handler: func(
			_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var message []byte
			err := decode(&message)
			return &message, err
		}}},
		Streams: []grpc.StreamDesc{{StreamName: "Many", Handler: echo, ServerStreams: true, ClientStreams: true}},
	}, nil)
	must(server.Serve(listener))
}

func call(host, port string) {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	connection, err := grpc.Dial(net.JoinHostPort(host, port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(largest), grpc.MaxCallSendMsgSize(largest)))
	must(err)
	one := func(size int) bool {
		question, got := pattern(size), []byte{}
		must(connection.Invoke(ctx, "/it.Echo/One", &question, &got))
		return bytes.Equal(question, got)
	}
	right := 0
	for i := 0; i < 100; i++ {
		if one(i * 100) {
			right++
		}
	}
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/it.Echo/Many")
	must(err)
	streamed := 0
	for i := 0; i < 100; i++ {
		question, got := pattern(i*1000), []byte{}
		must(stream.SendMsg(&question))
		must(stream.RecvMsg(&got))
		if bytes.Equal(question, got) {
			streamed++
		}
	}
	must(stream.CloseSend())
	var rest []byte
	end := stream.RecvMsg(&rest)
	fmt.Println(right, "calls,", streamed, "in a stream, its end", end == io.EOF, "large", one(large))
}
