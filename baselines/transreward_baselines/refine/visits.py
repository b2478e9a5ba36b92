"""What a policy meets in the target, and what the source does from the very same states by the very same actions."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv
from gymnasium.spaces import Box
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_envs import Pair
from transreward_envs.failures import FAILED
from transreward_envs.pairs import ROLES, Role
from transreward_envs.training import DOMAIN_INDEX
from transreward_wrappers import Transitions
from transreward_wrappers.policies import GaussianPolicy, scale_actions
from transreward_wrappers.storage import load_tensors, save_tensors, with_prefix, without_prefix

Row = tuple[NDArray[Any], NDArray[Any], float, NDArray[Any], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Visits:
    """Target transitions of a policy, and the source's from the same observations and actions, one for one."""

    target: Transitions
    source: Transitions

    def save(self, path: Path) -> None:
        """Write both to a file."""
        parts = {
            role: {name: torch.from_numpy(values) for name, values in dataclasses.asdict(getattr(self, role)).items()}
            for role in ROLES
        }
        save_tensors(path, {**with_prefix("source", parts["source"]), **with_prefix("target", parts["target"])}, {})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what a file holds.

        Raises:
            FileNotFoundError: There is none.
            CorruptFileError: It is damaged.
        """
        tensors, _ = load_tensors(path)
        parts = {
            role: Transitions(**{name: tensor.numpy() for name, tensor in without_prefix(role, tensors).items()})
            for role in ROLES
        }
        return cls(**parts)


def visit(pair: Pair, policy: GaussianPolicy, *, steps: int, seed: int, quiet: bool = False) -> Visits:
    """Let a policy draw actions in the target, and ask the source at each step what it would have done.

    The source is put into the target's state before each step, so that a transition of it is what it makes of the
    same state and action; past actions that are still under way, where a domain delays them, are the same too. Its
    episodes begin when those of the target do.

    Args:
        pair: The pair, of one of Gymnasium's robots.
        policy: What acts.
        steps: Target steps; there are as many of the source, less those in which the physics fails.
        seed: Of both domains and of the actions.
        quiet: Show no progress.
    """
    generator = np.random.default_rng([seed, 1])
    answers: list[Row] = []
    met: list[Row] = []
    with closing(pair.make("target")) as target, closing(pair.make("source")) as source:
        here, there = cast(MujocoEnv, target.unwrapped), cast(MujocoEnv, source.unwrapped)
        observation, _ = target.reset(seed=seed)
        source.reset(seed=seed)
        for _ in tqdm(range(steps), desc="visiting the target", leave=False, disable=True if quiet else None):
            drawn, _ = policy.sample(observation[None], generator)
            action = scale_actions(drawn[0], cast(Box, target.action_space))
            put_state(there, here)
            answered, paid, ended, _, told = there.step(action)
            following, reward, terminated, truncated, info = target.step(action)
            failed = FAILED in told or FAILED in info
            if not failed:  # or what follows is of no transition
                answers.append((observation, action, float(paid), answered, bool(ended)))
                met.append((observation, action, float(reward), following, bool(terminated)))
            observation = following
            if terminated or truncated or failed:
                observation, _ = target.reset()
                source.reset()
    return Visits(source=_transitions(answers, "source"), target=_transitions(met, "target"))


def put_state(into: MujocoEnv, other: MujocoEnv) -> None:
    """Put a simulation into the state of another one of the same robot, contact solver's guess included.

    It goes on bit for bit as that one does, but for the rewards of Ant and Humanoid, which take positions of bodies
    before the step: a running simulation has those of its integrator's last stage. The difference is below 0.06, and 0
    on average.
    """
    into.set_state(other.data.qpos.copy(), other.data.qvel.copy())  # type: ignore[no-untyped-call]
    into.data.qacc_warmstart[:] = other.data.qacc_warmstart
    into.data.time = other.data.time


def joined(first: Transitions, *others: Transitions) -> Transitions:
    """Return the transitions of all, in order."""
    names = [field.name for field in dataclasses.fields(first)]
    return Transitions(**{name: np.concatenate([getattr(one, name) for one in (first, *others)]) for name in names})


def _transitions(rows: list[Row], role: Role) -> Transitions:
    observation, action, reward, following, terminated = zip(*rows, strict=True)
    return Transitions(
        observation=np.array(observation, dtype=np.float64),
        action=np.array(action, dtype=np.float64),
        reward=np.array(reward),
        next_observation=np.array(following, dtype=np.float64),
        terminated=np.array(terminated),
        domain=np.full(len(rows), DOMAIN_INDEX[role]),
    )
