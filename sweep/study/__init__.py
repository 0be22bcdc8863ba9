"""The study: what an analyst asks for, and the reference potential it names."""

from sweep.study.document import Study, StudyError, load_study, read_study

__all__ = ["Study", "StudyError", "load_study", "read_study"]
