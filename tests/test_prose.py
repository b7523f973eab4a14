"""The prose of documents, docstrings and messages: no words that a native reader stumbles over.

Each pattern was found in this project and stood for a plain word.
"""
import re
import subprocess
from pathlib import Path

import pytest

#: Pattern -> an example that it must find, and what to write instead.
STUMBLES = {
    r'\banew\b': ('starts anew', 'again'),
    r'\bmend(s|ed|ing)?\b': ('how to mend it', 'fix'),
    r'\bbelong(s|ing)? into\b': ('belongs into the head', 'belongs in'),
    r'\bso (many|often|much) (?!as\b|that\b)\w+': ('so many threads', 'this many'),
    r'\bbehind (it|its|them|each|every|the (?!scenes))\b': ('the layer behind it', 'after'),
    r'\bright behind\b': ('the unit right behind', 'right after'),
    r'\bat hand\b': ('where a wheel is at hand', 'available'),
    r'\blet(s|ting)? (some )?time pass\b': ('let some time pass', 'wait'),
    r'\bstands? (there|here|beneath|beside|in front)\b': ('as it stands there', 'is'),
    r'\bin front of the (first|last)\b': ('in front of the first layer', 'before'),
    r'\b(it|its|their|and) kin\b': ('a config and its kin', 'similar'),
    r'\bgoes on (from|after|where)\b': ('it goes on from there', 'continues'),
}
SUFFIXES = {'.md', '.py', '.sh', '.toml'}
SELF = 'tests/test_prose.py'


def faults(text):
    """Line number, words and remedy of each stumble; one may be broken over two lines."""
    for pattern, (_, remedy) in STUMBLES.items():
        for found in re.finditer(pattern.replace(' ', r'[\s#*"]+'), text, flags=re.IGNORECASE):
            yield text.count('\n', 0, found.start()) + 1, ' '.join(found[0].split()), remedy


def tracked(root):
    """Names of the tracked files with prose, this one excepted."""
    listed = subprocess.run(['git', 'ls-files'], cwd=root, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip('needs a git clone, to know which files are the project\'s')
    return [name for name in listed.stdout.splitlines() if name != SELF
            and (Path(name).suffix in SUFFIXES or Path(name).name == 'Makefile')]


@pytest.mark.parametrize('pattern', STUMBLES)
def test_each_pattern_finds_its_example(pattern):
    example, remedy = STUMBLES[pattern]
    first, *rest = example.split()
    broken = '\n    # '.join([first, ' '.join(rest)]) if rest else first
    for text in (example, example.upper(), f'x\n{broken}'):
        assert remedy in [each for _, _, each in faults(text)], text


def test_plain_prose_is_left_alone():
    assert not list(faults('It saves so much that BP falls behind by two points; amend the commit, '
                           'recommend a fix, stand in for it. What belongs in the head stays.'))


def test_nobody_stumbles(root):
    found = [f'{name}:{line}: {words!r}; write {remedy!r}' for name in tracked(root)
             for line, words, remedy in faults((root / name).read_text(encoding='utf-8'))]
    assert not found, '\n' + '\n'.join(found)
