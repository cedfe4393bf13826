"""Says something to each of the services through the gateway, and prints what comes back.

python call.py [grpc websocket tcp udp …]    all of them unless told
"""

import os
import socket
import sys

import grpc
from websockets.sync.client import connect

EDGE = os.environ.get("MESHWAY_EDGE", "http://127.0.0.1:8580").removeprefix("http://")
LEDGER, WORLD = ("127.0.0.1", 7070), ("127.0.0.1", 7777)
WITHIN_S = 5.0


def say_grpc(text: str) -> str:
    with grpc.insecure_channel(EDGE, [("grpc.default_authority", "echo.example")]) as channel:
        answer: bytes = channel.unary_unary("/every.Echo/Say")(text.encode(), timeout=WITHIN_S)
        return answer.decode()


def say_websocket(text: str) -> str:
    host, _, port = EDGE.rpartition(":")
    connection = socket.create_connection((host, int(port)), WITHIN_S)
    with connect("ws://chat.example/", sock=connection) as conversation:
        conversation.send(text)
        return str(conversation.recv(WITHIN_S))


def say_tcp(text: str) -> str:
    with socket.create_connection(LEDGER, WITHIN_S) as connection:
        connection.sendall(text.encode())
        return connection.recv(4_096).decode()


def say_udp(text: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(WITHIN_S)
        own.sendto(text.encode(), WORLD)
        return own.recv(4_096).decode()


SAY = {"grpc": say_grpc, "websocket": say_websocket, "tcp": say_tcp, "udp": say_udp}

if __name__ == "__main__":
    for protocol in sys.argv[1:] or SAY:
        sys.stdout.write(f"{protocol}: {SAY[protocol](f'hello by {protocol}')}\n")
