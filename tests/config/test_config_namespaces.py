"""Namespaces by glob patterns over keys."""

from __future__ import annotations

import fnmatch

from hypothesis import given
from hypothesis import strategies as st

from stratakv.config import NamespaceConfig, Namespaces

PATTERNS = st.text(alphabet="ab*?[]!-\n:", min_size=1, max_size=8)
KEYS = st.text(alphabet="ab:\n-", max_size=8)


def test_first_matching_namespace_in_order_takes_the_key() -> None:
    namespaces = Namespaces(
        {"user": NamespaceConfig(match="session:user:*"), "session": NamespaceConfig(match="session:*")}
    )
    assert namespaces.match("session:user:1") == "user"
    assert namespaces.match("session:2") == "session"
    assert namespaces.match("x:session:2") is None


def test_any_pattern_of_a_list_matches_the_whole_key() -> None:
    namespaces = Namespaces({"e": NamespaceConfig(match=["event:?", "*.log", "[ab]x"])})
    assert [key for key in ("event:1", "event:12", "a.log", "a.logs", "bx", "cx") if namespaces.match(key)] == [
        "event:1",
        "a.log",
        "bx",
    ]


def test_matching_is_case_sensitive_and_crosses_lines() -> None:
    namespaces = Namespaces({"s": NamespaceConfig(match="s:*"), "t": NamespaceConfig(match="*!")})
    assert namespaces.match("S:1") is None
    assert namespaces.match("s:\n\ud800") == "s"
    assert namespaces.match("a\nb!") == "t"


def test_characters_special_to_regular_expressions_are_plain() -> None:
    namespaces = Namespaces({"s": NamespaceConfig(match="a.(b)|c+*")})
    assert namespaces.match("a.(b)|c+1") == "s"
    assert namespaces.match("axbc") is None


def test_without_patterns_no_key_has_a_namespace() -> None:
    assert Namespaces({}).match("x") is None
    assert Namespaces({"only-by-name": NamespaceConfig()}).match("x") is None


def test_rule_of_an_unknown_name_is_the_default() -> None:
    namespaces = Namespaces({"s": NamespaceConfig(ttl=5)})
    assert namespaces.rule("s").ttl == 5
    assert namespaces.rule("gone") == namespaces.rule(None) == NamespaceConfig()
    assert "s" in namespaces
    assert "gone" not in namespaces
    assert list(namespaces) == ["s"]
    assert len(namespaces) == 1


@given(st.lists(st.lists(PATTERNS, max_size=3), max_size=4), KEYS)
def test_match_agrees_with_trying_each_pattern_in_turn(patterns: list[list[str]], key: str) -> None:
    rules = {f"n{number}": NamespaceConfig(match=given_patterns) for number, given_patterns in enumerate(patterns)}
    expected = next(
        (name for name, rule in rules.items() if any(fnmatch.fnmatchcase(key, pattern) for pattern in rule.match)),
        None,
    )
    assert Namespaces(rules).match(key) == expected
