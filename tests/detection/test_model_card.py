"""The model card speaks of the file that lies beside it."""

import hashlib

from agent.detection import open_detector


def test_the_card_names_the_file_that_ships(bundled_model):
    """The checksum and the class names in the card are those of the model."""
    card = (bundled_model.parent / "README.md").read_text(encoding="utf-8")
    detector = open_detector(bundled_model)
    assert hashlib.sha256(bundled_model.read_bytes()).hexdigest() in card
    for index, name in enumerate(detector.info.class_names):
        assert f"{index} {name}" in card
    assert f"{detector.info.input_height} x {detector.info.input_width}" in card
