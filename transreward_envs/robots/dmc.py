"""Three tasks of the DeepMind Control Suite (Tassa et al., 2018, arXiv:1801.00690), through Shimmy."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import mujoco
import numpy as np
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv
from gymnasium.spaces import Box
from numpy.typing import NDArray

from transreward_envs.errors import require_count
from transreward_envs.robots.domain import Action, Domain, Observation, StepResult
from transreward_envs.robots.extras import requires
from transreward_envs.shifts import ShiftsLike

with requires("dmc"):
    from dm_control.mujoco.wrapper import MjData
    from dm_control.mujoco.wrapper.mjbindings import sizes
    from dm_control.rl.control import Environment
    from dm_control.suite import ball_in_cup, cheetah, walker
    from shimmy.dm_control_compatibility import DmControlCompatibilityV0

PIXELS = 64
"""Height and width of an observation of pixels."""

PIXELS_ALONE = (
    "An observation of pixels stays as it is: it takes no past actions, no values of shifts and no noise. Leave "
    "`pixels` out."
)


class SuiteEnv(MujocoEnv):
    """A task of the suite as one of Gymnasium's MuJoCo environments, without a time limit of its own.

    The observation holds the task's own observations in their order, as one vector: ``observation_structure`` names
    them. dm_control's random states are seeded from the environment's own generator, once an episode.

    Args:
        pixels: Observe what the task's first camera sees instead, as ``(64, 64, 3)`` of bytes.
        frame_skip: Simulation steps an action lasts; the task's own number when left out.
        kwargs: Keywords of ``MujocoEnv``.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "depth_array", "rgbd_tuple"]}  # noqa: RUF012

    suite: ClassVar[ModuleType]
    """The suite's module of the robot."""

    steps: ClassVar[int]
    """Simulation steps that an action lasts."""

    def __init__(self, *, pixels: bool = False, frame_skip: int | None = None, **kwargs: Any) -> None:
        forget_missing_fields()
        file = Path(self.suite.__file__ or "").with_suffix(".xml")
        skip = self.steps if frame_skip is None else frame_skip
        require_count("frame_skip", skip, at_least=1)
        super().__init__(str(file), skip, observation_space=None, **kwargs)
        physics = self.suite.Physics(MjData(self.data))
        environment = Environment(physics, self.make_task(), n_sub_steps=self.frame_skip)
        self._wrapped = DmControlCompatibilityV0(environment)
        self._pixels = pixels
        self.observation_structure = {
            name: int(np.prod(spec.shape, dtype=int)) for name, spec in environment.observation_spec().items()
        }
        size = sum(self.observation_structure.values())
        self.observation_space = Box(-np.inf, np.inf, (size,), np.float64)
        if pixels:
            self.observation_structure = {}
            self.observation_space = Box(0, 255, (PIXELS, PIXELS, 3), np.uint8)

    def make_task(self) -> Any:
        """Return the suite's task: starts, observations and rewards."""
        raise NotImplementedError

    def reset_model(self) -> Any:
        """Start an episode as the task does."""
        seed = int(self.np_random.integers(2**32))
        observation, _ = self._wrapped.reset(seed=seed)
        return self._seen(observation)

    def step(self, action: Action) -> StepResult:
        """Advance by one action; an episode ends by its time limit alone."""
        self.do_simulation(action, self.frame_skip)
        observation, reward, terminated, _, _ = self._result
        if self.render_mode == "human":
            self.render()
        return self._seen(observation), np.float64(reward), terminated, False, {}

    def do_simulation(self, ctrl: Any, n_frames: int) -> None:
        """Simulate one control step, as the task does."""
        if np.shape(ctrl) != (self.model.nu,):
            raise ValueError(f"Action dimension mismatch. Expected {(self.model.nu,)}, found {np.shape(ctrl)}")
        with self._wrapped.physics.suppress_physics_errors():  # which are told as those of all robots are
            self._result = self._wrapped.step(ctrl)

    def close(self) -> None:
        """Close both renderers."""
        super().close()
        self._wrapped.close()

    def _seen(self, observation: dict[str, NDArray[np.float64]]) -> Any:
        """Return what the agent sees of a state."""
        if self._pixels:
            return self._wrapped.physics.render(PIXELS, PIXELS, camera_id=0)
        return np.concatenate([np.ravel(part) for part in observation.values()]).astype(np.float64)


class SuiteDomain(Domain):
    """Mixed in before a task of the suite.

    Raises:
        ValueError: Something is to be added to an observation of pixels.
    """

    step_info: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        *,
        shift: ShiftsLike = (),
        pixels: bool = False,
        observe_actions: int = 0,
        observe_shift: bool = False,
        **kwargs: Any,
    ) -> None:
        if pixels and (observe_actions or observe_shift):
            raise ValueError(PIXELS_ALONE)
        super().__init__(
            shift=shift, pixels=pixels, observe_actions=observe_actions, observe_shift=observe_shift, **kwargs
        )
        assert self.dynamics is not None
        if pixels and self.dynamics.noisy:
            raise ValueError(PIXELS_ALONE)

    def _observed(self, observation: Observation) -> Observation:
        return observation if self.observation_space.dtype == np.uint8 else super()._observed(observation)


class CheetahRun(SuiteDomain, SuiteEnv):
    """The suite's ``cheetah-run``, with shifts."""

    suite, steps = cheetah, 1

    def make_task(self) -> Any:
        """Return the task."""
        return cheetah.Cheetah()


class WalkerWalk(SuiteDomain, SuiteEnv):
    """The suite's ``walker-walk``, with shifts."""

    suite, steps = walker, 10

    def make_task(self) -> Any:
        """Return the task."""
        return walker.PlanarWalker(move_speed=1)


class BallInCupCatch(SuiteDomain, SuiteEnv):
    """The suite's ``ball_in_cup-catch``, with shifts."""

    suite, steps = ball_in_cup, 10

    def make_task(self) -> Any:
        """Return the task."""
        return ball_in_cup.BallInCup()


def forget_missing_fields() -> None:
    """Have dm_control do without fields that this MuJoCo no longer has.

    dm_control 1.0.50 makes named views of all fields that it knows of, and fails with MuJoCo 4.0, which has dropped
    three of deformable bodies. No task of the suite needs those.
    """
    for struct, cls in (("mjmodel", mujoco.MjModel), ("mjdata", mujoco.MjData)):
        table = sizes.array_sizes[struct]
        for name in [name for name in table if not hasattr(cls, name)]:
            del table[name]
