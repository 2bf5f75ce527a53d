"""A local Slack over real sockets: what the unmodified slack-bolt and slack-sdk talk to.

    async with Slack() as slack:
        ...                                           # an app with SLACK_API_URL=slack.api_url
        ada = slack.person(ADA)
        said = await ada.say("@Frontdesk hello", SHARED)   # a message and its mention, until both are acknowledged
        await slack.shows(SHARED, said.ts, "Hello, Ada")   # what is on the screen of that thread

`world` knows what there is, `screen` what people see and what Slack refuses, `payloads` the shapes of what is sent to
an app, `delivery` the ways there (HTTP, Socket Mode), `api` the Web API, `people` what people do, `faults` what goes
wrong, `server` the sockets. What Slack would refuse without a fault being asked for stands in `Slack.refused` and
raises when the server is left.

Shapes and rules are taken from Slack's reference (docs.slack.dev), the SDK's own models (slack_sdk/models) and the
payloads that bolt-python records in its tests; each function says which. Where Slack does not say what happens, the
harder of the possible answers is played.
"""

from tests.servers.slack.faults import Fault, Gate
from tests.servers.slack.people import Somebody
from tests.servers.slack.server import Slack
from tests.servers.slack.world import (
    ADA,
    BEN,
    BOT,
    HOME,
    OTHER_BOT,
    PLAIN,
    ROBIN,
    SHARED,
    TEAM,
    Channel,
    Member,
    Message,
)

__all__ = [
    "ADA",
    "BEN",
    "BOT",
    "HOME",
    "OTHER_BOT",
    "PLAIN",
    "ROBIN",
    "SHARED",
    "TEAM",
    "Channel",
    "Fault",
    "Gate",
    "Member",
    "Message",
    "Slack",
    "Somebody",
]
