"""What the benchmark of counting calls met and missed."""

from pathlib import Path

import pytest

from benchmarks import counting
from benchmarks.counting import Row, row_requirement
from benchmarks.requirements import print_requirements
from benchmarks.row_video import Column, Table, requirements

TRUTH = (50, 40, 60, 30, 50, 70)
NEAR = Column("ours", (51.0, 38.0, 60.0, 33.0, 50.0, 70.0), ((40, 60),) * 6)
FAR = Column("ids", (60.0, 45.0, 66.0, 30.0, 56.0, 70.0))
NONE = Column("crossings", (20.0, 10.0, 20.0, 10.0, 20.0, 20.0))


def verdicts(*columns: Column) -> list[bool | None]:
    return [one.met for one in requirements(Table("film", TRUTH, (50,) * 6, columns))]


def test_nearer_than_the_better_reference():
    """Ours must be nearer than both, in total and in the median; the band must hold the truth in five of six."""
    assert verdicts(NEAR, FAR, NONE) == [True, True, False]
    bands = ((40, 60), (30, 50), (50, 70), (31, 40), (40, 60), (60, 80))
    assert verdicts(Column("ours", NEAR.counts, bands), FAR, NONE) == [True, True, True]
    assert verdicts(Column("ours", FAR.counts, bands), NEAR, NONE) == [False, False, True]


def test_missing_reference_is_not_measured():
    """Without both references nothing can be claimed: not measured, which is not met."""
    assert verdicts(NEAR, FAR)[:2] == [None, None]


def test_one_row_beyond_is_a_miss():
    """Every row counts, not their mean."""
    rows = [Row(1, 100, 103, 200), Row(2, 100, 97, 200)]
    assert row_requirement(rows).met
    assert not row_requirement([*rows, Row(3, 100, 104, 200)]).met


def test_table_says_what_was_missed(capsys):
    """Beside what is required stands what was measured, and whether it is met."""
    print_requirements([row_requirement([Row(1, 100, 110, 1)]), *requirements(Table("f", TRUTH, (1,), (NEAR,)))])
    said = capsys.readouterr().out
    assert "| 1 simulated rows | within 3% on each | mean error +10.0%" in said
    assert "MISSED" in said
    assert "NOT MEASURED" in said


@pytest.mark.parametrize(("required", "code"), [((100, 102), 0), ((100, 110), 1)])
def test_exit_code_tells_a_miss(required: tuple[int, int], code: int, monkeypatch, tmp_path: Path, capsys):
    """A script sees by the exit code whether everything was met; ``--json`` prints the same facts."""
    film = tmp_path / "film.mp4"
    film.touch()
    film.with_suffix(".json").touch()
    monkeypatch.setattr(
        counting, "measure", lambda video, fps, backend: Table("f", (1,), (1,), (Column("ours", (1.0,), ((0, 2),)),))
    )
    monkeypatch.setattr(counting, "video_requirements", lambda table: iter(()))
    monkeypatch.setattr(counting, "rows", lambda seeds: [Row(seed, *required, 200) for seed in seeds])
    monkeypatch.setattr("sys.argv", ["counting", str(film), "--seeds", "2", "--hold-out", "0", "--json"])
    monkeypatch.setattr(counting, "count_a_thousand", lambda: {"crossed_in": 500, "crossed_out": 499})
    assert counting.main() == code
    assert '"requirements": [{"name": "2 simulated rows"' in capsys.readouterr().out


def test_video_without_its_truth_is_one_line(monkeypatch, tmp_path: Path, capsys):
    """What is missing is named, and nothing is counted."""
    film = tmp_path / "film.mp4"
    film.touch()
    monkeypatch.setattr("sys.argv", ["counting", str(film)])
    assert counting.main() == 2
    assert capsys.readouterr().err == f"{film.with_suffix('.json')}: no such file\n"
