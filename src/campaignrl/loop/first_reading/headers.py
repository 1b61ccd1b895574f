"""What people call the columns of their exports, in English and Chinese, and which words name a channel.

Compared in lower case, without blanks, `_` and `-`. A list is in order: what stands first is preferred where several
columns fit. Here: the words. Not here: what is concluded from them (guesses.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType


def _words(lists: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({name: tuple(text.split()) for name, text in lists.items()})


ROLES: Mapping[str, tuple[str, ...]] = _words(
    {
        "customer": "customerid memberid customer member userid clientid client user uid card cardno buyerid buyer "
        "kunde kundennummer 客户编号 会员编号 会员号 客户号 会员id 客户id 用户id 用户编号 会员卡号 买家 客户 会员",
        "order": "orderid orderno ordernumber order invoice invoiceno receipt receiptno transactionid bestellnummer "
        "订单号 订单编号 单号 小票号 交易号",
        "ts": "orderdate orderedat paidat invoicedate transactiontimestamp ordertime sentat sendtime createdat "
        "timestamp datetime when date time day datum 下单时间 支付时间 付款时间 订单时间 发送时间 触达时间 下单日期 "
        "日期 时间",
        "amount": "amountpaid paid amount total revenue salesvalue price betrag 实付金额 支付金额 付款金额 订单金额 "
        "成交金额 金额 总价",
        "discount": "discount discountamount saved 优惠金额 折扣金额 优惠",
        "category": "category goods 品类 类别 商品类目 商品类别",
        "brand": "brand 品牌",
        "channel": "channel 渠道 触达渠道",
        "offer": "offer coupon campaign offername 活动 优惠券 权益",
        "kind": "kind event eventtype status 事件 事件类型 状态 发送状态",
        "status": "status orderstatus financialstatus orderstate 订单状态 状态 交易状态",
        "joined": "joined joinedat signup signupdate registered registeredat 注册日期 注册时间 入会日期 入会时间",
    }
)
CHANNELS = _words(
    {
        "sms": "sms text 短信",
        "email": "email mail 邮件 邮箱",
        "push": "push 推送",
        "call": "call phone 电话 外呼",
        "feed": "feed 信息流",
        "popup": "popup 弹窗",
        "wechat": "wechat wecom 企业微信 企微 微信",
    }
)
CONSENT = ("consent", "optin", "permission", "maycontact", "allowed", "授权", "同意", "许可", "订阅", "允许", "接收")
NAMED = {"newsletter": "email", **{f"{word}ok": name for name, words in CHANNELS.items() for word in words}}
REFUSALS = ("optout", "unsubscribe", "donot", "no_", "not", "stop", "取消", "退订", "拒绝", "不", "勿", "禁止")
KINDS = _words(  # of contacts, in the words of sending tools
    {
        "sent": "sent send 已发送 发送 发送成功 已下发",
        "delivered": "delivered 已送达 送达",
        "opened": "opened open read 已打开 打开 已读",
        "clicked": "clicked click 已点击 点击",
        "unsubscribed": "unsubscribed unsubscribe optout 退订 已退订",
    }
)
VOID = (
    "cancel",
    "void",
    "refund",
    "fail",
    "unpaid",
    "closed",
    "取消",
    "关闭",
    "退款",
    "失败",
    "未支付",
    "待付款",
    "作废",
)
CONTACTS = ("send", "sent", "contact", "message", "delivery", "发送", "触达", "下发")  # in the name of a file


def folded(name: str) -> str:
    """A header as it is compared."""
    return re.sub(r"[\s_\-./()（）]+", "", name).casefold()


def column_of(role: str, columns: Iterable[str]) -> str | None:
    """The column that is called as `role` is, the preferred word first; None where there is none."""
    by_word = {folded(column): column for column in reversed(list(columns))}
    return next((by_word[word] for word in ROLES[role] if word in by_word), None)


def channel_in(text: str, known: Iterable[str] = ()) -> str | None:
    """The channel that a header, a file name or a value speaks of; those of `known` by their own name first."""
    plain = folded(text)
    own = next((name for name in known if folded(name) == plain), None)
    return own or next((name for name, words in CHANNELS.items() if any(word in plain for word in words)), None)


def permission_of(column: str, known: Iterable[str]) -> str | None:
    """The attribute of a permission that a column tells: consent_CHANNEL, optout_CHANNEL; None for any other column."""
    plain = folded(column)
    refusal = any(folded(word) in plain for word in REFUSALS)
    channel = consent_to(column, known) or (_channel_of(plain, known) if refusal else None)
    return None if channel is None else f"{'optout' if refusal else 'consent'}_{channel}"


def is_void(value: str) -> bool:
    """Whether an order's status says that it is none: cancelled, closed, failed, not paid."""
    plain = folded(value)
    return any(word in plain for word in VOID)


def _channel_of(plain: str, known: Iterable[str]) -> str | None:
    found = channel_in(plain)
    return found if found in list(known) else None


def consent_to(column: str, known: Iterable[str]) -> str | None:
    """The channel of `known` whose permission a column speaks of; None for any other column."""
    channels = list(known)
    if column.startswith("consent_") and column.removeprefix("consent_") in channels:
        return column.removeprefix("consent_")
    plain = folded(column)
    if plain in NAMED:
        return NAMED[plain] if NAMED[plain] in channels else None
    found = channel_in(plain) if any(word in plain for word in CONSENT) else None
    return found if found in channels else None


def kind_of(value: str) -> str | None:
    """The kind of event that a value of a sending tool means."""
    plain = folded(value)
    return next((kind for kind, words in KINDS.items() if plain in words), None)
