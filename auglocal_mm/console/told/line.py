"""A message as a single line."""
from __future__ import annotations

import re

#: Longest line; the traceback has the rest.
MAX_LENGTH = 2000


def one_line(text: str) -> str:
    """Return a message without its line breaks; bullets become semicolons."""
    head, *bullets = re.split(r'\n\s*- ', text.strip())
    parts = [_joined(part) for part in (head, *bullets)]
    line = f'{parts[0]} {"; ".join(parts[1:])}'.strip()
    # Nothing may move the cursor or colour what follows.
    line = ''.join(each if each.isprintable() else '?' for each in line)
    return line if len(line) <= MAX_LENGTH else f'{line[:MAX_LENGTH - 1]}…'


def _joined(text: str) -> str:
    """Join lines, with semicolons after those that end in no punctuation."""
    lines = [' '.join(line.split()) for line in text.splitlines() if line.strip()]
    spaced = [line + (' ' if line[-1] in ':;,.({[' else '; ') for line in lines[:-1]]
    return ''.join([*spaced, *lines[-1:]])
