"""One attempt as a durable job on a node: the scripts that start, collect and end it, and their answers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from math import ceil
from shlex import join, quote

from hpcvirt.core.errors import NodeHeld, NodeUnusable, OutputUnparsable
from hpcvirt.core.lease import RunnerIdentity, parse_runner
from hpcvirt.core.remote.environment import parse_environment
from hpcvirt.core.remote.identity import Identity, Moment, parse_identity
from hpcvirt.core.text import clean_line

OUTPUT_LIMIT_BYTES = 8 << 20
"""Of each of stdout and stderr: longer ones lose their middle."""

LARGEST_ANSWER_BYTES = 64 << 20
"""Nothing that a script here sends comes near it: three files cut to the limit, or an artifact."""

WRAP_WORDS_BYTES = 300

LEASE_S = 900
"""How long a node stays locked beyond the longest that a run may take, when its campaign is not heard of again."""

LOCK_FOLDERS = ("/run/lock", "/dev/shm", "/tmp")  # noqa: S108 - lock.sh asks for a sticky one and makes its own folder
"""Where a node's lock is put: the first that everybody may write to."""

HELD_HINT = "wait until that campaign is done; if it is not coming back, its owner removes that folder"

_ENVIRONMENT = "-- environment"
_SCRIPTS = ("marked.sh", "node.sh", "lock.sh")


@dataclass(frozen=True, slots=True)
class Seat:
    """One runner's place on one node: in whose name it is locked, and the mark of its campaign's processes there."""

    campaign: str
    """Names the database a campaign was begun in, and each copy of it; hexadecimal."""
    node: str
    who: str
    """The lock's holder, in a line for other users of the node."""
    place: str = "machine"
    """What is locked: the machine, or some place on it where nodes are known to share one."""
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    """Names the runner, one of those of the campaign: the lock is its own alone."""
    runner: str = ""
    """The runner as ``lease.RunnerIdentity`` writes it: for whoever wants the node."""

    @property
    def name(self) -> str:
        """HPCVIRT_SEAT in the environment of its processes; none is the beginning of another."""
        return f"{self.node}.{self.campaign}"

    @property
    def settings(self) -> dict[str, str]:
        """For the scripts."""
        return {
            "hv_seat": self.name,
            "hv_who": self.who,
            "hv_place": self.place,
            "hv_owner": self.nonce,
            "hv_runner": self.runner,
        }


class JobState(StrEnum):
    """What became of a job on its node."""

    FINISHED = "finished"
    NEVER = "never"
    """It did not start, and now never will."""
    KILLED = "killed"
    """It started, is not there any more, and left no end."""
    FULL = "full"
    """It is over, and the disk of its spool has no room: nothing that it left can be believed."""
    REBOOTED = "rebooted"
    """It started before the node rebooted and left no end."""
    ENDED = "ended"
    """We ended it."""
    STUCK = "stuck"
    """Some of its processes cannot be ended."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one attempt executes."""

    attempt: str
    """Hexadecimal; marks every process as HPCVIRT_RUN."""
    folder: str
    """The benchmark's folder, relative to the program's folder on the node."""
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    wrap: tuple[str, ...] = ()
    probe: str | None = None
    fresh: bool = False
    """In a folder of its own, into which the benchmark's files are linked; it goes with the run."""
    files: Mapping[str, str] = field(default_factory=dict)
    """To write into that folder beforehand, by name."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """The same, executable."""
    fetch: tuple[str, ...] = ()
    """Names of files to send back."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a job left on its node."""

    state: JobState
    before: tuple[Identity, Moment] | None
    after: tuple[Identity, Moment] | None
    exit_status: int | None
    """Of the benchmark; None when it did not come to its end."""
    wrap_status: int | None
    stdout: bytes
    stderr: bytes
    truncated: bool
    cleaned: int = 0
    """Processes of earlier runs that were found, and ended, before this one was started."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Those of the job's ``fetch`` that were there, by name."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found on a node before a boot's first run."""

    identity: Identity
    artifacts: Mapping[str, str | None]
    """SHA-256 by path relative to the program's folder; None: the node cannot hash it. Missing files are not in it."""
    spools: frozenset[str]
    """Attempts whose spool is on the node."""
    lock: str = ""
    """Folder of the node's lock; empty: the node has no place for one, or it was not asked for."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What is installed and how it is set up, if it was asked for."""
    wrap_status: int | None = None
    """Exit status of the wrap; 126 or 127: it did not start. 0 without a wrap."""
    wrap_words: str = ""
    """The end of what it wrote to stderr, or also to stdout if identity could not be read."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What a node was, before or after a run that is not its own alone."""

    identity: Identity
    wrap_status: int | None
    wrap_words: str
    cleaned: int
    """Processes that should not have been there, and were ended."""
    left: tuple[str, ...] = ()
    """Ids of those that cannot be ended."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A node's answer to a runner that wants it."""

    attempts: frozenset[str]
    """Those that run there, in the campaign's name or from the spools of this user."""
    held: str = ""
    """Who else holds it, in words; empty: it is the asking runner's now."""
    holder: RunnerIdentity | None = None
    """The process that holds it, where the lock says so."""
    is_same_campaign: bool = False
    """The holder works on a file of the same campaign."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script for /bin/sh and the word that tells its answer from whatever else comes out of the channel."""

    text: bytes
    nonce: str
    order: bytes = b""
    """The same for a shell that stays and has read ``library()``; empty: it wants a shell of its own."""


def launch(
    scratch: str,
    seat: Seat,
    job: Job,
    limit_s: float,
    *,
    past: Iterable[str] = (),
    forget: Iterable[str] = (),
    ahead: Iterable[str] = (),
) -> Script:
    """Start the job, wait for it, answer with everything it left.

    Before that the node is locked for ``limit_s`` and proved free of what the attempts ``past`` may have left.
    ``forget``: spools that may go. ``ahead``: attempts to come, whose spools are made when this one's must be.
    """
    settings = {
        **seat.settings,
        "hv_longest": str(ceil(limit_s)),
        "hv_apart": "yes" if _is_apart(job) else "",
        "hv_job": _job_text(job),
        "hv_inner": _inner_text(job, seat),
        "hv_past": " ".join(past),
        "hv_forget": " ".join(forget),
        "hv_ahead": " ".join(ahead),
    }
    return _script("hv_do_launch", scratch, job.attempt, settings, may_stay=True)


@cache
def library() -> bytes:
    """What a shell reads that stays and carries out one order after another, until it is told no more."""
    return f"{_functions()}hv_stays=yes hv_own=setsid\n".encode()


def collect(scratch: str, attempt: str, seat: Seat | None = None) -> Script:
    """Wait for a job that an earlier connection started; make sure it never starts if it did not.

    ``seat``: only if the node is held by it, or by nobody; here and below.
    """
    return _script("hv_do_collect", scratch, attempt, seat.settings if seat else {})


def end(scratch: str, attempt: str, seat: Seat | None = None) -> Script:
    """End the job's processes, TERM then KILL, and answer with what it left."""
    return _script("hv_do_end", scratch, attempt, seat.settings if seat else {})


def look(
    scratch: str,
    wrap: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    probe: str | None = None,
    artifacts: Iterable[str] = (),
    *,
    seat: Seat | None = None,
    environment: bool = False,
) -> Script:
    """Read identity (and environment) under the wrap, digests of artifacts, and which spools are there.

    ``seat``: lock the node first.
    """
    inner = "hv_identity\nhv_cpu_model\nhv_clock\n"
    if environment:
        inner += f"hv_scratch={quote(scratch)}\n{shell('environment.sh')}echo {_ENVIRONMENT}\nhv_environment\n"
    wrapped = _identity_within(wrap, env, probe, inner)
    settings = {"hv_wrapped": wrapped, "hv_artifacts": " ".join(artifacts), **(seat.settings if seat else {})}
    return _script("hv_do_look", scratch, "-", settings)


def _identity_within(wrap: tuple[str, ...], env: Mapping[str, str] | None, probe: str | None, inner: str) -> str:
    """A command line that reads identity under the wrap."""
    command = within(env or {}, *wrap, "/bin/sh", "-c", f"{identity_text(probe)}{inner}exit 0\n")
    return f'({command}) </dev/null 2>"$hv_words"'


def make_ready(
    scratch: str,
    seat: Seat,
    wrap: tuple[str, ...],
    env: Mapping[str, str],
    probe: str | None,
    limit_s: float,
    past: Iterable[str] = (),
) -> Script:
    """Before a run that another node leads: lock this one for ``limit_s``, prove it clean, read identity."""
    settings = {
        **seat.settings,
        "hv_longest": str(ceil(limit_s)),
        "hv_past": " ".join(past),
        "hv_wrapped": _identity_within(wrap, env, probe, "hv_identity\n"),
    }
    return _script("hv_do_ready", scratch, "-", settings)


def clear(
    scratch: str, attempt: str, seat: Seat, wrap: tuple[str, ...], env: Mapping[str, str], probe: str | None
) -> Script:
    """After such a run: end what it left on this node, read identity."""
    wrapped = _identity_within(wrap, env, probe, "hv_identity\n")
    return _script("hv_do_clear", scratch, attempt, {**seat.settings, "hv_wrapped": wrapped})


def parse_witness(script: Script, raw: bytes) -> Witness:
    """Read the answer to ``make_ready`` or ``clear``. Raises NodeHeld, NodeUnusable or OutputUnparsable."""
    parts = sections(script, raw)
    identity, _ = parse_identity(parts.get("identity", b""))
    status, said = _under(parts, "wrap ")
    cleaned, *left = (_under(parts, "cleaned ")[0] or "0").split()
    return Witness(
        identity,
        int(status) if re.fullmatch("[0-9]{1,3}", status) else None,
        clean_line(said.strip()[-WRAP_WORDS_BYTES:], WRAP_WORDS_BYTES),
        int(cleaned),
        tuple(left),
    )


def run_within(scratch: str, wrap: tuple[str, ...], env: Mapping[str, str], inner: str) -> Script:
    """Run a shell text of ours in the program's folder, under the wrap."""
    command = within(env, *wrap, "/bin/sh", "-c", inner)
    return _script("hv_do_within", scratch, "-", {"hv_wrapped": f"({command}) </dev/null"})


def prepare(
    scratch: str,
    seat: Seat,
    marks: Sequence[str],
    life: str | None,
    limit_s: float,
    wrap: tuple[str, ...],
    env: Mapping[str, str],
    inner: str,
) -> Script:
    """The same as a preparation, for which the node stays locked.

    ``marks``: of this one, hexadecimal with dots, and of those that follow it. What any of them has left running in
    this campaign is ended first: nobody may have heard how it ended. ``life``: the node's boot_id for which it is;
    None: whichever.
    """
    marks = [f"{seat.name}.{mark}" for mark in marks]
    told = {"HPCVIRT_PREPARING": marks[0], "HPCVIRT_PREPARED_FOR": seat.name}
    # Again within: the wrap may clear the environment.
    inner = f"export {' '.join(f'{name}={quote(mark)}' for name, mark in told.items())}\n{inner}"
    command = within({**env, **told}, *wrap, "/bin/sh", "-c", inner)
    settings = {
        **seat.settings,
        "hv_longest": str(ceil(limit_s)),
        "hv_marks": " ".join(marks),
        "hv_life": life or "",
        "hv_wrapped": f"({command}) </dev/null",
    }
    return _script("hv_do_prepare", scratch, "-", settings)


def end_preparations(scratch: str, seat: Seat) -> Script:
    """End what preparations in this campaign have left running on the node."""
    return _script("hv_do_end_preparations", scratch, "-", seat.settings)


def lease(scratch: str, seat: Seat, takes: Iterable[str] = ()) -> Script:
    """Lock the node before anything else is done there, and tell which attempts run on it.

    ``takes``: nonces of runners of the campaign that are proved dead, whose locks count for nothing.
    """
    return _script("hv_do_lease", scratch, "-", {**seat.settings, "hv_takes": " ".join(takes)})


def parse_lease(script: Script, raw: bytes, seat: Seat) -> Lease:
    """Read the answer to ``lease``. Raises NodeUnusable or OutputUnparsable."""
    try:
        told = _under(sections(script, raw), "lock ")[1]
    except NodeHeld as error:
        _, _, body = raw.partition(f"\n@{script.nonce} held ".encode())
        lines = body.split(b"\n")
        holder = parse_runner(lines[1].decode("utf-8", "replace")) if len(lines) > 1 else None
        is_same = f".{seat.name}.".encode() in lines[0]
        return Lease(_attempts(lines[2:]), error.message, holder, is_same)
    return Lease(_attempts(told.split(b"\n")))


def _attempts(lines: Iterable[bytes]) -> frozenset[str]:
    return frozenset(line.decode() for line in lines if re.fullmatch(rb"[0-9a-f]{1,64}", line))


def cede(scratch: str, seat: Seat) -> Script:
    """Give a lease back that may not be used, and touch nothing else on the node."""
    return _script("hv_do_cede", scratch, "-", seat.settings)


def hold(scratch: str, seat: Seat) -> Script:
    """Put off the end of the node's lock, while nothing runs."""
    return _script("hv_do_hold", scratch, "-", seat.settings)


def identify() -> Script:
    """Read identity, and nothing else: nothing is made on the node."""
    nonce = secrets.token_hex(16)
    say = f"printf '\\n@{nonce} %s\\n'"
    text = f"{identity_text(None)}{say} identity\nhv_identity\n{say} end\nexit 0\n"
    return Script(text.encode(), nonce)


def make_folder(scratch: str, folder: str) -> Script:
    """Make a benchmark's folder; the answer names the program's folder."""
    return _script("hv_do_folder", scratch, "-", {"hv_folder": folder})


def place(scratch: str, file: str) -> Script:
    """Turn the draft of an artifact into the artifact."""
    return _script("hv_do_place", scratch, "-", {"hv_file": file})


def fetch(scratch: str, file: str) -> Script:
    """Read a file back from the node."""
    return _script("hv_do_fetch", scratch, "-", {"hv_file": file})


def forget(scratch: str, attempts: Iterable[str], folder: str = "", *, seat: Seat | None = None) -> Script:
    """Remove spools, a benchmark's folder, and what is empty then. ``seat``: and give the node free.

    Then the answer names processes of the campaign that cannot be ended, if there are any.
    """
    names = " ".join(attempts)
    settings = {"hv_past": names, "hv_forget": names, "hv_folder": folder, **(seat.settings if seat else {})}
    return _script("hv_do_forget", scratch, "-", settings)


def _script(
    function: str, scratch: str, attempt: str, settings: Mapping[str, str] | None = None, *, may_stay: bool = False
) -> Script:
    """``may_stay``: it is a launch, which a shell that stays may carry out too."""
    nonce = secrets.token_hex(16)
    assigned = {
        "hv_scratch": scratch,
        "hv_nonce": nonce,
        "hv_attempt": attempt,
        "hv_limit": str(OUTPUT_LIMIT_BYTES),
        "hv_past": "",
        "hv_forget": "",
        "hv_ahead": "",
        "hv_folder": "",
        "hv_seat": "",
        "hv_place": "",
        "hv_owner": "",
        "hv_runner": "",
        "hv_takes": "",
        "hv_lists": "",
        "hv_cleaned": "0",
        "hv_meta": "",
        "hv_lease": str(LEASE_S),
        "hv_lock_bases": " ".join(LOCK_FOLDERS),
        **(settings or {}),
    }
    preamble = "".join(f"{name}={quote(value)}\n" for name, value in assigned.items())
    # What it stands in may be removed before its next order.
    order = f'{preamble}{function}\n[ -n "$hv_stays" ] || exit 0\ncd /\n' if may_stay else ""
    text = f"{preamble}hv_stays=\n{_functions()}{function}\nexit 0\n"
    return Script(text.encode(), nonce, order.encode())


def _functions() -> str:
    """Those that a job needs in a variable as well: for a shell of its own."""
    told = f"hv_functions={quote(shell('identity.sh'))}"
    return f'{told}\neval "$hv_functions"\n{"".join(map(shell, _SCRIPTS))}'


@cache
def shell(name: str) -> str:
    """A script of ours without its comments: it travels with every run."""
    lines = files("hpcvirt.core.remote").joinpath(name).read_text(encoding="ascii").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#")) + "\n"


def identity_text(probe: str | None) -> str:
    """Functions that read identity, and a kernel's probe for them."""
    return f"hv_probe={quote(probe or '')}\n{shell('identity.sh')}"


def within(env: Mapping[str, str], *argv: str) -> str:
    """A command line in an environment. Not by ``export``: a shell has names of its own, such as UID and IFS."""
    assigned = ("env", *(f"{name}={value}" for name, value in env.items())) if env else ()
    return join((*assigned, *argv))


def _job_text(job: Job) -> str:
    """Says how to find its processes, claims the attempt, runs ``inner`` under the wrap, says that it is done.

    In this order: whoever finds it claimed finds who leads it. A benchmark may signal its process group: this shell
    outlives that, to say how it ended.

    Its arguments: the file of ``inner``, and that of the node's lock that tells what runs (empty: no lock).

    Run by a shell of its own, or by that of the launcher: so it never exits, and no special builtin has a
    redirection that may fail. A program costs the node a millisecond, so it starts none that a builtin can stand for.
    Of /proc/PID/stat behind the name: state, parent, group, session, ..., and as the 20th when it started.
    """
    here = 'if [ -n "$1" ]; then . "./$1"; else eval "$hv_inner"; fi'
    inner = f'{within(job.env, *job.wrap)} /bin/sh "./$1"' if _is_apart(job) else here
    return f"""if [ -z "${{hv_leads:-}}" ]; then
IFS= read -r hv_stat </proc/$$/stat
set -- "$1" "$2" ${{hv_stat##*) }}
hv_leads="$$ $6 ${{22}} ${{22}}"
fi
trap ':' HUP INT PIPE TERM
if echo "$hv_leads" >"leader.$$" && {{ set -C; true >claim; }} 2>/dev/null; then
set +C
[ -z "$2" ] || echo $$ >"$2"
{{ {inner}; }} </dev/null >wrapped 2>&1
hv_told="wrap_status $?"
echo "$hv_told" >>meta
[ -z "${{hv_meta:-}}" ] || hv_meta="$hv_meta$hv_told
"
[ -f err ] || mv wrapped err
true >done
else
set +C
true >"leader.$$"
fi
trap - INT TERM
unset HPCVIRT_RUN HPCVIRT_SEAT
"""


def _is_apart(job: Job) -> bool:
    """Identity does not depend on the environment, but what the probe says may."""
    return bool(job.wrap or (job.env and job.probe))


def _inner_text(job: Job, seat: Seat) -> str:
    """Reads identity, runs the benchmark in its folder, reads identity again; all within the wrap.

    The marks are put on again, and so is the environment: the wrap may have cleared it.
    """
    return f"""export HPCVIRT_RUN={quote(job.attempt)} HPCVIRT_SEAT={quote(seat.name)}
{_PATH}hv_probe={quote(job.probe or "")}
hv_root=${{PWD%/spool/*}}
{_workspace_text(job)}hv_know
hv_before=$hv_told
hv_told="before$hv_nl$hv_told"
hv_clock >clock
hv_take clock
printf %s "$hv_told" >meta
hv_meta=$hv_told
( cd "$hv_work" || exit 126
{_own_session_text(job)}exec ${{hv_own:-}} {within(job.env, *job.argv)} ) </dev/null >out 2>err
hv_status=$?
hv_clock >clock
hv_know
[ "$hv_told" != "$hv_before" ] || hv_told="same$hv_nl"
hv_told="after$hv_nl$hv_told"
hv_take clock
hv_told="${{hv_told}}exit_status $hv_status$hv_nl"
printf %s "$hv_told" >>meta
hv_meta=$hv_meta$hv_told
{_fetch_text(job.fetch)}{_CLEAR if job.fresh else ""}"""


def _own_session_text(job: Job) -> str:
    """Where ``hv_own`` holds setsid, the benchmark leads a session of its own.

    Not if it is not there: that is for the shell to say, or for env.
    """
    is_there = "" if job.env else f"command -v {quote(job.argv[0])} >/dev/null 2>&1 || hv_own=\n"
    return f'{is_there}[ -z "${{hv_own:-}}" ] || hv_lead\n'


_PATH = """[ -z "${PATH:-}" ] || PATH=$PATH:/usr/sbin:/sbin
"""
"""Where Debian puts bonnie++, and no user's PATH has it."""

_CLEAR = """( printf '%4096s' '' >room ) 2>/dev/null && rm -rf work
"""
"""On a full disk the folder stays: whoever collects must see that it is full."""


def _workspace_text(job: Job) -> str:
    """Where the benchmark is executed. Before identity is read: this is no part of the run."""
    if not job.fresh:
        return f'hv_work="$hv_root"/{quote(job.folder)}\n'
    all_files = {**job.files, **job.scripts}
    written = "".join(f"printf '%s' {quote(text)} >{quote(f'./{name}')}\n" for name, text in all_files.items())
    written += "".join(f"chmod 700 {quote(f'./{name}')}\n" for name in job.scripts)
    return f"""hv_work=work
mkdir work && (
cd work || exit
for hv_file in "$hv_root"/{quote(job.folder)}/*; do
[ ! -f "$hv_file" ] || ln -s "$hv_file" .
done
{written})
"""


def _fetch_text(names: Iterable[str]) -> str:
    """Each file behind a line with its size and name."""
    listed = " ".join(quote(f"./{name}") for name in names)
    if not listed:
        return ""
    return f"""( cd "$hv_work" && for hv_file in {listed}; do
[ -f "$hv_file" ] || continue
hv_size=$(($(wc -c <"$hv_file")))
echo "$hv_size $hv_file"
head -c "$hv_size" "$hv_file"
done ) >files 2>/dev/null
"""


def parse_reply(script: Script, raw: bytes) -> Reply:
    """Read the answer to ``launch``, ``collect`` or ``end``.

    Raises NodeUnusable when the node says why it cannot, OutputUnparsable when the answer is not whole.
    """
    body = _answer(script, raw)
    head, _, rest = body.partition(b"\n")
    end = f"\n@{script.nonce} end\n".encode()
    found = _HEAD.fullmatch(head)
    if found is None:
        raise OutputUnparsable(f"the node answered {clean_line(head)!r}", hint="is /bin/sh on the node a POSIX shell?")
    meta_size, *rest_sizes = found.group(2).split()
    if meta_size == b"-":
        meta_size = b"%d" % (len(rest) - len(end))
    meta_bytes, out_bytes, err_bytes, cleaned, *fetched = (int(word) for word in (meta_size, *rest_sizes))
    sizes = [meta_bytes, out_bytes, err_bytes, *(fetched or [0])]
    sent = [min(size, OUTPUT_LIMIT_BYTES // 2 * 2) for size in sizes]
    meta, stdout, stderr, files = (rest[sum(sent[:i]) : sum(sent[: i + 1])] for i in range(4))
    if rest[sum(sent) :] != end:
        raise OutputUnparsable("the node's answer is not whole", hint="the attempt will be collected again")
    before, after, values = _meta(meta)
    return Reply(
        state=JobState(found.group(1).decode()),
        before=before,
        after=after,
        exit_status=values.get("exit_status"),
        wrap_status=values.get("wrap_status"),
        stdout=stdout,
        stderr=stderr,
        truncated=sizes[1:] != sent[1:],
        cleaned=cleaned,
        files=_fetched(files),
    )


def _fetched(raw: bytes) -> dict[str, bytes]:
    """By name, as far as they are whole."""
    found: dict[str, bytes] = {}
    while (hit := _FILE.match(raw)) is not None and len(raw) >= hit.end() + int(hit[1]):
        size, end = int(hit[1]), hit.end()
        found[hit[2].decode("utf-8", "replace")] = raw[end : end + size]
        raw = raw[end + size :]
    return found


_FILE = re.compile(rb"([0-9]{1,15}) \./([^\n]{1,4096})\n")


_HEAD = re.compile(rf"attempt ({'|'.join(JobState)})( (?:-|[0-9]{{1,15}})(?: [0-9]{{1,15}}){{3,4}})".encode())


def _meta(meta: bytes) -> tuple[tuple[Identity, Moment] | None, tuple[Identity, Moment] | None, dict[str, int]]:
    """Only lines that end are read: a full disk cuts them anywhere."""
    whole = meta[: meta.rfind(b"\n") + 1]
    before, found, after = whole.partition(b"\nafter\n")
    statuses = re.findall(rb"^(exit_status|wrap_status) (\d{1,9})$", whole, re.MULTILINE)
    values = {name.decode(): int(value) for name, value in statuses}
    first = parse_identity(before.removeprefix(b"before\n")) if before.startswith(b"before\n") else None
    last = parse_identity(after) if found and "exit_status" in values else None
    if first and last and after.startswith(b"same\n"):
        last = first[0], last[1]
    return first, last, values


def parse_look(script: Script, raw: bytes) -> Look:
    """Read the answer to ``look``. Raises NodeUnusable or OutputUnparsable."""
    parts = sections(script, raw)
    artifacts: dict[str, str | None] = {}
    for line in parts.get("artifacts", b"").decode("utf-8", "replace").split("\n"):
        word, _, path = line.partition(" ")
        if word == "unhashed":
            artifacts[path.strip()] = None
        elif re.fullmatch("[0-9a-f]{64}", word):
            artifacts[path.strip()] = word
    told, _, environment = parts.get("identity", b"").partition(f"\n{_ENVIRONMENT}\n".encode())
    identity, _ = parse_identity(told)
    spools = frozenset(parts.get("spools", b"").decode("ascii", "replace").split())
    status, said = _under(parts, "wrap ")
    words = said if identity.boot_id else b"\n".join((told, said))
    return Look(
        identity=identity,
        artifacts=artifacts,
        spools=spools,
        lock=_under(parts, "lock ")[0],
        environment=parse_environment(environment),
        wrap_status=int(status) if re.fullmatch("[0-9]{1,3}", status) else None,
        wrap_words=clean_line(words.strip()[-WRAP_WORDS_BYTES:], WRAP_WORDS_BYTES),
    )


def _under(sections: Mapping[str, bytes], heading: str) -> tuple[str, bytes]:
    """The rest of the heading that begins so, and what is under it."""
    found = ((head.removeprefix(heading), body) for head, body in sections.items() if head.startswith(heading))
    return next(found, ("", b""))


def parse_run_within(script: Script, raw: bytes) -> tuple[bytes, int]:
    """What the text printed, and its exit status. Raises NodeUnusable or OutputUnparsable."""
    return _said(sections(script, raw))


def parse_prepare(script: Script, raw: bytes) -> tuple[bytes, int] | None:
    """The same of ``prepare``. None: the node has rebooted before. Raises as ``parse_run_within``, and NodeHeld."""
    parts = sections(script, raw)
    return None if "rebooted" in parts else _said(parts)


def _said(parts: Mapping[str, bytes]) -> tuple[bytes, int]:
    return parts.get("said", b""), int(_under(parts, "status ")[0])


def parse_identify(script: Script, raw: bytes) -> Identity:
    """Read the answer to ``identify``. Raises OutputUnparsable."""
    return parse_identity(sections(script, raw).get("identity", b""))[0]


def parse_fetch(script: Script, raw: bytes) -> bytes:
    """A file's content. Raises NodeUnusable or OutputUnparsable."""
    return sections(script, raw).get("content", b"")


def parse_done(script: Script, raw: bytes) -> str:
    """What a script said in its first section, if it came to its end. Raises NodeUnusable or OutputUnparsable."""
    return next(iter(sections(script, raw)), "")


def _answer(script: Script, raw: bytes) -> bytes:
    """What follows the nonce: login messages and other noise before it are passed over."""
    mark = f"\n@{script.nonce} ".encode()
    _, found, answer = raw.partition(mark)
    if not found:
        raise OutputUnparsable(
            f"no answer from the node's shell: {clean_line(raw[-500:])!r}", hint="does `ssh NODE /bin/sh` work by hand?"
        )
    word, _, told = clean_line(answer.partition(b"\n")[0], 500).partition(" ")
    if word == "unusable":
        raise NodeUnusable(told, hint="see `scratch` of this node in the campaign file")
    if word == "held":
        raise NodeHeld(f"held {told}", hint=HELD_HINT)
    return answer


def sections(script: Script, raw: bytes) -> dict[str, bytes]:
    """The answer's parts by their heading. Raises OutputUnparsable unless the last one is ``end``."""
    parts = _answer(script, raw).split(f"\n@{script.nonce} ".encode())
    split = [part.partition(b"\n") for part in parts]
    if split[-1][0].strip() != b"end":
        raise OutputUnparsable("the node's answer is not whole", hint="try again; is the connection stable?")
    return {clean_line(head, 4096): body for head, _, body in split[:-1]}
