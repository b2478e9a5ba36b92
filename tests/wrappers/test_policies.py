"""Policies as data: densities, files, longer observations."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from transreward_wrappers.policies import GaussianPolicy, NotAPolicyError, UniformPolicy, load_policy
from transreward_wrappers.policies.gaussian import FORMAT
from transreward_wrappers.policies.observed import robot_told
from transreward_wrappers.storage import save_tensors


def policy(seed: int = 0, *, observations: int = 4, actions: int = 2, **changes: object) -> GaussianPolicy:
    """Return a policy with random weights."""
    generator = np.random.default_rng(seed)
    sizes = (observations, 8, actions)
    settings = {
        "weights": tuple(
            generator.normal(size=(after, before)).astype(np.float32) for before, after in pairwise(sizes)
        ),
        "biases": tuple(generator.normal(size=after).astype(np.float32) for after in sizes[1:]),
        "activation": "tanh",
        "squash": "clip",
        "log_std": np.full(actions, -1.0, np.float32),
        "observation_mean": generator.normal(size=observations),
        "observation_variance": generator.uniform(0.5, 2.0, observations),
        "about": {"steps": 7},
    }
    return GaussianPolicy(**{**settings, **changes})


@given(seed=st.integers(0, 100), log_std=st.floats(-4.0, 1.0))
@settings(max_examples=25, deadline=None)
def test_the_density_of_actions_integrates_to_one(seed: int, log_std: float) -> None:
    one = policy(seed, actions=1, log_std=np.array([log_std], np.float32))
    grid = np.linspace(-1.0, 1.0, 20_001)
    density = np.exp(
        one.log_densities(np.tile(np.random.default_rng(seed).normal(size=4), (len(grid), 1)), grid[:, None])
    )
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("squash", ["clip", "tanh"])
def test_drawn_actions_are_within_bounds_and_have_the_density_that_is_told(squash: str) -> None:
    drawn, observations = policy(squash=squash), np.random.default_rng(1).normal(size=(64, 4))
    actions, densities = drawn.sample(observations, np.random.default_rng(2))
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1.0
    np.testing.assert_allclose(densities, drawn.log_densities(observations, actions), rtol=1e-12)
    again, _ = drawn.sample(observations, np.random.default_rng(2))
    np.testing.assert_array_equal(actions, again)


def test_actions_follow_the_truncated_gaussian() -> None:
    drawn = policy(log_std=np.array([0.3, -2.0], np.float32))
    observation = np.random.default_rng(3).normal(size=(1, 4))
    actions, _ = drawn.sample(np.repeat(observation, 40_000, axis=0), np.random.default_rng(4))
    mean = torch.from_numpy(drawn(observation).astype(np.float64))[0]
    deviation = torch.from_numpy(np.exp(drawn.log_std.astype(np.float64)))
    low, high = torch.special.ndtr((-1.0 - mean) / deviation), torch.special.ndtr((1.0 - mean) / deviation)
    for quantile in (0.1, 0.5, 0.9):
        wanted = mean + deviation * torch.special.ndtri(low + quantile * (high - low))
        np.testing.assert_allclose(np.quantile(actions, quantile, axis=0), wanted, atol=0.02)


def test_the_network_is_the_one_that_pytorch_evaluates() -> None:
    tried, observations = policy(), np.random.default_rng(5).normal(size=(16, 4)) * 30.0
    scaled = (observations - tried.observation_mean) / np.sqrt(tried.observation_variance + 1e-8)
    hidden = torch.from_numpy(scaled.clip(-10.0, 10.0).astype(np.float32))
    weights = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in zip(tried.weights, tried.biases, strict=True)]
    hidden = torch.tanh(hidden @ weights[0][0].T + weights[0][1]) @ weights[1][0].T + weights[1][1]
    np.testing.assert_allclose(tried(observations), hidden.clip(-1.0, 1.0), atol=1e-5)


def test_a_policy_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    written = policy(limit=None, squash="tanh").as_saved()
    written.save(tmp_path / "policy.safetensors")
    read = GaussianPolicy.load(tmp_path / "policy.safetensors")
    observations = np.random.default_rng(6).normal(size=(8, 4))
    np.testing.assert_array_equal(read(observations), written(observations))
    assert (read.about, read.limit, read.squash) == ({"steps": 7}, None, "tanh")
    assert (tmp_path / "policy.safetensors").stat().st_size < 2_000


def test_a_policy_ignores_what_longer_observations_end_in() -> None:
    short, observations = policy(), np.random.default_rng(7).normal(size=(8, 6))
    np.testing.assert_allclose(short.padded(6)(observations), short(observations[:, :4]), atol=1e-6)
    with pytest.raises(ValueError, match="needs observations of its own size, 4, or longer ones; got 3"):
        short.padded(3)


def test_uniform_actions_have_the_density_of_their_bounds() -> None:
    actions, densities = UniformPolicy(action_size=3).sample(np.zeros((500, 2)), np.random.default_rng(0))
    assert actions.shape == (500, 3)
    assert np.abs(actions.mean()) < 0.05
    np.testing.assert_allclose(densities, -3 * np.log(2.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "sine"}, "Unknown activation 'sine'"),
        ({"squash": "fold"}, "Unknown squash 'fold'"),
        ({"log_std": np.zeros(3, np.float32)}, "layers of a policy must fit together"),
        ({"biases": (np.zeros(8, np.float32), np.zeros(3, np.float32))}, "layers of a policy must fit together"),
        ({"log_std": np.full(2, np.nan, np.float32)}, "must be finite"),
        ({"log_std": np.full(2, 9.0, np.float32)}, "`log_std` must be at most 3.0; got 9.0"),
        ({"observation_mean": np.zeros(5)}, "statistics of observations must have the size"),
    ],
)
def test_policies_that_do_not_fit_together_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policy(**changes)


def test_files_that_are_no_policies_are_refused(tmp_path: Path) -> None:
    text, other, newer = (tmp_path / f"{name}.safetensors" for name in ("text", "other", "newer"))
    text.write_text("weights")
    save_tensors(other, {"weights": torch.zeros(3)}, {"kind": "classifier"})
    save_tensors(newer, policy().tensors(), {**policy().settings(), "format": FORMAT + 1})
    for path, message in ((text, "is none, or damaged"), (other, "'classifier'"), (newer, "format must be 1")):
        with pytest.raises(NotAPolicyError, match=message):
            GaussianPolicy.load(path)
    less = {name: tensor for name, tensor in policy().tensors().items() if name != "log_std"}
    save_tensors(other, less, policy().settings())
    with pytest.raises(NotAPolicyError, match="lacks what one has: 'log_std'"):
        GaussianPolicy.load(other)
    with pytest.raises(FileNotFoundError):
        GaussianPolicy.load(tmp_path / "missing.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"about": None}, "`about` must be a mapping; got None"),
        ({"limit": "x"}, "could not convert string"),
        ({"limit": -1.0}, "`limit` must be a finite number > 0, or None; got -1.0"),
        ({"activation": ["relu"]}, "unhashable|activation"),
    ],
)
def test_a_policy_whose_metadata_make_no_sense_is_refused(changes: dict, message: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    save_tensors(path, policy().tensors(), {**policy().settings(), **changes})
    with pytest.raises(NotAPolicyError, match=message):
        GaussianPolicy.load(path)


def test_a_negative_variance_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    variance = {"observations.variance": -policy().tensors()["observations.variance"]}
    save_tensors(path, {**policy().tensors(), **variance}, policy().settings())
    with pytest.raises(NotAPolicyError, match="`observation_variance` must be at least 0"):
        GaussianPolicy.load(path)


def test_policies_are_found_by_pair_and_by_robot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(tmp_path))
    for name, steps in (("Hopper", 1), ("Hopper-mass-2.0-target", 2), ("Hopper-dara-mass-source", 3)):
        replace(policy(), about={"steps": steps}).save(tmp_path / "Hopper" / f"{name}-expert.safetensors")
    found = {
        1: [("Hopper", "target"), ("Hopper-mass-2.0", "source"), ("Hopper-dara-mass", "target")],
        2: [("Hopper-mass-2.0", "target")],
        3: [("Hopper-dara-mass", "source")],
    }
    for steps, places in found.items():
        for pair, role in places:
            assert load_policy(pair, role).about["steps"] == steps
    with pytest.raises(ValueError, match=r"has no policy of level 'medium' in .*; it has expert. Train it"):
        load_policy("Hopper", level="medium")
    with pytest.raises(ValueError, match="Unknown level 'best'"):
        load_policy("Hopper", level="best")
    with pytest.raises(ValueError, match="Unknown pair or robot 'Hoper'"):
        load_policy("Hoper")


def test_a_level_that_training_did_not_find_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"domains": {"Hopper-mass-2.0-target": {"medium_remark": "No policy was found."}}, "pairs": {}}
    monkeypatch.setattr("transreward_wrappers.policies.shipped.measured_returns", lambda: table)
    monkeypatch.setattr(Path, "exists", lambda self: False)
    with pytest.raises(ValueError, match=r"No policy was found\. Another seed may find one"):
        load_policy("Hopper-mass-2.0", level="medium")


def test_a_shelf_that_does_not_exist_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        load_policy("Hopper")


def test_a_digest_tells_weights_apart() -> None:
    assert policy(1).digest() == policy(1, about={}).digest() != policy(2).digest()


def test_what_a_policy_says_about_itself_is_json() -> None:
    json.dumps(policy().settings())


def test_a_key_tells_apart_what_acts_differently_with_the_same_weights() -> None:
    keys = [policy(1, **change).key() for change in ({}, {"squash": "tanh"}, {"activation": "relu"}, {"about": {}})]
    assert keys[0] == keys[3]
    assert len({json.dumps(key) for key in keys}) == 3


@pytest.mark.parametrize(
    ("about", "robot"),
    [
        ({"domain": "Hopper"}, "Hopper"),
        ({"domain": "Hopper-mass-2.0-target"}, "Hopper"),
        ({"env_id": "TransReward/Walker2d-from-Hopper-source-v0"}, "Hopper"),
        ({"env_id": "TransReward/Walker2d-from-Hopper-reward-transfer-v0"}, "Walker2d"),
        ({"env_id": "Hopper-v5"}, "Hopper"),
        ({"env_id": "TransReward/Walker2d-like-target-v0"}, None),
        ({"steps": 7}, None),
    ],
)
def test_a_policy_tells_the_robot_that_it_was_trained_as(about: dict, robot: str | None) -> None:
    assert robot_told(policy(about=about)) == robot
