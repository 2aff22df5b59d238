"""Which backend runs a model on this box: measured with the real runtimes, remembered, and never trusted blindly."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.detection import choice, open_detector
from agent.detection.bundled import int8_of
from agent.detection.choice import INT8, MEMORY, best_backend, choose_backend, measure_backends, measure_if_new
from agent.detection.later import BackendTrials
from agent.detection.model_file import read_model_file
from agent.detection.trial import Trial, try_backend
from agent.errors import FatalError


@pytest.fixture(scope="module")
def remembered(bundled_model, tmp_path_factory) -> Path:
    """A folder that remembers what was measured of the bundled model, with both runtimes installed."""
    folder = tmp_path_factory.mktemp("memory")
    with pytest.MonkeyPatch.context() as patch:
        # The machine that runs tests may be busy: its times are taken as steady here.
        patch.setattr(
            choice, "try_backend", lambda *args, **options: replace(try_backend(*args, **options), steady=True)
        )
        measure_backends(read_model_file(bundled_model), folder, threads=0)
    return folder


@pytest.fixture
def memory(remembered, tmp_path) -> Path:
    """A copy of it that a test may spoil."""
    (tmp_path / MEMORY).write_bytes((remembered / MEMORY).read_bytes())
    return tmp_path


def chosen_line(model, memory, **options) -> dict:
    """Open a detector with backend "auto" and return what was logged of the choice."""
    with capture_logs() as logs:
        detector = open_detector(model, memory=memory, **options)
    (line,) = (entry for entry in logs if entry["event"] == "backend_chosen")
    assert detector.info.backend == line["backend"]
    detector.close()
    return line


def test_measuring_gives_figures_of_each_runtime(remembered):
    """Both runtimes were measured in processes of their own: time, CPU time, memory and precision."""
    (entry,) = json.loads((remembered / MEMORY).read_text(encoding="utf-8"))
    trials = {trial["backend"]: trial for trial in entry["trials"]}
    assert set(trials) == {"openvino", "onnxruntime", INT8}
    for trial in trials.values():
        assert trial["problem"] == ""
        assert 0 < trial["wall_ms"] < 5000
        assert trial["cpu_ms"] > 0
        assert 50e6 < trial["memory_bytes"] < 1e9
        assert trial["precision"] in {"f32", "bf16", "f16", "int8"}
    assert entry["chosen"] in trials


def test_the_choice_is_remembered(bundled_model, memory, monkeypatch):
    """A second start measures nothing: it takes what the file says, whatever that is."""
    monkeypatch.setattr(choice, "try_backend", None)  # calling it would raise
    entries = json.loads((memory / MEMORY).read_text(encoding="utf-8"))
    entries[0]["chosen"] = "onnxruntime"
    (memory / MEMORY).write_text(json.dumps(entries), encoding="utf-8")
    line = chosen_line(bundled_model, memory)
    assert (line["backend"], line["remembered"]) == ("onnxruntime", True)
    assert set(line["ms"]) == {"openvino", "onnxruntime", INT8}


def test_a_start_never_waits_for_a_measurement(make_model, tmp_path, monkeypatch):
    """Where nothing is remembered the usual winner runs at once."""
    monkeypatch.setattr(choice, "try_backend", None)  # calling it would raise
    line = chosen_line(make_model(nothing()), tmp_path)
    assert (line["backend"], line["remembered"]) == ("openvino", False)


def test_the_agent_measures_later_until_nothing_disturbs_it(make_model, tmp_path, monkeypatch):
    """Each model is measured, again where times scattered, and the next start takes what was best."""
    models = [make_model(nothing(), name="one"), make_model(nothing() + 1, name="two"), tmp_path / "gone.onnx"]
    steady = iter([True, False, *[True] * 4])
    figures = {"openvino": 2.0, "onnxruntime": 1.0}

    def trial(_path: Path, backend: str, *, threads: int) -> Trial:
        return Trial(backend, figures[backend], float(threads), steady=next(steady))

    monkeypatch.setattr(choice, "try_backend", trial)
    BackendTrials(models, tmp_path, threads=1, after_s=0.0).run(threading.Event(), lambda: None)
    assert next(steady, None) is None
    assert [chosen_line(model, tmp_path, threads=1)["backend"] for model in models[:2]] == ["onnxruntime"] * 2


@pytest.mark.parametrize(
    "spoilt",
    [b"", b"{", b"\xff\xfe", b"[" * 5000, b"null", b'[{"key": 1}]', b'[{"key": "k", "chosen": "x", "trials": []}]'],
    ids=["empty", "cut off", "no text", "deep", "null", "keys missing", "not in its table"],
)
def test_a_corrupt_memory_is_measured_anew(make_model, tmp_path, monkeypatch, spoilt):
    """A file that is not what was written is ignored with a warning, and replaced by a new measurement."""
    (tmp_path / MEMORY).write_bytes(spoilt)
    monkeypatch.setattr(choice, "try_backend", lambda path, backend, *, threads: TRIAL)
    with capture_logs() as logs:
        table = measure_backends(read_model_file(make_model(nothing())), tmp_path, threads=1)
    assert "backend_memory_ignored" in [entry["event"] for entry in logs]
    (entry,) = json.loads((tmp_path / MEMORY).read_text(encoding="utf-8"))
    assert entry["chosen"] == table.chosen


def nothing():
    import numpy as np

    return np.zeros((1, 300, 6))


@pytest.mark.parametrize("changed", ["model", "threads", "version", "processor"])
def test_another_model_box_or_version_is_measured_anew(make_model, memory, monkeypatch, changed):
    """What is remembered holds for one model, processor, number of threads and set of versions."""
    model = make_model(nothing())
    measured = []
    monkeypatch.setattr(choice, "try_backend", lambda path, backend, *, threads: measured.append(backend) or TRIAL)
    assert measure_if_new(read_model_file(model), memory, threads=1)
    assert measured == ["openvino", "onnxruntime"]
    assert measure_if_new(read_model_file(model), memory, threads=1)
    assert len(measured) == 2
    if changed == "model":
        model = make_model(nothing() + 1, name="other")
    elif changed == "version":
        monkeypatch.setattr(choice.importlib.metadata, "version", lambda _package: "99")
    elif changed == "processor":
        monkeypatch.setattr(choice, "_processor", lambda: "another")
    measure_if_new(read_model_file(model), memory, threads=2 if changed == "threads" else 1)
    assert len(measured) == 4


TRIAL = Trial("openvino", wall_ms=1.0, cpu_ms=1.0)


def test_a_folder_that_cannot_be_written_costs_the_memory_only(make_model, tmp_path, monkeypatch):
    """Where nothing can be remembered the usual winner runs all the same, and the log says so."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(choice, "try_backend", lambda path, backend, *, threads: TRIAL)
    with capture_logs() as logs:
        measure_backends(read_model_file(make_model(nothing())), tmp_path / "file" / "below", threads=1)
        open_detector(make_model(nothing()), memory=tmp_path / "file" / "below", threads=1).close()
    assert "backend_not_remembered" in [entry["event"] for entry in logs]


def test_only_a_few_tables_are_kept(make_model, tmp_path, monkeypatch):
    """The file does not grow for ever: the newest eight models stay."""
    monkeypatch.setattr(choice, "try_backend", lambda path, backend, *, threads: TRIAL)
    for number in range(10):
        measure_backends(read_model_file(make_model(nothing() + number)), tmp_path, threads=1)
    assert len(json.loads((tmp_path / MEMORY).read_text(encoding="utf-8"))) == 8


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ({"a": (20, 40), "b": (35, 70)}, "a"),
        ({"a": (35, 40), "b": (20, 70)}, "b"),
        ({"a": (20, 45), "b": (21, 40)}, "b"),  # as fast to a tenth, and cheaper
        ({"a": (20, 40), "b": (None, None)}, "a"),
        ({"a": (None, None), "b": (20, 40)}, "b"),
        ({"a": (None, None), "b": (None, None)}, "a"),
    ],
)
def test_the_fastest_wins_and_among_equals_the_cheapest(figures, best):
    """Wall time decides; within a tenth, CPU time; a backend that failed never does unless all did."""
    trials = [Trial(name, wall_ms=wall, cpu_ms=cpu) for name, (wall, cpu) in figures.items()]
    assert best_backend(trials) == best


def test_times_that_are_not_steady_decide_nothing(make_model, tmp_path, monkeypatch):
    """When something else kept the processor busy the usual winner runs, and it is measured again."""
    busy = {"openvino": Trial("openvino", 50.0, 40.0, steady=False), "onnxruntime": Trial("onnxruntime", 20.0, 40.0)}
    monkeypatch.setattr(choice, "try_backend", lambda path, backend, *, threads: busy[backend])
    model = make_model(nothing())
    with capture_logs() as logs:
        assert not measure_if_new(read_model_file(model), tmp_path, threads=0)
    assert open_detector(model, memory=tmp_path).info.backend == "openvino"
    assert "backends_measured_while_busy" in [entry["event"] for entry in logs]
    assert not (tmp_path / MEMORY).exists()


@pytest.mark.parametrize("runtimes", [["openvino"], ["openvino", "onnxruntime"]])
def test_int8_of_the_bundled_model_runs_where_it_was_fastest(bundled_model, tmp_path, monkeypatch, runtimes):
    """Its eight-bit form is a candidate like a runtime, with one runtime too; a start waits for no measurement."""
    measured = []

    def answer(path, backend, *, threads):
        measured.append((path, backend))
        return Trial(backend, wall_ms=1.0 if path.is_dir() else 9.0, cpu_ms=1.0)

    monkeypatch.setattr(choice, "try_backend", answer)
    monkeypatch.setattr(choice, "installed_backends", lambda _kind: runtimes)
    file = read_model_file(bundled_model)
    assert choose_backend(file, tmp_path, threads=0) == "openvino"
    assert measured == []
    assert measure_if_new(file, tmp_path, threads=0)
    assert measured == [*((bundled_model, name) for name in runtimes), (int8_of(bundled_model), "openvino")]
    detector = open_detector(None, memory=tmp_path)
    assert (detector.info.backend, detector.info.precision) == ("openvino", "int8")
    detector.close()


def test_other_models_have_no_int8_form(make_model):
    """Of a model of the user's own nothing is known that could be as good."""
    assert int8_of(make_model(nothing())) is None


def test_a_backend_that_hangs_is_given_up(bundled_model):
    """A measurement ends by its time limit, and says so."""
    trial = try_backend(bundled_model, "openvino", threads=1, timeout_s=0.05)
    assert (trial.wall_ms, trial.problem) == (None, "no result within 0.05 s")


def test_a_model_that_nothing_runs_is_refused_in_one_line(tmp_path):
    """A measurement fails as the start does, with the model's own error, and nothing is remembered."""
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    assert "is not an ONNX model" in try_backend(path, "onnxruntime", threads=1).problem
    with pytest.raises(FatalError, match=r"broken\.onnx is not an ONNX model that openvino can run"):
        open_detector(path, memory=tmp_path)
    assert not (tmp_path / MEMORY).exists()


@pytest.mark.parametrize("backend", ["onnxruntime", "ultralytics"])
def test_a_backend_that_cannot_run_this_kind_is_refused(tmp_path, backend):
    """The message names the kind of model, and the backends that can run it."""
    (tmp_path / "model.xml").write_bytes(b"")
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(FatalError, match=f"is an OpenVINO model, which {backend} cannot run; allowed: auto, openvino"):
        open_detector(tmp_path, backend=backend)
