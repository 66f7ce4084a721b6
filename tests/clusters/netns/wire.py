"""A cable of two taps and this process between them, with delay and loss: for kernels without `tc netem`.

Run as `python -S -E wire.py LOGIN_NET PORT NODE_NET INTERFACE`. Each line on standard input is a JSON object
`{"delay_s": one way, "loss": probability}` that replaces what held before and is answered by a line; end of input ends
the cable. Frames keep their order and leave after the delay that held when they came.
"""

import collections
import fcntl
import json
import os
import random
import select
import struct
import sys
import time

import syscalls  # type: ignore[import-not-found,unused-ignore]  # beside this file, not in a package

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_LIMIT = 65536
BATCH = 64
QUEUED_FRAMES = 50_000
"""Beyond this a direction drops, as a switch does; 75 MB at the usual frame size."""


class Direction:
    """Frames on their way from one tap to the other."""

    def __init__(self, source: int, target: int) -> None:
        self.source, self.target = source, target
        self.waiting: collections.deque[tuple[float, bytes]] = collections.deque()

    def take(self, delay_s: float, loss: float) -> None:
        """Read what the source has, up to a batch, so that neither direction starves the other."""
        for _ in range(BATCH):
            try:
                frame = os.read(self.source, FRAME_LIMIT)
            except OSError:  # nothing more, or the interface is down
                return
            if len(self.waiting) < QUEUED_FRAMES and not (loss and random.random() < loss):
                self.waiting.append((time.monotonic() + delay_s, frame))

    def give(self) -> None:
        """Pass on every frame whose time has come."""
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            frame = self.waiting.popleft()[1]
            try:
                os.write(self.target, frame)
            except OSError:  # the other end is down: a frame on a pulled cable is lost
                continue

    def rest_ms(self) -> float | None:
        """Time until the next frame is due."""
        return max(0.0, (self.waiting[0][0] - time.monotonic()) * 1000) if self.waiting else None


def tap(network: str, name: str) -> int:
    """A new tap interface `name` in the network namespace file `network`."""
    syscalls.enter_network(network)
    handle = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(handle, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return handle


def main(login_net: str, port: str, node_net: str, interface: str) -> None:
    """Carry frames until standard input ends."""
    node_end = tap(node_net, interface)
    login_end = tap(login_net, port)  # last: the process stays in the login node's network, where down() finds it
    directions = {login_end: Direction(login_end, node_end), node_end: Direction(node_end, login_end)}
    ready = select.poll()
    for handle in (0, *directions):
        ready.register(handle, select.POLLIN)
    settings = {"delay_s": 0.0, "loss": 0.0}
    print("ready", flush=True)
    while True:
        rests = [rest for rest in (way.rest_ms() for way in directions.values()) if rest is not None]
        for handle, event in ready.poll(min(rests, default=None)):
            if handle in directions:
                directions[handle].take(settings["delay_s"], settings["loss"])
                if event & (select.POLLERR | select.POLLHUP):
                    time.sleep(0.001)  # an interface that is down is always "ready"
                continue
            line = os.read(0, 4096)
            if not line:
                return
            settings = json.loads(line)
            print("set", flush=True)
        for way in directions.values():
            way.give()


if __name__ == "__main__":
    main(*sys.argv[1:])
