"""Target + options + limits → `ReadPlan`: which columns, filter, order, page and nested plans.

May fail with 400 (unknown name, wrong type, option without meaning). Source: 18-088 §9.3.
"""

from __future__ import annotations

import msgspec

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar import tree
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import ID, OBSERVATION, EntityType, JsonReference, Kind, Link, Property, Through
from lakou.sensorthings.plan import expression, token
from lakou.sensorthings.plan.expression import Scope
from lakou.sensorthings.plan.target import Target
from lakou.sensorthings.plan.values import Arm, ExpandPlan, Expression, Field, Hop, Order, ReadPlan, Type

SubPaths = tuple[tuple[str, tuple[tuple[str | int, ...], ...]], ...]


class Asker(msgspec.Struct, frozen=True):
    """What planning needs to know besides the URL: limits, the clock, who asks (for principalName())."""

    limits: Limits
    now: int
    name: str


def plan_read(target: Target, options: tree.Options, asker: Asker) -> ReadPlan:
    """The plan of a GET on a set, an entity or an entity's property."""
    type_, source = target.type, target.hops
    link = source[-1].link
    known = _known_stream(source[-2].type.name) if len(source) > 1 else None
    plan = _plan(type_, options, asker, level=1, known=known, page=asker.limits.max_top)
    changes: dict[str, object] = {"source": source, "single": target.single}
    if target.single:
        changes |= {"order": (), "limit": 1}
    elif not options.orderby and _is_positioned(link):
        changes |= {"positioned": True, "order": ()}
    if target.count:
        changes |= {"count": "exact", "limit": 0, "expands": ()}
    if target.ref:
        changes |= {"fields": (ID,), "links": (), "expands": (), "extras": ()}
    elif target.member is not None:
        changes |= {"fields": (ID, target.member), "links": (), "expands": (), "extras": ()}
    return msgspec.structs.replace(plan, **changes)


def _plan(
    type_: EntityType, options: tree.Options, asker: Asker, *, level: int, known: str | None, page: int
) -> ReadPlan:
    scope = Scope(type_, asker.now, asker.name)
    limits = asker.limits
    limit = min(limits.default_top if options.top is None else options.top, page, limits.max_top)
    order = _order(type_, options, scope)
    distinct: tuple[Field, ...] = ()
    if options.distinct:
        distinct = _distinct(options, scope)
        order = _distinct_order(options, scope, distinct)
    fields, links, parts, show_id = _selection(type_, options)
    links, extras = _stream_links(type_, links, known)
    after = None
    if options.skip_token is not None:
        after = token.decode(options.skip_token, order)
    return ReadPlan(
        type=type_,
        source=(Hop(type_, None, None),),
        fields=fields,
        extras=extras,
        where=None if options.filter is None else expression.predicate(options.filter, scope),
        order=order,
        limit=limit,
        skip=options.skip or 0,
        after=after,
        count=(options.count_mode or "exact") if options.count else None,
        expands=_expands(type_, options, asker, level=level, rows=max(limit, 1)),
        links=links,
        parts=parts,
        explicit=options.select is not None,
        show_id=show_id,
        show_self=options.select is None or _names(options.select, "@iot.selfLink"),
        distinct=distinct,
        pairs=options.pairs,
    )


# ── $select ──


def _selection(
    type_: EntityType, options: tree.Options
) -> tuple[tuple[Property, ...], tuple[Link, ...], SubPaths, bool]:
    """(properties to read, links to show, deep parts, whether the id is shown)."""
    if options.select is None or options.distinct:
        return type_.properties, type_.links, (), True
    properties: list[Property] = []
    whole: set[str] = set()
    parts: dict[str, list[tuple[str | int, ...]]] = {}
    links: list[Link] = []
    show_id = False
    for item in options.select:
        name = item.segments[0]
        place = f"$select:{item.at}"
        if name == "*":
            properties.extend(p for p in type_.properties if p not in properties)
            whole.update(p.name for p in type_.properties)
            show_id = True
            continue
        if name == "@iot.selfLink" and len(item.segments) == 1:
            continue
        prop = type_.property(str(name))
        link = type_.link(str(name))
        if (prop is None and link is None) or (link is not None and len(item.segments) > 1):
            raise expression.unknown_name(str(name), type_, place)
        if link is not None:
            links.append(link)
        elif prop is not None and prop.kind is Kind.ID:
            show_id = True
        elif prop is not None:
            if prop not in properties:
                properties.append(prop)
            if len(item.segments) == 1:
                whole.add(prop.name)
            else:
                parts.setdefault(prop.name, []).append(item.segments[1:])
    deep = tuple((name, tuple(subs)) for name, subs in parts.items() if name not in whole)
    return (ID, *(p for p in properties if p.kind is not Kind.ID)), tuple(links), deep, show_id


def _names(select: tuple[tree.Path, ...], name: str) -> bool:
    return any(item.segments == (name,) for item in select)


def _stream_links(
    type_: EntityType, links: tuple[Link, ...], known: str | None
) -> tuple[tuple[Link, ...], tuple[str, ...]]:
    """An Observation has either a Datastream or a MultiDatastream: drop the other, or read which it is."""
    if type_ is not OBSERVATION:
        return links, ()
    if known is not None:
        return tuple(link for link in links if link.name in (known, "FeatureOfInterest")), ()
    both = any(link.name in ("Datastream", "MultiDatastream") for link in links)
    return links, ("multi",) if both else ()


def _known_stream(parent: str) -> str | None:
    return parent if parent in ("Datastream", "MultiDatastream") else None


# ── $orderby ──


def _order(type_: EntityType, options: tree.Options, scope: Scope) -> tuple[Order, ...]:
    """The asked order, made total by the id. Observations come by (phenomenonTime, id) when nothing is asked."""
    at = msgspec.structs.replace(scope, option="$orderby")
    terms: list[Order] = []
    for item in options.orderby:
        terms.extend(_order_terms(item, at))
    if not terms and type_ is OBSERVATION:
        terms.append(Order(expression.path(tree.Path(("phenomenonTime",)), scope), False, False))
    if not any(isinstance(t.value, Field) and t.value.property is ID and not t.value.links for t in terms):
        terms.append(Order(expression.path(tree.Path(("id",)), scope), False, False))
    return tuple(terms)


def _order_terms(item: tree.OrderBy, scope: Scope) -> list[Order]:
    found = expression.value(item.expression, scope)
    place = scope.place(item.expression.at)
    if any(link.many for link in _links_of(found)):
        raise BadRequest(
            "A set has no single value to order by", place=place, code="order", hint="Order by a to-one link."
        )
    values: list[Expression]
    if isinstance(found, Field) and found.type is Type.DYNAMIC:
        values = [Arm(found, kind) for kind in (Type.NUMBER, Type.TEXT, Type.BOOLEAN)]
    elif found.type is Type.INTERVAL:
        values = [expression.coerce(found, Type.INSTANT, place)]
        if isinstance(found, Field) and found.property.name == "phenomenonTime" and not found.property.derived:
            values = [found]
    elif found.type is Type.GEOMETRY:
        raise BadRequest("Geometries have no order", place=place, code="order")
    else:
        values = [found]
    return [Order(v, item.descending, _is_nullable(v)) for v in values]


def _links_of(found: Expression) -> tuple[Link, ...]:
    match found:
        case Field(links=links):
            return links
        case Arm(value=value):
            return value.links
        case _ if hasattr(found, "arguments"):
            return tuple(link for a in found.arguments for link in _links_of(a))
    return ()


def _is_nullable(value: Expression) -> bool:
    if isinstance(value, Field) and not value.links and not value.sub:
        prop = value.property
        return not (
            prop.kind is Kind.ID
            or (prop.required and prop.kind in (Kind.TEXT, Kind.INSTANT))
            or (prop.name == "phenomenonTime" and not prop.derived)
        )
    return True


# ── $select=distinct: ──


def _distinct(options: tree.Options, scope: Scope) -> tuple[Field, ...]:
    at = msgspec.structs.replace(scope, option="$select")
    found = []
    for item in options.select or ():
        field = expression.path(item, at)
        if field.property.derived or (field.links and any(link.many for link in field.links)):
            raise BadRequest("distinct needs stored values", place=at.place(item.at), code="distinct")
        found.append(field)
    if options.expand:
        raise BadRequest("distinct and $expand do not go together", place="$select", code="distinct")
    return tuple(found)


def _distinct_order(options: tree.Options, scope: Scope, distinct: tuple[Field, ...]) -> tuple[Order, ...]:
    at = msgspec.structs.replace(scope, option="$orderby")
    terms = []
    for item in options.orderby:
        found = expression.value(item.expression, at)
        if found not in distinct:
            raise BadRequest(
                "With distinct, order by what is selected", place=at.place(item.expression.at), code="distinct"
            )
        terms.append(Order(found, item.descending, True))
    return tuple(terms)


# ── $expand ──


def _expands(
    type_: EntityType, options: tree.Options, asker: Asker, *, level: int, rows: int
) -> tuple[ExpandPlan, ...]:
    found: dict[str, ExpandPlan] = {}
    for item in merge_expands(type_, options.expand):
        link = _expand_link(type_, item)
        page = 1
        if link.many:
            page = max(asker.limits.expand_rows // rows, asker.limits.expand_page)
        known = _known_stream(type_.name)
        plan = _plan(link.type, _child(item.options), asker, level=level + 1, known=known, page=page)
        changes: dict[str, object] = {"single": not link.many}
        if not link.many:
            changes |= {"order": (), "limit": 1, "count": None}
        elif not item.options.orderby and _is_positioned(link):
            changes |= {"positioned": True, "order": ()}
        expands = _expands(
            link.type, item.options, asker, level=level + 1, rows=rows * (max(plan.limit, 1) if link.many else 1)
        )
        name = "/".join(item.path)
        found[name] = ExpandPlan(name, link, msgspec.structs.replace(plan, expands=expands, **changes))
    return tuple(found.values())


def _child(options: tree.Options) -> tree.Options:
    """The options of an item without its own expands, which are planned with the right page sizes."""
    return msgspec.structs.replace(options, expand=())


def merge_expands(type_: EntityType, items: tuple[tree.ExpandItem, ...]) -> list[tree.ExpandItem]:
    """One item per link: `A/B` becomes A with a nested B, and repeated links are joined."""
    merged: dict[tuple[str, ...], tree.ExpandItem] = {}
    for item in items:
        head, rest = _split(type_, item)
        if rest:
            inner = tree.ExpandItem(rest, item.options, item.at)
            options = tree.Options(expand=(inner,), pairs=(("$expand", expand_text((inner,))),))
            item = tree.ExpandItem(head, options, item.at)
        before = merged.get(head)
        if before is not None:
            item = _join(before, item)
        merged[head] = item
    return list(merged.values())


def _split(type_: EntityType, item: tree.ExpandItem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if type_.link(item.path[0]) is not None:
        return item.path[:1], item.path[1:]
    for end in range(2, len(item.path) + 1):
        prop = type_.property(item.path[0])
        if prop is not None and prop.columns and type_.custom_link(prop.columns[0], item.path[1:end]) is not None:
            return item.path[:end], item.path[end:]
    raise expression.unknown_name(item.path[0], type_, f"$expand:{item.at}")


def _join(first: tree.ExpandItem, second: tree.ExpandItem) -> tree.ExpandItem:
    for plain, other in ((first, second), (second, first)):
        if msgspec.structs.replace(plain.options, expand=(), pairs=()) == tree.Options():
            expand = other.options.expand + plain.options.expand
            pairs = tuple(p for p in other.options.pairs if p[0] != "$expand")
            if expand:
                pairs = (*pairs, ("$expand", expand_text(expand)))
            options = msgspec.structs.replace(other.options, expand=expand, pairs=pairs)
            return tree.ExpandItem(other.path, options, other.at)
    raise BadRequest(f"{first.path[0]} is expanded twice", place=f"$expand:{second.at}", code="expand")


def expand_text(items: tuple[tree.ExpandItem, ...]) -> str:
    """Items of $expand as a client would write them, for next links."""
    texts = []
    for item in items:
        options = ";".join(f"{name}={value}" for name, value in item.options.pairs)
        texts.append("/".join(item.path) + (f"({options})" if options else ""))
    return ",".join(texts)


def _expand_link(type_: EntityType, item: tree.ExpandItem) -> Link:
    link = type_.link(item.path[0])
    if link is None:
        prop = type_.property(item.path[0])
        column = prop.columns[0] if prop is not None else ""
        link = type_.custom_link(column, item.path[1:])
    if link is None:
        raise expression.unknown_name(item.path[0], type_, f"$expand:{item.at}")
    return link


def _is_positioned(link: Link | None) -> bool:
    return link is not None and isinstance(link.by, Through) and link.by.position is not None


def is_custom(link: Link) -> bool:
    """Whether the link is a client's own, kept inside a JSON member."""
    return isinstance(link.by, JsonReference)
