"""The site that `make docs` builds: pages from outside docs/, and names in docstrings."""
from pathlib import Path

import pytest

pytest.importorskip('mkdocs', reason='`make setup` installs it')
import griffe  # noqa: E402
import site_pages  # noqa: E402
from docstring_roles import ATTRIBUTES, ROLE, linked, untyped  # noqa: E402


@pytest.mark.parametrize(('name', 'place', 'text', 'expected'), [
    ('README.md', 'index.md', '[g](docs/guide.md#start)', '[g](guide.md#start)'),
    ('README.md', 'index.md', '![p](docs/pictures/curves.png)', '![p](pictures/curves.png)'),
    ('README.md', 'index.md', '[two\nlines](CHANGELOG.md)', '[two\nlines](CHANGELOG.md)'),
    ('CONTRIBUTING.md', 'CONTRIBUTING.md', '[pins](constraints.txt) hold', 'pins hold'),
    ('configs/README.md', 'configs/index.md', '[r](../docs/rules.md)', '[r](../rules.md)'),
    ('docs/support.md', 'support.md', '[c](../configs/README.md)', '[c](configs/index.md)'),
    ('docs/support.md', 'support.md', '[r](rules.md#dgl) [x](#y)', '[r](rules.md#dgl) [x](#y)'),
    ('docs/support.md', 'support.md', '[lost](nothing.md)', '[lost](nothing.md)'),
    ('README.md', 'index.md', '[o](https://github.com/open-mmlab)',
     '[o](https://github.com/open-mmlab)'),
])
def test_links_lead_to_the_same_page_in_the_site(name, place, text, expected):
    assert site_pages.LINK.sub(lambda link: site_pages.moved(link, name, place), text) == expected


CODE = '''
LIMIT = 3
def cut(): ...
class Rule:
    plan: int
    def __init__(self): self.seen = []
    def apply(self): ...
'''


@pytest.fixture
def package():
    found = griffe.ModulesCollection()
    found['auglocal_mm'] = griffe.visit('auglocal_mm', Path('auglocal_mm', '__init__.py'), CODE,
                                        modules_collection=found)
    return found['auglocal_mm']


@pytest.mark.parametrize(('role', 'target', 'text'), [
    (':func:`cut`', 'auglocal_mm.cut', 'cut'),
    (':func:`~auglocal_mm.cut`', 'auglocal_mm.cut', 'cut'),
    (':meth:`apply`', 'auglocal_mm.Rule.apply', 'apply'),
    (':meth:`Rule.apply`', 'auglocal_mm.Rule.apply', 'Rule.apply'),
    (':data:`auglocal_mm.LIMIT`', 'auglocal_mm.LIMIT', 'auglocal_mm.LIMIT'),
    (':class:`mmengine.runner.Runner`', 'mmengine.runner.Runner', 'mmengine.runner.Runner'),
])
def test_a_role_links_to_what_it_names(package, caplog, role, target, text):
    found = linked(ROLE.fullmatch(role), package['Rule'])
    assert found == f'<autoref identifier="{target}" optional><code>{text}</code></autoref>'
    assert not caplog.records


@pytest.mark.parametrize('role', [':func:`cat`', ':meth:`Rule.aply`', ':mod:`auglocal_mm.lost`'])
def test_a_role_that_names_nothing_is_told(package, caplog, role):
    linked(ROLE.fullmatch(role), package)
    assert [record.getMessage() for record in caplog.records] == [f'auglocal_mm: no {role}']


def test_an_attribute_without_a_type_does_not_get_its_neighbours(package):
    section = 'A rule.\n\nAttributes:\n    plan: The plan.\n    seen: What was\n        seen.\n'
    marked = ATTRIBUTES.sub(lambda found: untyped(found[0], package['Rule']), section)
    parsed = griffe.parse_google(griffe.Docstring(marked, parent=package['Rule']))
    assert [(each.name, str(each.annotation)) for each in parsed[-1].value] == [
        ('plan', 'int'), ('seen', '')]
