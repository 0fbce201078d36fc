"""JSON Patch, with the examples of RFC 6902 appendix A."""

from __future__ import annotations

from typing import Any

import pytest

from lakou.kernel.errors import BadRequest, Conflict
from lakou.sensorthings import jsonpatch

DOCUMENT = {"a": 1, "list": ["x", "y"], "deep": {"b": {"c": None}}, "a/b": 1, "m~n": 2}


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        ({"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
         {"foo": "bar", "child": {"grandchild": {}}}),
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
        ({"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": 1, "b": 1}),
        ({"a": 1}, [{"op": "add", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"a": [0]}, [{"op": "replace", "path": "/a/0", "value": None}], {"a": [None]}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
        ({"": {"x": 1}}, [{"op": "remove", "path": "//x"}], {"": {}}),
    ],
)  # fmt: skip
def test_a_patch_is_applied(document: Any, patch: Any, expected: Any) -> None:
    assert jsonpatch.apply(document, patch) == expected


@pytest.mark.parametrize(
    ("patch", "place"),
    [
        ({"op": "add"}, "/"),
        ([5], "/0/op"),
        ([{"op": "spam", "path": "/a"}], "/0/op"),
        ([{"op": ["add"], "path": "/a"}], "/0/op"),
        ([{"op": "add", "path": "/a"}], "/0/value"),
        ([{"op": "move", "path": "/a"}], "/0/from"),
        ([{"op": "remove", "path": 7}], "/0/path"),
        ([{"op": "remove", "path": "a"}], "/0/path"),
        ([{"op": "remove", "path": "/nothing"}], "/0"),
        ([{"op": "replace", "path": "/nothing", "value": 1}], "/0"),
        ([{"op": "add", "path": "/a/b", "value": 1}], "/0"),
        ([{"op": "add", "path": "/list/9", "value": 1}], "/0"),
        ([{"op": "add", "path": "/list/01", "value": 1}], "/0"),
        ([{"op": "add", "path": "/list/-1", "value": 1}], "/0"),
        ([{"op": "remove", "path": "/list/2"}], "/0"),
        ([{"op": "remove", "path": "/list/-"}], "/0"),
        ([{"op": "move", "from": "/deep", "path": "/deep/b"}], "/0"),
        ([{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/x/y"}], "/1"),
    ],
)
def test_a_bad_patch_is_refused_at_its_place(patch: Any, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        jsonpatch.apply(DOCUMENT, patch)
    assert (caught.value.error_code, caught.value.place) == ("json_patch", place)


@pytest.mark.parametrize(
    ("path", "value"), [("/a", True), ("/a", "1"), ("/deep/b/c", 0), ("/list", ["x"]), ("/list", ["y", "x"])]
)
def test_a_failed_test_is_a_conflict(path: str, value: Any) -> None:
    with pytest.raises(Conflict):
        jsonpatch.apply(DOCUMENT, [{"op": "test", "path": path, "value": value}])


def test_nothing_is_changed_when_one_operation_fails() -> None:
    document = {"a": [1]}
    with pytest.raises(BadRequest):
        jsonpatch.apply(document, [{"op": "add", "path": "/a/-", "value": 2}, {"op": "remove", "path": "/b"}])
    assert document == {"a": [1]}


def test_values_are_not_shared_with_the_patch() -> None:
    value = {"x": 1}
    found = jsonpatch.apply(
        {}, [{"op": "add", "path": "/a", "value": value}, {"op": "add", "path": "/a/y", "value": 2}]
    )
    assert (found, value) == ({"a": {"x": 1, "y": 2}}, {"x": 1})


def test_there_is_a_bound_on_operations() -> None:
    with pytest.raises(BadRequest):
        jsonpatch.apply({}, [{"op": "add", "path": "/a", "value": 1}] * (jsonpatch.MAX_OPERATIONS + 1))
