"""AntMaze: an ant that looks for its goal in a maze."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium.envs.mujoco.ant_v5 import AntEnv
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

from transreward_envs.robots.ant import Ant
from transreward_envs.robots.domain import Domain, Observation, StepResult
from transreward_envs.robots.extras import requires
from transreward_envs.shifts import ShiftsLike, parse_shifts
from transreward_envs.shifts.maze import CELL, HEIGHT, TARGET, MazeShift

with requires("robotics"):
    from gymnasium_robotics.envs.maze.maze_v4 import Maze, MazeEnv

PLAIN = MazeShift(layout="small-0")
"""The maze of an ant that is given none."""

XY = NDArray[np.float64]


class MazeTask(MazeEnv):  # type: ignore[misc]  # untyped
    """Start, goal, reward and termination of Gymnasium-Robotics' ``AntMaze_*-v5``, without a simulator.

    Its own constructor writes a model file for each environment and leaves it; this one writes none.

    Args:
        maze: Walls, start and goal.
        reward_type: ``sparse`` or ``dense``.
        continuing_task: Whether episodes go on at the goal.
        reset_target: Whether a reached goal is followed by another, where the maze has several.
        position_noise_range: Half width of the start and the goal, in cells.
    """

    def __init__(
        self,
        maze: MazeShift,
        *,
        reward_type: str,
        continuing_task: bool,
        reset_target: bool,
        position_noise_range: float,
    ) -> None:
        if reward_type not in ("sparse", "dense"):
            raise ValueError(f"`reward_type` must be 'sparse' or 'dense'; got {reward_type!r}.")
        self.reward_type = reward_type
        self.continuing_task = continuing_task
        self.reset_target = reset_target
        self.position_noise_range = position_noise_range
        cells = [[int(cell) if cell in "01" else cell.lower() for cell in row] for row in maze.rows]
        self.maze = Maze(cells, CELL, HEIGHT / CELL)
        places = {(i, j): cell for i, row in enumerate(maze.rows) for j, cell in enumerate(row)}
        for cell, found in (("R", self.maze.unique_reset_locations), ("G", self.maze.unique_goal_locations)):
            found += [np.array(maze.centre(*place)) for place, there in places.items() if there == cell]
        self.observation_space = Dict(
            {key: Box(-np.inf, np.inf, (2,), np.float64) for key in ("observation", "achieved_goal", "desired_goal")}
        )

    def draw(self, generator: np.random.Generator, options: dict[str, Any] | None) -> XY:
        """Draw a goal, and return the start [m], as ``(2,)``."""
        self.np_random = generator
        self.reset(options=options)
        start: XY = self.reset_pos
        return start

    def update_target_site_pos(self, pos: XY | None = None) -> None:
        """Nothing: the robot moves the site that shows the goal."""


class AntInMaze(AntEnv):
    """Gymnasium-Robotics' ``AntMaze_*-v5`` as one class, whose observation is a flat vector.

    The observation holds the achieved goal (x and y of the torso [m]), the robot's own observation without them, and
    the desired goal (x and y [m]). The reward is 1 within 0.45 m of the goal and 0 elsewhere, or exp(-distance) if it
    is ``dense``; the terms of the ant's own reward stand in ``info``. An ant that has fallen over goes on.

    Args:
        reward_type: ``sparse`` or ``dense``.
        continuing_task: Whether episodes go on at the goal; the reward goes on, too.
        reset_target: Whether a reached goal is followed by another, where the maze has several.
        position_noise_range: Half width of the start and the goal, in cells of 4 m.
        kwargs: Keywords of Gymnasium's Ant.
    """

    maze: MazeShift = PLAIN

    def __init__(
        self,
        *,
        reward_type: str = "sparse",
        continuing_task: bool = True,
        reset_target: bool = False,
        position_noise_range: float = 0.25,
        **kwargs: Any,
    ) -> None:
        self.task = MazeTask(
            self.maze,
            reward_type=reward_type,
            continuing_task=continuing_task,
            reset_target=reset_target,
            position_noise_range=position_noise_range,
        )
        self._options: dict[str, Any] | None = None
        super().__init__(exclude_current_positions_from_observation=False, reset_noise_scale=0.0, **kwargs)
        assert self.observation_space.shape is not None
        size = self.observation_space.shape[0]
        self.observation_space = Box(-np.inf, np.inf, (size + 2,), np.float64)
        structure = {**self.observation_structure, "qpos": self.observation_structure["qpos"] - 2}
        self.observation_structure = {"achieved_goal": 2, **structure, "desired_goal": 2}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; ``options`` may give ``reset_cell`` and ``goal_cell``, as rows and columns."""
        self._options = options
        started: tuple[Observation, dict[str, Any]] = super().reset(seed=seed, options=options)
        return started

    def reset_model(self) -> Observation:
        """Draw the goal and the start."""
        qpos = self.init_qpos.copy()
        qpos[:2] = self.task.draw(self.np_random, self._options)
        self._show_goal()
        self.set_state(qpos, self.init_qvel)
        return self._get_obs()

    def step(self, action: NDArray[np.float32]) -> StepResult:
        """Advance by one action; the goal is what counts."""
        observation, _, _, _, info = super().step(action)
        achieved, goal = observation[:2], self.task.goal
        reward = self.task.compute_reward(achieved, goal, info)
        terminated = self.task.compute_terminated(achieved, goal, info)
        info["success"] = self._success()
        self.task.update_goal(achieved)
        self._show_goal()
        return observation, reward, terminated, False, info

    def _success(self) -> bool:
        """Whether the ant is at its goal."""
        return bool(np.linalg.norm(self.data.qpos[:2] - self.task.goal) <= 0.45)

    def _show_goal(self) -> None:
        """Move the site to the goal."""
        self.model.site(TARGET).pos[:2] = self.task.goal

    def _get_obs(self) -> Observation:
        return np.concatenate([super()._get_obs(), self.task.goal])

    def _get_reset_info(self) -> dict[str, Any]:
        return {**super()._get_reset_info(), "success": self._success()}


class AntMaze(Domain, AntInMaze):
    """The ant in its maze, with shifts; a maze is one of them, and ``small-0`` where none is given.

    Raises:
        ValueError: A shift is of the ant's own reward, which is not what is rewarded here, or changes within episodes.
    """

    step_info: ClassVar[tuple[str, ...]] = Ant.step_info

    def __init__(self, *, shift: ShiftsLike = (), **kwargs: Any) -> None:
        shifts = parse_shifts(shift)
        if kwargs.get("shift_change"):
            raise ValueError("AntMaze has no `shift_change`: its walls are a shift. Vary it between episodes instead.")
        mazes = [one for one in shifts if isinstance(one, MazeShift)]
        self.maze = mazes[0] if mazes else PLAIN
        shifts = shifts if mazes else (PLAIN, *shifts)
        super().__init__(shift=shifts, **kwargs)
