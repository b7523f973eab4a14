"""Child processes of a tool: start them, follow their progress, stop them together."""
from .environment import child_environment
from .forecast import Forecast
from .jobs import Job, JobFailed, RunningJob, run_jobs, tail
from .progress import Progress, ProgressReader

__all__ = ['Forecast', 'Job', 'JobFailed', 'Progress', 'ProgressReader', 'RunningJob',
           'child_environment', 'run_jobs', 'tail']
