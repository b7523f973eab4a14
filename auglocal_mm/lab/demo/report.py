"""The demo's report: one HTML file that needs nothing else.

Everything comes from two plain objects: ``results`` (the numbers, see
:mod:`auglocal_mm.lab.demo.results`) and ``evidence`` (what pictures are drawn from,
see :mod:`auglocal_mm.lab.demo.collect`).
"""
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from auglocal_mm.lab.curves.curves import Curves, Series
from auglocal_mm.lab.drawing.chart import NAMES, Chart
from auglocal_mm.lab.pages.report_style import CSS

from .plan_view import plan_table
from .plots import accuracy_by_depth, curves_chart, memory_bars
from .results import METHODS, Verdict, judge
from .scene_view import scene_panel

_STEP_NAMES = {
    'data': 'Data', 'classification': 'Training both classifiers',
    'export': 'Testing, export, measurements', 'detection': 'Training both detectors',
    'box_and_mask_ap': 'Box and mask AP', 'report': 'Report',
}


def draw_charts(results: Mapping[str, Any], evidence: Mapping[str, Any]) -> dict[str, Chart]:
    """Draw all charts of the report, by name."""
    curves = {
        task: {method: Curves.from_dict(evidence['curves'][task][method]) for method in METHODS}
        for task in ('classification', 'detection')
    }
    charts = [
        *_task_charts('classification', curves['classification'], metric='accuracy/top1',
                      title='Top-1 on the test digits (%)', digits=1),
        accuracy_by_depth(evidence['local_accuracy']['accuracy'],
                          reference=results['classification']['bp']['top1']),
        memory_bars({method: results['memory'][method]['saved_activations_mb']
                     for method in METHODS}),
        *_task_charts('detection', curves['detection'], metric='coco/bbox_mAP',
                      title='Box AP on the validation scenes', digits=3),
    ]
    return {chart.name: chart for chart in charts}


def _task_charts(
    task: str, curves: Mapping[str, Curves], *, metric: str, title: str, digits: int
) -> list[Chart]:
    loss = {method: each.train.get('loss', Series()) for method, each in curves.items()}
    values = {method: each.val.get(metric, Series()) for method, each in curves.items()}
    per_epoch = {
        method: loss[method].steps[-1] / values[method].steps[-1]
        for method in METHODS if len(loss[method]) and len(values[method])
    }
    loss_title = 'Training loss at the head' if task == 'classification' else 'Training loss'
    return [
        curves_chart(f'{task}-loss', loss, title=loss_title, formatted='{:.2f}',
                     iterations_per_epoch=per_epoch, from_zero=True),
        curves_chart(f'{task}-metric', values, title=title, formatted=f'{{:.{digits}f}}'),
    ]


def render(results: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    """Render the whole page.

    Args:
        results: Complete results.
        evidence: Curves, local accuracy, plan, settings and scenes.

    Returns:
        HTML without references to anything outside itself.
    """
    charts = draw_charts(results, evidence)
    verdicts = judge(dict(results))
    parts = [
        _header(results, evidence, verdicts),
        _numbers(results),
        _classification(charts, evidence),
        _depth(charts['depth'], evidence),
        _memory(charts['memory'], results, evidence),
        _detection(charts, results, evidence),
        _scenes(evidence['scenes']),
        _plan(evidence['local_accuracy']['plan']),
        _making(results, evidence),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>AugLocal demo report</title>'
        f'<style>{CSS}</style></head>\n<body><main>\n' + '\n'.join(parts)
        + '\n</main></body></html>\n'
    )


def _section(identifier: str, title: str, body: str) -> str:
    return (f'<section id="{identifier}" aria-labelledby="{identifier}-title">'
            f'<h2 id="{identifier}-title">{title}</h2>{body}</section>')


def _facts(facts: Mapping[str, str]) -> str:
    rows = ''.join(f'<dt>{escape(name)}</dt><dd>{value}</dd>' for name, value in facts.items())
    return f'<dl class="facts">{rows}</dl>'


def _header(
    results: Mapping[str, Any], evidence: Mapping[str, Any], verdicts: Sequence[Verdict]
) -> str:
    failed = sum(not verdict.passed for verdict in verdicts)
    outcome = ('All three acceptance limits are met.' if not failed else
               f'{failed} of the {len(verdicts)} acceptance limits failed.')
    items = ''.join(
        f'<li class="{"pass" if verdict.passed else "fail"}">'
        f'<span class="mark">{"✓ Pass" if verdict.passed else "✗ Fail"}</span>'
        f'<strong>{escape(verdict.name)}</strong>{escape(verdict.measured)}'
        f'<br><span class="muted">{escape(verdict.limit)}</span></li>'
        for verdict in verdicts
    )
    return (
        '<header><h1>A backbone without end-to-end backpropagation, from digits to a detector</h1>'
        '<p class="lead">A slim ResNet-34 is trained on handwritten digits twice: by '
        '<b class="bp">BP</b> (backpropagation), and by <b class="auglocal">AugLocal</b>, where '
        'each layer learns from its own small auxiliary network and no gradient crosses between '
        'layers. Each of the two backbones then carries a Mask R‑CNN that is trained in the same '
        f'way on scenes of digits. <strong>{outcome}</strong></p>'
        f'<ul class="verdicts">{items}</ul>{_facts(_provenance(results))}</header>'
    )


def _provenance(results: Mapping[str, Any]) -> dict[str, str]:
    hardware, versions = results['hardware'], results['versions']
    memory = f', {hardware["memory_gib"]} GiB memory' if 'memory_gib' in hardware else ''
    cores = f'{hardware["cores"]} core{"s" if hardware["cores"] != 1 else ""}'
    return {
        'Hardware': escape(f'{hardware["cpu"]}, {cores}{memory}, '
                           f'{hardware.get("accelerator") or "no GPU"}'),
        'Versions': escape(' · '.join(f'{name} {number}' for name, number in versions.items())),
        'Runs': f'n = 1 (one seed, {results["seed"]}), so there is no spread to show: differences '
                'of about a point may be chance',
        'Made by': f'<code>{escape(results["command"])}</code>, {escape(results["finished"])}',
    }


def _pair(name: str, values: Mapping[str, str]) -> str:
    spans = ''.join(
        f'<span><span class="value {method}">{values[method]}</span>'
        f'<span class="who">{NAMES[method]}</span></span>' for method in METHODS
    )
    return f'<div><dt>{name}</dt><dd class="pair">{spans}</dd></div>'


def _numbers(results: Mapping[str, Any]) -> str:
    def each(task: str, key: str, shown: str) -> dict[str, str]:
        return {method: shown.format(results[task][method][key]) for method in METHODS}

    pairs = [
        _pair('Top-1 accuracy (%)', each('classification', 'top1', '{:.1f}')),
        _pair('Saved activations (MiB)', each('memory', 'saved_activations_mb', '{:.1f}')),
        _pair('Box AP', each('detection', 'bbox_mAP', '{:.3f}')),
        _pair('Mask AP', each('detection', 'segm_mAP', '{:.3f}')),
    ]
    return _section('numbers', 'At a glance', f'<dl class="numbers">{"".join(pairs)}</dl>')


def _chart(chart: Chart, *, kind: str = 'wide') -> str:
    return f'<div class="chart {kind}">{chart.svg()}</div>'


def _chart_pair(charts: Mapping[str, Chart], task: str) -> str:
    both = ''.join(_chart(charts[f'{task}-{kind}'], kind='half') for kind in ('loss', 'metric'))
    return f'<div class="charts">{both}</div>'


def _classification(charts: Mapping[str, Chart], evidence: Mapping[str, Any]) -> str:
    return _section(
        'classification', 'Learning to read digits',
        '<p>Both networks see the same images in the same schedule. The loss is the one at the '
        'real head, which both have; AugLocal’s auxiliary networks have their own.</p>'
        + _chart_pair(charts, 'classification')
        + f'<p class="note">{escape(evidence["settings"]["classification"])}</p>',
    )


def _depth(chart: Chart, evidence: Mapping[str, Any]) -> str:
    samples, accuracy = (evidence['local_accuracy'][key] for key in ('samples', 'accuracy'))
    names = list(accuracy)
    return _section(
        'depth', 'What each depth already knows',
        '<p>Every auxiliary network is a classifier. Its accuracy shows how well the digits could '
        f'be read if the network ended there: {accuracy[names[0]]:.1f} % at '
        f'{escape(names[0])}, the first layer, and {accuracy[names[-1]]:.1f} % at the head. The '
        'dashed line is the whole network trained by BP.</p>' + _chart(chart)
        + f'<p class="note">n = {samples} test digits, so one digit is '
        f'{100 / samples:.2f} points.</p>',
    )


def _memory(chart: Chart, results: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    saved = {method: results['memory'][method]['saved_activations_mb'] for method in METHODS}
    share = 100 * saved['auglocal'] / saved['bp']
    return _section(
        'memory', 'Memory of a training step',
        f'<p>BP keeps every layer’s activations until the backward pass. AugLocal frees a '
        f'layer’s as soon as that layer has learned, and keeps {share:.0f} % of BP’s peak.</p>'
        + _chart(chart, kind='bars')
        + f'<p class="note">The peak of what autograd keeps alive in one step with a batch of '
        f'{evidence["batch_size"]}. Each storage is counted once, including the input batch; '
        'parameters, gradients and optimizer state are not counted.</p>',
    )


def _detection(
    charts: Mapping[str, Chart], results: Mapping[str, Any], evidence: Mapping[str, Any]
) -> str:
    keys = ('bbox_mAP', 'bbox_mAP_50', 'segm_mAP', 'segm_mAP_50')
    rows = ''.join(
        f'<tr><th scope="row" class="{method}">{NAMES[method]}</th>' + ''.join(
            f'<td class="right">{results["detection"][method][key]:.3f}</td>' for key in keys
        ) + '</tr>' for method in METHODS
    )
    difference = ''.join(
        f'<td class="right">'
        f'{results["detection"]["auglocal"][key] - results["detection"]["bp"][key]:+.3f}</td>'
        for key in keys
    ).replace('>-', '>−')
    table = (
        '<div class="table"><table><thead><tr><th scope="col">Backbone</th>'
        + ''.join(f'<th scope="col" class="right">{name}</th>'
                  for name in ('Box AP', 'Box AP50', 'Mask AP', 'Mask AP50'))
        + f'</tr></thead><tbody>{rows}<tr><th scope="row">AugLocal − BP</th>{difference}</tr>'
        '</tbody></table></div>'
    )
    return _section(
        'detection', 'The same detector on either backbone',
        '<p>AP is COCO’s average precision over IoU 0.50 to 0.95, and AP50 that at IoU 0.50; both '
        'range from 0 to 1.</p>' + table + _chart_pair(charts, 'detection')
        + f'<p class="note">{escape(evidence["settings"]["detection"])}</p>',
    )


def _scenes(scenes: Mapping[str, Any]) -> str:
    rows = []
    for number, scene in enumerate(scenes['items']):
        panels = [('truth', 'Ground truth'), *((m, NAMES[m]) for m in METHODS)]
        rows.append('<div class="row">' + ''.join(
            scene_panel(scene, scene[key], caption=caption, image_id=f'scene-{number}',
                        first=key == 'truth') for key, caption in panels
        ) + '</div>')
    return _section(
        'scenes', 'What the detectors see',
        f'<p>The first {len(rows)} validation scenes, not chosen by hand: ground truth, then what '
        f'each detector finds with a score of at least {100 * scenes["threshold"]:.0f} %. A label '
        'is the digit, with its score in percent.</p>'
        f'<div class="scenes">{"".join(rows)}</div>',
    )


def _plan(plan: Mapping[str, Any]) -> str:
    return _section(
        'plan', 'Which auxiliary network each layer has',
        f'<p>{plan["units"]} local layers in {plan["modules"]} local modules. A block is built '
        'like the later layer that it is named after, with weights of its own; “½” marks a block '
        'of stride 2. The last module learns from the real head.</p>' + plan_table(plan),
    )


def _making(results: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    seconds, cpu_seconds = results['seconds'], results.get('cpu_seconds', {})
    rows = ''.join(
        f'<tr><td>{escape(_STEP_NAMES.get(name, name))}</td>'
        f'<td class="right">{value:.0f} s</td>'
        f'<td class="right">{_seconds(cpu_seconds.get(name))}</td></tr>'
        for name, value in seconds.items() if name in _STEP_NAMES or name == 'total'
    ).replace('<td>total</td>', '<th scope="row">Total</th>')
    commands = ''.join(f'<p><code>{escape(line)}</code></p>' for line in evidence['commands'])
    return _section(
        'making', 'How it was made',
        '<div class="table"><table><thead><tr><th scope="col">Step</th>'
        '<th scope="col" class="right">Time</th><th scope="col" class="right">Processor time</th>'
        f'</tr></thead><tbody>{rows}</tbody></table></div>'
        '<p class="note">On two cores, BP and AugLocal run side by side, one thread each. If the '
        'processor time is much less than twice the time, the machine was busy.</p>'
        '<h3>Commands</h3><p>The demo runs the same tools that you would:</p>' + commands,
    )


def _seconds(value: float | None) -> str:
    return '' if value is None else f'{value:.0f} s'
