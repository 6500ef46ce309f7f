"""Owns the result as tables in Markdown, for the README and the docs."""

from __future__ import annotations

from typing import Any

from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.overhead.report import (
    ALONE_HEADERS,
    CALL_HEADERS,
    ROW_HEADERS,
    WAY_HEADERS,
    alone_cells,
    call_cells,
    heading,
    remarks,
    row_cells,
    way_cells,
)
from benchmarks.overhead.summary import HEADERS, budget_cells


def markdown(result: dict[str, Any]) -> str:
    """Return the budgets, then single calls, stores in a row, and engines bare and wrapped."""
    lines = [*table(HEADERS, budget_cells(result["budgets"])), ""]
    if result["floors"] is not None:
        lines += [f"{heading(result['floors'])}:", "", *table(CALL_HEADERS, call_cells(result["floors"])), ""]
    if result["sustained"] is not None:
        told = result["sustained"]
        lines += [*table(ROW_HEADERS, row_cells(told)), "", *(f"- {line}" for line in remarks(told)), ""]
    if result["rows"]:
        lines += [*table(WAY_HEADERS, way_cells(result["rows"])), ""]
        if alone := list(alone_cells(result["rows"])):
            lines += [*table(ALONE_HEADERS, alone), ""]
    lines += [f"- left out: {line}" for line in result["left_out"]]
    return "\n".join([*lines, "", f"{libraries(result)}."]).strip()
