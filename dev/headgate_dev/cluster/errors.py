"""What went wrong with a command against the development cluster, with the words of the program that went wrong."""

from collections.abc import Sequence

from headgate_dev.host.errors import ClusterError


class CommandError(ClusterError):
    """A command against the cluster (kubectl, helm) exited with an error.

    Attributes: ``command`` (list of str), ``returncode`` (int), ``stdout`` and ``stderr`` (str).
    """

    def __init__(self, command: Sequence[str], returncode: int, stdout: str, stderr: str) -> None:
        super().__init__(f"`{' '.join(command)}` exited with {returncode}: {stderr.strip() or stdout.strip()}")
        self.command = list(command)
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
