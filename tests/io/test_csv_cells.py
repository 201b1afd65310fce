"""Editing one cell must leave every other byte of a person's file alone."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointpet.io.csv_cells import CsvText, cell_value, quoted

WRITTEN = (
    "\ufeffcase_id, pet ,note,weight_kg\r\n"
    '"A1",a.nii,"says ""hi"", then\r\nleaves",70.50\r\n'
    "\r\n"
    "B2,b.nii,,071\r\n"
    'C3,"c.nii"'
).encode()


def test_an_untouched_file_keeps_its_bytes():
    assert CsvText.parse(WRITTEN).render() == WRITTEN


def test_reads_what_the_csv_module_reads():
    table = CsvText.parse(WRITTEN)
    assert table.columns == ("case_id", "pet", "note", "weight_kg")
    rows = [cells for _, cells in table.rows()]
    assert rows[0] == {"case_id": "A1", "pet": "a.nii", "note": 'says "hi", then\r\nleaves', "weight_kg": "70.50"}
    assert rows[2] == {"case_id": "C3", "pet": "c.nii", "note": "", "weight_kg": ""}


def test_one_cell_changes_and_nothing_else():
    table = CsvText.parse(WRITTEN)
    index = next(i for i, cells in table.rows() if cells["case_id"] == "B2")
    changed = table.with_cells(index, {"note": "a, b"}).render()
    assert changed == WRITTEN.replace(b"B2,b.nii,,071", b'B2,b.nii,"a, b",071')


def test_a_cell_that_holds_the_value_keeps_its_spelling():
    table = CsvText.parse(WRITTEN)
    index = next(i for i, cells in table.rows() if cells["case_id"] == "A1")
    assert table.with_cells(index, {"case_id": "A1"}).render() == WRITTEN


def test_a_short_row_is_filled_up_to_its_new_cell():
    table = CsvText.parse(b"case_id,a,b\nX\n")
    assert table.with_cells(1, {"b": "1"}).render() == b"case_id,a,b\nX,,1\n"


def test_missing_columns_join_the_header_behind_the_last_one():
    assert CsvText.parse(b"case_id,a\nX,1\n").with_columns(["a", "b"]).render() == b"case_id,a,b\nX,1\n"


def test_blank_names_at_the_headers_end_are_used_up():
    table = CsvText.parse(b"case_id,,\nX,,\n").with_columns(["b"])
    assert table.columns == ("case_id", "b")
    assert table.with_cells(1, {"b": "2"}).render() == b"case_id,b\nX,2,\n"


@pytest.mark.parametrize(("content", "ending"), [(b"a,b\r\n1,2", b"\r\n"), (b"a,b\n1,2", b"\n"), (b"a,b", b"\n")])
def test_a_new_row_ends_like_its_neighbours(content: bytes, ending: bytes):
    added = CsvText.parse(content).with_row({"b": "9"}).render()
    assert added == content + ending + b",9" + ending


def test_rows_are_removed_with_their_line_end():
    assert CsvText.parse(b"a\n1\n2\n3\n").without_rows([2]).render() == b"a\n1\n3\n"


def test_a_quote_that_never_closes_is_kept():
    content = b'a,b\n1,"open\n2,3\n'
    assert CsvText.parse(content).render() == content


@given(st.lists(st.lists(st.text(), min_size=2, max_size=4), min_size=1, max_size=4))
def test_any_table_of_the_csv_module_survives(rows: list[list[str]]):
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    content = text.getvalue().encode("utf-8", "surrogatepass")
    try:
        parsed = CsvText.parse(content)
    except UnicodeDecodeError:  # a lone surrogate is no UTF-8
        return
    assert parsed.render() == content
    for written, (fields, _) in zip(rows, parsed.lines, strict=False):
        if not any("\r" in value or "\n" in value or value.startswith("\ufeff") for row in rows for value in row):
            assert [cell_value(field) for field in fields] == [value.strip() for value in written]


@pytest.mark.parametrize("value", ["plain", 'a "b"', "a,b", "a\nb", "", " x"])
def test_quoted_is_read_back(value: str):
    assert cell_value(quoted(value)) == value.strip()
