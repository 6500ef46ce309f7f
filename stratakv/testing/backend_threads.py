"""What every backend owes to threads, as tests; and what all tests of backends begin with. Part of `BackendSuite`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from stratakv.backends.base import Backend, ObjectInfo, ObjectNotFoundError
from stratakv.errors import ClosedError
from stratakv.testing.backend_material import in_threads, noise

if TYPE_CHECKING:
    from pathlib import Path


class BackendThreads(ABC):
    """Tests of a backend that several threads use.

    Attributes:
        persistent: Whether objects outlive `close`.
        local: Whether the objects are files below `tmp_path`, so that sizes can be compared.
        atomic_create: Whether `create` decides in one step, as it must where several processes reach the objects.
    """

    persistent: bool = True
    local: bool = True
    atomic_create: bool = True

    @abstractmethod
    def make_backend(self, tmp_path: Path) -> Backend:
        """Return a backend; called again after `close` with the same path, it opens the same objects."""

    def open(self, tmp_path: Path) -> closing[Backend]:
        """Return a context in which a backend is open."""
        return closing(self.make_backend(tmp_path))

    def check_bytes_on_disk(self, backend: Backend, tmp_path: Path) -> None:
        """Assert that a backend counts the files below `tmp_path`."""
        if self.local:
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            assert backend.bytes_on_disk() == sum(path.stat().st_size for path in files)

    def test_eight_threads_do_not_disturb_one_another(self, tmp_path: Path) -> None:
        with self.open(tmp_path) as backend:

            def work(thread: int) -> None:
                for number in range(6):
                    name = f"{thread % 3}/{thread}-{number}"
                    content = noise(2000 + number, thread)
                    backend.put(name, content)
                    assert backend.get(name) == content
                    assert backend.get_range(name, 100, 50) == content[100:150]
                    assert backend.size(name) == len(content)
                    assert ObjectInfo(name, len(content)) in set(backend.list(f"{thread % 3}/"))
                    if number % 2:
                        assert backend.delete(name) is True

            in_threads(8, work)
            assert len(list(backend.list())) == 24
            self.check_bytes_on_disk(backend, tmp_path)

    def test_threads_putting_the_same_object_agree(self, tmp_path: Path) -> None:
        content = noise(5000)
        with self.open(tmp_path) as backend:
            in_threads(8, lambda _: backend.put("same/object", content))
            assert backend.get("same/object") == content
            assert list(backend.list()) == [ObjectInfo("same/object", 5000)]
            self.check_bytes_on_disk(backend, tmp_path)

    def test_of_many_that_create_one_object_one_wins(self, tmp_path: Path) -> None:
        if not self.atomic_create:
            return
        with self.open(tmp_path) as backend:
            for lap in range(5):
                winners: list[int] = []

                def work(thread: int, lap: int = lap, winners: list[int] = winners) -> None:
                    if backend.create(f"manifest/{lap}", b"%d" % thread):
                        winners.append(thread)

                in_threads(8, work)
                assert len(winners) == 1
                assert backend.get(f"manifest/{lap}") == b"%d" % winners[0]
            self.check_bytes_on_disk(backend, tmp_path)

    def test_a_read_beside_a_deletion_is_whole_or_a_miss(self, tmp_path: Path) -> None:
        contents = {f"object-{number}": noise(4096, number) for number in range(8)}
        with self.open(tmp_path) as backend:

            def work(thread: int) -> None:
                for _ in range(4):
                    for name, content in contents.items():
                        if thread == 0:
                            backend.put(name, content)
                            backend.delete(name)
                            continue
                        with suppress(ObjectNotFoundError):
                            assert backend.get_range(name, 96, 4000) == content[96:]

            in_threads(4, work)

    def test_closing_while_reading_gives_the_bytes_or_closed_error(self, tmp_path: Path) -> None:
        contents = {f"object-{number}": noise(4096, number) for number in range(8)}
        backend = self.make_backend(tmp_path)
        for name, content in contents.items():
            backend.put(name, content)
        started = threading.Barrier(5)

        def work(thread: int) -> None:
            started.wait(60)
            if thread == 0:
                backend.close()
                return
            try:
                while True:
                    for name, content in contents.items():
                        assert backend.get_range(name, 0, 4096) == content
                        assert backend.size(name) == 4096
            except ClosedError:
                pass

        in_threads(5, work)
