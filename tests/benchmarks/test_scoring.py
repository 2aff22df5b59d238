"""Scores of a few boxes that can be told by hand."""

import cv2
import numpy as np
import pytest

from benchmarks.scoring import by_class, by_size, by_source, confusion, read_truth

NAMES = ("apple", "pear")
BOXES = {  # by photograph, class and x, y, width, height
    "first_1": [(0, 10, 10, 20, 20), (0, 50, 50, 30, 30)],
    "second_1": [(1, 100, 100, 60, 60)],
    "second_2": [],
}


@pytest.fixture
def truth(tmp_path):
    """Two apples, a small and a middling one, and a large pear; a photograph of nothing."""
    for part in ("images", "labels"):
        (tmp_path / part / "val").mkdir(parents=True)
    for name, boxes in BOXES.items():
        cv2.imwrite(str(tmp_path / "images" / "val" / f"{name}.png"), np.zeros((200, 200, 3), np.uint8))
        lines = [f"{c} {(x + w / 2) / 200} {(y + h / 2) / 200} {w / 200} {h / 200}\n" for c, x, y, w, h in boxes]
        (tmp_path / "labels" / "val" / f"{name}.txt").write_text("".join(lines), encoding="ascii")
    return read_truth(tmp_path, NAMES)


def seen(image_id, class_id, *box, score=0.9) -> dict:
    return {"image_id": image_id, "category_id": class_id, "bbox": list(box), "score": score}


ALL = [seen(0, 0, 10, 10, 20, 20), seen(0, 0, 50, 50, 30, 30), seen(1, 1, 100, 100, 60, 60)]


def test_all_found_is_one(truth):
    """Boxes that are those of the labels score 1 in every class."""
    assert {
        name: (round(value.map50, 6), round(value.map50_95, 6)) for name, value in by_class(ALL, truth).items()
    } == {
        "apple": (1, 1),
        "pear": (1, 1),
        "all": (1, 1),
    }


def test_nothing_found_is_nought(truth):
    """A model that finds nothing scores 0, and breaks nothing."""
    assert [value.map50 for value in by_class([], truth).values()] == [0, 0, 0]


def test_sizes_are_scored_alone(truth):
    """The small apple is missed, the middling one found; there are no large apples."""
    found = by_size(ALL[1:], truth)["apple"]
    assert [(count, round(value.map50, 6)) for count, value in list(found.values())[:2]] == [(1, 0), (1, 1)]
    assert found["above 48"][0] == 0
    assert np.isnan(found["above 48"][1].map50)


def test_sources_are_scored_alone(truth):
    """A false pear among the first source's apples costs the second source nothing."""
    found = by_source([*ALL, seen(0, 1, 120, 120, 50, 50, score=0.95)], truth)
    assert {source: (name, count, round(value.map50, 6)) for source, (name, count, value) in found.items()} == {
        "first": ("apple", 1, 1),
        "second": ("pear", 2, 1),
    }
    assert by_class([*ALL, seen(0, 1, 120, 120, 50, 50, score=0.95)], truth)["pear"].map50 == pytest.approx(0.5)


def test_confusions_are_counted(truth):
    """An apple taken for a pear, an apple missed, a pear found, an apple seen where nothing is; faint ones left out."""
    results = [
        seen(0, 1, 10, 10, 20, 20),
        seen(1, 1, 101, 101, 60, 60),
        seen(2, 0, 5, 5, 20, 20),
        seen(0, 0, 50, 50, 30, 30, score=0.2),
    ]
    assert confusion(results, truth, min_score=0.25) == {
        "apple": {"apple": 0, "pear": 1, "missed": 1},
        "pear": {"apple": 0, "pear": 1, "missed": 0},
        "nothing": {"apple": 1, "pear": 0},
    }
