"""Exports of a tea shop as its people hand them over: an Excel workbook, GB18030 and UTF-8 CSV, Chinese headers."""

import numpy as np
import pandas as pd
from tests.test_intake_files import workbook

CUSTOMERS, ORDERS, DAYS = 5_000, 6_000, 300
LAST = pd.Timestamp("2026-11-20 21:00")


def write_exports(folder, seed=8):
    """订单.xlsx, 会员.csv (GB18030) and 短信发送.csv; more orders from customers who order often."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    ids = np.array([f"会员{i:05d}" for i in range(CUSTOMERS)], dtype=object)
    often = rng.gamma(0.8, 1.0, CUSTOMERS)
    who = rng.choice(CUSTOMERS, ORDERS, p=often / often.sum())
    when = LAST - pd.to_timedelta(np.sort(rng.integers(0, DAYS * 24 * 60, ORDERS))[::-1], unit="min")
    paid = np.round(rng.gamma(3.0, 40.0, ORDERS), 2)
    rows = [["订单号", "会员号", "下单时间", "实付金额", "订单状态"]]
    status = np.where(rng.random(ORDERS) < 0.03, "已取消", "已完成")
    for number, (i, ts, money, state) in enumerate(zip(who, when, paid, status, strict=True)):
        rows.append([f"D{number:06d}", ids[i], f"{ts:%Y-%m-%d %H:%M}", f"¥{money:,.2f}", str(state)])
    workbook(folder / "订单.xlsx", {"订单": (rows, [])})
    pd.DataFrame(
        {
            "会员号": ids,
            "年龄段": rng.choice(["18-24岁", "25-34岁", "35-44岁", "45岁以上"], CUSTOMERS),
            "城市等级": rng.choice(["一线", "二线", "三线"], CUSTOMERS),
            "注册日期": "2025-12-01",
            "短信授权": rng.choice(["是", "否"], CUSTOMERS, p=[0.45, 0.55]),
            "邮件授权": rng.choice(["是", "否"], CUSTOMERS, p=[0.7, 0.3]),
        }
    ).to_csv(folder / "会员.csv", index=False, encoding="gb18030")
    sent = rng.choice(CUSTOMERS, 2_000)
    at = LAST - pd.to_timedelta(rng.integers(24 * 60, 30 * 24 * 60, 2_000), unit="min")
    pd.DataFrame({"会员号": ids[sent], "发送时间": at.strftime("%Y-%m-%d %H:%M"), "状态": "已发送"}).to_csv(
        folder / "短信发送.csv", index=False
    )
