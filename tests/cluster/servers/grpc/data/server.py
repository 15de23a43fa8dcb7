"""A gRPC server of bytes: a call for a call, a stream for a call, a stream for a stream; and the
metadata of a call, as JSON."""

import json
import signal
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse


def say(request: bytes, context: grpc.ServicerContext) -> bytes:
    return request.upper()


def count(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    for number in range(int(request)):
        yield str(number).encode()


def wait(request: bytes, context: grpc.ServicerContext) -> bytes:
    """Answers after as many seconds as the request says."""
    time.sleep(float(request))
    return b"WAITED"


def pause(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """Is silent for as many seconds as the request says, between two words."""
    yield b"FIRST"
    time.sleep(float(request))
    yield b"LAST"


def talk(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    for request in requests:
        yield request.upper()


def see(request: bytes, context: grpc.ServicerContext) -> bytes:
    return json.dumps({name: str(value) for name, value in context.invocation_metadata()}).encode()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
methods = {
    "Say": grpc.unary_unary_rpc_method_handler(say),
    "See": grpc.unary_unary_rpc_method_handler(see),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Wait": grpc.unary_unary_rpc_method_handler(wait),
    "Pause": grpc.unary_stream_rpc_method_handler(pause),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", methods),))
servicer = health.HealthServicer()
servicer.set("", HealthCheckResponse.SERVING)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port("[::]:9000")
server.start()
signal.signal(signal.SIGTERM, lambda *_: server.stop(10))
server.wait_for_termination()
