"""Fingers: a hand's phalanges, longer or shorter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from transreward_envs.errors import require_positive
from transreward_envs.shifts.base import GeometryShift, body_names, model_name

if TYPE_CHECKING:
    import mujoco

FINGERS = ("ff", "mf", "rf", "lf")
PHALANGES = ("proximal", "middle", "distal")
LENGTHWISE = np.array([0.0, 0.0, 1.0])
"""A phalanx of the Adroit hand extends along z of its own frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FingerShift(GeometryShift):
    """Scale the length of the Adroit hand's four fingers; thumb, knuckles and thickness stay.

    Within each phalanx everything is scaled along its axis, from the joint that it turns on: where the next phalanx
    begins, the capsule (its radius stays), the mesh, sites with their touch areas, the centre of mass. Mass and inertia
    about the centre of mass stay.

    After ODRL's ``shrink-finger`` (Lyu et al., 2024, arXiv:2410.20750), which is not reproduced to the letter: in its
    hard level an offset of the little finger is ten times too large, and touch sites keep their size.
    """

    kind: ClassVar[str] = "finger"
    writes: ClassVar[tuple[str, ...]] = ("body_pos", "body_ipos", "geom_pos", "geom_size", "site_pos", "site_size")
    derives: ClassVar[tuple[str, ...]] = (
        "actuator_acc0",
        "body_invweight0",
        "bvh_aabb",
        "bvh_nodeid",
        "cam_poscom0",
        "dof_M0",
        "dof_invweight0",
        "dof_length",
        "geom_aabb",
        "geom_quat",
        "geom_rbound",
        "light_poscom0",
        "mesh_normal",
        "mesh_pos",
        "mesh_quat",
        "mesh_scale",
        "mesh_vert",
        "stat.meaninertia",
        "stat.meansize",
        "tendon_invweight0",
    )

    scale: float
    """Multiplier on the length [-]; 1.0 changes nothing."""

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def label(self) -> str:
        """Such as ``finger-0.5``."""
        return f"finger-{self.scale}"

    @property
    def parts(self) -> tuple[str, ...]:
        """The phalanges."""
        return tuple(f"{finger}{phalanx}" for finger in FINGERS for phalanx in PHALANGES)

    def edit(self, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        """Scale every phalanx.

        Raises:
            ValueError: The robot has no such fingers.
        """
        if missing := set(self.parts) - set(body_names(nominal)):
            raise ValueError(
                f"A finger shift needs the Adroit hand; {model_name(nominal)} has no body {min(missing)!r}. Choose "
                "AdroitPen, AdroitDoor, AdroitHammer or AdroitRelocate."
            )
        meshes = set()
        for name in self.parts:
            phalanx = spec.body(name)
            for part in (*phalanx.bodies, *phalanx.sites, *phalanx.geoms):
                part.pos = self._scaled(part.pos)
            phalanx.ipos = self._scaled(phalanx.ipos)
            for site in phalanx.sites:
                site.size = self._scaled(site.size)
            for geom in phalanx.geoms:
                if geom.meshname:
                    meshes.add(geom.meshname)
                else:
                    geom.size = np.asarray(geom.size) * [1.0, self.scale, 1.0]
        for mesh in meshes:
            spec.mesh(mesh).scale = self._scaled(spec.mesh(mesh).scale)

    def _scaled(self, vector: object) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return a vector of a phalanx's frame, scaled along its length."""
        return np.asarray(vector) * (1.0 + (self.scale - 1.0) * LENGTHWISE)
