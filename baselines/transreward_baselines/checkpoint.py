"""Checkpoints of Stable-Baselines3 agents as plain data: safetensors and JSON, never pickle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import VecNormalize

from transreward_baselines.config import RunConfig, read_config
from transreward_baselines.evaluation import Policy
from transreward_baselines.parts.replay import require_arrays
from transreward_baselines.run_directory import RunDirectoryError, checkpoints, new_checkpoint
from transreward_baselines.sb3.agents import (
    has_ledger,
    make_agent,
    make_plain_env,
    policy_of,
    settings_of,
    training_steps,
)
from transreward_baselines.sb3.drae import DRaEReplayBuffer
from transreward_baselines.sb3.replay import CompensatedReplayBuffer
from transreward_baselines.sb3.settings import as_json
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    load_tensors,
    optimizer_tensors,
    save_tensors,
    with_prefix,
    without_prefix,
    write_json,
)

_REPLAY_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def save_checkpoint(agent: BaseAlgorithm, config: RunConfig, directory: Path) -> None:
    """Write a checkpoint as a whole, and then delete the one before it."""
    with new_checkpoint(directory, agent.num_timesteps) as draft:
        about = {"agent": config.agent, "settings": as_json(settings_of(config))}
        save_tensors(draft / "agent.safetensors", _agent_tensors(agent), about)
        if isinstance(buffer := getattr(agent, "replay_buffer", None), ReplayBuffer):
            save_tensors(draft / "replay.safetensors", _replay_tensors(buffer), {})
        if config.compensated:
            assert agent.env is not None
            agent.env.env_method("save_state", str(draft / "compensation.safetensors"), indices=[0])
        write_json(
            draft / "progress.json",
            {
                "steps": agent.num_timesteps,
                "updates": agent._n_updates,
                "episodes": agent._episode_num,
                "spent": training_steps(agent, config),
                "files": sorted(path.name for path in draft.iterdir()),
            },
        )


def load_checkpoint(agent: BaseAlgorithm, config: RunConfig, directory: Path) -> bool:
    """Put an agent and its environments back to the newest checkpoint; ``False`` if there is none.

    Raises:
        RunDirectoryError: The checkpoint cannot be read, or is of an agent with other settings.
    """
    if not (found := checkpoints(directory)):
        return False
    path = found[-1]
    try:
        _restore_agent(agent, config, path)
        if isinstance(buffer := getattr(agent, "replay_buffer", None), ReplayBuffer) and agent.env is not None:
            _load_replay_tensors(buffer, load_tensors(path / "replay.safetensors")[0])
        progress = json.loads((path / "progress.json").read_text())
        if missing := [name for name in progress["files"] if not (path / name).exists()]:
            raise FileNotFoundError(f"{', '.join(missing)} missing")
        assert agent.env is not None
        if has_ledger(config):
            agent.env.env_method("restore_steps", indices=[0], **progress["spent"])
        if config.compensated:
            agent.env.env_method("load_state", str(path / "compensation.safetensors"), indices=[0])
    except RunDirectoryError:
        raise
    except (CorruptFileError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise RunDirectoryError(f"The checkpoint {path} cannot be read ({error}). Delete it to start again.") from error
    agent.num_timesteps, agent._n_updates = progress["steps"], progress["updates"]
    agent._episode_num = progress["episodes"]
    return True


def load_policy(directory: Path) -> tuple[RunConfig, Policy]:
    """Return a run's configuration and its newest deterministic policy.

    Raises:
        RunDirectoryError: The directory is no run, or has no checkpoint that can be read.
    """
    config = read_config(directory)
    if not (found := checkpoints(directory)):
        raise RunDirectoryError(f"{directory} has no checkpoint yet. Train it further first.")
    acting = replace(config, steps=1, n_envs=1, relabel=False, learn_from="both", whole_episodes=False)
    agent = make_agent(acting, make_plain_env(config))
    try:
        _restore_agent(agent, config, found[-1])
    except RunDirectoryError:
        raise
    except (CorruptFileError, OSError, KeyError, RuntimeError) as error:
        raise RunDirectoryError(f"The checkpoint {found[-1]} cannot be read ({error}).") from error
    return config, policy_of(agent)


def _agent_tensors(agent: BaseAlgorithm) -> Tensors:
    """Return networks, optimisers, further variables and statistics of an agent."""
    tensors: Tensors = {}
    names, variables = agent._get_torch_save_params()
    for name in names:
        part = _attribute(agent, name)
        state = optimizer_tensors(part) if isinstance(part, torch.optim.Optimizer) else part.state_dict()
        tensors.update(with_prefix(name, state))
    for name in variables:
        tensors[f"variable.{name}"] = _attribute(agent, name)
    if (normalise := agent.get_vec_normalize_env()) is not None:
        tensors.update(with_prefix("normalize", _statistics(normalise)))
    return tensors


def _restore_agent(agent: BaseAlgorithm, config: RunConfig, checkpoint: Path) -> None:
    """Put an agent back to a checkpoint, which one of the same settings has left.

    Raises:
        RunDirectoryError: It was one of other settings.
    """
    tensors, about = load_tensors(checkpoint / "agent.safetensors")
    mine = as_json(settings_of(config))
    if (theirs := about.get("settings")) != mine:
        raise RunDirectoryError(
            f"A run goes on with the settings that its agent began with: {checkpoint} is of {theirs or 'others'}, and "
            f"{config.agent} now has {mine} on this robot. Take the version of this package that began it, or give the "
            "run a new directory."
        )
    _load_agent_tensors(agent, tensors)


def _load_agent_tensors(agent: BaseAlgorithm, tensors: Tensors) -> None:
    names, variables = agent._get_torch_save_params()
    for name in names:
        part = _attribute(agent, name)
        if isinstance(part, torch.optim.Optimizer):
            load_optimizer_tensors(part, without_prefix(name, tensors))
        else:
            optimizers = tuple(f"{name}." for name in names if name.endswith("optimizer"))
            own = {key: value for key, value in tensors.items() if not key.startswith(optimizers)}
            part.load_state_dict(without_prefix(name, own))
    for name in variables:
        _attribute(agent, name).data.copy_(tensors[f"variable.{name}"])
    if (normalise := agent.get_vec_normalize_env()) is not None:
        _load_statistics(normalise, without_prefix("normalize", tensors))


def _statistics(normalise: VecNormalize) -> Tensors:
    tensors: Tensors = {}
    for name in ("obs_rms", "ret_rms"):
        statistics: Any = getattr(normalise, name)
        for part in ("mean", "var", "count"):
            tensors[f"{name}.{part}"] = torch.as_tensor(np.asarray(getattr(statistics, part), dtype=np.float64))
    return tensors


def _load_statistics(normalise: VecNormalize, tensors: Tensors) -> None:
    for name in ("obs_rms", "ret_rms"):
        statistics: Any = getattr(normalise, name)
        statistics.mean, statistics.var = tensors[f"{name}.mean"].numpy(), tensors[f"{name}.var"].numpy()
        statistics.count = float(tensors[f"{name}.count"])


def _replay_tensors(buffer: ReplayBuffer) -> Tensors:
    """Return the transitions, the oldest first."""
    order = (np.arange(buffer.size()) + (buffer.pos if buffer.full else 0)) % buffer.buffer_size
    return {name: torch.from_numpy(array[order]) for name, array in _arrays(buffer).items()}


def _load_replay_tensors(buffer: ReplayBuffer, tensors: Tensors) -> None:
    """Put the newest transitions back, into a buffer of any size."""
    require_arrays(tensors, arrays := _arrays(buffer))
    count = min(len(tensors["rewards"]), buffer.buffer_size)
    for name, array in arrays.items():
        array[:count] = tensors[name].numpy()[-count:]
    buffer.pos, buffer.full = count % buffer.buffer_size, count == buffer.buffer_size
    if isinstance(buffer, DRaEReplayBuffer):
        buffer.recount()


def _arrays(buffer: ReplayBuffer) -> dict[str, NDArray[Any]]:
    names = (*_REPLAY_ARRAYS, *(buffer.arrays if isinstance(buffer, CompensatedReplayBuffer) else ()))
    return {name: getattr(buffer, name) for name in names}


def _attribute(owner: object, dotted: str) -> Any:
    for part in dotted.split("."):
        owner = getattr(owner, part)
    return owner
