"""Lists made of published ones: round trips in every format, 5 of each class, and what is left of them."""

import json
from pathlib import Path

import pytest

from cavmae_sync.data import PreparedDataset, read_clip_list
from cavmae_sync.data.lists.make_list import ListPlan, make_list, write_list
from cavmae_sync.errors import DatasetError


@pytest.fixture
def vggsound(tmp_path: Path) -> Path:
    """4 test clips and 2 for training of each of 309 classes; every third name has a comma."""
    rows = []
    for number in range(309 * 6):
        name = f"class {number % 309}" + (", and more" if number % 309 % 3 == 0 else "")
        split = "test" if number < 309 * 4 else "train"
        label = f'"{name}"' if "," in name else name
        rows.append(f"-{number:010d},{number % 600},{label},{split}\n")
    path = tmp_path / "vggsound.csv"
    path.write_text("".join(rows))
    return path


@pytest.mark.parametrize("form", ["json", "csv", "text"])
def test_every_format_gives_the_same_list_back(vggsound: Path, tmp_path: Path, form):
    made = make_list(vggsound, ListPlan(split="test", per_class=3))
    assert (len(made.clips), len(made.clips_per_class)) == (927, 309)
    assert set(made.clips_per_class.values()) == {3}
    about = write_list(made, tmp_path / "out" / "list.x", form=form)
    again = read_clip_list(tmp_path / "out" / "list.x")
    assert (again.ids, again.labels, again.sha256) == (made.clips.ids, made.clips.labels, made.clips.sha256)
    assert about.name == "list.about.json"
    assert json.loads(about.read_text())["sha256"] == again.sha256


@pytest.mark.parametrize("form", ["json", "csv", "text"])
def test_labels_with_commas_survive(tmp_path: Path, form):
    (tmp_path / "own.csv").write_text('video_id,labels\nx,"Male speech, man speaking;Chor"\n-y,\n')
    made = make_list(tmp_path / "own.csv", ListPlan())
    write_list(made, tmp_path / "list", form=form)
    assert read_clip_list(tmp_path / "list").sha256 == made.clips.sha256


def test_a_label_with_a_semicolon_needs_json(tmp_path: Path):
    (tmp_path / "own.json").write_text(json.dumps({"data": [{"video_id": "x", "labels": "a;b"}]}))
    made = make_list(tmp_path / "own.json", ListPlan())
    write_list(made, tmp_path / "list", form="json")
    assert read_clip_list(tmp_path / "list").sha256 == made.clips.sha256
    for form in ("csv", "text"):
        with pytest.raises(DatasetError, match=r"A label of x has a ';'.* Write the list as JSON"):
            write_list(made, tmp_path / "list", form=form)


def test_an_official_manifest_of_1545_is_taken_as_it_is(tmp_path: Path):
    data = [{"video_id": f"-{n:010d}_000030", "labels": f"vgg_{n // 5}"} for n in range(1545)]
    (tmp_path / "vgg.json").write_text(json.dumps({"data": data}))
    made = make_list(tmp_path / "vgg.json", ListPlan())
    about = made.to_dict()
    assert (about["num_clips"], about["num_classes"], about["clips_per_class"]) == (1545, 309, (5, 5.0, 5))
    assert make_list(tmp_path / "vgg.json", ListPlan(per_class=5)).clips.sha256 == made.clips.sha256


def test_labels_can_be_written_by_the_class_list(vggsound: Path, tmp_path: Path):
    names = [f"class {n}" + ("_ and more" if n % 3 == 0 else "") for n in range(309)]
    rows = "".join(f"{n},vgg_{n},{name}\n" for n, name in enumerate(names))
    (tmp_path / "classes.csv").write_text("index,mid,display_name\n" + rows)
    plan = ListPlan(split="test", classes=tmp_path / "classes.csv", names="mid")
    made = make_list(vggsound, plan)
    assert made.clips.labels[:2] == (("vgg_0",), ("vgg_1",))
    assert (made.source_counts.unknown_labels, made.source_counts.empty_classes) == ((), ())
    with pytest.raises(DatasetError, match="only with the class list: give --classes"):
        make_list(vggsound, ListPlan(names="mid"))


def test_what_is_left_in_a_dataset(prepared_videos: Path, tmp_path: Path):
    listed = "video_id,labels\nquiet,rest\nnobody,bark;rest\nb/dog,bark\nnone,ufo\n"
    (tmp_path / "own.csv").write_text(listed)
    made = make_list(tmp_path / "own.csv", ListPlan(available=prepared_videos))
    left = made.available
    assert left is not None
    assert made.clips.ids == ("quiet", "b/dog")
    assert made.clips.labels == (("rest",), ("bark",))
    assert (left.num_listed, left.missing) == (4, ("nobody", "none"))
    assert left.missing_per_class == {"bark": 1, "rest": 1, "ufo": 1}
    assert left.gone_classes == ("ufo",)
    assert left.listed_sha256 == read_clip_list(tmp_path / "own.csv").sha256 != made.clips.sha256
    assert "missing" in str([column._cells for column in made.to_table().columns])


def test_a_dataset_is_a_list_too(prepared_folder: Path):
    made = make_list(prepared_folder, ListPlan())
    clips = PreparedDataset.open(prepared_folder)
    assert (list(made.clips.ids), list(made.clips.labels)) == (clips.clip_ids, clips.labels)
    assert (made.source_counts.kind, made.file_sha256) == ("dataset", None)
    with pytest.raises(DatasetError, match="has no splits"):
        make_list(prepared_folder, ListPlan(split="test"))


def test_without_labels_nothing_can_be_chosen_per_class(tmp_path: Path):
    (tmp_path / "l.txt").write_text("a\nb\n")
    with pytest.raises(DatasetError, match="has no labels"):
        make_list(tmp_path / "l.txt", ListPlan(per_class=5))
