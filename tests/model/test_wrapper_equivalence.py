"""Wrapper equivalence: one generated program on a bare and on a wrapped engine; answers and final contents agree."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import diskcache
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.clock import ManualClock
from tests.engine.value_strategies import same
from tests.model.places import fresh_directory
from tests.model.wrapped_engines import Client, Opaque, Shelf, contents

if TYPE_CHECKING:
    from pathlib import Path

Step = tuple[str, tuple[Any, ...], dict[str, Any]]

KEYS = st.sampled_from(["a", "b", "c", "\u00e9"])
VALUES = st.sampled_from(
    [0, True, 2**70, 1.5, "text", "text" * 400, b"bytes", (1, "two"), [1, [2]], {"k": (None,)}, {1, 2}, np.arange(6.0)]
)
TOLERANCE_SECONDS = 30.0
MISS = ("no", "value")


def step(name: str, *arguments: Any, **keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """A call: each keyword is given or left out."""
    given_some = st.fixed_dictionaries({}, optional=keywords)
    return st.tuples(st.just(name), st.tuples(*arguments), given_some)


UPKEEP = st.one_of([step(name) for name in ("flush", "maintain", "settle", "restart")])
SUBSCRIPT = [
    step("__setitem__", KEYS, VALUES), step("__getitem__", KEYS), step("__delitem__", KEYS), step("__contains__", KEYS),
]  # fmt: skip
MAPPING = [
    *SUBSCRIPT, step("get", KEYS), step("get", KEYS, st.just(MISS)),
    step("pop", KEYS), step("pop", KEYS, st.just(MISS)), step("setdefault", KEYS, VALUES),
    step("update", st.dictionaries(KEYS, VALUES, max_size=3)), step("clear"), step("__len__"),
]  # fmt: skip
FLAG = st.booleans()
STORING = {"expire": st.sampled_from([None, 60, 3600.5, 0]), "tag": st.sampled_from([None, "t", 7]), "retry": FLAG}
READING = {"default": st.just(MISS), "expire_time": FLAG, "tag": FLAG, "retry": FLAG}
CACHE = [
    *SUBSCRIPT, step("set", KEYS, VALUES, **STORING), step("add", KEYS, VALUES, **STORING),
    step("get", KEYS, **READING), step("pop", KEYS, **READING), step("delete", KEYS, retry=FLAG), step("get", KEYS),
    step("set", KEYS, VALUES),
]  # fmt: skip
SHELF = [step("store", KEYS, VALUES), step("retrieve", KEYS), step("delete", KEYS)]
CLIENT = [
    step("set", KEYS, VALUES), step("set", KEYS, VALUES, ttl=st.just(3600)), step("get", KEYS),
    step("get", KEYS, st.just(MISS)), step("get", KEYS, default=st.just(MISS)), step("delete", KEYS),
]  # fmt: skip
PROGRAMS = {"dict": MAPPING, "diskcache": CACHE, "shelf": SHELF, "client": CLIENT}
MODES = ["absorb", "write_through", "disabled"]


def program(kind: str) -> st.SearchStrategy[list[Step]]:
    verbs = st.one_of(PROGRAMS[kind])
    return st.lists(st.one_of(verbs, verbs, verbs, UPKEEP), max_size=25)


def answer(target: Any, call: Step) -> tuple[str, Any]:
    """Return what a caller sees: a value or an error."""
    name, arguments, keywords = call
    try:
        return "value", getattr(target, name)(*arguments, **keywords)
    except KeyError as error:
        return "error", error.args


def alike(left: Any, right: Any) -> bool:
    """Exact equality, but for moments: those of expiry may differ by the time that the program took."""
    if isinstance(left, Opaque):
        return bool(left == right)
    if isinstance(left, float) and left > 1e9:
        return isinstance(right, float) and abs(left - right) < TOLERANCE_SECONDS
    if type(left) is tuple and type(right) is tuple and len(left) == len(right):
        return all(map(alike, left, right))
    return same(left, right)


def assert_same_contents(engine: Any, bare: Any) -> None:
    found, expected = contents(engine), contents(bare)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert alike(found[key], value), key


class Pair:
    """A bare engine, and an equal one that is wrapped."""

    def __init__(self, kind: str, mode: str, root: Path) -> None:
        self.kind, self.mode, self.path = kind, mode, root / "store"
        self.bare, self.engine = (_engine(kind, root / name) for name in ("bare", "wrapped"))
        self.clock = ManualClock(time.time())
        self.memory: OptimizationMiddleware

    def fill(self, items: dict[str, Any]) -> None:
        """Let both hold something from before the wrapping."""
        for engine in (self.bare, self.engine):
            for key, value in items.items():
                if isinstance(engine, diskcache.Cache):
                    engine.set(key, value, expire=1800, tag="old")
                elif isinstance(engine, dict):
                    engine[key] = value
                else:
                    engine.held[key] = value

    def open(self) -> None:
        config = OptimizationConfig(
            enabled=self.mode != "disabled",
            storage={"path": str(self.path), "dirty_limit_entries": 5, "reserve_kb": 0},
            tiered_storage={"hot_capacity_mb": 0.003},
            wrap={"mode": "absorb" if self.mode == "disabled" else self.mode},
        )
        self.memory = OptimizationMiddleware(self.engine, config=config, clock=self.clock)

    def take(self, call: Step) -> None:
        match call[0]:
            case "restart":
                self.memory.shutdown()
                self.open()
            case "maintain" | "settle":
                self.memory.maintain(settle=call[0] == "settle")
            case "flush":
                self.memory.flush()
            case _:
                self.compare(call)

    def compare(self, call: Step) -> None:
        expected, found = answer(self.bare, call), answer(self.memory, call)
        if call[0] in {"store", "__setitem__", "__delitem__"} or (call[0] == "delete" and self.kind == "client"):
            # Said with nothing by some engines, with True by ours.
            expected, found = (expected[0], None), (found[0], None)
        assert alike(found, expected), (call, found, expected)
        if self.mode != "absorb":
            assert_same_contents(self.engine, self.bare)

    def close(self) -> None:
        self.memory.shutdown()
        for engine in (self.bare, self.engine):
            if isinstance(engine, diskcache.Cache):
                engine.close()


def _engine(kind: str, directory: Path) -> Any:
    match kind:
        case "dict":
            return {}
        case "diskcache":
            return diskcache.Cache(str(directory), sqlite_synchronous=0)
        case "shelf":
            return Shelf()
    return Client()


def run(kind: str, mode: str, before: dict[str, Any], calls: list[Step]) -> None:
    root = fresh_directory()
    pair = Pair(kind, mode, root)
    try:
        pair.fill(before)
        pair.open()
        for call in calls:
            pair.take(call)
        pair.memory.release()
        assert_same_contents(pair.engine, pair.bare)
        # Unwrapped now: calls go straight through, and nothing of ours comes between.
        for call in calls[:5]:
            if call[0] not in {"restart", "maintain", "settle", "flush"}:
                pair.compare(call)
        assert_same_contents(pair.engine, pair.bare)
    finally:
        pair.close()
        shutil.rmtree(root)


QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,), print_blob=False,
)  # fmt: skip


def check(kind: str, mode: str, profile: settings) -> None:
    held = st.dictionaries(KEYS, VALUES | st.just(Opaque("held before")), max_size=3)

    @profile
    @given(before=held, calls=program(kind))
    def equivalent(before: dict[str, Any], calls: list[Step]) -> None:
        run(kind, mode, before, calls)

    equivalent()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", PROGRAMS)
def test_wrapped_engine_answers_as_a_bare_one(kind: str, mode: str) -> None:
    check(kind, mode, QUICK)


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", PROGRAMS)
def test_wrapped_engine_answers_as_a_bare_one_in_many_more_programs(kind: str, mode: str) -> None:
    rounds = int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200"))
    check(kind, mode, settings(QUICK, max_examples=5 * rounds, derandomize=False, database=None))
