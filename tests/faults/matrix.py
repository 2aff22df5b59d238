"""The fault matrix: what each fault test saw, collected while they run, and the page that is made of it.

``HEDGEROW_FAULTS_RESULTS=FILE`` lets a test run leave its results there; ``python -m tests.faults.matrix PAGE
FILE...`` makes the page of them; a case that is in several files counts as it is in the last.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.faults.scale import LONG


@dataclass(slots=True)
class Result:
    """What one test saw. Counts are of records: rollup rows, measures, events, alarms, evidence, shed records."""

    case: str  # the fact that the test proves
    broker: str = "mosquitto"
    database: str = ""
    faults: int = 0  # cuts, kills, ...: how many times it was tried
    committed: int = 0
    ingested: int = 0
    duplicates: int | None = None  # entries that reached a worker once more; None: nobody counted
    reconnects: int | None = None
    seconds: float = 0.0
    outcome: str = "failed"


class Matrix:
    """Results of one test run."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    @pytest.fixture
    def result(self, request: pytest.FixtureRequest) -> Iterator[Result]:
        """What this test saw; it goes into the fault matrix."""
        words = " ".join((request.node.obj.__doc__ or request.node.name).split())
        one = Result(words + _variant(request.node))
        started = time.monotonic()
        yield one
        one.seconds = round(time.monotonic() - started, 1)
        self.results.append(one)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        report = yield
        one = getattr(item, "funcargs", {}).get("result")
        if isinstance(one, Result) and report.when == "call":
            one.outcome = report.outcome
        return report

    def pytest_sessionfinish(self) -> None:
        path = os.environ.get("HEDGEROW_FAULTS_RESULTS")
        if path and self.results:
            Path(path).write_text(json.dumps([asdict(one) for one in self.results], indent=1), encoding="utf-8")


def _variant(node: pytest.Item) -> str:
    """Name what a test is about beyond broker and database, which have columns of their own."""
    params = getattr(getattr(node, "callspec", None), "params", {})
    own = [str(value) for name, value in params.items() if name not in ("broker", "site", "database")]
    return f" ({', '.join(own)})" if own else ""


_HEAD = """\
# Fault matrix

What happened to records when things broke, as `make faults` measured it. **Committed** are the records (rollup rows,
measures, events, alarms, evidence, shed records) that a box had committed to its database; **ingested** are those in
the cloud's database at the end: each test compares the two as sets, content included, and fails if one record is
missing, doubled or different. **Again** counts outbox entries that reached an ingest worker a second time or more, and
left no trace. **Reconnects** are of box and workers together.

"""


def render(results: list[Result], *, long: bool, machine: str, date: str) -> str:
    """Return the page."""
    lines = [
        _HEAD + f"{date}, {machine}; {'the long version' if long else 'the short version'}. "
        f"{sum(one.outcome == 'passed' for one in results)} of {len(results)} cases hold, "
        f"{sum(one.faults for one in results)} faults, "
        f"{sum(one.duplicates or 0 for one in results)} entries sent again.",
        "",
        "| case | broker | database | faults | committed | ingested | again | reconnects | s | |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for one in results:
        verdict = "holds" if one.outcome == "passed" else f"**{one.outcome}**"
        lines.append(
            f"| {one.case} | {one.broker} | {one.database} | {one.faults} | {one.committed} | {one.ingested} "
            f"| {_count(one.duplicates)} | {_count(one.reconnects)} | {one.seconds:g} | {verdict} |"
        )
    return "\n".join(lines) + "\n"


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _machine() -> str:
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in facts if line.startswith("model name"))
    model = next(names, platform.machine())
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, Python {platform.python_version()}"


def _load(paths: list[str]) -> list[Result]:
    """Return the results of several runs, of each case those of the last one."""
    results: list[Result] = []
    for path in paths:
        later = [Result(**one) for one in json.loads(Path(path).read_text(encoding="utf-8"))]
        again = {one.case for one in later}
        results = [one for one in results if one.case not in again] + later
    return sorted(results, key=lambda one: (one.case, one.broker, one.database))


if __name__ == "__main__":
    page = render(_load(sys.argv[2:]), long=LONG, machine=_machine(), date=time.strftime("%Y-%m-%d", time.gmtime()))
    Path(sys.argv[1]).write_text(page, encoding="utf-8")
