"""What stands in the way of a picture."""

from __future__ import annotations


class RenderError(RuntimeError):
    """This machine lacks what a picture or a clip needs, or filming failed."""
