"""The six steps with commands that only leave the files of the real ones."""
import io
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from demo_results import made_evidence
from PIL import Image

from auglocal_mm.console.live import LiveLines
from auglocal_mm.lab.demo import pipeline
from auglocal_mm.lab.demo.console import Console
from auglocal_mm.lab.demo.pipeline import EXPECTED_SECONDS, Demo
from auglocal_mm.lab.demo.results import results_faults
from auglocal_mm.lab.demo.trainings import CLASSIFIERS, DETECTORS, TRAININGS
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
            getattr(self, re.sub('_(bp|auglocal|local)$', '', job.name))(job)
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

    def measure_detectors(self, job) -> None:
        configs = job.command[3:job.command.index('--out')]
        self.write(option(job, '--out'), {
            Path(each).stem: {'saved_activations_mb': 7.0, 'batch_size': 4} for each in configs})

    def export(self, job) -> None:
        pass


def tools_in(folder, root, patch) -> Tools:
    (folder / 'configs').symlink_to(root / 'configs')
    tools = Tools(folder)
    patch.setattr(pipeline, 'run_jobs', tools.run)
    return tools


@pytest.fixture
def tools(root, tmp_path, monkeypatch):
    return tools_in(tmp_path, root, monkeypatch)


@pytest.fixture(scope='module')
def complete(root, tmp_path_factory):
    """A run that has ended: its demo, its jobs by name, its results."""
    with pytest.MonkeyPatch.context() as patch:
        tools = tools_in(tmp_path_factory.mktemp('demo'), root, patch)
        run = demo(tools)
        yield SimpleNamespace(demo=run, root=tools.root, results=run.execute(), jobs=tools.jobs)


def demo(tools, seed=3) -> Demo:
    console = Console(list(EXPECTED_SECONDS.values()), LiveLines(io.StringIO()))
    return Demo(tools.root / 'work_dirs' / 'demo', root=tools.root, seed=seed, console=console)


def test_publishes_complete_results(complete):
    results = complete.results
    assert results_faults(results) == []
    assert results['seed'] == 3
    assert set(EXPECTED_SECONDS) - {'report'} <= set(results['seconds'])
    for folder in (complete.demo.work_dir, complete.demo.run.path):
        assert json.loads((folder / 'results.json').read_text()) == results
        report = (folder / 'report.html').read_text()
        assert str(complete.root) not in report
        assert '$RUN' in report


def test_all_methods_get_the_same_treatment(complete):
    def plain(job: str, training) -> str:
        """Its command without the method's name, and without the backbone."""
        command = ' '.join(complete.jobs[f'{job}_{training.method}'].command)
        return re.sub(rf'model.backbone\S+|(?<=_){training.method}(?![a-z])', 'X', command)

    for job in ('classification', 'measure', 'detection', 'test_detection'):
        trainings = DETECTORS if 'detection' in job else CLASSIFIERS
        assert len({plain(job, each) for each in trainings}) == 1
    assert 'randomness.seed=3' in complete.jobs['detection_local'].command


def test_the_longest_training_starts_first(complete):
    assert [name for name in complete.jobs if name.startswith(('class', 'detection'))] == [
        'classification_auglocal', 'classification_bp',
        'detection_local', 'detection_bp', 'detection_auglocal']


def test_the_detectors_progress_is_known_from_their_first_iteration_on(complete):
    assert {each.task: complete.jobs[f'{each.task}_{each.method}'].iterations
            for each in TRAININGS} == {'classification': None, 'detection': 300}


def test_each_detector_starts_from_the_exported_backbone_of_its_classifier(complete):
    for detector in DETECTORS:
        exported = complete.jobs[f'export_{detector.backbone}'].command[-1]
        assert exported.endswith(f'backbone_{detector.backbone}.pth')
        assert (f'model.backbone.init_cfg.checkpoint={exported}'
                in complete.jobs[f'detection_{detector.method}'].command)
    assert [each.backbone for each in DETECTORS] == ['bp', 'auglocal', 'auglocal']


def test_settings_name_the_rule_of_what_is_trained_locally(complete):
    settings = json.loads((complete.demo.work_dir / 'evidence.json').read_text())['settings']
    assert 'AugLocal: auxiliary depth d = 3, pyramidal coefficient τ = 0.5.' \
        in settings['classification']
    assert settings['detection'].endswith(
        'AugLocal, detector too: auxiliary depth d = 3, pyramidal coefficient τ = 0.5, 4 modules.')


def test_memory_is_that_of_the_configs_that_the_trainings_left(complete):
    command = complete.jobs['measure_detectors'].command
    for each in DETECTORS:
        work_dir = option(complete.jobs[f'detection_{each.method}'], '--work-dir')
        assert f'{work_dir}/{Path(each.config).name}' in command
        assert complete.results['detection'][each.method]['saved_activations_mb'] == 7.0


def test_a_failure_leaves_the_published_results_alone(complete, tools, monkeypatch):
    shutil.copytree(complete.root / 'work_dirs', tools.root / 'work_dirs', symlinks=True)
    published = tools.root / 'work_dirs' / 'demo' / 'results.json'
    before = published.read_text()

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
