"""The files of IAM: where they lie, and how they get there.

IAM is free for research that is not commercial, and asks everybody to register. It publishes no SHA-256 of
its archives, so only their format is checked.
Source: Marti, Bunke, "The IAM-database: an English sentence database for offline handwriting recognition",
2002.
"""
# from week 3

import os
import shutil
import tarfile
import zipfile
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

from lab.data.download import RemoteFile, alone_with, write_stream
from lab.data.reading import reading
from lab.errors import LabError

SITE = "https://fki.tic.heia-fr.ch"
DATA = "/DBs/iamDB/data/"
TASK = "largeWriterIndependentTextLineRecognitionTask.zip"
# Where the archives of each kind of file are on the site.
ARCHIVES = {
    "task": (f"/static/zip/{TASK}",),
    "xml": (f"{DATA}xml.tgz",),
    "lines": (f"{DATA}lines.tgz",),
    "forms": tuple(f"{DATA}forms{letters}.tgz" for letters in ("A-D", "E-H", "I-Z")),
}
LISTS = ("trainset", "validationset1", "validationset2", "testset")
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


class IAMFiles:
    """What there is of IAM in a folder, wherever in it: by name without its ending.

    Attributes:
        xml, lines, forms, task: paths of the descriptions of the forms, of the images of lines
            (a01-000u-00) and of forms (a01-000u), and of the lists of lines of each part.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.xml: dict[str, Path] = {}
        self.lines: dict[str, Path] = {}
        self.forms: dict[str, Path] = {}
        self.task: dict[str, Path] = {}
        for path in sorted(root.rglob("*")):
            suffix, hyphens = path.suffix.lower(), path.stem.count("-")
            if suffix == ".xml":
                self.xml[path.stem] = path
            elif suffix == ".txt" and path.stem in LISTS:
                self.task[path.stem] = path
            elif suffix in IMAGES and hyphens == 1:
                self.forms[path.stem] = path
            elif suffix in IMAGES and hyphens == 2:
                self.lines[path.stem] = path

    def missing(self, images: tuple[str, ...]) -> list[str]:
        """The kinds of files that are not there; of the kinds of images any is enough."""
        kinds = [] if len(self.task) == len(LISTS) else ["task"]
        kinds += [] if self.xml else ["xml"]
        return kinds + ([] if any(getattr(self, kind) for kind in images) else [images[0]])


def provide(root: Path, images: tuple[str, ...]) -> None:
    """See to it that descriptions, split and images of one of these kinds are there, unpacked.

    Args:
        root: a folder with IAM's files or its archives. What is missing is downloaded with the account
            that the environment names in IAM_USER and IAM_PASSWORD.

    Raises:
        LabError: something is missing and can't be had.
    """
    kinds = IAMFiles(root).missing(images) if root.is_dir() else ["task", "xml", images[0]]
    if not kinds:
        return
    paths = {kind: [root / Path(place).name for place in ARCHIVES[kind]] for kind in kinds}
    absent = [path for kind in kinds for path in paths[kind] if not path.is_file()]
    if absent and not (os.environ.get("IAM_USER") and os.environ.get("IAM_PASSWORD")):
        raise LabError(advice(root, absent))
    with alone_with(root / "iam"):
        if absent:
            site = logged_in()
            for kind in kinds:
                for place, path in zip(ARCHIVES[kind], paths[kind], strict=True):
                    if path in absent:
                        download(site, place, path)
        for kind in kinds:
            unpack(paths[kind], root / kind)


def advice(root: Path, absent: list[Path]) -> str:
    """How to get what is missing."""
    names = ", ".join(path.name for path in absent)
    return (
        f"IAM is not whole in {root}; missing: {names}.\n"
        f"Register at {SITE}/register; then set IAM_USER (your e-mail address) and IAM_PASSWORD and\n"
        "run again, or download these archives there and put them into that folder, as they are or\n"
        "unpacked. If you have them elsewhere, name the folder: --data.path."
    )


def logged_in() -> OpenerDirector:
    """The site, once the user's account was shown to it; what it gave in return stays in memory."""
    opener = build_opener(HTTPCookieProcessor(CookieJar()))
    account = {"email": os.environ["IAM_USER"], "password": os.environ["IAM_PASSWORD"]}
    try:
        with opener.open(f"{SITE}/login", urlencode(account).encode(), timeout=30) as answer:
            answer.read()
    except (OSError, HTTPException) as error:
        raise LabError(f"cannot log in at {SITE} ({reason(error)}).\nRun again later.") from error
    return opener


def download(site: OpenerDirector, place: str, path: Path) -> None:
    """Fetch an archive, going on from a part that an earlier try left."""
    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.is_file() else 0
    request = Request(SITE + place, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with site.open(request, timeout=30) as answer:
            if answer.headers.get_content_type() == "text/html":
                raise LabError(
                    f"{SITE} gives {path.name} to registered users only: it does not know this account.\n"
                    "Check IAM_USER (the e-mail address) and IAM_PASSWORD."
                )
            # The hash is that of nothing: there is none to compare with.
            write_stream(answer, part, have=have, file=RemoteFile(path.name, None, "", ()))
    except (OSError, HTTPException) as error:
        raise LabError(
            f"cannot download {path.name} from {SITE} ({reason(error)}).\n"
            f"Run again to go on, or fetch it with a browser and put it at {path}"
        ) from error
    os.replace(part, path)


def reason(error: Exception) -> object:
    """Why a connection failed."""
    return getattr(error, "reason", None) or error


def unpack(archives: list[Path], folder: Path) -> None:
    """Unpack archives into a folder, all of them or none."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    for archive in archives:
        with reading(archive):
            if archive.suffix == ".zip":
                with zipfile.ZipFile(archive) as content:
                    content.extractall(part)
            else:
                with tarfile.open(archive) as content:
                    content.extractall(part, filter="data")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
