"""The embedded cluster, over real SSH connections and with real deaths of its processes."""

import asyncio
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncssh
import pytest

import hpcvirt.core.lab
from hpcvirt.core.errors import LabFailed
from hpcvirt.core.lab import Lab, LabNode, RunningLab, ssh_command, start_lab
from hpcvirt.core.lab.folder import own_folder

pytestmark = pytest.mark.timeout(30)

STUBBORN = "trap '' TERM HUP INT; while :; do sleep 0.05; done"
"""A process that only SIGKILL ends."""

STARTER = """
import asyncio, sys
from pathlib import Path
import asyncssh
from hpcvirt.core.lab import start_lab

async def main(folder, command):
    running = await start_lab(Path(folder), 2, keep=False)
    node = running.lab.nodes[0]
    connection = await asyncssh.connect(
        node.host, node.port, username=node.user, config=None,
        client_keys=[str(running.lab.client_key)], known_hosts=str(running.lab.known_hosts))
    print((await connection.run(command)).stdout.strip(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""
"""A small runner: starts a lab, runs a command on it, says what it said, and waits to be killed."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab of four nodes for all tests that do no harm to it."""
    with asyncio.Runner() as runner:
        running = runner.run(start_lab(tmp_path_factory.mktemp("lab"), keep=False))
        yield running.lab
        runner.run(running.stop())


@pytest.fixture
async def node1(lab: Lab) -> AsyncIterator[asyncssh.SSHClientConnection]:
    async with await connect(lab, lab.nodes[0]) as connection:
        yield connection


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A variable that all processes of a lab started in this test carry, so that they can be found."""
    word = uuid.uuid4().hex
    monkeypatch.setenv("HPCVIRT_TEST_MARK", word)
    return word


@pytest.fixture
def starter(tmp_path: Path, mark: str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a runner whose lab is in ``tmp_path / "lab"``; whatever is left is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", STARTER, str(tmp_path / "lab"), command]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for pid in marked(mark):
        os.kill(pid, signal.SIGKILL)


async def connect(lab: Lab, node: LabNode, **options: object) -> asyncssh.SSHClientConnection:
    given = {"username": node.user, "client_keys": [str(lab.client_key)], "known_hosts": str(lab.known_hosts)}
    everything: dict[str, object] = {"config": None, "agent_path": None, **given, **options}
    return await asyncssh.connect(node.host, node.port, **everything)


def marked(word: str) -> list[int]:
    """The processes, but this one, that carry the mark of a test."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if f"HPCVIRT_TEST_MARK={word}".encode() in environment:
                found.append(int(folder.name))
    return found


async def until(condition: Callable[[], object], limit_s: float = 20.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


def state(pid: int) -> str:
    """Of a process as /proc has it, "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def ids(line: str) -> list[int]:
    return [int(word) for word in line.split()]


def server_of(lab: Lab) -> int:
    return ids(Path(f"/proc/{lab.pid}/task/{lab.pid}/children").read_text())[0]


def memory_kb(lab: Lab) -> int:
    """What the server of a lab occupies."""
    status = Path(f"/proc/{server_of(lab)}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def setsid(command: str) -> str:
    """Start ``command`` as a job that leaves its session and its parent, and say its process id."""
    return f"setsid sh -c {shlex.quote(command)} </dev/null >/dev/null 2>&1 & echo $!"


def modes(folder: Path) -> dict[str, str]:
    found = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): oct(stat.S_IMODE(path.lstat().st_mode)) for path in found}


class TestCommands:
    async def test_tells_output_and_status(self, node1: asyncssh.SSHClientConnection) -> None:
        done = await node1.run("echo out; echo err >&2; exit 7")
        assert (done.stdout, done.stderr, done.exit_status) == ("out\n", "err\n", 7)

    async def test_environment_is_small_and_its_own(self, lab: Lab, node1: asyncssh.SSHClientConnection) -> None:
        done = await node1.run("env; pwd", env={"SMUGGLED": "x"})
        lines = str(done.stdout).splitlines()
        home = str(lab.folder / "node1")
        words = dict(line.split("=", 1) for line in lines[:-1] if not line.startswith("HPCVIRT_TEST_"))
        assert lines[-1] == home
        assert words.keys() <= {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "HPCVIRT_LAB_NODE", "PWD"}
        assert (words["HOME"], words["HPCVIRT_LAB_NODE"], words["LANG"]) == (home, "node1", "C")

    async def test_files_are_made_for_the_user_alone(self, node1: asyncssh.SSHClientConnection) -> None:
        done = await node1.run("umask")
        assert done.stdout == "0077\n"

    async def test_shell_reads_a_script_from_stdin(self, node1: asyncssh.SSHClientConnection) -> None:
        done = await node1.run(input="echo $HPCVIRT_LAB_NODE\nexit 3\n")
        assert (done.stdout, done.exit_status) == ("node1\n", 3)

    async def test_output_comes_after_stdin_is_closed(self, node1: asyncssh.SSHClientConnection) -> None:
        async with node1.create_process("cat; sleep 0.1; echo late") as process:
            process.stdin.write("early\n")
            process.stdin.write_eof()
            assert await process.stdout.read() == "early\nlate\n"

    async def test_bytes_pass_unchanged(self, node1: asyncssh.SSHClientConnection) -> None:
        data = bytes(range(256)) * 10
        done = await node1.run("tee /dev/stderr", input=data, encoding=None)
        assert (done.stdout, done.stderr) == (data, data)

    async def test_command_that_reads_nothing_does_not_hold_the_client(
        self, node1: asyncssh.SSHClientConnection
    ) -> None:
        done = await node1.run("exec <&-; sleep 0.1; exit 2", input=b"x" * 5_000_000, encoding=None)
        assert done.exit_status == 2

    @pytest.mark.parametrize(("number", "name"), [(9, "KILL"), (15, "TERM"), (31, "SIG@openssh.com")])
    async def test_tells_the_signal_that_ended_it(
        self, node1: asyncssh.SSHClientConnection, number: int, name: str
    ) -> None:
        done = await node1.run(f"kill -{number} $$")
        assert done.exit_signal is not None
        assert done.exit_signal[0] == name

    async def test_passes_on_signals_to_the_whole_group(self, node1: asyncssh.SSHClientConnection) -> None:
        async with node1.create_process("sleep 60 & echo $!; wait") as process:
            child = int(await process.stdout.readline())
            process.send_signal("TERM")
            done = await process.wait()
        assert done.exit_signal is not None
        await until(lambda: not state(child))

    async def test_end_is_told_when_the_last_writer_is_gone(self, node1: asyncssh.SSHClientConnection) -> None:
        done = await node1.run("(sleep 0.2; echo child) & echo parent")
        assert done.stdout == "parent\nchild\n"

    async def test_command_that_cannot_start_has_no_status(self, node1: asyncssh.SSHClientConnection) -> None:
        with pytest.raises(asyncssh.ChannelOpenError):
            await node1.run("true " + "x" * 200_000)  # Linux takes 128 KiB in one word
        assert (await node1.run("true")).exit_status == 0

    async def test_twenty_megabytes_each_way(self, node1: asyncssh.SSHClientConnection) -> None:
        data = os.urandom(1 << 20) * 20
        done = await node1.run("cat; cat /dev/null; exit 5", input=data, encoding=None)
        assert done.stdout == data
        assert done.exit_status == 5

    async def test_slow_reader_loses_nothing_and_fills_no_memory(self, lab: Lab) -> None:
        before_kb = memory_kb(lab)
        command = "head -c 80000000 /dev/zero; exit 6"
        async with (
            await connect(lab, lab.nodes[3]) as connection,
            connection.create_process(command, encoding=None) as process,
        ):
            await asyncio.sleep(0.5)
            more_kb = memory_kb(lab) - before_kb
            got = 0
            while data := await process.stdout.read(1 << 20):
                got += len(data)
            done = await process.wait()
        assert (got, done.exit_status) == (80_000_000, 6)
        assert more_kb < 20_000

    async def test_command_that_reads_late_loses_nothing_and_fills_no_memory(self, lab: Lab) -> None:
        before_kb = memory_kb(lab)
        async with (
            await connect(lab, lab.nodes[3]) as connection,
            connection.create_process("sleep 0.5; wc -c", encoding=None) as process,
        ):
            process.stdin.write(b"x" * 80_000_000)
            process.stdin.write_eof()
            await asyncio.sleep(0.3)
            more_kb = memory_kb(lab) - before_kb
            assert await process.stdout.read() == b"80000000\n"
        assert more_kb < 20_000

    async def test_hundred_commands_on_four_nodes(self, lab: Lab) -> None:
        connections = [await connect(lab, node) for node in lab.nodes]
        done = await asyncio.gather(*(c.run(f"echo {i}; exit {i}") for c in connections for i in range(25)))
        for connection in connections:
            connection.close()
        assert [(int(str(d.stdout)), d.exit_status) for d in done] == [(i, i) for _ in connections for i in range(25)]

    async def test_orphans_are_reaped(self, node1: asyncssh.SSHClientConnection) -> None:
        done = await node1.run("for i in 1 2 3; do (sleep 0.01 >&- 2>&- & echo $!); done")
        orphans = ids(str(done.stdout))
        assert len(orphans) == 3
        await until(lambda: not any(state(pid) for pid in orphans))


class TestDisconnection:
    async def test_job_that_left_its_session_finishes(self, lab: Lab) -> None:
        flag = lab.folder / "node2" / "scratch" / "flag"
        async with await connect(lab, lab.nodes[1]) as connection:
            process = await connection.create_process(setsid(f"sleep 0.3; echo done >{flag}") + "; sleep 60")
            await process.stdout.readline()
            connection.abort()
        await until(flag.exists)

    async def test_plain_command_goes_on_and_its_pipes_are_closed(self, lab: Lab) -> None:
        fds = Path(f"/proc/{server_of(lab)}/fd")
        before = len(list(fds.iterdir()))
        async with await connect(lab, lab.nodes[1]) as connection:
            process = await connection.create_process("echo $$; exec sleep 60")
            pid = int(await process.stdout.readline())
            assert len(list(fds.iterdir())) > before
            connection.abort()
        await until(lambda: len(list(fds.iterdir())) <= before)
        assert state(pid) not in ("", "Z")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not state(pid))

    async def test_half_sent_stdin_is_dropped(self, lab: Lab) -> None:
        fds = Path(f"/proc/{server_of(lab)}/fd")
        before = len(list(fds.iterdir()))
        async with await connect(lab, lab.nodes[1]) as connection:
            process = await connection.create_process("echo $$; exec sleep 60", encoding=None)
            pid = int(await process.stdout.readline())
            process.stdin.write(b"x" * 3_000_000)
            await asyncio.sleep(0.1)
            connection.abort()
        await until(lambda: len(list(fds.iterdir())) <= before)
        os.kill(pid, signal.SIGKILL)


class TestWhoIsLetIn:
    async def test_nodes_have_names_keys_and_folders_of_their_own(self, lab: Lab) -> None:
        found = json.loads((lab.folder / "lab.json").read_text())
        assert [node["name"] for node in found["nodes"]] == ["node1", "node2", "node3", "node4"]
        assert len({node["host_key"] for node in found["nodes"]}) == 4
        assert len({node.port for node in lab.nodes}) == 4
        for node in lab.nodes:
            async with await connect(lab, node) as connection:
                done = await connection.run("echo $HPCVIRT_LAB_NODE; pwd")
            assert done.stdout == f"{node.name}\n{lab.folder / node.name}\n"

    async def test_node_with_the_key_of_another_is_noticed(self, lab: Lab, tmp_path: Path) -> None:
        one, other = lab.known_hosts.read_text().splitlines()[:2]
        swapped = tmp_path / "known_hosts"
        swapped.write_text(f"{one.split()[0]} {other.split(maxsplit=1)[1]}\n")
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await connect(lab, lab.nodes[0], known_hosts=str(swapped))

    @pytest.mark.parametrize(
        "offer",
        [
            {"client_keys": [asyncssh.generate_private_key("ssh-ed25519")]},
            {"client_keys": None, "password": "x"},
            {"client_keys": None},
            {"username": "somebody-else"},
        ],
        ids=["another key", "password", "nothing", "another user"],
    )
    async def test_others_are_refused(self, lab: Lab, offer: dict[str, object]) -> None:
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(lab, lab.nodes[0], **offer)

    async def test_only_public_keys_are_asked_for(self, lab: Lab) -> None:
        node = lab.nodes[0]
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=VERBOSE"]
        words = ["ssh", "-F/dev/null", "-T", *(f"-o{option}" for option in options), "-oPubkeyAuthentication=no"]
        done = await run([*words, f"-p{node.port}", f"{node.user}@{node.host}", "true"])
        assert done.returncode == 255
        assert b"Permission denied (publickey)" in done.stderr

    async def test_no_forwarding(self, lab: Lab, node1: asyncssh.SSHClientConnection, tmp_path: Path) -> None:
        with pytest.raises(asyncssh.ChannelOpenError):
            await node1.open_connection("127.0.0.1", lab.nodes[1].port)
        with pytest.raises(asyncssh.ChannelOpenError):
            await node1.open_unix_connection(str(tmp_path / "socket"))
        with pytest.raises(asyncssh.ChannelListenError):
            await node1.start_server(lambda *_: None, "127.0.0.1", 0)
        with pytest.raises(asyncssh.ChannelListenError):
            await node1.start_unix_server(lambda *_: None, str(tmp_path / "listen"))
        with pytest.raises(asyncssh.ChannelOpenError):
            await node1.start_sftp_client()
        with pytest.raises(asyncssh.ChannelOpenError):
            await node1.run("true", term_type="xterm", request_pty="force")

    async def test_no_agent(self, lab: Lab, tmp_path: Path) -> None:
        async with await asyncio.start_unix_server(lambda _, agent: agent.close(), tmp_path / "agent"):
            words = [*shlex.split(ssh_command(lab, lab.nodes[0])), "echo ${SSH_AUTH_SOCK-none}; cat /proc/net/unix"]
            given = ["env", f"SSH_AUTH_SOCK={tmp_path / 'agent'}", words[0], "-F/dev/null", "-A", *words[1:]]
            done = await run(given)
        assert done.stdout.startswith(b"none\n"), done.stderr
        assert b"/asyncssh-" not in done.stdout

    async def test_openssh_gets_in(self, lab: Lab) -> None:
        words = [*shlex.split(ssh_command(lab, lab.nodes[2])), "cat; echo $HPCVIRT_LAB_NODE; exit 9"]
        done = await run([words[0], "-F/dev/null", *words[1:]], b"in\n")
        assert (done.stdout, done.returncode) == (b"in\nnode3\n", 9), done.stderr

    async def test_openssh_gets_all_output(self, lab: Lab) -> None:
        words = [*shlex.split(ssh_command(lab, lab.nodes[2])), "head -c 20000000 /dev/zero; kill -9 $$"]
        done = await run([words[0], "-F/dev/null", *words[1:]])
        assert (len(done.stdout), done.returncode) == (20_000_000, 255), done.stderr


async def run(words: list[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return await asyncio.to_thread(subprocess.run, words, input=given, capture_output=True, timeout=10, check=False)


class TestFolder:
    async def test_modes_under_an_open_umask(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            running = await start_lab(tmp_path / "above" / "lab", 2, keep=True)
        finally:
            os.umask(before)
        async with running:
            found = modes(tmp_path / "above")
        folders = {".", "lab", *(f"lab/{name}" for name in ("node1", "node1/scratch", "node2", "node2/scratch"))}
        files = {f"lab/{name}" for name in ("client_key", "known_hosts", "lab.json", "lock")}
        assert found == {**dict.fromkeys(folders, "0o700"), **dict.fromkeys(files, "0o600")}

    @pytest.mark.parametrize("mode", [0o701, 0o750, 0o707])
    async def test_refuses_what_others_can_enter(self, tmp_path: Path, mode: int) -> None:
        tmp_path.chmod(mode)
        with pytest.raises(LabFailed, match="open to other users"):
            await start_lab(tmp_path, keep=False)

    def test_refuses_links_and_files(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path)
        (tmp_path / "file").touch()
        for name in "link", "file":
            with pytest.raises(LabFailed, match="link or no folder"):
                own_folder(tmp_path / name)

    def test_refuses_the_folder_of_another_user(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(LabFailed, match="another user"):
            own_folder(tmp_path)

    def test_refuses_a_place_where_others_can_swap_it(self, tmp_path: Path) -> None:
        above = tmp_path / "above"
        above.mkdir()
        above.chmod(0o777)
        with pytest.raises(LabFailed, match="every user can rename"):
            own_folder(above / "lab")
        above.chmod(0o1777)
        assert own_folder(above / "lab")

    async def test_second_lab_waits_for_the_first_to_end(self, tmp_path: Path) -> None:
        first = await start_lab(tmp_path, 1, keep=True)
        second = asyncio.create_task(start_lab(tmp_path, 1, keep=True))
        await asyncio.sleep(0.4)
        assert not second.done()
        await first.stop()
        async with await second as running:
            assert running.lab.client_key.exists()

    async def test_second_lab_does_not_wait_for_ever(self, tmp_path: Path) -> None:
        async with await start_lab(tmp_path, 1, keep=True) as first:
            with pytest.raises(LabFailed, match=r"not ready after 0\.5 s"):
                await start_lab(tmp_path, 1, keep=True, limit_s=0.5)
            assert first.lab.client_key.exists()

    async def test_failure_tells_what_the_lab_said(self, tmp_path: Path) -> None:
        (tmp_path / "node1").mkdir(mode=0o755)
        with pytest.raises(LabFailed, match=r"did not start: .*node1 is open to other users"):
            await start_lab(tmp_path, keep=True)
        assert not (tmp_path / "client_key").exists()


class TestEnd:
    @pytest.mark.parametrize("keep", [True, False])
    async def test_scratch_is_kept_or_removed_and_keys_always_go(self, tmp_path: Path, keep: bool) -> None:
        async with await start_lab(tmp_path, 2, keep=keep) as running:  # noqa: SIM117 - the second needs the first
            async with await connect(running.lab, running.lab.nodes[1]) as connection:
                await connection.run("echo result >scratch/result; mkdir -p locked/in; chmod 0 locked/in locked")
        names = {path.name for path in tmp_path.iterdir()}
        assert names == ({"lock", "node1", "node2"} if keep else {"lock"})
        assert (tmp_path / "node2/scratch/result").exists() == keep

    async def test_later_life_finds_the_scratch_and_has_new_keys(self, tmp_path: Path) -> None:
        published = []
        for _ in range(2):
            async with await start_lab(tmp_path, 1, keep=True) as running:
                published.append(json.loads((tmp_path / "lab.json").read_text())["nodes"][0]["host_key"])
                async with await connect(running.lab, running.lab.nodes[0]) as connection:
                    found = await connection.run("cat scratch/life; echo one >>scratch/life")
        assert found.stdout == "one\n"
        assert len(set(published)) == 2

    async def test_stop_is_quick_and_leaves_nobody(self, tmp_path: Path, mark: str) -> None:
        running = await start_lab(tmp_path, 2, keep=False)
        await leave_jobs(running)
        begun = time.monotonic()
        await running.stop()
        await running.stop()
        assert time.monotonic() - begun < 2
        assert marked(mark) == []

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    async def test_signal_to_the_lab_ends_it(self, tmp_path: Path, mark: str, number: int) -> None:
        async with await start_lab(tmp_path, 2, keep=False) as running:
            await leave_jobs(running)
            os.kill(running.lab.pid, number)
            assert await asyncio.wait_for(running.ended(), 5) == ""
            assert marked(mark) == []
            assert not running.lab.client_key.exists()

    @pytest.mark.parametrize("victim", ["guardian", "server", "group of the guardian"])
    async def test_sigkill_of_one_of_its_processes_ends_all(self, tmp_path: Path, mark: str, victim: str) -> None:
        async with await start_lab(tmp_path, 2, keep=False) as running:
            await leave_jobs(running)
            server = server_of(running.lab)
            if victim == "group of the guardian":
                os.killpg(running.lab.pid, signal.SIGKILL)
            else:
                os.kill(server if victim == "server" else running.lab.pid, signal.SIGKILL)
            await until(lambda: not marked(mark))
            assert [path.name for path in tmp_path.iterdir()] == ["lock"]

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    async def test_end_of_the_starter_leaves_nobody(
        self, starter: Callable[[str], subprocess.Popen[str]], tmp_path: Path, mark: str, number: int
    ) -> None:
        process = starter(setsid(STUBBORN))
        assert process.stdout is not None
        stubborn = int(await asyncio.to_thread(process.stdout.readline))
        await until(lambda: state(stubborn))
        process.send_signal(number)
        await until(lambda: not marked(mark))
        await until(lambda: not state(stubborn))
        assert [path.name for path in (tmp_path / "lab").iterdir()] == ["lock"]

    async def test_children_of_the_starter_do_not_hold_the_lab_up(self, tmp_path: Path, mark: str) -> None:
        async with await start_lab(tmp_path, 1, keep=False) as running:
            other = subprocess.Popen(["sleep", "60"], close_fds=False, env={})
            begun = time.monotonic()
            await running.stop(limit_s=3)
            assert time.monotonic() - begun < 2
            other.kill()
            other.wait()
        assert marked(mark) == []

    async def test_cancelled_start_leaves_nobody(self, tmp_path: Path, mark: str) -> None:
        starting = asyncio.create_task(start_lab(tmp_path, keep=False))
        await until(lambda: marked(mark))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await until(lambda: not marked(mark))
        assert not (tmp_path / "client_key").exists()


async def leave_jobs(running: RunningLab) -> None:
    """Leave behind a plain command, a stubborn one of another session, and a double fork."""
    async with await connect(running.lab, running.lab.nodes[0]) as connection:
        for command in setsid(STUBBORN), f"(({STUBBORN}) >/dev/null 2>&1 & echo $!)":
            done = await asyncio.wait_for(connection.run(command), 5)
            assert state(int(str(done.stdout))) != ""
        await connection.create_process(STUBBORN)
        connection.abort()


class TestServe:
    SERVE = (
        "import sys; from hpcvirt.core.lab import serve\n"
        "serve(None, 2, lambda lab: print(lab.folder, *(n.name for n in lab.nodes), flush=True))"
    )

    async def test_until_ctrl_c(self, mark: str) -> None:
        process = subprocess.Popen([sys.executable, "-c", self.SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        folder, *names = (await asyncio.to_thread(process.stdout.readline)).decode().split()
        assert (names, Path(folder, "client_key").exists()) == (["node1", "node2"], True)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=5)
        assert (process.returncode, errors) == (0, b"")
        assert not Path(folder).exists()
        assert marked(mark) == []

    async def test_says_so_when_the_lab_dies(self, mark: str) -> None:
        process = subprocess.Popen([sys.executable, "-c", self.SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        folder = (await asyncio.to_thread(process.stdout.readline)).decode().split()[0]
        os.kill(json.loads(Path(folder, "lab.json").read_text())["pid"], signal.SIGTERM)
        _, errors = process.communicate(timeout=5)
        assert b"LabFailed: the lab ended by itself" in errors
        assert marked(mark) == []


def test_importing_the_interface_does_not_import_asyncssh() -> None:
    words = f"import sys, {hpcvirt.core.lab.__name__}; sys.exit('asyncssh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0


async def test_starts_in_good_time(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    begun = time.monotonic()
    async with await start_lab(tmp_path, keep=False):
        took_s = time.monotonic() - begun
    record_property("start_ms", round(took_s * 1000))
    assert took_s < 5
