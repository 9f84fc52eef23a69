-- take: hold a place of an owner for a while, if there is one.
-- KEYS[1] the places of one kind that the owner holds (sorted set: place by the end of its lease, ms)
-- ARGV[1] the place  ARGV[2] how many may be held  ARGV[3] lease ms
-- Returns {TAKEN} (also for a resend) | {FULL}

local ms = math.floor(now_us() / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', digits(ms))
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return {'FULL'}
end
redis.call('ZADD', KEYS[1], digits(ms + tonumber(ARGV[3])), ARGV[1])
expire(tonumber(ARGV[3]), KEYS[1])
return {'TAKEN'}
