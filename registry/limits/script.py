"""What Redis does for one ask, in one step: the same as meshway/assignments/ledger.py, by Redis's own clock.

A key is a hash: `v` and `t` of a bucket (its level, and when that was so; of a period the level only), `c:SEGMENT` of a
window (calls that were granted in it), `h:HOLDER` (what that worker holds, or has running, and until when). It is
forgotten once it would be whole again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.assignments.ledger import (
    BUSY_AGAIN_S,
    LONGEST_AGAIN_S,
    MANY,
    MARGIN_S,
    PLENTY_S,
    RUNNING_S,
    SCARCE_AGAIN_S,
    SCARCE_S,
    SHORTEST_AGAIN_S,
    SIZE_S,
)
from meshway.assignments.messages import Grant, loan_of
from registry.live.scripts import command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.assignments.messages import Ask, Budget

# KEYS: the hash. ARGV: holder, limit without loans, rate, window, segments, want, held, back, mark, least, kind,
# period.
# Answers count, left, reset, again, keep, mark and others as text, since Redis cuts numbers to whole ones.
ASSIGN: Final = f"""
local PLENTY, SCARCE, MARGIN, SIZE = {PLENTY_S}, {SCARCE_S}, {MARGIN_S}, {SIZE_S}
local LONGEST, SHORTEST, GRAIN = {LONGEST_AGAIN_S}, {SHORTEST_AGAIN_S}, 1e-6
local RUNNING, BUSY, SOON, MANY = {RUNNING_S}, {BUSY_AGAIN_S}, {SCARCE_AGAIN_S}, {MANY}
local t = redis.call('TIME')
local now = t[1] + t[2] / 1e6
local holder, cap, rate = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local window, segments = tonumber(ARGV[4]), tonumber(ARGV[5])
local want, held, back, mark = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local least, sort, period = tonumber(ARGV[10]), ARGV[11], tonumber(ARGV[12])
local function text(number) return string.format('%.17g', number) end
local account = redis.call('HGETALL', KEYS[1])
local level, at, known, out, others, active = cap, now, 0, 0, 0, 1
local ended = {{}}
local width = window / segments
local segment = sort == 'window' and math.floor(now / width) or period
local granted, used, first, last = {{}}, 0, nil, nil
for one = 1, #account, 2 do
  local name, value = account[one], account[one + 1]
  local kind = string.sub(name, 1, 2)
  if name == 'v' then level = tonumber(value)
  elseif name == 't' then at = tonumber(value)
  elseif kind == 'h:' then
    local has, till = string.match(value, '^(%d+) (.*)$')
    out = out + tonumber(has)
    if tonumber(till) < now then
      redis.call('HDEL', KEYS[1], name)
      ended[#ended + 1] = {{tonumber(till), tonumber(has)}}
    else
      if name == 'h:' .. holder then known = tonumber(has)
      else active, others = active + 1, others + tonumber(has) end
    end
  elseif kind == 'c:' then
    local old = tonumber(string.sub(name, 3))
    if old < segment - segments then redis.call('HDEL', KEYS[1], name)
    else granted[old] = tonumber(value) end
  end
end
local function size(there, pace)
  there = there + GRAIN
  if there < least then return 0 end
  local fair = math.max(math.floor(math.max(pace * SIZE, there / 2) / active), least)
  return math.max(math.min(want, fair, math.floor(there)), 0)
end
local function hold(calls, till)
  if calls > 0 or want > 0 then
    redis.call('HSET', KEYS[1], 'h:' .. holder, string.format('%.0f %s', calls, text(till)))
  else
    redis.call('HDEL', KEYS[1], 'h:' .. holder)
  end
end
local count, keep, reset, again
local alive = 0
if sort == 'running' then
  level = cap - others - held
  count = level >= 0 and size(level, 0) or math.max(level, -held)
  level = math.max(level - count, 0)
  hold(held + math.max(count, 0), now + RUNNING)
  keep, reset, alive = level >= cap / 2 and PLENTY or SCARCE, 0, RUNNING
  again = level >= least and 0 or BUSY
elseif sort == 'period' then
  held = math.min(held, known)
  level = level + math.min(back, known - held)
  count = size(level, rate)
  level = level - count
  keep, reset, alive = level >= math.max(cap / 2, MANY * active) and PLENTY or SCARCE, 0, window
  redis.call('HSET', KEYS[1], 'v', text(level))
  hold(held + count, now + keep + MARGIN)
  again = level >= least and 0 or level + others >= least and SOON or LONGEST
elseif sort == 'bucket' then
  table.sort(ended, function(one, other) return one[1] < other[1] end)
  for _, held_until in ipairs(ended) do
    if held_until[1] > at then
      level = math.min(level + (held_until[1] - at) * rate, cap - out)
      at = held_until[1]
    end
    out = out - held_until[2]
  end
  level = math.min(level + math.max(now - at, 0) * rate, cap - out)
  held = math.min(held, known)
  level = level + math.min(back, known - held)
  count = size(level, rate)
  level = level - count
  if level >= cap / 2 and cap >= 2 * active then keep = PLENTY else keep = math.min(SCARCE, cap / (4 * rate)) end
  redis.call('HSET', KEYS[1], 'v', text(level), 't', text(math.max(now, at)))
  hold(held + count, now + keep + MARGIN)
  reset, again = math.max((cap - level) / rate, 0), 0
  if level < least - GRAIN then
    again = math.max((least - level) / rate, math.min(active / rate, cap / (4 * rate), LONGEST), SHORTEST)
  end
else
  if back > 0 and granted[mark] then granted[mark] = math.max(granted[mark] - back, 0) end
  for _, calls in pairs(granted) do used = used + calls end
  level = cap - used
  count = size(level, rate)
  level = level - count
  if count > 0 then granted[segment] = (granted[segment] or 0) + count end
  for old, calls in pairs(granted) do
    redis.call('HSET', KEYS[1], string.format('c:%.0f', old), string.format('%.0f', calls))
    if calls > 0 then
      if not first or old < first then first = old end
      if not last or old > last then last = old end
    end
  end
  if want > 0 then redis.call('HSET', KEYS[1], 'h:' .. holder, '0 ' .. text(now + SCARCE + MARGIN)) end
  keep = math.min(level >= cap / 2 and PLENTY or SCARCE, (segment + 1) * width - now)
  reset = last and (last + segments + 1) * width - now or 0
  again = 0
  if level < least then
    local leaving = first and (first + segments + 1) * width - now or LONGEST
    again = math.max(math.min(leaving, LONGEST), SHORTEST)
  end
end
redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(reset, keep + MARGIN, alive) + 1) * 1000))
return {{
  text(count), text(math.max(level, 0)), text(reset), text(again), text(keep), string.format('%.0f', segment),
  string.format('%.0f', sort == 'period' and others or 0)
}}
"""


def pack_assign(sha: bytes, budget: Budget, ask: Ask, holder: str, workers: int) -> bytes:
    """workers: live ones of the mesh, who may borrow."""
    # One slot of a Redis Cluster for all of them, as for leases.
    period = f":{budget.period}" if budget.period else ""
    key = f"{{meshway}}:limit:{budget.id}{period}:{ask.key}"
    numbers = [
        max(budget.limit - workers * loan_of(budget, workers), 1), repr(budget.rate), repr(budget.window_s),
        budget.segments, ask.want, ask.held, ask.back, ask.mark, ask.least, budget.kind, budget.period,
    ]  # fmt: skip
    words = [key.encode(), holder.encode(), *(str(number).encode() for number in numbers)]
    return command(b"EVALSHA", sha, b"1", *words)


def read_grant(answer: Sequence[bytes]) -> Grant:
    count, left, reset_s, again_s, keep_s, mark, others = answer
    return Grant(
        count=int(float(count)),
        left=float(left),
        reset_s=float(reset_s),
        again_s=float(again_s),
        keep_s=float(keep_s),
        mark=int(mark),
        others=int(others),
    )
