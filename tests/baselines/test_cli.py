"""The command line, as a user types it."""

from pathlib import Path

import pytest

from transreward_baselines.cli import find_pair, main, parse_settings
from transreward_envs import PAIRS


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(list(words))
    return capsys.readouterr().out


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 2
    return capsys.readouterr().err


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


def test_settings_are_json_or_plain_words() -> None:
    words = ("eta=0.1", "warmup=5", "parameterisation=joint", "shared=true")
    assert parse_settings(words) == {"eta": 0.1, "warmup": 5, "parameterisation": "joint", "shared": True}


@pytest.mark.parametrize("pair", list(PAIRS.values())[::7], ids=lambda pair: pair.name)
def test_a_pair_is_found_by_its_name_and_any_of_its_ids(pair) -> None:
    for name in (pair.name, pair.id("source"), f"transreward_envs:{pair.id('reward-transfer')}"):
        assert find_pair(name) is pair
