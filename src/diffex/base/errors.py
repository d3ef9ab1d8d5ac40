"""Every error a user can cause: what was got, what was expected, what to do."""


class DiffexError(Exception):
    """Root of all errors that diffex raises on purpose; the command line exits with code 2."""


class InputError(DiffexError):
    """Images, tables, folders or arguments that cannot be used as they are."""


class ClassifierError(DiffexError):
    """A classifier that does not fit its card, the images, or the method."""


class GateError(DiffexError):
    """A generator whose quality gates failed, asked to explain."""


class FolderError(DiffexError):
    """A run or model folder that is missing, damaged, foreign or of another version."""


class MissingPartError(DiffexError):
    """An optional dependency that is not installed."""
