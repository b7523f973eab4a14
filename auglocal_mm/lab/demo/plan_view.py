"""A local plan as an HTML table: each layer with its auxiliary network."""
from collections.abc import Mapping
from html import escape
from typing import Any


def plan_table(plan: Mapping[str, Any]) -> str:
    """Render the table of a plan's layers.

    Args:
        plan: As ``LocalPlan.to_dict()`` returns it.
    """
    rows = ''.join(_row(layer, plan) for layer in plan['layers'])
    heads = ('Layer', 'Channels', 'Stride', 'Module', 'Auxiliary network')
    cells = ''.join(
        f'<th scope="col"{" class=right" if name in heads[1:4] else ""}>{name}</th>'
        for name in heads
    )
    return (f'<div class="table"><table><thead><tr>{cells}</tr></thead>'
            f'<tbody>{rows}</tbody></table></div>')


def _row(layer: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    numbers = ''.join(f'<td class="right">{value}</td>'
                      for value in (layer['channels'], layer['stride'], layer['module'] + 1))
    return (f'<tr><th scope="row"><code>{escape(layer["name"])}</code></th>{numbers}'
            f'<td>{_network(layer, plan)}</td></tr>')


def _network(layer: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    auxiliary = layer['auxiliary']
    if auxiliary is None:
        if layer is plan['layers'][-1]:
            return '<span class="blocks"><span class="block end">the real head</span></span>'
        last = layer['module'] == plan['modules'] - 1
        return f'<span class="muted">{"trained with the head" if last else "none"}</span>'
    blocks = [
        f'<span class="block">{escape(block["source"])} · {block["channels"]} ch'
        f'{" · ½" if block["stride"] == 2 else ""}</span>' for block in auxiliary['blocks']
    ]
    blocks.append('<span class="block end">pool</span>')
    if auxiliary.get('batch_norm_before_fc'):
        blocks.append('<span class="block end">norm</span>')
    blocks.append('<span class="block end">linear</span>')
    return f'<span class="blocks">{"".join(blocks)}</span>'
