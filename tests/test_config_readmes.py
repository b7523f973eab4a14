"""Each folder of configs explains itself, in the words of its configs."""
import re

import pytest
from config_files import CONFIGS, docstring

FOLDERS = sorted(path for path in CONFIGS.iterdir() if path.is_dir())


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda path: path.name)
def test_a_folders_readme_has_a_row_for_each_config(folder):
    text = (folder / 'README.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| `(.*?\.py)` \| (.*?) \|(.*)$', text, flags=re.MULTILINE)
    assert sorted(name for name, *_ in rows) == sorted(
        str(path.relative_to(folder)) for path in folder.rglob('*.py'))
    for name, trains, rest in rows:
        said = ' '.join(docstring(folder / name).split())
        assert said.startswith(trains), name
        for number in re.findall(r'\d+\.\d+(?: ± \d+\.\d+)?', rest):
            assert number.replace('±', '+-') in said, name
        for command in re.findall(r'`(tools/.*?)`', rest):
            assert command in said, name
        assert folder.name == '_base_' or f'configs/{folder.name}/{name}' in rest
