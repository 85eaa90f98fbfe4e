"""The last good snapshot on disk: chunks first, then the head that names them, so that a head never lacks its chunks."""

from collections.abc import Mapping

from headgate_api.snapshot import HEAD_KEY, Head, Snapshot, SnapshotError, parse_head, unpack
from headgate_proxy.state import StateDir


class KeptSnapshot:
    """A head and its chunks in a StateDir. No method here waits on anything but the local (memory) file system."""

    def __init__(self, state: StateDir) -> None:
        self._heads = state
        self._chunks = state.sub("chunks")

    def load(self) -> tuple[Head, dict[str, bytes], Snapshot] | None:
        """Return what was kept, or None when nothing was. Raises SnapshotError when it is damaged or of another schema."""
        text = self._heads.read(HEAD_KEY)
        if text is None:
            return None
        try:
            head = parse_head(text.decode())
        except UnicodeDecodeError as error:
            raise SnapshotError(f"the kept snapshot head is damaged: {error}") from error
        chunks = {digest: data for digest in head.chunks if (data := self._chunks.read(digest)) is not None}
        return head, chunks, unpack(head, chunks)

    def save(self, head: Head, chunks: Mapping[str, bytes]) -> None:
        """Keep this one from now on. Raises OSError."""
        present = set(self._chunks.names())
        for digest in head.chunks:
            if digest not in present:
                self._chunks.write(digest, chunks[digest])
        self._heads.write(HEAD_KEY, head.to_json().encode())
        self._chunks.keep_only(head.chunks)
