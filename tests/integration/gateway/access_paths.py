"""Rows: paths as they are sent, and what a service might take them for: /admin, or something else.

Each row is a way in which two readers of the same bytes have differed: what one of them took for /admin must not reach
any service while a rule denies /admin. By kind of the difference.
"""

from typing import Final

# RFC 3986 §6.2.2.2: an escape of an unreserved character is the character.
UNRESERVED: Final = (
    "/%61dmin", "/a%64min", "/ad%6Din", "/ad%6din", "/adm%69n", "/admi%6E", "/admi%6e", "/%61%64%6d%69%6e",
    "/%61dmin/users", "/x/../%61dmin", "/admin%2e%2e/../admin",
)  # fmt: skip
# Decoded once more than usual, as by a proxy before an application: twice, thrice.
DECODED_AGAIN: Final = (
    "/%2561dmin", "/a%2564min", "/ad%256Din", "/ad%256din", "/adm%2569n", "/admi%256E", "/%2561%2564%256d%2569%256e",
    "/%252561dmin", "/a%252564min", "/admi%25256e", "/%25%36%31dmin", "/%2561dmin/users", "/%%2536%2531dmin",
    "/%25%2536%2531dmin",
)  # fmt: skip
# RFC 3986 §6.2.2.1: the case of letters counts; not on every file system, not in every router.
CASE: Final = ("/ADMIN", "/Admin", "/aDmin", "/adMin", "/admIn", "/admiN", "/ADMIN/users", "/%41DMIN", "/%2541dmin")
# RFC 3986 §5.2.4: dot segments; repeated slashes, which most servers merge.
SEGMENTS: Final = (
    "//admin", "///admin", "/./admin", "/././admin", "/x/../admin", "/x/./../admin", "/x/y/../../admin", "/%2e/admin",
    "/x/%2e%2e/admin", "/x/%2E%2E/admin", "/x/.%2e/admin", "/x/%2e./admin", "//x/..//admin", "/x//../admin",
    "/x/%252e%252e/admin", "/x/.%252e/admin", "/%252e/admin", "/x/%25252e%25252e/admin", "//ADMIN", "/.//admin/.",
)  # fmt: skip
# RFC 3986 §2.2: an escaped slash is no slash; where it becomes one, it makes segments.
SEPARATORS: Final = (
    "/%2fadmin", "/%2Fadmin", "/x/..%2fadmin", "/x%2f..%2fadmin", "/x/%2e%2e%2fadmin", "/.%2fadmin", "/%5cadmin",
    "/%5Cadmin", "/x/..%5cadmin", "/x%5c..%5cadmin", "/.%5cadmin", "/%252fadmin", "/%252Fadmin", "/x/..%252fadmin",
    "/x%252f..%252fadmin", "/%255cadmin", "/x/..%255cadmin", "/x%255c..%255cadmin", "/%25252fadmin", "/%25255cadmin",
    "/x%252f%252e%252e%252fadmin",
)  # fmt: skip
# RFC 3986 §3.3: parameters of a segment, which servlet containers cut before they route.
PARAMETERS: Final = (
    "/admin;x", "/admin;", "/admin;a=1", "/admin;a=1/users", "/;x/admin", "/x;y/../admin", "/x/..;/admin",
    "/x/..;a=b/admin", "/admin%3Bx", "/admin%3bx=1/users", "/admin%253Bx", "/.;/admin", "/%2e;/admin",
    "/x/%2e%2e;/admin", "/x/%252e%252e;/admin", "/x/..%3b/admin", "/x/..%253b/admin",
)  # fmt: skip
# Dots and spaces behind a name, which Windows drops.
ENDINGS: Final = (
    "/admin.", "/admin..", "/admin...", "/admin%20", "/admin%20%20", "/admin.%20", "/admin%20.", "/admin%2e",
    "/admin%2E%2e", "/admin%252e", "/admin%2520", "/admin./users", "/admin%20/users", "/admin.;x", "/admin;x.",
)  # fmt: skip
# What ends a path where it is decoded too early, or kept as a C string.
CUT: Final = (
    "/admin%3Fx", "/admin%3fx", "/admin%23x", "/admin%253Fx", "/admin%2523", "/admin%00", "/admin%00.html",
    "/admin%2500", "/admin%2500.html", "/admin%25%30%30", "/admin%3F/x", "/admin%2523/x",
)  # fmt: skip
# Controls, which some drop and some take for white space.
CONTROLS: Final = ("/admin%09", "/admin%0a", "/admin%0d%0a", "/admin%7f", "/%01admin", "/admin%0b/users", "/%0aadmin")
# RFC 3629 §3, §10: one character has one form; and what was never a form of a URL.
MALFORMED: Final = (
    "/%C1%A1dmin", "/%c1%a1dmin", "/x/..%c0%afadmin", "/%c0%afadmin", "/x/%c0%ae%c0%ae/admin", "/x/..%e0%80%afadmin",
    "/%e0%81%a1dmin", "/x/..%f0%80%80%afadmin", "/%u0061dmin", "/%U0061dmin", "/x/..%u002fadmin", "/%zzadmin",
    "/admin%", "/admin%2", "/%6/admin", "/x/..%c1%9cadmin",
)  # fmt: skip
# UAX #15: letters that compatibility takes for others.
COMPATIBILITY: Final = (
    "/%EF%BD%81dmin", "/a%EF%BD%84min", "/ad%EF%BD%8Din", "/adm%EF%BD%89n", "/admi%EF%BD%8E", "/%EF%BC%A1dmin",
    "/%EF%BC%A1%EF%BC%A4%EF%BC%AD%EF%BC%A9%EF%BC%AE", "/%E2%93%90dmin", "/%F0%9D%90%9Admin", "/%C2%AAdmin",
    "/a%E1%B5%88min", "/ad%E1%B5%90in", "/adm%E2%81%B1n", "/admi%E2%81%BF", "/adm%E2%85%B0n", "/a%E2%85%BEmin",
    "/ad%E2%85%BFin", "/%EF%BC%8Fadmin", "/x/%EF%BC%8E%EF%BC%8E/admin", "/x%EF%BC%8F..%EF%BC%8Fadmin",
    "/%EF%BC%8561dmin", "/%25EF%25BD%2581dmin", "/x/%E2%80%A5/admin", "/admin%EF%BC%9Bx",
)  # fmt: skip
# Several at once.
TOGETHER: Final = (
    "/%2541DMIN;x.", "/X/%252e%252e/ADMIN", "/x;y/%2e%2e/Admin%20", "//ADMIN;", "/%EF%BC%A1DMIN.", "/x%252f..;/Admin",
    "/.;x/%2561DMIN%20", "/%255c%2561dmin", "/x/%252e%252e%255cadmin%2500", "/AD%25%34%44IN", "/x//..;y//%41dmin/;z",
    "http://shop.example/%61dmin", "http://shop.example//admin", "HTTP://shop.example/x/..;/admin",
    "http://shop.example/ADMIN?q=1", "/Admin?x=/y", "/admin;x?y", "/%2561dmin?z=%2F",
)  # fmt: skip

ADMIN: Final = (
    *UNRESERVED, *DECODED_AGAIN, *CASE, *SEGMENTS, *SEPARATORS, *PARAMETERS, *ENDINGS, *CUT, *CONTROLS, *MALFORMED,
    *COMPATIBILITY, *TOGETHER,
)  # fmt: skip

# Paths of their own, and how they must arrive.
OTHERS: Final = {
    "/caf%C3%A9": "/caf%C3%A9",
    "/caf%c3%a9/menu": "/caf%C3%A9/menu",
    "/a;v=1/b": "/a;v=1/b",
    "/100%25": "/100%25",
    "/50%25;admin": "/50%25;admin",
    "/administration": "/administration",
    "/admins": "/admins",
    "/adm": "/adm",
    "/admin-panel": "/admin-panel",
    "/admin.html": "/admin.html",
    "/user/admin": "/user/admin",
    "/x/admin/": "/x/admin/",
    "/admin/../x": "/x",
    "/a%20b": "/a%20b",
    "/a+b,c=d:e@f": "/a+b,c=d:e@f",
    "/search?q=/admin": "/search?q=/admin",
    "/?next=%2Fadmin": "/?next=%2Fadmin",
    "/x?/../admin": "/x?/../admin",
    "/.well-known/x": "/.well-known/x",
    "/a..b/c.": "/a..b/c.",
    "/x;admin": "/x;admin",
    "/%E2%82%AC": "/%E2%82%AC",
    "/%7Euser": "/~user",
    "/%D0%B0dmin": "/%D0%B0dmin",  # another alphabet's letter stays another letter
    "/Books/Item_1": "/Books/Item_1",
}
