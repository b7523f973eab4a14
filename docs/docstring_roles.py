"""Turns the roles of docstrings, such as ``:func:`partition```, into links: for mkdocstrings."""
import re
from typing import Any

import griffe

PACKAGE = 'auglocal_mm'
ROLE = re.compile(r':(?:attr|class|data|exc|func|meth|mod):`(~?)([\w.]+)`')
ATTRIBUTES = re.compile(r'^Attributes:\n((?:    .*\n?|\n)+)', flags=re.MULTILINE)
log = griffe.get_logger('docs.docstring_roles')


class DocstringRoles(griffe.Extension):
    """Links to what has an entry, code for the rest, and a warning for what does not exist."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Rewrite the docstrings of the whole package."""
        if pkg.name == PACKAGE:
            rewrite(pkg)


def rewrite(scope: griffe.Object) -> None:
    """Rewrite the docstrings of an object and of its members."""
    if scope.docstring:
        text = ROLE.sub(lambda role: linked(role, scope), scope.docstring.value)
        scope.docstring.value = ATTRIBUTES.sub(lambda found: untyped(found[0], scope), text)
    for member in scope.members.values():
        if not member.is_alias:
            rewrite(member)  # type: ignore[arg-type]


def linked(role: re.Match[str], scope: griffe.Object) -> str:
    """Return the Markdown of one role."""
    short, name = role[1], role[2]
    found = find(name, scope)
    if found is None:
        log.warning('%s: no %s', scope.path, role[0])
    text = name.rpartition('.')[2] if short else name
    return f'<autoref identifier="{found}" optional><code>{text}</code></autoref>'


def untyped(section: str, scope: griffe.Object) -> str:
    """Mark the attributes that have no annotation: griffe would give them the one before's."""
    def mark(entry: re.Match[str]) -> str:
        member = scope.all_members.get(entry[1])
        return f'    {entry[1]}{"" if getattr(member, "annotation", None) else " ()"}:'
    return re.sub(r'^    (\w+):', mark, section, flags=re.MULTILINE)


def find(name: str, scope: griffe.Object) -> str | None:
    """Return the full path of a name as it is meant at `scope`; ``None`` if there is none."""
    if name.split('.')[0] in ('mmengine', 'mmcv', 'mmpretrain', 'mmdet', 'torch'):
        return name
    root = scope.package
    if name.startswith('.'):  # of the package that the module lies in
        home = scope.module if scope.module.is_init_module else scope.module.parent
        name = f'{home.path}{name}' if home else name
    if name.startswith(f'{PACKAGE}.'):
        inner = name.removeprefix(f'{PACKAGE}.')
        try:
            return root[inner].canonical_path
        except (KeyError, griffe.GriffeError):
            return None
    first, _, rest = name.partition('.')
    try:
        base = root.modules_collection[scope.resolve(first)]
        return (base[rest] if rest else base).canonical_path
    except (KeyError, griffe.GriffeError):
        return None
