"""What is read and written the quick way says what the plain way says, for leads of any kind."""

import copy
import dataclasses
import json
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import caio_py
from caio_py import LeadBatch, compat

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benches"))

import reference  # noqa: E402

ODD = [None, True, False, 0, -3, 2.5, 10**30, "5", "51-200", "1,200+", "", [], ["Gong", None, 3], {}, {"a": 1}]
FOREIGN = [float("nan"), float("inf"), -(10**400), b"x", ("HubSpot",), {1, 2}]
TEXT = st.text(st.sampled_from(" abCEOcro\u00c9\u0130\u200b\t\"\\\u4e2d"), max_size=12)


def one_of(*values):
    return st.one_of(st.sampled_from(values), TEXT)


def members(odd, **usual):
    """A dict of some of these members; one in twelve is of another type than is usual."""
    member = {
        name: st.integers(0, 11).flatmap(lambda pick, value=value: st.sampled_from(odd) if pick == 0 else value)
        for name, value in usual.items()
    }
    return st.fixed_dictionaries({}, optional=member)


def leads(odd=ODD):
    """Leads as enrichment writes them, with members that lack and members of odd types."""
    technology = one_of("HubSpot", "Slack", "Gong", "marketo", "Zoho CRM")
    count = st.integers(0, 9)
    company = members(
        odd,
        name=one_of("Acorn", "Caf\u00e9"),
        domain=one_of("acorn.example", "https://www.Acorn.example/x"),
        employee_count=st.sampled_from([0, 9, 10, 19, 19.5, 20, 50, 51, 500, 501, 1000, 1001, "1,200"]),
        industry=one_of("SaaS", "Fintech", "Computer Software", "consulting", "Marketing Agency"),
        technologies=st.one_of(st.lists(technology, max_size=4), st.just("HubSpot, Gong")),
        revenue_estimate=st.sampled_from([0, 5_000_000.0, 12_000_001, -1]),
    )
    intent = members(
        odd,
        website_visits=count,
        content_downloads=count,
        pricing_page_visits=count,
        demo_requested=st.booleans(),
        intent_score=st.integers(0, 120),
    )
    address = one_of("Kim.Doe@Acorn.example.com", "kim@acorn.example.com", "info@x.example.com", " a@b.example.com", "no")
    return members(
        odd,
        lead_id=one_of("lead_1"),
        name=one_of("Kim Doe", "Kim", "J\u00fcrgen van  M\u00fcller"),
        title=one_of("CEO", "Vice President", "Director of Operations", "Marketing Manager", "x" * 600 + " cfo"),
        linkedin_url=one_of("https://linkedin.example/in/kim"),
        source_type=one_of(*reference.SOURCES, *reference.BONUS, "group_member", "post_liker"),
        source_name=one_of("Spring Summit", "Gong", "CHORUS"),
        email=address,
        company=company,
        intent=intent,
        contact=members(odd, work_email=address, verified_email=address),
        original_lead=members(odd, first_name=one_of("Lou"), last_name=one_of("Ray"), title=one_of("CFO")),
    )


PLAIN = {"lead_id", "name", "title", "linkedin_url", "source_type", "source_name", "company", "intent", "contact"}


def plain_leads():
    """Mostly of the very shape that is read the quick way."""

    def plain(lead):
        lead = {name: value for name, value in lead.items() if name in PLAIN}
        if isinstance(lead.get("contact"), dict):
            lead["contact"].pop("verified_email", None)
            lead["contact"].setdefault("work_email", "Kim@Acorn.example.com")
        return lead

    return st.one_of(leads().map(plain), leads([None]).map(plain), leads())


def answer(call, *given):
    """What a call answers, or the class of what it raises."""
    try:
        return call(*given)
    except Exception as error:
        return type(error).__name__


def instance(lead):
    """The lead as a dataclass instance, which always goes the plain way."""
    return dataclasses.make_dataclass("Lead", list(lead))(**copy.deepcopy(lead))


def same(one, other):
    """Equal values of equal types, members in the same order."""
    return json.dumps(one) == json.dumps(other)


@settings(max_examples=600, deadline=None)
@given(leads(ODD + FOREIGN))
def test_compat_answers_and_raises_as_plain_python_does(lead):
    before = copy.deepcopy(lead)
    ours, plain = answer(compat.segment_lead, lead), answer(reference.segment_lead, lead)
    if ours != plain:
        # A nan that is handed on is not equal to itself.
        assert repr(ours) == repr(plain)
    assert repr(lead) == repr(before)


@settings(max_examples=400, deadline=None)
@given(leads())
def test_compat_of_a_dict_is_compat_of_its_json(lead):
    ours = answer(compat.segment_lead, lead)
    whole = 10**30  # beyond what JSON's readers keep exact
    if str(whole) not in json.dumps(lead):
        assert same(ours, answer(compat.segment_lead, instance(lead)))


@settings(max_examples=600, deadline=None)
@given(plain_leads())
@example({"contact": {"work_email": "Kim@Acorn.example.com"}, "intent": []})
@example({"contact": ["kim@acorn.example.com"]})
def test_a_dict_is_scored_as_its_json_is(lead):
    quick = answer(caio_py.segment_lead, lead)
    assert same(quick, answer(caio_py.segment_lead, instance(lead)))
    if isinstance(quick, dict):
        assert same(caio_py.segment_leads([lead])[0], quick)
        assert same(caio_py.segment_lead({**lead, "nobody knows this": None}), quick)
        assert same(LeadBatch.from_dicts([lead]).segment().to_dicts()[0], quick)


def texts(lead):
    """The lead as JSON in one of several ways to write it."""
    plain = st.sampled_from([None, (",", ":"), (" , ", "\t: ")]).flatmap(
        lambda separators: st.booleans().map(
            lambda ascii: json.dumps(lead, ensure_ascii=ascii, separators=separators)
        )
    )
    twice = st.sampled_from(["title", "company", "contact", "name"]).flatmap(
        lambda name: plain.map(lambda text: json.dumps({name: None})[:-1] + ("," if lead else "") + text[1:])
    )
    behind = plain.map(lambda text: text[:-1] + ("," if lead else "") + '"title":"CEO","company":{"name":"Acorn"}}')
    return st.one_of(plain, twice, behind, plain.map(lambda text: f"  {text}\t"))


@settings(max_examples=600, deadline=None)
@given(plain_leads().flatmap(texts))
def test_a_line_is_read_as_json_loads_reads_it(tmp_path_factory, text):
    batch = LeadBatch.from_ndjson(text.encode()).segment()
    wanted = answer(caio_py.segment_lead, {**json.loads(text), "nobody knows this": None})
    if not isinstance(wanted, dict):
        assert batch.to_dicts() == [] and len(batch.refused) == 1
        return
    assert same(batch.to_dicts(), [wanted])
    target = tmp_path_factory.getbasetemp() / "line.ndjson"
    assert batch.to_ndjson(target) == 1
    assert same(json.loads(target.read_text(encoding="utf-8")), wanted)
    assert LeadBatch.from_ndjson(text.encode()).to_ndjson(target) == 1
    bare = json.loads(target.read_text(encoding="utf-8"))
    assert same(bare, {name: wanted[name] for name in bare}) and "icp_score" not in bare


LEAD = {
    "name": "Kim Doe",
    "title": "CEO",
    "source_type": "event_attendee",
    "source_name": "Summit",
    "company": {"employee_count": 120, "technologies": ["HubSpot"], "industry": "SaaS"},
    "intent": {"website_visits": 6, "intent_score": 90},
    "contact": {"work_email": "kim@acorn.example.com"},
}


@pytest.mark.parametrize("call", [compat.segment_lead, caio_py.segment_lead])
def test_no_two_answers_share_what_can_be_changed(call):
    first, wanted = call(LEAD), copy.deepcopy(call(LEAD))
    for value in list(first.values()):
        if isinstance(value, (list, dict)):
            value.clear()
    first.clear()
    assert call(LEAD) == wanted


def test_many_different_texts_do_not_grow_the_memory_of_texts():
    for number in range(20_000):
        title = f"Chief {number}"
        assert title in caio_py.segment_lead({**LEAD, "title": title})["scoring_reasons"][1]
        assert title in compat.segment_lead({**LEAD, "title": title})["scoring_reasons"][1]
