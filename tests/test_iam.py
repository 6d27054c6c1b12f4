"""IAM on a small invented copy of its layout: split, writers, texts, boxes, archives, the account."""
# from week 3

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import iam_fixture
import pytest
import torch  # from week 6
from conftest import QUICK, Outcome
from iam_fixture import FORMS, put

from lab.data import iam_files
from lab.data.iam import CHARACTERS, read_iam
from lab.data.iam_lines import IAMLines
from lab.data.iam_paragraphs import IAMParagraphs  # from week 6
from lab.data.vocabulary import UNKNOWN
from lab.errors import LabError

PART = {"trainset": "train", "validationset1": "val", "validationset2": "val", "testset": "test"}


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IAM_USER", "IAM_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def ready(data: Any) -> Any:
    data.prepare_data()
    data.setup("fit")
    return data


def sets(data: Any) -> dict[str, Any]:
    return {"train": data.train_set, "val": data.val_set, "test": data.test_set}


def lines_of(part: str) -> list[str]:
    """The texts of a part's lines, in order."""
    return [
        text
        for form, (_, where, texts) in FORMS.items()
        for number, text in enumerate(texts)
        if PART[where] == part and f"{form}-{number:02d}" != iam_fixture.UNLISTED
    ]


def test_facts_are_known_before_there_are_files() -> None:
    lines = IAMLines()
    assert lines.input_shape == (1, 56, 1536) and lines.text_length == 96
    assert len(set(CHARACTERS)) == 79
    assert lines.alphabet == (UNKNOWN, *sorted(CHARACTERS))
    assert IAMLines(characters="ab").alphabet == (UNKNOWN, "a", "b")
    # >>> from week 6
    paragraphs = IAMParagraphs()
    assert paragraphs.input_shape == (1, 576, 640) and paragraphs.text_length == 700
    assert paragraphs.alphabet == (UNKNOWN, "\n", *sorted(CHARACTERS))
    # <<< from week 6


def test_lines_are_those_of_the_lists_and_no_writer_is_in_two_parts() -> None:
    data = ready(IAMLines(path=str(put(Path("iam")))))
    found = sets(data)
    for part, samples in found.items():
        # Texts escaped twice come back; lines whose words were parted wrongly are there too.
        assert list(samples.texts) == lines_of(part)
    writers = {part: set(samples.writers.tolist()) for part, samples in found.items()}
    assert len(set.union(*writers.values())) == sum(map(len, writers.values())) == 5
    assert data.writers == ("000", "012", "150", "151", "400")
    names = [data.writers[number] for number in data.train_set.writers]
    assert names == ["000"] * 5 + ["012"] * 2
    images = [
        image for samples in found.values() for image in map(samples.image, range(len(samples)))
    ]
    assert all(image.max() == 255 and image.float().median() == 0 for image in images)


def test_lines_are_cut_from_forms_where_they_have_no_images() -> None:
    data = ready(IAMLines(path=str(put(Path("iam"), ("xml", "task", "forms"))), height=32))
    assert list(data.train_set.texts) == lines_of("train")
    for part, samples in sets(data).items():
        for index, text in enumerate(lines_of(part)):
            image = samples.image(index)
            # As wide as its text, ink all over it, and nothing of what is printed above.
            assert image.shape[0] == 32 and 8 < image.shape[1] / len(text) < 22, text
            assert image[:, :4].sum() == 0 and image[:, -4:].sum() == 0
            columns = (image > 100).any(0).nonzero()[:, 0]
            assert columns[0] < 20 and columns[-1] > image.shape[1] - 20


def test_forms_of_another_size_are_cut_as_well() -> None:
    whole = ready(IAMLines(path=str(put(Path("iam"), ("xml", "task", "forms"))), height=32))
    shutil.copytree("iam", "half")
    for path in Path("half/forms").glob("*.png"):
        image = iam_fixture.Image.open(path)
        image.resize((image.width // 2, image.height // 2)).save(path.with_suffix(".jpg"))
        path.unlink()
    half = ready(IAMLines(path="half", height=32))
    widths = [data.train_set.sizes[:, 1] for data in (whole, half)]
    assert (widths[0] - widths[1]).abs().max() < 0.1 * widths[0].min()


# >>> from week 6
def test_paragraphs_have_all_lines_of_a_form_and_nothing_printed() -> None:
    data = ready(IAMParagraphs(path=str(put(Path("iam"))), scale=0.5))
    for part, samples in sets(data).items():
        forms = [lines for _, where, lines in FORMS.values() if PART[where] == part]
        assert list(samples.texts) == ["\n".join(lines) for lines in forms]
        for index, lines in enumerate(forms):
            image = samples.image(index)
            high, wide = image.shape
            assert abs(high - 30 * len(lines)) < 16 and wide < 250
            assert image.max() == 255 and image.float().median() == 0
            # As many stripes of ink as lines.
            rows = torch.cat([torch.tensor([False]), (image > 60).any(1)])
            assert int((rows[1:] & ~rows[:-1]).sum()) == len(lines)
    writers = [set(samples.writers.tolist()) for samples in sets(data).values()]
    assert len(set.union(*writers)) == sum(map(len, writers))


def test_large_paragraphs_are_made_to_fit() -> None:
    data = ready(IAMParagraphs(path=str(put(Path("iam"))), scale=1, height=100, width=200))
    for samples in sets(data).values():
        assert (samples.sizes <= torch.tensor([100, 200])).all()
        assert ((samples.sizes[:, 0] >= 99) | (samples.sizes[:, 1] >= 199)).all()


def test_paragraphs_are_stacked_from_training_lines_on_top_of_the_real_ones() -> None:
    data = ready(IAMParagraphs(path=str(put(Path("iam"))), scale=0.5, synthetic=30))
    real = [form for form in FORMS.values() if form[1] == "trainset"]
    assert len(data.train_set) == len(real) + 30 and len(data.val_set) == 2
    known = {
        text: writer
        for writer, where, texts in FORMS.values()
        if where == "trainset"
        for text in texts
    }
    for index in range(len(data.train_set)):
        text = data.train_set.texts[index]
        writers = {known[line] for line in text.split("\n")}
        assert writers == {data.writers[data.train_set.writers[index]]}
        image, target = data.train_set.image(index), data.train_set.target(index)
        assert "".join(data.alphabet[token] for token in target) == text
        assert tuple(image.shape) == tuple(data.train_set.sizes[index].tolist())
        assert image.max() == 255
    batch = data.train_set.__getitems__([0, 31, 5])
    assert batch[0].shape[0] == 3 and torch.equal(batch[3], data.train_set.writers[[0, 31, 5]])


# <<< from week 6
# What may be wrong


def test_what_is_missing_is_told_with_where_to_get_it() -> None:
    with pytest.raises(LabError) as caught:
        IAMLines().prepare_data()
    message = str(caught.value)
    for part in (
        "data/iam",
        "xml.tgz",
        "lines.tgz",
        "largeWriterIndependentTextLineRecognitionTask.zip",
        "https://fki.tic.heia-fr.ch/register",
        "IAM_USER",
        "--data.path",
    ):
        assert part in message
    assert len(message.splitlines()) <= 6
    # >>> from week 6
    root = put(Path("iam"), ("xml", "task"))
    with pytest.raises(LabError, match="missing: formsA-D.tgz, formsE-H.tgz, formsI-Z.tgz"):
        IAMParagraphs(path=str(root)).prepare_data()
    # <<< from week 6


def edited(name: str, old: str, new: str) -> Path:
    root = put(Path("iam"))
    path = root / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return root


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("xml/a01-000u.xml", "</form>", "", "a01-000u.xml: this is no XML"),
        ("xml/a01-000u.xml", 'writer-id="000"', "", "a01-000u.xml: cannot be read"),
        ("xml/a01-000u.xml", 'x="', 'x="none', "a01-000u.xml: cannot be read"),
        ("xml/e05-117.xml", '"400"', '"000"', "writer 000 is in train and in test"),
        (
            "task/trainset.txt",
            "b02-010-00",
            "b02-010-07",
            "no line b02-010-07, which is one of train",
        ),
        ("task/testset.txt", "e05-117-00", "e06-000-00", "e06-000.xml is missing, of which test"),
    ],
)
def test_damaged_descriptions_are_told(name: str, old: str, new: str, message: str) -> None:
    root = edited(name, old, new)
    with pytest.raises(LabError, match=message):
        ready(IAMLines(path=str(root)))


def test_other_faults_are_told() -> None:
    root = put(Path("iam"))
    (root / "task" / "testset.txt").write_text("\n")
    with pytest.raises(LabError, match="testset.txt: it names no line"):
        read_iam(root)
    root = put(Path("none"), ("xml", "task", "lines"))
    (root / "lines/a01/a01-000u/a01-000u-01.png").unlink()
    with pytest.raises(LabError, match="no image of a01-000u-01, nor of form a01-000u"):
        ready(IAMLines(path=str(root)))
    with pytest.raises(LabError, match="a text has 25 characters; those of IAM have 9"):
        data = IAMLines(path=str(put(Path("long"))))
        data.text_length = 9
        ready(data)


# >>> from week 6
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "--data.scale 0.0: choose"),
        ({"height": 5}, "--data.height 5"),
        ({"synthetic": -1}, "--data.synthetic -1: choose 0"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        IAMParagraphs(**options)


# <<< from week 6
# Archives and the account


def test_archives_that_lie_there_are_unpacked() -> None:
    root = Path("data/iam")
    root.mkdir(parents=True)
    for name, content in iam_fixture.archives().items():
        (root / name).write_bytes(content)
    assert list(ready(IAMLines()).train_set.texts) == lines_of("train")
    assert len(ready(IAMParagraphs()).train_set) == 3  # from week 6
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == [
        "forms",  # from week 6
        "lines",
        "task",
        "xml",
    ]
    (root / "xml.tgz").write_bytes(b"none")
    shutil.rmtree(root / "xml")
    with pytest.raises(LabError, match="xml.tgz: cannot be read"):
        IAMLines().prepare_data()


class Handler(BaseHTTPRequestHandler):
    """IAM's site: a login that gives a cookie, and archives for those who show it."""

    def do_POST(self) -> None:
        given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = given == {"email": ["me@example.org"], "password": ["a&b=c"]}
        self.send_response(200)
        if known:
            self.send_header("Set-Cookie", "session=known; Path=/")
        self.end_headers()

    def do_GET(self) -> None:
        name = Path(self.path).name
        page = name.endswith(".tgz") and "session=known" not in self.headers.get("Cookie", "")
        content = b"<html>Log in</html>" if page else iam_fixture.archives()[name]
        asked = self.headers["Range"]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and not page else 0
        self.server.asked.append((self.path, start))  # type: ignore[attr-defined]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "text/html" if page else "application/octet-stream")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        # The first time one archive comes but in part.
        cut = name == "lines.tgz" and not start
        self.wfile.write(content[start : start + 1000] if cut else content[start:])

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []  # type: ignore[attr-defined]
    monkeypatch.setattr(iam_files, "SITE", f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_known_account_downloads_and_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IAM_USER", "me@example.org")
    monkeypatch.setenv("IAM_PASSWORD", "a&b=c")
    with site(monkeypatch) as server:
        with pytest.raises(LabError, match="cannot download lines.tgz .*after 1000 of"):
            IAMLines().prepare_data()
        assert list(ready(IAMLines()).train_set.texts) == lines_of("train")
        assert server.asked[-1] == ("/DBs/iamDB/data/lines.tgz", 1000)
        before = len(server.asked)
        IAMLines().prepare_data()
        assert len(server.asked) == before
    for path in Path("data").rglob("*"):
        assert path.is_dir() or b"a&b=c" not in path.read_bytes()
    assert "a&b=c" not in "".join(capsys.readouterr())


def test_an_unknown_account_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_USER", "me@example.org")
    monkeypatch.setenv("IAM_PASSWORD", "wrong")
    with site(monkeypatch), pytest.raises(LabError, match="does not know this account") as caught:
        IAMLines().prepare_data()
    assert "wrong" not in str(caught.value)
    assert not list(Path("data").rglob("*.tgz"))


def test_a_site_out_of_reach_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_USER", "me@example.org")
    monkeypatch.setenv("IAM_PASSWORD", "a&b=c")
    with pytest.raises(LabError, match="cannot log in at https://fki.tic.heia-fr.ch"):
        IAMLines().prepare_data()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "IAMLines --model LineCTC",
        "IAMParagraphs --model LineTransformer --model.net ResNetTransformer",  # from week 6
    ],
)
def test_the_script_trains_on_it(script: Callable[..., Outcome], words: str) -> None:
    folder = put(Path("iam"))
    outcome = script("--data", *words.split(), "--data.path", folder, *QUICK)
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/cer"] > 0 and outcome.summary["steps"] > 0
