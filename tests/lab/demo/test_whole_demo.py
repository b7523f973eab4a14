"""The whole demo, as a user runs it."""
import json
import subprocess
import sys

import pytest

from auglocal_mm.lab.demo.results import judge, results_faults

MINUTES = 60


@pytest.mark.slow
def test_demo_keeps_its_limits(root, tmp_path):
    done = subprocess.run(
        [sys.executable, 'tools/demo.py', '--work-dir', str(tmp_path / 'demo')], cwd=root,
        capture_output=True, text=True, timeout=60 * MINUTES, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # Nothing but the demo's own lines: no warning from below reaches the console.
    assert done.stderr == ''
    assert 'arning' not in done.stdout
    results = json.loads((tmp_path / 'demo' / 'results.json').read_text())
    assert results_faults(results) == []
    assert all(verdict.passed for verdict in judge(results))
    report = (tmp_path / 'demo' / 'report.html').read_text()
    assert str(tmp_path) not in report
    assert 'src="http' not in report
    assert 'href="http' not in report
