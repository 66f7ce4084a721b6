"""The commands. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

SCREEN = "screen"
FRACTION = click.FloatRange(0, 1)
EXIT_CODES = """Exit codes: 0 done; 1 done, but with runs that failed for good; 2 wrong usage or campaign file;
3 stopped before the end; 4 a node, kernel or database could not be used; 130 interrupted."""


class ScreenByDefault(click.Group):
    """A group whose first word may be a campaign file or a database instead of a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """What is no command is what the screen opens."""
        if (
            args
            and self.get_command(ctx, args[0]) is None
            and ("." in args[0] or "/" in args[0] or _is_bundled(args[0]))
        ):
            return super().resolve_command(ctx, [SCREEN, *args])
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use."""
        del ctx
        return [name for name in self.commands if name != SCREEN]


def _is_bundled(name: str) -> bool:
    from hpcvirt.campaigns import bundled

    return name in bundled()


@click.group(
    cls=ScreenByDefault,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    subcommand_metavar="[CAMPAIGN.toml | RESULTS.db | COMMAND [ARGS]...]",
    epilog=EXIT_CODES,
)
@click.version_option(package_name="hpcvirt-tui", prog_name="hpcvirt-tui")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
@click.pass_context
def app(ctx: click.Context, debug: bool) -> None:
    """Does this workload cost anything under kernel B against kernel A, and how sure are we?

    Without a command it opens the screen: on a campaign file, on a results database, or, without an
    argument, on a list of all of them, the embedded local lab first.
    """
    ctx.obj = debug
    if ctx.invoked_subcommand is None:
        _open_screen(None)


@app.command(SCREEN, hidden=True)
@click.argument("what", required=False)
def screen(what: str | None) -> None:
    """Open the screen on a campaign file or a results database."""
    _open_screen(what)


def _open_screen(what: str | None) -> None:
    from hpcvirt.tui.open import open_screen

    sys.exit(open_screen(what))


def _choice_options(command: Any) -> Any:
    for option in reversed(
        [
            click.option("--kernel", "kernels", multiple=True, help="Only this kernel (may be repeated)."),
            click.option("--benchmark", "benchmarks", multiple=True, help="Only this benchmark (may be repeated)."),
            click.option("--runs", type=click.IntRange(1), help="Ok runs per kernel, benchmark and node."),
            click.option("--blocks", type=click.IntRange(1), help="Blocks the runs are spread over."),
            click.option("--seed", type=click.IntRange(0, (1 << 63) - 1), help="Seed of the plan."),
        ]
    ):
        command = option(command)
    return command


@app.command()
@click.argument("campaign", metavar="CAMPAIGN|DATABASE")
@click.option("--db", type=click.Path(path_type=Path), help="Results database; made if it is not there.")
@click.option("--detach", is_flag=True, help="Run in the background, with a log beside the database.")
@click.option("--yes", is_flag=True, help="Nodes may be rebooted, if the campaign's kernels need that.")
@click.option("--force", is_flag=True, help="The same, also nodes on which other people work.")
@_choice_options
def run(campaign: str, db: Path | None, detach: bool, yes: bool, force: bool, **picked: Any) -> None:
    """Run a campaign, or go on with it.

    CAMPAIGN is a file, or the name of a bundled campaign. The newest unfinished database of the same plan
    is gone on with; else a new one is made: in the current folder, for bundled campaigns in the data folder.
    With DATABASE its own campaign goes on, as it was frozen. Nodes are rebooted only after --yes, which holds
    for you, on this machine, until blocks are added to the database.
    Ctrl-C once: stop after the runs under way. Twice: abort them.
    """
    from hpcvirt.tui import launch

    choice = _choice(picked)
    path = launch.campaign_path(campaign)
    given = launch.consent(forced=force) if yes or force else None
    if detach:
        database = launch.start(path, choice, db, given)
        click.echo(f"running in the background: {database}")
        click.echo(f"watch it: hpcvirt-tui {database}    or: hpcvirt-tui status {database}")
        return
    from hpcvirt.core.engine.runner import run_campaign
    from hpcvirt.tui.progress import shown_progress
    from hpcvirt.tui.status import unrestored

    if not launch.is_database(path):
        for line in launch.chosen(path, choice)[1]:
            click.echo(f"note: {line}", err=True)
    file, database = launch.prepare(path, choice, db, given)
    for line in launch.left_behind(path, file, database):
        click.echo(line, err=True)
    with shown_progress(database):
        outcome = run_campaign(file, database, lambda words: click.echo(words, err=True))
    database = outcome.database
    click.echo(f"{outcome.ending}: {database}")
    if outcome.left:
        click.echo(f"{outcome.left} runs left; go on with: hpcvirt-tui run {shlex.quote(str(database))}")
    for line in unrestored(database, outcome.unrestored):
        click.echo(line, err=True)
    sys.exit(outcome.exit_code)


def _choice(picked: dict[str, Any]) -> Any:
    from hpcvirt.core.config import Choice

    return Choice(**{name: value or None for name, value in picked.items()} | {"seed": picked["seed"]})


@app.command()
@click.argument("name")
def new(name: str) -> None:
    """Write a commented campaign file, NAME.toml, into the current folder."""
    from hpcvirt.campaigns import SCHEMA
    from hpcvirt.campaigns.drafts import new_campaign

    path = new_campaign(name, Path.cwd())
    click.echo(f"{path.name} written; what it would do: hpcvirt-tui plan {shlex.quote(path.name)}")
    click.echo(f"an editor that knows TOML checks it with this first line: #:schema {SCHEMA.as_uri()}")


@app.command()
@click.argument("campaign")
@click.option("--boot-sd", type=FRACTION, help="Variation between boots, a fraction. Default: as measured, or 0.01.")
@click.option("--run-sd", type=FRACTION, help="Variation within boots, a fraction. Default: as measured, or 0.01.")
@click.option(
    "--shared",
    type=FRACTION,
    help="Share of the variance between boots that nodes moving together have in common. Default: as measured, "
    "or both ends.",
)
@_choice_options
def plan(campaign: str, boot_sd: float | None, run_sd: float | None, shared: float | None, **picked: Any) -> None:
    """Schedule, hours, and the smallest difference the design can show. Runs nothing.

    Times and variation come from earlier databases of these nodes where the results go, else from the
    plugins' estimates and an assumption. Says in what else than names the kernels differ.
    """
    from hpcvirt.tui.launch import campaign_path
    from hpcvirt.tui.plan import print_plan

    print_plan(campaign_path(campaign), _choice(picked), boot_sd, run_sd, shared)


@app.command()
@click.argument("campaign")
def check(campaign: str) -> None:
    """Could the campaign begin, will that last, and will its numbers be clean? Nothing is changed.

    Looks at all nodes side by side: host key, login shell, kernels that nothing boots, scratch folder, clock, other
    users, load, scheduler jobs, and what boot methods and benchmarks need; at the folder of the databases and its
    locks; and at what ends with your login. Every finding comes with what mends it. Exit code 4: it could not begin.
    """
    from hpcvirt.tui.check import print_check
    from hpcvirt.tui.launch import campaign_path

    sys.exit(print_check(campaign_path(campaign)))


@app.command()
@click.argument("database", required=False, type=click.Path(path_type=Path))
def status(database: Path | None) -> None:
    """Where a campaign is, what failed, and when it is done.

    Without DATABASE: every results database here and in the data folder.
    """
    from hpcvirt.tui.status import print_all, print_one

    if database is None:
        print_all()
    else:
        print_one(database)


@app.command()
@click.argument("database", type=click.Path(path_type=Path))
@click.option("--blocks", type=click.IntRange(1), required=True, help="How many.")
def extend(database: Path, blocks: int) -> None:
    """Add blocks to a campaign, finished or not: an amendment, recorded and shown.

    Each added block visits every kernel once on every node, as the planned ones do. `run` goes on with them; where
    that reboots nodes, only after another --yes.
    """
    from hpcvirt.core.engine.extend import extend as add
    from hpcvirt.tui.steer import who

    done = add(database, blocks, who())
    click.echo(f"{done.blocks} blocks added: {done.boots} boots, {done.runs} runs")
    yes = " --yes    (it reboots nodes for them)" if done.reboots else ""
    click.echo(f"go on with: hpcvirt-tui run {shlex.quote(str(database))}{yes}")


@app.command()
@click.argument("database", type=click.Path(path_type=Path))
@click.option("--benchmark", metavar="NAME", help="Only this benchmark: its plugin, or as `status` shows it.")
@click.option(
    "--campaign",
    type=click.Path(path_type=Path),
    help="The campaign file with corrected parameters of the parser: metrics, decimal, expect of `command`.",
)
@click.option("--param", "parameters", multiple=True, metavar="K=V", help="A corrected parameter of the parser.")
def reparse(database: Path, benchmark: str | None, campaign: Path | None, parameters: tuple[str, ...]) -> None:
    """Parse the stored output of every attempt again: after an update of a plugin, or with a corrected pattern.

    New measurements take the place of the old ones, which are kept (superseded_measurements), and the change is
    recorded as an amendment with the plugin's version and parameters. Attempts change between ok, failed, unverified
    and unparsable only. Runs that are ok now are not run again; those that are not any more are, by `run`. Without
    --campaign or --param the parameters used last hold. A runner may be at work: it uses the parameters for the runs
    to come; a plugin that was updated it uses only when started again.
    """
    from hpcvirt.tui.reparse import print_reparse

    print_reparse(database, benchmark, campaign, parameters)


def _wish(kind: str, words: str) -> None:
    @app.command(kind, help=words)
    @click.argument("database", type=click.Path(path_type=Path))
    def command(database: Path) -> None:
        from hpcvirt.tui.steer import wish

        click.echo(wish(database, kind))


_wish("pause", "Start no more runs until resumed; those under way go on.")
_wish("resume", "Go on after a pause.")
_wish("stop", "Stop after the runs under way; `run` goes on later.")
_wish("abort", "End the runs under way now; `run` goes on later.")


def _run_wish(kind: str, words: str) -> None:
    @app.command(kind, help=words)
    @click.argument("database", type=click.Path(path_type=Path))
    @click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.IntRange(1))
    def command(database: Path, runs: tuple[int, ...]) -> None:
        from hpcvirt.tui.steer import wish_runs

        click.echo(wish_runs(database, kind, runs))


_run_wish("skip", "Give runs up: no more attempts, and the one under way is ended. RUN: see `status`.")
_run_wish("requeue", "Try runs anew that were given up, their retries not counted. RUN: see `status`.")


@app.command()
@click.argument("database", type=click.Path(path_type=Path))
@click.option("--what", type=click.Choice(["measurements", "telemetry"]), default="measurements", show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File to write; - or nothing: standard output.")
def export(database: Path, what: str, output: Path | None) -> None:
    """Write results as CSV: one row per measurement, or per sample of a node's telemetry."""
    from hpcvirt.core import export as exports

    is_telemetry = what == "telemetry"
    if output is None or str(output) == "-":
        with _someone_reading():
            (exports.print_samples if is_telemetry else exports.print_measurements)(sys.stdout, database)
            sys.stdout.flush()
        return
    write = exports.write_telemetry_csv if is_telemetry else exports.write_measurements_csv
    rows = write(database, output)
    click.echo(f"{rows} {'samples' if is_telemetry else 'measurements'} written to {output}", err=True)


@app.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--baseline", help="Kernel the others are compared with.")
@click.option(
    "--contrast",
    "contrasts",
    type=(str, str),
    multiple=True,
    metavar="A B",
    help="Compare kernel A with kernel B too. Repeatable; each such pair counts in the family.",
)
@click.option("--method", type=click.Choice(["paper", "blocked"]), help="Default: blocked from two blocks on.")
@click.option("--unit", type=click.Choice(["block", "node-block"]), help="Replication unit of a CSV file's data.")
@click.option("--alpha", type=float, help="Level of the tests.")
@click.option("--delta", type=float, help="Half-width of the band of equivalence, as a fraction: 0.02 is 2 %.")
@click.option("--correction", type=click.Choice(["holm", "bh", "none"]), help="Default: holm.")
@click.option(
    "--as-if-final", is_flag=True, help="Show verdicts of an unfinished campaign; its database records the look."
)
@click.option(
    "--format", "layout", type=click.Choice(["table", "csv", "json", "markdown"]), default="table", show_default=True
)
def analyze(data: Path, layout: str, as_if_final: bool, **wanted: Any) -> None:
    """Verdicts: what is faster, slower, equivalent, or not decided.

    Before the planned end of a campaign only means and differences are shown.

    DATA is a results database, or a CSV file with the columns kernel, benchmark, metric, value and
    optionally unit, better, primary, exact, node, block, boot, run, status (only values of status ok count).
    """
    from hpcvirt.tui.analyze import Format, print_analysis
    from hpcvirt.tui.garbage import no_collection

    with no_collection():
        print_analysis(data, Format(layout), wanted, as_if_final=as_if_final)


@app.command("diff-env")
@click.argument("database", type=click.Path(path_type=Path))
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
def diff_env(database: Path, first: str, second: str) -> None:
    """What differs between two kernels or two nodes: packages, settings, mounts, modules, CPU."""
    from hpcvirt.tui.diff_env import print_differences

    print_differences(database, first, second)


@contextmanager
def _someone_reading() -> Iterator[None]:
    """Whoever reads our output may have seen enough (``| head``): no error, and no success either."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


@app.command()
@click.argument("plugin")
@click.argument("stdout", type=click.Path(path_type=Path))
@click.option("--stderr", type=click.Path(path_type=Path), help="File with what it wrote to stderr.")
@click.option("--exit-status", type=click.IntRange(-255, 255), default=0, show_default=True, help="128 + n: signal n.")
@click.option("--file", "files", multiple=True, metavar="NAME=F", help="A file that the benchmark wrote.")
@click.option(
    "--param", "parameters", multiple=True, metavar="K=V", help="What was asked for; then another problem has failed."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON: value as printed, and normalised as in the database.")
def parse(
    plugin: str,
    stdout: Path,
    stderr: Path | None,
    exit_status: int,
    files: tuple[str, ...],
    parameters: tuple[str, ...],
    as_json: bool,
) -> None:
    """What a plugin makes of an output: does it count, and what are its numbers?

    STDOUT is a file, or - for standard input. The answer may be that it has failed: that exits with 0 as well.
    """
    from hpcvirt.tui.parse import print_report

    print_report(plugin, stdout, stderr, exit_status, files, parameters, as_json=as_json)


@app.command()
@click.option(
    "--format", "layout", type=click.Choice(["table", "markdown", "json"]), default="table", show_default=True
)
def plugins(layout: str) -> None:
    """Benchmarks known, their metrics and parameters; as Markdown the paper's Table 1.

    One that is installed and cannot be used is a warning that names it.
    """
    from hpcvirt.tui.plugins import Format, print_plugins

    print_plugins(Format(layout))


@app.command()
@click.option("--nodes", type=click.IntRange(1, 64), default=4, show_default=True)
def lab(nodes: int) -> None:
    """Serve the embedded cluster on loopback until Ctrl-C."""
    from hpcvirt.core.lab import Lab, serve, ssh_command

    def announce(served: Lab) -> None:
        for node in served.nodes:
            click.echo(f"{node.name}: {ssh_command(served, node)}")
        click.echo("serving until Ctrl-C; nobody but you can log in")

    serve(None, nodes, announce)
