"""The choice of codecs: the smallest within the budget, tried again now and then, and explained."""

from __future__ import annotations

import gc
import sys
import threading

import pytest

from stratakv.policies.codec_choice import TRIALS, Budget, CodecChoice, Contest, Trial

KB = 1024
US = 1e-6


def tried(share: float, us_per_kb: float, read: float = 0.0) -> Trial:
    return Trial(10 * KB, int(10 * KB * share), 10 * us_per_kb * US, 10 * read * US)


def learnt(contest: Contest, times: int, **candidates: Trial) -> Contest:
    for _ in range(times):
        contest.learn(candidates)
    return contest


def test_the_smallest_within_the_budget_wins() -> None:
    contest = learnt(Contest(Budget(50), 8), 4, quick=tried(0.5, 2), small=tried(0.3, 40), tiny=tried(0.1, 400))
    assert contest.best == "small"
    assert "tiny" in contest.explain()["why"]


def test_of_two_that_are_near_the_quicker_one_wins() -> None:
    assert learnt(Contest(Budget(50), 8), 4, quick=tried(0.303, 2), small=tried(0.3, 40)).best == "quick"
    assert learnt(Contest(Budget(50), 8), 4, quick=tried(0.32, 2), small=tried(0.3, 40)).best == "small"


def test_a_cost_that_was_high_once_does_not_count() -> None:
    contest = Contest(Budget(50), 8)
    contest.learn({"quick": tried(0.5, 2), "small": tried(0.3, 900)})
    assert contest.best == "quick"
    contest.learn({"quick": tried(0.5, 2), "small": tried(0.3, 40)})
    assert contest.best == "small"
    learnt(contest, 30, quick=tried(0.5, 2), small=tried(0.3, 900))
    assert contest.best == "quick"


def test_one_slow_trial_does_not_keep_a_candidate_from_the_next_one() -> None:
    contest = learnt(Contest(Budget(50), 8), 1, quick=tried(0.5, 2), small=tried(0.3, 900))
    assert contest.affordable("small")
    learnt(contest, 1, quick=tried(0.5, 2), small=tried(0.3, 40))
    assert contest.best == "small"


def test_without_a_budget_only_size_counts() -> None:
    contest = learnt(Contest(Budget(), 8), 4, quick=tried(0.5, 2), tiny=tried(0.1, 1e6, read=1e6))
    assert contest.best == "tiny"
    assert "no budget" in contest.explain()["why"]


def test_reading_has_a_budget_of_its_own() -> None:
    candidates = {"slow": tried(0.2, 5, read=30), "quick": tried(0.4, 5, read=1)}
    assert learnt(Contest(Budget(50, 10), 8), 4, **candidates).best == "quick"
    assert learnt(Contest(Budget(50, 40), 8), 4, **candidates).best == "slow"


def test_where_nothing_keeps_to_the_budget_the_quickest_is_taken() -> None:
    contest = learnt(Contest(Budget(1), 8), 4, a=tried(0.5, 20), b=tried(0.3, 40))
    assert contest.best == "a"
    assert "nothing keeps to 1 us" in contest.explain()["why"]


def test_the_first_contents_are_all_tried_then_one_in_so_many() -> None:
    contest = Contest(Budget(50), 10)
    for _ in range(TRIALS - 1):
        contest.learn({"a": tried(0.5, 1)})
        assert contest.left == 0
    contest.learn({"a": tried(0.5, 1)})
    assert contest.left == 9


def test_a_change_of_the_data_changes_the_choice() -> None:
    contest = learnt(Contest(Budget(50), 8), 20, a=tried(0.2, 5), b=tried(0.4, 5))
    assert contest.best == "a"
    assert learnt(contest, 12, a=tried(0.8, 5), b=tried(0.4, 5)).best == "b"


def test_what_is_far_over_the_budget_is_seldom_tried_again() -> None:
    contest = learnt(Contest(Budget(10), 8), 5, a=tried(0.5, 5), costly=tried(0.1, 500))
    looked = [contest.affordable("costly") for _ in range(40) if learnt(contest, 1, a=tried(0.5, 5))]
    assert 1 <= sum(looked) <= 4
    assert contest.affordable("a")
    assert contest.affordable("never seen")


def test_a_lead_is_told_against_all_others() -> None:
    contest = learnt(Contest(Budget(50), 8), 4, a=tried(0.2, 5), b=tried(0.3, 5))
    assert contest.leads("a", 0.7)
    assert not contest.leads("a", 0.5)
    assert not contest.leads("b", 1.0)


def test_contests_are_kept_by_namespace_kind_and_stage() -> None:
    choice = CodecChoice()
    first = choice.contest(1, "text", "store", Budget(5), 4)
    assert choice.contest(1, "text", "store", Budget(5), 4) is first
    assert len({id(choice.contest(*place, Budget(5), 4)) for place in ((2, "text", "store"), (1, "f32", "store"))}) == 2
    first.learn({"a": tried(0.5, 1)})
    assert [(row[0], row[1]["kind"], row[1]["chosen"]) for row in choice.report()] == [(1, "text", "a")]
    choice.restart(1, "store")
    assert choice.report() == []


def test_a_small_content_has_the_budget_of_a_whole_kb() -> None:
    small = Trial(100, 50, 10 * US)
    contest = Contest(Budget(25), 4)
    contest.learn({"a": small, "b": Trial(100, 30, 20 * US)})
    assert contest.best == "b"


@pytest.mark.parametrize("empty", [Trial(0, 0, 0.0)])
def test_an_empty_content_breaks_nothing(empty: Trial) -> None:
    assert learnt(Contest(Budget(5), 4), 4, a=empty, b=empty).best in {"a", "b"}


def test_a_contest_shared_by_threads_takes_new_candidates_while_it_is_asked() -> None:
    contest = Contest(Budget(1e9), every=1)
    failures: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                contest.explain()
                contest.leads("candidate 0", 0.5)
        except BaseException as failure:
            failures.append(failure)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for number in range(400):
            contest.learn({f"candidate {number}": tried(0.5, 10.0)})
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(before)
    assert failures == []


def test_a_contest_may_learn_in_the_midst_of_a_look_at_its_scores() -> None:
    # Until 3.12 a list of a dictionary's items may collect garbage while it is made, and so run any code.
    contest = learnt(Contest(Budget(1e9), every=1), 1, small=tried(0.3, 10.0), large=tried(0.6, 10.0))
    names = (f"candidate {number}" for number in range(100))

    def learn(phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            contest.learn({next(names, "large"): tried(0.5, 10.0)})
            # Or the pairs of the next list come from the interpreter's store of used ones, with no collection.
            held.extend((number, number) for number in range(2500))

    held: list[tuple[int, int]] = []
    before = gc.get_threshold()
    gc.callbacks.append(learn)
    gc.set_threshold(1)
    try:
        for more in range(20):
            assert contest.explain()["chosen"] == "small"
            assert contest.leads("small", 0.9)
            contest.allow(Budget(1e9 + more))
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(learn)
    assert len(contest.explain()["candidates"]) > 2


def test_trials_that_change_nothing_become_rare_and_one_that_does_makes_them_frequent_again() -> None:
    contest = Contest(Budget(1e9), every=16)
    waits = []
    for _ in range(40):
        contest.learn({"small": tried(0.3, 10.0), "large": tried(0.6, 10.0)})
        waits.append(contest.left + 1)
    assert waits[:3] == [1, 1, 1]
    assert 16 in waits
    assert waits[-1] == 128
    while contest.best == "small":
        contest.learn({"small": tried(0.9, 10.0), "large": tried(0.2, 10.0)})
    assert contest.left + 1 == 16


def test_a_contest_that_tries_every_content_goes_on_doing_so() -> None:
    contest = Contest(Budget(1e9), every=1)
    for _ in range(40):
        contest.learn({"small": tried(0.3, 10.0)})
        assert contest.left == 0
