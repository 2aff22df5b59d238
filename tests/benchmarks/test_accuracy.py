"""``make bench-accuracy`` finds out a card that lies."""

import copy
import json
import shutil
from pathlib import Path

import pytest

from agent.detection import bundled_model_path
from benchmarks import accuracy
from benchmarks.accuracy import main, write_card
from benchmarks.card import measure_card

MODEL = "orchard-yolo26n.onnx"
EACH = 2  # photographs of each source


@pytest.fixture(scope="module")
def data(shared_data, tmp_path_factory) -> Path:
    """A few validation photographs of each source."""
    folder = tmp_path_factory.mktemp("data")
    for part in ("images", "labels"):
        (folder / part / "val").mkdir(parents=True)
    images = sorted((shared_data / "orchard" / "images" / "val").iterdir())
    for source in sorted({path.name.partition("_")[0] for path in images}):
        for path in [path for path in images if path.name.startswith(source)][:EACH]:
            shutil.copy(path, folder / "images" / "val")
            label = shared_data / "orchard" / "labels" / "val" / f"{path.stem}.txt"
            if label.exists():
                shutil.copy(label, folder / "labels" / "val")
    return folder


@pytest.fixture(scope="module")
def honest(data, tmp_path_factory) -> Path:
    """A card of the square model that was written from these photographs."""
    folder = tmp_path_factory.mktemp("models")
    for name in (MODEL, "README.md"):
        shutil.copy(bundled_model_path().with_name(name), folder)
    assert main([str(data), "--card", str(folder / "card.json"), "--only", MODEL, "--write"]) == 0
    return folder


@pytest.fixture
def folder(honest, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(honest, tmp_path / "models"))


@pytest.fixture(scope="module")
def measured(honest, data) -> dict:
    """What the files give, measured once."""
    return measure_card(honest, data, only=MODEL, say=lambda _: None)


@pytest.fixture
def quick(measured, monkeypatch) -> None:
    """Take that measurement in place of another."""
    monkeypatch.setattr(accuracy, "measure_card", lambda *_arguments, **_options: copy.deepcopy(measured))


def check(folder, data) -> int:
    return main([str(data), "--card", str(folder / "card.json"), "--only", MODEL])


def change(folder, change) -> None:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    change(card)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def test_a_true_card_passes(folder, data, capsys):
    """What was just written is found to be so."""
    assert check(folder, data) == 0
    assert "all as it says" in capsys.readouterr().out


def test_a_lie_of_a_hundredth_fails_the_command(folder, data, capsys):
    """A card that promises 0.01 more than the file gives does not pass when the file is measured."""
    change(folder, better_class)
    assert check(folder, data) == 1
    assert "LIE: orchard-yolo26n.onnx on onnxruntime (f32), apple, mAP@0.5:" in capsys.readouterr().out


def better_class(card) -> None:
    card["accuracy"][0]["map"]["apple"][0] += 0.01


def worse_mean(card) -> None:
    card["accuracy"][1]["map"]["all"][1] -= 0.01


def better_size(card) -> None:
    card["by_size"]["apple"]["above 48"][1] += 0.01


def better_source(card) -> None:
    card["by_source"]["cherrybbch81"][2] += 0.01


def fewer_missed(card) -> None:
    card["confusion"]["pear"]["missed"] = 0


def other_bytes(card) -> None:
    card["files"][0]["sha256"] = "0" * 64


def without_a_class(card) -> None:
    del card["accuracy"][0]["map"]["pear"]


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (better_class, "orchard-yolo26n.onnx on onnxruntime (f32), apple, mAP@0.5:"),
        (worse_mean, "all, mAP@0.5:0.95:"),
        (better_size, "apple above 48"),
        (better_source, "cherrybbch81"),
        (fewer_missed, "pear seen as missed"),
        (other_bytes, "orchard-yolo26n.onnx: the card says"),
        (without_a_class, "pear, mAP@0.5: the card says nan"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_each_kind_of_lie_is_found_out_and_named(folder, data, capsys, lie, said):
    """A figure that is 0.01 off, other bytes or a figure left out: the command names it and fails."""
    change(folder, lie)
    assert check(folder, data) == 1
    assert any(line.startswith("LIE: ") and said in line for line in capsys.readouterr().out.splitlines())


def test_a_figure_within_the_tolerance_passes(folder, data, quick):
    """0.004 off is another machine, not a lie, as long as card and text say the same."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["accuracy"][0]["map"]["apple"][0] += 0.004
    write_card(folder / "card.json", card)
    assert check(folder, data) == 0


def test_a_text_that_says_more_than_its_card_is_found_out(folder, data, quick, capsys):
    """Tables for people that were edited by hand fail the command."""
    readme = folder / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("| apple |", "| apples |"), encoding="utf-8")
    assert check(folder, data) == 1
    assert "its tables are not those of the card" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_a_card_that_cannot_be_read_is_one_line(folder, data, quick, capsys, content):
    """A missing or broken card fails the command without a traceback."""
    if content is None:
        (folder / "card.json").unlink()
    else:
        (folder / "card.json").write_text(content, encoding="utf-8")
    assert check(folder, data) == 1
    assert "cannot read" in capsys.readouterr().err
