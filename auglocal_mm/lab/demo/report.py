"""The demo's report: one HTML file that needs nothing else.

Everything comes from two plain objects: ``results`` (the numbers, see
:mod:`auglocal_mm.lab.demo.results`) and ``evidence`` (what pictures are drawn from,
see :mod:`auglocal_mm.lab.demo.collect`).
"""
from collections.abc import Mapping, Sequence
from typing import Any

from auglocal_mm.lab.curves.curves import Curves, Series
from auglocal_mm.lab.drawing.chart import Chart
from auglocal_mm.lab.pages.page import render_page
from auglocal_mm.lab.scenes.scene_view import panel_of

from .plots import accuracy_by_depth, curves_chart, memory_bars
from .results import DETECTION_KEYS, MEMORY_KEY, judge
from .trainings import CLASSIFIERS, DETECTORS, Training

_STEP_NAMES = {
    'data': 'Data', 'classification': 'Training both classifiers',
    'export': 'Testing, export, measurements', 'detection': 'Training the detectors',
    'box_and_mask_ap': 'Box and mask AP, memory', 'report': 'Report',
}


def draw_charts(results: Mapping[str, Any], evidence: Mapping[str, Any]) -> dict[str, Chart]:
    """Draw all charts of the report, by name."""
    charts = [
        *_task_charts('classification', CLASSIFIERS, evidence['curves'], metric='accuracy/top1',
                      title='Top-1 on the test digits (%)', digits=1),
        accuracy_by_depth(evidence['local_accuracy']['accuracy'],
                          reference=results['classification']['bp']['top1']),
        memory_bars('memory', CLASSIFIERS, _memory(results['memory'])),
        *_task_charts('detection', DETECTORS, evidence['curves'], metric='coco/bbox_mAP',
                      title='Box AP on the validation scenes', digits=3),
        memory_bars('detection-memory', DETECTORS, _memory(results['detection'])),
    ]
    return {chart.name: chart for chart in charts}


def _memory(measured: Mapping[str, Any]) -> dict[str, float]:
    """Return the saved activations of each method."""
    return {method: each[MEMORY_KEY] for method, each in measured.items()}


def _task_charts(
    task: str, trainings: Sequence[Training], evidence: Mapping[str, Any], *, metric: str,
    title: str, digits: int
) -> list[Chart]:
    curves = {each.method: Curves.from_dict(evidence[task][each.method]) for each in trainings}
    loss = {method: each.train.get('loss', Series()) for method, each in curves.items()}
    values = {method: each.val.get(metric, Series()) for method, each in curves.items()}
    per_epoch = {
        # A validation's step is the epoch that it ends.
        method: loss[method].steps[-1] / values[method].steps[-1]
        for method in curves if len(loss[method]) and len(values[method])
    }
    loss_title = 'Training loss at the head' if task == 'classification' else 'Training loss'
    return [
        curves_chart(f'{task}-loss', trainings, loss, title=loss_title, formatted='{:.2f}',
                     iterations_per_epoch=per_epoch, from_zero=True),
        curves_chart(f'{task}-metric', trainings, values, title=title,
                     formatted=f'{{:.{digits}f}}'),
    ]


def render(results: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    """Render the whole page.

    Args:
        results: Complete results.
        evidence: Curves, local accuracy, plan, settings and scenes.

    Returns:
        HTML without references to anything outside itself.
    """
    verdicts = judge(dict(results))
    return render_page(
        'report.html', room=__package__, results=results, evidence=evidence,
        charts=draw_charts(results, evidence), verdicts=verdicts,
        failed=sum(not verdict.passed for verdict in verdicts), hardware=_hardware(results),
        versions=' · '.join(f'{name} {number}' for name, number in results['versions'].items()),
        scenes=[_scene(number, scene) for number, scene in enumerate(evidence['scenes']['items'])],
        steps=_steps(results), classifiers=CLASSIFIERS, detectors=DETECTORS,
        detection_keys=DETECTION_KEYS)


def _hardware(results: Mapping[str, Any]) -> str:
    hardware = results['hardware']
    memory = f', {hardware["memory_gib"]} GiB memory' if 'memory_gib' in hardware else ''
    cores = f'{hardware["cores"]} core{"s" if hardware["cores"] != 1 else ""}'
    return f'{hardware["cpu"]}, {cores}{memory}, {hardware.get("accelerator") or "no GPU"}'


def _scene(number: int, scene: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scene's number, image and panels: the truth, then what each detector found."""
    captions = {'truth': 'Ground truth', **{each.method: each.name for each in DETECTORS}}
    panels = [panel_of(scene, scene[key], caption=caption) for key, caption in captions.items()]
    return {'number': number, 'png': scene['png'], 'panels': panels}


def _steps(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return name, title and seconds of each step that the page shows, and of their total."""
    cpu_seconds = results.get('cpu_seconds', {})
    return [{'name': name, 'title': _STEP_NAMES.get(name), 'seconds': value,
             'cpu_seconds': cpu_seconds.get(name)}
            for name, value in results['seconds'].items() if name in _STEP_NAMES or name == 'total']
