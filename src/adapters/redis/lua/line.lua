-- line: put before `begin` by scripts.ts. Who waits for a session: turn ids, first come first served; each promises in
-- `<turn id>/wait` until when its process is there to take its turn.

local function is_there(turns, id, ms)
  return tonumber(redis.call('HGET', turns, id .. '/wait') or 0) > ms
end

-- The place in line, counted from 1: taken now, or kept for another lease. False when the line is full.
local function take_place(turns, queue, id, given)
  if not redis.call('ZSCORE', queue, id) then
    if redis.call('ZCARD', queue) >= given.max then return false end
    local front = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2]
    local last = redis.call('ZREVRANGE', queue, 0, 0, 'WITHSCORES')[2]
    local place = given.front and (front or 1) - 1 or (last or 0) + 1
    redis.call('ZADD', queue, place, id)
    redis.call('HSET', turns, id, given.record)
  end
  redis.call('HSET', turns, id .. '/wait', digits(given.lease))
  return redis.call('ZRANK', queue, id) + 1
end

local function leave_line(turns, queue, id)
  redis.call('ZREM', queue, id)
  redis.call('HDEL', turns, id .. '/wait')
end
