"""Scores that can be compared across domains, and the names of domains."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from transreward_envs import PAIRS, Pair, get_pair, get_suite, make_pair, normalized_score, references
from transreward_envs.pairs import ROLES
from transreward_envs.pairs.domains import domain_name, domains_of, find_domain
from transreward_envs.references import measured_returns, reference_returns


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    domains = {
        "Hopper-mass-2.0-target": {"random": {"mean": 10.0}, "expert": {"mean": 2010.0}},
        "Hopper": {"random": {"mean": 20.0}, "expert": {"mean": 20.0}},
        "Ant": {"random": {"mean": 1.0}},
    }
    monkeypatch.setattr(references, "_table", lambda name: {"domains": domains, "pairs": {}})


@pytest.mark.usefixtures("measured")
def test_a_random_policy_scores_0_and_an_expert_100() -> None:
    scores = normalized_score("Hopper-mass-2.0", [[10.0, 2010.0], [1010.0, 4010.0]])
    np.testing.assert_allclose(scores, [[0.0, 100.0], [50.0, 200.0]])
    assert normalized_score(get_pair("Hopper-mass-2.0"), 1010.0) == pytest.approx(50.0)


@pytest.mark.usefixtures("measured")
def test_domains_that_were_not_measured_are_refused() -> None:
    with pytest.raises(
        ValueError, match="'Ant' has none. Train its policies, transreward policies train --domains Ant, and point"
    ):
        normalized_score("Ant-dara-mass", 1.0)
    with pytest.raises(
        ValueError, match=r"The expert of 'Hopper' returns 20\.0, no more than the random policy's 20\.0"
    ):
        normalized_score("Hopper-dara-mass", 1.0)
    with pytest.raises(ValueError, match="Unknown reference 'd4rl'"):
        normalized_score("Hopper-mass-2.0", 1.0, reference="d4rl")


@pytest.mark.parametrize("text", ["{broken", "[]", "{}", '{"domains": [], "pairs": {}}'])
def test_a_shelfs_table_that_is_damaged_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(tmp_path))
    (tmp_path / "measured.json").write_text(text)
    with pytest.raises(ValueError, match=r"measured\.json is none, or damaged .* Delete it and run"):
        normalized_score("Hopper-mass-2.0", 1.0)


def test_a_shelf_that_does_not_exist_is_no_reason_to_take_the_packages_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        normalized_score("Hopper-mass-2.0", 1.0)


def test_odrls_figures_are_those_of_the_paper() -> None:
    figures = {
        "HalfCheetah-friction-0.1": (-280.178953, 41696.546875),
        "HalfCheetah-gravity-5.0": (-280.178953, 3756.24),
        "HalfCheetah-morph-thigh-hard": (-280.178953, 12135.0),
        "Hopper-frictionodrl-0.5": (-26.3360015397715, 3234.3),
        "Walker2d-frictionodrl-2.0": (10.079455055289959, 5180.044),
        "Walker2d-kinematic-footjnt-easy": (10.079455055289959, 4592.3),
    }
    for name, expected in figures.items():
        assert reference_returns(name, "odrl") == expected
    with pytest.warns(UserWarning, match="ODRL's figures for Ant are not comparable"):
        assert reference_returns("Ant-gravity-0.5", "odrl") == (-325.6, 4317.065)
    with pytest.raises(ValueError, match="'Hopper-mass-2.0' is none of them"):
        reference_returns("Hopper-mass-2.0", "odrl")


@pytest.mark.filterwarnings("ignore:ODRL's figures for Ant")
def test_odrl_has_figures_for_each_of_its_pairs() -> None:
    for pair in get_suite("odrl"):
        low, high = reference_returns(pair, "odrl")
        assert low < high


def test_a_domain_has_one_name_whichever_pair_it_belongs_to() -> None:
    assert domain_name(get_pair("Hopper-mass-2.0"), "source") == "Hopper"
    assert domain_name(get_pair("Hopper-dara-mass"), "target") == "Hopper"
    assert domain_name(get_pair("Hopper-dara-mass"), "source") == "Hopper-dara-mass-source"
    same = make_pair("Hopper", {"kind": "mass", "scale": 2.0}, name="mine", validate=False)
    assert domain_name(same, "target") == "Hopper-mass-2.0-target"
    new = make_pair("Hopper", {"kind": "mass", "scale": 2.25}, name="mine", validate=False)
    assert domain_name(new, "target") == "mine-target"


def test_domains_are_found_by_their_names() -> None:
    assert find_domain("Hopper") is None
    names = domains_of(PAIRS.values())
    assert max(Counter(names).values()) == 1
    for name in names:
        if (found := find_domain(name)) is not None:
            assert domain_name(*found) == name
    assert set(names) == {domain_name(pair, role) for pair in PAIRS.values() for role in ROLES}
    with pytest.raises(ValueError, match="Unknown domain 'Hopper-mass-2.0-targt'"):
        find_domain("Hopper-mass-2.0-targt")


def test_the_tables_in_the_package_are_json() -> None:
    for path in (Path(references.__file__).parents[1] / "assets/transreward_assets/references").glob("*.json"):
        json.loads(path.read_text())
    assert set(measured_returns()) == {"domains", "pairs"}


@pytest.mark.usefixtures("measured")
def test_what_is_no_return_or_no_pair_is_refused() -> None:
    for returns in (None, "1000", [None, 1.0]):
        with pytest.raises(TypeError, match="Returns must be numbers; got"):
            normalized_score("Hopper-mass-2.0", returns)
    with pytest.raises(TypeError, match="by its name or as a `Pair`; got 5"):
        normalized_score(5, 1.0)


@pytest.mark.usefixtures("measured")
def test_a_domain_is_found_however_it_is_written() -> None:
    whole = make_pair("Hopper", {"kind": "mass", "scale": 2}, validate=False)
    assert normalized_score(whole, 1010.0) == pytest.approx(50.0)
    backwards = make_pair("Hopper", get_pair("Hopper-combined-easy").target[::-1], validate=False)
    assert domain_name(backwards, "target") == "Hopper-combined-easy-target"


def test_odrls_figures_are_found_for_a_pair_that_was_read_from_json() -> None:
    pair = get_pair("HalfCheetah-friction-0.1")
    assert reference_returns(Pair.from_json(pair.to_json()), "odrl") == reference_returns(pair, "odrl")
