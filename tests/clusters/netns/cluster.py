"""The cluster: its state folder, login node and nodes."""

import asyncio
import atexit
import concurrent.futures
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import asyncssh

from . import layout, spaces, state, syscalls
from .cable import make_switch
from .fakes import Kernel
from .layout import Client, NodePlan
from .node import Node

P = ParamSpec("P")
T = TypeVar("T")


class NetnsCluster:
    """Real OpenSSH nodes and a login node on this machine; needs root, see `missing`.

    `up` takes about a second for four nodes; the object is a context manager. Nothing of it is reachable from this
    machine's own network and the other way round: what shall talk to the nodes is started with `exec_login`, run with
    `in_login`, or handed a socket of `connect`.
    """

    def __init__(
        self,
        nodes: int = 4,
        *,
        wire: bool = False,
        scratch_size: int | None = None,
        disk: Path | None = None,
        hashed_known_hosts: bool = False,
        storage: str = "2g",
        parent: Path | None = None,
    ) -> None:
        """
        `wire` puts each node on a cable of two taps, for `Node.delay`; it costs throughput. `scratch_size` gives each
        node a disk of its own of so many bytes at /scratch; `disk` is a folder of this machine in which each gets a
        folder for its /scratch. `storage` bounds all other files the nodes write, in memory.
        """
        self.count = nodes
        self.nodes: tuple[Node, ...] = ()
        self.ready_s = 0.0
        """How long `up` took."""
        self._wire = wire
        self._scratch_size = scratch_size
        self._disk = disk
        self._hashed = hashed_known_hosts
        self._storage = storage
        self._parent = parent
        self._folder: Path | None = None
        self._owner = os.getpid()
        self._started: list[subprocess.Popen[Any]] = []
        self._client: Client | None = None

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def __getitem__(self, name: str) -> Node:
        return {node.name: node for node in self.nodes}[name]

    # Life

    def up(self, kernel: Kernel | str | None = None) -> None:
        """All nodes on and answering; leftovers of killed test runs are removed first."""
        started = time.monotonic()
        if self._folder is not None:
            raise RuntimeError("the cluster is up")
        self._folder = state.claim(state.base_folder(self._parent), self._storage)
        atexit.register(self.down)
        try:
            self._furnish()
            self._at_once(lambda node: node.boot(kernel))
        except BaseException:
            self.down()
            raise
        self.ready_s = time.monotonic() - started

    def down(self) -> None:
        """Everything that was started ends, everything that was made is removed; repeatable."""
        if self._folder is None or os.getpid() != self._owner:  # a fork of the test run does not own the cluster
            return
        for node in self.nodes:
            node.end()
        state.remove(self._folder)
        for process in self._started:
            process.wait()
        self._started.clear()
        self.nodes, self._client, self._folder = (), None, None
        atexit.unregister(self.down)

    def restore(self) -> None:
        """After a test: all nodes on, idle, sshd running, cables faultless. Files, changed keys and clocks stay."""
        self._at_once(Node.restore)

    # The operator's side

    @property
    def folder(self) -> Path:
        """All files of the cluster."""
        if self._folder is None:
            raise RuntimeError("the cluster is down")
        return self._folder

    @property
    def login_net(self) -> Path:
        """File of the login node's network namespace, for `nsenter --net=` by hand."""
        return self.folder / "login" / state.NET_FILE

    @property
    def shared(self) -> Path:
        """The folder that is /shared on every node."""
        return self.folder / "shared"

    @property
    def client(self) -> Client:
        """Keys and files of the operator."""
        if self._client is None:
            raise RuntimeError("the cluster is down")
        return self._client

    @property
    def client_env(self) -> dict[str, str]:
        """Environment for a program of the operator's."""
        return self.client.env

    def exec_login(
        self,
        argv: Sequence[str],
        *,
        home: Path | None = None,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a program on the login node; `options` are Popen's.

        It has a session of its own and ends with the cluster at the latest. SIGSTOP to it is a suspended login node.
        """
        environment = dict(self.client_env if env is None else env)
        if home is not None:
            environment["HOME"] = str(home)
        options = {"stdin": subprocess.DEVNULL, "start_new_session": True} | options
        process = self.in_login(lambda: subprocess.Popen(list(argv), env=environment, **options))
        self._started = [*(earlier for earlier in self._started if earlier.poll() is None), process]
        return process

    def run_login(
        self, argv: Sequence[str], *, limit_s: float = 20.0, stdin: str = "", **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """`exec_login` to the end, output as text; killed after `limit_s`, then TimeoutExpired."""
        pipe = subprocess.PIPE
        process = self.exec_login(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options)
        with process:
            try:
                out, err = process.communicate(stdin, timeout=limit_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(list(argv), process.returncode, out, err)

    def ssh(self, node: Node, *argv: str, limit_s: float = 20.0, **options: Any) -> subprocess.CompletedProcess[str]:
        """OpenSSH's client on the login node; the words of the command arrive as words."""
        return self.run_login(["ssh", node.name, shlex.join(argv)], limit_s=limit_s, **options)

    def in_login(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread that is on the login node: network, /etc (so that nodes have names), host name.

        Threads and programs started by it are there too: `in_login(asyncio.run, main())` is a manager in this process.
        """
        etc = self.client.etc

        def body() -> T:
            syscalls.enter_network(str(self.login_net))
            syscalls.own_mounts_and_hostname()
            syscalls.mount("overlay", "/etc", "overlay", data=f"lowerdir={etc}:/etc")
            socket.sethostname("login")
            return function(*args, **kwargs)

        return spaces.in_thread(body)

    def in_node(self, node: Node, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread that is in the node's network, and in nothing else of it."""
        return spaces.in_network(node.net, function, *args, **kwargs)

    def connect(self, node: Node, port: int = 22, limit_s: float = 5.0) -> socket.socket:
        """A connected TCP socket of the login node; errors are those of connect(2)."""
        return spaces.in_network(self.login_net, socket.create_connection, (node.address, port), limit_s)

    async def connect_asyncssh(
        self, node: Node, *, limit_s: float = 5.0, **options: Any
    ) -> asyncssh.SSHClientConnection:
        """asyncssh in this process, over a socket of the login node; `options` are those of `asyncssh.connect`."""
        connection = await asyncio.to_thread(self.connect, node, 22, limit_s)
        connection.setblocking(False)
        wanted = {
            "username": self.client.user,
            "client_keys": [str(self.client.key)],
            "known_hosts": str(self.client.known_hosts),
            "config": None,
            "agent_path": None,
        } | options
        try:
            return await asyncssh.connect(node.name, sock=connection, **wanted)
        except BaseException:
            connection.close()
            raise

    def trust(self) -> None:
        """Write the nodes' present host keys to the known hosts of the operator and of all nodes."""
        entries = "".join(layout.known_hosts_lines(node.plan, self._hashed) for node in self.nodes)
        self.client.known_hosts.write_text(entries)
        for node in self.nodes:
            node.path("/etc/ssh/ssh_known_hosts").write_text(entries)

    # Inside

    def _furnish(self) -> None:
        for path, mode in (("login", 0o755), ("nodes", 0o755), ("shared", 0o1777)):
            layout.make_folder(self.folder, path, mode)
        make_switch(self.login_net)
        self._client = layout.make_client(self.folder / "operator")
        layout.give_key(layout.make_folder(self.shared, f"home/{layout.USER}", 0o755), self.client, layout.USER_ID)
        plans = [
            NodePlan(
                index, self.folder / f"nodes/node{index}", self._scratch_size, self._disk and self._disk / str(index)
            )
            for index in range(1, self.count + 1)
        ]
        hosts = layout.hosts_file(plans)
        (self.client.etc / "hosts").write_text(hosts)
        self.nodes = tuple(Node(plan, self.login_net, self.shared, self._wire) for plan in plans)
        self._at_once(lambda node: _furnish_node(node.plan, self.client, hosts))
        self._first_trust()

    def _first_trust(self) -> None:
        """Before the first boot: what is written to a disk in use may be overlooked."""
        entries = "".join(layout.known_hosts_lines(node.plan, self._hashed) for node in self.nodes)
        self.client.known_hosts.write_text(entries)
        for node in self.nodes:
            (node.plan.upper / "etc/ssh/ssh_known_hosts").write_text(entries)

    def _at_once(self, work: Callable[[Node], None]) -> None:
        with concurrent.futures.ThreadPoolExecutor(max(1, self.count)) as pool:
            for done in [pool.submit(work, node) for node in self.nodes]:
                done.result()


def _furnish_node(plan: NodePlan, client: Client, hosts: str) -> None:
    layout.make_node(plan, client, hosts)
    if plan.scratch_size:
        scratch = plan.folder / "scratch"
        syscalls.mount("scratch", str(scratch), "tmpfs", data=f"size={plan.scratch_size},mode=1777")
    elif plan.disk:
        plan.disk.mkdir()
        plan.disk.chmod(0o1777)
        syscalls.mount(str(plan.disk), str(plan.folder / "scratch"), flags=syscalls.MS_BIND)
