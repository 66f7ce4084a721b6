"""A node's cable to the login node's switch, and what can be wrong with it."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from . import spaces, state, syscalls
from .layout import LOGIN_ADDRESS, NodePlan

WIRE = Path(__file__).with_name("wire.py")
INTERFACE = "eth0"
SWITCH = "switch"
PREFIX = 24


def make_switch(login_net: Path) -> None:
    """The login node's network: a bridge with an address, no way out of it."""
    spaces.make_network(login_net)
    spaces.ip(
        login_net,
        "link set lo up",
        f"link add {SWITCH} type bridge",
        f"addr add {LOGIN_ADDRESS}/{PREFIX} dev {SWITCH}",
        f"link set {SWITCH} up",
    )


class Cable:
    """Holds the node's network namespace, new at each boot, and the cable between it and the switch.

    New, because the sockets of a node whose power was cut live on in its kernel for minutes and would speak up as soon
    as the cable is back; the true node, booted, knows nothing of them.
    """

    def __init__(self, plan: NodePlan, login_net: Path, userspace: bool) -> None:
        self.plan = plan
        self.login_net = login_net
        self.net = plan.folder / state.NET_FILE
        self._userspace = userspace
        self._wire: subprocess.Popen[str] | None = None
        self._login_rule: list[str] = []

    def lay(self) -> None:
        """A new network for the node, with a faultless cable."""
        self.remove()
        spaces.make_network(self.net)
        if self._userspace:
            self._start_wire()
        else:
            spaces.ip(self.login_net, f"link add {self.plan.port} type veth peer name {INTERFACE} netns {self.net}")
        spaces.ip(
            self.net,
            "link set lo up",
            f"link set {INTERFACE} address {self.plan.mac}",
            f"addr add {self.plan.address}/{PREFIX} dev {INTERFACE}",
            f"link set {INTERFACE} up",
        )
        spaces.ip(self.login_net, f"link set {self.plan.port} master {SWITCH} up")

    @property
    def is_laid(self) -> bool:
        """Whether there is a cable at all: a node whose power was cut has none until it boots."""
        return self.net.exists()

    def remove(self) -> None:
        """Cable and network go; the interfaces at once, not when the last orphaned socket is given up."""
        self._drop_login_rule()
        self._stop_wire()
        if self.is_laid:
            if not self._userspace:
                with contextlib.suppress(RuntimeError):  # it went with a network that went before it
                    spaces.ip(self.login_net, f"link del {self.plan.port}")
            with contextlib.suppress(OSError):
                syscalls.unmount(str(self.net))
            self.net.unlink()

    def pull(self) -> None:
        """Nothing passes, nobody is told."""
        spaces.ip(self.login_net, f"link set {self.plan.port} down")

    def plug(self) -> None:
        """What the peers send again from now on passes."""
        spaces.ip(self.login_net, f"link set {self.plan.port} up")

    def loss(self, percent: float) -> None:
        """This share of the packets is lost, each way between the login node and the node."""
        if self._wire is not None:
            raise RuntimeError("with wire=True the loss is set together with the delay: delay(0, percent)")
        self._drop_login_rule()
        spaces.command_in(self.net, ["iptables", "-w", "-F", "INPUT"])
        if percent:
            dice = ["-m", "statistic", "--mode", "random", "--probability", str(percent / 100), "-j", "DROP"]
            spaces.command_in(self.net, ["iptables", "-w", "-A", "INPUT", *dice])
            self._login_rule = ["INPUT", "-s", self.plan.address, *dice]
            spaces.command_in(self.login_net, ["iptables", "-w", "-A", *self._login_rule])

    def delay(self, round_trip_ms: float, loss_percent: float) -> None:
        """Half of the time each way."""
        if self._wire is None or self._wire.stdin is None:
            raise RuntimeError("delay needs NetnsCluster(wire=True) and a node with its cable laid")
        settings = {"delay_s": round_trip_ms / 2000, "loss": loss_percent / 100}
        self._wire.stdin.write(json.dumps(settings) + "\n")
        self._wire.stdin.flush()
        self._await_wire("set")

    def rate(self, mbit_s: float | None) -> None:
        """At most this many megabits a second each way; None: as fast as it goes."""
        for network, interface in ((self.login_net, self.plan.port), (self.net, INTERFACE)):
            spaces.command_in(network, ["tc", "qdisc", "replace", "dev", interface, "root", *_queue(mbit_s)])

    def heal(self) -> None:
        """Plugged in, no loss, no delay, no limit."""
        if self._wire is not None:
            self.delay(0, 0)
        else:
            self.loss(0)
        self.rate(None)
        self.plug()

    def end(self) -> None:
        """For the end of the cluster, which removes the networks."""
        self._stop_wire()

    def _start_wire(self) -> None:
        ends = [str(self.login_net), self.plan.port, str(self.net), INTERFACE]
        argv = [sys.executable, "-S", "-E", str(WIRE), *ends]
        pipe = subprocess.PIPE
        self._wire = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        self._await_wire("ready")

    def _await_wire(self, word: str) -> None:
        wire = self._wire
        if wire is None or wire.stdout is None or wire.stdout.readline() != f"{word}\n":
            raise RuntimeError(f"the cable of {self.plan.name} broke")

    def _stop_wire(self) -> None:
        if self._wire is not None:
            with self._wire as wire:  # closes its standard input, upon which it ends
                if wire.stdin is not None:
                    wire.stdin.close()
            self._wire = None

    def _drop_login_rule(self) -> None:
        if self._login_rule:
            spaces.command_in(self.login_net, ["iptables", "-w", "-D", *self._login_rule])
            self._login_rule = []


def _queue(mbit_s: float | None) -> list[str]:
    if mbit_s is None:
        return ["pfifo"]
    return ["tbf", "rate", f"{mbit_s}mbit", "burst", "16k", "latency", "200ms"]
