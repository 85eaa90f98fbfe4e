"""What a terminal shows of a rollout: asked of the text alone."""

import json
import re

import pytest

from headgate_api.snapshot import content_revision
from headgate_cli.rollout import approve
from headgate_cli.view import changes, explain, history, status
from headgate_cli.view.style import Style, bar, plain, span, table

from . import objects
from .objects import NOW, REVISION, subject

PLAIN = Style()


def lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_steps_are_a_list_of_what_was_passed_where_it_is_and_what_comes() -> None:
    shown = lines_of(status.one(subject(objects.weighing()), NOW, PLAIN))
    begin = shown.index("steps") + 1
    assert shown[begin : begin + 6] == [
        "✓ 0 audience tester; hold 10m",
        "✓ 1 approval the tester's answers approved by carol",
        "● 2 weight 5 % hold 10m Analysing",
        "○ 3 weight 25 % hold 1h",
        "○ 4 approval",
        "○ 5 weight 100 % no analysis needed",
    ]


def test_a_wait_shows_reason_since_until_and_what_comes_next() -> None:
    shown = lines_of(status.one(subject(objects.weighing()), NOW, PLAIN))
    begin = shown.index("waiting") + 1
    assert shown[begin : begin + 5] == [
        "reason Analysing",
        "it is Analysing",
        "since 11:57:00Z (3m ago)",
        "until 13:00:00Z (in 1h)",
        "next it goes on by itself",
    ]


def test_verdicts_show_canary_stable_and_bound_with_units_and_what_is_missing() -> None:
    shown = lines_of(status.one(subject(objects.weighing()), NOW, PLAIN))
    assert "ErrorRate Pass 0.5 % 0.4 % ≤ 5 %, ≤ 1.5x stable 120" in shown
    assert "TimeToFirstTokenP95 Insufficient - - ≤ 2500 ms 3 canary 3 of 20 requests" in shown


def test_the_split_is_a_bar() -> None:
    assert "split █░░░░░░░░░░░░░░░░░░░ 5 % canary, 95 % stable" in lines_of(
        status.one(subject(objects.weighing()), NOW, PLAIN)
    )


@pytest.mark.parametrize(("percent", "filled"), [(0, 0), (1, 1), (50, 10), (99, 19), (100, 20)])
def test_a_bar_is_empty_or_full_only_at_nothing_and_everything(percent: int, filled: int) -> None:
    assert bar(percent) == "█" * filled + "░" * (20 - filled)


def test_an_idle_policy_shows_its_steps_as_coming_and_waits_for_nothing() -> None:
    shown = lines_of(status.one(subject(objects.idle()), NOW, PLAIN))
    assert shown[0] == "careful in team-a Ready"
    assert "○ 0 audience tester; hold 10m" in shown
    assert "waiting" not in shown


def test_the_list_has_a_line_per_policy_and_says_so_when_there_is_none() -> None:
    shown = lines_of(
        status.several([subject(objects.weighing()), subject(objects.idle())], NOW, PLAIN, namespaces=True)
    )
    assert shown[1] == (
        f"team-a careful AwaitingApproval {objects.STABLE} {REVISION} 5 % █░░░░░░░░░ 2 of 6 Weight Analysing 3m ago in 1h"
    )
    assert shown[2] == f"team-a careful Ready {objects.STABLE} - 0 % ░░░░░░░░░░ -"
    assert "-A" in status.several([], NOW, PLAIN, namespaces=False)


def test_an_ignored_approval_is_shown_with_the_reason() -> None:
    ignored = {"approve": f"{REVISION}/1", "by": "alice", "reason": "AuthorMayNotApprove", "message": "alice made it"}
    shown = lines_of(status.one(subject(objects.awaiting() | {"ignoredApproval": ignored}), NOW, PLAIN))
    assert shown[-2:] == [f"ignored approval {REVISION}/1 by alice: AuthorMayNotApprove", "alice made it"]


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    shown = status.one(subject(objects.awaiting(authors=["mallory\x1b[2J\x9b1m"])), NOW, PLAIN)
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert plain("a\x07b") == "a�b"


def test_colours_change_nothing_but_colours() -> None:
    painted = status.one(subject(objects.weighing()), NOW, Style(colours=True))
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == status.one(subject(objects.weighing()), NOW, PLAIN)


@pytest.mark.parametrize(
    ("terminal", "environ", "colours"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(terminal: bool, environ: dict[str, str], colours: bool) -> None:
    assert Style.of(terminal=terminal, environ=environ).colours is colours


def test_columns_are_aligned_whatever_their_colour() -> None:
    red = Style(colours=True).bad("x")
    assert table([[red, "1"], ["long", "2"]]) == [f"{red}      1", "long   2"]


@pytest.mark.parametrize(("seconds", "said"), [(0, "0s"), (59, "59s"), (3600, "1h"), (3725, "1h2m"), (90061, "1d1h")])
def test_spans_have_two_units_at_most(seconds: int, said: str) -> None:
    assert span(seconds) == said


def test_json_carries_what_an_approval_must_name_and_who_gave_it() -> None:
    out = status.to_json(subject(objects.awaiting(authorUnknown=True, approvals=[objects.approval(1, "bob")])))
    assert out["awaited"] == {"approve": f"{REVISION}/1", "needed": 2, "given": ["bob"]}
    assert [step["state"] for step in out["steps"]] == ["Done", "Current", *["Coming"] * 4]
    assert out["waiting"]["reason"] == "AwaitingApproval"
    assert json.loads(json.dumps(out)) == out


class TestExplain:
    def test_an_approval_names_who_may_give_it_and_the_command(self) -> None:
        said = explain.text(subject(objects.awaiting(), approval={"approvers": {"groups": ["sre"]}}), NOW, PLAIN)
        assert "whoever has the verb approve and is one of: members of sre; not alice, who made the change" in said
        assert f"kubectl headgate approve careful -n team-a --revision {REVISION}/1" in said
        assert "kubectl headgate abort careful -n team-a" in said

    def test_where_the_author_is_unknown_it_counts_who_is_missing(self) -> None:
        status_ = objects.awaiting(authors=[], authorUnknown=True, approvals=[objects.approval(1, "bob")])
        hold = explain.holds(subject(status_))[0]
        assert "not bob again" in hold.actions[0].who
        assert hold.actions[0].what.endswith("(1 more of 2 people)")

    def test_an_ignored_approval_is_a_hold_of_its_own(self) -> None:
        ignored = {
            "approve": f"{REVISION}/1",
            "by": "alice",
            "reason": "AuthorMayNotApprove",
            "message": "alice made it",
        }
        reasons = [hold.reason for hold in explain.holds(subject(objects.awaiting() | {"ignoredApproval": ignored}))]
        assert reasons == ["AwaitingApproval", "AuthorMayNotApprove"]

    def test_a_pause_comes_first_with_the_way_out(self) -> None:
        hold = explain.holds(subject(objects.weighing(), annotations={"headgate.dev/pause": "lunch"}))[0]
        assert (hold.reason, hold.actions[0].what) == ("Paused", "kubectl headgate resume careful -n team-a")
        assert "lunch" in hold.message

    def test_too_little_data_says_who_can_bring_more(self) -> None:
        state = objects.weighing()
        state["step"]["reason"] = "InsufficientData"
        assert "whoever sends requests" in [action.who for action in explain.holds(subject(state))[0].actions]

    def test_withdrawn_content_says_why_and_how_to_try_it_again(self) -> None:
        state = objects.idle() | {"rejected": objects.CONTENT, "history": [objects.ended("AnalysisFailed")]}
        said = explain.text(subject(state), NOW, PLAIN)
        assert "AnalysisFailed, it ended AnalysisFailed" in said
        assert "kubectl headgate release careful -n team-a" in said

    def test_a_policy_that_is_not_accepted_says_what_to_mend(self) -> None:
        state = objects.idle() | {"conditions": [objects.condition("Accepted", "False", "TargetTaken", "guard has it")]}
        assert [(hold.reason, hold.message) for hold in explain.holds(subject(state))] == [
            ("TargetTaken", "guard has it")
        ]

    def test_every_wait_has_an_action(self) -> None:
        for state in (objects.awaiting(), objects.weighing(), objects.idle() | {"rejected": objects.CONTENT}):
            assert all(hold.actions for hold in explain.holds(subject(state)))


def test_history_shows_end_approvals_and_what_failed() -> None:
    failed = {"metric": "ErrorRate", "outcome": "Fail", "message": "40 %", "at": objects.at(-1)}
    entry = objects.ended("AnalysisFailed", approvals=[objects.approval(1, "carol")], verdicts=[failed])
    shown = lines_of(history.text(subject(objects.idle() | {"history": [entry]}), NOW, PLAIN))
    assert shown[1] == f"{REVISION} AnalysisFailed 1m ago 29m carol (step 1) ErrorRate it ended AnalysisFailed"
    assert "no rollout that ended" in history.text(subject(objects.idle()), NOW, PLAIN)


class TestChanges:
    def test_only_what_differs_is_shown_without_what_derives_from_it(self) -> None:
        before = {
            "kind": "LLMProvider",
            "provider": {"revision": "a", "spec": {"endpoint": "https://a", "headers": {}}},
        }
        after = {"kind": "LLMProvider", "provider": {"revision": "b", "spec": {"endpoint": "https://b", "headers": {}}}}
        assert changes.changes(before, after) == [changes.Change("provider.spec.endpoint", "https://a", "https://b")]

    def test_what_comes_and_goes_is_shown_field_by_field(self) -> None:
        found = changes.changes(
            {"accounts": {"a.b": {"revision": "1", "grantId": "g"}}}, {"accounts": {}, "x": {"y": 1}}
        )
        assert found == [changes.Change("accounts.a.b.grantId", "g", None), changes.Change("x.y", None, "1")]

    def test_a_first_form_is_new_as_a_whole(self) -> None:
        assert changes.changes(None, {"image": "headgate:2"}) == [changes.Change("image", None, "headgate:2")]

    def test_long_values_that_begin_alike_can_be_told_apart(self) -> None:
        (change,) = changes.changes({"ca": "x" * 500 + "1"}, {"ca": "x" * 500 + "2"})
        assert change.before != change.after
        assert change.before is not None
        assert len(change.before) < 200

    def test_a_change_deep_in_a_long_text_is_shown_itself(self) -> None:
        """Whoever approves must see what they agree to, not that something differs."""
        before = "word " * 60
        (change,) = changes.changes(
            {"preamble": before + "be kind" + before}, {"preamble": before + "be evil" + before}
        )
        assert "be kind" in str(change.before)
        assert "be evil" in str(change.after)

    def test_a_change_of_one_of_many_is_shown_by_its_name(self) -> None:
        models = [{"name": f"model-{index}", "upstreamName": "good"} for index in range(20)]
        other = [*models[:17], {"name": "model-17", "upstreamName": "bad"}, *models[18:19], {"name": "new"}]
        assert changes.changes({"models": models}, {"models": other}) == [
            changes.Change("models[model-17].upstreamName", "good", "bad"),
            changes.Change("models[model-19].name", "model-19", None),
            changes.Change("models[model-19].upstreamName", "good", None),
            changes.Change("models[new].name", None, "new"),
        ]
        assert [c.field for c in changes.changes({"models": models}, {"models": models[::-1]})] == ["models (order)"]

    def test_a_change_in_a_long_list_without_names_is_shown_by_its_place(self) -> None:
        values = [f"value-{index}" for index in range(40)]
        (change,) = changes.changes({"values": values}, {"values": [*values[:30], "else", *values[31:]]})
        assert change == changes.Change("values[30]", "value-30", "else")

    def test_a_credential_that_somebody_wrote_into_a_header_is_masked(self) -> None:
        leaked = "sk-ant-" + content_revision("not a real key")
        (change,) = changes.changes({}, {"headers": {"x-api-key": leaked}})
        assert leaked not in str(change)


class TestOutcomeOfAnApproval:
    AWAITED = f"{REVISION}/1"

    def test_nothing_yet(self) -> None:
        assert approve.judge(subject(objects.awaiting()), self.AWAITED, "carol") is None

    def test_counted_when_it_is_on_record_and_the_rollout_went_on(self) -> None:
        assert approve.judge(subject(objects.weighing()), self.AWAITED, "carol") == approve.COUNTED

    def test_counted_when_it_is_on_record_but_the_pause_holds_the_step(self) -> None:
        state = objects.awaiting(approvals=[objects.approval(1, "carol")])
        assert approve.judge(subject(state), self.AWAITED, "carol") == approve.COUNTED

    def test_one_more_is_needed(self) -> None:
        state = objects.awaiting(authorUnknown=True, approvals=[objects.approval(1, "carol")])
        assert approve.judge(subject(state), self.AWAITED, "carol") == approve.ONE_MORE

    def test_ignored_only_when_it_is_about_this_person(self) -> None:
        ignored = {"approve": self.AWAITED, "by": "alice", "reason": "AuthorMayNotApprove", "message": "no"}
        state = objects.awaiting() | {"ignoredApproval": ignored}
        assert approve.judge(subject(state), self.AWAITED, "alice") == approve.IGNORED
        assert approve.judge(subject(state), self.AWAITED, "carol") is None

    def test_counted_when_the_rollout_has_ended_since(self) -> None:
        entry = objects.ended("Promoted", approvals=[objects.approval(1, "carol")])
        assert approve.judge(subject(objects.idle() | {"history": [entry]}), self.AWAITED, "carol") == approve.COUNTED

    def test_moved_on_when_it_was_superseded_before(self) -> None:
        state = objects.idle() | {"history": [objects.ended("Superseded")]}
        assert approve.judge(subject(state), self.AWAITED, "carol") == approve.MOVED_ON
