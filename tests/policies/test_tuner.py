"""`Tuner`: what it makes of accesses, targets and costs over days, as its verdicts tell."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from stratakv.errors import StrataError
from stratakv.policies.admission import Accesses
from stratakv.policies.placement.prices import Prices
from stratakv.policies.tuning.steering import Measured, Targets
from stratakv.policies.tuning.tuner import Tuner
from stratakv.policies.tuning.verdict import HOT, WARM, Capacity, Load, Settings, Sight, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = 3600.0
EVERY = 300.0
MET = Measured(90.0, 0.5)
MB = 1 << 20


def settings(**changes: Any) -> Settings:
    made = Settings(
        prices=Prices(),
        wait_of=lambda _namespace: 1e-3,
        targets=Targets(),
        learning_rate=0.5,
        rest=600.0,
        shortest=10.0,
        longest=90 * 24 * HOUR,
        configured={HOT: HOUR, WARM: 24 * HOUR},
        accesses=Accesses(2, 5),
        capacity=Capacity(200 * MB, 200 * MB, 200 * MB),
    )
    return made._replace(**changes)


def reads(gap: float, keys: int, hours: float, seed: int = 3) -> Iterator[tuple[float, int]]:
    """Yield (time, key hash): each key comes again after about `gap` seconds, for ever."""
    chance = random.Random(seed)
    hashes = [chance.getrandbits(32) for _ in range(keys)]
    events = []
    for each in hashes:
        at = chance.uniform(0, gap)
        while at < hours * HOUR:
            events.append((at, each))
            at += gap * chance.uniform(0.8, 1.2)
    yield from sorted(events)


def drive(
    tuner: Tuner, events: Iterator[tuple[float, int]], measured: Measured = MET, due: float = EVERY, **load: int
) -> list[Verdict]:
    """Tell a tuner accesses and have it retune every five minutes, for the first time when that is due."""
    verdicts = []
    for at, key_hash in events:
        while at >= due:
            loads = {0: Load(load.get("requests", 1000), {HOT: load.get("below", 10), WARM: 0}, EVERY)}
            verdicts.append(tuner.retune(Sight(due, 1_700_000_000 + due, measured, loads)))
            due += EVERY
        tuner.edges.read(0, key_hash, at, (1000, 400))
    return verdicts


def seconds(tuner: Tuner, verdict: Verdict, edge: str = HOT, size: int = 1000) -> float:
    return verdict.idle[edge, 0].seconds(size)


def test_values_that_come_back_within_hours_stay_in_ram_for_hours() -> None:
    # A return costs 1e-3 x 0.1 ms; RAM for 1 KB costs that in about a day: keeping them for two hours is cheap.
    tuner = Tuner(settings())
    verdict = drive(tuner, reads(gap=2 * HOUR, keys=300, hours=24))[-1]
    assert seconds(tuner, verdict) > 2.4 * HOUR


def test_values_that_come_back_too_late_leave_ram_early() -> None:
    tuner = Tuner(settings(wait_of=lambda _namespace: 1e-6))
    verdict = drive(tuner, reads(gap=2 * HOUR, keys=300, hours=24))[-1]
    assert seconds(tuner, verdict) < 0.5 * HOUR


def test_a_large_value_leaves_ram_sooner_than_a_small_one() -> None:
    tuner = Tuner(settings())
    verdict = drive(tuner, reads(gap=2 * HOUR, keys=300, hours=12))[-1]
    assert seconds(tuner, verdict, size=1_000_000) < seconds(tuner, verdict, size=1000)


def test_thresholds_keep_to_their_bounds() -> None:
    tuner = Tuner(settings(shortest=50_000.0, longest=60_000.0))
    verdict = drive(tuner, reads(gap=2 * HOUR, keys=300, hours=12))[-1]
    assert seconds(tuner, verdict, size=1) == 60_000.0
    assert seconds(tuner, verdict, size=1 << 30) == 50_000.0


def test_a_threshold_is_not_longer_than_what_is_known_of_returns() -> None:
    # All come back within minutes; what would become of values that are idle for weeks nobody has seen.
    tuner = Tuner(settings(wait_of=lambda _namespace: 1e-2))
    verdict = drive(tuner, reads(gap=600.0, keys=100, hours=6))[-1]
    assert seconds(tuner, verdict) == HOUR
    assert seconds(tuner, verdict, WARM) == 24 * HOUR


def test_a_cold_directory_is_cheap_to_read_and_saves_little() -> None:
    far, near = (settings(remote=remote).costs(0)[WARM] for remote in (True, False))
    assert near.returning(400) < far.returning(400) / 50
    assert near.rent < far.rent
    assert near.moving_byte == 0.0


def test_too_few_accesses_leave_the_configured_hours() -> None:
    tuner = Tuner(settings())
    assert all(not verdict.idle for verdict in drive(tuner, reads(gap=6 * HOUR, keys=20, hours=24)))


def test_a_learning_rate_of_zero_changes_nothing() -> None:
    tuner = Tuner(settings(learning_rate=0.0))
    verdicts = drive(tuner, reads(gap=2 * HOUR, keys=300, hours=12), Measured(10.0, 50.0))
    assert all(not verdict.changes and not verdict.idle for verdict in verdicts)
    assert verdicts[-1].course[:2] == (1.0, 1.0)


def test_too_little_saved_shortens_thresholds_and_too_much_waiting_lengthens_them() -> None:
    found = {}
    for name, measured in (("met", MET), ("little saved", Measured(30.0, 0.5)), ("slow", Measured(90.0, 60.0))):
        tuner = Tuner(settings(wait_of=lambda _namespace: 1e-5))
        events = list(reads(gap=HOUR / 6, keys=300, hours=4))
        drive(tuner, (event for event in events if event[0] < 3.5 * HOUR))
        found[name] = seconds(tuner, drive(tuner, (e for e in events if e[0] >= 3.5 * HOUR), measured, 3.5 * HOUR)[-1])
    assert found["little saved"] < found["met"] < found["slow"]


def test_every_change_says_what_from_to_why_and_what_was_measured() -> None:
    tuner = Tuner(settings())
    changes = [c for verdict in drive(tuner, reads(gap=2 * HOUR, keys=300, hours=6)) for c in verdict.changes]
    assert {change.what for change in changes} >= {"idle seconds hot->warm", "accesses warm->hot"}
    for change in changes:
        assert change.before != change.after
        assert len(change.why) > 20
        assert change.measured["reduction_percent"] == 90.0


def test_a_change_that_made_requests_dearer_is_taken_back() -> None:
    tuner = Tuner(settings())
    events = list(reads(gap=2 * HOUR, keys=300, hours=10))
    calm = drive(tuner, iter([event for event in events if event[0] < 5 * HOUR]), below=10)
    tried = [verdict for verdict in calm if verdict.idle]
    assert tried, "nothing was tried"
    # From now on nearly every request waits for the tier below, as if the threshold had become far too short.
    late = drive(
        tuner, iter([event for event in events if event[0] >= 5 * HOUR]), due=5 * HOUR, requests=2000, below=2000
    )
    back = [change for verdict in late for change in verdict.changes if change.why.startswith("taken back")]
    assert back
    assert "cost" in back[0].why
    assert back[0].measured["cost_of_a_request"] is not None


def test_capacity_moves_between_its_bounds_to_what_should_stay() -> None:
    tuner = Tuner(settings(capacity=Capacity(100_000, 50 * MB, 100 * MB)))
    verdict = drive(tuner, reads(gap=HOUR, keys=400, hours=12))[-1]
    assert verdict.capacity is not None
    assert 300_000 < verdict.capacity < 800_000  # 400 keys of 1,000 bytes come back within the hour


def test_a_learning_rate_of_zero_leaves_the_capacity_where_it_is() -> None:
    tuner = Tuner(settings(learning_rate=0.0, capacity=Capacity(MB, 5 * MB, 64 * MB)))
    assert drive(tuner, reads(gap=HOUR, keys=400, hours=2))[-1].capacity == 5 * MB


def test_capacity_leaves_room_for_what_is_pinned() -> None:
    tuner = Tuner(settings(learning_rate=1.0, capacity=Capacity(100_000, 8 * MB, 8 * MB)))
    verdict = tuner.retune(Sight(300.0, 0.0, MET, {}, pinned=5 * MB))
    assert verdict.capacity is not None
    assert verdict.capacity > 5 * MB


def test_shares_that_do_not_fit_another_capacity_are_not_taken_up() -> None:
    kept = Tuner(settings()).to_state({}) | {"shares": {"a": 300 * MB, "b": 1}}
    assert Tuner(settings()).restore(kept, {"a": 1, "b": 2}).shares == {}


def test_little_ram_is_not_divided() -> None:
    room = Capacity(100_000, 100_000, 100_000)
    tuner = Tuner(settings(capacity=room))
    for namespace in (0, 1):
        for at, key_hash in reads(gap=HOUR, keys=100, hours=6, seed=namespace):
            tuner.edges.read(namespace, key_hash, at, (1000, 400))
    assert tuner.retune(Sight(6 * HOUR, 0.0, MET, {}, full=True)).shares == {}


@pytest.mark.parametrize(
    "prices", [Prices(blocked_second=1e-300), Prices(ram_gb_month=1e300), Prices(ram_gb_month=0.0)]
)
def test_prices_beyond_reason_leave_what_is_configured(prices: Prices) -> None:
    tuner = Tuner(settings(prices=prices, wait_of=lambda _namespace: prices.blocked_second))
    assert all(name[0] != HOT for name in drive(tuner, reads(gap=HOUR, keys=300, hours=6))[-1].idle)


def test_a_capacity_without_bounds_is_left_alone() -> None:
    assert drive(Tuner(settings()), reads(gap=HOUR, keys=400, hours=2))[-1].capacity is None


def test_ram_that_is_too_small_goes_to_where_a_byte_of_it_saves_most() -> None:
    # Both come back within the hour; whoever waits for those of namespace 1 is worth a hundred times as much.
    tuner = Tuner(
        settings(wait_of=lambda namespace: 1e-3 if namespace else 1e-5, capacity=Capacity(600_000, 600_000, 600_000))
    )
    due, verdict = EVERY, None
    for at, key_hash in reads(gap=HOUR / 2, keys=1200, hours=8):
        while at >= due:
            verdict = tuner.retune(Sight(due, due, MET, {}, full=True))
            due += EVERY
        tuner.edges.read(key_hash % 2, key_hash >> 1, at, (1000, 400))
    assert verdict is not None
    assert verdict.shares[1] > 1.5 * verdict.shares[0]
    assert sum(verdict.shares.values()) <= 600_000


def test_ram_that_is_large_enough_is_not_divided() -> None:
    tuner = Tuner(settings())
    for namespace in (0, 1):
        for at, key_hash in reads(gap=HOUR, keys=100, hours=6, seed=namespace):
            tuner.edges.read(namespace, key_hash, at, (1000, 400))
    assert tuner.retune(Sight(6 * HOUR, 0.0, MET, {})).shares == {}


def test_equal_accesses_lead_to_equal_verdicts() -> None:
    first, second = (
        [(v.idle, v.course, v.accesses, v.changes) for v in drive(Tuner(settings(wait_of=lambda _n: 1e-3)), events)]
        for events in (reads(HOUR, 500, 6), reads(HOUR, 500, 6))
    )
    assert [[c._asdict() for c in verdict[3]] for verdict in first] == [
        [c._asdict() for c in verdict[3]] for verdict in second
    ]
    assert [verdict[1:3] for verdict in first] == [verdict[1:3] for verdict in second]


def test_what_was_learnt_survives_a_restart() -> None:
    tuner = Tuner(settings())
    before = drive(tuner, reads(gap=2 * HOUR, keys=300, hours=12))[-1]
    kept = json.loads(json.dumps(tuner.to_state({0: "default"})))
    again = Tuner(settings())
    after = again.restore(kept, {"default": 0})
    assert seconds(again, after) == seconds(tuner, before)
    assert after.accesses == before.accesses
    assert after.course[:2] == before.course[:2]


def test_what_was_taken_back_does_not_come_back_with_a_restart() -> None:
    tuner = Tuner(settings())
    before = drive(tuner, reads(gap=2 * HOUR, keys=300, hours=12))[-1].idle[HOT, 0]
    older = before._replace(threshold=before.threshold._replace(pooled=0.01, classes=(0.01,) * 5))
    tuner.thresholds.in_force[HOT, 0] = older  # not what the edge chose last
    again = Tuner(settings())
    again.restore(json.loads(json.dumps(tuner.to_state({0: "default"}))), {"default": 0})
    assert again.thresholds.in_force[HOT, 0].seconds(1000) == older.seconds(1000) != before.seconds(1000)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ({"version": 99}, "another version"),
        ({"settings": []}, "configured anew"),
        ({"edges": [{}]}, "damaged"),
        ({"course": ["x", 1]}, "damaged"),
        ({"accesses": None}, "damaged"),
        ({"accesses": [10**18, 2]}, "damaged"),
        ({"course": [float("nan"), 1.0]}, "damaged"),
        ({"course": [-5.0, 1.0]}, "damaged"),
        ({"capacity": float("inf")}, "damaged"),
        ({"in_force": [[HOT, "default", [1.0], 1.0]]}, "damaged"),
        ({"in_force": [[HOT, "default", [float("nan")] * 6, 1.0]]}, "damaged"),
    ],
)
def test_state_that_cannot_be_used_is_refused_whole(damage: dict[str, object], complaint: str) -> None:
    tuner = Tuner(settings())
    drive(tuner, reads(gap=2 * HOUR, keys=300, hours=6))
    kept = {**tuner.to_state({0: "default"}), **damage}
    again = Tuner(settings())
    with pytest.raises(StrataError, match=complaint):
        again.restore(kept, {"default": 0})
    assert not again.retune(Sight(0.0, 0.0, MET, {})).idle


def test_other_prices_start_anew() -> None:
    tuner = Tuner(settings())
    kept = tuner.to_state({})
    with pytest.raises(StrataError, match="configured anew"):
        Tuner(settings(prices=Prices(ram_gb_month=9.0))).restore(kept, {})


def test_namespaces_beyond_the_bound_stay_as_configured() -> None:
    tuner = Tuner(settings())
    for namespace in range(100):
        tuner.edges.read(namespace, 5, 1.0, (1000, 400))
    assert not tuner.edges.watches(99, 5)
    assert tuner.edges.watches(0, 5)
