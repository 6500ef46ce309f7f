"""`policy_by_name`: our policies, others' through entry points, and the answer to an unknown name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from stratakv.config.place_sections import EVICTION_POLICIES
from stratakv.errors import ConfigurationError
from stratakv.policies.eviction import FifoPolicy, LfuPolicy, LruPolicy, known_policies, policy_by_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


KNOWN = "adaptive, arc, fifo, gdsf, lfu, lirs, lru"


@pytest.fixture
def foreign_distribution(tmp_path: Path) -> Iterator[None]:
    """An installed distribution that offers policies of its own, good and bad."""
    (tmp_path / "foreign_eviction.py").write_text(
        "from stratakv.policies.eviction import FifoPolicy\n"
        "class Mine(FifoPolicy):\n    name = 'mine'\n"
        "not_a_policy = 7\n"
    )
    metadata = tmp_path / "foreign_eviction-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-eviction\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[stratakv.policies]\n"
        "mine = foreign_eviction:Mine\n"
        "lru = foreign_eviction:Mine\n"
        "broken = foreign_eviction:Missing\n"
        "odd = foreign_eviction:not_a_policy\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        yield
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("foreign_eviction", None)


@pytest.mark.parametrize(("name", "kind"), [("fifo", FifoPolicy), ("lru", LruPolicy), ("lfu", LfuPolicy)])
def test_own_policies_are_made_by_name(name: str, kind: type) -> None:
    policy = policy_by_name(name, 1024)
    assert type(policy) is kind
    assert policy.name == name
    assert policy.capacity == 1024


@pytest.mark.parametrize(("wrong", "nearest"), [("lruu", "lru"), ("LFU", "lfu"), ("fifo ", "fifo")])
def test_unknown_name_is_an_error_that_suggests_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean '{nearest}'.*known are {KNOWN}"):
        policy_by_name(wrong, 1024)


def test_a_name_like_no_other_is_answered_with_all_names() -> None:
    with pytest.raises(ConfigurationError, match=f"unknown eviction policy 'xyzzy': known are {KNOWN}"):
        policy_by_name("xyzzy", 1024)


def test_the_configuration_knows_the_same_names() -> None:
    assert sorted(EVICTION_POLICIES) == known_policies()


def test_an_objective_reaches_the_policy_that_can_choose() -> None:
    assert policy_by_name("adaptive", 1024, "bytes").name == "adaptive"
    assert policy_by_name("lru", 1024, "bytes").name == "lru"


@pytest.mark.parametrize("capacity", [0, -5])
def test_capacity_that_holds_nothing_is_a_configuration_error(capacity: int) -> None:
    with pytest.raises(ConfigurationError, match="positive capacity"):
        policy_by_name("lru", capacity)


@pytest.mark.usefixtures("foreign_distribution")
def test_installed_policy_of_others_is_found() -> None:
    assert policy_by_name("mine", 10).name == "mine"
    assert "mine" in known_policies()


@pytest.mark.usefixtures("foreign_distribution")
def test_others_cannot_replace_our_names() -> None:
    assert type(policy_by_name("lru", 10)) is LruPolicy


@pytest.mark.usefixtures("foreign_distribution")
@pytest.mark.parametrize(("name", "complaint"), [("broken", "cannot be loaded"), ("odd", "not a class")])
def test_unusable_policy_of_others_is_a_configuration_error(name: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{name}'.*{complaint}"):
        policy_by_name(name, 10)
