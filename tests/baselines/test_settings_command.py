"""``transreward settings``: every keyword of every method, in the words of its class."""

import pytest

from transreward_baselines.cli import main as transreward
from transreward_baselines.settings_command import plain, settings_of
from transreward_envs import METHODS
from transreward_wrappers.bound import load_compensation, setting_names


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_of_a_method_is_listed_and_explained(method: str) -> None:
    listed = settings_of(method)
    names = [setting.name for setting in listed]
    path = METHODS[method].compensation
    assert names[: len(names) - (4 if METHODS[method].acts_in == "both" else 2)] == (
        [] if path is None else setting_names(load_compensation(path))
    )
    assert len(set(names)) == len(names)
    for setting in listed:
        assert setting.about.endswith("."), setting
        assert not {"``", ":class:", "\n"} & {part for part in ("``", ":class:", "\n") if part in setting.about}


def test_a_subclass_tells_its_own_default_and_its_own_words() -> None:
    eta = {method: next(one for one in settings_of(method) if one.name == "eta") for method in ("darc", "dara")}
    assert (eta["darc"].default, eta["dara"].default) == ("1.0", "0.1")
    assert "[reward per nat]" in eta["darc"].about
    members = {method: next(one for one in settings_of(method) if one.name == "members") for method in ("darc", "drae")}
    assert "the interval is between" in members["drae"].about
    assert members["darc"].about != members["drae"].about


def test_the_command_prints_units_and_refuses_what_is_no_method(capsys: pytest.CaptureFixture[str]) -> None:
    transreward(["settings", "darc"])
    out = " ".join(capsys.readouterr().out.split())
    assert "[reward per nat]" in out  # brackets are no markup
    assert "target_ratio" in out
    with pytest.raises(SystemExit):
        transreward(["settings", "dark"])
    assert "Unknown method 'dark'. Did you mean 'darc'" in capsys.readouterr().err


def test_marks_of_references_are_left_out() -> None:
    assert plain("see :class:`~a.b.Name`,\n    ``x``") == "see `Name`, `x`"
