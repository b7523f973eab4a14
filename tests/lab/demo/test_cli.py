import json
import re

import pytest
from demo_results import made_evidence, made_results

from auglocal_mm.lab.demo import cli


@pytest.fixture
def published(tmp_path):
    """A work directory with complete results."""
    (tmp_path / 'results.json').write_text(json.dumps(made_results()))
    (tmp_path / 'evidence.json').write_text(json.dumps(made_evidence()))
    return tmp_path


def only_report(work_dir) -> int:
    return cli.main(['--only-report', '--work-dir', str(work_dir)], root=work_dir)


def test_rewrites_the_report(published, capsys):
    assert only_report(published) == 0
    assert '<html' in (published / 'report.html').read_text()
    assert len(list((published / 'pictures').glob('*.png'))) == 7
    said = capsys.readouterr().out
    assert said.count('PASS') == 4
    assert 'report.html' in said


def test_a_failed_limit_is_said_and_is_the_exit_status(published, capsys):
    failing = made_results()
    failing['detection']['auglocal']['bbox_mAP'] = 0.3
    (published / 'results.json').write_text(json.dumps(failing))
    assert only_report(published) == cli.EXIT_LIMIT
    assert len(re.findall('^FAIL', capsys.readouterr().out, re.MULTILINE)) == 2
    assert '✗ Fail' in (published / 'report.html').read_text()


def test_without_results_it_says_what_to_do(tmp_path, capsys):
    assert only_report(tmp_path) == cli.EXIT_FAILED
    assert 'run the demo once without --only-report' in capsys.readouterr().out


def test_a_failing_step_shows_its_log_and_keeps_old_results(published, tmp_path, capsys):
    before = (published / 'results.json').read_text()
    # No configs in this root: the first step cannot read its own.
    assert cli.main(['--work-dir', str(published)], root=tmp_path) == cli.EXIT_FAILED
    said = capsys.readouterr().out
    assert 'make_scenes.log' in said
    assert 'Earlier results are unchanged' in said
    assert (published / 'results.json').read_text() == before


@pytest.mark.parametrize('seed', ['-1', '2147483648', 'one'])
def test_refuses_an_impossible_seed(seed, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.parse(['--seed', seed], root=tmp_path)
    assert caught.value.code == 2
    assert '--seed' in capsys.readouterr().err
