"""The interactive views, without a browser: their HTML for plain facts, and widgets driven through ``.value``."""

import io
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib.image
import pytest

import trt_helpers as th
from trt_helpers import course
from trt_helpers.course.views import html, stream_timeline
from trt_helpers.course.views.engine_explorer import EngineFacts, TensorFacts
from trt_helpers.course.views.shape_playground import Answer, Output, RequestFacts
from trt_helpers.decoding.model import INPUTS, Candidate
from trt_helpers.decoding.sentences import Filled
from trt_helpers.timeline import Span

from .conftest import parse

SMALL = th.Profile.same(["x", "w"], (1, 4), (1, 4), (1, 16))
LARGE = th.Profile.same(["x", "w"], (1, 8), (8, 8), (32, 8))


class Page(HTMLParser):
    """What a screen reader gets of a piece of HTML: tables by caption, headers by scope, roles, all text."""

    VOID = {"br", "hr", "img"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tables, self.roles, self.scopes, self.words = [], {}, {}, [], []
        self.feed(text)
        self.close()
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in self.VOID:
            return
        self.open.append((tag, given))
        if tag == "table":
            self.rows = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
            self.scopes += [given.get("scope")] if tag == "th" else []

    def handle_endtag(self, tag):
        opened, _ = self.open.pop()
        assert opened == tag
        if tag == "table":
            self.tables[self.caption] = self.rows

    def handle_data(self, text):
        self.words.append(text)
        for tag, given in self.open:
            if tag in ("th", "td"):
                self.rows[-1][-1] += text
            elif tag == "caption":
                self.caption = text
            elif "role" in given:
                self.roles[given["role"]] = self.roles.get(given["role"], "") + text

    @property
    def text(self) -> str:
        return "".join(self.words)


# ---- pieces -------------------------------------------------------------------------------------------------


def test_a_table_has_a_caption_and_headers_with_a_scope_and_every_text_is_escaped():
    page = Page(html.table("<b>", ["a<", "b&"], [("<script>", 1), ("r", (2, 3))]))
    assert page.tables == {"<b>": [["a<", "b&"], ["<script>", "1"], ["r", "(2, 3)"]]}
    assert page.scopes == ["col", "col", "row", "row"]


@pytest.mark.parametrize("piece", [html.status, html.alert, lambda text: html.code(text, text)])
def test_sentences_and_code_are_escaped(piece):
    text = "<img src=x onerror='alert(1)'> & co"
    assert text in Page(piece(text)).text and "<img" not in piece(text)


def test_a_picture_says_what_it_shows():
    assert html.picture(b"png", 'a "b" <c>') == (
        '<img alt="a &quot;b&quot; &lt;c&gt;" src="data:image/png;base64,cG5n" style="max-width: 100%">'
    )


def test_no_text_has_a_colour_of_its_own():
    shown = html.table("a", ["b"], [("c",)]) + html.status("d") + html.alert("e") + html.code("f", "g")
    assert "color" not in shown and "background" not in shown


# ---- engine explorer ----------------------------------------------------------------------------------------

FACTS = EngineFacts(
    [
        TensorFacts("<x>", "INPUT", "INT64", (-1, 4), (1, 4), (1, 4), (1, 4)),
        TensorFacts("y", "OUTPUT", "FLOAT", (-1, 4), (1, 4), None, None),
    ],
    profiles=3,
    active=2,
)


def test_an_engines_facts_as_html():
    page = Page(course.render_engine(FACTS))
    tensors, indices = page.tables.values()
    assert tensors[1] == ["<x>", "INPUT", "INT64", "(-1, 4)", "(1, 4) to (1, 4)", "(1, 4)"]
    assert tensors[2] == ["y", "OUTPUT", "FLOAT", "(-1, 4)", "", "(1, 4)"]
    assert tensors[0][4] == "profile 2 accepts"
    assert indices[0] == ["tensor", "profile 0", "profile 1", "profile 2"]
    assert indices[1] == ["<x>", "0: <x>", "2: <x> [profile 1]", "4: <x> [profile 2]"]
    assert indices[2] == ["y", "1: y", "3: y [profile 1]", "5: y [profile 2]"]
    assert "num_bindings was 6, and get_binding_idxs(engine, 2) gave ([4], [5])" in page.roles["status"]


def test_an_engines_facts_are_what_engine_and_context_say(adder):
    engine = th.load_engine(th.build_plan(adder, [SMALL, LARGE]))
    for profile, accepts, shape in [(0, ((1, 4), (1, 16)), (1, -1)), (1, ((1, 8), (32, 8)), (-1, 8))]:
        facts = course.engine_facts(engine, profile)
        assert (facts.profiles, facts.active) == (2, profile)
        x, _, y = facts.tensors
        assert x == TensorFacts("x", "INPUT", "FLOAT", (-1, -1), shape, *accepts)
        assert (y.name, y.mode, y.engine_shape, y.low) == ("y", "OUTPUT", (-1, -1), None)
    with pytest.raises(RuntimeError), th.logger.quietly():
        course.engine_facts(engine, 2)


@pytest.fixture(scope="module")
def explorer(adder):
    return course.EngineExplorer(adder, {"small": SMALL, "large": LARGE, "wrong": th.Profile(z=((1,), (1,), (1,)))})


@pytest.fixture(autouse=True)
def as_new(request):
    """The explorer is shared: its engines take a moment to build."""
    yield
    if "explorer" in request.fixturenames:
        explorer = request.getfixturevalue("explorer")
        explorer.picks[0].value, explorer.picks[1].value, explorer.picks[2].value = "small", "none", "none"


def indices_of(view) -> list[list[str]]:
    return list(Page(view.result.value).tables.values())[1]


def test_the_explorer_follows_the_picks(explorer):
    assert explorer.active.options == (0,) and len(indices_of(explorer)[0]) == 2
    explorer.picks[1].value = "large"
    assert explorer.active.options == (0, 1)
    assert indices_of(explorer)[1] == ["x", "0: x", "3: x [profile 1]"]
    explorer.picks[2].value = "small"
    assert explorer.active.options == (0, 1, 2) and indices_of(explorer)[3][3] == "8: y [profile 2]"


def test_the_explorers_context_is_on_the_profile_that_was_chosen_and_on_0_when_that_is_gone(explorer):
    explorer.picks[1].value, explorer.active.value = "large", 1
    assert "fresh context on profile 1" in explorer.result.value and "(-1, 8)" in explorer.result.value
    explorer.picks[2].value = "small"
    assert explorer.active.value == 1, "a third profile does not move the context"
    explorer.picks[1].value = explorer.picks[2].value = "none"
    assert explorer.active.value == 0 and "fresh context on profile 0" in explorer.result.value


def test_a_profile_that_is_not_there_is_shown_as_none(explorer):
    explorer.picks[1].value = "large"
    explorer.picks[1].value = "none"
    assert [pick.label for pick in explorer.picks] == ["small", "none", "none"]
    assert [pick.index for pick in explorer.picks] == [0, 0, 0], "an index of None is an empty field in the browser"


def test_the_explorer_says_why_an_engine_cannot_be_built_and_goes_on(explorer, capfd):
    explorer.picks[1].value = "wrong"
    assert "names 'z', which is not an input" in Page(explorer.result.value).roles["alert"]
    explorer.picks[1].value = "none"
    assert "alert" not in Page(explorer.result.value).roles
    assert capfd.readouterr() == ("", ""), "a callback has no cell to print to"


# ---- shape playground ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ids_engine():
    """ids (batch, sequence) -> y (batch, sequence, 5), in two profiles that overlap."""
    model = parse(
        "ids (int64[batch, seq] ids, int64[batch, seq] mask) => (float[batch, seq, 5] y)"
        " <float[7, 5] table = {" + ", ".join(["0."] * 35) + "}> { s = Add(ids, mask)  y = Gather(table, s) }"
    )
    limits = [((1, 4), (2, 8), (8, 16)), ((1, 4), (8, 4), (32, 8))]
    return th.load_engine(th.build_plan(model, [th.Profile.same(["ids", "mask"], *three) for three in limits]))


@pytest.mark.parametrize(
    ("shape", "accepting"), [((2, 8), [0, 1]), ((8, 16), [0]), ((32, 4), [1]), ((9, 9), []), ((0, 4), []), ((1, 3), [])]
)
def test_request_facts_are_what_contexts_say(ids_engine, shape, accepting, capfd):
    facts = course.request_facts(ids_engine, shape)
    assert [answer.profile for answer in facts.answers if all(answer.returned)] == accepting
    assert all(len(answer.returned) == 2 for answer in facts.answers)
    if accepting:
        assert facts.outputs == [Output("y", (*shape, 5), "FLOAT", shape[0] * shape[1] * 5 * 4)]
    else:
        assert facts.outputs == []
        assert all(f"[{shape[0]},{shape[1]}]" in answer.words for answer in facts.answers)
    assert capfd.readouterr() == ("", "")


def test_request_facts_want_two_sizes(lookup_engine):
    with pytest.raises(ValueError, match=r"ids has shape \(-1,\); all inputs must have two sizes"):
        course.request_facts(lookup_engine, (1, 2))


ACCEPTED = RequestFacts(
    (9, 4),
    ["a", "b"],
    [Answer(0, (1, 4), (8, 16), [False, False], "no <profile>"), Answer(1, (1, 4), (32, 8), [True, True], "")],
    [Output("y", (9, 4, 5), "FLOAT", 720)],
)


def test_a_request_that_one_profile_accepts():
    page = Page(course.render_request(ACCEPTED))
    assert page.roles == {"status": "9 x 4 is accepted by profile 1. y is (9, 4, 5), 720 bytes."}
    answers, outputs = page.tables.values()
    assert answers[1:] == [
        ["profile 0", "(1, 4)", "(8, 16)", "False", "batch 9 is more than 8"],
        ["profile 1", "(1, 4)", "(32, 8)", "True", ""],
    ]
    assert outputs[1] == ["y", "(9, 4, 5)", "FLOAT", "720"]
    assert 'context.set_input_shape("a", (9, 4))\ncontext.set_input_shape("b", (9, 4))' in page.text
    assert "no <profile>" in page.text


def test_a_request_that_nobody_accepts_has_every_reason_and_tensorrts_words_once():
    answers = [Answer(k, (1, 4), (8, 16), [False], "out of range") for k in range(2)]
    page = Page(course.render_request(RequestFacts((9, 3), ["x"], answers, [])))
    assert page.roles == {"alert": "Not possible: no profile accepts 9 x 3."}
    (rows,) = page.tables.values()
    assert rows[1][4] == "batch 9 is more than 8; sequence 3 is less than 4"
    assert page.text.count("out of range") == 1 and "to a context on profile 0" in page.text


def test_an_output_whose_size_depends_on_the_data():
    facts = ACCEPTED._replace(outputs=[Output("places", (2, -1), "INT64", None)])
    assert "places is (2, -1), as many as the data need bytes" in Page(course.render_request(facts)).roles["status"]


def test_inputs_that_do_not_fit_together():
    facts = ACCEPTED._replace(outputs=[])
    assert "the inputs do not fit together" in Page(course.render_request(facts)).roles["status"]


def test_inputs_that_are_each_accepted_and_do_not_fit_together():
    """x @ w: the same shape for both fits only if it is square."""
    model = parse("product (float[a, b] x, float[c, d] w) => (float[a, d] y) { y = MatMul(x, w) }")
    engine = th.load_engine(th.build_plan(model, th.Profile.same(["x", "w"], (1, 1), (2, 2), (8, 8))))
    facts = course.request_facts(engine, (2, 3))
    assert facts.answers[0].returned == [True, True] and facts.outputs == []
    assert course.request_facts(engine, (3, 3)).outputs == [Output("y", (3, 3), "FLOAT", 36)]


def test_the_playground_follows_its_fields(ids_engine):
    playground = course.ShapePlayground(ids_engine)
    assert "1 x 9 is accepted by profile 0." in playground.result.value
    playground.batch.value, playground.sequence.value = 32, 4
    assert "32 x 4 is accepted by profile 1." in playground.result.value
    playground.batch.value = 33
    assert "no profile accepts 33 x 4" in playground.result.value
    assert playground.result.value == course.render_request(course.request_facts(ids_engine, (33, 4)))


# ---- fill in the blank --------------------------------------------------------------------------------------

WORDS = [Candidate("<b>", 0.914), Candidate("$x$", 0.05), Candidate("猫", 0.004)]


def test_words_as_html():
    page = Page(course.render_words(Filled("A [MASK].", [WORDS])))
    assert page.tables == {
        "Words for [MASK]": [
            ["rank", "word", "probability"],
            ["1", "<b>", "91 %"],
            ["2", "$x$", "5 %"],
            ["3", "猫", "under 1 %"],
        ]
    }
    assert page.roles["status"] == "Likeliest: <b> (91 %)."


def test_words_for_two_masks():
    page = Page(course.render_words(Filled("[MASK] [MASK]", [WORDS, WORDS[1:]])))
    assert list(page.tables) == ["Words for [MASK] 1 of 2", "Words for [MASK] 2 of 2"]
    assert page.roles["status"] == "Likeliest: <b> (91 %), then $x$ (5 %)."


def test_a_bad_sentence_as_html():
    page = Page(course.render_words(Filled("<b>", [], "'<b>' has no [MASK].")))
    assert page.roles == {"alert": "Not possible: '<b>' has no [MASK]."} and page.tables == {}


@pytest.mark.filterwarnings("error")
def test_words_are_drawn_whatever_they_are():
    """A formula sign, a script that the font lacks, more masks than panels."""
    one, many = (course.draw_words(Filled("...", [WORDS] * count)) for count in (1, 9))
    for png, width in [(one, 500), (many, 1280)]:
        picture = matplotlib.image.imread(io.BytesIO(png))
        assert picture.shape[1] == width
        assert (picture[0, 0, :3] == 1).all() and (picture[..., 3] == 1).all(), "its own background, in any theme"
    other = [WORDS[0]._replace(probability=0.5), *WORDS[1:]]
    assert course.draw_words(Filled("...", [other])) != one


def test_there_is_nothing_to_draw_without_words():
    with pytest.raises(ValueError, match="it is empty"):
        course.draw_words(Filled("", [], "it is empty"))


@pytest.fixture(scope="module")
def blank(tiny_bert):
    return course.FillInTheBlank(tiny_bert.lm, tiny_bert.engine.create_execution_context())


def test_the_blank_is_filled_by_the_engine(tiny_bert, blank):
    blank.sentence.value, blank.count.value = "Paris is the [MASK] of [MASK].", 3
    (filled,) = th.fill_in(tiny_bert.lm, tiny_bert.engine.create_execution_context(), blank.sentence.value, k=3)
    assert blank.result.value == course.render_words(filled)
    assert blank.chart.value == html.picture(course.draw_words(filled), alt=f"Bar chart: {filled}")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [("No mask.", "it has no [MASK]"), ("", "it is empty"), ("a " * 5000 + "[MASK]", "at most 64 are allowed")],
)
def test_a_bad_sentence_has_its_reason_and_no_chart(blank, bad, reason, capfd):
    blank.sentence.value = bad
    assert reason in Page(blank.result.value).roles["alert"]
    assert blank.chart.value == ""
    blank.sentence.value = "Paris is the [MASK]."
    assert blank.chart.value.startswith("<img") and "status" in Page(blank.result.value).roles
    assert capfd.readouterr() == ("", "")


def test_the_button_asks_again(blank):
    expected, blank.result.value = blank.result.value, ""
    blank.button.click()
    assert blank.result.value == expected


# ---- all of them --------------------------------------------------------------------------------------------


def test_every_control_has_a_label_and_every_view_says_what_it_is_without_a_browser(explorer, ids_engine, blank):
    for view in (explorer, course.ShapePlayground(ids_engine), blank):
        controls = view.children[0].children
        assert len(controls) > 1 and all(control.description for control in controls)
        text = view._repr_mimebundle_()["text/plain"]
        assert text == repr(view) and text.startswith(view.title)


def test_the_models_inputs_are_what_the_playground_asks_for(tiny_bert):
    assert course.request_facts(tiny_bert.engine, (1, 9)).inputs == list(INPUTS)


def test_what_only_lessons_need_is_offered_by_the_course_and_other_names_are_refused():
    assert {"EngineExplorer", "render_words", "picture"} <= set(course.__all__) <= set(dir(course))
    assert all(callable(getattr(course, name)) for name in course.__all__)
    assert "infer" in dir(th) and not set(course.__all__) & set(dir(th))
    for module in (th, course):
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'Explorer'"):
            _ = module.Explorer


@pytest.mark.slow
def test_a_machine_without_ipywidgets_can_infer():
    code = "import sys; sys.modules['ipywidgets'] = None; import trt_helpers as th; th.infer, th.build_plan; th.explain"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_worker_imports_nothing_that_only_draws():
    code = (
        "import sys; from trt_helpers import course; dir(course)\n"
        "sys.exit(', '.join({'matplotlib', 'ipywidgets', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---- stream timeline -------------------------------------------------------------------------------------------

SPANS = [
    Span("stream 1", "copy in", 1.0, 2.0),
    Span("stream 1", "execute", 2.0, 6.0),
    Span("stream 2", "execute", 4.0, 11.0),
]


def test_a_timeline_in_words():
    page = Page(course.render_timeline(SPANS, streams=2, contexts=2))
    assert page.roles["status"].endswith("Two executions at once for 2.00 ms of 10.00 ms.")
    assert page.tables["What ran when"][:2] == [
        ["stream", "work", "start", "end"],
        ["stream 1", "copy in", "0.00 ms", "1.00 ms"],
    ]


@pytest.mark.parametrize(
    ("streams", "contexts", "words"),
    [
        (1, 1, "one thing after the other"),
        (1, 2, "one thing after the other"),
        (2, 1, "only copies overlap"),
        (2, 2, "of the other"),
    ],
)
def test_what_can_overlap_is_explained(streams, contexts, words):
    assert words in course.explain_streams(streams, contexts)


def test_the_events_that_one_context_waits_for_are_drawn(monkeypatch):
    drawn = {}
    monkeypatch.setattr(stream_timeline, "draw_timeline", lambda spans, events: drawn.update(events) or b"")
    for streams, contexts in [(1, 1), (1, 2), (2, 2)]:
        course.draw_streams(SPANS, streams, contexts)
        assert drawn == {}
    course.draw_streams(SPANS, 2, 1)
    assert drawn == {"event 1": 6.0}, "nobody waits for the last one"


@pytest.fixture(scope="module")
def power():
    """An execution takes some ms, longer than a copy of 1 MiB: it would overlap if nothing made it wait."""
    steps = " ".join(f"{new} = MatMul({old}, x)" for old, new in pairwise("xabcdefy"))
    profile = th.Profile(x=((512, 512),) * 3)
    model = parse(f"power (float[n, n] x) => (float[n, n] y) {{ {steps} }}")
    return th.load_engine(th.build_plan(model, [profile] * 2))


@pytest.mark.parametrize(("streams", "contexts"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_measured_requests_are_whole_and_in_order(power, streams, contexts):
    spans = course.measure_streams(power, streams, contexts, mebibytes=1)
    for row in {span.row for span in spans}:
        mine = [span for span in spans if span.row == row]
        assert [span.what for span in mine] == ["copy in", "execute", "copy out"] * (4 // streams)
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(mine))
    assert len({span.row for span in spans}) == streams
    if streams == 1 or contexts == 1:
        assert th.overlap_ms(spans) < 0.01


def test_with_one_context_the_streams_take_turns(power):
    executions = [span for span in course.measure_streams(power, 2, 1, mebibytes=1) if span.what == "execute"]
    executions.sort(key=lambda span: span.start_ms)
    assert [span.row for span in executions] == ["stream 1", "stream 2"] * 2


@pytest.mark.skipif(th.device.type != "cpu", reason="a GPU does not check indices")
def test_the_timeline_says_why_an_execution_failed(capfd):
    model = parse(
        "lookup (int64[n] ids) => (float[n] y) <float[2] table = {0., 1.}, int64[1] nine = {9}>"
        " { far = Add(ids, nine)  y = Gather(table, far) }"
    )
    engine = th.load_engine(th.build_plan(model, [th.Profile(ids=((4,), (4,), (4,)))] * 2, progress=False))
    with th.logger.quietly():
        view = course.StreamTimeline(engine)
    assert "alert" in Page(view.result.value).roles and view.chart.value == ""


def test_the_timeline_follows_its_controls(power):
    view = course.StreamTimeline(power)
    assert "executions and copies of one overlap" in view.result.value and "<img alt=" in view.chart.value
    view.streams.value = 1
    assert "One stream does one thing after the other" in view.result.value
    assert "stream 2" not in view.result.value
    assert [control.description for control in view.children[0].children] == [
        "streams",
        "contexts",
        "MiB in each copy",
        "Measure again",
    ]
