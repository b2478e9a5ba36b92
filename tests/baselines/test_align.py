"""``transreward align``: figures and JSON of any two trajectories."""

import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from transreward_baselines.align import figure as figure_module
from transreward_baselines.cli import main
from transreward_envs import Pair
from transreward_wrappers.alignment import Reference
from transreward_wrappers.alignment import align as align_costs
from transreward_wrappers.dtw import save_reference

PAIR = "InvertedPendulum-gravity-2.0"
TINY = ["fit_budget=200", "reference_steps=200", "segments=1", "horizon=5", "iterations=1", "candidates=6"]
TINY += ["model_updates=3", "fit_updates=3"]

pytestmark = pytest.mark.filterwarnings("ignore:The world model")


def aligned(tmp_path: Path, *words: str) -> dict[str, float]:
    main(["align", *words, "--out", str(tmp_path / "out")])
    picture = Image.open(tmp_path / "out" / "alignment.png")
    assert np.asarray(picture).std() > 10.0
    return json.loads((tmp_path / "out" / "alignment.json").read_text())


@pytest.fixture
def walks(tmp_path: Path) -> tuple[str, str]:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(30, 3)), axis=0)
    slow = np.repeat(walk, 2, axis=0)
    for name, observations in {"source": walk, "target": slow}.items():
        reference = Reference(observations=observations, rewards=np.ones(len(observations)))
        save_reference(tmp_path / f"{name}.npz", reference)
    return str(tmp_path / "source.npz"), str(tmp_path / "target.npz")


@pytest.mark.parametrize("method", ["dtw", "soft_dtw", "ot", "orca", "min_distance"])
def test_two_files_are_aligned(method: str, walks: tuple[str, str], tmp_path: Path) -> None:
    told = aligned(tmp_path, "--source", walks[0], "--target", walks[1], "--method", method)
    assert (told["source steps"], told["target steps"]) == (30, 60)
    assert told["transport, plain, total"] == pytest.approx(30.0)
    if method == "dtw":
        assert told["total"] == 0.0
        assert told["transport, gated, total"] == told["progress"] == pytest.approx(30.0)
        assert told["transport, gated, mean"] == pytest.approx(60.0)
        assert told["transport, gated, balanced"] == pytest.approx(60.0 / np.sqrt(2.0))


def test_a_band_that_is_too_narrow_is_widened_and_a_warning_says_so_without_its_place_in_the_code(
    walks: tuple[str, str], tmp_path: Path
) -> None:
    words = ["align", "--source", walks[0], "--target", walks[1], "--band", "3", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "transreward_baselines.cli", *words]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert re.search(r"^UserWarning: .*got 3, which is widened", told, flags=re.MULTILINE)
    assert ".py" not in told


def test_a_part_of_the_source_pays_from_the_floor_of_the_whole(tmp_path: Path) -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(30, 3)), axis=0)
    rewards = np.where(np.arange(30) < 10, -1.0, -9.0)
    save_reference(tmp_path / "walk.npz", Reference(observations=walk, rewards=rewards))
    both = ["--source", str(tmp_path / "walk.npz"), "--target", str(tmp_path / "walk.npz")]
    told = aligned(tmp_path, *both, "--steps", "10")
    assert told["transport, gated, total"] == told["progress"] == pytest.approx(10 * 8.0)


def test_progress_is_charged_by_tau_as_in_the_ids(walks: tuple[str, str], tmp_path: Path) -> None:
    far = Reference(observations=np.full((6, 3), 50.0), rewards=np.zeros(6))
    save_reference(tmp_path / "far.npz", far)
    told = aligned(tmp_path, "--source", walks[0], "--target", str(tmp_path / "far.npz"), "--tau", "8", "--open-end")
    assert told["total"] > 100.0
    assert told["progress"] == pytest.approx(-0.1 / 8.0 * told["total"], rel=1e-3), (
        "what is matched so badly pays nothing"
    )


def test_what_follows_once_the_source_is_over_costs_nothing(tmp_path: Path) -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(10, 3)), axis=0)
    longer = np.concatenate([walk, walk[-1] + np.arange(1.0, 61.0)[:, None]])
    for name, observations in {"source": walk, "target": longer}.items():
        reference = Reference(observations=observations, rewards=np.ones(len(observations)))
        save_reference(tmp_path / f"{name}.npz", reference)
    told = aligned(tmp_path, "--source", str(tmp_path / "source.npz"), "--target", str(tmp_path / "target.npz"))
    assert told["progress"] == pytest.approx(10.0)


@pytest.mark.parametrize(("target", "falls"), [("source-expert", False), ("random", True)])
def test_policies_act_in_the_domains_of_a_pair(
    target: str, falls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = Pair.make, []
    monkeypatch.setattr(
        Pair, "make", lambda one, role, **more: made.append((one.name, role)) or make(one, role, **more)
    )
    told = aligned(tmp_path, "--pair", PAIR, "--target", target, "--steps", "50", "--open-end")
    assert made == [(PAIR, "source"), (PAIR, "target")]
    assert told["source steps"] == 50
    assert (0 < told["target steps"] < 50) if falls else told["target steps"] == 50
    assert told["source's reward"] == 50.0


def test_a_world_model_imagines_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSREWARD_CACHE", str(tmp_path / "cache"))
    told = aligned(tmp_path, "--pair", PAIR, "--target", "imagined", "--set", *TINY)
    assert told["target steps"] == 5
    assert told["source steps"] <= 10


def test_a_world_model_that_knows_no_state_of_the_references_imagines_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRANSREWARD_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SystemExit):
        main(["align", "--pair", PAIR, "--target", "imagined", "--set", *TINY, "trust=1e-9", "--out", str(tmp_path)])
    assert "trust=1e-09. Give a larger `trust`, or more `fit_budget`" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--source", "expert", "--target", "random"], "A policy acts in a domain: name its `--pair`"),
        (["--target", "imagined"], "What is `imagined` is a pair's target: name its `--pair`"),
        (["--pair", PAIR, "--source", "exprt"], "Unknown trajectory 'exprt'. Did you mean 'expert'"),
        (["--pair", PAIR, "--method", "dtw", "--target", "nowhere.npz"], "is none"),
        (["--pair", PAIR, "--method", "ot", "--band", "3"], "`open_end` and `band` are of `--method dtw`; got 'ot'"),
        (["--pair", PAIR, "--source", "medium", "--target", "imagined"], "follows the references of a `dtw`"),
        (["--pair", PAIR, "--steps", "0"], "`steps` must be an integer >= 2; got 0"),
    ],
)
def test_what_means_nothing_is_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["align", *words])
    assert message in capsys.readouterr().err


def test_a_target_step_that_goes_with_no_source_step_has_no_line() -> None:
    generator = np.random.default_rng(0)
    source, target = (
        Reference(observations=generator.standard_normal((steps, 2)), rewards=np.ones(steps)) for steps in (2, 6)
    )
    found = align_costs(source.costs(target.observations), "orca")
    unmatched = np.flatnonzero(~found.weights.any(axis=1))
    assert len(unmatched) > 0
    figure, axes = plt.subplots()
    figure_module._draw_curves(axes, found, source, target, 0)
    drawn = {int(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 2 and line.get_zorder() == 0}
    plt.close(figure)
    assert drawn == set(range(6)) - set(unmatched.tolist())


def test_trajectories_of_two_robots_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for size in (3, 4):
        path = tmp_path / f"{size}.npz"
        save_reference(path, Reference(observations=np.zeros((5, size)), rewards=np.zeros(5)))
    with pytest.raises(SystemExit):
        main(["align", "--source", str(tmp_path / "3.npz"), "--target", str(path), "--out", str(tmp_path / "out")])
    told = capsys.readouterr().err.replace("\n", " ")
    assert "3.npz have 3 numbers" in told
    assert "4.npz 4. Give two of the same robot" in told
