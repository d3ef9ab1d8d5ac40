"""What can go wrong, each in one sentence: what was got, what was expected, what to do."""


class PluginError(Exception):
    """Something a user can mend."""


class RunError(PluginError):
    """A folder is no run, of another schema, or damaged."""


class AppError(PluginError):
    """The app does not answer, or refuses."""
