"""Errors of a study: what the analyst wrote cannot be run, and what to write instead."""

from __future__ import annotations


class StudyError(ValueError):
    """A study that cannot be run: the message names the file, the field, its value and what to do."""


class PotentialError(StudyError, FileNotFoundError):
    """A potential that a study names and that is missing, or is not one for its element."""


class TrainingFilesError(StudyError, FileNotFoundError):
    """Training files that a study names and that are missing, or cannot be told apart."""
