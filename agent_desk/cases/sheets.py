"""Owns how tables leave the house: as CSV and as XLSX, with nothing in them that a spreadsheet would run."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec
from aiohttp import web
from openpyxl import Workbook
from openpyxl.styles import Font

_BOM = "\ufeff"
"""Without it a spreadsheet program in China takes UTF-8 for GBK."""
_RUNS = ("=", "+", "-", "@", "\t", "\r")
_UNKEPT = dict.fromkeys([*range(9), 11, 12, *range(14, 32)])
"""Control characters, which XLSX cannot keep."""
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cell = str | int | Decimal


class Sheet(msgspec.Struct, frozen=True):
    """A table to take away. `name`: the file's, ASCII; `notes`: formula, window, counts, below the table."""

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()


def inert(value: Cell) -> Cell:
    """The cell as text that no spreadsheet takes for a formula (CSV injection); numbers as they are."""
    if not isinstance(value, str):
        return value
    text = value.translate(_UNKEPT)
    return f"'{text}" if text.lstrip(" ").startswith(_RUNS) else text


def as_csv(sheet: Sheet) -> str:
    """The table as CSV."""
    out = io.StringIO()
    csv.writer(out).writerows(_lines(sheet))
    return _BOM + out.getvalue()


def as_xlsx(sheet: Sheet) -> bytes:
    """The table as a workbook of one page, its head fixed."""
    book = Workbook()
    page = book.active
    page.freeze_panes = "A2"
    for line in _lines(sheet):
        page.append(list(line))
    for cell in page[1]:
        cell.font = Font(bold=True)
    for column in page.columns:
        page.column_dimensions[column[0].column_letter].width = min(
            40, max(10, 2 * len(str(column[0].value)))
        )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def answer(sheet: Sheet, ending: str) -> web.Response:
    """The table as a file to save: `ending` is csv or xlsx."""
    if ending == "xlsx":
        body, kind = await asyncio.to_thread(as_xlsx, sheet), _XLSX
    else:
        body, kind = as_csv(sheet).encode(), "text/csv"
    headers = {"Content-Disposition": f'attachment; filename="{sheet.name}.{ending}"'}
    response = web.Response(body=body, content_type=kind, headers=headers)
    if ending == "csv":
        response.charset = "utf-8"
    return response


def _lines(sheet: Sheet) -> Iterable[list[Cell]]:
    for line in (sheet.head, *sheet.rows, *((note,) for note in sheet.notes)):
        yield [inert(cell) for cell in line]
