"""Command line of the demo."""
import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from auglocal_mm.console.live import LiveLines
from auglocal_mm.console.tool import add_debug
from auglocal_mm.files import FileError
from auglocal_mm.lab.demo.results import judge
from auglocal_mm.lab.jobs import JobFailed, tail

from .console import Console, clock
from .pipeline import CPU_SECONDS, EXPECTED_SECONDS, REPORT, Demo, all_limits_kept, render_again

EXIT_LIMIT, EXIT_FAILED, EXIT_INTERRUPTED = 1, 2, 130
_LOG_LINES = 25


def parse(arguments: Sequence[str] | None, *, root: Path) -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(
        description='Digits to detector, by BP and by AugLocal, with a report; about ten '
                    'minutes on two free cores.',
        epilog='Exit status: 0 all limits kept, 1 a limit was missed, 2 a step failed.')
    parser.add_argument('--work-dir', type=Path, default=root / 'work_dirs' / 'demo',
                        help='folder of report.html, results.json and all runs '
                             '(work_dirs/demo)')
    parser.add_argument('--seed', type=int, default=0, help='seed of every training (0)')
    parser.add_argument('--only-report', action='store_true',
                        help='run nothing; rewrite the report from the newest results')
    add_debug(parser)
    options = parser.parse_args(arguments)
    if not 0 <= options.seed < 2**31:
        parser.error(f'--seed must be 0 to {2**31 - 1}, got {options.seed}')
    options.work_dir = options.work_dir.resolve()
    return options


def main(arguments: Sequence[str] | None = None, *, root: Path) -> int:
    """Run the demo.

    Args:
        arguments: Options; by default those of the process.
        root: Folder where commands run; data and work dirs are below it.

    Returns:
        Exit status.
    """
    options = parse(arguments, root=root.resolve())
    text = LiveLines()
    console = Console(list(EXPECTED_SECONDS.values()), text)
    # Like Ctrl-C, so that the running jobs are stopped as well.
    before = signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        with text:
            results = _run(options, root=root.resolve(), console=console)
    except JobFailed as error:
        _tell_failure(console, error)
        return EXIT_FAILED
    except (FileNotFoundError, FileError, ValueError) as error:
        console.say(f'\nThe demo cannot finish: {error}')
        return EXIT_FAILED
    except KeyboardInterrupt:
        console.say('\nInterrupted. Files written so far are kept; earlier results are unchanged.')
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    return _conclude(console, results, work_dir=options.work_dir)


def _run(options: argparse.Namespace, *, root: Path, console: Console) -> dict[str, Any]:
    if options.only_report:
        return render_again(options.work_dir)
    demo = Demo(options.work_dir, root=root, seed=options.seed, console=console)
    console.say(f'AugLocal demo: about {clock(console.remaining())} minutes on two free cores. '
                f'Logs: {shown(demo.run.logs)}\n')
    return demo.execute()


def shown(path: Path) -> str:
    """Return a path as the user would type it: relative if below the current folder."""
    cwd = Path.cwd()
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _tell_failure(console: Console, error: JobFailed) -> None:
    lines = tail(error.log, limit=20000).splitlines()[-_LOG_LINES:]
    console.say(f'\n{error}. The end of its log:\n')
    console.say('\n'.join(f'    {line}' for line in lines))
    console.say(f'\nComplete log: {shown(error.log)}\nEarlier results are unchanged.')


def _conclude(console: Console, results: dict[str, Any], *, work_dir: Path) -> int:
    console.say()
    if 'total' in results.get('cpu_seconds', {}):
        console.say(f'Took {clock(results["seconds"]["total"])} minutes and '
                    f'{results["cpu_seconds"]["total"]:.0f} processor-seconds '
                    f'(usually at most {CPU_SECONDS}).\n')
    for verdict in judge(results):
        console.say(str(verdict))
    console.say(f'\nReport: {shown(work_dir / REPORT)}')
    runs = [path for path in (work_dir / 'runs').glob('*') if path.is_dir()]
    if len(runs) > 1:
        console.say(f'{len(runs)} runs are kept in {shown(work_dir / "runs")}; delete those '
                    'that you no longer need.')
    return 0 if all_limits_kept(results) else EXIT_LIMIT


def _raise_interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == '__main__':
    sys.exit(main(root=Path.cwd()))
