"""The gate opens for what happens, and for nothing else, however long it lasts."""

import av
import numpy as np
import pytest

from agent.motion import MotionGate
from tests.motion.scenes import FPS, ground, noisy, opened, rainy, small_frames, with_square

MINUTE = 60 * FPS
SCENE = ground()


def gate(look_every_s: float = 3600) -> MotionGate:
    return MotionGate(fps=FPS, look_every_s=look_every_s)


def test_first_pictures_are_looked_at():
    """A gate starts open for a second, so that a tracker can confirm what is there, and then closes."""
    rng = np.random.default_rng(1)
    assert opened(gate(), lambda _: noisy(SCENE, rng, 3), range(2 * MINUTE)) == list(range(FPS))


def test_forced_looks():
    """A still scene is looked at every ``look_every_s``, in bursts long enough to confirm a track."""
    rng = np.random.default_rng(1)
    seen = opened(gate(look_every_s=20), lambda _: noisy(SCENE, rng, 3), range(3 * MINUTE))
    later = [number for number in seen if number >= FPS]
    starts = [number for number in later if number - 1 not in later]
    assert len(starts) == 8
    assert len(later) == 3 * len(starts)


@pytest.mark.parametrize("side", [6, 14, 60])
def test_opens_for_a_passing_object(side):
    """Something dark that crosses a noisy scene opens the gate in its first picture, and until it has left."""
    rng = np.random.default_rng(2)

    def picture(number: int) -> np.ndarray:
        x = 12 * (number - MINUTE)
        return noisy(with_square(SCENE, x, side=side) if 0 <= x < 240 else SCENE, rng, 3)

    seen = opened(gate(), picture, range(2 * MINUTE))
    assert set(range(MINUTE + 1, MINUTE + 20)) <= set(seen)
    assert max(seen) < MINUTE + 21 + FPS


def test_opens_for_what_creeps():
    """Something that moves a tenth of a pixel a picture is seen now and then: the last look is compared with."""
    rng = np.random.default_rng(3)
    seen = opened(gate(), lambda n: noisy(with_square(SCENE, 20 + n // 10, side=30), rng, 3), range(3 * MINUTE))
    looks = [number for number in seen if number > FPS]
    assert len({number // MINUTE for number in looks}) == 3


def test_what_stands_closes_it_again():
    """A thing that comes and stays is looked at for a second, and is part of the scene from then on."""
    rng = np.random.default_rng(4)
    seen = opened(gate(), lambda n: noisy(with_square(SCENE, 100) if n >= MINUTE else SCENE, rng, 3), range(3 * MINUTE))
    assert seen == [*range(FPS), *range(MINUTE, MINUTE + FPS)]


@pytest.mark.parametrize("factor", [0.75, 1.3])
def test_a_change_of_the_light_is_no_motion(factor):
    """Exposure that jumps, or sun that fades in a minute, does not open it."""
    rng = np.random.default_rng(5)
    seen = opened(gate(), lambda n: noisy(SCENE * (factor if n >= MINUTE else 1), rng, 3), range(2 * MINUTE))
    assert seen == list(range(FPS))
    seen = opened(gate(), lambda n: noisy(SCENE * factor ** min(1, n / MINUTE), rng, 3), range(2 * MINUTE))
    assert seen == list(range(FPS))


def test_night_does_not_open_it_for_ever():
    """A sensor's noise that grows fourfold at dusk, in the dark, is learned within two minutes."""
    rng = np.random.default_rng(6)
    seen = opened(gate(), lambda n: noisy(0.2 * SCENE, rng, 3 if n < MINUTE else 16), range(6 * MINUTE))
    assert [number for number in seen if number >= 3 * MINUTE] == []


def test_rain_does_not_open_it_for_ever():
    """Rain opens the gate, which is closed mostly after two minutes of it, and opens for an object in the rain."""
    rng = np.random.default_rng(7)

    def picture(number: int) -> np.ndarray:
        scene = rainy(SCENE, rng) if number >= MINUTE else SCENE
        x = 12 * (number - 5 * MINUTE)
        return noisy(with_square(scene, x, side=40) if 0 <= x < 240 else scene, rng, 3)

    seen = opened(gate(), picture, range(6 * MINUTE))
    assert MINUTE in seen
    assert len([number for number in seen if 3 * MINUTE <= number < 5 * MINUTE]) < 0.15 * 2 * MINUTE
    assert len([number for number in seen if 5 * MINUTE <= number < 5 * MINUTE + 20]) >= 15


def road(number: int, rng: np.random.Generator) -> np.ndarray:
    """A car each two seconds, always on the same road."""
    return noisy(with_square(SCENE, 30 * (number % 10), side=24), rng, 3)


def test_traffic_is_never_learned():
    """Where a tracker says that objects move, a gate stays open to them; without that word it tires of them."""
    rng = np.random.default_rng(8)
    told, untold = gate(), gate()
    told_opens, untold_opens = 0, 0
    for number in range(6 * MINUTE):
        at_ns = number * 10**9 // FPS
        x = 30 * (number % 10) / 320
        if told.look(road(number, rng), at_ns):
            told.note_moving(np.float32([[x, 0.44, x + 0.075, 0.58]]))
            told_opens += number >= 5 * MINUTE
        untold_opens += untold.look(road(number, rng), at_ns) and number >= 5 * MINUTE
    assert told_opens == MINUTE
    assert untold_opens < MINUTE / 2


def test_another_size_is_looked_at():
    """A stream that changes its size begins anew."""
    rng = np.random.default_rng(9)
    one = gate()
    opened(one, lambda _: noisy(SCENE, rng, 3), range(MINUTE))
    assert one.look(np.zeros((90, 160), np.uint8), MINUTE * 10**9)
    assert one.look(np.zeros((1, 1), np.uint8), (MINUTE + 1) * 10**9)
    assert one.look(np.zeros((1, 1), np.uint8), (MINUTE + 2) * 10**9)


def test_lights_out_is_looked_at():
    """A picture that cannot be compared, as after a switch of the light, is looked at."""
    rng = np.random.default_rng(10)
    seen = opened(gate(), lambda n: noisy(SCENE * (0.1 if n >= MINUTE else 1), rng, 2), range(2 * MINUTE))
    assert seen == [*range(FPS), *range(MINUTE, MINUTE + FPS)]


def test_every_frame_of_a_moving_camera(shared_data):
    """On a real video of a camera that passes trees, the gate is open in every frame."""
    frames = list(small_frames(shared_data / "video" / "orchard_pan_dev.mp4"))[:150]
    one = MotionGate(fps=15, look_every_s=3600)
    assert all(one.look(frame, number * 10**9 // 15) for number, frame in enumerate(frames))


def test_a_real_still_scene(shared_data, tmp_path):
    """A real photograph with a sensor's noise, as a camera's encoder sends it, is looked at in its first second only.

    And a patch of another photograph that is carried through it opens the gate in each frame.
    """
    with av.open(str(shared_data / "video" / "orchard_pan_dev.mp4")) as video:
        scene, other = (
            f.to_ndarray(format="bgr24", width=640, height=360)
            for n, f in enumerate(video.decode(video=0))
            if n in (0, 400)
        )
    path, rng = tmp_path / "still.mp4", np.random.default_rng(11)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 360, "yuv420p", 500_000
        stream.codec_context.gop_size = 10
        for number in range(120):
            image = scene.copy()
            if number >= 100:
                x = 25 * (number - 100)
                image[150:200, x : x + 50] = other[150:200, x : x + 50]
            image = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    one = gate()
    seen = [number for number, frame in enumerate(small_frames(path)) if one.look(frame, number * 10**9 // FPS)]
    assert seen == [*range(FPS), *range(100, 120)]
