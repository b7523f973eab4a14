"""The console command ``auglocal-mm``: the tools by name, in any folder."""
from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from auglocal_mm.config.shipped import shipped
from auglocal_mm.version import __version__

NAME = 'auglocal-mm'
TOOLS = {
    'train': 'train.py',
    'test': 'test.py',
    'plan': 'analysis_tools/show_plan.py',
    'complexity': 'analysis_tools/get_complexity.py',
    'export': 'model_converters/export_backbone.py',
    'publish': 'model_converters/publish_model.py',
    'reproduce': 'reproduce.py',
    'transfer': 'transfer.py',
    'benchmark': 'analysis_tools/benchmark_training.py',
    'parallel': 'analysis_tools/plan_parallel.py',
    'prepare': 'dataset_converters/prepare.py',
    'doctor': 'doctor.py',
    'demo': 'demo.py',
}


def summary(command: str) -> str:
    """Return the first line of a tool's docstring."""
    source = shipped(f'tools/{TOOLS[command]}').read_text(encoding='utf-8')
    return (ast.get_docstring(ast.parse(source)) or '').partition('\n')[0]


def overview() -> str:
    """Return the list of commands."""
    lines = [f'  {command:<12}{summary(command)}' for command in TOOLS]
    return '\n'.join([f'usage: {NAME} COMMAND [options]', '', *lines, '',
                      f'`{NAME} COMMAND --help` lists the options of a command; `--debug` shows '
                      'the traceback of an error.'])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a tool as if it had been started by its path.

    Args:
        arguments: The command and its options; by default those of the process.

    Returns:
        The exit status, if the tool does not exit by itself.
    """
    command, *options = (sys.argv[1:] if arguments is None else list(arguments)) or ['--help']
    if command == '--debug' and options:
        command, options = options[0], [*options[1:], command]
    if command in ('-h', '--help', 'help'):
        print(overview())
        return 0
    if command == '--version':
        print(f'{NAME} {__version__}')
        return 0
    if command not in TOOLS:
        print(f'{NAME}: no command {command!r}\n\n{overview()}', file=sys.stderr)
        return 2
    # argparse shows the first word in usage lines: it is what the user typed.
    _run(shipped(f'tools/{TOOLS[command]}'), [f'{NAME} {command}', *options])
    return 0


def _run(tool: Path, argv: list[str]) -> None:
    """Run a script as the main module; with ``runpy``, its help would show its file name."""
    main_module = ModuleType('__main__')
    main_module.__file__ = str(tool)
    sys.argv, sys.modules['__main__'] = argv, main_module
    exec(compile(tool.read_bytes(), str(tool), 'exec'), main_module.__dict__)
