"""What is present of a data set, and what is not."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PRESENT, MISSING, DAMAGED = 'present', 'missing', 'damaged'


@dataclass(frozen=True)
class Finding:
    """One file, or one folder of them.

    Attributes:
        path: Its path below the data set's folder.
        state: ``'present'``, ``'missing'`` or ``'damaged'``.
        detail: What is wrong, or how much there is.
    """

    path: str
    state: str
    detail: str = ''


@dataclass(frozen=True)
class Report:
    """Everything that was found in a data set's folder.

    Attributes:
        title: The data set.
        folder: The folder that was checked.
        findings: One per file or folder.
        advice: How to get what is missing.
    """

    title: str
    folder: Path
    findings: tuple[Finding, ...]
    advice: str

    @property
    def is_complete(self) -> bool:
        """Whether everything is present."""
        return all(finding.state == PRESENT for finding in self.findings)

    @property
    def damaged(self) -> tuple[Finding, ...]:
        """Files and folders that exist but are not what they should be."""
        return tuple(finding for finding in self.findings if finding.state == DAMAGED)

    def __str__(self) -> str:
        verdict = 'complete' if self.is_complete else 'incomplete'
        lines = [f'{self.title} in {self.folder.absolute()}: {verdict}']
        width = max(len(finding.path) for finding in self.findings)
        for finding in self.findings:
            lines.append(f'  {finding.state:7}  {finding.path:{width}}  {finding.detail}'.rstrip())
        if not self.is_complete:
            lines.append(f'how to get it: {self.advice}')
        return '\n'.join(lines)
