"""The table of rooms in docs/design.md, and the contract that it is made from."""
import pytest
from rooms import END, PACKAGE, PAGE, contracts, levels, table, with_table

ROOMS = [room for rooms in levels() for room in rooms]


def test_the_table_is_that_of_the_contract(root):
    page = (root / PAGE).read_text(encoding='utf-8')
    assert with_table(page) == page, 'run: .venv/bin/python docs/rooms.py'
    assert with_table(page.replace(END, f'| old |\n{END}')) == page


def test_every_room_has_its_row(root):
    rooms = {path.parent.name for path in (root / PACKAGE).glob('*/__init__.py')}
    assert rooms <= set(ROOMS)
    assert all(f'| `{room}' in table() for room in ROOMS)


@pytest.mark.parametrize(('contract', 'key', 'free'), [
    ('plan', 'forbidden_modules', 'plan'), ('pictures', 'source_modules', 'lab')])
def test_a_contract_about_all_rooms_but_one_names_them(contract, key, free):
    named = [name for name in contracts()[contract][key] if name.startswith(PACKAGE)]
    assert named == sorted(f'{PACKAGE}.{room}' for room in ROOMS if room != free)
