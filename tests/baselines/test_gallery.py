"""The gallery: every family of shifts, from one table, in small files."""

from pathlib import Path

import pytest

from transreward_baselines.render.gallery import STILLS, Still, gallery_page
from transreward_envs import get_pair
from transreward_envs.shifts import SHIFT_KINDS

DOCS = Path(__file__).parents[2] / "docs"


def test_every_kind_of_shift_has_one_picture() -> None:
    kinds = [still.kind for still in STILLS]
    assert len(kinds) == len(set(kinds))
    assert set(kinds) == {*SHIFT_KINDS, "another robot"}


@pytest.mark.parametrize("still", STILLS, ids=lambda still: still.file)
def test_a_picture_is_of_a_pair_that_has_the_shift(still: Still) -> None:
    pair = get_pair(still.pair)
    assert still.kind in {shift.kind for shift in (*pair.source, *pair.target)} or pair.source_robot


def test_the_page_is_that_of_the_table() -> None:
    assert (DOCS / "gallery.md").read_text() == gallery_page(), "Run `make pictures`."


def test_the_pictures_are_small_and_none_is_left_over() -> None:
    files = list((DOCS / "images" / "gallery").iterdir())
    assert {file.name for file in files} == {f"{still.file}.{still.suffix}" for still in STILLS}
    assert all(file.stat().st_size < (500_000 if file.suffix == ".gif" else 60_000) for file in files)
    assert sum(file.stat().st_size for file in files) < 760_000
