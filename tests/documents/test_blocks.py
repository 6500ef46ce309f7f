"""Every code block of the documents does what it says, each document in a directory and a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from stratakv.policies.eviction import ENTRY_POINT_GROUP
from tests.documents.blocks import DOCUMENTS, ROOT, Block, blocks, read
from tests.documents.running import RUN, WrongBlockError, matches, run_console
from tests.servers.valkey import NoServerError, valkey_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server

SHOWN_ONLY = {
    "sh": "installs, or takes minutes: what it names is checked below",
    "toml": "metadata of a reader's own package",
    "sql": "compared with the catalog's schema",
    "text": "printed by a program that writes it here",
}
REDIS = "redis://localhost:6379"
S3 = "https://s3.example.org"


def runnable(document: str) -> list[Block]:
    return blocks(*RUN, document=document)


def redis(servers: contextlib.ExitStack) -> str:
    try:
        return f"redis://127.0.0.1:{servers.enter_context(valkey_server())}"
    except NoServerError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if runnable(document)])
def test_blocks_of_a_document_run_in_order(document: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    steps = json.dumps(runnable(document))
    with contextlib.ExitStack() as servers:
        if REDIS in steps:
            steps = steps.replace(REDIS, redis(servers))
        if S3 in steps:
            server: S3Server = request.getfixturevalue("s3_server")
            (bucket,) = set(re.findall(r"bucket: ([a-z-]+)", steps))
            steps = steps.replace(S3, server.url).replace(bucket, server.new_bucket())
        commands = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-m", "tests.documents.running"],
            input=steps,
            cwd=tmp_path,
            env={**os.environ, "PATH": commands, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert ran.returncode == 0, f"{document}:\n{ran.stdout}\n{ran.stderr}"


def test_every_block_has_a_language_that_is_run_or_is_told_why_not() -> None:
    for block in blocks():
        assert block.language in {*RUN, *SHOWN_ONLY}, f"{block.document}:{block.line}: {block.language!r}"


def test_most_blocks_run() -> None:
    shown = [block for block in blocks(*SHOWN_ONLY) if block.language != "text"]
    assert len(blocks(*RUN)) > 3 * len(shown)


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: f"{block.document}-{block.line}")
def test_commands_that_are_only_shown_name_what_exists(block: Block) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in block.text.splitlines():
        assert line.startswith("$ "), line
        command = line[2:].partition("#")[0].strip()
        if made := re.match(r"make ([\w-]+)", command):
            assert made[1] in targets
        elif command.startswith("pip install"):
            named = re.search(r"\[([\w,]+)\]", command)
            assert not named or set(named[1].split(",")) <= set(extras)
        elif module := re.match(r"\S*python -m (\S+)", command):
            assert find_spec(module[1]) is not None
        else:
            assert command.startswith("export "), f"{block.document}: {command} can run: make the block a console block"


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: f"{block.document}-{block.line}")
def test_metadata_names_the_group_of_entry_points(block: Block) -> None:
    assert ENTRY_POINT_GROUP in tomllib.loads(block.text)["project"]["entry-points"]


def test_what_is_shown_of_a_command_is_compared_with_what_it_prints() -> None:
    assert matches("keys 3\nheld ... MB\n", "keys 3\nheld 0.42 MB")
    assert matches("first\n...\nlast\n", "first  \nsecond\nthird\nlast\n")
    assert not matches("keys 3\n", "keys 4\n")
    assert not matches("keys 3\n", "keys 3\nand more\n")


@pytest.mark.parametrize(
    "block",
    [
        "$ stratakv keys --dir nowhere\n",
        "$ stratakv --version   # exit code 1\n",
        "$ echo this\nthat\n",
        "$ false\n",
    ],
)
def test_a_command_that_does_not_do_what_is_shown_fails(block: str, tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path), pytest.raises(WrongBlockError):
        run_console("README.md", 1, block)


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target, part in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", read(document)):  # no addresses
            file = (ROOT / document).parent / target if target else ROOT / document
            assert file.exists(), f"{document} points to {target}"
            if part:
                assert part in anchors(file.read_text(encoding="utf-8")), f"{document} points to {target}#{part}"


def anchors(text: str) -> set[str]:
    """Return the names that headings get on GitHub."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
