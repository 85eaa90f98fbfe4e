"""The decision table: total, in agreement with the documentation, and without a row that contradicts itself."""

from pathlib import Path

import pytest

from headgate_api.decisions import DECISIONS, Decision, Ending, Memory, at_limit, configured, lasting
from headgate_api.reasons import FallbackReason, SkipReason
from headgate_cli.generate import DOCUMENT, begin, main, parts, renewed

ROOT = Path(__file__).parents[2]
ROWS = pytest.mark.parametrize(("reason", "row"), DECISIONS.items(), ids=str)


def test_every_reason_has_a_row_and_every_row_of_the_boundary_a_reason() -> None:
    assert set(DECISIONS) == set(SkipReason)
    assert {row.boundary for row in DECISIONS.values()} == {*FallbackReason, None}


def test_the_documentation_prints_the_table() -> None:
    document = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert renewed(document) == document, "run make crds"
    for reason in SkipReason:
        assert f"| `{reason}` |" in document


def test_a_document_without_its_markers_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lost its markers"):
        renewed("# Providers\n")
    (tmp_path / "docs").mkdir()
    stale = "".join(f"{begin(source)}stale\n<!-- end -->\n" for source in parts())
    (tmp_path / DOCUMENT).write_text(f"before\n{stale}after\n")
    assert main([str(tmp_path)]) == 0
    written = (tmp_path / DOCUMENT).read_text()
    assert written.startswith("before\n") and written.endswith("after\n")
    assert "stale" not in written


@ROWS
def test_only_what_the_vendor_says_of_a_version_is_renewed(reason: SkipReason, row: Decision) -> None:
    assert not row.renew or lasting(reason)
    assert lasting(reason) == (row.memory is Memory.VERSION)
    assert not lasting(reason) or row.lasts is not None


@ROWS
def test_a_refused_credential_of_the_gates_never_looks_like_the_callers(reason: SkipReason, row: Decision) -> None:
    assert not lasting(reason) or row.ending is Ending.REFUSED
    assert not at_limit(reason) or row.ending is Ending.UPSTREAM


@ROWS
def test_who_has_no_account_crosses_no_boundary_and_everything_else_does(reason: SkipReason, row: Decision) -> None:
    not_theirs = {SkipReason.NO_ACCOUNT, SkipReason.NOT_ACKNOWLEDGED, SkipReason.NOT_OWNER}
    assert configured(reason) == (reason not in not_theirs)
    assert row.mend and row.what and not row.mend.endswith(".")
