"""Changes single cells of a CSV file and leaves every other byte as it is.

Python's csv module reads values, but forgets how they were written: quotes, line ends, blank lines, a byte order mark.
A manifest belongs to its author, so that an edit keeps all of that.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

_FIELD = re.compile(r'("(?:[^"]|"")*"[^,\r\n]*|[^,\r\n]*)(,|\r\n|\n|\r|\Z)')
"""One field as it is written, and what ends it (RFC 4180; a quote inside an unquoted field is plain text)."""

_BOM = "\ufeff"


@dataclass(frozen=True)
class CsvText:
    """A CSV file as written: per line its raw fields and its line end. `bom` is the mark in front of it, or nothing."""

    lines: tuple[tuple[tuple[str, ...], str], ...]
    bom: str = ""

    @classmethod
    def parse(cls, content: bytes) -> CsvText:
        """Split UTF-8 `content`; `render` gives the same bytes back.

        Raises:
            UnicodeDecodeError: it is not UTF-8.
        """
        text = content.decode("utf-8")
        bom = _BOM if text.startswith(_BOM) else ""
        return cls(tuple(_split(text[len(bom) :])), bom)

    def render(self) -> bytes:
        """The file's bytes."""
        return (self.bom + "".join(",".join(fields) + end for fields, end in self.lines)).encode("utf-8")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the header, stripped; blank ones at its end are no columns."""
        for fields, _ in self.lines:
            names = [cell_value(field) for field in fields]
            if any(names):
                while names and not names[-1]:
                    names.pop()
                return tuple(names)
        return ()

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Each line below the header that is not blank: its index in `lines`, and its cells, stripped."""
        columns, header_seen = self.columns, False
        for index, (fields, _) in enumerate(self.lines):
            values = [cell_value(field) for field in fields]
            if not any(values):
                continue
            if header_seen:
                yield index, dict(zip(columns, [*values, *[""] * len(columns)], strict=False))
            header_seen = True

    def with_columns(self, names: Sequence[str]) -> CsvText:
        """The same file with `names` added to its header where they are missing, behind its last column."""
        known = self.columns
        missing = [name for name in dict.fromkeys(names) if name not in known]
        if not missing:
            return self
        lines, header_seen = list(self.lines), False
        for index, (fields, end) in enumerate(self.lines):
            if header_seen or not any(cell_value(field) for field in fields):
                continue
            header_seen = True
            lines[index] = ((*fields[: len(known)], *[quoted(name) for name in missing]), end)
        return replace(self, lines=tuple(lines))

    def with_cells(self, index: int, cells: Mapping[str, str]) -> CsvText:
        """The same file with the cells named changed in line `index`; cells that hold the value already stay as is."""
        columns = self.columns
        fields, end = self.lines[index]
        changed = list(fields)
        for name, value in cells.items():
            place = columns.index(name)
            changed += [""] * (place + 1 - len(changed))
            if cell_value(changed[place]) != value:
                changed[place] = quoted(value)
        lines = (*self.lines[:index], (tuple(changed), end), *self.lines[index + 1 :])
        return replace(self, lines=lines)

    def with_row(self, cells: Mapping[str, str]) -> CsvText:
        """The same file with one row more at its end."""
        columns = self.columns
        fields = tuple(quoted(cells.get(name, "")) for name in columns)
        ending = next((end for _, end in self.lines if end), "\n")
        kept = [(row, end or ending) for row, end in self.lines]
        return replace(self, lines=(*kept, (fields, ending)))

    def without_rows(self, indices: Sequence[int]) -> CsvText:
        """The same file without the lines named."""
        dropped = set(indices)
        return replace(self, lines=tuple(line for index, line in enumerate(self.lines) if index not in dropped))


def cell_value(field: str) -> str:
    """The value that a raw field holds, stripped as the manifest's reader strips it."""
    if field.startswith('"'):
        return next(csv.reader([field]))[0].strip() if "\n" not in field and "\r" not in field else _unquoted(field)
    return field.strip()


def quoted(value: str) -> str:
    """`value` as a raw field: in quotes where it must be."""
    return '"' + value.replace('"', '""') + '"' if any(mark in value for mark in '",\r\n') else value


def _unquoted(field: str) -> str:
    """A quoted field that holds a line end."""
    closing = field.rindex('"')
    return (field[1:closing].replace('""', '"') + field[closing + 1 :]).strip()


def _split(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each line's raw fields and its line end."""
    fields: list[str] = []
    position = 0
    while position < len(text):
        found = _FIELD.match(text, position)
        if found is None:  # a quote that never closes: the rest is one field
            fields.append(text[position:])
            yield tuple(fields), ""
            return
        fields.append(found.group(1))
        position = found.end()
        if found.group(2) != ",":
            yield tuple(fields), found.group(2)
            fields = []
    if fields:  # the text ends in a comma: a last, empty field
        yield (*fields, ""), ""
