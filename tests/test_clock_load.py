"""The picture of channel loads: what is drawn is what the table holds."""

import numpy as np
import pandas as pd
import pytest

from campaignrl.errors import UsageError
from campaignrl.report.figures.base import png_bytes
from campaignrl.report.figures.channel_load import channel_load


def table(name, servers=2, days=3):
    """Two services an hour by day, none at night; 3 wait at noon, and the wait grows by an hour a day."""
    hour = np.arange(24.0 * days)
    working = (hour % 24 >= 8) & (hour % 24 < 20)
    return pd.DataFrame(
        {
            "hour": hour,
            "channel": name,
            "joined": 2 * working,
            "begun": 2 * working,
            "waiting": 3 * (hour % 24 == 11),
            "busy": 1.0 * working,
            "servers": servers,
            "wait": np.where(working, 1.0 + hour // 24, np.nan),
        }
    )


def test_each_channel_has_its_queue_and_its_waits():
    figure = channel_load(pd.concat([table("call"), table("sms", servers=1)]), open_hours=12.0)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[0] == "call: 2 servers, at work 50% of the open hours"
    assert titles[2] == "sms: 1 server, at work 100% of the open hours"
    queue, waits = figure.axes[0].lines[0], figure.axes[1].lines[0]
    assert np.flatnonzero(queue.get_ydata()).tolist() == [11, 35, 59]
    assert queue.get_xdata()[11] == 0.5  # what waits at the end of the hour from 11 to 12
    assert waits.get_ydata().tolist() == [1.0, 2.0, 3.0]


def test_a_day_without_service_leaves_a_gap():
    load = table("call", servers=0)
    load[["begun", "busy"]] = 0
    load["wait"] = np.nan
    figure = channel_load(load)
    assert figure.axes[0].get_title(loc="left") == "call: no server"
    assert np.isnan(figure.axes[1].lines[0].get_ydata()).all()


@pytest.mark.parametrize("name", ["电话营销", "$x_{", "a\nb\x00", "x" * 500])
def test_any_name_can_be_drawn(name):
    assert png_bytes(channel_load(table(name)), dpi=40).startswith(b"\x89PNG")


def test_without_queues_there_is_nothing_to_draw():
    with pytest.raises(UsageError, match="a capacity or a retry"):
        channel_load(table("call").iloc[:0])
