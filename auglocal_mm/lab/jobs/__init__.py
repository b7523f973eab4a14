"""Child processes of a tool: start them, follow their logs, stop them together."""
from .environment import child_environment
from .forecast import Forecast
from .jobs import Job, JobFailed, RunningJob, run_jobs, tail
from .live_text import LiveText
from .progress import Progress, parse_progress

__all__ = ['Forecast', 'Job', 'JobFailed', 'LiveText', 'Progress', 'RunningJob',
           'child_environment', 'parse_progress', 'run_jobs', 'tail']
