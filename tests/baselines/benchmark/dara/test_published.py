"""The paper's figures: none ship, and what is typed in is checked."""

import json
from importlib import resources
from typing import Any

import pytest

from transreward_baselines.benchmark.dara.published import FILE, parse_scores, published_scores

ROW = ["Hopper-dara-mass", "medium", "bcq", "1T+10S-dara", 1.5]


def content(*rows: list[Any]) -> dict[str, Any]:
    shipped = json.loads(resources.files("transreward_assets").joinpath("references", FILE).read_text())
    return {**shipped, "rows": list(rows)}


def test_what_ships_can_be_read_and_tells_its_source() -> None:
    assert "arXiv:2203.06662" in content()["paper"]
    assert published_scores() == {}


def test_rows_are_read_by_cell() -> None:
    assert parse_scores(content(ROW)) == {("Hopper-dara-mass", "medium", "bcq", "1T+10S-dara"): 1.5}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, "Hopper-mass-2.0", "of a cell and an amount of the table"),
        (1, "expert", "of a cell and an amount of the table"),
        (3, "2T", "of a cell and an amount of the table"),
        (4, float("nan"), "finite numbers"),
        (4, "1.5", "finite numbers"),
    ],
)
def test_rows_of_nothing_are_refused(place: int, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_scores(content([*ROW[:place], value, *ROW[place + 1 :]]))


def test_a_figure_stands_once_and_under_its_name() -> None:
    with pytest.raises(ValueError, match="of each once"):
        parse_scores(content(ROW, ROW))
    with pytest.raises(ValueError, match="The columns of dara.json are pair, quality"):
        parse_scores({**content(ROW), "columns": ["pair"]})
