"""The commands against a real API server, as real users; the operator's part is played by writing its status."""

import argparse
import io
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headgate_api import names
from headgate_cli.cluster.api import Api
from headgate_cli.cluster.connect import Where
from headgate_cli.console import Console
from headgate_cli.main import main
from headgate_cli.rollout import approve, status
from headgate_cli.view.style import Style

from . import objects
from .guarded import Guarded

AWAITED = f"{objects.REVISION}/1"


def answering(guarded: Guarded, annotation: str, status_of: Callable[[str], dict[str, Any]]) -> threading.Thread:
    """Play the operator: once the annotation is there, write the status that follows from the annotated-by user."""

    def play() -> None:
        deadline = time.monotonic() + 30
        while annotation not in (found := guarded.annotations()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        guarded.write(status_of(found.get(names.ANNOTATION_APPROVED_BY, "")))

    thread = threading.Thread(target=play)
    thread.start()
    return thread


def test_status_shows_the_policy_as_it_stood_when_the_rollout_began(
    guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    shorter = json.dumps({"spec": {"steps": [{"weight": 100}], "targets": [{"name": "anthropic"}]}})
    guarded.cluster.kubectl(
        "patch", "rolloutpolicy/careful", "-n", guarded.namespace, "--type=merge", f"--patch={shorter}"
    )
    assert guarded.run("status", "careful") == 0
    out = capsys.readouterr().out
    assert "● 1   approval" in out
    assert "○ 3   weight 25 %" in out


def test_status_as_json_is_one_object_for_one_policy_and_items_for_several(
    guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded.run("status", "careful", "-o", "json") == 0
    one = json.loads(capsys.readouterr().out)
    assert (one["name"], one["awaited"]["approve"]) == ("careful", AWAITED)
    assert guarded.run("status", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == {"items": [one]}
    assert guarded.run("status", "-A") == 0
    assert f"{guarded.namespace}   careful" in capsys.readouterr().out


def test_watch_shows_what_changed_and_nothing_else(guarded: Guarded) -> None:
    class EnoughError(Exception):
        pass

    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            guarded.write(objects.weighing())
        if len(looks) == 4:
            raise EnoughError

    out = io.StringIO()
    console = Console(out, io.StringIO(), Style(), clock=guarded.clock, sleep=sleep)
    arguments = argparse.Namespace(policy="careful", all_namespaces=False, watch=True, namespace=guarded.namespace)
    with Api.connect(Where(str(guarded.cluster.kubeconfig))) as api, pytest.raises(EnoughError):
        status.run(arguments, api, console)
    assert [out.getvalue().count(reason) for reason in ("reason   AwaitingApproval", "reason   Analysing")] == [1, 1]


def test_a_policy_that_is_not_there_is_a_sentence(guarded: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded.run("status", "carefull") == 1
    assert f"there is no RolloutPolicy carefull in namespace {guarded.namespace}" in capsys.readouterr().err


def test_a_command_line_without_sense_ends_with_2(guarded: Guarded) -> None:
    assert guarded.run("status", "careful", "-A") == 2
    with pytest.raises(SystemExit) as end:
        guarded.run("approve")
    assert end.value.code == 2


def test_no_cluster_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--kubeconfig", str(tmp_path / "none")]) == 1
    assert "name a kubeconfig file with --kubeconfig" in capsys.readouterr().err


class TestApprove:
    def test_it_shows_the_change_and_sets_revision_step_and_the_users_own_name(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        carol = guarded.person("carol", "get", "patch")
        operator = answering(guarded, names.ANNOTATION_APPROVE, _counted)
        assert guarded.run("approve", "careful", "--revision", AWAITED, "--wait", "20") == 0
        operator.join()
        out = capsys.readouterr().out
        assert "look at: the tester's answers" in out
        assert "provider.spec.headers.x-team\n      + team-a" in out
        assert "provider.apiKey.version\n      - 3\n      + 4" in out
        assert "opens: 5 % → 25 %" in out
        assert f"approved {AWAITED}; it is at step 2 now: Analysing" in out
        assert guarded.annotations()[names.ANNOTATION_APPROVED_BY] == "headgate-dev-admin"
        guarded.write(objects.awaiting())
        assert guarded.run("approve", "careful", "--yes", "--wait", "0", kubeconfig=carol) == 0
        out = capsys.readouterr().out
        assert "its revisions cannot be read (you may lack get on controllerrevisions.apps)" in out
        assert "has not taken it up within 0 s" in out
        assert guarded.annotations()[names.ANNOTATION_APPROVED_BY] == f"carol-{guarded.namespace}"

    def test_an_approval_that_the_operator_ignores_fails_with_the_reason(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def ignored(by: str) -> dict[str, Any]:
            why = {"approve": AWAITED, "by": by, "reason": "AuthorMayNotApprove", "message": "they made the change"}
            return objects.awaiting() | {"ignoredApproval": why}

        operator = answering(guarded, names.ANNOTATION_APPROVE, ignored)
        assert guarded.run("approve", "careful", "--yes", "--wait", "20", "-o", "json") == 1
        operator.join()
        out = json.loads(capsys.readouterr().out)
        assert (out["approve"], out["outcome"]) == (AWAITED, "Ignored")
        assert "AuthorMayNotApprove, they made the change" in out["message"]

    def test_the_first_of_two_approvals_says_that_one_is_missing_and_does_not_count_twice(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        guarded.write(objects.awaiting(authorUnknown=True))
        operator = answering(
            guarded,
            names.ANNOTATION_APPROVE,
            lambda by: objects.awaiting(authorUnknown=True, approvals=[objects.approval(1, by)]),
        )
        assert guarded.run("approve", "careful", "--yes", "--wait", "20") == 0
        operator.join()
        assert "one more person must approve it" in capsys.readouterr().out
        assert guarded.run("approve", "careful", "--yes") == 1
        assert "have approved" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            (objects.idle(), "no rollout is under way"),
            (objects.idle() | {"rejected": objects.CONTENT}, "`release` tries it again"),
            (objects.weighing(), "is at step 2 (Weight), Analysing. it goes on by itself"),
            (
                objects.awaiting() | {"step": objects.step(0, "Approval", "CandidateNotReady")},
                "is at step 0 (Approval), CandidateNotReady. it goes on by itself",
            ),
        ],
    )
    def test_where_nothing_is_awaited_it_says_why(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str], state: dict[str, Any], said: str
    ) -> None:
        guarded.write(state)
        assert guarded.run("approve", "careful", "--yes") == 1
        assert said in capsys.readouterr().err
        assert guarded.annotations() == {}

    def test_another_revision_than_the_awaited_one_is_refused(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert guarded.run("approve", "careful", "--revision", f"{objects.REVISION}/4") == 1
        assert f"awaits {AWAITED}, not {objects.REVISION}/4" in capsys.readouterr().err
        assert guarded.annotations() == {}

    def test_without_a_terminal_consent_must_be_on_the_command_line(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert guarded.run("approve", "careful") == 2
        assert f"--revision {AWAITED}" in capsys.readouterr().err
        assert guarded.annotations() == {}

    @pytest.mark.parametrize(("answer", "exit_status"), [("y\n", 0), ("n\n", 1), ("", 1)])
    def test_on_a_terminal_it_asks(self, guarded: Guarded, answer: str, exit_status: int) -> None:
        asked: list[str] = []

        def ask(question: str) -> str:
            asked.append(question)
            return answer

        console = Console(io.StringIO(), io.StringIO(), Style(), ask=ask)
        arguments = _approving(guarded)
        with Api.connect(Where(str(guarded.cluster.kubeconfig))) as api:
            if exit_status == 0:
                assert approve.run(arguments, api, console) == 0
            else:
                with pytest.raises(Exception, match="nothing was approved"):
                    approve.run(arguments, api, console)
        assert asked == [f"Approve {AWAITED}? [y/N] "]
        assert (names.ANNOTATION_APPROVE in guarded.annotations()) == (exit_status == 0)

    def test_a_rollout_that_was_superseded_between_question_and_answer_is_not_approved(self, guarded: Guarded) -> None:
        def ask(_: str) -> str:
            newer = objects.awaiting()
            newer["rollout"]["revision"] = newer["canaryRevision"] = "9" * 12 + "-4"
            guarded.write(newer)
            return "y"

        console = Console(io.StringIO(), io.StringIO(), Style(), ask=ask)
        arguments = _approving(guarded)
        with (
            Api.connect(Where(str(guarded.cluster.kubeconfig))) as api,
            pytest.raises(Exception, match="moved on while you decided"),
        ):
            approve.run(arguments, api, console)
        assert guarded.annotations() == {}

    def test_verdicts_that_arrive_between_question_and_answer_do_not_matter(self, guarded: Guarded) -> None:
        def ask(_: str) -> str:
            guarded.write(objects.awaiting() | {"verdicts": objects.weighing()["verdicts"]})
            return "yes"

        console = Console(io.StringIO(), io.StringIO(), Style(), ask=ask)
        arguments = _approving(guarded)
        with Api.connect(Where(str(guarded.cluster.kubeconfig))) as api:
            assert approve.run(arguments, api, console) == 0
        assert guarded.annotations()[names.ANNOTATION_APPROVE] == AWAITED

    def test_an_approval_that_was_set_too_early_is_set_anew(self, guarded: Guarded) -> None:
        early = {"approve": AWAITED, "by": "headgate-dev-admin", "reason": "WrongStep", "message": "too early"}
        for annotation, value in ((names.ANNOTATION_APPROVE, AWAITED), (names.ANNOTATION_APPROVED_BY, early["by"])):
            where = ("rolloutpolicy/careful", "-n", guarded.namespace)
            guarded.cluster.kubectl("annotate", *where, f"{annotation}={value}")
        guarded.write(objects.awaiting() | {"ignoredApproval": early})

        def play() -> None:
            deadline = time.monotonic() + 30
            while names.ANNOTATION_APPROVE in guarded.annotations():
                assert time.monotonic() < deadline
            guarded.write(objects.awaiting())
            answering(guarded, names.ANNOTATION_APPROVE, _counted).join()

        operator = threading.Thread(target=play)
        operator.start()
        assert guarded.run("approve", "careful", "--yes", "--wait", "20") == 0
        operator.join()

    def test_what_the_api_server_refuses_is_said_as_a_sentence(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        reader = guarded.person("reader", "get")
        assert guarded.run("approve", "careful", "--yes", kubeconfig=reader) == 1
        err = capsys.readouterr().err
        assert f'User "reader-{guarded.namespace}" cannot patch resource "rolloutpolicies"' in err
        assert "Traceback" not in err

    def test_impersonation_approves_as_the_other(self, guarded: Guarded) -> None:
        guarded.person("carol", "get", "patch")
        carol = f"carol-{guarded.namespace}"
        assert guarded.run("approve", "careful", "--yes", "--wait", "0", "--as", carol) == 0
        assert guarded.annotations()[names.ANNOTATION_APPROVED_BY] == carol


def _approving(guarded: Guarded) -> argparse.Namespace:
    return argparse.Namespace(policy="careful", namespace=guarded.namespace, yes=False, revision=None, wait=0.0)


def _counted(by: str) -> dict[str, Any]:
    state = objects.weighing()
    state["rollout"]["approvals"] = [objects.approval(1, by)]
    return state


class TestAbort:
    def test_it_names_the_rollout_and_tells_how_it_ended(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        operator = answering(
            guarded, names.ANNOTATION_ABORT, lambda _: objects.idle() | {"history": [objects.ended("Aborted")]}
        )
        assert guarded.run("abort", "careful", "--wait", "20", "-o", "json") == 0
        operator.join()
        assert json.loads(capsys.readouterr().out)["outcome"] == "Aborted"
        assert guarded.annotations()[names.ANNOTATION_ABORT] == objects.REVISION

    def test_a_rollout_that_ended_otherwise_before_is_no_success(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        operator = answering(
            guarded, names.ANNOTATION_ABORT, lambda _: objects.idle() | {"history": [objects.ended("Promoted")]}
        )
        assert guarded.run("abort", "careful", "--wait", "20") == 1
        operator.join()
        assert "ended before it could be aborted: Promoted" in capsys.readouterr().out

    def test_there_must_be_something_to_abort_and_it_must_be_the_one_named(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert guarded.run("abort", "careful", "--revision", "other-1") == 1
        assert f"has {objects.REVISION} under way, not other-1" in capsys.readouterr().err
        guarded.write(objects.idle())
        assert guarded.run("abort", "careful") == 1
        assert "nothing to abort" in capsys.readouterr().err
        assert guarded.annotations() == {}


class TestPauseAndResume:
    def test_a_pause_says_by_whom_and_resume_takes_it_away(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert guarded.run("pause", "careful") == 0
        assert guarded.annotations()[names.ANNOTATION_PAUSE] == "paused by headgate-dev-admin"
        assert guarded.run("resume", "careful") == 0
        assert guarded.annotations() == {}
        capsys.readouterr()
        assert guarded.run("resume", "careful") == 1
        assert "is not paused" in capsys.readouterr().err

    def test_what_analysis_paused_is_resumed_only_when_asked_expressly(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        guarded.write(_held_by_failure("PausedOnFailure"))
        assert guarded.run("resume", "careful") == 1
        assert "paused by its analysis" in capsys.readouterr().err
        assert guarded.annotations() == {}
        operator = answering(guarded, names.ANNOTATION_PAUSE, lambda _: _held_by_failure("Paused"))
        assert guarded.run("resume", "careful", "--anyway", "--wait", "20") == 0
        operator.join()
        assert guarded.annotations() == {}

    def test_a_hold_that_the_operator_does_not_hand_over_stays(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        guarded.write(_held_by_failure("PausedOnFailure"))
        assert guarded.run("resume", "careful", "--anyway", "--wait", "0.3") == 1
        assert "does not show Paused within 0.3 s" in capsys.readouterr().err


def _held_by_failure(shown: str) -> dict[str, Any]:
    state = objects.weighing()
    state["rollout"]["heldByFailure"] = True
    state["conditions"].append(objects.condition("Paused", "True", shown))
    return state


class TestRelease:
    def test_a_policys_withdrawn_content_is_named(self, guarded: Guarded) -> None:
        guarded.write(objects.idle() | {"rejected": objects.CONTENT})
        assert guarded.run("release", "careful", "--revision", "0" * 12) == 1
        assert guarded.annotations() == {}
        assert guarded.run("release", "careful") == 0
        assert guarded.annotations() == {names.ANNOTATION_RELEASE: objects.CONTENT}

    def test_content_that_was_released_and_withdrawn_again_is_released_anew(self, guarded: Guarded) -> None:
        where = ("rolloutpolicy/careful", "-n", guarded.namespace)
        guarded.cluster.kubectl("annotate", *where, f"{names.ANNOTATION_RELEASE}={objects.CONTENT}")
        guarded.write(objects.idle() | {"rejected": objects.CONTENT, "released": objects.CONTENT})
        removed: list[bool] = []

        def play() -> None:
            deadline = time.monotonic() + 30
            while names.ANNOTATION_RELEASE in guarded.annotations():
                assert time.monotonic() < deadline
            removed.append(True)
            guarded.write(objects.idle() | {"rejected": objects.CONTENT})

        operator = threading.Thread(target=play)
        operator.start()
        assert guarded.run("release", "careful") == 0
        operator.join()
        assert removed
        assert guarded.annotations() == {names.ANNOTATION_RELEASE: objects.CONTENT}

    def test_held_content_of_a_provider_is_named_as_its_condition_says(
        self, guarded: Guarded, capsys: pytest.CaptureFixture[str]
    ) -> None:
        provider = {"kind": "LLMProvider", "metadata": {"name": "anthropic", "namespace": guarded.namespace}}
        spec = {
            "protocol": "Anthropic",
            "endpoint": "https://api.anthropic.com",
            "models": [{"name": "claude-test"}],
            "auth": {"modes": ["APIKey"], "apiKey": {}},
        }
        guarded.cluster.apply({"apiVersion": "headgate.dev/v1alpha1", **provider, "spec": spec})
        assert guarded.run("release", "llmprovider/anthropic") == 1
        assert "RolloutPolicy careful guards LLMProvider" in capsys.readouterr().err
        guarded.cluster.kubectl("delete", "rolloutpolicy/careful", "-n", guarded.namespace)
        assert guarded.run("release", "llmprovider/anthropic") == 1
        assert "holds nothing back" in capsys.readouterr().err
        message = f"revert the spec, or release it: annotate it {names.ANNOTATION_RELEASE}={objects.CONTENT}"
        held = {"conditions": [objects.condition("Stable", "False", "CandidateHeld", message)]}
        guarded.write(held, "anthropic", "llmprovider")
        assert guarded.run("release", "llmprovider/anthropic") == 0
        assert guarded.annotations("llmprovider/anthropic")[names.ANNOTATION_RELEASE] == objects.CONTENT

    def test_other_kinds_are_no_subject(self, guarded: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
        assert guarded.run("release", "consumer/x") == 2
        assert "llmprovider/NAME" in capsys.readouterr().err


def test_explain_and_history_speak_in_both_forms(guarded: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded.run("explain", "careful") == 0
    assert f"approve careful -n {guarded.namespace} --revision {AWAITED}" in capsys.readouterr().out
    assert guarded.run("explain", "careful", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["holds"][0]["reason"] == "AwaitingApproval"
    guarded.write(objects.idle() | {"history": [objects.ended("Promoted")]})
    assert guarded.run("history", "careful") == 0
    assert "Promoted" in capsys.readouterr().out
    assert guarded.run("history", "careful", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["history"][0]["outcome"] == "Promoted"
