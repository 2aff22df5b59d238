"""Partitions by month on PostgreSQL."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from cloud_sync.ingest import open_database, schema
from cloud_sync.ingest.partitions import partitions_of
from tests.faults.ends import rollup_row
from tests.ingest.messages import NOW_MS, put, rollups, rows

MAY, JUNE = 1_714_521_600, 1_717_200_000


@pytest.fixture
def database(postgres_url: str) -> Iterator[Engine]:
    engine = open_database(postgres_url)
    yield engine
    engine.dispose()


def names(database: Engine, table: str = "rollup") -> set[str]:
    statement = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table)"
    with database.connect() as connection:
        return set(connection.execute(text(statement), {"table": table}).scalars())


@pytest.mark.parametrize(
    ("moment", "name", "first", "end"),
    [
        (MAY, "rollup_2024_05", MAY, JUNE),
        (JUNE - 1, "rollup_2024_05", MAY, JUNE),
        (1_703_980_800, "rollup_2023_12", 1_701_388_800, 1_704_067_200),
        (0, "rollup_before_2020", "MINVALUE", 1_577_836_800),
        (-(2**53) + 1, "rollup_before_2020", "MINVALUE", 1_577_836_800),
        (2**53 - 1, "rollup_from_2100", 4_102_444_800, "MAXVALUE"),
    ],
)
def test_each_moment_has_its_partition(moment: int, name: str, first: object, end: object) -> None:
    """A month is a partition; what a clock far off says lies in one before and one after all of them."""
    [partition] = partitions_of(schema.rollup, [moment])
    assert (partition.name, partition.first, partition.end) == (name, str(first), str(end))


def test_evidence_counts_in_milliseconds() -> None:
    """The partitions of evidence have the same months in its own unit."""
    [partition] = partitions_of(schema.evidence, [NOW_MS])
    assert (partition.name, partition.first) == ("evidence_2023_11", "1698796800000")


def test_partitions_are_made_when_rows_need_them(database: Engine) -> None:
    """Rows at both sides of a month's end are stored, each in its own partition, and so is a mad clock's."""
    starts = (JUNE - 60, JUNE, 0, 2**52, -(2**51))
    put(database, rollups(1, *(rollup_row(0)._replace(start=start) for start in starts)))
    assert names(database) == {"rollup_2024_05", "rollup_2024_06", "rollup_before_2020", "rollup_from_2100"}
    assert {row.start for row in rows(database, schema.rollup)} == set(starts)
    with database.connect() as connection:
        assert connection.execute(text("SELECT start FROM rollup_2024_06")).scalars().all() == [JUNE]


def test_a_month_may_be_dropped_or_detached(database: Engine) -> None:
    """An old month goes with one statement while workers run; rows that come later find a place again."""
    row = rollup_row(0)._replace(start=MAY)
    put(database, rollups(1, row, row._replace(start=JUNE)))
    with database.begin() as connection:
        connection.execute(text("DROP TABLE rollup_2024_05"))
        connection.execute(text("ALTER TABLE rollup DETACH PARTITION rollup_2024_06"))
    put(database, rollups(2, row, row._replace(start=JUNE + 60)))
    assert {found.start for found in rows(database, schema.rollup)} == {MAY, JUNE, JUNE + 60}


def test_workers_at_once_make_each_partition_once(postgres_url: str, database: Engine) -> None:
    """Workers that meet a new month at the same time all store their rows."""
    failures: list[BaseException] = []

    def work(number: int) -> None:
        engine = open_database(postgres_url)
        try:
            starts = (MAY + 2_678_400 * month for month in range(6))
            put(engine, rollups(number, *(rollup_row(0)._replace(start=one, zone=f"z{number}") for one in starts)))
        except BaseException as error:  # noqa: BLE001  told below
            failures.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(rows(database, schema.rollup)) == 24
