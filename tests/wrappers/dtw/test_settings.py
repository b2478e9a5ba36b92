"""Settings of aligned rewards, and what is refused."""

from typing import Any

import numpy as np
import pytest

from transreward_wrappers.alignment import Reference
from transreward_wrappers.dtw import DTW


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reward": "modle"}, "Unknown reward form 'modle'. Did you mean 'model'"),
        ({"alignment": "dwt"}, "Unknown alignment 'dwt'. Did you mean 'dtw'"),
        ({"carry": "sum"}, "Unknown carry 'sum'"),
        ({"imagine_every": 0}, "`imagine_every` must be an integer >= 1; got 0"),
        ({"reward": "shaping"}, "The form 'shaping' needs a reward beside it.*Give base_reward=True"),
        ({"observe_progress": True}, "`observe_progress` is for the forms progress, increment, shaping.* got 'model'"),
        ({"world_model": "ensembel"}, "Unknown world model 'ensembel'. Did you mean 'ensemble'"),
        ({"horizon": 0}, "`horizon` must be an integer >= 1; got 0"),
        ({"members": 1}, "`members` must be an integer >= 2; got 1"),
        ({"tau": 0.0}, "`tau` must be finite and > 0; got 0.0"),
        ({"gamma": 1.5}, r"`gamma` must .*got 1.5"),
        ({"candidates": 1}, "`candidates` must be an integer >= 2; got 1"),
        ({"penalty": float("nan")}, "`penalty` must be finite and >= 0; got nan"),
        ({"trust": 0.0}, "`trust` must be finite and > 0; got 0.0"),
        ({"correspondence": "bones"}, "Unknown correspondence 'bones'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DTW(**settings)


def test_a_trajectory_that_is_in_no_file_is_refused_in_a_line() -> None:
    reference = Reference(observations=np.zeros((900, 17)), rewards=np.zeros(900))
    with pytest.raises(TypeError, match="must be a string; got a Reference. Write it to a file with .*save_reference"):
        DTW(references=reference)


@pytest.mark.parametrize("value", [50.0, "500"])
def test_candidates_are_counted_under_their_own_name(value: object) -> None:
    with pytest.raises(TypeError, match="`candidates` must be an integer"):
        DTW(candidates=value)


def test_what_is_asked_for_is_told() -> None:
    assert DTW().replaces
    assert not DTW(base_reward=True).replaces
    assert [DTW(reward=form, base_reward=True).follows for form in ("model", "progress", "increment", "shaping")] == [
        False,
        True,
        True,
        True,
    ]
    assert DTW(reward="progress", observe_progress=True).observed == 2
    assert not DTW(reward="alive").fits
    assert DTW(reward="alive").fit_steps() == {}
    assert [DTW(**one).imagines for one in ({}, {"segments": 0}, {"alignment": "ot"}, {"reward": "progress"})] == [
        True,
        False,
        False,
        False,
    ]
