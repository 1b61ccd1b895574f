"""Words for yes and no in a cell, in English and Chinese, and the further words of a consent.

Compared without blanks around them and in lower case. A word that is in neither list is unknown: never a yes, never
a no. Not here: what becomes of unknown words.
"""

from __future__ import annotations

YES = ("1", "1.0", "true", "t", "yes", "y", "是")
NO = ("0", "0.0", "false", "f", "no", "n", "否")
# A column that asks "may we?" is answered in more ways than one that asks "is it so?".
AGREED = (
    *YES, "on", "agreed", "accepted", "granted", "allowed", "opted in", "opt-in", "optin", "opt_in", "subscribed",
    "有", "同意", "已同意", "授权", "已授权", "允许", "接受", "开", "开启", "已开启", "订阅", "已订阅", "√", "✓", "✔",
)  # fmt: skip
REFUSED = (
    *NO, "off", "refused", "declined", "denied", "withdrawn", "opted out", "opt-out", "optout", "opt_out",
    "unsubscribed", "无", "不", "不同意", "未同意", "未授权", "不允许", "拒绝", "不接受", "关", "关闭", "已关闭",
    "退订", "已退订", "未订阅", "取消", "已取消", "撤回", "已撤回", "×", "✗", "✘",
)  # fmt: skip
