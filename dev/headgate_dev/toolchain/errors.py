"""The one error of the toolchain, apart so that every module of it can raise it without importing the others."""


class ToolchainError(Exception):
    """A tool can neither be found nor built; the message names the tool, the reason and the mend."""
