"""HTTP itself: methods, HEAD, OPTIONS, ETag, limits, error bodies, rights and OpenAPI (RFC 9110; ours)."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.conformance.conftest import World
from tests.conformance.model import ALL_TYPES, EntityType
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, describe, error_of, key, ref, refused
from tests.harness.server import Server


@requirement("request-data/status-code")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_head_is_get_without_a_body(anon: Api, world: World, kind: EntityType) -> None:
    for path in (f"{kind.set_name}?$top=1", world.path(kind.set_name)):
        head, get = anon.request("HEAD", path), anon.request("GET", path)
        assert (head.status_code, head.content) == (200, b""), describe(get)
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


@requirement("request-data/status-code")
@pytest.mark.parametrize("path", ["", "Things", "{t}", "{t}/name", "$batch", "CreateObservations"])
def test_options_says_what_is_allowed(anon: Api, world: World, path: str) -> None:
    response = anon.request("OPTIONS", path.format(t=world.path("Things")))
    assert response.status_code in (200, 204), describe(response)
    allowed = response.headers.get("Allow", "") + response.headers.get("Access-Control-Allow-Methods", "")
    assert ("POST" if path.startswith(("$", "Create")) else "GET") in allowed


@requirement("request-data/status-code")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "Things"),
        ("PATCH", "Things"),
        ("POST", "{t}"),
        ("TRACE", "Things"),
        ("POST", ""),
        ("DELETE", ""),
        ("GET", "$batch"),
        ("FLY", "Things"),
    ],
)
def test_method_that_does_not_exist_there_is_405(api: Api, world: World, method: str, path: str) -> None:
    response = api.request(method, path.format(t=world.path("Things")))
    assert response.status_code in (400, 404, 405, 501), describe(response)
    if response.status_code == 405:
        assert response.headers.get("Allow")


@requirement("request-data/status-code")
def test_a_browser_of_another_site_may_read(anon: Api) -> None:
    response = anon.get("Things", headers={"Origin": "https://example.org"}, top=1)
    assert response.headers.get("Access-Control-Allow-Origin") in ("*", "https://example.org")


@requirement("request-data/status-code")
@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json;odata.metadata=minimal", "text/html"])
def test_accept_headers_of_clients_are_met(anon: Api, accept: str) -> None:
    response = anon.get("Things", headers={"Accept": accept}, top=1)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("application/json")


@requirement("request-data/status-code")
def test_a_compressed_answer_is_the_same(anon: Api) -> None:
    plain = anon.get("Things", headers={"Accept-Encoding": "identity"}, top=5)
    packed = anon.get("Things", headers={"Accept-Encoding": "gzip"}, top=5)
    assert plain.json() == packed.json()


@requirement("lakou/etag")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_an_entity_has_an_etag_that_changes_with_it(api: Api, kind: EntityType) -> None:
    made = api.create(kind.set_name, kind.body())
    path = f"{kind.set_name}({key(made)})"
    first, second = api.get(path).headers["ETag"], api.get(path).headers["ETag"]
    assert first == second
    api.change(path, {kind.editable: "2021-01-01T00:00:00Z"})
    assert api.get(path).headers["ETag"] != first


@requirement("lakou/etag")
def test_if_none_match_answers_304(api: Api) -> None:
    thing = api.create("Things", make.thing())
    path = f"Things({key(thing)})"
    tag = api.get(path).headers["ETag"]
    response = api.get(path, headers={"If-None-Match": tag})
    assert (response.status_code, response.content) == (304, b"")
    api.change(path, {"description": "new"})
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 200


@requirement("lakou/etag")
@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_if_match_guards_a_write(api: Api, method: str) -> None:
    thing = api.create("Things", make.thing())
    path = f"Things({key(thing)})"
    old = api.get(path).headers["ETag"]
    api.change(path, {"description": "by another"})

    def write(tag: str) -> httpx.Response:
        headers = {"If-Match": tag}
        if method == "DELETE":
            return api.delete(path, headers=headers)
        return (api.patch if method == "PATCH" else api.put)(path, make.thing(), headers=headers)

    refused(write(old), 412)
    refused(write('"nothing"'), 412)
    assert api.read(path)["description"] == "by another"
    assert write(api.get(path).headers["ETag"]).status_code in (200, 204)


@requirement("lakou/etag")
def test_if_match_of_a_star_needs_only_an_entity(api: Api) -> None:
    thing = api.create("Things", make.thing())
    assert api.patch(f"Things({key(thing)})", {"description": "x"}, headers={"If-Match": "*"}).status_code in (200, 204)
    assert api.patch("Things(9007199254740000)", {"description": "x"}, headers={"If-Match": "*"}).status_code in (
        404,
        412,
    )


@requirement("lakou/errors")
@pytest.mark.parametrize(
    ("path", "status", "place"),
    [
        ("Things?$filter=name%20eq", 400, "filter"),
        ("Things?$orderby=nothing", 400, "orderby"),
        ("Things?$select=nothing", 400, "select"),
        ("Things?$expand=Nothing", 400, "expand"),
        ("Things?$top=x", 400, "top"),
        ("Things?$count=x", 400, "count"),
        ("Things?$nothing=1", 501, "nothing"),
        ("Nothing", 404, None),
        ("Things(9007199254740000)", 404, None),
        ("Things?$skip=-1", 400, "skip"),
        ("Things?$apply=x", 400, "apply"),
    ],
)
def test_an_error_says_what_where_and_what_to_do(anon: Api, path: str, status: int, place: str | None) -> None:
    response = anon.get(path)
    body = refused(response, status)
    assert response.headers["Content-Type"].startswith("application/json")
    if place is not None:
        assert place in str(body.get("place")), body
    assert isinstance(body["message"], str)
    assert body.get("hint") or status == 404, body


@requirement("lakou/errors")
@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": 5, "description": "x"}, "/name"),
        ({"description": "x"}, "name"),
        ({"name": "x", "description": "x", "properties": 5}, "/properties"),
        ({"name": "x", "description": "x", "Locations": [{}]}, "/Locations/0"),
        ({"name": "x", "description": "x", "Datastreams": [{"Sensor": {"name": 5}}]}, "/Datastreams/0"),
    ],
)
def test_an_error_in_a_body_has_a_pointer(api: Api, body: dict[str, object], place: str) -> None:
    found = refused(api.post("Things", body), 400)
    assert place in str(found.get("place")) + (found["message"] if not place.startswith("/") else ""), found


@requirement("lakou/errors")
@pytest.mark.parametrize("misspelt", ["Thigns", "things", "Datastream", "Observation", "Sensor", "FeatureOfInterests"])
def test_a_misspelt_name_gets_a_hint(anon: Api, misspelt: str) -> None:
    assert error_of(anon.get(misspelt)).get("hint")


@requirement("lakou/limits")
@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("Things?$filter=" + "name%20eq%20'x'%20or%20" * 1200 + "true", (400, 413, 414, 431)),
        ("Things?$filter=" + "(" * 3000 + "true" + ")" * 3000, (400, 413, 414, 431)),
        ("Things?$filter=" + "not%20" * 1000 + "true", (400,)),
        ("Things?$filter=" + "(" * 200 + "true" + ")" * 200, (400,)),
        ("Things?$filter=name%20eq%20'" + "x" * 20_000 + "'", (400, 413, 414, 431)),
        ("Things?$expand=" + "Datastreams/Thing/" * 60 + "Locations", (200, 400)),
        ("Things?$expand=" + "Datastreams($expand=Thing($expand=" * 40 + "Locations" + "))" * 40, (200, 400)),
        ("Things?$orderby=" + ",".join(["name"] * 500), (200, 400)),
        ("Things(1)/" + "Datastreams(1)/Thing/" * 400, (400, 404, 413, 414)),
        ("Things?$select=" + ",".join(["name"] * 3000), (200, 400, 413, 414)),
        ("Things?" + "&".join(f"x{number}=1" for number in range(3000)), (200, 400, 413, 414, 431, 501)),
        ("Things?$filter=id%20in%20(" + ",".join(str(number) for number in range(3000)) + ")", (400, 413, 414, 431)),
        ("Things?$filter=id%20eq%20" + "9" * 5000, (400,)),
        ("Things?$filter=id%20eq%20" + "9" * 30, (200, 400)),
        ("Things?$filter=id%20eq%201e999", (200, 400)),
        ("Things?$top=" + "9" * 5000, (200, 400)),
        ("Things?$filter=1" + "%20add%201" * 500 + "%20eq%201", (200, 400)),
        ("Things?$filter=" + "%20and%20".join(["Datastreams/Observations/result%20gt%201"] * 40), (200, 400)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_too_much_is_refused_quickly(anon: Api, path: str, statuses: tuple[int, ...]) -> None:
    response = anon.get(path)
    assert response.status_code in statuses, describe(response)[:600]
    assert response.elapsed.total_seconds() < 2


@requirement("lakou/limits")
def test_a_body_above_eight_mebibytes_is_413(api: Api) -> None:
    content = json.dumps(make.thing(properties={"x": "y" * (9 * 1024 * 1024)}))
    refused(api.post("Things", content=content), 413)


@requirement("lakou/limits")
@pytest.mark.parametrize("size", [100_000, 4_000_000])
def test_a_large_body_below_the_limit_is_taken(api: Api, size: int) -> None:
    made = api.create("Things", make.thing(properties={"x": "y" * size}))
    assert len(made["properties"]["x"]) == size


@requirement("lakou/limits")
@pytest.mark.parametrize(
    "path",
    [
        "Things%00",
        "Things(1%00)",
        "Things?$filter=name%20eq%20'%00'",
        "%FF%FE",
        "Things?$filter=name%20eq%20'%FF'",
        "Things?$filter=%",
        "Things?$filter=%zz",
        "Things?$filter=name%20eq%20'%ED%A0%80'",
        "Things/..%2f..%2fetc%2fpasswd",
        "../../../etc/passwd",
        "Things?%24filter=true",
        "Things?$filter=name eq '%u0041'",
    ],
)
def test_odd_bytes_in_an_address_are_no_failure_of_the_server(anon: Api, path: str) -> None:
    response = httpx.get(f"{anon.base}/{path}")
    assert response.status_code in (200, 400, 404), describe(response)


@requirement("lakou/rights")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_without_a_token_everything_public_is_read_and_nothing_written(
    anon: Api, world: World, kind: EntityType
) -> None:
    path = world.path(kind.set_name)
    assert anon.get(path).status_code == 200
    for response in (
        anon.post(kind.set_name, kind.body()),
        anon.patch(path, {kind.editable: "x"}),
        anon.put(path, kind.body()),
        anon.delete(path),
        anon.delete(kind.set_name, filter="true"),
    ):
        refused(response, 401, 403)
    assert anon.get(path).status_code == 200


@requirement("lakou/rights")
@pytest.mark.parametrize("path", ["CreateObservations", "Observations"])
def test_without_a_token_no_bulk_writing(anon: Api, path: str) -> None:
    refused(anon.post(path, []), 401, 403)


@requirement("lakou/rights")
@pytest.mark.parametrize("value", ["Bearer lk_wrong", "Bearer", "Basic eDp5", "Basic !!!", "Nothing x", "x" * 5000])
def test_a_wrong_token_is_401(server: Server, value: str) -> None:
    """Also on reads: a caller who thinks to be someone must learn that the service does not."""
    response = httpx.get(f"{server.base}/Things?$top=1", headers={"Authorization": value})
    assert response.status_code in (400, 401), describe(response)


@requirement("lakou/rights")
def test_a_token_may_come_as_the_password_of_basic(server: Server) -> None:
    response = httpx.post(f"{server.base}/Things", json=make.thing(), auth=("anyone", server.token))
    assert response.status_code == 201, describe(response)


@requirement("lakou/rights")
def test_a_device_writes_only_what_it_owns(server: Server, api: Api) -> None:
    device = Api(server.base, server.make_token(make.unique("device"), "device"))
    others = api.create("Things", make.station())
    stream = api.value(f"Things({key(others)})/Datastreams")[0]
    refused(device.post(f"Datastreams({key(stream)})/Observations", make.observation()), 403, 404)
    refused(device.patch(f"Things({key(others)})", {"description": "taken"}), 403, 404)
    refused(device.delete(f"Things({key(others)})"), 403, 404)
    lines = device.post(
        "CreateObservations", [{"Datastream": ref(stream), "components": ["result"], "dataArray": [[1]]}]
    )
    if lines.status_code == 201:
        assert lines.json()[0].lower().startswith("error")
    else:
        refused(lines, 403, 404)
    assert api.value(f"Datastreams({key(stream)})/Observations") == []
    own = device.create("Things", make.station())
    mine = device.value(f"Things({key(own)})/Datastreams")[0]
    device.create(f"Datastreams({key(mine)})/Observations", make.observation(7))
    assert api.results(f"Datastreams({key(mine)})/Observations") == [7]
    device.close()


@requirement("lakou/openapi")
@pytest.mark.parametrize("path", ["/api/openapi.json", "/sta/v1.1/api"])
def test_the_description_names_every_set(anon: Api, path: str) -> None:
    """DESIGN §6 fixes the first address; FROST offers the second, which is optional."""
    response = anon.get(f"{anon.origin}{path}")
    if path.startswith("/sta") and response.status_code == 404:
        return
    assert response.status_code == 200, describe(response)
    described = response.json()
    assert described["openapi"].startswith("3.")
    for kind in ALL_TYPES:
        assert any(kind.set_name in each for each in described["paths"]), kind.set_name


@requirement("request-data/status-code")
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_the_state_of_the_service_can_be_asked(anon: Api, path: str) -> None:
    """The metrics may be kept from strangers."""
    status = anon.get(f"{anon.origin}{path}").status_code
    assert status == 200 or (path == "/metrics" and status in (401, 403))


@requirement("lakou/errors")
def test_ids_are_numbers(api: Api) -> None:
    assert isinstance(api.create("Things", make.thing())[ID], int)
