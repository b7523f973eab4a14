"""Brings pages to the site that do not lie in docs/: a hook of mkdocs.

The README, CONTRIBUTING, the changelog and the configs' READMEs stay where a reader of the
repository expects them; their links are rewritten. Each room gets a page of its API.
"""
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from rooms import PACKAGE, ROOT, levels, purpose

import auglocal_mm

#: A page outside docs/ -> its place in the site.
PLACES = {'README.md': 'index.md', 'CONTRIBUTING.md': 'CONTRIBUTING.md',
          'CHANGELOG.md': 'CHANGELOG.md', 'configs/README.md': 'configs/index.md'}
PLACES |= {str(path.relative_to(ROOT)): f'configs/{path.parent.name}.md'
           for path in sorted(ROOT.glob('configs/*/README.md'))}
LINK = re.compile(r'\[([^]]*)\]\(([^)#\s]+)([^)]*)\)')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add to the navigation what is made here: the configs' folders and the API."""
    nav: Any = config.nav
    folders = [{Path(place).stem: place} for name, place in PLACES.items()
               if name.count('/') == 2]
    for section in nav:
        for inner in next(iter(section.values())) if isinstance(section, dict) else []:
            if isinstance(inner, dict) and 'Configs' in inner:
                inner['Configs'] = ['configs/index.md', *folders]
    rooms = [{room: f'api/{room}.md'} for level in levels() for room in level]
    nav.append({'API': ['api/index.md', *rooms]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages; Markdown of docs/ is there already."""
    for name, place in PLACES.items():
        text = (ROOT / name).read_text(encoding='utf-8')
        files.append(File.generated(config, place, content=text))
    files.append(File.generated(config, 'api/index.md', content=overview()))
    for level in levels():
        for room in level:
            files.append(File.generated(config, f'api/{room}.md', content=api(room)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links between files of the repository links between pages of the site."""
    place = page.file.src_uri
    name = next((name for name in PLACES if PLACES[name] == place), f'docs/{place}')
    return LINK.sub(lambda link: moved(link, name, place), markdown)


def moved(link: re.Match[str], name: str, place: str) -> str:
    """Return a link of the file `name`, as it must read at `place` in the site."""
    target = os.path.normpath(os.path.join(os.path.dirname(name), link[2]))
    if '://' in link[2] or not (ROOT / target).exists():
        return link[0]  # mkdocs reports the link if it is broken.
    if target in PLACES:
        target = PLACES[target]
    elif target.startswith('docs/'):
        target = target.removeprefix('docs/')
    else:
        return link[1]  # The file is in the repository only.
    return f'[{link[1]}]({os.path.relpath(target, os.path.dirname(place) or ".")}{link[3]})'


def overview() -> str:
    """Return the page above those of the rooms: the names that the package itself offers."""
    rows = []
    for name, home in sorted(auglocal_mm._HOME.items()):
        room = home.split('.')[1]
        link = f'({room}.md)' if name == room else f'[{PACKAGE}{home}.{name}]'
        rows.append(f'| [`{name}`]{link} | `{room}` |')
    return '\n'.join([
        '# API', '', f'::: {PACKAGE}', '    options:', '      members: false', '',
        '| name | room |', '|---|---|', *rows, ''])


def api(room: str) -> str:
    """Return the page of one room: its public names, then the modules in it."""
    page = [f'# {room}', '', f'::: {PACKAGE}.{room}', '']
    for name, home in auglocal_mm._HOME.items():
        if home.startswith(f'.{room}.'):  # Its module has the same name, and would be taken for it.
            page += [f'::: {PACKAGE}{home}.{name}', '    options:',
                     '      show_root_heading: true', '']
    files = sorted((ROOT / PACKAGE / room).rglob('*.py'))
    modules = [path.parent if path.stem == '__init__' else path.with_suffix('')
               for path in files if not path.stem.endswith('__main__')]
    names = [str(path.relative_to(ROOT / PACKAGE)) for path in modules]
    rows = [f'| `{name.replace("/", ".")}` | {purpose(name)} |' for name in names if name != room]
    if rows:
        page += ['## Modules', '', '| module | contents |', '|---|---|', *rows, '']
    return '\n'.join(page)
