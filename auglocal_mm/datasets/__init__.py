"""Data sets: the embedded default, and what mmpretrain and mmdet lack."""
