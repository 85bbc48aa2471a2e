"""The services of gRPC's interop cases, from their published files: messages by name, and the path of each method."""
import os

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "protos", "testing.set")
INITIAL, TRAILING, NAME = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin", "x-seen"
SERVICE = "grpc.testing.TestService"
LIMITS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]

POOL = descriptor_pool.DescriptorPool()
with open(SET, "rb") as file:
    for described in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
        POOL.Add(described)


def message(name):
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"grpc.testing.{name}"))


Empty = message("Empty")
Payload = message("Payload")
EchoStatus = message("EchoStatus")
SimpleRequest = message("SimpleRequest")
SimpleResponse = message("SimpleResponse")
InputRequest = message("StreamingInputCallRequest")
InputResponse = message("StreamingInputCallResponse")
OutputRequest = message("StreamingOutputCallRequest")
OutputResponse = message("StreamingOutputCallResponse")
Parameters = message("ResponseParameters")


def payload(size):
    return Payload(body=bytes(size))
