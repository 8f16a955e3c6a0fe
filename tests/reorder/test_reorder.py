"""Proposed orders: they save what they claim, show the same, and all forms agree on them."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from builders import Image, directory, file, image, symlink, whiteout, write_oci_layout
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import scan_images, scanned
from helpers.strategies import loose_stacks, stacks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.orders import allowed_orders, merged_view

from dedupe.analysis.interface import Question, Questions
from dedupe.analysis.reorder.input import reorder_input
from dedupe.analysis.reorder.layers import plan_layers
from dedupe.analysis.reorder.plans import Constraint, Plan, ReorderOptions, Verdict
from dedupe.errors import StoreError
from dedupe.model.choices import Grade, Objective
from dedupe.reorder.choices import best_mix, not_worse
from dedupe.reorder.stack import stack_of, unpacked_bytes
from dedupe.report.forms import FORMS, Form, ReportInput
from dedupe.store.session import Session

BASE = (directory("etc"), file("etc/os", b"o" * 500))
MODEL = (file("opt/model", b"m" * 20_000),)
LIB = (file("opt/lib", b"l" * 8_000),)
HOSTILE = "RUN echo '<script>alert(1)</script>' `id` | tee \u202e\x1b[31m\n# end"


def conf(text: str) -> tuple:
    """A layer with this text."""
    return (file("etc/conf", text),)


def tool_images() -> list[Image]:
    """Two images with the same two layers on different parents, over a base that is an image."""
    steps = ["ADD rootfs /", "COPY model /opt", "COPY lib /opt", "COPY conf /etc"]
    return [
        image(BASE, names="r.example/base:1", history=steps[:1]),
        image(BASE, MODEL, LIB, conf("a"), names="r.example/tool:a", history=steps),
        image(
            *(BASE, conf("b"), LIB, MODEL),
            names="r.example/tool:b",
            history=[steps[0], steps[3], steps[2], steps[1]],
        ),
    ]


def tools(folder: Path) -> Session:
    """A scan of these images."""
    return scan_images(folder, tool_images())


def reorder(session: Session, options: ReorderOptions) -> Plan:
    """A plan of layer orders."""
    return plan_layers(session, reorder_input(session, options))


class RecordedQuestions:
    """A session that records the names of the questions it is asked."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.names: list[str] = []

    def rows(self, question: Question) -> list:
        """Rows of the session."""
        self.names.append(question.name)
        return self._session.rows(question)

    def answer(self, question: Question) -> object:
        """The session's answer."""
        self.names.append(question.name)
        return self._session.answer(question)

    def beside(self, orders: dict) -> Questions:
        """The session with other orders; its questions are not recorded."""
        return self._session.beside(orders)


def by_name(plan: Plan) -> dict[str, tuple[int, ...]]:
    """Proposed orders by image name."""
    return {each.name: each.order for each in plan.proposals}


def rebuilt(images: list[Image], plan: Plan) -> list[Image]:
    """The images with their layers in the planned order."""
    orders = {each.image_id: each.order for each in plan.proposals}
    return [
        replace(
            one,
            layers=[one.layers[at] for at in orders.get(one.image_id, range(len(one.layers)))],
        )
        for one in images
    ]


def test_one_order_saves_layers_with_two_parents(tmp_path: Path) -> None:
    """The order saves all 28,000 bytes, keeps the base, is proven, and is free to edit."""
    plan = reorder(tools(tmp_path), ReorderOptions())
    assert plan.today_bytes - plan.proposed_bytes == 28_000
    assert plan.proposed_bytes == plan.least_bytes == plan.bases_kept_bytes
    (found,) = plan.proposals
    assert (found.name, found.order) == ("r.example/tool:b", (0, 3, 2, 1))
    assert (found.saves_bytes, found.base, found.below_base) == (28_000, "r.example/base:1", False)
    assert found.free
    assert found.proof is not None
    assert found.proof.equal
    assert found.proof.paths == 6
    built = rebuilt(tool_images(), plan)
    again = scan_images(tmp_path / "again", built).rows("totals")[0]
    assert again["unpacked_bytes"] == plan.proposed_bytes
    assert again["position_loss_bytes"] == 0


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(loose_stacks(4) | stacks(tallest=4), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
    st.sampled_from(Grade),
    st.sampled_from(Objective),
)
def test_what_is_claimed_comes_true(drawn, chance, grade, objective) -> None:
    """Random stores, each stack again in another allowed order, as tags of one series.

    Each proposal is allowed by the definition, shows the same by the oracle, is proven by the
    query, and together they store what a scan of the rebuilt store counts.
    """
    built = []
    for stack in drawn:
        built.append(stack)
        orders = allowed_orders(stack, grade.value)
        built.append(tuple(stack[at] for at in chance.choice(orders)))
    images = [
        image(*stack, names=f"r/web:{number}", settings={"Hostname": str(number)})
        for number, stack in enumerate(built)
    ]
    with tempfile.TemporaryDirectory() as folder:
        session = scan_images(Path(folder), images)
        options = ReorderOptions(objective=objective, grade=grade, budget_seconds=0)
        plan = reorder(session, options)
        known = {one.image_id: stack for one, stack in zip(images, built, strict=True)}
        assert session.rows("totals")[0]["unpacked_bytes"] == plan.today_bytes
        for each in plan.proposals:
            stack = known[each.image_id]
            assert each.order in allowed_orders(stack, grade.value)
            assert each.proof is not None
            assert each.proof.equal
            other = tuple(stack[at] for at in each.order)
            assert merged_view(other, grade.value) == merged_view(stack, grade.value)
        if objective is Objective.STORAGE:
            assert plan.proposed_bytes <= plan.today_bytes
        else:
            assert plan.pull_proposed <= plan.pull_today
        again = scan_images(Path(folder) / "again", rebuilt(images, plan))
        assert again.rows("totals")[0]["unpacked_bytes"] == plan.proposed_bytes


def test_a_forbidden_order_is_not_proven(tmp_path: Path) -> None:
    """The hash of the view differs for an order that shows something else."""
    one = image(BASE, (file("etc/os", b"n" * 500),), (whiteout("etc/os"),), names="r/a:1")
    session = scan_images(tmp_path, [one])
    for order in ((1, 0, 2), (0, 2, 1), (2, 1, 0)):
        beside = session.beside({one.image_id: order})
        rows = beside.rows("reorder/view_proof", grade="equivalent")
        entries = beside.rows("reorder/view_entries")
        beside.close()
        differs = order != (1, 0, 2)
        assert (rows[0]["today_hash"] != rows[0]["proposed_hash"]) == differs
        assert any(not row["same"] for row in entries) == differs


@pytest.mark.parametrize("field", ["mode", "uid", "gid", "mtime"])
def test_the_proof_sees_every_field(tmp_path: Path, field: str) -> None:
    """An owner, mode or time that depends on the order changes the hash."""
    lower, upper = file("f", "x"), file("f", "x", **{field: 7})
    one = image((lower,), (upper,), names="r/a:1")
    beside = scan_images(tmp_path, [one]).beside({one.image_id: (1, 0)})
    (row,) = beside.rows("reorder/view_proof", grade="equivalent")
    assert row["today_hash"] != row["proposed_hash"]


def test_only_grade_equivalent_ignores_mtimes_of_shared_folders(tmp_path: Path) -> None:
    """Equivalent counts such mtimes and lets the layers swap; identical does not."""
    one = (directory("srv", mtime=1), file("srv/a", b"a" * 900))
    two = (directory("srv", mtime=2), file("srv/b", b"b" * 800))
    images = [
        image(one, two, (file("x", "1"),), names="r/a:1"),
        image(two, one, (file("x", "2"),), names="r/b:1"),
    ]
    session = scan_images(tmp_path, images)
    plan = reorder(session, ReorderOptions())
    assert plan.today_bytes - plan.proposed_bytes == 1_700
    assert plan.proposals[0].proof is not None
    assert plan.proposals[0].proof.folder_mtimes == 1
    strict = reorder(session, ReorderOptions(grade=Grade.IDENTICAL, explain="a"))
    assert strict.proposals == []
    assert strict.explained is not None
    (held,) = strict.explained.constraints
    assert (held.rule, held.lower_path) == ("directory mtime", "srv")


BIG = (file("opt/big", b"b" * 5_000),)


def dependent_images() -> list[Image]:
    """Two images that share a layer only if both move it down."""
    return [
        image((file("s1", "1"),), BIG, names="r/one:1"),
        image((file("s2", "22"),), BIG, names="r/two:1"),
    ]


def test_what_an_image_saves_in_the_plan_is_not_what_it_saves_alone(tmp_path: Path) -> None:
    """The plan loses all if one image keeps its order, and one alone saves nothing."""
    session = scan_images(tmp_path, dependent_images())
    plan = reorder(session, ReorderOptions())
    assert plan.today_bytes - plan.proposed_bytes == 5_000
    saved = {each.name: (each.saves_bytes, each.saves_alone_bytes) for each in plan.proposals}
    # rebuilt by hand: the small layer is stored twice for the image that stays
    assert saved == {"r/one:1": (5_000, 0), "r/two:1": (5_000, 0)}
    text, told, marked = (
        run(tmp_path / "catalog", "reorder", *words).stdout
        for words in ((), ("-f", "json"), ("-f", "markdown"))
    )
    page = FORMS[Form.HTML].write(ReportInput(session))
    for each in json.loads(told)["proposals"]:
        assert (each["saves_bytes"], each["saves_alone_bytes"]) == (5_000, 0)
        for form in (text, marked, page):
            assert "saves 5.0 kB in this plan, 0 B alone" in form
    for form in (text, marked, page):
        assert "rders depend on each other" in form


def test_an_order_alone_can_store_more(tmp_path: Path) -> None:
    """Alone, an order can separate an image from others that it shares layers with today."""
    small = (file("s", "s" * 7),)
    images = [
        image(small, BIG, names="r/one:1"),
        image(small, BIG, (file("x"),), names="r/two:1"),
        *(image((file(f"o{at}"),), BIG, (file(f"t{at}"),), names=f"r/o{at}:1") for at in "ab"),
    ]
    plan = reorder(scan_images(tmp_path, images), ReorderOptions())
    saved = {each.name: (each.saves_bytes, each.saves_alone_bytes) for each in plan.proposals}
    assert plan.today_bytes == 5_007 + 2 * 5_000
    assert plan.proposed_bytes == 5_007
    # today it shares all 5,007 bytes with the second image
    assert saved["r/one:1"] == (5_007, -5_007)


def test_layers_of_which_nothing_is_proven_are_said_in_every_form(tmp_path: Path) -> None:
    """A layer that goes through a symlink below keeps its place, and each form says so."""
    base = (directory("usr"), directory("usr/lib"), symlink("lib", "usr/lib"))
    through = (file("lib/<b>", b"x" * 700),)
    images = [
        image(base, through, (file("s", "1"),), names="r/one:1"),
        image(base, (file("t", "22"),), through, names="r/two:1"),
    ]
    session = scan_images(tmp_path, images)
    plan = reorder(session, ReorderOptions())
    assert plan.proposals == []
    assert plan.today_bytes - plan.least_bytes == 700
    assert [(each.name, each.position, each.rule, each.path) for each in plan.unproven] == [
        ("r/one:1", 1, "through a symlink", "lib/<b>"),
        ("r/two:1", 2, "through a symlink", "lib/<b>"),
    ]
    text, told, marked, said = (
        run(tmp_path / "catalog", "reorder", *words).stdout
        for words in ((), ("-f", "json"), ("-f", "markdown"), ("explain", "two"))
    )
    document = json.loads(told)
    assert [(each["image"], each["position"]) for each in document["unproven"]] == [
        ("r/one:1", 1),
        ("r/two:1", 2),
    ]
    page = FORMS[Form.HTML].write(ReportInput(session))
    for form in (text, marked, page):
        assert "nproven for 2 layers of 2 images" in form
    assert "r/two:1, layer 2: through a symlink, lib/<b>" in text
    assert "r/two:1, layer 2: through a symlink, lib/&lt;b&gt;" in page
    assert "above 1: through a symlink, lib/<b> of layer 2: unproven" in said
    assert plan.unproven[0].paths == 1


def test_an_order_that_is_not_proven_is_never_called_equal(tmp_path: Path) -> None:
    """Without a comparison, with other views, or against a rule, the verdict is unproven."""
    session = tools(tmp_path)
    (found,) = reorder(session, ReorderOptions()).proposals
    assert (found.verdict, found.unproven_because) == (Verdict.EQUAL, None)
    assert found.proof is not None
    other = replace(found, proof=replace(found.proof, proposed="0" * 64))
    assert other.unproven_because == "the merged views differ"
    held = Constraint(1, 3, "through a symlink", None, "lib/x", 1)
    against = replace(found, constraints=(held,))
    assert against.unproven_because == "layers 1 and 3 do not commute: through a symlink"
    beside = replace(found, constraints=(replace(held, lower=0, upper=1),))
    assert beside.verdict is Verdict.EQUAL
    for each in (other, against, replace(found, proof=None)):
        assert each.verdict is Verdict.UNPROVEN
    words = ("reorder", "--no-proof", "--no-steps")
    text = run(tmp_path / "catalog", *words).stdout
    marked = run(tmp_path / "catalog", *words, "-f", "markdown").stdout
    told = json.loads(run(tmp_path / "catalog", *words, "-f", "json").stdout)
    because = "the merged views were not compared"
    assert f"unproven: {because}" in text
    assert f"Unproven: {because}" in marked
    assert [(each["verdict"], each["unproven_because"]) for each in told["proposals"]] == [
        ("unproven", because)
    ]


def test_layers_of_a_base_move_unless_bases_are_kept(tmp_path: Path) -> None:
    """No build file can do so: the proposal is marked, and --keep-bases forbids it."""
    small, large = (file("s", b"s" * 10),), (file("l", b"l" * 5_000),)
    images = [
        image(small, names="r/base:1"),
        image(small, large, names="r/app:1"),
        image(large, (file("z", "z"),), names="r/other:1"),
    ]
    session = scan_images(tmp_path, images)
    plan = reorder(session, ReorderOptions())
    (found,) = plan.proposals
    assert (found.name, found.order, found.below_base) == ("r/app:1", (1, 0), True)
    assert not found.free
    assert plan.today_bytes - plan.proposed_bytes == 4_990
    assert plan.bases_kept_bytes == plan.today_bytes
    assert reorder(session, ReorderOptions(keep_bases=True)).proposals == []


def test_only_images_that_are_asked_about_move(tmp_path: Path) -> None:
    """Only images that match the given names get another order; an unknown name is an error."""
    session = tools(tmp_path)
    # b has its own file below the common layers, so b must change
    assert by_name(reorder(session, ReorderOptions(images=["*tool:a"]))) == {}
    assert list(by_name(reorder(session, ReorderOptions(images=["tool:b"])))) == [
        "r.example/tool:b"
    ]
    assert by_name(reorder(session, ReorderOptions(images=["*base*"]))) == {}
    with pytest.raises(StoreError, match=r"no such image; the closest are r\.example/tool"):
        reorder(session, ReorderOptions(images=["tool:c"]))


def test_an_incomplete_image_keeps_its_order(tmp_path: Path) -> None:
    """An image with an unreadable layer gets no proposal, and is counted."""
    first, second, third = tool_images()
    folder = tmp_path / "store"
    write_oci_layout(folder, [first, second, third], "none")
    blob = folder / "blobs" / "sha256" / tar_digest(conf("a"))
    blob.write_bytes(b"no tar")
    _, session = scanned(tmp_path / "catalog", folder)
    plan = reorder(session, ReorderOptions())
    assert plan.incomplete_images == 1
    assert by_name(plan) == {"r.example/tool:b": (0, 3, 2, 1)}


def tar_digest(layer: tuple) -> str:
    """The encoded digest of a layer's tar."""
    return image(layer).diff_ids[0].partition(":")[2]


def test_for_pulls_frequent_changes_move_up(tmp_path: Path) -> None:
    """Three tags change the copied files, not the packages: the packages are installed first."""
    app = [(file("srv/app", bytes([number]) * 300),) for number in range(3)]
    packages = (file("usr/lib/packages", b"p" * 9_000),)
    steps = ["ADD rootfs /", "COPY app /srv", "RUN pip install flask"]
    images = [
        image(BASE, app[number], packages, names=f"r/web:1.{number}", history=steps)
        for number in range(3)
    ]
    images.append(image(BASE, names="r/base:1", history=steps[:1]))
    plan = reorder(scan_images(tmp_path, images), ReorderOptions(objective=Objective.PULLS))
    assert by_name(plan) == {f"r/web:1.{number}": (0, 2, 1) for number in range(3)}
    assert plan.images_with_history == 3
    for each in plan.proposals:
        rates = [layer.rate for layer in each.layers]
        assert rates == pytest.approx([1 / 6, 5 / 6, 1 / 6])
        (swap,) = each.swaps
        assert swap.reason == "the RUN can read the files that the other step copies"
        assert not each.free
        assert each.pull_proposed < each.pull_today
    # the same packages on one parent are stored once
    assert plan.today_bytes - plan.proposed_bytes == 18_000


def test_without_a_tag_series_pulls_are_not_estimated(tmp_path: Path) -> None:
    """Names without versions give no rate of change, and the command reports it."""
    done = tools(tmp_path) and run(tmp_path / "catalog", "reorder", "--for", "pulls", "tool:a")
    assert done.returncode == 0
    # a and b are not a series of versions, so it is unknown how often their layers change
    assert "it is unknown how often" in done.stdout


def test_choices_are_not_worse_in_both_storage_and_pulls() -> None:
    """Choices that are worse in both are left out; each image may choose for itself."""
    assert not_worse([(5, 5), (4, 6), (6, 4), (6, 6), (5, 5)]) == [1, 0, 2]
    stacks_ = [stack_of([0, 1], []), stack_of([1, 2], [])]
    sizes = [1, 100, 1]
    candidates = [[(0, 1), (1, 0)], [(0, 1)]]

    def pulled(number: int, order: tuple[int, ...]) -> float:
        return 60.0 if (number, order) == (0, (1, 0)) else 0.0

    cheap = best_mix(stacks_, sizes, candidates, pulled, 0.5)
    dear = best_mix(stacks_, sizes, candidates, pulled, 4)
    assert unpacked_bytes(stacks_, cheap, sizes) == 102
    assert unpacked_bytes(stacks_, dear, sizes) == 202


def test_forms_agree_and_foreign_text_stays_text(tmp_path: Path) -> None:
    """Text, JSON and Markdown have the same figures, and no escape or markup of an image."""
    images = tool_images()
    images = [
        replace(one, history=[HOSTILE if "conf" in step else step for step in one.history or ()])
        for one in images
    ]
    scan_images(tmp_path, images)
    catalog = tmp_path / "catalog"
    text, told, marked, said = (
        run(catalog, "reorder", *words)
        for words in (
            (),
            ("-f", "json"),
            ("-f", "markdown"),
            ("explain", "tool:b"),
        )
    )
    for done in (text, told, marked, said):
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
    document = json.loads(told.stdout)
    assert document["today_bytes"] - document["proposed_bytes"] == 28_000
    (found,) = document["proposals"]
    assert found["proof"]["equal"]
    assert found["proof"]["today_hash"] in text.stdout
    assert found["proof"]["today_hash"] in marked.stdout
    assert "28.0 kB  saved by these orders" in text.stdout
    assert "28.0 kB of" in marked.stdout
    for line in marked.stdout.splitlines():
        assert "<script>" not in line or line.startswith(("RUN ", "|"))
    assert "may be at 0 to 3" in said.stdout


def test_the_page_shows_orders_and_their_proof(tmp_path: Path) -> None:
    """The page has both orders, the hash and the build file; text of images stays text."""
    images = [
        replace(one, history=[HOSTILE if "conf" in step else step for step in one.history or ()])
        for one in tool_images()
    ]
    session = scan_images(tmp_path, images)
    (found,) = reorder(session, ReorderOptions()).proposals
    assert found.proof is not None
    text = FORMS[Form.HTML].write(ReportInput(session))
    assert "Other orders of the existing layers save 28.0 kB" in text
    assert found.proof.today in text
    assert "FROM r.example/base:1" in text
    assert "COPY model /opt" in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_the_page_reads_the_stacks_once(tmp_path: Path) -> None:
    """Layer orders and step orders start from one input: each question is asked once."""
    questions = RecordedQuestions(tools(tmp_path))
    found = ReportInput(questions).page_rows
    assert found.plan.proposals
    assert found.steps.today_bytes == found.plan.today_bytes
    names = [name for name in questions.names if name.startswith("reorder/")]
    assert sorted(names) == [
        "reorder/change_rates",
        "reorder/layers",
        "reorder/movable_conflicts",
        "reorder/movable_images",
        "reorder/step_repeats",
    ]


def test_bases_kept_bytes_keep_the_bases_for_every_objective(tmp_path: Path) -> None:
    """Only a base could move, so the figure is today's, also if both objectives count."""
    small, large = (file("s", b"s" * 10),), (file("l", b"l" * 5_000),)
    images = [
        image(small, names="r/base:1"),
        image(small, large, names="r/app:1"),
        image(large, (file("z", "z"),), names="r/other:1"),
    ]
    session = scan_images(tmp_path, images)
    for objective in Objective:
        plan = reorder(session, ReorderOptions(objective=objective))
        assert plan.bases_kept_bytes == plan.today_bytes


def test_entries_lists_every_entry_with_its_proof(tmp_path: Path) -> None:
    """--entries lists every path of the image, and whether it is the same in both orders."""
    tools(tmp_path)
    done = run(tmp_path / "catalog", "reorder", "compare", "tool:b", "-f", "json", "--limit", "0")
    rows = json.loads(done.stdout)
    assert {row["path"] for row in rows} >= {"opt/model", "opt/lib", "etc/conf", "etc/os"}
    assert all(row["same"] for row in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nosuch",), "nosuch: no such image"),
        (("explain", "nosuch"), "nosuch: no such image"),
        (("--budget", "long"), "expected a time like 30s"),
    ],
)
def test_a_bad_argument_is_named(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """An unknown image or a bad budget is one error, and nothing else is printed."""
    tools(tmp_path)
    done = run(tmp_path / "catalog", "reorder", *words)
    assert message in done.stderr
    assert done.returncode != 0
    assert done.stdout == ""
