"""Files: small PNG and GIF by Pillow, MP4 by PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from transreward_baselines.render.errors import RenderError

GIF_FPS = 12.5
"""Frames per second of a GIF at most [1/s]; more makes it large."""


def require_encoder() -> None:
    """Raise unless there is an encoder of MP4.

    Raises:
        RenderError: There is none.
    """
    if find_spec("av") is None:
        raise RenderError("An MP4 needs PyAV, which is not installed: pip install 'av>=14'.")


def write_png(picture: Pillow.Image, path: Path, *, colors: int = 128) -> None:
    """Write a picture of few colours, which is a third of the size of one of all."""
    picture.quantize(colors, dither=Pillow.Dither.NONE).save(path, optimize=True)


def write_gif(pictures: Sequence[Pillow.Image], path: Path, *, fps: float, colors: int = 128) -> None:
    """Write a clip that repeats for ever, of one palette, at most :data:`GIF_FPS` frames per second."""
    every = max(round(fps / GIF_FPS), 1)
    chosen = pictures[::every]
    samples = [chosen[index] for index in np.linspace(0, len(chosen) - 1, min(len(chosen), 6)).astype(int).tolist()]
    sheet = Pillow.fromarray(np.concatenate([np.asarray(sample) for sample in samples]))
    palette = sheet.quantize(colors, method=Pillow.Quantize.MAXCOVERAGE, dither=Pillow.Dither.NONE)
    frames = [picture.quantize(palette=palette, dither=Pillow.Dither.NONE) for picture in chosen]
    duration = 10 * max(round(100.0 * every / fps), 2)  # GIF counts hundredths of a second
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0, optimize=True)


def write_mp4(pictures: Sequence[Pillow.Image], path: Path, *, fps: float) -> None:
    """Write a clip that every browser plays: H.264, 4:2:0.

    Raises:
        RenderError: There is no encoder.
    """
    require_encoder()
    from fractions import Fraction

    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(fps).limit_denominator(1000), options={"crf": "23", "preset": "medium"}
        )
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
