"""Workers that start fast."""
import multiprocessing
from multiprocessing.util import register_after_fork

import pytest


@pytest.fixture
def forked_workers(monkeypatch):
    """Fork workers from this process: a new one takes seconds to import what it needs."""
    import mmpretrain.datasets  # Here rather than in every fork.
    import mmpretrain.models  # noqa: F401
    context = multiprocessing.get_context('fork')
    pipe = context.Pipe

    def own_pipe():
        """A worker ends with its pipe, whose other end no fork may hold as well."""
        ours, theirs = pipe()
        register_after_fork(ours, lambda connection: connection.close())
        return ours, theirs

    monkeypatch.setattr(context, 'Pipe', own_pipe, raising=False)
    monkeypatch.setattr('multiprocessing.get_context', lambda kind: context)
