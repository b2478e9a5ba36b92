"""Which of MuJoCo's ways to render works on this machine; docs/rendering.md has what each needs."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

from transreward_baselines.render.errors import RenderError

NEEDS = {
    "egl": "`apt-get install libegl1 libgl1-mesa-dri libopengl0`",
    "osmesa": "`apt-get install libosmesa6`",
    "glfw": "a display, or `apt-get install xvfb libgl1 libgl1-mesa-dri` and `xvfb-run -a` before the command",
}
"""What each way needs on Debian and Ubuntu without a GPU."""

BACKENDS = tuple(NEEDS)
"""Values of ``MUJOCO_GL``, in the order in which they are tried; the first two need no display."""

_PROBE = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='.1'/></worldbody></mujoco>")
mujoco.Renderer(model, 16, 16).render()
"""
_PATIENCE = 120.0
"""How long a backend may take to draw its first frame [s]."""


def working_backend() -> str:
    """Return the value of ``MUJOCO_GL`` to render with: the one that is set, or the first that works.

    Raises:
        RenderError: None works, or the one that is set does not.
    """
    chosen = os.environ.get("MUJOCO_GL", "").strip().lower()
    problems = {}
    for backend in [chosen] if chosen else BACKENDS:
        if (problem := _problem(backend)) is None:
            return backend
        problems[backend] = problem
    reasons = "; ".join(f"{backend}: {problem}" for backend, problem in problems.items())
    if chosen in NEEDS:
        raise RenderError(
            f"MUJOCO_GL={chosen} does not work here ({reasons}). On Debian and Ubuntu it needs {NEEDS[chosen]}; unset "
            "it to try the other ways (docs/rendering.md)."
        )
    if chosen:
        raise RenderError(f"`MUJOCO_GL` must be one of {', '.join(BACKENDS)}, or unset; got {chosen!r}.")
    raise RenderError(
        f"This machine cannot render ({reasons}). Install Mesa's software renderer, which needs neither a GPU nor a "
        f"display: {NEEDS['egl']} (Debian, Ubuntu); docs/rendering.md has other ways."
    )


@cache
def _problem(backend: str) -> str | None:
    """Return why a backend does not work; ``None`` if it does. Some end the process, so it is tried in another."""
    if backend not in BACKENDS:
        return "unknown"
    try:
        result = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env={**os.environ, "MUJOCO_GL": backend},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no frame within {_PATIENCE:.0f} s"
    if result.returncode == 0:
        return None
    lines = [line.strip() for line in result.stderr.splitlines() if "Error: " in line]
    return lines[-1] if lines else f"exit status {result.returncode}"
