"""What all sources have in common, and how their addresses are shown."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture import create_source
from agent.config import CameraConfig, public_address
from agent.planes import bgr_of
from tests.capture.cameras import make_video


@pytest.fixture(params=["video", "looped video", "folder", "orchard"])
def source_settings(request, tmp_path: Path) -> dict[str, object]:
    """The configuration of each kind of recording."""
    if request.param == "orchard":
        return {"source": "sim:orchard?width=160&height=120"}
    if request.param == "folder":
        for i in range(5):
            cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((120, 160, 3), 40 * i, np.uint8))
        return {"source": str(tmp_path)}
    path = make_video(tmp_path / "video.mp4", frames=5)
    return {"source": str(path), "loop": request.param.startswith("looped")}


def test_contract(source_settings: dict[str, object]) -> None:
    """Every recording numbers its pictures from 0, dates them ever later, and begins anew after close and open."""
    source = create_source(CameraConfig.model_validate({"name": "cam", **source_settings}))
    source.close()
    first_round: list[np.ndarray] = []
    for _ in range(2):
        source.open()
        assert source.recorded
        pictures = []
        for index in range(5):
            picture = source.read()
            assert picture.index == index
            pictures.append((picture.stream_ns, bgr_of(picture.to_pixels())))
        times = [time_ns for time_ns, _ in pictures]
        assert times[0] == 0
        assert times == sorted(set(times))
        assert all(image.shape == (120, 160, 3) and image.dtype == np.uint8 for _, image in pictures)
        first_round = first_round or [image for _, image in pictures]
        assert all(np.array_equal(a, b) for a, (_, b) in zip(first_round, pictures, strict=True))
        source.close()
        source.close()
    assert source.skipped == 0


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.5:554/stream1", "rtsp://admin:***@10.0.0.5:554/stream1"),
        ("rtsp://admin:pa/ss@wo:rd@10.0.0.5/x", "rtsp://admin:***@10.0.0.5/x"),
        ("rtsp://10.0.0.5:554/cam@2x", "rtsp://10.0.0.5:554/cam@2x"),
        ("rtsp://:secret@10.0.0.5/x", "rtsp://:***@10.0.0.5/x"),
        ("http://cam/video?user=a&password=secret&size=2", "http://cam/video?user=a&password=***&size=2"),
        ("http://cam/video?auth_token=secret", "http://cam/video?auth_token=***"),
        ("rtsp://cam/user=admin_password=se_cret_channel=1.sdp", "rtsp://cam/user=admin_password=***"),
        ("http://cam/authors/video?size=2", "http://cam/authors/video?size=2"),
        ("/videos/a.mp4", "/videos/a.mp4"),
        ("sim:orchard?seed=1", "sim:orchard?seed=1"),
    ],
)
def test_public_address(address: str, shown: str) -> None:
    """What is shown of an address holds no password, and is else as it was."""
    assert public_address(address) == shown


@given(password=st.text(min_size=1).filter(lambda text: not text[0].isdigit()))
def test_no_password_is_shown(password: str) -> None:
    """Whatever the password, it is replaced whole."""
    assert public_address(f"rtsp://user:{password}@host/stream") == "rtsp://user:***@host/stream"


def test_a_small_picture_is_the_same_asked_for_or_sent_along(tmp_path: Path) -> None:
    """The first small picture is asked for, those after it come with their pictures: each is its own picture's."""
    settings = {"name": "cam", "source": str(make_video(tmp_path / "video.mp4", frames=6))}
    smalls = []
    for first in (0, 3):  # the picture from which on they are wanted
        source = create_source(CameraConfig.model_validate(settings))
        source.open()
        pictures = []
        for index in range(6):
            picture = source.read()
            picture.to_pixels()
            pictures.append(picture.to_small() if index >= first else None)
        source.close()
        smalls.append(pictures)
    assert all(np.array_equal(one, other) for one, other in zip(smalls[0][3:], smalls[1][3:], strict=True))
    assert not np.array_equal(smalls[0][3], smalls[0][4])
