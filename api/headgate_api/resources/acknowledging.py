"""A person's recorded opt-in, wherever a spec asks for one: the API server sees to it that it is their own."""

from pydantic import Field

from headgate_api import acknowledgement
from headgate_api.resources.base import KubeModel, Moment


class Acknowledgement(KubeModel):
    """A person's recorded opt-in. The API server refuses it unless ``by`` is the user who makes the request."""

    by: str = Field(min_length=1, max_length=512, description="The user name of the person who opts in: your own.")
    at: Moment = Field(description="When.")
    text_version: str = Field(description=f"The version of the text acknowledged; now {acknowledgement.TEXT_VERSION}.")

    @property
    def current(self) -> bool:
        """Tell whether the text has not changed since."""
        return self.text_version == acknowledgement.TEXT_VERSION
