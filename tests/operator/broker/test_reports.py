"""What is remembered of proxies' reports, and whom news concerns."""

from datetime import UTC, datetime, timedelta

from headgate_api.clock import ManualClock
from headgate_api.reasons import AuthMode, SkipReason
from headgate_api.report import SILENT_AFTER_SECONDS, CredentialObservation, FallbackObservation, ProxyReport
from headgate_operator.broker.reports import Reports
from headgate_operator.engine.keys import Key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FLEET = Key("ProxyFleet", "headgate-system", "default")
ACCOUNT = Key("SubscriptionAccount", "team", "alice")
PROVIDER = Key("LLMProvider", "team", "claude")
PATH = "team/subscriptionaccounts/alice/access"


def seen(valid: bool, *, at: datetime = NOW, version: int = 1) -> CredentialObservation:
    return CredentialObservation(path=PATH, version=version, valid=valid, at=at)


def fallback(at: datetime = NOW) -> FallbackObservation:
    return FallbackObservation(
        namespace="team",
        provider="claude",
        from_mode=AuthMode.SUBSCRIPTION,
        to_mode=AuthMode.API_KEY,
        reason=SkipReason.REVOKED,
        at=at,
    )


def report(
    pod: str = "p1",
    revision: str | None = "r1",
    credentials: tuple[CredentialObservation, ...] = (),
    fallbacks: tuple[FallbackObservation, ...] = (),
) -> ProxyReport:
    return ProxyReport(fleet="default", pod=pod, revision=revision, credentials=credentials, fallbacks=fallbacks)


def reports() -> tuple[Reports, ManualClock]:
    clock = ManualClock(NOW)
    return Reports(clock), clock


def test_only_news_touches_anything() -> None:
    made, _ = reports()
    later = NOW + timedelta(seconds=5)
    assert made.accept(report(), "headgate-system") == {FLEET}
    assert made.accept(report(), "headgate-system") == set()
    assert made.accept(report(credentials=(seen(True),)), "headgate-system") == {ACCOUNT}
    assert made.accept(report(credentials=(seen(True, at=later),)), "headgate-system") == set()
    assert made.accept(report(credentials=(seen(False, at=later),)), "headgate-system") == {ACCOUNT}


def test_a_fallback_that_ends_is_news_too() -> None:
    made, _ = reports()
    made.accept(report(), "headgate-system")
    assert made.accept(report(fallbacks=(fallback(),)), "headgate-system") == {PROVIDER}
    assert made.fallbacks("team", "claude") == (fallback(),)
    assert made.accept(report(), "headgate-system") == {PROVIDER}
    assert made.fallbacks("team", "claude") == ()


def test_the_newest_word_on_a_credential_version_counts_and_other_versions_do_not() -> None:
    made, _ = reports()
    later = NOW + timedelta(seconds=5)
    made.accept(report("p1", credentials=(seen(True, at=later),)), "headgate-system")
    made.accept(report("p2", credentials=(seen(False),)), "headgate-system")
    assert made.credential(PATH, 1) == seen(True, at=later)
    assert made.credential(PATH, 2) is None


def test_the_word_of_a_silent_proxy_no_longer_counts() -> None:
    made, clock = reports()
    made.accept(report("p1", credentials=(seen(False),)), "headgate-system")
    clock.advance(SILENT_AFTER_SECONDS + 1)
    assert made.revisions("default") == {}
    assert made.credential(PATH, 1) is None


def test_pods_that_exist_no_more_are_forgotten() -> None:
    made, _ = reports()
    made.accept(report("p1"), "headgate-system")
    made.accept(report("p2"), "headgate-system")
    made.retain("default", ["p2"])
    assert made.revisions("default") == {"p2": "r1"}
