"""Text tables hold their cells as they are, aligned."""
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.lab.pages.text_table import markdown_table, plain_table

#: What a number formatter or a width that is not the text's length would spoil.
CELLS = st.one_of(
    st.sampled_from(['', '–', '1,234', '0.50', '1e5', '1.', 'True', '−0.75', '007', 'nan', '⌘×τ']),
    st.text('abc 0.', max_size=6).map(str.strip))


def rows_of(columns):
    return st.lists(st.lists(CELLS, min_size=columns, max_size=columns), min_size=1, max_size=4)


tables = st.integers(1, 4).flatmap(lambda columns: st.tuples(
    st.lists(st.sampled_from(['', 'one', '2', 'of BP']), min_size=columns, max_size=columns),
    rows_of(columns), st.sets(st.integers(0, columns - 1))))


@settings(max_examples=50)
@given(tables)
def test_markdown_keeps_every_cell_and_pads_none(table):
    header, rows, right = table
    rule = ['---:' if column in right else '---' for column in range(len(header))]
    assert markdown_table(header, rows, right=right) == '\n'.join(
        f'| {" | ".join(cells)} |' for cells in (header, rule, *rows))


@settings(max_examples=50)
@given(tables)
def test_plain_columns_are_as_wide_as_their_widest_cell(table):
    header, rows, right = table
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    expected = ['  '.join(
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in cells]
    rule = '-' * (sum(widths) + 2 * (len(widths) - 1))
    assert plain_table(rows, header=header, right=right).split('\n') == [
        expected[0], rule, *expected[1:]]


def test_a_table_without_rows_is_its_header():
    assert markdown_table(['', 'b'], []) == '|  | b |\n| --- | --- |'
    assert plain_table([], header=['a', 'bc'], right=[0]) == 'a  bc\n-----'


@pytest.mark.parametrize('right', [(), (1,)])
def test_a_table_without_a_header_has_no_rule(right):
    assert plain_table([('a', '1')], right=right) == 'a  1'
