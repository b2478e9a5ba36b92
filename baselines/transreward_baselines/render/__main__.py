"""Film a pair in this process, with the way to render that ``MUJOCO_GL`` names."""

from __future__ import annotations

import sys

import tyro

from transreward_baselines.render.program import USAGE, RenderArgs, render

if __name__ == "__main__":
    sys.path.insert(0, "")
    try:
        render(tyro.cli(RenderArgs, description=__doc__))
    except (ValueError, TypeError) as error:
        print(f"transreward: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except (RuntimeError, OSError) as error:
        sys.exit(f"transreward: {error}")
