"""`BackendSuite`: what every backend owes, as tests. Shipped for authors of backends.

Subclass it in a test file and provide `make_backend`; pytest collects the rest::

    class TestMyBackend(BackendSuite):
        def make_backend(self, tmp_path: Path) -> Backend:
            return MyBackend(tmp_path / "objects")

Nothing of pytest is imported here: the tests are plain methods, and `tmp_path` is a fresh directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.backends.base import ObjectInfo, ObjectNotFoundError
from stratakv.errors import ClosedError, ConfigurationError
from stratakv.testing.backend_material import BAD_NAMES, ODD_NAMES, noise, refuses
from stratakv.testing.backend_threads import BackendThreads

if TYPE_CHECKING:
    from pathlib import Path


class BackendSuite(BackendThreads):
    """Tests of the promises of `Backend`; its attributes and `make_backend` are those of `BackendThreads`."""

    # -- one object ------------------------------------------------------------------------------------------

    def test_an_object_is_read_as_it_was_put(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            backend.put("packs/1", b"some bytes\x00\xff")
            assert backend.get("packs/1") == b"some bytes\x00\xff"
            assert backend.size("packs/1") == 12
            assert type(backend.get("packs/1")) is bytes

    def test_an_empty_object_is_an_object(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            backend.put("empty", b"")
            assert backend.get("empty") == b""
            assert backend.get_range("empty", 0, 10) == b""
            assert backend.size("empty") == 0
            assert list(backend.list()) == [ObjectInfo("empty", 0)]
            assert backend.delete("empty") is True

    def test_a_large_object_comes_back_whole_and_in_parts(self, tmp_path: Path) -> None:
        content = noise(10_000_000)
        with self.open(tmp_path) as backend:
            backend.put("large", content)
            assert backend.get("large") == content
            assert backend.size("large") == len(content)
            assert backend.get_range("large", 9_999_000, 500) == content[9_999_000:9_999_500]

    def test_a_range_is_that_slice(self, tmp_path: Path) -> None:
        content = noise(5000)
        with self.open(tmp_path) as backend:
            backend.put("object", content)
            for start, length in ((0, 5000), (0, 1), (4999, 1), (17, 4096), (100, 0), (5000, 0)):
                assert backend.get_range("object", start, length) == content[start : start + length]

    def test_a_range_past_the_end_is_cut_there(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            backend.put("object", b"0123456789")
            assert backend.get_range("object", 8, 100) == b"89"
            assert backend.get_range("object", 10, 1) == b""
            assert backend.get_range("object", 2**62, 1) == b""

    def test_an_absurd_length_allocates_no_more_than_the_object(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            backend.put("object", b"0123456789")
            assert backend.get_range("object", 1, 2**60) == b"123456789"

    def test_a_negative_range_is_refused(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            backend.put("object", b"0123456789")
            refuses(ConfigurationError, lambda: backend.get_range("object", -1, 4))
            refuses(ConfigurationError, lambda: backend.get_range("object", 4, -1))

    def test_putting_the_same_content_again_changes_nothing(self, tmp_path: Path) -> None:
        content = noise(3000)
        with self.open(tmp_path) as backend:
            backend.put("object", content)
            assert backend.get_range("object", 0, 10) == content[:10]
            backend.put("object", content)
            assert backend.get("object") == content
            assert list(backend.list()) == [ObjectInfo("object", 3000)]
            self.check_bytes_on_disk(backend, tmp_path)

    def test_create_stores_only_where_nothing_is(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            assert backend.create("packs/1", b"first") is True
            assert backend.create("packs/1", b"other") is False
            assert backend.get("packs/1") == b"first"
            backend.put("packs/2", b"put")
            assert backend.create("packs/2", b"created") is False
            assert backend.delete("packs/1") is True
            assert backend.create("packs/1", b"") is True
            assert backend.create("packs/1", b"late") is False
            assert backend.get("packs/1") == b""
            assert {info.name for info in backend.list()} == {"packs/1", "packs/2"}
            self.check_bytes_on_disk(backend, tmp_path)

    # -- missing objects and deletion ------------------------------------------------------------------------

    def test_a_missing_object_is_named(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            backend.put("packs/1", b"x")
            for name in ("packs/2", "packs", "packs/1/2", "other"):
                for call in (backend.get, backend.size, lambda n: backend.get_range(n, 0, 1)):
                    error = refuses(ObjectNotFoundError, lambda c=call, n=name: c(n))  # type: ignore[misc]  # default binds the loop's value
                    assert name in str(error)

    def test_a_failed_read_is_not_remembered(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            refuses(ObjectNotFoundError, lambda: backend.get_range("late", 0, 1))
            backend.put("late", b"here")
            assert backend.get_range("late", 0, 4) == b"here"

    def test_a_deleted_object_is_gone(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            backend.put("object", b"content")
            assert backend.get_range("object", 0, 3) == b"con"
            assert backend.delete("object") is True
            refuses(ObjectNotFoundError, lambda: backend.get_range("object", 0, 3))
            refuses(ObjectNotFoundError, lambda: backend.get("object"))
            assert list(backend.list()) == []

    def test_deleting_twice_is_no_error(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            assert backend.delete("a/b") is False
            backend.put("a/b", b"x")
            assert [backend.delete("a/b"), backend.delete("a/b"), backend.delete("a")] == [True, False, False]

    def test_many_objects_are_deleted_at_once(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            for number in range(5):
                backend.put(f"packs/{number}", b"x")
            backend.delete_many([])
            backend.delete_many([f"packs/{number}" for number in (0, 2, 4, 7)])
            assert {info.name for info in backend.list()} == {"packs/1", "packs/3"}
            self.check_bytes_on_disk(backend, tmp_path)

    def test_a_name_can_be_used_again_after_deletion(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            for content in (b"first", b"second, longer"):
                backend.put("object", content)
                assert backend.get("object") == content
                assert backend.get_range("object", 0, 100) == content
                backend.delete("object")

    # -- names and listing -----------------------------------------------------------------------------------

    def test_odd_names_are_names(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            for number, name in enumerate(ODD_NAMES):
                backend.put(name, noise(100 + number, number))
            for number, name in enumerate(ODD_NAMES):
                assert backend.get(name) == noise(100 + number, number)
            expected = {ObjectInfo(name, 100 + number) for number, name in enumerate(ODD_NAMES)}
            assert set(backend.list()) == expected

    def test_bad_names_are_refused_before_anything_changes(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            for name in BAD_NAMES:
                for call in (
                    lambda n=name: backend.put(n, b"x"),  # the default binds the loop's value
                    lambda n=name: backend.create(n, b"x"),
                    lambda n=name: backend.delete_many([n]),
                    lambda n=name: backend.get(n),
                    lambda n=name: backend.get_range(n, 0, 1),
                    lambda n=name: backend.size(n),
                    lambda n=name: backend.delete(n),
                ):
                    refuses(ConfigurationError, call)
            assert list(backend.list()) == []

    def test_a_listing_begins_with_its_prefix(self, tmp_path: Path) -> None:
        names = ("a", "ab/1", "ab/2", "abc/1", "b/1", "ab/c/1")
        with self.open(tmp_path) as backend:
            for name in names:
                backend.put(name, name.encode())
            for prefix in (
                "",
                "a",
                "ab",
                "ab/",
                "ab/1",
                "ab/c/",
                "b/1",
                "z",
                "ab/1/",
                ".",
                "../",
                "/",
                "a//",
            ):
                found = list(backend.list(prefix))
                assert sorted(info.name for info in found) == sorted(n for n in names if n.startswith(prefix))
                assert all(info.size == len(info.name) for info in found)

    def test_objects_may_be_deleted_while_they_are_listed(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            for number in range(20):
                backend.put(f"packs/{number}", b"x")
            for info in backend.list("packs/"):
                backend.delete(info.name)
            assert list(backend.list()) == []

    # -- life ------------------------------------------------------------------------------------------------

    def test_objects_survive_closing(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            for number in range(5):
                backend.put(f"packs/{number}", noise(1000, number))
            backend.delete("packs/3")
        with self.open(tmp_path) as backend:
            expected = {f"packs/{number}" for number in (0, 1, 2, 4)} if self.persistent else set()
            assert {info.name for info in backend.list()} == expected
            for name in expected:
                assert backend.get(name) == noise(1000, int(name[-1]))
            self.check_bytes_on_disk(backend, tmp_path)

    def test_a_closed_backend_says_so(self, tmp_path: Path) -> None:
        backend = self.make_backend(tmp_path)
        backend.put("object", b"x")
        assert backend.get_range("object", 0, 1) == b"x"
        backend.close()
        backend.close()
        for call in (
            lambda: backend.put("other", b"x"),
            lambda: backend.create("other", b"x"),
            lambda: backend.delete_many(["object"]),
            lambda: backend.get("object"),
            lambda: backend.get_range("object", 0, 1),
            lambda: backend.size("object"),
            lambda: backend.delete("object"),
            lambda: list(backend.list()),
            backend.bytes_on_disk,
        ):
            refuses(ClosedError, call)

    def test_bytes_on_disk_are_those_of_the_files(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:
            self.check_bytes_on_disk(backend, tmp_path)
            for number in range(10):
                backend.put(f"packs/{number}", noise(10_000 * number, number))
            self.check_bytes_on_disk(backend, tmp_path)
            for number in range(0, 10, 2):
                backend.delete(f"packs/{number}")
            self.check_bytes_on_disk(backend, tmp_path)
