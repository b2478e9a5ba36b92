"""Runs whose agent sees more than the plain target shows: evaluated where it sees it, by the target's own reward."""

from pathlib import Path

import numpy as np
import pytest

from transreward_baselines import ppo
from transreward_baselines.checkpoint import load_policy
from transreward_baselines.config import RunConfig
from transreward_baselines.evaluation import evaluate_id
from transreward_baselines.results import read_rows
from transreward_baselines.sb3.agents import places_of
from transreward_baselines.train import train
from transreward_baselines.training_ids import evaluation_places
from transreward_envs import get_pair

PAIR = get_pair("InvertedPendulum-gravity-2.0")
SETTINGS = {"reward": "progress", "observe_progress": True, "reference_steps": 60}


def test_places_are_plain_domains_unless_an_agent_sees_more() -> None:
    plain = {"target": (PAIR.id("target"), {}), "source": (PAIR.id("source"), {})}
    assert evaluation_places(PAIR, "dtw", {"reward": "progress", "target_budget": 9}) == plain
    assert evaluation_places(PAIR, "mixture", {}) == plain
    found = evaluation_places(PAIR, "dtw", {**SETTINGS, "target_budget": 9, "time_limit": 7})
    assert found == {"target": (PAIR.id("dtw"), {**SETTINGS, "time_limit": 7})}


def test_the_targets_own_reward_is_what_counts() -> None:
    returns = evaluate_id(lambda seen: np.zeros((len(seen), 1)), PAIR.id("dtw"), episodes=2, settings=SETTINGS)
    assert (returns == returns.astype(int)).all(), "the pendulum pays 1 a step"
    assert returns.min() > 1.0


def test_ppo_is_evaluated_in_its_own_id(tmp_path: Path) -> None:
    settings = tuple(f"{name}={str(value).lower()}" for name, value in SETTINGS.items())
    args = ppo.Args(
        env_id=PAIR.id("dtw"),
        settings=settings,
        total_steps=512,
        num_envs=2,
        out=tmp_path / "run",
        eval_episodes=2,
        quiet=True,
    )
    (last,) = ppo.main(args)
    assert last.domain == "target"
    assert last.return_mean >= 1.0
    assert last.source_steps == 60
    assert read_rows(tmp_path / "run", type(last)) == [last]


@pytest.mark.parametrize("agent", ["sb3-ppo", "sb3-sac"])
def test_an_agent_of_stable_baselines3_is_too_and_its_policy_is_kept(agent: str, tmp_path: Path) -> None:
    size = {"steps": 2048, "n_envs": 2} if agent == "sb3-ppo" else {"steps": 150, "n_envs": 1}
    config = RunConfig(
        pair=PAIR.name, method="dtw", agent=agent, settings=SETTINGS, eval_every=10_000, eval_episodes=2, **size
    )
    (last,) = train(config, tmp_path / "run")
    assert last.target_return >= 1.0
    assert np.isnan(last.source_return)
    kept, policy = load_policy(tmp_path / "run")
    env_id, keywords = places_of(kept)["target"]
    returns = evaluate_id(policy, env_id, episodes=2, settings=keywords)
    assert returns.mean() == last.target_return
