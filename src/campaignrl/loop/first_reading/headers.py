"""What people call the columns of their exports, in English and Chinese, and which words name a channel.

Compared in lower case, without blanks, `_` and `-`. A list is in order: what stands first is preferred where several
columns fit. Here: the words. Not here: what is concluded from them (guesses.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType

from campaignrl.profiles.intake import REGIONS


def _words(lists: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({name: tuple(text.split()) for name, text in lists.items()})


ROLES: Mapping[str, tuple[str, ...]] = _words(
    {
        "customer": "customerid memberid customerno customernumber customercode customer member userid clientid client "
        "user uid card cardno buyerid buyer contactid accountid kunde kundennummer 客户编号 会员编号 会员号 客户号 "
        "会员id 客户id 用户id 用户编号 会员卡号 会员编码 顾客编号 买家会员名 买家昵称 下单帐号 下单账号 "
        "买家 客户 会员 openid unionid customeremail buyeremail email emailaddress phone phonenumber mobile 手机号 "
        "手机号码 买家手机号 邮箱",
        "order": "orderid orderno ordernumber ordercode order invoice invoiceno invoicenumber receipt receiptno "
        "transactionid basketid bestellnummer 订单号 订单编号 单号 小票号 交易号 交易单号 流水号",
        "ts": "orderdate orderedat paidat datepaid paymentdate purchasedate purchasedat invoicedate processedat "
        "transactiontimestamp transactiondate ordertime sentat sendtime sentdate senddate createdat created timestamp "
        "datetime when date time day datum 下单时间 支付时间 付款时间 买家付款时间 订单付款时间 订单时间 "
        "订单创建时间 成交时间 交易时间 消费时间 发送时间 触达时间 下单日期 创建时间 日期 时间",
        "amount": "amountpaid totalpaid paid grandtotal ordertotal ordertotalamount orderamount ordervalue nettotal "
        "netsales netamount amount total totalamount totalprice revenue salesvalue sales spend grosssales grossamount "
        "price betrag 实付金额 订单实付金额 买家实付金额 买家实际支付金额 实收金额 支付金额 付款金额 "
        "订单金额 订单总金额 成交金额 应付金额 结算金额 消费金额 金额 总价",
        "quantity": "quantity qty units menge 数量 件数",
        "discount": "discount discountamount saved 优惠金额 折扣金额 优惠",
        "category": "category goods 品类 类别 商品类目 商品类别",
        "brand": "brand 品牌",
        "channel": "channel 渠道 触达渠道",
        "offer": "offer coupon campaign offername 活动 优惠券 权益",
        "kind": "kind event eventtype status 事件 事件类型 状态 发送状态",
        "status": "status orderstatus financialstatus orderstate 订单状态 状态 交易状态",
        "joined": "joined joinedat signup signupdate registered registeredat customersince membersince 注册日期 "
        "注册时间 入会日期 入会时间 开卡日期",
    }
)
UNIT_PRICES = ("price", "unitprice", "itemprice", "lineitemprice", "单价")  # of one piece: money only beside a quantity
CURRENCIES = (*REGIONS, "EUR", "RMB")
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
CONSENT = (
    *("consent", "optin", "optedin", "permission", "maycontact", "allowed", "accepts", "subscribed", "marketing"),
    *("授权", "同意", "许可", "订阅", "允许", "接收"),
)
REFUSALS = ("optout", "optedout", "unsubscribe", "donot", "dont", "stop", "取消", "退订", "拒绝", "不", "勿", "禁止")
NEGATIONS = ("no", "not")  # as words of their own before another: `no_sms`, and not `phone no`, `no. of mails`
NAMED = {"newsletter": "email", **{f"{word}ok": name for name, words in CHANNELS.items() for word in words}}
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


def without_unit(name: str) -> str:
    """A header without what stands in brackets and without a currency: `Total (GBP)`, `total_eur`, `金额（元）`."""
    bare = re.sub(r"[(（\[【][^)）\]】]*[)）\]】]", " ", name)
    bare = re.sub(rf"(?<![A-Za-z])(?:{'|'.join(CURRENCIES)})(?![A-Za-z])", " ", bare, flags=re.IGNORECASE)
    return folded(re.sub(r"[¥￥$£€]", " ", bare))


def column_of(role: str, columns: Iterable[str], words: Iterable[str] = ()) -> str | None:
    """The column that is called as `role` is, the preferred word first; None where there is none.

    A header as it stands comes before one that fits without its unit. words: instead of the role's own.
    """
    given = list(columns)
    whole = {folded(column): column for column in reversed(given)}
    bare = {without_unit(column): column for column in reversed(given)}
    return next((of[word] for word in (words or ROLES[role]) for of in (whole, bare) if word in of), None)


def channel_in(text: str, known: Iterable[str] = ()) -> str | None:
    """The channel that a header, a file name or a value speaks of; those of `known` by their own name first."""
    plain = folded(text)
    own = next((name for name in known if folded(name) == plain), None)
    return own or next((name for name, words in CHANNELS.items() if any(word in plain for word in words)), None)


def permission_of(column: str, known: Iterable[str]) -> str | None:
    """The attribute of a permission that a column tells: consent_CHANNEL, optout_CHANNEL; None for any other column."""
    plain = folded(column)
    refusal = any(word in plain for word in REFUSALS) or _negated(column)
    channel = consent_to(column, known) or (_channel_of(plain, known) if refusal else None)
    return None if channel is None else f"{'optout' if refusal else 'consent'}_{channel}"


def _negated(column: str) -> bool:
    """Whether a header says `no` to something: a word of its own that another follows."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).casefold())
    pairs = pairwise(words)
    spoken = any(word in NEGATIONS and following != "of" for word, following in pairs)
    return spoken or any(folded(column).startswith(f"no{word}") for known in CHANNELS.values() for word in known)


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
