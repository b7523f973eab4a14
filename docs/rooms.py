"""Makes the rooms' table in docs/design.md from the import contract in pyproject.toml.

    .venv/bin/python docs/rooms.py

What a room holds is the first line of its docstring, so the table says nothing of its own.
"""
import ast
import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = 'auglocal_mm'
PAGE = Path('docs', 'design.md')
BEGIN = '<!-- made by docs/rooms.py -->'
END = '<!-- end of what docs/rooms.py made -->'


def contracts(root=ROOT):
    """Return the contracts by their ids."""
    settings = tomllib.loads((root / 'pyproject.toml').read_text(encoding='utf-8'))
    return {each['id']: each for each in settings['tool']['importlinter']['contracts']}


def levels(root=ROOT):
    """Return the rooms that are there, top to bottom; those of one level together."""
    named = [re.findall(r'\w+', layer) for layer in contracts(root)['order']['layers']]
    present = [[room for room in rooms if source(room, root).is_file()] for rooms in named]
    return [rooms for rooms in present if rooms]


def source(room, root=ROOT):
    """Return the file whose docstring describes the room."""
    folder = root / PACKAGE / room
    return folder / '__init__.py' if folder.is_dir() else folder.with_suffix('.py')


def purpose(room, root=ROOT):
    """Return the first line of the room's docstring, as Markdown."""
    docstring = ast.get_docstring(ast.parse(source(room, root).read_text(encoding='utf-8')))
    return docstring.splitlines()[0].replace('``', '`').removesuffix('.')


def row(level, room, root=ROOT):
    """Return the table's row of one room."""
    folder = source(room, root).name == '__init__.py'
    return f'| {level} | `{room}{"/" if folder else ".py"}` | {purpose(room, root)} |'


def table(root=ROOT):
    """Return the lines between the markers."""
    lines = ['| level | room | contents |', '|---|---|---|']
    for level, rooms in enumerate(levels(root), 1):
        for room in rooms:
            lines.append(row(level, room, root))
            lines += [row('', f'{room}/{inner.parent.name}', root)
                      for inner in sorted((root / PACKAGE / room).glob('*/__init__.py'))]
    stated = [f'- {each["name"]}.' for each in contracts(root).values() if each['id'] != 'order']
    return '\n'.join([
        *lines, '', 'A room may import those of higher numbers, but none of its own level.',
        'Further parts of the contract, which `make lint` checks:', '', *stated])


def with_table(text, root=ROOT):
    """Return the page with the table as it is now."""
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f'{text[:begin]}\n\n{table(root)}\n\n{text[end:]}'


if __name__ == '__main__':
    page = ROOT / PAGE
    page.write_text(with_table(page.read_text(encoding='utf-8')), encoding='utf-8')
