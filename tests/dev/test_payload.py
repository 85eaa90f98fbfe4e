"""A volume's files change together: whoever reads two of them through ..data never gets two versions."""

from pathlib import Path

from headgate_dev.node.payload import swap


def test_files_are_replaced_together_and_what_is_gone_goes(tmp_path: Path) -> None:
    swap(tmp_path, {"tls.crt": b"one", "tls.key": b"one", "deep/er/file": b"one"})
    before = (tmp_path / "..data").resolve()
    assert (tmp_path / "deep/er/file").read_bytes() == b"one"
    assert (tmp_path / "tls.key").stat().st_mode & 0o777 == 0o600
    swap(tmp_path, {"tls.crt": b"two", "tls.key": b"two"})
    assert {name: (tmp_path / name).read_bytes() for name in ("tls.crt", "tls.key")} == {
        "tls.crt": b"two",
        "tls.key": b"two",
    }
    assert not before.exists()
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["tls.crt", "tls.key"]
