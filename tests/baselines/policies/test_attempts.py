"""How a domain's policies are tried, and with which each attempt begins."""

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.wrappers.test_policies import policy
from transreward_baselines.policies import recipes, train
from transreward_baselines.policies.scores import score
from transreward_baselines.policies.train import Workplace, train_domain
from transreward_baselines.ppo import PPO, Args, main
from transreward_envs import PAIRS, SUITES, get_pair
from transreward_envs.pairs.domains import domains_of, robot_of
from transreward_wrappers.networks import orthogonal_mlp
from transreward_wrappers.policies import GaussianPolicy
from transreward_wrappers.policies.shipped import policy_path


@pytest.mark.usefixtures("small")
def test_a_target_is_tried_in_all_its_ways_and_only_one_afresh_begins_without_the_expert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf")
    train_domain("InvertedPendulum", place)
    ways = (recipes.CAREFUL, recipes.PATIENT, recipes.AFRESH, recipes.NEAREST)
    monkeypatch.setitem(recipes.ATTEMPTS, "InvertedPendulum", ways)
    near = policy_path("InvertedPendulum", "snapshot-0", place.shelf)
    monkeypatch.setattr(train, "_nearest", lambda expert, tried: near)
    train_domain("InvertedPendulum-mass-2.0-target", place)
    folder = place.runs / "runs" / "InvertedPendulum-mass-2.0-target"
    told = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/config.json")}
    expert = str(place.shelf / "InvertedPendulum/InvertedPendulum-expert.safetensors")
    assert {name: config["start_from"] for name, config in told.items()} == {
        "careful": expert,
        "patient": expert,
        "afresh": None,
        "nearest": str(near),
    }
    assert {config["total_steps"] for config in told.values()} == {1_024}
    assert (told["careful"]["log_std"], told["patient"]["gamma"]) == (-1.5, 0.995)


def test_domains_that_pay_for_something_else_begin_with_the_expert_of_the_same_dynamics(tmp_path: Path) -> None:
    place, experts = (
        Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf"),
        ("Hopper", "Hopper-mass-2.0-target", "HalfCheetah"),
    )
    for name in experts:
        policy(observations=11, actions=3).save(policy_path(name, "expert", place.shelf))
    begins = {
        "Hopper-sparse-mass-2.0-target": ("Hopper-mass-2.0-target", ["careful"]),
        "Hopper-sparse-mass-0.5-target": ("Hopper", ["careful"]),
        "Hopper-sparse-mass-0.5-source": ("Hopper", ["careful"]),
        "Hopper-velocity-3.0-target": ("Hopper", ["nearest", "patient"]),
        "HalfCheetah-velocity-3.0-target": ("HalfCheetah", ["careful", "afresh"]),
        "Hopper-backward-target": ("Hopper", ["afresh"]),
        "Hopper-mass-2.0-target": ("Hopper", ["patient"]),
    }
    for domain, (expert, attempts) in begins.items():
        assert train._beginning(domain, place) == policy_path(expert, "expert", place.shelf)
        assert [attempt.name for attempt in train._attempts(domain)] == attempts


def test_an_attempt_may_begin_with_the_plain_robots_policy_that_comes_nearest(tmp_path: Path) -> None:
    place, robot = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf"), "InvertedPendulum"
    shipped = resources.files("transreward_assets") / "policies" / robot / f"{robot}-expert.safetensors"
    good, expert = GaussianPolicy.load(Path(str(shipped))), policy_path(robot, "expert", place.shelf)
    idle = replace(good, weights=[0.0 * weight for weight in good.weights])
    idle.save(expert)
    for index, one in enumerate((idle, good)):
        one.save(policy_path(robot, f"snapshot-{index}", place.shelf))
    domain = f"{robot}-mass-2.0-target"
    assert train._nearest(expert, train._try_source(robot, domain, place)) == policy_path(
        robot, "snapshot-1", place.shelf
    )
    policy(observations=4, actions=1).save(expert)
    assert train._nearest(expert, train._try_source(robot, domain, place)) == expert, "the others are of another shape"


def test_a_policy_can_be_started_from(tmp_path: Path) -> None:
    shared = {
        "env_id": "InvertedPendulum-v5",
        "num_envs": 4,
        "num_steps": 16,
        "epochs": 1,
        "eval_episodes": 2,
        "device": "cpu",
    }
    main(Args(**shared, total_steps=256, eval_every=128, keep_policies=True, out=tmp_path / "first"))
    kept = sorted((tmp_path / "first/policies").iterdir())
    assert [path.stem for path in kept] == ["000000000128", "000000000256"]
    again = {**shared, "start_from": kept[-1], "keep_policies": True, "eval_every": 128}
    main(Args(**again, total_steps=128, value_steps=1_000, log_std=-9.0, out=tmp_path / "still"))
    before, after = GaussianPolicy.load(kept[-1]), GaussianPolicy.load(next((tmp_path / "still/policies").iterdir()))
    for ours, theirs in zip(before.weights, after.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # the value alone has learned
    main(Args(**again, total_steps=128, out=tmp_path / "moved"))
    moved = GaussianPolicy.load(next((tmp_path / "moved/policies").iterdir()))
    assert not np.array_equal(before.weights[0], moved.weights[0])
    with pytest.raises(ValueError, match="must have this run's activation, 'relu'"):
        main(Args(**again, activation="relu", out=tmp_path / "other"))
    with pytest.raises(ValueError, match="The network's layers have the shapes"):
        main(Args(**again, hidden=32, out=tmp_path / "wider"))


@pytest.mark.parametrize("env_id", ["HalfCheetah-obstacle-target-v0", "HalfCheetah-sparse-mass-2.0-reward-transfer-v0"])
def test_a_plain_policy_goes_on_where_observations_begin_with_a_position(env_id: str, tmp_path: Path) -> None:
    plain = policy(observations=17, actions=6, about={"steps": 0})
    plain.save(tmp_path / "plain.safetensors")
    observations = np.random.default_rng(0).normal(size=(5, 18))
    agent = PPO(Args(env_id=f"TransReward/{env_id}", hidden=8), 18, 6, num_envs=2)
    network = orthogonal_mlp((18, 8, 6), torch.nn.Tanh, gain=1.0)
    agent.policy = network
    agent.start_from(tmp_path / "plain.safetensors", f"TransReward/{env_id}")
    np.testing.assert_allclose(agent.act(observations), plain.as_saved()(observations[:, 1:]), atol=1e-5)
    with pytest.raises(ValueError, match="must be of the domain's own robot: the domain has observations of 18"):
        agent.start_from(tmp_path / "plain.safetensors", "TransReward/HalfCheetah-v0")


def test_the_sources_expert_sees_what_it_knows_where_observations_hold_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "score", lambda policy, spec, **_: score(policy, spec, episodes=5))
    plain = policy(observations=17, actions=6, about={"steps": 0})
    for domain in ("HalfCheetah-obstacle-source", "HalfCheetah"):
        plain.save(tmp_path / f"HalfCheetah/{domain}-expert.safetensors")
    pair = get_pair("HalfCheetah-obstacle")
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path)
    knows = plain.as_saved().padded(18, front=1)
    assert train.measure_transfer(pair, place) == score(knows, pair.spec("target"), episodes=5)
    (candidate,) = train._try_source("HalfCheetah", "HalfCheetah-obstacle-target", place).values()
    seen = np.random.default_rng(0).normal(size=(5, 18))
    np.testing.assert_allclose(candidate.policy(seen), plain.as_saved()(seen[:, 1:]), atol=1e-5)


def test_there_is_a_recipe_for_every_robot_of_the_suites_with_policies() -> None:
    assert set(recipes.SOURCES) == set(recipes.TARGETS)
    for suite in ("odrl", "dara", "darc", "core", "sparse", "cross"):
        assert suite in SUITES
        for domain in domains_of(pair for pair in PAIRS.values() if suite in pair.suites):
            assert robot_of(domain) in recipes.SOURCES
