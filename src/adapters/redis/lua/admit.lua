-- admit: hold a place among an owner's sessions for one that is about to be made, if there is one.
-- KEYS[1] the owner's lifetimes (sorted set: session id by the time of its end, ms)
-- ARGV[1] session id  ARGV[2] how many sessions there may be  ARGV[3] how long its place is held until it is there, ms
-- Returns {OK} (also when it is there already) | {FULL}

local ms = math.floor(now_us() / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', digits(ms))
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return {'OK'} end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return {'FULL'} end
redis.call('ZADD', KEYS[1], digits(ms + tonumber(ARGV[3])), ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then expire(tonumber(ARGV[3]), KEYS[1]) end
return {'OK'}
