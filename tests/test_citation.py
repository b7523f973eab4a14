"""CITATION.cff holds what the format requires, and agrees with the rest of the project."""
import re

import pytest
import yaml

import auglocal_mm

#: From the schema of the Citation File Format, version 1.2.0.
REQUIRED = {'authors', 'cff-version', 'message', 'title'}
REQUIRED_OF_A_REFERENCE = {'authors', 'title', 'type'}
OPTIONAL = {'keywords', 'license', 'references', 'type', 'version'}


@pytest.fixture
def citation(root):
    return yaml.safe_load((root / 'CITATION.cff').read_text(encoding='utf-8'))


def test_the_citation_is_of_this_version(citation, root):
    assert REQUIRED <= set(citation) <= REQUIRED | OPTIONAL
    assert citation['cff-version'] == '1.2.0'
    assert citation['version'] == auglocal_mm.__version__
    assert citation['license'] in (root / 'README.md').read_text(encoding='utf-8')
    assert all(set(author) <= {'name'} and author['name'] for author in citation['authors'])


def test_the_paper_is_the_readmes(citation, root):
    paper, = citation['references']
    assert set(paper) >= REQUIRED_OF_A_REFERENCE
    readme = re.sub(r'\s+', ' ', (root / 'README.md').read_text(encoding='utf-8'))
    assert f'*{paper["title"]}*, ICLR {paper["year"]}' in readme
    assert all(author['family-names'] in readme for author in paper['authors'])
