"""The process that works things out beside the screen."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpcvirt.core import errors
from hpcvirt.core.errors import CalculationBroken, CampaignInvalid, HpcvirtError, StoreUnusable
from hpcvirt.tui.calculator import Calculator

PROCESS = "os:getpid"
LEAVES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HpcvirtError)]


@pytest.fixture
def calculator() -> Iterator[Calculator]:
    made = Calculator()
    yield made
    made.close()


def until(is_so: Callable[[], bool], limit_s: float = 20) -> bool:
    give_up_at = time.monotonic() + limit_s
    while not is_so() and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return is_so()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


def test_one_other_process_answers_question_after_question(calculator: Calculator) -> None:
    first = calculator.ask(PROCESS)
    assert first != os.getpid()
    assert calculator.ask("math:hypot", 3, 4) == 5
    assert calculator.ask(PROCESS) == first


def test_what_a_function_raises_is_raised_here(calculator: Calculator, tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable) as caught:
        calculator.ask("hpcvirt.core.analysis:compare_database", tmp_path / "nothing.db")
    assert "nothing.db" in caught.value.message
    with pytest.raises(CalculationBroken, match="ZeroDivisionError"):
        calculator.ask("operator:truediv", 1, 0)
    assert calculator.ask("math:hypot", 3, 4) == 5


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_comes_over_whole(kind: type[HpcvirtError]) -> None:
    sent = kind(["what"], hint="mend it") if issubclass(kind, CampaignInvalid) else kind("what", hint="mend it")
    came = pickle.loads(pickle.dumps(sent))
    assert (type(came), came.hint) == (kind, "mend it")
    assert vars(came) == vars(sent)


def test_what_is_printed_there_is_no_answer(calculator: Calculator) -> None:
    assert calculator.ask("builtins:print", "a library says something") is None
    assert calculator.ask("math:hypot", 3, 4) == 5


def test_it_ends_when_nobody_asks_and_begins_again() -> None:
    calculator = Calculator(idle_limit_s=0.1)
    first = calculator.ask(PROCESS)
    assert until(lambda: is_gone(first))
    assert calculator.ask(PROCESS) != first
    calculator.close()


def test_killed_it_is_started_again_and_what_kills_it_again_is_told(calculator: Calculator) -> None:
    os.kill(calculator.ask(PROCESS), signal.SIGKILL)
    assert calculator.ask("math:hypot", 3, 4) == 5
    with pytest.raises(CalculationBroken) as caught:
        calculator.ask("os:abort")
    assert "works out abort" in caught.value.message
    assert "memory" in caught.value.hint


def test_closing_waits_for_nothing(calculator: Calculator) -> None:
    other, told = calculator.ask(PROCESS), []

    def ask() -> None:
        with pytest.raises(CalculationBroken):
            calculator.ask("time:sleep", 60)
        told.append("ended")

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.2)
    calculator.close()
    asking.join(20)
    assert told == ["ended"]
    assert until(lambda: is_gone(other))


def test_it_does_not_outlive_the_screen() -> None:
    code = f"""import time
from hpcvirt.tui.calculator import Calculator
print(Calculator().ask({PROCESS!r}), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as screen:
        assert screen.stdout is not None
        other = int(screen.stdout.readline())
        screen.kill()
    assert until(lambda: is_gone(other))
