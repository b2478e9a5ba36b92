"""Stable-Baselines3 agents on the suite's ids: nothing here is known to the agents."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from transreward_baselines.config import RunConfig
from transreward_baselines.evaluation import Policy
from transreward_baselines.lanes import make_lanes
from transreward_baselines.sb3.drae import DRaEReplayBuffer, drae_replay
from transreward_baselines.sb3.lanes import VectorEnvAdapter
from transreward_baselines.sb3.replay import compensated_replay
from transreward_baselines.sb3.settings import ROLLOUT, agent_settings
from transreward_baselines.training_ids import evaluation_places, with_agents_own
from transreward_envs import METHODS, get_pair
from transreward_envs.pairs import ROLES, Role


def make_training_env(config: RunConfig) -> VecEnv:
    """Make a run's lanes, normalised for PPO; they share one learner, and one budget."""
    kwargs = training_keywords(config)
    made = make_lanes(get_pair(config.pair).id(config.method), config.n_envs, settings=kwargs)
    lanes = VectorEnvAdapter(made, reports=config.relabel)
    lanes.seed(config.seed)
    return VecNormalize(lanes, gamma=settings_of(config)["gamma"]) if config.agent == "sb3-ppo" else lanes


def settings_of(config: RunConfig) -> dict[str, Any]:
    """Return the settings of a run's agent, which are those of its pair's robot."""
    return agent_settings(config.agent, get_pair(config.pair).robot)


def training_keywords(config: RunConfig) -> dict[str, Any]:
    """Return the keywords of the id that a run trains in."""
    keywords = dict(config.settings)
    if config.target_budget is not None:
        keywords["target_budget"] = config.target_budget
    return with_agents_own(config.method, keywords, seed=config.seed, gamma=settings_of(config)["gamma"])


def places_of(config: RunConfig) -> dict[Role, tuple[str, dict[str, Any]]]:
    """Return the ids, and their keywords, in which a run's policy is evaluated, by domain."""
    return evaluation_places(get_pair(config.pair), config.method, training_keywords(config))


def make_plain_env(config: RunConfig) -> VecEnv:
    """Make what a run's policy is evaluated in, to hold one that is only evaluated."""
    env_id, keywords = places_of(config)["target"]
    env = DummyVecEnv([lambda: gym.make(env_id, disable_env_checker=True, **keywords)])
    return VecNormalize(env, training=False) if config.agent == "sb3-ppo" else env


def make_agent(config: RunConfig, env: VecEnv) -> BaseAlgorithm:
    """Make the agent of a run."""
    shared = {**settings_of(config), "seed": config.seed, "device": "cpu"}
    if config.agent == "sb3-ppo":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="You have specified a mini-batch size", category=UserWarning)
            return PPO("MlpPolicy", env, n_steps=rollout_steps(config), **shared)
    size = min(config.steps, 1_000_000)
    agent = SAC("MlpPolicy", env, buffer_size=size, **_replay(config, env), **shared)
    if isinstance(agent.replay_buffer, DRaEReplayBuffer):
        agent.replay_buffer.follow(agent)
    return agent


def _replay(config: RunConfig, env: VecEnv) -> dict[str, Any]:
    """Return what SAC is told of its replay buffer."""
    if not config.relabel or env.get_attr("compensation", indices=[0])[0].follows:
        return {}
    replay = drae_replay if config.whole_episodes else compensated_replay
    return replay(env, learn_from=config.learn_from)


def rollout_steps(config: RunConfig) -> int:
    """Return the steps of each lane in a rollout of PPO, such that a budget is one of whole rollouts, nearly.

    A run that acts in the target alone ends where its budget does, and a rollout that is cut short is not learned from.
    """
    usual = max(ROLLOUT // config.n_envs, 1)
    if config.target_budget is None or not acts_in_target_alone(config):
        return usual
    each = min(config.target_budget, config.steps) // config.n_envs
    return max(each // max(round(each / usual), 1), 2)


def policy_of(agent: BaseAlgorithm) -> Policy:
    """Return the agent's deterministic policy, from raw observations ``(B, size)`` to actions ``(B, size)``."""
    normalise = agent.get_vec_normalize_env()

    def policy(observations: Any) -> Any:
        if normalise is not None:
            observations = normalise.normalize_obs(observations)
        return agent.predict(observations, deterministic=True)[0]

    return policy


def has_ledger(config: RunConfig) -> bool:
    """Whether the environments of a run keep count of their steps: those that schedule or limit them do."""
    return config.method not in ROLES or config.target_budget is not None


def training_steps(agent: BaseAlgorithm, config: RunConfig) -> dict[str, int]:
    """Return the steps that the agent itself has taken in each domain."""
    if not has_ledger(config):
        return {**dict.fromkeys(ROLES, 0), config.method: agent.num_timesteps}
    assert agent.env is not None
    counts: dict[str, int] = agent.env.env_method("steps", indices=[0])[0]
    return counts


def steps_spent(agent: BaseAlgorithm, config: RunConfig) -> dict[str, int]:
    """Return the steps that a run has taken in each domain, those of fitting its compensation included."""
    counts = training_steps(agent, config)
    if not config.compensated:
        return counts
    assert agent.env is not None
    fitted = agent.env.get_attr("compensation", indices=[0])[0].fit_steps()
    return {role: steps + fitted.get(role, 0) for role, steps in counts.items()}


def acts_in_target_alone(config: RunConfig) -> bool:
    """Whether a run takes no step in the source, but to fit its compensation."""
    return config.method == "target" or (config.method in METHODS and METHODS[config.method].acts_in == "target")


def budget_is_spent(agent: BaseAlgorithm, config: RunConfig) -> bool:
    """Whether a run that acts in the target alone may take no further step of all its lanes there."""
    if config.target_budget is None or not acts_in_target_alone(config):
        return False
    return training_steps(agent, config)["target"] + config.n_envs > config.target_budget
