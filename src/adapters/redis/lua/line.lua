-- line: put before `begin` and others by scripts.ts. Who waits for a session: turn ids, first come first served, but for those
-- who interrupt, who are before all others. Each promises in `<turn id>/wait` until when its process is there to take its
-- turn, and is known by the attempt that took the place, in `<turn id>/attempt`.

local function is_there(turns, id, ms)
  return tonumber(redis.call('HGET', turns, id .. '/wait') or 0) > ms
end

-- Who is in the way: the running turn, or the first in line; its epoch, 0 if it only waits; 1 if it is alive, or 0.
local function holder_of(turns, running, head, ms)
  if running.turn then return {running.turn, running.epoch, tonumber(running.lease) > ms and 1 or 0} end
  return {head, 0, is_there(turns, head, ms) and 1 or 0}
end

-- What a resend of the same request is answered by.
local function claim_key(idem, turns, id, named)
  if named.key == '' then return end
  redis.call('HSET', idem, named.key, named.fingerprint .. ' ' .. digits(named.expires) .. ' ' .. id)
  redis.call('HSET', turns, id .. '/idem', named.key)
end

local function has_place(turns, queue, id, attempt)
  return redis.call('ZSCORE', queue, id) and redis.call('HGET', turns, id .. '/attempt') == attempt
end

-- Those who interrupt have places below 0.
local FRONT = -1000000

-- The place in line, counted from 1: taken now, or kept for another lease. False when the line is full.
local function take_place(turns, queue, ledger, id, epoch, given)
  if not redis.call('ZSCORE', queue, id) then
    if redis.call('ZCARD', queue) >= given.max then return false end
    local last = given.front and redis.call('ZREVRANGEBYSCORE', queue, -1, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] or FRONT
    if not given.front then last = math.max(0, redis.call('ZREVRANGE', queue, 0, 0, 'WITHSCORES')[2] or 0) end
    redis.call('ZADD', queue, last + 1, id)
    -- Between two epochs: after all that have begun, before all that will.
    redis.call('ZADD', ledger, digits(math.max(tonumber(epoch), now_us())) .. '.5', id)
    redis.call('HSET', turns, id, given.record, id .. '/attempt', given.attempt)
  end
  redis.call('HSET', turns, id .. '/wait', digits(given.lease))
  return redis.call('ZRANK', queue, id) + 1
end

-- Who waited keeps the place in the ledger that it came to: to whoever pages through it a turn that moves would be lost.
local function enter_ledger(turns, ledger, id, epoch)
  if redis.call('ZADD', ledger, 'NX', epoch, id) == 0 then redis.call('HSET', turns, id .. '/epoch', epoch) end
end

local function leave_line(turns, queue, id)
  redis.call('ZREM', queue, id)
  redis.call('HDEL', turns, id .. '/wait', id .. '/attempt')
end
