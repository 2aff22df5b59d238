"""The demo on each kind of source: boxes in the page, rollups in the cloud, the same counts on both sides."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.capture.cameras import RtspServer
from tests.end_to_end.programs import (
    Program,
    events_in_the_cloud,
    events_on_the_box,
    rollups_in_the_cloud,
    rollups_on_the_box,
)
from tests.waiting import eventually, free_ports
from tests.web.test_browser import ARGUMENTS

ORANGE = (26, 140, 255)  # BGR of an apple's box


@pytest.fixture
def tab(require) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def status(url: str) -> dict:
    with urllib.request.urlopen(f"{url}api/status", timeout=10) as answer:
        return json.load(answer)


def boxed_pixels(url: str, camera: str) -> int:
    """How many pixels of the live picture have the colour of an apple's box."""
    with urllib.request.urlopen(f"{url}cameras/{camera}/snapshot.jpg", timeout=10) as answer:
        picture = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
    return int((np.abs(picture.astype(int) - ORANGE).max(axis=2) < 40).sum())


def assert_whole_way(demo: Program, tab: Page, data: Path, camera: str) -> None:
    """Watch the page until it shows fruit, end the demo, and compare both databases."""
    url = demo.wait_for_word(r"Open (http://\S+)").group(1)
    eventually(lambda: any(row["unique"] >= 5 for row in status(url)["hour"]), 60, demo.said)
    eventually(lambda: boxed_pixels(url, camera) > 500, 30)
    tab.goto(url)
    card = tab.get_by_role("article", name=f"Camera {camera}")
    expect(card).to_be_visible()
    picture = card.locator("img").first
    eventually(lambda: picture.evaluate("image => image.naturalWidth") > 100, 20)
    eventually(lambda: status(url)["link"]["state"] == "online", 20)
    eventually(lambda: status(url)["outbox"]["entries"] == 0, 20, demo.said)
    assert demo.end() == 0
    assert "Traceback" not in demo.said()
    on_box, in_cloud = rollups_on_the_box(data / "box" / "hedgerow.db"), rollups_in_the_cloud(data / "cloud.db")
    assert on_box == in_cloud
    assert sum(row[8] for row in in_cloud if row[2] == "*") >= 5, "fruit was counted"
    assert events_on_the_box(data / "box" / "hedgerow.db") == events_in_the_cloud(data / "cloud.db")


def test_demo_with_the_simulated_orchard(tmp_path: Path, start, tab: Page):
    """Without a camera: fruit of the drawn orchard is boxed on the page and counted the same in the cloud."""
    demo = start("demo", "--port", "0", "--data", tmp_path / "data")
    assert_whole_way(demo, tab, tmp_path / "data", "orchard")


def test_demo_with_a_video_of_a_real_orchard(tmp_path: Path, start, tab: Page, shared_data: Path):
    """A video: real fruit is boxed on the page and counted the same in the cloud."""
    video = shared_data / "video" / "orchard_pan_dev.mp4"
    demo = start("demo", "--port", "0", "--data", tmp_path / "data", "--source", video)
    assert_whole_way(demo, tab, tmp_path / "data", "orchard_pan_dev")


def test_demo_with_an_rtsp_stream(tmp_path: Path, start, tab: Page, shared_data: Path):
    """An RTSP camera, served for real: fruit is boxed on the page and counted the same in the cloud."""
    server = RtspServer(shared_data / "video", *free_ports(2))
    server.start()
    try:
        source = server.url("orchard_pan_dev.mp4")
        demo = start("demo", "--port", "0", "--data", tmp_path / "data", "--source", source)
        assert_whole_way(demo, tab, tmp_path / "data", "orchard_pan_dev")
    finally:
        server.kill()


def watch_once(demo: Program) -> int:
    """Let a demo count for a while and end it; return how many objects it knew at its start."""
    url = demo.wait_for_word(r"Open (http://\S+)").group(1)
    before = sum(row["unique"] for row in status(url)["hour"] if row["class_name"] == "*")
    demo.wait_for_word("state=live")
    eventually(lambda: status(url)["analysed_fps"]["orchard"] > 0, 30, demo.said)
    eventually(lambda: sum(row["frames"] for row in status(url)["hour"]) > 20, 60, demo.said)
    assert demo.end() == 0
    return before


def test_second_start_continues_with_the_data(tmp_path: Path, start):
    """What the first demo counted is there when the second starts, and both sides stay equal."""
    data = tmp_path / "data"
    assert watch_once(start("demo", "--port", "0", "--data", data, name="first")) == 0
    first = rollups_on_the_box(data / "box" / "hedgerow.db")
    counted = sum(row[8] for row in first if row[2] == "*")
    assert counted > 0
    assert watch_once(start("demo", "--port", "0", "--data", data, name="second")) >= counted
    assert rollups_on_the_box(data / "box" / "hedgerow.db") == rollups_in_the_cloud(data / "cloud.db")
