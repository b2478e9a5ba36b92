"""The observable effects of the shifts that only the optional robots take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from transreward_envs.shifts import FingerShift, MazeShift
from transreward_envs.shifts.finger import FINGERS
from transreward_envs.shifts.maze import CELL, HEIGHT
from transreward_envs.verification.report import Check

if TYPE_CHECKING:
    from transreward_envs.verification.shape import Models


def maze_effect(shift: MazeShift, models: Models) -> Iterator[Check]:
    """Look down on each cell from above: a ray meets a wall where the layout has one, and the floor elsewhere."""
    model, data = models.shifted, mujoco.MjData(models.shifted)
    data.qpos[2] = 10.0 * HEIGHT  # the robot out of the way
    mujoco.mj_forward(model, data)
    wanted, heights = [], []
    for i, row in enumerate(shift.rows):
        for j, cell in enumerate(row):
            above = np.array([*shift.centre(i, j), 2.0 * HEIGHT])
            distance = mujoco.mj_ray(model, data, above, np.array([0.0, 0.0, -1.0]), None, 1, -1, np.zeros(1, np.int32))
            wanted.append(HEIGHT if cell == "1" else 0.0)
            heights.append(above[2] - distance)
    yield Check.close("height of each cell [m]", wanted, heights)
    rest = [model.geom_size[geom, :2] for geom in range(model.ngeom) if model.geom(geom).name in shift.adds]
    yield Check.close("half the side of each wall [m]", np.full((len(shift.walls), 2), CELL / 2), rest)


def finger_effect(shift: FingerShift, models: Models) -> Iterator[Check]:
    """Measure each finger from its knuckle to its tip."""
    for finger in FINGERS:
        lengths = []
        for model in (models.without, models.shifted):
            data = mujoco.MjData(model)
            mujoco.mj_forward(model, data)
            way = data.site(f"S_{finger}tip").xpos - data.body(f"{finger}knuckle").xpos
            lengths.append(float(np.linalg.norm(way)))
        yield Check.close(f"length of {finger} from its knuckle [m]", shift.scale * lengths[0], lengths[1])
    yield Check.close("mass of each body [kg]", models.without.body_mass, models.shifted.body_mass)
    yield Check.close("inertia of each body [kg m^2]", models.without.body_inertia, models.shifted.body_inertia)
