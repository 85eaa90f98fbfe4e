"""What is a change of a provider with its accounts, and what takes effect at once."""

import pytest

from headgate_api.resources import SubscriptionAccount
from headgate_api.resources.llmprovider import CredentialStatus, FormerGrant
from headgate_operator.revisions.bundles import Form, account_form, content_of, laid_over, provider_bundle, recognised
from headgate_operator.revisions.settled import unsettled

from .things import account, provider

PROFILE = {"tokenEndpoint": "https://auth.vendor.example/token", "clientId": "not-a-real-client"}
ACKNOWLEDGED = {"by": "ada", "at": "2026-01-01T00:00:00Z", "textVersion": "1"}


def revision(*accounts: SubscriptionAccount, version: int = 1) -> str:
    return provider_bundle(provider(version=version), accounts).revision


@pytest.mark.parametrize(
    "other",
    [
        account(suspend=True),
        account(acknowledgement=ACKNOWLEDGED),
        account(deletionPolicy="Revoke"),
        account(oauth=PROFILE),
        account(version=7),
    ],
    ids=["suspended", "acknowledged", "to be revoked", "renewed by another profile", "refreshed"],
)
def test_what_takes_effect_at_once_is_no_change(other: SubscriptionAccount) -> None:
    assert revision(other) == revision(account())


@pytest.mark.parametrize(
    "other",
    [account(grant="another"), account(labels={"tier": "max"}), account(priority=3)],
    ids=["grant", "labels", "spec"],
)
def test_another_grant_label_or_spec_of_an_account_is_a_change(other: SubscriptionAccount) -> None:
    assert revision(other) != revision(account())


def test_a_new_key_is_a_change_like_any_other() -> None:
    assert revision(version=2) != revision(version=1)


def test_a_kept_form_is_suspended_with_the_live_account_and_follows_its_refreshes() -> None:
    old = content_of(account_form(account(priority=1)))
    now = laid_over(old, account(priority=2, suspend=True, oauth=PROFILE, version=5))
    assert (now.spec.priority, now.spec.suspend) == (1, True)
    assert now.spec.oauth is not None
    assert now.access is not None
    assert now.access.version == 5


def test_a_kept_form_of_another_grant_keeps_that_grants_version() -> None:
    old = content_of(account_form(account(grant="old", version=3)))
    now = laid_over(old, account(grant="new", version=4))
    assert now.access is not None
    assert now.access.version == 3


def test_a_kept_form_of_a_replaced_grant_goes_on_with_the_newest_version_of_that_grant() -> None:
    old = content_of(account_form(account(grant="old", version=3)))
    live = account(grant="new", version=9)
    replaced = CredentialStatus(version=9, grant_id="new", former_grants=(FormerGrant(grant_id="old", version=8),))
    now = laid_over(old, live.model_copy(update={"status": live.status.model_copy(update={"credential": replaced})}))
    assert now.access is not None
    assert now.access.version == 8


def test_no_form_goes_on_with_a_grant_that_its_owner_revoked_and_each_says_so() -> None:
    old = content_of(account_form(account(grant="old", version=3)))
    live = account()
    credential = CredentialStatus(revoked_grants=("old",))
    gone = live.model_copy(update={"status": live.status.model_copy(update={"credential": credential})})
    since = content_of(account_form(gone))
    for form in (account_form(gone), laid_over(old, gone), laid_over(since, gone)):
        assert (form.access, form.revoked) == (None, True)


def test_deleting_an_account_is_no_change_but_adding_one_is() -> None:
    both = provider_bundle(provider(), [account("ada"), account("bob")])
    known = [Form("kept", both)]
    assert recognised(provider_bundle(provider(), [account("ada")]), known) == "kept"
    three = provider_bundle(provider(), [account("ada"), account("bob"), account("eve")])
    assert recognised(three, known) == three.revision


def test_content_that_a_later_build_hashes_otherwise_is_the_same() -> None:
    bundle = provider_bundle(provider(), [])
    hashed = bundle.model_copy(update={"provider": bundle.provider.model_copy(update={"revision": "of another build"})})
    assert recognised(bundle, [Form("kept", hashed)]) == "kept"


def test_a_status_behind_its_spec_is_not_settled() -> None:
    assert unsettled(provider(generation=2, observed=1), []) is not None
    assert unsettled(provider(generation=2, observed=2), [account()]) is None


def test_an_import_that_another_secret_is_waiting_for_is_not_settled() -> None:
    waiting = provider().model_dump(mode="json", by_alias=True)
    waiting["spec"]["auth"]["apiKey"] = {"importSecretRef": {"name": "second", "key": "value"}}
    waiting["status"]["apiKey"]["importedFrom"] = "first/value"
    said = unsettled(type(provider()).from_wire(waiting), [])
    assert said is not None
    assert "second/value" in said
