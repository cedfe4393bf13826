"""What Redis does for us in one step each, and the bytes that ask for it.

Each script reads Redis's own clock, so no replica's clock is ever compared with another's. Numbers are microseconds. A
member of the sorted sets is a lease id, and its score when Redis heard of it, so what came since a moment is one range.
Arguments are packed by hand: redis-py's packer costs ten times as much per member.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

# One slot of a Redis Cluster for all of them.
_KEYS: Final = {
    name: f"{{meshway}}:{name}".encode() for name in ("leases", "answered", "late", "critical", "claims", "presence")
}
BEAT_MEMBERS: Final = 5000
# Above BEAT_MEMBERS, which may share one score: a page then always gets further.
PAGE: Final = 10_000

_CLOCK: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local function text(number) return string.format('%.0f', number) end
local function add(key, members, flag)
  for at = 1, #members, 2000 do
    local call = {'ZADD', key}
    if flag then call[3] = flag end
    for one = at, math.min(at + 1999, #members) do
      call[#call + 1] = text(now)
      call[#call + 1] = members[one]
    end
    redis.call(unpack(call))
  end
end
"""

# KEYS: leases, claims. ARGV: members. Renews; answers those that a sweep has claimed, each with its mark. The mark
# stays until a write has come after it (SETTLE): whoever sees it now may never get so far.
BEAT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local taken = {}
if redis.call('ZCARD', KEYS[2]) > 0 then
  for at = 1, #ARGV, 4000 do
    local last = math.min(at + 3999, #ARGV)
    local marks = redis.call('ZMSCORE', KEYS[2], unpack(ARGV, at, last))
    for one = at, last do
      if marks[one - at + 1] then
        taken[#taken + 1] = ARGV[one]
        taken[#taken + 1] = marks[one - at + 1]
      end
    end
  end
end
local pairs_ = {}
for at = 1, #ARGV do
  pairs_[2 * at - 1] = now
  pairs_[2 * at] = ARGV[at]
end
for at = 1, #pairs_, 4000 do
  redis.call('ZADD', KEYS[1], unpack(pairs_, at, math.min(at + 3999, #pairs_)))
end
return taken
"""

# KEYS: leases, answered, claims, presence. ARGV: run, then ttl and member by turns. Answers those that nobody renewed
# within their TTL, behind the mark they get; a member that Redis never heard of counts as renewed when presence began.
CLAIM: Final = (
    _CLOCK
    + """
local presence = redis.call('HMGET', KEYS[4], 'run', 'begun')
if presence[1] ~= ARGV[1] or not presence[2] then return {text(now)} end
local claimed = {}
for at = 2, #ARGV, 2 do
  local member = ARGV[at + 1]
  local seen = tonumber(presence[2])
  for key = 1, 2 do
    seen = math.max(seen, tonumber(redis.call('ZSCORE', KEYS[key], member) or 0))
  end
  if seen + tonumber(ARGV[at]) <= now then claimed[#claimed + 1] = member end
end
add(KEYS[3], claimed)
return {text(now), unpack(claimed)}
"""
)

# KEYS: claims. ARGV: member and mark by turns. A claim that was made anew meanwhile has another mark, and stays.
SETTLE: Final = """
for at = 1, #ARGV, 2 do
  local mark = redis.call('ZSCORE', KEYS[1], ARGV[at])
  if mark and tonumber(mark) == tonumber(ARGV[at + 1]) then redis.call('ZREM', KEYS[1], ARGV[at]) end
end
return {}
"""

# KEYS: all. ARGV: run, longest absence, since, page, notice, a name, then five lists, each its count and its members:
# late (age and member by turns), started, ended, critical, answered.
# Presence: as long as some replica looks every moment, it goes on. When none did (all were away), or when this is
# another server or an emptied one, or its clock went back, it begins anew, and what was known before is void.
# critical: members with `@` and the revision that made them critical; whoever says it first takes the lease out, so
# that its time begins anew when it comes back.
# name: what this place is called if it bears no name yet; the answer ends with the one it bears. It goes with the keys.
LOOK: Final = (
    _CLOCK
    + """
local presence = redis.call('HMGET', KEYS[6], 'run', 'at', 'begun', 'notice', 'noticed')
local at, begun = tonumber(presence[2]), tonumber(presence[3])
if presence[1] ~= ARGV[1] or not at or not begun or now < at or now - at > tonumber(ARGV[2]) then
  begun = now
  redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
end
redis.call('HSET', KEYS[6], 'run', ARGV[1], 'at', text(now), 'begun', text(begun))
local notice = presence[4] or ''
if ARGV[5] ~= '' then
  notice = ARGV[5]
  redis.call('HSET', KEYS[6], 'notice', notice, 'noticed', text(now))
elseif now - tonumber(presence[5] or 0) > 3000000 then
  notice = ''
end
redis.call('HSETNX', KEYS[6], 'place', ARGV[6])
local arg = 7
local function list()
  local members = {}
  for one = arg + 1, arg + tonumber(ARGV[arg]) do members[#members + 1] = ARGV[one] end
  arg = arg + 1 + #members
  return members
end
local late = list()
for one = 1, #late, 2 do
  local when = text(now - tonumber(late[one]))
  redis.call('ZADD', KEYS[1], 'GT', when, late[one + 1])
  redis.call('ZADD', KEYS[3], text(now), late[one + 1] .. '@' .. when)
end
add(KEYS[1], list(), 'NX')
for _, member in ipairs(list()) do
  for _, key in ipairs({KEYS[1], KEYS[2], KEYS[5]}) do redis.call('ZREM', key, member) end
end
local critical = list()
local ages = {}
for one = 1, #critical do
  if redis.call('ZADD', KEYS[4], 'NX', text(now), critical[one]) == 1 then
    local member = string.match(critical[one], '^(.*)@')
    redis.call('ZREM', KEYS[1], member)
    redis.call('ZREM', KEYS[2], member)
  end
  ages[one] = text(now - tonumber(redis.call('ZSCORE', KEYS[4], critical[one])))
end
add(KEYS[2], list())
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. text(now - 60000000))
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[5]}) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. text(now - 7200000000))
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. text(now - 604800000000))
local since = math.max(begun, tonumber(ARGV[3]))
local answer = {text(now), text(begun), notice, ages}
for key = 1, 3 do
  answer[#answer + 1] = redis.call('ZRANGEBYSCORE', KEYS[key], text(since), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[4])
end
answer[#answer + 1] = redis.call('HGET', KEYS[6], 'place')
return answer
"""
)

# Without the run that it goes on with, presence begins anew at the next look.
END_PRESENCE: Final = (b"HDEL", _KEYS["presence"], b"run")

_BEAT_KEYS: Final = ("leases", "claims")
_CLAIM_KEYS: Final = ("leases", "answered", "claims", "presence")
_SETTLE_KEYS: Final = ("claims",)
_LOOK_KEYS: Final = ("leases", "answered", "late", "critical", "claims", "presence")


def bulk(value: bytes) -> bytes:
    """A bulk string of RESP, which is also how a lease keeps its id."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def command(*words: bytes) -> bytes:
    return b"*%d\r\n%b" % (len(words), b"".join(map(bulk, words)))


def pack_beat(sha: bytes, members: Sequence[bytes]) -> bytes:
    """members: bulk strings, at most BEAT_MEMBERS."""
    return _evaluate(sha, _BEAT_KEYS, members)


def pack_claim(sha: bytes, run: bytes, members: Iterable[tuple[int, bytes]]) -> bytes:
    """members: TTL in seconds and bulk string."""
    words = [bulk(run)]
    for ttl_s, member in members:
        words += (bulk(b"%d" % (ttl_s * 1_000_000)), member)
    return _evaluate(sha, _CLAIM_KEYS, words)


def pack_settle(sha: bytes, marked: Iterable[tuple[bytes, int]]) -> bytes:
    """marked: bulk string and mark."""
    return _evaluate(sha, _SETTLE_KEYS, [word for member, mark in marked for word in (member, bulk(b"%d" % mark))])


def pack_look(
    sha: bytes,
    *,
    run: bytes,
    absence_s: float,
    since: int,
    notice: bytes,
    name: bytes,
    lists: Sequence[Sequence[bytes]],
) -> bytes:
    """lists: late, started, ended, critical, answered, of bulk strings."""
    words = [bulk(run), *(bulk(b"%d" % n) for n in (absence_s * 1e6, since, PAGE)), bulk(notice), bulk(name)]
    for members in lists:
        words.append(bulk(b"%d" % len(members)))
        words += members
    return _evaluate(sha, _LOOK_KEYS, words)


def _evaluate(sha: bytes, keys: Sequence[str], words: Sequence[bytes]) -> bytes:
    names = b"".join(bulk(_KEYS[key]) for key in keys)
    head = b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n%d\r\n%b" % (3 + len(keys) + len(words), sha, len(keys), names)
    return head + b"".join(words)
