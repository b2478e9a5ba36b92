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
from transreward_envs.failures import FAILED, physics_failed
from transreward_envs.robots.control import ControlPath
from transreward_envs.robots.dynamics import Dynamics
from transreward_envs.robots.keywords import SHIFTING, check_keywords_of, plain_json
from transreward_envs.robots.model import load_base_model, load_model
from transreward_envs.robots.start import start_height
from transreward_envs.robots.streams import Streams
from transreward_envs.shifts import ShiftsLike, parse_shifts
from transreward_envs.variation.changes import ChangesLike, parse_changes
from transreward_envs.variation.varying import VaryingLike

Observation = NDArray[np.float64]
Action = NDArray[np.float32]
StepResult = tuple[Observation, np.float64, bool, bool, dict[str, Any]]


class Domain(MujocoEnv):
    """Mixed in before one of Gymnasium's v5 classes, it changes which model is loaded and how actions reach it.

    Without shifts the robot steps bit for bit as Gymnasium's. Everything that shifts it is a keyword of JSON types,
    so that pickle, deepcopy, ``EnvSpec.to_json`` and ``gym.make(env.spec)`` keep it. Reward, observation and
    termination are Gymnasium's, seen from the agent: the control cost is that of the agent's own action, and a
    repeated action earns the sum of its rewards. Where a shift of the robot's shape moves the start height, the heights
    that end an episode move in proportion, unless they are given. ``info`` has the same keys at reset, where what a
    step would report is 0, as at a step.

    A pickled or copied domain is a new one with the same settings: it does not carry the simulator's state.

    Args:
        shift: One shift or a list of them, as JSON or as values.
        observe_actions: How many past actions to append to the observation, the newest first.
        shift_range: Further shifts with ranges as settings, drawn at each reset from a stream of their own: see
            :class:`~transreward_envs.variation.varying.VaryingShifts`. ``info["shift/<name>"]`` has the values.
        shift_schedule: Further shifts that follow a schedule over episodes.
        shift_change: Fixed shifts that take the place of ``shift`` within each episode, from given steps on; shifts of
            the robot's shape stay.
        observe_shift: Append the values of ``shift_range`` and ``shift_schedule`` to the observation.
        kwargs: The keywords of Gymnasium's class.

    Raises:
        TypeError: A shift is not of the stated form, or a keyword is unknown.
        ValueError: A shift breaks a rule, names a part that the robot does not have, or changes nothing, or two write
            the same.
    """

    step_info: ClassVar[tuple[str, ...]]
    """Keys that Gymnasium's class adds to ``info`` at a step only."""

    observation_structure: dict[str, int]
    runs: ClassVar[bool] = False
    """Whether the robot is rewarded for running, which reward shifts change."""

    healthy_range: ClassVar[str | None] = None
    """Attribute of Gymnasium's class with the heights between which an episode goes on."""

    dynamics: Dynamics | None = None
    _streams: Streams | None = None
    _spec: EnvSpec | None = None

    def __init__(
        self,
        *,
        shift: ShiftsLike = (),
        observe_actions: int = 0,
        shift_range: VaryingLike = None,
        shift_schedule: VaryingLike = None,
        shift_change: ChangesLike = None,
        observe_shift: bool = False,
        **kwargs: Any,
    ) -> None:
        self.shifts = parse_shifts(shift)
        changes = parse_changes(shift_change)
        require_count("observe_actions", observe_actions)
        if not isinstance(observe_shift, bool):
            raise TypeError(f"`observe_shift` must be True or False; got {observe_shift!r}.")
        check_keywords_of(type(self), kwargs)
        super().__init__(**kwargs)
        shifting = (self.shifts, shift_range, shift_schedule, changes)
        recorded = {name: plain_json(value) for name, value in zip(SHIFTING, shifting, strict=True) if value}
        recorded |= {"observe_actions": observe_actions, "observe_shift": observe_shift}
        EzPickle.__init__(cast(EzPickle, self), **recorded, **kwargs)
        self._reseeded = False
        self._nominal_height = start_height(load_base_model(self.fullpath))
        self._given_range: tuple[float, float] = getattr(self, self.healthy_range) if self.healthy_range else (0.0, 0.0)
        self._range_follows = "healthy_z_range" not in kwargs
        self.dynamics = Dynamics(
            self,
            self.shifts,
            shift_range=shift_range,
            shift_schedule=shift_schedule,
            changes=changes,
            observe_actions=observe_actions,
            observe_shift=observe_shift,
        )
        self.on_dynamics()
        self._widen_observation()

    @property
    def spec(self) -> EnvSpec | None:
        """What ``gymnasium.make`` was called with; what was given as values stands in it as JSON."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None:
            given = {name: value for name, value in spec.kwargs.items() if name in SHIFTING}
            if given.get("shift"):
                given["shift"] = parse_shifts(given["shift"])
            if given.get("shift_change"):
                given["shift_change"] = parse_changes(given["shift_change"])
            spec.kwargs.update({name: plain_json(value) for name, value in {**spec.kwargs, **given}.items()})
        self._spec = spec

    @property
    def control_now(self) -> NDArray[np.float64]:
        """What the actuators are given, as ``(nu,)``."""
        control: NDArray[np.float64] = self.data.ctrl
        return control

    @property
    def control(self) -> ControlPath:
        """The way of the action to the actuators, as it is now."""
        assert self.dynamics is not None
        return self.dynamics.control

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; actions under way are forgotten, and varying shifts are drawn."""
        assert self.dynamics is not None
        self._reseeded = seed is not None
        observation, info = super().reset(seed=seed, options=options)
        info = {**dict.fromkeys(self.step_info, 0.0), **info, **self.dynamics.info()}
        return self._observed(observation), info

    def reset_model(self) -> Observation:
        """Draw the shifts of the episode, and an initial state as Gymnasium's class does."""
        assert self.dynamics is not None
        if self._streams is None or self._reseeded:
            self._streams = Streams.spawn(self.np_random)
            self.dynamics.restart(self._streams)
        self.dynamics.start_episode(self._streams)
        observation: Observation = super().reset_model()
        return observation

    def step(self, action: Action) -> StepResult:
        """Advance by one action of the agent; ``truncated`` is ``False`` unless the physics has blown up.

        Then nothing is earned, as in lanes, and ``info["physics_failed"]``; what is observed is not of that episode.

        Raises:
            ValueError: The action is not finite.
        """
        assert self.dynamics is not None
        if np.count_nonzero(np.isfinite(action)) < np.size(action):
            raise ValueError(f"Actions must be finite; got {np.asarray(action).tolist()}.")
        info: dict[str, Any]
        if self.dynamics.plain:
            observation, reward, terminated, truncated, info = super().step(action)
        else:
            self.dynamics.start_step()
            self._executed = self.dynamics.control.control(action)
            observation, reward, terminated, truncated, info = self._repeat(action)
            observation, info = self._observed(observation), {**info, **self.dynamics.info()}
        if physics_failed(self.data):
            info = {**{key: 0.0 if is_term(key) else value for key, value in info.items()}, FAILED: True}
            reward, terminated, truncated = np.float64(0.0), False, True
        return observation, reward, terminated, truncated, info

    def do_simulation(self, ctrl: Action, n_frames: int) -> None:
        """Simulate one control step, with the control that the shifts make of the action."""
        if self.dynamics is not None and not self.dynamics.control.passive:
            ctrl = self.actuated(self._executed)  # type: ignore[assignment]  # in double precision
        super().do_simulation(ctrl, n_frames)

    def actuated(self, executed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what a step of Gymnasium's class would give the actuators for an action, as ``(nu,)``."""
        return executed

    def __getstate__(self) -> dict[str, Any]:
        """Return what the domain was made with."""
        return {name: getattr(self, name) for name in ("_ezpickle_args", "_ezpickle_kwargs")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the domain anew; EzPickle would take over the parts of another one, which refer to that."""
        type(self).__init__(self, *state["_ezpickle_args"], **state["_ezpickle_kwargs"])

    def on_dynamics(self) -> None:
        """Follow a change of the model: time between frames, initial state, heights that end an episode."""
        assert self.dynamics is not None
        fps = max(int(np.round(1.0 / (self.dt * self.dynamics.control.repeat))), 1)
        if fps != self.metadata.get("render_fps"):
            self.metadata = {**self.metadata, "render_fps": fps}
        if self.healthy_range and self._range_follows and self._nominal_height:
            height = start_height(self.model)
            factor = 1.0 if height == self._nominal_height else height / self._nominal_height
            setattr(self, self.healthy_range, tuple(factor * side for side in self._given_range))

    def _repeat(self, action: Action) -> StepResult:
        """Hold the executed control for its control steps, adding up rewards and reward terms."""
        assert self.dynamics is not None
        observation, reward, terminated, truncated, info = super().step(action)
        for _ in range(self.dynamics.control.repeat - 1):
            if terminated:
                break
            observation, more, terminated, truncated, next_info = super().step(action)
            reward = reward + more
            terms = {key: info[key] + next_info[key] for key in info if is_term(key)}
            info = {**next_info, **terms}
        return observation, reward, terminated, truncated, info

    def _observed(self, observation: Observation) -> Observation:
        """Return what the agent sees: the robot's observation with its noise, past actions, values of shifts."""
        assert self.dynamics is not None
        parts = [self.through_noise(observation)]
        if self.dynamics.control.memory:
            parts.append(self.dynamics.control.past_actions())
        if self.dynamics.observe_shift:
            parts.append(self.dynamics.values)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def through_noise(self, observation: Observation) -> Observation:
        """Return the robot's own observation, of any length, with the noise of this domain."""
        assert self.dynamics is not None
        if self.dynamics.observation_std == 0.0:
            return observation
        assert self._streams is not None
        return observation + self._streams.observation.normal(0.0, self.dynamics.observation_std, observation.shape)

    def _widen_observation(self) -> None:
        """Add the past actions and the values of shifts to the observation space."""
        assert self.dynamics is not None
        assert isinstance(self.observation_space, Box)
        assert isinstance(self.action_space, Box)
        count, varying = self.dynamics.control.memory, self.dynamics.varying
        low, high = [self.observation_space.low], [self.observation_space.high]
        low += [self.action_space.low] * count
        high += [self.action_space.high] * count
        added = {"actions": count * self.model.nu}
        if self.dynamics.observe_shift:
            low, high = [*low, varying.low], [*high, varying.high]
            added["shift"] = len(varying.names)
        if any(added.values()):
            self.observation_space = Box(np.concatenate(low), np.concatenate(high), dtype=np.float64)
            structure = getattr(self, "observation_structure", {})
            self.observation_structure = {**structure, **{name: size for name, size in added.items() if size}}

    def _initialize_simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """Load the model with the fixed shifts; called by Gymnasium's constructor."""
        model = load_model(self.fullpath, self.shifts)
        model.vis.global_.offwidth = max(model.vis.global_.offwidth, self.width)
        model.vis.global_.offheight = max(model.vis.global_.offheight, self.height)
        return model, mujoco.MjData(model)


def is_term(key: str) -> bool:
    """Whether a key of ``info`` is a term of the reward."""
    return key.startswith("reward_") or key.endswith("_penalty")
