"""Child processes: started, watched through their logs, ended together."""
from .jobs import Job, JobFailed, RunningJob, run_jobs, tail
from .progress import Progress, parse_progress

__all__ = ['Job', 'JobFailed', 'Progress', 'RunningJob', 'parse_progress', 'run_jobs', 'tail']
