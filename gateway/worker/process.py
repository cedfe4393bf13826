"""The process of a worker: its loop, its signals, and what the supervisor hands it.

Run by the supervisor as `python -m gateway.worker.process CHANNEL SOCKETS edge=N mesh=N …` (descriptors). It
leaves when its calls are done after `drain`, and within seconds when the supervisor is gone.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Final

from gateway.event_loop import loop_factory
from gateway.wire.places import allow_all_descriptors
from gateway.worker.worker import Worker

# uvloop takes the GIL per callback: at the default 5 ms a compiling thread would hold every callback up that long.
SWITCH_INTERVAL_S: Final = 1e-4
# A young object of a call dies with the call; looking often finds nothing.
GC_THRESHOLDS: Final = (20_000, 20, 50)


async def run(channel_fd: int, descriptors_fd: int, sockets: Mapping[str, int]) -> None:
    loop = asyncio.get_running_loop()
    listening = {name: socket.socket(fileno=descriptor) for name, descriptor in sockets.items()}
    worker = Worker(loop, listening, socket.socket(fileno=descriptors_fd))
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all; the supervisor decides
        signal.signal(number, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGTERM, worker.leave)
    down = socket.socket(fileno=channel_fd)
    down.setblocking(False)
    await loop.create_connection(lambda: worker.channel, sock=down)
    await worker.finished.wait()
    await worker.end()


def main() -> None:
    channel_fd, descriptors_fd = int(sys.argv[1]), int(sys.argv[2])
    sockets = {name: int(descriptor) for name, _, descriptor in (each.partition("=") for each in sys.argv[3:])}
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s worker {os.getpid()} %(levelname)s %(message)s")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GC_THRESHOLDS)
    allow_all_descriptors()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(channel_fd, descriptors_fd, sockets))


if __name__ == "__main__":
    main()
