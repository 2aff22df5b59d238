"""The page as a person sees it, in a real browser."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from agent.errors import RetryableError
from agent.status import HourCount, HourMeasure
from agent.types import CameraState
from cloud_sync.outbox import Depth, SetAside
from cloud_sync.uplink.status import LINK_OFF, LinkState
from tests.web.pages import BOX, RunningPage, box_status, camera, wait_until

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MARKUP = "<img src=x onerror=document.title='injected'>"


@pytest.fixture(scope="module")
def browser(require) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=require("chromium"), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def tab(browser) -> Iterator[Page]:
    """An empty tab that remembers what went wrong in it, and whom it asked."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.complaints, tab.hosts = [], set()
    tab.on("console", lambda message: tab.complaints.append(message.text) if message.type != "log" else None)
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("request", lambda request: tab.hosts.add(re.sub(r"^(\w+://[^/]+).*", r"\1", request.url)))
    yield tab
    context.close()


@pytest.fixture(scope="module")
def running() -> Iterator[RunningPage]:
    started = RunningPage().start()
    yield started
    started.stop()


@pytest.fixture
def page(running) -> RunningPage:
    """One page for all tests that only look at it, with a status that is well."""
    running.status = box_status()
    return running


def card(tab: Page, name: str):
    return tab.get_by_role("article", name=f"Camera {name}")


def row(tab: Page, section: str, name: str):
    """The value beside a name in one of the lists of facts."""
    return tab.get_by_role("region", name=section).locator(f"dl > div:has(dt:text-is('{name}')) dd")


def loaded(tab: Page, name: str) -> bool:
    return card(tab, name).locator("img").evaluate("image => image.naturalWidth > 0")


def test_everything_is_shown(page, tab):
    """A box that is well says so: pictures, counts of the last hour, link, outbox and machine, without a complaint."""
    page.show("north", BOX)
    page.show("south")
    tab.goto(page.url)
    expect(tab.get_by_role("heading", level=1)).to_have_text("All is well")
    assert tab.title() == "All is well · box-7"
    assert wait_until(lambda: loaded(tab, "north") and loaded(tab, "south"))

    north = card(tab, "north")
    expect(north.locator(".state")).to_contain_text("Live for")
    expect(north.locator(".watched")).to_have_text("watched 58 of 60 min")
    expect(north.locator("tbody tr")).to_have_text(["apple1\u202f2346.314"])
    expect(north.locator(".fine")).to_have_text(
        "Looking at 4.9 of the 10.0 wanted pictures a second, 1920 \u00d7 1080, 82 ms each in 4 tiles; "
        "the box is at its limit; 40 of 1\u202f000 passed over."
    )

    expect(tab.get_by_role("region", name="Way to the cloud").locator(".state")).to_have_text("Connected")
    expect(row(tab, "Way to the cloud", "Broker")).to_have_text("broker.example:8883")
    expect(row(tab, "Way to the cloud", "Waiting here")).to_have_text("2 messages, 900 bytes")
    expect(row(tab, "Way to the cloud", "Sent, not yet confirmed")).to_have_text("2 messages")
    expect(row(tab, "Way to the cloud", "Confirmed")).to_have_text("all up to message 48")
    expect(row(tab, "This box", "Model")).to_have_text("orchard-yolo26n")
    expect(row(tab, "This box", "Runs on")).to_have_text("OpenVINO")
    expect(row(tab, "This box", "Disk free")).to_have_text("48.2 GB")
    expect(row(tab, "This box", "Running for")).to_have_text("2 h 1 min")
    expect(row(tab, "This box", "Hedgerow")).to_have_text("0.1.0")
    assert tab.complaints == []
    assert tab.hosts == {page.url}


def test_a_clock_that_is_not_set(page, tab):
    """A box that does not know the time says so first, until it does; worse news come before it."""
    tab.goto(page.url)
    expect(tab.get_by_role("heading", level=1)).to_have_text("All is well")
    page.status = replace(box_status(), clock_unset=True)
    expect(tab.get_by_role("heading", level=1)).to_have_text("The clock is not set")
    expect(tab.get_by_role("main")).to_contain_text("times are an estimate, and are put right when it is")
    page.status = box_status()
    expect(tab.get_by_role("heading", level=1)).to_have_text("All is well")


def test_live_picture_moves(page, tab):
    """The picture in the page follows the frames without anybody doing anything."""
    page.show("north")
    tab.goto(page.url)
    assert wait_until(lambda: loaded(tab, "north"))
    sum_of_colours = """image => {
        const canvas = new OffscreenCanvas(8, 8).getContext("2d");
        canvas.drawImage(image, 0, 0, 8, 8);
        return canvas.getImageData(0, 0, 8, 8).data.reduce((sum, value) => sum + value, 0);
    }"""
    image = card(tab, "north").locator("img")
    before = image.evaluate(sum_of_colours)
    page.show("north", (0, 0, 1900, 1000), (200, 200, 1700, 800), (400, 400, 1200, 700))
    assert wait_until(lambda: image.evaluate(sum_of_colours) != before)


def test_nothing_there_is_not_could_not_see(page, tab):
    """An hour watched in which nothing came, an hour not watched, and no rows at all read differently."""
    empty, blind = HourCount("north", "*", 0, 3600.0, 18000, 0.0, 0), HourCount("south", "*", 0, 0.0, 0, 0.0, 0)
    page.status = box_status(hour=(empty, blind))
    tab.goto(page.url)
    expect(card(tab, "north").locator(".watched")).to_have_text("watched all 60 min")
    expect(card(tab, "north").locator(".finding")).to_have_text("Nothing there: it watched and saw nothing to count.")
    for status in (page.status, box_status(hour=(empty,))):
        page.status = status
        expect(card(tab, "south").locator(".watched")).to_have_text("watched nothing")
        expect(card(tab, "south").locator(".finding")).to_have_text("Could not see, so nobody knows what was there.")


def test_page_follows_the_box(page, tab):
    """Camera, link, outbox and disk going bad, and well again, show by themselves."""
    tab.goto(page.url)
    headline = tab.get_by_role("heading", level=1)
    expect(headline).to_have_text("All is well")
    well = page.status

    stalled = camera("north", CameraState.STALLED, "no frame for 12 s")
    offline = replace(well.link, state=LinkState.OFFLINE, detail="no route to host")
    three_hours_ago = page.clock.now().utc_ns - 3 * 3600 * 10**9
    waiting = Depth(1204, 312_000, three_hours_ago, 0)
    page.status = replace(well, cameras=(stalled, camera("south")), link=offline, outbox=waiting)
    expect(headline).to_have_text("north does not see")
    expect(card(tab, "north").locator(".state")).to_contain_text("Connected, but sending no pictures")
    expect(card(tab, "north").locator(".detail")).to_have_text("no frame for 12 s")
    expect(tab.locator("#lines")).to_contain_text("1\u202f204 messages kept until there is a link, the oldest for 3 h")
    expect(tab.locator("#link-detail")).to_have_text("no route to host")
    expect(row(tab, "Way to the cloud", "The oldest waits for")).to_have_text(re.compile("3 h 0 min"))

    page.status = replace(well, link=offline, outbox=waiting)
    expect(headline).to_have_text("All well here, but no link")
    aside = SetAside("0" * 32, 7, "rollup", three_hours_ago, 900, "a packet of 900 bytes, where 500 are allowed")
    page.status = replace(well, outbox=replace(waiting, quarantined=1), set_aside=aside)
    expect(headline).to_have_text("Something could not be sent")
    expect(row(tab, "Way to the cloud", "Why, of the last")).to_have_text(f"rollup: {aside.reason}")
    page.status = replace(well, link=LINK_OFF, outbox=Depth(0, 0, None, 0))
    expect(headline).to_have_text("All is well")
    expect(tab.locator("#link-state")).to_have_text("No broker is set: everything stays on this box")
    assert tab.complaints == []


def test_live_camera_that_cannot_see(page, tab):
    """A covered camera is no good news, though its pictures come; one that was moved is told, and not called blind."""
    tab.goto(page.url)
    headline, lines = tab.get_by_role("heading", level=1), tab.locator("#lines")
    expect(headline).to_have_text("All is well")
    well = page.status

    page.status = replace(well, sight={"north": "covered", "south": "clear"})
    expect(headline).to_have_text("north does not see")
    expect(lines).to_contain_text("north: live, but covered, or in fog. 2 of 2 cameras are live.")
    expect(card(tab, "north").locator(".state")).to_have_text("Live, but covered, or in fog")

    page.status = replace(well, sight={"north": "clear", "south": "moved"})
    expect(headline).to_have_text("south was moved")
    expect(lines).to_contain_text("south: live, but looking elsewhere than it did: check zones and lines.")
    page.status = well
    expect(headline).to_have_text("All is well")


def test_box_that_does_not_answer(start_page, tab):
    """A box that falls silent is said so, with the age of what is seen; when it is back, so are the pictures."""
    page = start_page()
    page.show("north")
    tab.goto(page.url)
    silence = tab.get_by_role("alert")
    assert wait_until(lambda: loaded(tab, "north"))
    expect(silence).to_be_hidden()
    page.stop()
    expect(silence).to_contain_text("The box does not answer. What you see is ", timeout=10_000)
    expect(tab.get_by_role("heading", level=1)).to_be_hidden()
    still = card(tab, "north").locator("canvas")
    assert still.evaluate("still => still.getContext('2d').getImageData(480, 270, 1, 1).data[0]") == pytest.approx(
        90, abs=5
    )

    again = start_page(port=int(page.url.rsplit(":", 1)[1]))
    expect(silence).to_be_hidden(timeout=10_000)
    assert wait_until(lambda: again.watchers("north") == 1)


def test_stream_that_ended_unnoticed_is_opened_again(start_page, tab, free_port):
    """When the page's server restarts between two looks of the page, the live picture still comes back."""
    page = start_page(port=free_port)
    page.show("north")
    tab.goto(page.url)
    assert wait_until(lambda: page.watchers("north") == 1)
    page.stop()
    page.start()
    assert wait_until(lambda: page.watchers("north") == 1, within_s=12)


def test_box_that_cannot_tell(start_page, tab):
    """A box that answers but cannot say how it is gives its reason."""
    page = start_page()
    tab.goto(page.url)
    expect(tab.get_by_role("heading", level=1)).to_have_text("All is well")

    def fail():
        raise RetryableError("the disk is gone")

    page.answer = fail
    expect(tab.get_by_role("alert")).to_contain_text("The box answers, but cannot say how it is: the disk is gone.")


def test_names_are_text(page, tab):
    """What cameras, brokers and models say of themselves is shown as text and never becomes part of the page."""
    bad = camera("north", CameraState.FAILED, MARKUP)
    link = replace(page.status.link, state=LinkState.OFFLINE, detail=MARKUP, broker=MARKUP)
    counted = (HourCount("north", "*", 1, 3600.0, 1, 0.0, 1), HourCount("north", MARKUP, 1, 3600.0, 1, 0.0, 1))
    page.status = box_status(cameras=(bad,), link=link, model_name=MARKUP, site=MARKUP, hour=counted)
    tab.goto(page.url)
    expect(card(tab, "north").locator(".detail")).to_have_text(MARKUP)
    expect(card(tab, "north").locator("tbody th")).to_have_text(MARKUP)
    expect(row(tab, "This box", "Model")).to_have_text(MARKUP)
    assert "injected" not in tab.title()
    assert tab.complaints == []


def test_only_what_is_seen_is_streamed(page, tab):
    """A camera out of sight is not streamed; scrolled to, it is; and a page that goes away lets go of everything."""
    tab.set_viewport_size({"width": 390, "height": 500})
    tab.goto(page.url)
    assert wait_until(lambda: page.watchers("north") == 1)
    assert page.watchers("south") == 0
    card(tab, "south").evaluate("element => element.scrollIntoView({ block: 'start' })")
    assert wait_until(lambda: page.watchers("south") == 1)
    assert wait_until(lambda: page.watchers("north") == 0)
    tab.goto("about:blank")
    assert wait_until(lambda: page.watchers("south") == 0)


def test_full_house_still_shows_pictures(page, tab, monkeypatch):
    """Where all places for streams are taken the page shows single pictures instead."""
    monkeypatch.setattr("agent.web.stream.VIEWERS_MAX", 0)
    page.show("north")
    tab.goto(page.url)
    assert wait_until(lambda: loaded(tab, "north"))
    assert "snapshot.jpg" in card(tab, "north").locator("img").get_attribute("src")


def test_password_in_the_address(start_page, browser):
    """A person who types user and password into the address gets a page that works."""
    page = start_page(password="secret")
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(page.url.replace("//", "//hedgerow:secret@"))
    expect(tab.get_by_role("heading", level=1)).to_have_text("All is well")
    assert wait_until(lambda: loaded(tab, "north"))
    context.close()


@pytest.mark.parametrize("width", [320, 768, 1280])
@pytest.mark.parametrize("cameras", [1, 2])
def test_fits_the_screen(page, tab, width, cameras):
    """At no width between a small phone and a desk does the page scroll sideways, long words included."""
    detail = "rtsp://camera.example/" + "x" * 120
    shown = (camera("north", CameraState.UNREACHABLE, detail), camera("south"))[:cameras]
    page.status = box_status(cameras=shown, model_name="m" * 80)
    tab.set_viewport_size({"width": width, "height": 800})
    tab.goto(page.url)
    expect(card(tab, "north")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(page, tab, scheme):
    """Every text stands out from its background by 4.5 to 1 (WCAG AA), in light and dark, in good days and bad."""
    tab.emulate_media(color_scheme=scheme)
    shown = (camera("north", CameraState.STALLED, "no frame"), camera("south"))
    link = replace(page.status.link, state=LinkState.OFFLINE, detail="no route")
    page.status = box_status(cameras=shown, link=link, disk_free_bytes=1, hour=())
    tab.goto(page.url)
    expect(card(tab, "north")).to_be_visible()
    assert tab.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const colour = channels(getComputedStyle(element).backgroundColor);
    return colour.length === 4 && colour[3] === 0 ? behind(element.parentElement) : colour;
  };
  const weak = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    if (element.closest("button, template, noscript")) continue;
    const pair = [light(channels(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) weak.push(`${element.textContent.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""


def test_zones_lines_and_measures_are_told(page, tab) -> None:
    """What zones, lines and measures say of the last hour stands on the camera's card, in words."""
    gate = HourCount("north", "*", 7, 3480.0, 17000, 0.5, 2, "gate")
    page.status = box_status(
        hour=(*box_status().hour, gate),
        measures=(
            HourMeasure("north", "gate", "apple", "dwell_s", 4, 10.0, 2.5),
            HourMeasure("north", "post", "*", "crossed_in", 30, 30.0, 1.0),
            HourMeasure("north", "post", "apple", "crossed_in", 30, 30.0, 1.0),
            HourMeasure("north", "*", "*", "canopy_cover", 300, 126.0, 0.42),
            HourMeasure("north", "*", "apple", "ripeness", 50, 30.0, 0.6),
            HourMeasure("north", "*", "apple", "ripeness_80_100", 20, 20.0, 1.0),
            HourMeasure("north", "*", "apple", "row_count", 5, 60.0, 12.0),
            HourMeasure("north", "*", "apple", "row_fruit", 55, 55.0, 1.0),
            HourMeasure("north", "*", "*", "row_count", 5, 60.0, 12.0),
            HourMeasure("north", "*", "*", "row_count_variance", 5, 36.0, 7.2),
        ),
    )
    tab.goto(page.server.url)
    facts = card(tab, "north").locator("dl.measures > div")
    expect(facts).to_have_text(
        [
            "Zone gate7 counted, 0.5 in it on average",
            "Line post30 in, 0 out",
            "gate, apple: stayed2.5 s on average",
            "Green cover42 %",
            "apple: ripe60 % on average of 50",
            "apple: riper than 80 %20 of 50",
            "Along the row60, likely 50 to 70",
        ]
    )
    assert tab.complaints == []
