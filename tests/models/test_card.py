"""The model card speaks of the files that lie beside it."""

import onnx
import pytest

from agent.detection import bundled_model_path, open_detector
from agent.detection.bundled import SHAPES, file_name, int8_name
from benchmarks.card import WEIGHTS, described_files, nms_free_name, read_card, worst_int8_loss
from benchmarks.card_text import fill_in

FOLDER = bundled_model_path().parent
ONNX_FILES = [name(*shape) for shape in SHAPES for name in (file_name, nms_free_name)]


@pytest.fixture(scope="module")
def card() -> dict:
    return read_card(FOLDER / "card.json")


def test_sizes_and_hashes_are_those_of_the_files(card):
    """Every file that ships stands in the card with its size and sha256, and no other does."""
    assert card["files"] == described_files(FOLDER)
    assert {WEIGHTS, *ONNX_FILES} <= {entry["file"] for entry in card["files"]}


def test_all_together_stay_small(card):
    """What is stored with every version of the model is less than 40 MB."""
    assert sum(entry["bytes"] for entry in card["files"]) < 40e6


def test_the_text_holds_the_numbers_of_the_card(card):
    """The tables for people are those that the card gives."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert fill_in(text, card) == text


def test_classes_are_those_of_the_model(card, bundled_model):
    """The classes in card and text are the model's."""
    names = open_detector(bundled_model, backend="openvino").info.class_names
    assert tuple(card["classes"]) == names
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert ", ".join(f"{index} {name}" for index, name in enumerate(names)) in text


@pytest.mark.parametrize("name", ONNX_FILES)
def test_each_file_says_whose_it_is(name, card):
    """Licence, attribution and the weights that it was made from are in each ONNX file."""
    entries = {entry.key: entry.value for entry in onnx.load(FOLDER / name).metadata_props}
    (weights,) = (entry for entry in card["files"] if entry["file"] == WEIGHTS)
    assert entries["license"] == "AGPL-3.0-or-later"
    assert "CC BY 4.0" in entries["attribution"]
    assert weights["sha256"] in entries["origin"]


@pytest.mark.parametrize("name", ONNX_FILES)
def test_shape_and_head_are_as_the_name_says(name):
    """The wide files take 384 x 640 pixels, the NMS-free ones need no NMS."""
    info = open_detector(FOLDER / name, backend="openvino").info
    assert (info.input_height, info.input_width) == ((384, 640) if "384x640" in name else (640, 640))
    assert info.head == ("end2end" if "nms-free" in name else "raw")


def test_int8_ships_only_where_it_loses_little(card):
    """Where INT8 ships, no class lost more than 0.01 mAP@0.5 by it, and the files say that they are INT8."""
    folders = [FOLDER / int8_name(*shape) for shape in SHAPES]
    if not any(folder.exists() for folder in folders):
        pytest.skip("INT8 lost more than 0.01 with these weights, and does not ship")
    assert worst_int8_loss(card) <= 0.01
    assert [open_detector(folder).info.precision for folder in folders] == ["int8", "int8"]
