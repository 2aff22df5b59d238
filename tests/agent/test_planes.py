"""A picture in planes is the picture that FFmpeg makes of it, at any size."""

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from agent.detection import open_detector
from agent.planes import Colour, Planes
from agent.tracking.iou import iou
from agent.types import Image

SHARES = {
    Colorspace.ITU601: (0.299, 0.114),
    Colorspace.ITU709: (0.2126, 0.0722),
    Colorspace.SMPTE240M: (0.212, 0.087),
    Colorspace.FCC: (0.3, 0.11),
    Colorspace.BT2020: (0.2627, 0.0593),
}


@pytest.fixture(scope="session")
def picture() -> Image:
    """All hues, softly, as colour of half size can show them."""
    hue, light = np.meshgrid(np.linspace(0, 179, 320), np.linspace(40, 255, 240))
    hsv = np.dstack([hue, 255 - light / 2, light]).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.uint8)


def coded(picture: Image, kind: str, colorspace: Colorspace, colour_range: ColorRange) -> Planes:
    """Return what FFmpeg codes a picture as."""
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
        format=kind,
        src_colorspace=Colorspace.ITU601,  # of BGR it means nothing
        dst_colorspace=colorspace,
        src_color_range=ColorRange.JPEG,
        dst_color_range=colour_range,
    )
    planes = [
        np.frombuffer(memoryview(each), np.uint8).reshape(-1, each.line_size)[: each.height, : each.width]
        for each in frame.planes
    ]
    return Planes(*planes, Colour(*SHARES[colorspace], full=colour_range == ColorRange.JPEG))


@pytest.mark.parametrize("colour_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("colorspace", SHARES)
@pytest.mark.parametrize("kind", ["yuv420p", "yuv422p", "yuv444p"])
def test_what_ffmpeg_coded_comes_back(picture, kind, colorspace, colour_range):
    """Each way to code colour is undone: the picture comes back to a level or two of 255."""
    planes = coded(picture, kind, colorspace, colour_range)
    difference = np.abs(planes.bgr().astype(int) - picture)
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) <= 6


def test_drawn_at_another_size_it_is_the_whole_picture(picture):
    """A smaller and a larger drawing are those of the BGR picture; what lies beside the target is left alone."""
    planes = coded(picture, "yuv420p", Colorspace.ITU601, ColorRange.MPEG)
    for width, height in ((160, 120), (100, 60), (640, 480), (320, 240)):
        canvas = np.full((height + 2, width + 2, 3), 114, np.uint8)
        planes.draw(canvas[1:-1, 1:-1])
        difference = np.abs(canvas[1:-1, 1:-1].astype(int) - cv2.resize(picture, (width, height)))
        assert difference.mean() < 1.5
        canvas[1:-1, 1:-1] = 114
        assert (canvas == 114).all()


def test_bgr_is_made_once_and_cannot_be_written_to(picture):
    """Whoever asks gets the same image, which is nobody's to change."""
    planes = coded(picture, "yuv420p", Colorspace.ITU601, ColorRange.MPEG)
    assert planes.bgr() is planes.bgr()
    assert planes.shape == planes.bgr().shape == picture.shape
    with pytest.raises(ValueError, match="read-only"):
        planes.bgr()[0, 0] = 0


def test_the_detector_sees_the_same_in_planes(shared_data):
    """On photographs, boxes found in the planes are those found in the BGR that FFmpeg makes of them."""
    detector = open_detector(None, backend="openvino", min_score=0.25)
    photographs = sorted((shared_data / "orchard" / "images" / "val").glob("*.jpg"))[::60]
    found, overlaps = np.zeros(2, int), list[float]()
    for path in photographs:
        photograph = np.asarray(cv2.resize(cv2.imread(str(path)), (960, 540)), np.uint8)
        planes = coded(photograph, "yuv420p", Colorspace.ITU601, ColorRange.MPEG)
        bgr = planes.bgr().copy()
        ours, theirs = detector.detect(planes), detector.detect(bgr)
        found += len(ours.scores), len(theirs.scores)
        sure = theirs.boxes[theirs.scores > 0.4]
        overlaps += iou(sure, ours.boxes).max(axis=1).tolist() if len(sure) else []
    assert len(overlaps) > 30
    assert np.median(overlaps) > 0.97
    assert np.percentile(overlaps, 3) > 0.7
    assert abs(found[0] - found[1]) <= 0.05 * found[1]
    detector.close()


GREY = np.zeros((4, 6), np.uint8)


@pytest.mark.parametrize(
    ("planes", "says"),
    [
        ((GREY, GREY[0], GREY), "expected three"),
        ((GREY, GREY.astype(float), GREY), "expected three"),
        ((GREY, GREY[:0], GREY[:0]), "expected three"),
        ((GREY, GREY[:2], GREY), "do not belong together"),
        ((GREY[:2], GREY, GREY), "do not belong together"),
    ],
)
def test_planes_that_are_none_are_refused(planes, says):
    """What does not belong together makes no picture."""
    with pytest.raises(ValueError, match=says):
        Planes(*planes, Colour(0.299, 0.114, full=False))


@pytest.mark.parametrize("shares", [(0.0, 0.1), (0.5, -1.0), (0.9, 0.1), (float("nan"), 0.1)])
def test_shares_that_are_none_are_refused(shares):
    """Red, green and blue all have a share in the luma."""
    with pytest.raises(ValueError, match="allowed: above 0"):
        Colour(*shares, full=True)
