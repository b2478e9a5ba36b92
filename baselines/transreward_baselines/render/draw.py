"""Frames with labels: panels, both domains side by side, film strips."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont, ImageOps

from transreward_baselines.render.film import Film
from transreward_envs import Pair
from transreward_envs.pairs import Role

BAR = 20
"""Height of a line of text [pixels]."""

GAP = 4
"""Between two panels [pixels]."""

PAPER, INK, ENDED = (255, 255, 255), (30, 30, 30), (178, 34, 34)
SIZES = (13, 12, 11, 10)
"""Of letters; the first with which a line fits [pixels]."""


def title(pair: Pair, role: Role) -> str:
    """Return a domain in words, such as ``target: gravity-2.0``."""
    shifts = ", ".join(shift.label for shift in pair.shifts(role)) or "plain"
    robot = pair.robot_of(role).name
    return f"{role}: {shifts} {robot}" if shifts == "plain" or pair.source_robot else f"{role}: {shifts}"


def caption(film: Film, index: int) -> str:
    """Return the line below a frame: the simulated time, or that the episode is over."""
    frame = film.frames[index]
    parts = [f"t = {frame.time:.2f} s"]
    if is_over(film, index):
        parts = [f"ended at {film.over:.2f} s"] if film.held else [*parts, f"(over at {film.over:.2f})"]
    if frame.position is not None:
        parts.append(f"x = {round(frame.position, 1) + 0.0:.1f} m")
    return "   ".join([*parts, f"return {round(frame.reward, 1) + 0.0:.1f}"])


def is_over(film: Film, index: int) -> bool:
    """Return whether the episode has ended by a moment."""
    if film.over is None:
        return False
    return film.frames[index] is film.frames[-1] if film.held else film.frames[index].time >= film.over


def panel(film: Film, index: int, heading: str) -> Pillow.Image:
    """Return one moment of one domain between its heading and its caption; grey where its last frame is held."""
    picture, over = Pillow.fromarray(film.frames[index].image), is_over(film, index)
    if over and film.held:
        grey = ImageOps.grayscale(picture).convert("RGB")
        picture = Pillow.blend(grey, Pillow.new("RGB", grey.size, PAPER), 0.45)
    sheet = Pillow.new("RGB", (picture.width, picture.height + 2 * BAR), PAPER)
    sheet.paste(picture, (0, BAR))
    _write(sheet, heading, 0, INK)
    _write(sheet, caption(film, index), picture.height + BAR, ENDED if over else INK)
    return sheet


def side_by_side(pair: Pair, films: tuple[Film, Film], index: int, name: str) -> Pillow.Image:
    """Return one moment of both domains under a line of text."""
    return under(name, beside([panel(film, index, title(pair, film.role)) for film in films]))


def film_strip(pair: Pair, films: tuple[Film, Film], name: str, *, count: int = 5) -> Pillow.Image:
    """Return some moments of both domains under a line of text, the source above."""
    chosen = np.linspace(0, len(films[0].frames) - 1, count).round().astype(int).tolist()
    rows = [
        beside([panel(film, index, "" if column else title(pair, film.role)) for column, index in enumerate(chosen)])
        for film in films
    ]
    sheet = Pillow.new("RGB", (rows[0].width, sum(row.height for row in rows)), PAPER)
    for number, row in enumerate(rows):
        sheet.paste(row, (0, number * row.height))
    return under(name, sheet)


def beside(panels: list[Pillow.Image]) -> Pillow.Image:
    """Return panels of one height in a row."""
    width = sum(one.width for one in panels) + GAP * (len(panels) - 1)
    sheet, left = Pillow.new("RGB", (width, panels[0].height), PAPER), 0
    for one in panels:
        sheet.paste(one, (left, 0))
        left += one.width + GAP
    return sheet


def under(name: str, picture: Pillow.Image) -> Pillow.Image:
    """Return a picture under a line of text, with even sides, as video needs them."""
    width, height = picture.width + picture.width % 2, picture.height + BAR
    sheet = Pillow.new("RGB", (width, height + height % 2), PAPER)
    sheet.paste(picture, (0, BAR))
    _write(sheet, name, 0, INK)
    return sheet


def _write(sheet: Pillow.Image, text: str, top: int, ink: tuple[int, int, int]) -> None:
    """Write a line into a bar, in smaller letters or cut where it is too long."""
    draw, room = ImageDraw.Draw(sheet), sheet.width - 8
    font = next((font for font in map(_font, SIZES) if draw.textlength(text, font=font) <= room), _font(SIZES[-1]))
    if draw.textlength(text, font=font) > room:
        while text and draw.textlength(f"{text}...", font=font) > room:
            text = text[:-1]
        text = f"{text}..."
    draw.text((4, top + BAR / 2), text, fill=ink, font=font, anchor="lm")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
