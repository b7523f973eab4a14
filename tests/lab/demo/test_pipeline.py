"""The six steps with commands that only leave the files of the real ones."""
import io
import json

import numpy as np
import pytest
from demo_results import made_evidence
from PIL import Image

from auglocal_mm.console.live import LiveLines
from auglocal_mm.lab.demo import pipeline
from auglocal_mm.lab.demo.console import Console
from auglocal_mm.lab.demo.pipeline import EXPECTED_SECONDS, Demo
from auglocal_mm.lab.demo.results import METHODS, results_faults
from auglocal_mm.lab.jobs import JobFailed

SIDE = 16
MASK = {'size': [SIDE, SIDE], 'counts': [SIDE, SIDE, SIDE * SIDE - 2 * SIDE]}


def option(job, name: str) -> str:
    """The value after an option of a job's command."""
    return job.command[job.command.index(name) + 1]


class Tools:
    """Stands in for ``run_jobs``: writes what each command is known to leave."""

    def __init__(self, root) -> None:
        self.root = root
        self.jobs = {}

    def run(self, jobs, **_):
        for job in jobs:
            assert job.name not in self.jobs
            self.jobs[job.name] = job
            getattr(self, job.name.removesuffix('_bp').removesuffix('_auglocal'))(job)
        return {job.name: 1.5 for job in jobs}

    def write(self, path, content) -> None:
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def make_scenes(self, job) -> None:
        folder = self.root / 'data' / 'digit_scenes'
        self.write(folder / 'annotations' / 'instances_val.json', {
            'categories': [{'id': 1, 'name': '0'}],
            'images': [{'id': 1, 'file_name': '1.png', 'width': SIDE, 'height': SIDE}],
            'annotations': [{'image_id': 1, 'category_id': 1, 'bbox': [1, 0, 1, SIDE],
                             'segmentation': MASK}]})
        (folder / 'val').mkdir()
        Image.fromarray(np.zeros((SIDE, SIDE, 3), np.uint8)).save(folder / 'val' / '1.png')

    def classification(self, job) -> None:
        self.train(job, 'accuracy/top1', 97.0)

    def detection(self, job) -> None:
        self.train(job, 'coco/bbox_mAP', 0.7)

    def train(self, job, metric, value) -> None:
        work_dir = option(job, '--work-dir')
        self.write(f'{work_dir}/20260101/vis_data/scalars.json',
                   f'{{"loss": 1.0, "step": 10}}\n{{"{metric}": {value}, "step": 1}}\n')
        self.write(f'{work_dir}/last_checkpoint', f'{work_dir}/epoch_1.pth')

    def test_detection(self, job) -> None:
        keys = ('bbox_mAP', 'bbox_mAP_50', 'segm_mAP', 'segm_mAP_50')
        self.write(f'{option(job, "--work-dir")}/20260101/20260101.json',
                   {f'coco/{key}': 0.7 for key in keys})
        prefix = job.command[-1].removeprefix('test_evaluator.outfile_prefix=')
        self.write(f'{prefix}.segm.json', [{'image_id': 1, 'category_id': 1, 'score': 0.9,
                                            'segmentation': MASK}])

    def measure(self, job) -> None:
        self.write(option(job, '--out'), {**made_evidence()['local_accuracy'],
                                          'saved_activations_mb': 5.0, 'batch_size': 128})

    def export(self, job) -> None:
        pass


@pytest.fixture
def tools(root, tmp_path, monkeypatch):
    (tmp_path / 'configs').symlink_to(root / 'configs')
    tools = Tools(tmp_path)
    monkeypatch.setattr(pipeline, 'run_jobs', tools.run)
    return tools


def demo(tools, seed=3) -> Demo:
    console = Console(list(EXPECTED_SECONDS.values()), LiveLines(io.StringIO()))
    return Demo(tools.root / 'work_dirs' / 'demo', root=tools.root, seed=seed, console=console)


def test_publishes_complete_results(tools):
    run = demo(tools)
    results = run.execute()
    assert results_faults(results) == []
    assert results['seed'] == 3
    assert set(EXPECTED_SECONDS) - {'report'} <= set(results['seconds'])
    for folder in (run.work_dir, run.run.path):
        assert json.loads((folder / 'results.json').read_text()) == results
        report = (folder / 'report.html').read_text()
        assert str(tools.root) not in report
        assert '$RUN' in report


def test_both_methods_get_the_same_treatment(tools):
    demo(tools).execute()
    for task in ('classification', 'measure', 'detection', 'test_detection'):
        commands = [' '.join(tools.jobs[f'{task}_{method}'].command) for method in METHODS]
        assert commands[0].replace('_bp', '_X') == commands[1].replace('_auglocal', '_X')
    assert 'randomness.seed=3' in tools.jobs['detection_bp'].command


def test_the_detectors_progress_is_known_from_their_first_iteration_on(tools):
    demo(tools).execute()
    assert [tools.jobs[f'{task}_{method}'].iterations
            for task in ('classification', 'detection') for method in METHODS] == [
        None, None, 300, 300]


def test_each_detector_starts_from_its_own_exported_backbone(tools):
    demo(tools).execute()
    for method in METHODS:
        exported = tools.jobs[f'export_{method}'].command[-1]
        assert exported.endswith(f'backbone_{method}.pth')
        assert (f'model.backbone.init_cfg.checkpoint={exported}'
                in tools.jobs[f'detection_{method}'].command)


def test_a_failure_leaves_the_published_results_alone(tools, monkeypatch):
    demo(tools).execute()
    published = tools.root / 'work_dirs' / 'demo' / 'results.json'
    before = published.read_text()
    tools.jobs.clear()

    def fail(job):
        raise JobFailed(job, 1, published)

    monkeypatch.setattr(tools, 'make_scenes', lambda job: None)
    monkeypatch.setattr(tools, 'detection', fail)
    with pytest.raises(JobFailed):
        demo(tools, seed=4).execute()
    assert published.read_text() == before
    assert len(list((tools.root / 'work_dirs' / 'demo' / 'runs').iterdir())) == 2


def test_impossible_numbers_are_not_published(tools, monkeypatch):
    monkeypatch.setattr(tools, 'measure', lambda job: tools.write(option(job, '--out'), {
        'accuracy': {'layer1.0': 90.0, 'head': 970.0}, 'saved_activations_mb': 5.0}))
    run = demo(tools)
    with pytest.raises(ValueError, match=r'top1 must be in \[0, 100\], got 970'):
        run.execute()
    assert not (run.work_dir / 'results.json').exists()
