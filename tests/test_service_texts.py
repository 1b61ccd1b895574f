"""Rows written column by column are what orjson writes of each; packed records are what they were."""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from campaignrl.service.deciding.json_columns import Few, json_lists, json_rows, member, texts_of
from campaignrl.service.store.database import Database
from campaignrl.service.store.decided import Form, unpacked
from campaignrl.service.store.schema import forms, metadata

ODD = ['q"x', "back\\slash", "a,b", '","', ",", "", "é", "😀", "tab\tx", "\x00", "%s", "null", "[1]", "a"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(ODD)


def names_of(columns):
    return {name: name for name in columns}


@given(st.data())
def test_rows_are_those_of_orjson(data):
    n = data.draw(st.integers(1, 20))
    few = data.draw(st.lists(TEXTS, min_size=1, max_size=3))
    bits = data.draw(st.lists(st.floats(allow_nan=True), min_size=n, max_size=n))
    mask = np.array(data.draw(st.lists(st.lists(st.booleans(), min_size=9, max_size=9), min_size=n, max_size=n)))
    columns = {
        "text": data.draw(st.lists(TEXTS, min_size=n, max_size=n)),
        "few": data.draw(st.lists(st.sampled_from(few), min_size=n, max_size=n)),
        "same": ["é%s"] * n,
        "float": np.array(bits),
        "single": np.arange(n, dtype=np.float32) / 3,
        "whole": np.array(data.draw(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=n, max_size=n)), np.int32),
        "odd": data.draw(st.lists(st.none() | st.integers(0, 2), min_size=n, max_size=n)),
        "mask": mask,
        'key"': Few(mask[:, 0].tolist(), {True: True, False: [1]}),
    }
    last = [data.draw(st.sampled_from(["", member("more", 'x"')])) for _ in range(n)]
    found = json_rows(texts_of(columns, n), names_of(columns), last)
    cells = {name: one.tolist() if isinstance(one, np.ndarray) else one for name, one in columns.items()}
    cells["mask"] = [np.flatnonzero(row).tolist() for row in mask]
    cells['key"'] = [True if row[0] else [1] for row in mask]
    for i, text in enumerate(found):
        more = {"more": 'x"'} if last[i] else {}
        assert text.encode() == orjson.dumps({name: one[i] for name, one in cells.items()} | more)


@pytest.mark.parametrize("cells", [[",", "", ""], ["", ",", ""], [",", ",", ","], ["", "", ","], [",", "a,b", ",,"]])
def test_commas_and_nothing_between_texts(cells):
    found = json_rows(texts_of({"one": cells, "two": cells[::-1]}, 3), {"one": "one", "two": "two"})
    assert [orjson.loads(text) for text in found] == [
        {"one": a, "two": b} for a, b in zip(cells, cells[::-1], strict=True)
    ]


@pytest.mark.parametrize("n", [1, 2, 40])
def test_a_record_is_found_again_by_its_form_and_an_older_one_as_it_is(tmp_path, n):
    columns = {"id": [f"c{i}" for i in range(n)], "hash": ["h"] * n, "x": np.arange(n) / 3}
    texts, form = texts_of(columns, n), Form.of(columns, {"hash": "h"}, "last")
    records = json_lists(texts, ["id", "x"], form.id, [',"z"' if i % 2 else "" for i in range(n)])
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.writing() as con:
        metadata.create_all(con)
        con.execute(insert(forms).values(id=form.id, members=form.members))
        found = unpacked(con, [*records, '{"id":"old"}'])
    database.close()
    more = [{"last": "z"} if i % 2 else {} for i in range(n)]
    assert found == [*({"id": f"c{i}", "hash": "h", "x": i / 3} | more[i] for i in range(n)), {"id": "old"}]
    assert [list(one) for one in found[:-1]] == [["id", "hash", "x", *one] for one in more]
