"""What the documents tell a reader to do, taken out of them."""
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / 'docs'


def blocks(page):
    """(language, text) of every code block that names its language, in order."""
    return re.findall(r'^```(\w+)\n(.*?)^```', (DOCS / page).read_text(),
                      flags=re.DOTALL | re.MULTILINE)


def commands(text):
    """Lines of a shell block, continued ones joined, comments and empty ones left out."""
    lines = text.replace('\\\n', ' ').splitlines()
    return [' '.join(line.split()) for line in lines if line.strip() and line[0] != '#']
