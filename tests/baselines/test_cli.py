"""The command line, as a user types it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from transreward_baselines.cli import main
from transreward_baselines.joints import show_joints
from transreward_baselines.pairs_command import find_pair
from transreward_baselines.processes import Finished
from transreward_baselines.settings import parse_settings
from transreward_envs import PAIRS, Pair


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(list(words))
    return capsys.readouterr().out


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_a_robot_whose_extra_is_missing_is_named_with_its_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith("gymnasium_robotics")]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "gymnasium_robotics", None)
    monkeypatch.delitem(sys.modules, "transreward_envs.robots.ant_maze", raising=False)
    message = "pip install 'transreward-envs[robotics]'"
    assert message in failure(capsys, "show", "AntMaze-small-empty")


def test_list_names_every_pair_or_those_that_match(capsys: pytest.CaptureFixture[str]) -> None:
    everything = run(capsys, "list")
    assert all(name in everything for name in PAIRS)
    some = run(capsys, "list", "pendulum")
    assert "InvertedPendulum-gravity-2.0" in some
    assert "Hopper" not in some


@pytest.mark.parametrize("name", ["Hopper-mass-2.0", "TransReward/Hopper-mass-2.0-reward-transfer-v0"])
def test_show_prints_ids_spaces_and_what_differs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "show", name)
    for part in (
        "Box(-inf, inf, (11,)",
        "TransReward/Hopper-mass-2.0-darc-v0",
        "body_mass",
        "3.66519",
        "7.33038",
        "kg",
    ):
        assert part in text


def test_show_tells_two_robots_apart_and_which_joints_correspond(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "show", "Hopper-from-Walker2d")
    for part in (
        "observation of the source: Box(-inf, inf, (17,)",
        "action of the target: Box(-1.0, 1.0, (3,)",
        "TransReward/Hopper-from-Walker2d-reward-transfer-v0",
        "Joints that correspond by name",
        "foot_joint          foot_joint",
        "none: held at rest  foot_left_joint",
    ):
        assert part in text
    assert "darc" not in text
    assert "thigh_left_joint  none: what it does is lost" in run(capsys, "show", "Walker2d-from-Hopper")
    assert "across robots, {source,target,reward-transfer" in run(capsys, "list", "from-Walker2d")


def test_show_says_why_no_joints_correspond(capsys: pytest.CaptureFixture[str]) -> None:
    show_joints(Pair(robot="Reacher", name="Reacher-from-Hopper", source_robot="Hopper"))
    assert "Reacher is none: it does not say what its observation is made of" in capsys.readouterr().out


def test_a_run_across_robots_is_evaluated_in_the_target(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    words = ["--pair", "Walker2d-from-Hopper", "--method", "reward-transfer", "--steps", "64", "--out", out]
    words += ["--agent", "sb3-sac", "--eval-episodes", "2", "--set", "fit_budget=40", "fit_updates=2", "hidden=8"]
    words += ['correspondence={"joints": {"thigh_left_joint": "thigh_joint"}}']
    assert "in the target, after 40 source and 64 target steps" in run(capsys, "train", *words)
    table = run(capsys, "evaluate", out, "--episodes", "2")
    assert "target" in table
    assert "source" not in table
    refused = ["train", "--pair", "Walker2d-from-Hopper", "--out", str(tmp_path / "other")]
    assert "Choose 'target' or 'reward-transfer'" in failure(capsys, *refused)


def test_train_evaluate_and_plot(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    words = ["--pair", "InvertedPendulum-gravity-2.0", "--method", "darc", "--steps", "2048", "--out", out]
    words += ["--eval-episodes", "2", "--set", "eta=0.1", "warmup=100"]
    assert "return" in run(capsys, "train", *words)
    table = run(capsys, "evaluate", out, "--episodes", "3")
    assert "source" in table
    assert "target" in table
    assert "`episodes` must be an integer >= 1" in failure(capsys, "evaluate", out, "--episodes", "0")
    figure = tmp_path / "figure.png"
    assert str(figure) in run(capsys, "plot", out, "--out", str(figure))
    assert figure.exists()
    assert "has another (seed: 0 there, 3 asked for)" in failure(capsys, "train", *words, "--seed", "3")


def test_wrong_names_get_a_suggestion_and_exit_with_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    assert "Did you mean 'Hopper-gravity-2.0'" in failure(capsys, "show", "Hopper-gravty-2.0")
    assert "Unknown pair 'nonsense'" in failure(capsys, "list", "nonsense")
    pair = ["train", "--pair", "Hopper-gravity-2.0", "--out", out]
    assert "Did you mean 'darc'" in failure(capsys, *pair, "--method", "dar")
    assert "Did you mean 'sb3-sac'" in failure(capsys, *pair, "--agent", "sb3-sca")
    assert "Did you mean 'eta'" in failure(capsys, *pair, "--method", "darc", "--set", "etta=1")
    assert "A setting has the form name=value" in failure(capsys, *pair, "--set", "eta")
    assert "`n_envs` must be an integer >= 1" in failure(capsys, *pair, "--n-envs", "0")
    assert "A run directory holds a config.json" in failure(capsys, "evaluate", str(tmp_path / "nothing"))
    assert "needs the directory of at least one run" in failure(capsys, "plot")


OWN = """
from dataclasses import dataclass
import numpy as np
from transreward_envs import make_pair, register_pair
from transreward_wrappers import Compensation, Transitions, register_compensation

@dataclass(kw_only=True, eq=False)
class Gentle(Compensation):
    def __call__(self, batch: Transitions) -> np.ndarray:
        return np.zeros(len(batch))

register_pair(make_pair("InvertedPendulum", {"kind": "gravity", "scale": 1.5}))
register_compensation("gentle", Gentle)
"""


def test_pairs_and_compensations_of_ones_own_are_imported(tmp_path: Path) -> None:
    (tmp_path / "gentle.py").write_text(OWN)

    def transreward(*words: str) -> str:
        command = [sys.executable, "-m", "transreward_baselines.cli", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    words = ["--pair", "InvertedPendulum-gravity-1.5", "--method", "gentle", "--steps", "2048", "--out", "run"]
    assert "Unknown pair" in transreward("train", *words)
    text = transreward("train", *words, "--imports", "gentle", "--eval-episodes", "1")
    assert "step 2048: return" in text
    assert "InvertedPendulum-gravity-1.5, gentle, seed 0" in transreward("evaluate", "run", "--episodes", "1")
    assert "`imports` names modules that can be imported" in transreward("train", *words, "--imports", "nowhere")


def test_what_belongs_to_the_run_is_no_setting(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["train", "--pair", "Hopper-gravity-2.0", "--out", str(tmp_path / "run"), "--set"]
    assert "'pair' is not a setting" in failure(capsys, *words, "pair=Hopper-gravity-5.0")


def test_settings_are_json_or_plain_words() -> None:
    words = ("eta=0.1", "warmup=5", "parameterisation=joint", "shared=true")
    assert parse_settings(words) == {"eta": 0.1, "warmup": 5, "parameterisation": "joint", "shared": True}


@pytest.mark.parametrize("pair", list(PAIRS.values())[::7], ids=lambda pair: pair.name)
def test_a_pair_is_found_by_its_name_and_any_of_its_ids(pair) -> None:
    for name in (pair.name, pair.id("source"), f"transreward_envs:{pair.id('reward-transfer')}"):
        assert find_pair(name) is pair


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("data build --pair Hopper-mas-2.0", "Unknown pair 'Hopper-mas-2.0'. Did you mean"),
        ("refine --pair Hopper-mass-2.0 --out runs --rounds 0", "`rounds` must be an integer >= 1; got 0"),
        ("benchmark --out runs", "Name what to train in"),
        ("benchmark --table dara --seeds -1", "`seeds` must be an integer >= 0; got -1"),
        ("policies train --domains AntMaze", "'AntMaze' has none. Train your own"),
        ("data build --pair AntMaze-medium-3 --quality medium", "There is no recipe to train policies of AntMaze"),
        ("verify --workers -1", "`workers` must be an integer >= 1; got -1"),
        ("list zzz --suite darc", "Unknown pair of suite 'darc' 'zzz'. Valid names: Ant-broken-ankle_1,"),
        (
            "train --pair Hopper-mass-2.0 --method darc --out runs --set target_budget=9",
            "'target_budget' is not a setting of a method: it is `--target-budget`",
        ),
        ("align --pair Hopper-mass-2.0 --set model_updats=5", "`--set` is of `--target imagined`"),
        ("align --pair Walker2d-from-Hopper", "has Hopper, its target Walker2d. Choose another pair"),
        ("align --pair Hopper-mass-2.0 --seed -1", "`seed` must be an integer >= 0; got -1"),
        (
            "show --classifier nowhere",
            "nowhere/config.json is not a run's configuration: No such file or directory. Name",
        ),
    ],
)
def test_what_cannot_be_is_told_in_a_line(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = failure(capsys, *words.split())
    assert message in told
    assert told.splitlines()[-1].startswith("transreward: ")


@pytest.mark.parametrize(
    "words",
    [
        "train --pair Hopper-mass-2.0",
        "refine --pair Hopper-mass-2.0",
        "benchmark --pairs Hopper-mass-2.0",
        "align --pair Hopper-mass-2.0",
        "render Hopper-mass-2.0",
    ],
)
def test_a_file_where_a_folder_is_due_is_named(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "film" if words.startswith("render") else tmp_path / "file"
    assert f"{tmp_path / 'file'} is a file. Choose another" in failure(capsys, *words.split(), "--out", str(out))


def test_policies_that_were_not_trained_leave_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    words = ["--domains", "InvertedPendulum", "--runs", str(tmp_path / "file"), "--shelf", str(tmp_path / "shelf")]
    assert "is a file. Choose another" in failure(capsys, "policies", "train", *words)
    assert not (tmp_path / "shelf").exists()


def test_policies_whose_training_failed_leave_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(function: object, jobs: dict[str, object], *, workers: int, tell: Callable[[Finished], None]) -> None:
        for name in jobs:
            tell(Finished(name=name, error="no luck"))

    monkeypatch.setattr("transreward_baselines.policies.command.run_jobs", fail)
    words = ["--domains", "InvertedPendulum", "--runs", str(tmp_path / "runs"), "--shelf", str(tmp_path / "shelf")]
    assert "1 domains failed: InvertedPendulum. Run the same command" in failure(capsys, "policies", "train", *words)
    assert not (tmp_path / "shelf").exists()


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m transreward_baselines.cli list | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "pairs" in done.stdout
    assert "transreward:" not in done.stderr
