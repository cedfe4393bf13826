"""Services of every kind that a gateway carries, each of them an echo: they join the mesh until Ctrl-C.

python services.py    (beside meshway it needs grpcio and websockets, which `make up` has installed)
"""

import logging
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import grpc
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from meshway.client import Mesh

HERE = "127.0.0.1"


class Bytes(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65_536):
            self.request.sendall(data)


class Datagrams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, answering = self.request
        answering.sendto(data, self.client_address)


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


def echo_messages(connection: ServerConnection) -> None:
    try:
        for message in connection:
            connection.send(message)
    except ConnectionClosed:  # lost, or closed with a code of its own
        pass


def echo_calls() -> grpc.GenericRpcHandler:
    def say(message: bytes, _: grpc.ServicerContext) -> bytes:
        return message

    def talk(messages: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        return messages

    methods = {
        "Say": grpc.unary_unary_rpc_method_handler(say),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
    }
    return grpc.method_handlers_generic_handler("every.Echo", methods)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("websockets").setLevel(logging.WARNING)
    tcp, udp = TcpServer((HERE, 0), Bytes), socketserver.UDPServer((HERE, 0), Datagrams)
    chat, calls = serve(echo_messages, HERE, 0), grpc.server(ThreadPoolExecutor(4))
    calls.add_generic_rpc_handlers((echo_calls(),))
    ports = {
        "grpc": calls.add_insecure_port(f"{HERE}:0"),
        "http": chat.socket.getsockname()[1],  # a WebSocket begins as a call
        "tcp": tcp.server_address[1],
        "udp": udp.server_address[1],
    }
    calls.start()
    for server in (chat, tcp, udp):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    mesh, names = Mesh.from_env(), {"grpc": "echo", "http": "chat", "tcp": "ledger", "udp": "world"}
    with ExitStack() as joined, suppress(KeyboardInterrupt):
        for protocol, port in ports.items():
            joined.enter_context(mesh.register(names[protocol], port, address=HERE, protocol=protocol))
        threading.Event().wait()
    mesh.close()


if __name__ == "__main__":
    main()
