"""Pictures of pairs: source and target side by side, under one policy or one sequence of actions.

:func:`render_in_subprocess` is what the demonstration and ``transreward render`` call. The way to render is fixed when
MuJoCo is first loaded, so the filming itself is a program of its own: ``python -m transreward_baselines.render``.
"""

from transreward_baselines.render.errors import RenderError
from transreward_baselines.render.program import RenderArgs, import_pairs, picture_stem, render_in_subprocess

__all__ = ["RenderArgs", "RenderError", "import_pairs", "picture_stem", "render_in_subprocess"]
