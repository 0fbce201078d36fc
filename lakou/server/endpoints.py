"""Every endpoint and what each role is answered there: the expectation that tests drive through the running product.

A row is a method, a path and a status for each of `COLUMNS`. Paths of pages are Django's; `{public}` and `{restricted}`
are entities that the column `device` has made, the second one restricted; `{property}` stands for each property of
the entity. `form` says more where one address takes or tells several things. docs/reference/matrix.md tells how the
matrix is driven: tests/server/test_endpoints.py fails for a route that has no row, for a cell that does not hold and
for one that was not asked. docs/reference/rights.md is written from here.

Beside the methods of HTTP and the packets of MQTT (PUBLISH, SUBSCRIBE, …, each over TCP and WebSocket) there are
UPGRADE (to a WebSocket), FIND (1 when an entity is in the set, else 0) and HEAR (1 when the subscriber is told of
`form`, else 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from lakou.identity.policy import Action, Kind

PEOPLE = (
    "anonymous", "citizen", "observer", "device_owner", "data_steward", "duty_officer", "approver", "administrator",
    "foreign",
)  # fmt: skip
"""`foreign` is the administrator of another organisation; the others hold their role in that of the site, the device's,
and have entered by a printed code, which counts as a second factor. On the data plane a session counts for nothing."""
TOKENS = ("device", "other", "scoped", "agent", "admin", "forged")
"""`other` belongs to another organisation, `scoped` was given the public Datastream, `forged` is no token, or none any
more: a wrong secret, one that has expired, one that was revoked."""
COLUMNS = (*PEOPLE, *TOKENS)

SETS = (
    "Things", "Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams", "Sensors", "ObservedProperties",
    "Observations", "FeaturesOfInterest",
)  # fmt: skip
LINKS = {
    "Things": ("Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams"),
    "Locations": ("Things", "HistoricalLocations"),
    "HistoricalLocations": ("Thing", "Locations"),
    "Datastreams": ("Thing", "Sensor", "ObservedProperty", "Observations"),
    "MultiDatastreams": ("Thing", "Sensor", "ObservedProperties", "Observations"),
    "Sensors": ("Datastreams", "MultiDatastreams"),
    "ObservedProperties": ("Datastreams", "MultiDatastreams"),
    "Observations": ("Datastream", "MultiDatastream", "FeatureOfInterest"),
    "FeaturesOfInterest": ("Observations",),
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row. `action` and `kind` are what the policy is asked; `statuses` are in the order of `COLUMNS`.

    `form` is the form of the body, the part of a batch, or what is told of.
    """

    method: str
    path: str
    action: Action
    kind: Kind
    statuses: tuple[int, ...]
    form: str = ""

    def status(self, column: str) -> int:
        """What this column is answered."""
        return self.statuses[COLUMNS.index(column)]


def _row(method: str, path: str, action: Action, kind: Kind, people: str, tokens: str, form: str = "") -> Endpoint:
    statuses = tuple(int(word) for word in f"{people} {tokens}".split())
    if len(statuses) != len(COLUMNS):
        raise ValueError(f"{method} {path} has {len(statuses)} cells")
    return Endpoint(method, path, action, kind, statuses, form)


_A, _K = Action, Kind
_DATA = "/sta/v1.1"
#                anon citi obse owne stew duty appr admi fore
_ALL_PEOPLE = "  200  200  200  200  200  200  200  200  200"
_THEIR_OWN = "   404  404  200  200  200  200  200  200  404"
_STRANGERS = "   401  401  401  401  401  401  401  401  401"
_NO_ONE = "      404  404  404  404  404  404  404  404  404"
_SITE_ADMINS = " 401  403  403  403  403  403  403  200  403"
#                devi othe scop agen admi forg
_ALL_TOKENS = "  200  200  200  200  200  401"
_WHO_SEES = "    200  404  404  404  200  401"
_CREATORS = "    201  201  403  201  201  401"
_TO_NONE = "     404  404  404  404  404  401"
_OBSERVERS = "   201  403  201  201  201  401"
_MAKERS_UNDER_ONE = "201 403 403 201 201 401"
_MAKERS_UNDER_HIDDEN = "201 404 404 404 201 401"
_CHANGERS = "    200  403  403  200  200  401"
_HIDDEN = "      200  404  404  404  200  401"


def _of_set(name: str) -> tuple[Endpoint, ...]:
    """The rows of one entity set."""
    kind = _K.OBSERVATION if name == "Observations" else _K.ENTITY
    path, one, hidden = f"{_DATA}/{name}", f"{_DATA}/{name}({{public}})", f"{_DATA}/{name}({{restricted}})"
    of_one, of_hidden = f"{path}?$filter=id eq {{public}}", f"{path}?$filter=id eq {{restricted}}"
    create = _A.OBSERVE if kind is _K.OBSERVATION else _A.CREATE
    # An Observation goes to the public Datastream, which is the device's; the scoped token was given it.
    makers = _OBSERVERS if kind is _K.OBSERVATION else _CREATORS
    return (
        _row("GET", path, _A.READ, kind, _ALL_PEOPLE, _ALL_TOKENS),
        _row("GET", f"{path}/$count", _A.READ, kind, _ALL_PEOPLE, _ALL_TOKENS),
        _row("GET", f"{path}/$ref", _A.READ, kind, _ALL_PEOPLE, _ALL_TOKENS),
        _row("FIND", of_one, _A.READ, kind, "1 " * 9, "1 1 1 1 1 401"),
        _row("FIND", of_hidden, _A.READ, kind, "0 " * 9, "1 0 0 0 1 401"),
        _row("GET", one, _A.READ, kind, _ALL_PEOPLE, _ALL_TOKENS),
        _row("HEAD", one, _A.READ, kind, _ALL_PEOPLE, _ALL_TOKENS),
        _row("GET", f"{one}/$ref", _A.READ, kind, _ALL_PEOPLE, _ALL_TOKENS),
        _row("GET", f"{one}/{{property}}", _A.READ, kind, _ALL_PEOPLE, _ALL_TOKENS),
        _row("GET", f"{one}/{{property}}/$value", _A.READ, kind, _ALL_PEOPLE, _ALL_TOKENS),
        _row("GET", hidden, _A.READ, kind, _NO_ONE, _WHO_SEES),
        _row("HEAD", hidden, _A.READ, kind, _NO_ONE, _WHO_SEES),
        _row("GET", f"{hidden}/$ref", _A.READ, kind, _NO_ONE, _WHO_SEES),
        _row("GET", f"{hidden}/{{property}}", _A.READ, kind, _NO_ONE, _WHO_SEES),
        _row("GET", f"{hidden}/{{property}}/$value", _A.READ, kind, _NO_ONE, _WHO_SEES),
        *chain.from_iterable(_of_link(name, link) for link in LINKS[name]),
        _row("POST", path, create, kind, _STRANGERS, makers),
        _row("PATCH", one, _A.CHANGE, kind, _STRANGERS, _CHANGERS),
        _row("PATCH", hidden, _A.CHANGE, kind, _STRANGERS, _HIDDEN),
        _row("PATCH", one, _A.CHANGE, kind, _STRANGERS, _CHANGERS, "JSON Patch"),
        _row("PATCH", hidden, _A.CHANGE, kind, _STRANGERS, _HIDDEN, "JSON Patch"),
        _row("PUT", one, _A.CHANGE, kind, _STRANGERS, _CHANGERS),
        _row("PUT", hidden, _A.CHANGE, kind, _STRANGERS, _HIDDEN),
        # What is not seen is not found either: nothing is deleted, and that is all there is to say.
        _row("DELETE", of_hidden, _A.DELETE, kind, _STRANGERS, "200 200 200 200 200 401"),
        _row("DELETE", of_one, _A.DELETE, kind, _STRANGERS, _CHANGERS),
        _row("DELETE", hidden, _A.DELETE, kind, _STRANGERS, _HIDDEN),
        _row("DELETE", one, _A.DELETE, kind, _STRANGERS, _CHANGERS),
    )


def _changing(one: str, hidden: str, kind: Kind, changers: str, hidden_changers: str) -> tuple[Endpoint, ...]:
    """The rows of changing and deleting what a path through a link leads to."""
    return tuple(
        _row(method, path, _A.DELETE if method == "DELETE" else _A.CHANGE, kind, _STRANGERS, tokens)
        for method in ("PATCH", "PUT", "DELETE")
        for path, tokens in ((one, changers), (hidden, hidden_changers))
    )


_NOT_LINKED = (
    ("MultiDatastreams", "ObservedProperties"), ("MultiDatastreams", "Observations"), ("Sensors", "MultiDatastreams"),
    ("ObservedProperties", "MultiDatastreams"),
)  # fmt: skip
"""Through these no key leads from one entity of the matrix to another one: the MultiDatastream has its own."""


def _of_link(name: str, link: str) -> tuple[Endpoint, ...]:
    """The rows of a navigation link of an entity: what is seen through it, and what is made there."""
    one, hidden = f"{_DATA}/{name}({{public}})/{link}", f"{_DATA}/{name}({{restricted}})/{link}"
    kind = _K.OBSERVATION if link == "Observations" else _K.ENTITY
    seen, unseen = _ALL_TOKENS, _WHO_SEES
    all_people = _ALL_PEOPLE
    if (name, link) == ("Observations", "MultiDatastream"):  # these are of a Datastream
        seen, unseen, all_people = _TO_NONE, _TO_NONE, _NO_ONE
    rows = (
        _row("GET", one, _A.READ, kind, all_people, seen),
        _row("GET", f"{one}/$ref", _A.READ, kind, all_people, seen),
        _row("GET", hidden, _A.READ, kind, _NO_ONE, unseen),
        _row("GET", f"{hidden}/$ref", _A.READ, kind, _NO_ONE, unseen),
    )
    if link not in SETS:
        changers, hidden_changers = (_CHANGERS, _HIDDEN) if all_people is _ALL_PEOPLE else (unseen, unseen)
        return (*rows, *_changing(one, hidden, kind, changers, hidden_changers))
    makers, hidden_makers, create = _MAKERS_UNDER_ONE, _MAKERS_UNDER_HIDDEN, _A.CREATE
    if kind is _K.OBSERVATION:
        # A new Observation of a feature goes to the public Datastream.
        makers = _MAKERS_UNDER_ONE if name == "MultiDatastreams" else _OBSERVERS
        create = _A.OBSERVE
    if (name, link) == ("FeaturesOfInterest", "Observations"):  # the Datastream is looked at before the feature
        hidden_makers = "201 403 404 404 201 401"
    if {name, link} == {"MultiDatastreams", "ObservedProperties"}:  # they are set with the MultiDatastream alone
        makers = hidden_makers = "400 400 400 400 400 401"
    if (name, link) in _NOT_LINKED:
        all_people, seen, unseen, changers, hidden_changers = _NO_ONE, *[_TO_NONE] * 4
    else:
        changers, hidden_changers = _CHANGERS, _HIDDEN
    return (
        *rows,
        _row("GET", f"{one}({{public}})", _A.READ, kind, all_people, seen),
        _row("GET", f"{hidden}({{restricted}})", _A.READ, kind, _NO_ONE, unseen),
        *_changing(f"{one}({{public}})", f"{hidden}({{restricted}})", kind, changers, hidden_changers),
        _row("POST", one, create, kind, _STRANGERS, makers),
        _row("POST", hidden, create, kind, _STRANGERS, hidden_makers),
    )


_DATA_PLANE = (
    _row("GET", f"{_DATA}/", _A.READ, _K.SERVICE, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", _DATA, _A.READ, _K.SERVICE, _ALL_PEOPLE, _ALL_TOKENS),
    *chain.from_iterable(_of_set(name) for name in SETS),
    *(
        _row("GET", f"{_DATA}/{name}({{{which}}})/{link}?$resultFormat={form}", _A.EXPORT, kind, people, tokens)
        for which, people, tokens in (("public", _ALL_PEOPLE, _ALL_TOKENS), ("restricted", _NO_ONE, _WHO_SEES))
        for name, link, form, kind in (
            ("Datastreams", "Observations", "CSV", _K.OBSERVATION),
            ("Datastreams", "Observations", "dataArray", _K.OBSERVATION),
            ("Things", "Locations", "GeoJSON", _K.ENTITY),
        )
    ),
    *(
        _row("DELETE", f"{_DATA}/Datastreams({which})/Observations?$filter=id eq {which}", _A.DELETE, _K.OBSERVATION,
             _STRANGERS, tokens)
        for which, tokens in (("{public}", _CHANGERS), ("{restricted}", "200 200 200 200 200 401"))
    ),
    # Each line, row or part of these stands or falls alone: the status is that of the whole, which fails when all fail.
    _row("POST", f"{_DATA}/Observations", _A.OBSERVE, _K.OBSERVATION, _STRANGERS, "201 400 201 201 201 401", "NDJSON"),
    *(
        _row("POST", f"{_DATA}/Datastreams({{{which}}})/Observations", _A.OBSERVE, _K.OBSERVATION,
             _STRANGERS, tokens, "NDJSON")
        for which, tokens in (("public", "201 400 201 201 201 401"), ("restricted", "201 400 400 400 201 401"))
    ),
    *(
        _row("POST", f"{_DATA}/CreateObservations", _A.OBSERVE, _K.OBSERVATION,
             _STRANGERS, "201 201 201 201 201 401", f"Datastreams({{{which}}})")
        for which in ("public", "restricted")
    ),
    _row("POST", f"{_DATA}/$batch", _A.READ, _K.SERVICE, _ALL_PEOPLE, _ALL_TOKENS),
    # Of these the status is that of the part.
    *(
        _row("POST", f"{_DATA}/$batch", action, _K.ENTITY, people, tokens, part)
        for part, action, people, tokens in (
            ("part GET Things({restricted})", _A.READ, _NO_ONE, _WHO_SEES),
            ("part POST Things", _A.CREATE, _STRANGERS, _CREATORS),
            ("part PATCH Things({public})", _A.CHANGE, _STRANGERS, _CHANGERS),
            ("part PATCH Things({restricted})", _A.CHANGE, _STRANGERS, _HIDDEN),
            ("part DELETE Sensors({public})", _A.DELETE, _STRANGERS, _CHANGERS),
            ("part DELETE Sensors({restricted})", _A.DELETE, _STRANGERS, _HIDDEN),
            ("change set POST Things", _A.CREATE, _STRANGERS, _CREATORS),
            ("change set PATCH Things({restricted})", _A.CHANGE, _STRANGERS, _HIDDEN),
            ("multipart GET Things({restricted})", _A.READ, _NO_ONE, _WHO_SEES),
            ("multipart POST Things", _A.CREATE, _STRANGERS, _CREATORS),
            ("multipart PATCH Things({restricted})", _A.CHANGE, _STRANGERS, _HIDDEN),
        )
    ),
    _row("OPTIONS", f"{_DATA}/Things", _A.READ, _K.SERVICE, "204 " * 9, "204 " * 6),
    _row("GET", "/live", _A.LISTEN, _K.STREAM, _ALL_PEOPLE, _ALL_TOKENS),
    _row("HEAD", "/live", _A.LISTEN, _K.STREAM, _ALL_PEOPLE, _ALL_TOKENS),
    _row("OPTIONS", "/live", _A.LISTEN, _K.STREAM, "204 " * 9, "204 " * 6),
    *(
        _row("HEAR", f"/live{query}", _A.LISTEN, _K.STREAM, people, tokens, f"Datastreams({{{which}}})")
        for query in ("", "?datastream={public},{restricted}")
        for which, people, tokens in (("public", "1 " * 9, "1 1 1 1 1 401"), ("restricted", "0 " * 9, "1 0 0 0 1 401"))
    ),
)  # fmt: skip

# 0 is accepted; 0x86 (134) the password of a CONNECT is wrong; 0x87 (135) not authorised; 0x90 (144) no such topic;
# 0x9e (158) nothing is shared; 0xa2 (162) there are no wildcards.
_OVER_MQTT = "     0    135  0    0    0    134"
_HIDDEN_OVER_MQTT = "0    144  144  144  0    134"
_TO_ALL, _TO_WHO_SEES = "1 1 1 1 1 134", "1 0 0 0 1 134"
_MQTT = (
    # Nothing of a person's is a credential here: neither their address with the password, nor the key of a session.
    _row("CONNECT", "mqtt", _A.READ, _K.SERVICE, "0 134 134 134 134 134 134 134 134", "0 0 0 0 0 134"),
    # The will of who may write nothing is refused with the connection.
    _row("CONNECT", "mqtt", _A.OBSERVE, _K.OBSERVATION,
         "135 134 134 134 134 134 134 134 134", "0 0 0 0 0 134", "with a will"),
    # From here on people are strangers; over WebSocket the cookie of their session goes along.
    _row("PUBLISH", "v1.1/Observations", _A.OBSERVE, _K.OBSERVATION, "135 " * 9, _OVER_MQTT, "Datastreams({public})"),
    _row("PUBLISH", "v1.1/Observations", _A.OBSERVE, _K.OBSERVATION,
         "135 " * 9, _HIDDEN_OVER_MQTT, "Datastreams({restricted})"),
    _row("PUBLISH", "v1.1/Datastreams({public})/Observations", _A.OBSERVE, _K.OBSERVATION, "135 " * 9, _OVER_MQTT),
    _row("PUBLISH", "v1.1/Datastreams({restricted})/Observations", _A.OBSERVE, _K.OBSERVATION,
         "135 " * 9, _HIDDEN_OVER_MQTT),
    # The scoped token was not given the MultiDatastream.
    _row("PUBLISH", "v1.1/MultiDatastreams({public})/Observations", _A.OBSERVE, _K.OBSERVATION,
         "135 " * 9, "0 135 135 0 0 134"),
    _row("PUBLISH", "v1.1/MultiDatastreams({restricted})/Observations", _A.OBSERVE, _K.OBSERVATION,
         "135 " * 9, _HIDDEN_OVER_MQTT),
    _row("PUBLISH", "v1.1/FeaturesOfInterest({public})/Observations", _A.OBSERVE, _K.OBSERVATION,
         "135 " * 9, _OVER_MQTT),
    _row("PUBLISH", "v1.1/FeaturesOfInterest({restricted})/Observations", _A.OBSERVE, _K.OBSERVATION,
         "135 " * 9, "0 135 144 144 0 134"),
    # Nothing but Observations is made here.
    _row("PUBLISH", "v1.1/Things", _A.CREATE, _K.ENTITY, "135 " * 9, "144 144 144 144 144 134"),
    # A subscription is accepted, and hears only of what the subscriber may see: 1 is the quality of service.
    *(_row("SUBSCRIBE", f"v1.1/{name}", _A.READ, _K.SERVICE, "1 " * 9, _TO_ALL) for name in SETS),
    _row("SUBSCRIBE", "v1.1/Things({restricted})", _A.READ, _K.SERVICE, "1 " * 9, _TO_ALL),
    _row("SUBSCRIBE", "v1.1/Things({restricted})/name", _A.READ, _K.SERVICE, "1 " * 9, _TO_ALL),
    _row("SUBSCRIBE", "v1.1/Datastreams({restricted})/Observations", _A.READ, _K.SERVICE, "1 " * 9, _TO_ALL),
    _row("SUBSCRIBE", "v1.1/#", _A.READ, _K.SERVICE, "162 " * 9, "162 162 162 162 162 134"),
    _row("SUBSCRIBE", "$share/all/v1.1/Things", _A.READ, _K.SERVICE, "158 " * 9, "158 158 158 158 158 134"),
    *(
        _row("HEAR", topic, _A.READ, kind, people, tokens, of.format(f"{{{which}}}"))
        for which, people, tokens in (("public", "1 " * 9, _TO_ALL), ("restricted", "0 " * 9, _TO_WHO_SEES))
        for topic, of, kind in (
            ("v1.1/Observations", "Datastreams({})", _K.OBSERVATION),
            (f"v1.1/Datastreams({{{which}}})/Observations", "Datastreams({})", _K.OBSERVATION),
            ("v1.1/Things", "Things({})", _K.ENTITY),
            (f"v1.1/Things({{{which}}})", "Things({})", _K.ENTITY),
            (f"v1.1/Things({{{which}}})/name", "Things({})", _K.ENTITY),
        )
    ),
    _row("UNSUBSCRIBE", "v1.1/Observations", _A.READ, _K.SERVICE, "0 " * 9, "0 0 0 0 0 134"),
    # The handshake looks at no credential: that is asked for by the CONNECT behind it.
    _row("UPGRADE", "/mqtt", _A.READ, _K.SERVICE, "101 " * 9, "101 " * 6),
)  # fmt: skip

_STATE = (
    _row("GET", "/healthz", _A.READ, _K.SERVICE, _ALL_PEOPLE, "200 200 200 200 200 200"),
    _row("GET", "/readyz", _A.READ, _K.SERVICE, _ALL_PEOPLE, "200 200 200 200 200 200"),
    _row("GET", "/api/openapi.json", _A.READ, _K.SERVICE, _ALL_PEOPLE, "200 200 200 200 200 200"),
    _row("GET", "/static/web/base.css", _A.READ, _K.SERVICE, _ALL_PEOPLE, "200 200 200 200 200 200"),
    _row("GET", "/metrics", _A.READ, _K.METRICS, _STRANGERS, "403 403 403 200 200 401"),
)

_TOKEN, _ONE = "/administration/jetons/", "/administration/jetons/<int:number>/"
_KEEPERS = "     401  403  403  200  200  403  403  200  200"
_KEEPERS_OF_ONE = "401  404  404  200  200  404  404  200  404"
_CIVIC = (
    _row("GET", "/", _A.READ, _K.PAGE, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", "/poste", _A.READ, _K.DESK, _ALL_PEOPLE, _ALL_TOKENS),
    # What a page shows of the store is what its visitor may read there.
    _row("GET", "/poste?flux={restricted}", _A.READ, _K.DESK, _THEIR_OWN, _WHO_SEES),
    _row("GET", "/lieux/", _A.READ, _K.PAGE, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", "/lieux/<int:key>/", _A.READ, _K.PAGE, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", "/api/territory", _A.READ, _K.DATASET, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", "/api/places", _A.READ, _K.DATASET, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", "/api/places/<int:key>", _A.READ, _K.DATASET, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", "/api/layers", _A.READ, _K.DATASET, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", "/api/layers/<slug:key>", _A.READ, _K.DATASET, _ALL_PEOPLE, _ALL_TOKENS),
    _row("GET", _TOKEN, _A.READ, _K.TOKEN, _KEEPERS, "403 403 403 403 200 401"),
    _row("POST", _TOKEN, _A.CREATE, _K.TOKEN, _KEEPERS, "403 403 403 403 200 401"),
    _row("GET", _ONE, _A.READ, _K.TOKEN, _KEEPERS_OF_ONE, "404 404 404 404 200 401"),
    _row("POST", f"{_ONE}secret/", _A.ROTATE, _K.TOKEN, _KEEPERS_OF_ONE, "404 404 404 404 200 401"),
    _row("POST", f"{_ONE}portee/", _A.GRANT, _K.TOKEN,
         "401 404 404 403 403 404 404 302 404", "404 404 404 404 302 401"),
    _row("POST", f"{_ONE}revoquer/", _A.REVOKE, _K.TOKEN,
         "401 404 404 302 302 404 404 302 404", "404 404 404 404 302 401"),
    _row("GET", "/administration/journal/", _A.READ, _K.JOURNAL, _SITE_ADMINS, "403 403 403 403 200 401"),
    _row("POST", "/administration/journal/export/", _A.EXPORT, _K.JOURNAL, _SITE_ADMINS, "403 403 403 403 200 401"),
    # A session of a browser counts for nothing here: people are answered as strangers.
    _row("POST", "/api/connectors/lorawan/chirpstack", _A.DELIVER, _K.WEBHOOK, "401 " * 9, "204 204 204 204 204 401"),
    _row("POST", "/api/connectors/lorawan/tts", _A.DELIVER, _K.WEBHOOK, "401 " * 9, "204 204 204 204 204 401"),
)  # fmt: skip

# Pages of people are for people: a token, a forged one too, is answered as nobody is, and 302 leads to the log-in.
#                  anon citi obse owne stew duty appr admi fore
_ADMINS_200 = "    302  403  403  403  403  403  403  200  200"
_ADMINS_OF_ONE = " 302  403  403  403  403  403  403  200  404"
_ADMINS_302 = "    302  403  403  403  403  403  403  302  404"
_ON_DUTY = "       302  403  403  403  403  200  200  200  200"


def _page(path: str, action: Action, kind: Kind, **people: str) -> tuple[Endpoint, ...]:
    """The rows of a page of people; tokens count as nobody."""
    return tuple(
        _row(method, path, action, kind, cells, f"{cells.split()[0]} " * 6) for method, cells in people.items()
    )


def _own(path: str, **answers: int) -> tuple[Endpoint, ...]:
    """The rows of a page of one's own account: the same answer for all who are logged in."""
    action = _A.READ if list(answers) == ["GET"] else _A.CHANGE
    cells = {method: f"302 {f'{status} ' * 8}" for method, status in answers.items()}
    return _page(f"/compte/{path}", action, _K.PERSON, **cells)


def _open(path: str, **answers: int) -> tuple[Endpoint, ...]:
    """The rows of a page that answers everybody alike."""
    return _page(path, _A.READ, _K.PAGE, **{method: f"{status} " * 9 for method, status in answers.items()})


_WHO_IS_IN_NEED_NOT = f"200 {'302 ' * 8}"
_MINE = f"302 {'200 ' * 8}"
_P, _FACTOR, _PASSWORD = "/administration/personnes/", "second-facteur/", "mot-de-passe/"
_ACCOUNTS = (
    *_own("", GET=200),
    *_own("nom/", GET=200, POST=302),
    # The site of the tests sends no mail, so that nobody could confirm an address.
    *_own("adresse/", GET=200, POST=409),
    *_own("sessions/", GET=200, POST=404),
    *_own("confirmer/", GET=200, POST=200),
    *_own(f"{_PASSWORD}changer/", GET=200, POST=200),
    *_own(_FACTOR, GET=200),
    *_own(f"{_FACTOR}application/", GET=200, POST=200),
    *_own(f"{_FACTOR}cles/", GET=200),
    *_own(f"{_FACTOR}cles/ajouter/", GET=200, POST=200),
    *_own(f"{_FACTOR}codes/renouveler/", GET=200, POST=200),
    # These have no factor of their own: there is nothing to look at, to change or to take away.
    *_own(f"{_FACTOR}application/retirer/", GET=404, POST=404),
    *_own(f"{_FACTOR}cles/<int:pk>/", GET=404, POST=404),
    *_own(f"{_FACTOR}cles/<int:pk>/retirer/", GET=404, POST=404),
    *_own(f"{_FACTOR}codes/", GET=404),
    *_own(f"{_FACTOR}codes/telecharger/", GET=404, POST=404),
    *_own(f"{_FACTOR}cles/confirmer/", GET=302, POST=302),
    *_own(f"{_FACTOR}confirmer/", GET=302, POST=302),
    *_own(f"{_PASSWORD}definir/", GET=302, POST=302),
    *_own("deconnexion/", GET=200, POST=302),
    *_page("/compte/donnees/", _A.EXPORT, _K.PERSON, GET=_MINE, POST=_MINE),
    # The address that confirms it is not their own.
    *_page("/compte/effacer/", _A.DELETE, _K.PERSON, GET=_MINE, POST=_MINE.replace("200", "400")),
    *_page("/compte/secours/", _A.CREATE, _K.BREAK_GLASS, GET=_ON_DUTY, POST=_ON_DUTY),
    *_page("/compte/connexion/", _A.READ, _K.PAGE, GET=_WHO_IS_IN_NEED_NOT, POST=_WHO_IS_IN_NEED_NOT),
    *_page("/compte/inscription/", _A.READ, _K.PAGE, GET=_WHO_IS_IN_NEED_NOT, POST=_WHO_IS_IN_NEED_NOT),
    *_open(f"/compte/{_FACTOR}donner/", GET=302, POST=302),
    *_open(f"/compte/{_FACTOR}cles/connexion/", GET=302, POST=302),
    *_open("/compte/inactif/", GET=200),
    *_open("/compte/inscription/confirmer/", GET=200),
    *_open("/compte/inscription/confirmer/<str:key>/", GET=200, POST=404),
    *_open(f"/compte/{_PASSWORD}oublie/", GET=200, POST=302),
    *_open(f"/compte/{_PASSWORD}oublie/envoye/", GET=200),
    # The key is wrong: the page says so.
    *_open(f"/compte/{_PASSWORD}nouveau/<uidb36>-<key>/", GET=200, POST=200),
    *_open(f"/compte/{_PASSWORD}nouveau/fait/", GET=200),
    *_open("/secours/", GET=200, POST=200),
    *_open("/invitation/", GET=404, POST=404),
    *_open("/invitation/<str:secret>/", GET=404),
    *_page(_P, _A.READ, _K.PERSON, GET=_ADMINS_200),
    # The foreign administrator asks for a role in the organisation of the site: 400, for their form does not offer it.
    *_page(f"{_P}inviter/", _A.GRANT, _K.ROLE, GET=_ADMINS_200, POST=_ADMINS_200[:-3] + "400"),
    *_page(f"{_P}<int:number>/", _A.READ, _K.PERSON, GET=_ADMINS_OF_ONE),
    *_page(f"{_P}<int:number>/roles/", _A.GRANT, _K.ROLE, POST=_ADMINS_302),
    *_page(f"{_P}<int:number>/roles/<int:role_number>/terminer/", _A.WITHDRAW, _K.ROLE, POST=_ADMINS_302),
    *_page(f"{_P}<int:number>/mot-de-passe/", _A.CHANGE, _K.PERSON, POST=_ADMINS_OF_ONE),
    *_page(f"{_P}<int:number>/second-facteur/", _A.CHANGE, _K.PERSON, POST=_ADMINS_302),
    *_page(f"{_P}<int:number>/fermer/", _A.CHANGE, _K.PERSON, POST=_ADMINS_302),
    *_page(f"{_P}<int:number>/donnees/", _A.EXPORT, _K.PERSON, POST=_ADMINS_OF_ONE),
    *_page(f"{_P}<int:number>/effacer/", _A.DELETE, _K.PERSON,
           GET=_ADMINS_OF_ONE, POST=_ADMINS_OF_ONE.replace("200", "400")),
    *_page("/administration/invitations/<int:number>/retirer/", _A.WITHDRAW, _K.ROLE, POST=_ADMINS_302),
    *_page("/administration/organisations/", _A.CHANGE, _K.ORGANISATION, GET=_ADMINS_200),
    *_page("/administration/organisations/ajouter/", _A.CREATE, _K.ORGANISATION,
           GET=_ADMINS_OF_ONE[:-3] + "403", POST=_ADMINS_302[:-3] + "403"),
    *_page("/administration/organisations/<int:number>/", _A.CHANGE, _K.ORGANISATION,
           GET=_ADMINS_OF_ONE, POST=_ADMINS_302),
    # Without the tick that confirms it.
    *_page("/administration/organisations/<int:number>/hote/", _A.GRANT, _K.ORGANISATION,
           GET=_ADMINS_OF_ONE, POST=_ADMINS_OF_ONE.replace("200", "400")),
)  # fmt: skip

ENDPOINTS: tuple[Endpoint, ...] = (*_DATA_PLANE, *_MQTT, *_STATE, *_CIVIC, *_ACCOUNTS)
