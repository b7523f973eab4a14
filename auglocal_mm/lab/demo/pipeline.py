"""The six steps of the demo, from data to report."""
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from auglocal_mm.config.shipped import shipped
from auglocal_mm.files import read_json, write_json, write_text
from auglocal_mm.lab.demo import commands
from auglocal_mm.lab.demo.report import draw_charts, render
from auglocal_mm.lab.demo.results import check_results, judge
from auglocal_mm.lab.jobs import Job, child_environment, run_jobs
from auglocal_mm.lab.measure.system import usable_cores

from .collect import collect_evidence, collect_results
from .console import Console
from .run_folder import RunFolder
from .trainings import CLASSIFIERS, DETECTORS

#: Step -> seconds that it takes on two cores; the guess that the console starts from.
EXPECTED_SECONDS = {
    'data': 20, 'classification': 73, 'export': 24, 'detection': 470, 'box_and_mask_ap': 31,
    'report': 5,
}
#: Processor-seconds that all commands need on two free cores. Not a limit: a slower or a
#: busy machine needs more for the same results.
CPU_SECONDS = 1200
RESULTS, EVIDENCE, REPORT = 'results.json', 'evidence.json', 'report.html'


class Demo:
    """One run of the demo.

    Args:
        work_dir: Gets ``report.html`` and ``results.json`` at the end, and a
            fresh folder under ``runs``; earlier results stay until then.
        root: Folder where commands run.
        seed: Seed of every training.
        console: Where progress is shown.
    """

    def __init__(self, work_dir: Path, *, root: Path, seed: int, console: Console) -> None:
        self.work_dir = work_dir
        self.run = RunFolder.create(work_dir, root=root)
        self._seed = seed
        self._console = console
        self._seconds: dict[str, float] = {}
        self._cpu_seconds: dict[str, float] = {}
        self._commands: list[str] = []
        # Trainings run at the same time where there are cores, with one thread each, so that
        # the numbers do not depend on the number of cores.
        self._side_by_side = min(len(DETECTORS), usable_cores())
        # In a clone, this folder holds the package; elsewhere, the package is installed.
        self._env = child_environment(shipped('tools/demo.py').parents[1])

    def execute(self) -> dict[str, Any]:
        """Run all steps and publish the results.

        Returns:
            The results.

        Raises:
            JobFailed: A command failed.
            ValueError: The files that it wrote are incomplete.
        """
        self._step('data', 'Digits and digit scenes', self._make_data)
        self._step('classification', 'Training the classifier by BP and by AugLocal',
                   self._train_classifiers)
        self._step('export', 'Testing, exporting the backbones, measuring memory', self._export)
        self._step('detection', 'Training Mask R-CNN on both backbones, by BP and by AugLocal',
                   self._train_detectors)
        self._step('box_and_mask_ap', 'Box and mask AP', self._test_detectors)
        self._step('report', 'Report', self._publish)
        return read_json(self.work_dir / RESULTS)

    def _step(self, name: str, title: str, work: Callable[[], str]) -> None:
        start, cpu_start = time.monotonic(), children_cpu_seconds()
        self._console.begin(title)
        summary = work()
        self._seconds[name] = time.monotonic() - start
        self._cpu_seconds[name] = children_cpu_seconds() - cpu_start
        self._console.end(summary)

    def _jobs(self, jobs: Sequence[Job]) -> None:
        self._commands += commands.readable(jobs, run=self.run)
        self._seconds |= run_jobs(
            jobs, log_dir=self.run.logs, cwd=self.run.root, env=self._env,
            side_by_side=self._side_by_side, watch=self._console.watch)

    def _make_data(self) -> str:
        self._jobs([commands.data_job()])
        return 'embedded images, nothing downloaded'

    def _train_classifiers(self) -> str:
        self._jobs(commands.training_jobs(CLASSIFIERS, run=self.run, seed=self._seed))
        return ''

    def _export(self) -> str:
        self._jobs(commands.export_jobs(self.run))
        return ', '.join(
            f'{each.label} top-1 {self.run.top1(each.method):.1f} %, '
            f'{read_json(self.run.measured(each.method))["saved_activations_mb"]:.1f} MiB'
            for each in CLASSIFIERS)

    def _train_detectors(self) -> str:
        self._jobs(commands.training_jobs(DETECTORS, run=self.run, seed=self._seed))
        return ''

    def _test_detectors(self) -> str:
        self._jobs(commands.detection_test_jobs(self.run))
        return ', '.join(
            f'{each.label} box {measured["coco/bbox_mAP"]:.3f} '
            f'mask {measured["coco/segm_mAP"]:.3f}'
            for each in DETECTORS for measured in [self.run.metrics('detection', each.method)])

    def _publish(self) -> str:
        seconds = {**self._seconds, 'total': self._console.elapsed}
        cpu_seconds = {**self._cpu_seconds, 'total': sum(self._cpu_seconds.values())}
        results = collect_results(self.run, seed=self._seed, seconds=seconds,
                                  cpu_seconds=cpu_seconds)
        evidence = collect_evidence(self.run, commands=self._commands)
        # The run keeps its own report; the work directory holds the newest complete one.
        for folder in (self.run.path, self.work_dir):
            write_json(evidence, folder / EVIDENCE)
            write_report(folder, results=results, evidence=evidence)
            write_json(results, folder / RESULTS)
        return ''


def children_cpu_seconds() -> float:
    """Return the processor-seconds of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write_report(folder: Path, *, results: dict[str, Any], evidence: dict[str, Any]) -> None:
    """Write the report, and its charts as PNG under ``pictures``."""
    pictures = folder / 'pictures'
    for chart in draw_charts(results, evidence).values():
        chart.save_png(pictures / f'{chart.name}.png')
    write_text(render(results, evidence), folder / REPORT)


def render_again(work_dir: Path) -> dict[str, Any]:
    """Rewrite the report from the newest complete results.

    Raises:
        FileNotFoundError: There are none.
        FileError, ValueError: They are damaged or incomplete.
    """
    for name in (RESULTS, EVIDENCE):
        if not (work_dir / name).is_file():
            raise FileNotFoundError(f'{work_dir / name} is missing: run the demo once without '
                                    '--only-report')
    results = check_results(read_json(work_dir / RESULTS))
    write_report(work_dir, results=results, evidence=read_json(work_dir / EVIDENCE))
    return results


def all_limits_kept(results: dict[str, Any]) -> bool:
    """Return whether every limit is kept."""
    return all(verdict.passed for verdict in judge(results))
