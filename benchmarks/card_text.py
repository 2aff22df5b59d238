"""The model card's tables, written from ``card.json`` into the places that ``README.md`` marks for them."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scoring import MISSED, SIZES_PX

Card = dict[str, Any]

_PLACE = re.compile(r"(<!-- card: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_in(text: str, card: Card) -> str:
    """Return a text with the tables of a card between its marks, ``<!-- card: NAME -->`` and ``<!-- end -->``.

    Raises:
        ValueError: A mark names no table, or a table has no mark.
    """
    marked = [found[2] for found in _PLACE.finditer(text)]
    if sorted(marked) != sorted(_TABLES):
        raise ValueError(f"the model card marks {', '.join(sorted(marked))}; expected {', '.join(sorted(_TABLES))}")
    return _PLACE.sub(lambda found: f"{found[1]}{_TABLES[found[2]](card)}\n{found[3]}", text)


def fill_in_file(readme: Path, card: Card) -> None:
    """Write a card's tables into the text beside it."""
    readme.write_text(fill_in(readme.read_text(encoding="utf-8"), card), encoding="utf-8")


def _files(card: Card) -> str:
    rows = [[f"`{each['file']}`", f"{each['bytes'] / 1e6:.1f} MB", f"`{each['sha256']}`"] for each in card["files"]]
    total = sum(each["bytes"] for each in card["files"])
    return _table(["file", "size", "sha256"], [*rows, ["together", f"{total / 1e6:.1f} MB", ""]])


def _accuracy(card: Card) -> str:
    names = [*card["classes"], "all"]
    rows = [
        [f"`{row['file']}`", f"{row['backend']}, {row['precision']}", *(_pair(row["map"][name]) for name in names)]
        for row in card["accuracy"]
    ]
    return _table(["mAP@0.5 (mAP@0.5:0.95)", "runtime", *names], rows)


def _by_size(card: Card) -> str:
    rows = [
        [name, *(f"{_pair(pair)}, {count} fruit" for count, *pair in sizes.values())]
        for name, sizes in card["by_size"].items()
    ]
    return _table(["", *(f"{size} pixels" for size in SIZES_PX)], rows)


def _by_source(card: Card) -> str:
    rows = [
        [source, name, str(images), _pair(pair)] for source, (name, images, *pair) in sorted(card["by_source"].items())
    ]
    return _table(["source", "class", "photographs", "mAP@0.5 (mAP@0.5:0.95)"], rows)


def _confusion(card: Card) -> str:
    columns = [*card["classes"], MISSED]
    rows = []
    for was, seen in card["confusion"].items():
        total = sum(seen.values())
        shares = [f"{seen[name]} ({seen[name] / max(total, 1):.1%})" if name in seen else "" for name in columns]
        rows.append([was, str(total), *shares])
    return _table(["is", "in all", *(f"seen as {name}" if name != MISSED else name for name in columns)], rows)


def _speed(card: Card) -> str:
    rows = [
        [
            f"`{each['file']}`",
            f"{each['backend']}, {each['precision']}",
            f"{each['wall_ms']:.0f}",
            f"{each['cpu_ms']:.0f}",
        ]
        for each in card["speed"]
    ]
    return f"{_table(['', 'runtime', 'ms a frame', 'CPU ms a frame'], rows)}\n\nMeasured on {card['machine']}."


_TABLES: dict[str, Callable[[Card], str]] = {
    "files": _files,
    "accuracy": _accuracy,
    "by_size": _by_size,
    "by_source": _by_source,
    "confusion": _confusion,
    "speed": _speed,
}


def _pair(pair: Sequence[float | None]) -> str:
    first, second = pair
    return "-" if first is None or second is None else f"{first:.3f} ({second:.3f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
