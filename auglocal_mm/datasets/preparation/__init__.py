"""Preparing data sets: official sites, downloads, checks of existing files."""
from .download import Patience
from .folder import check, prepare, refuse_damaged, verify
from .progress import Progress
from .report import Finding, Report
from .source import DataFile, Download, Source
from .sources import SOURCES

__all__ = ['SOURCES', 'DataFile', 'Download', 'Finding', 'Patience', 'Progress', 'Report',
           'Source', 'check', 'prepare', 'refuse_damaged', 'verify']
