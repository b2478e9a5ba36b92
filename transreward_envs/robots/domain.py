"""A domain: a Gymnasium MuJoCo robot that takes its shifts as constructor keywords."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import mujoco
import numpy as np
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from transreward_envs.errors import require_count
from transreward_envs.robots.control import ControlPath
from transreward_envs.robots.model import load_nominal_model
from transreward_envs.shifts import Shift, ShiftsLike, parse_shifts, shifts_to_json
from transreward_envs.shifts.apply import apply_shifts

Observation = NDArray[np.float64]
Action = NDArray[np.float32]
StepResult = tuple[Observation, np.float64, bool, bool, dict[str, Any]]


class Domain(MujocoEnv):
    """Mixed in before one of Gymnasium's v5 classes, it changes which model is loaded and how actions reach it.

    Without shifts the robot steps bit for bit as Gymnasium's. Everything that shifts it is a keyword of JSON types,
    so that pickle, deepcopy, ``EnvSpec.to_json`` and ``gym.make(env.spec)`` keep it. Reward, observation and
    termination are Gymnasium's, seen from the agent: the control cost is that of the agent's own action, and a
    repeated action earns the sum of its rewards. ``info`` has the same keys at reset, where what a step would report
    is 0, as at a step.

    A pickled or copied domain is a new one with the same settings: it does not carry the simulator's state.

    Args:
        shift: One shift or a list of them, as JSON or as values.
        observe_actions: How many past actions to append to the observation, the newest first.
        kwargs: The keywords of Gymnasium's class.

    Raises:
        TypeError: A shift is not of the stated form.
        ValueError: A shift breaks a rule, names a part that the robot does not have, or changes nothing.
    """

    step_info: ClassVar[tuple[str, ...]]
    """Keys that Gymnasium's class adds to ``info`` at a step only."""

    observation_structure: dict[str, int]

    _control: ControlPath | None = None
    _spec: EnvSpec | None = None

    def __init__(self, *, shift: ShiftsLike = (), observe_actions: int = 0, **kwargs: Any) -> None:
        self.shifts: tuple[Shift, ...] = parse_shifts(shift)
        require_count("observe_actions", observe_actions)
        super().__init__(**kwargs)
        EzPickle.__init__(
            cast(EzPickle, self), shift=shifts_to_json(self.shifts), observe_actions=observe_actions, **kwargs
        )
        self._control = ControlPath(self.shifts, action_size=self.model.nu, memory=observe_actions)
        self._executed = np.zeros(self.model.nu)
        self._reseeded = False
        if observe_actions:
            self._append_actions_to_observation(observe_actions)
        if self._control.repeat > 1:
            fps = max(int(np.round(1.0 / (self.dt * self._control.repeat))), 1)
            self.metadata = {**self.metadata, "render_fps": fps}

    @property
    def spec(self) -> EnvSpec | None:
        """What ``gymnasium.make`` was called with; shifts that were given as values stand in it as JSON."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None and "shift" in spec.kwargs:
            spec.kwargs["shift"] = shifts_to_json(parse_shifts(spec.kwargs["shift"]))
        self._spec = spec

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; actions under way are forgotten."""
        self._reseeded = seed is not None
        observation, info = super().reset(seed=seed, options=options)
        return observation, {**dict.fromkeys(self.step_info, 0.0), **info}

    def reset_model(self) -> Observation:
        """Draw an initial state, as Gymnasium's class does."""
        assert self._control is not None
        self._control.reset(self.np_random, reseeded=self._reseeded)
        observation: Observation = super().reset_model()
        return observation

    def step(self, action: Action) -> StepResult:
        """Advance by one action of the agent; ``truncated`` is always ``False``."""
        assert self._control is not None
        if self._control.passive:
            return super().step(action)
        self._executed = self._control.control(action)
        return self._repeat(action)

    def do_simulation(self, ctrl: Action, n_frames: int) -> None:
        """Simulate one control step, with the control that the shifts make of the action."""
        if self._control is not None and not self._control.passive:
            ctrl = self._executed
        super().do_simulation(ctrl, n_frames)

    def _repeat(self, action: Action) -> StepResult:
        """Hold the executed control for its control steps, adding up rewards and reward terms."""
        assert self._control is not None
        observation, reward, terminated, truncated, info = super().step(action)
        for _ in range(self._control.repeat - 1):
            if terminated:
                break
            observation, more, terminated, truncated, next_info = super().step(action)
            reward = reward + more
            terms = {key: info[key] + next_info[key] for key in info if key.startswith("reward_")}
            info = {**next_info, **terms}
        return observation, reward, terminated, truncated, info

    def _get_obs(self) -> Observation:
        observation: Observation = super()._get_obs()  # type: ignore[misc]  # of the class mixed with
        if self._control is None or self._control.memory == 0:
            return observation
        return np.concatenate([observation, self._control.past_actions()])

    def _append_actions_to_observation(self, count: int) -> None:
        """Widen the observation space by ``count`` actions."""
        assert isinstance(self.observation_space, Box)
        assert isinstance(self.action_space, Box)
        low, high = (np.tile(bound, count) for bound in (self.action_space.low, self.action_space.high))
        self.observation_space = Box(
            np.concatenate([self.observation_space.low, low]),
            np.concatenate([self.observation_space.high, high]),
            dtype=np.float64,
        )
        self.observation_structure = {**self.observation_structure, "actions": count * self.model.nu}

    def _initialize_simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """Load the nominal model and apply the shifts; called by Gymnasium's constructor."""
        model = apply_shifts(load_nominal_model(self.fullpath), self.shifts)
        model.vis.global_.offwidth = max(model.vis.global_.offwidth, self.width)
        model.vis.global_.offheight = max(model.vis.global_.offheight, self.height)
        return model, mujoco.MjData(model)
