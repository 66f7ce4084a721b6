"""The files in campaigns/: the template documents every key, the schema is the model's, and all of them are read."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from hpcvirt.campaigns import SCHEMA, TEMPLATE, bundled
from hpcvirt.campaigns.schema import text as schema_text
from hpcvirt.core.benchmark import installed
from hpcvirt.core.config import parse_campaign, read_campaign
from hpcvirt.core.config.faults import model_in
from hpcvirt.core.config.tables import FileTable
from hpcvirt.core.confounds import confounds, pairs
from hpcvirt.core.errors import CampaignInvalid
from hpcvirt.core.model import Expected, Scope
from hpcvirt.tui.commands import app

LAB = {"lab", "lab.nodes"}
"""Stands in place of [[node]] tables, so it is there in words only."""


def uncommented() -> str:
    """Every setting of the template in force."""
    return re.sub(r"^#(?=[a-z\[])", "", TEMPLATE.read_text(), flags=re.MULTILINE)


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield path + name
        table = model_in(field.annotation)
        if table is not None:
            yield from keys_of(table, f"{path}{name}.")


def keys_in(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield path + name
            yield from keys_in(part, f"{path}{name}.")
    if isinstance(value, list):
        for part in value:
            yield from keys_in(part, path)


def test_the_schema_is_the_model() -> None:
    assert SCHEMA.read_text() == schema_text(), "python -m hpcvirt.campaigns.schema"


def test_every_key_of_every_table_is_explained() -> None:
    tables = json.loads(schema_text())["definitions"]
    bare = [f"{name}.{key}" for name, table in tables.items() for key, value in table["properties"].items()
            if "description" not in value]  # fmt: skip
    assert tables
    assert bare == []


def test_the_template_is_a_campaign_with_and_without_its_comments() -> None:
    plain = parse_campaign(TEMPLATE.read_text())
    assert (plain.name, len(plain.nodes), plain.claims) == ("NAME", 4, ())
    whole = parse_campaign(uncommented())
    assert len(whole.claims) == 4 + 2 + 2
    assert whole.nodes[3].addresses == {"tuned": "guest4"}


def test_the_contrasts_of_the_template_repeat_no_pair() -> None:
    whole = parse_campaign(uncommented())
    others = len(whole.kernels) - 1
    assert whole.analysis.contrasts
    assert len(pairs(whole)) == others + len(whole.analysis.contrasts)


def test_the_template_shows_every_key() -> None:
    assert set(keys_of(FileTable)) - set(keys_in(tomllib.loads(uncommented()))) == LAB
    assert "[lab]" in TEMPLATE.read_text()


def test_what_the_template_calls_a_default_is_one() -> None:
    """But for what is an example by its nature."""
    examples = {"runs", "blocks", "seed", "at_once", "timeout", "phases", "known_hosts", "name", "method"}
    told = tomllib.loads(uncommented())
    for table in ("design", "analysis", "connection", "telemetry"):
        model = model_in(FileTable.model_fields[table].annotation)
        assert model is not None
        for key, value in told[table].items():
            if key not in examples | {"baseline", "contrasts"}:
                assert value == model.model_fields[key].default, f"{table}.{key}"


PAPER = ("llnl-2006", "llnl-2006-modern")
PLUGINS = {"stream", "bonnie", "npb", "mitgcm"}


@pytest.mark.parametrize("name", [name for name in bundled() if name not in PAPER])
def test_a_bundled_campaign_is_read(name: str) -> None:
    assert read_campaign(bundled()[name]).campaign.name == name


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_campaigns_lack_nothing_but_plugins(name: str) -> None:
    """A plugin that is not installed is told as that, and so is each of them."""
    faults: tuple[str, ...] = ()
    try:
        read_campaign(bundled()[name])
    except CampaignInvalid as error:
        faults = error.faults
    lacking = PLUGINS - set(installed())
    assert len(faults) == len(lacking), faults
    assert all(re.search(r": benchmark\[\d\]\.plugin: no benchmark plugin is called", fault) for fault in faults)


def test_the_papers_campaign_is_the_papers() -> None:
    told = tomllib.loads(bundled()["llnl-2006"].read_text())
    assert told["node"][0]["name"] == "node[1-4]"
    assert [kernel["name"] for kernel in told["kernel"]] == ["chaos", "rhel4-2.6.9", "rhel4-2.6.12", "xen-3.0.1"]
    assert (told["kernel"][3]["expect"]["cpus"], told["kernel"][3]["expect"]["memory_mib"][1]) == (4, 2048)
    assert (told["design"]["order"], told["design"]["runs"]) == ("sequential", 50)
    assert (told["analysis"]["baseline"], told["analysis"]["alpha"]) == ("chaos", 0.05)
    assert told["analysis"]["contrasts"] == [["xen-3.0.1", "rhel4-2.6.12"]]
    uses = {one["plugin"]: one["parameters"] for one in told["benchmark"]}
    assert uses["stream"]["array_size"] == 2_000_000
    assert uses["bonnie"]["size_mib"] == [100, 500, 1000]
    assert (uses["npb"]["code"], uses["npb"]["class"]) == (["ep", "is", "mg", "lu", "cg"], "C")
    assert uses["mitgcm"]["experiment"].endswith("exp2")
    assert uses["mitgcm"]["steps"] * 108_000 == 365 * 24 * 3600
    assert all(claim["claim"] and claim["source"] for claim in told["claim"])
    published = [claim["published"] for claim in told["claim"] if "published" in claim]
    assert published == [{"mean": 607, "sd": 31, "n": 50}, {"mean": 237, "sd": 12, "n": 50}]


def test_the_papers_findings_are_claims_on_its_benchmarks() -> None:
    campaign = read_campaign(bundled()["llnl-2006"]).campaign
    assert len({claim.number for claim in campaign.claims}) == 29
    assert {use.scope for use in campaign.benchmarks if use.plugin == "npb"} == {Scope.CLUSTER}
    blocks = {c.between for c in campaign.claims if (c.metric, c.expect) == ("seq_in_block", Expected.SLOWER)}
    assert blocks == {(-17.0, -11.0)}


def test_plan_names_what_confounds_the_paper() -> None:
    campaign = read_campaign(bundled()["llnl-2006"]).campaign
    found = {(one.kernel, one.versus, one.what) for one in confounds(campaign)}
    assert found >= {("xen-3.0.1", "chaos", what) for what in ("memory", "version", "storage")}
    modern = read_campaign(bundled()["llnl-2006-modern"]).campaign
    assert confounds(modern) == []


def test_new_writes_the_template_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["new", "mine"])
    assert done.exit_code == 0, done.output
    assert read_campaign(tmp_path / "mine.toml").campaign.name == "mine"
    assert SCHEMA.as_uri() in done.output


def test_a_schema_is_where_the_first_line_of_bundled_files_says() -> None:
    for path in bundled().values():
        assert path.read_text().splitlines()[0] == f"#:schema {SCHEMA.name}"
