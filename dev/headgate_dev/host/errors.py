"""The error of the whole development cluster, below its parts so that each can raise it."""


class ClusterError(Exception):
    """The cluster, or a part of it, did not do what was asked; the message says which part and shows the end of its log."""
